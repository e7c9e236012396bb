use std::path::Path;

use super::*;
use weir_gateway::observe::metrics::Metrics;
use weir_ledger::{Budget, Limit, Period, Scope};
use weir_store::Sqlite;

const NAME: &str = "all";

fn budget(name: &str) -> Budget {
    Budget::new(name, Scope::All, Limit::Requests(1_000), Period::Total)
}

fn stored(path: &Path) -> Arc<dyn Store> {
    Arc::new(Sqlite::open(path).unwrap())
}

/// A node of a database.
struct Node {
    budgets: Budgets,
    database: BudgetDatabase,
}

impl Node {
    fn start(store: &Arc<dyn Store>) -> Self {
        let budgets = Budgets::new(&Metrics::new().unwrap()).unwrap();
        budgets.replace(&[budget(NAME)]);
        let mut node = Self { budgets, database: BudgetDatabase::new(Arc::clone(store), None) };
        let _may_be_away = node.database.flush(&node.budgets);
        node
    }

    fn flush(&mut self) {
        self.database.flush(&self.budgets).unwrap();
    }

    fn sum(&self, name: &str) -> u64 {
        let status = self.budgets.status();
        status.iter().filter(|one| &*one.0.name == name).map(|(_, _, settled, reserved)| settled + reserved).sum()
    }

    /// Counts more, as what was reserved by a process that was killed is counted.
    fn count(&self, name: &str, more: u64) {
        let rows = self.budgets.rows();
        let found = rows.rows.iter().find(|row| &*row.budget == name);
        let row = found.cloned().unwrap_or(Row {
            budget: name.into(),
            start: self.budgets.named(name).unwrap().1.start,
            end: None,
            reserved: 0,
            settled: 0,
            before: 0,
            cell: 0,
            made: 0,
            seq: 0,
        });
        let row = Row { settled: row.total(), reserved: more, ..row };
        self.budgets.restore(StoredRows { rows: vec![row], ..rows }, false);
    }
}

#[test]
fn nodes_count_together_and_what_a_killed_one_had_kept_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = stored(&folder.path().join("weir.db"));
    let (mut one, mut other) = (Node::start(&store), Node::start(&store));
    for _ in 0..3 {
        one.count(NAME, 2);
        other.count(NAME, 5);
        one.flush();
        other.flush();
    }
    one.flush();
    assert_eq!((one.sum(NAME), other.sum(NAME)), (21, 21));
    one.count(NAME, 1);
    drop(one);
    other.flush();
    assert_eq!((other.sum(NAME), Node::start(&store).sum(NAME)), (21, 21), "what was not kept is lost, and no more");
}

#[test]
fn a_budget_that_comes_back_and_one_that_comes_later_have_what_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = stored(&folder.path().join("weir.db"));
    let (mut one, mut other) = (Node::start(&store), Node::start(&store));
    one.budgets.replace_stored(vec![budget("later")]);
    one.count("later", 4);
    one.count(NAME, 3);
    one.flush();
    other.flush();
    assert_eq!(other.sum(NAME), 3);
    other.budgets.replace_stored(vec![budget("later")]);
    other.flush();
    assert_eq!(other.sum("later"), 4);
    // Without a budget for a while, and then with another count of it.
    for is_seen in [true, false] {
        other.budgets.replace(&[]);
        if is_seen {
            other.flush();
        }
        other.budgets.replace(&[budget(NAME)]);
        other.count(NAME, 1);
        other.flush();
        one.flush();
    }
    assert_eq!((one.sum(NAME), other.sum(NAME)), (5, 5));
    // In other units it is another budget.
    other.budgets.replace(&[Budget::new(NAME, Scope::All, Limit::Tokens(1_000), Period::Total)]);
    other.flush();
    assert_eq!((one.sum(NAME), other.sum(NAME)), (5, 0));
}

#[test]
fn a_database_that_is_away_or_was_put_back_costs_nothing_of_what_a_node_knows() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, backup) = (stored(&path("weir.db")), stored(&path("backup.db")));
    Node::start(&store).flush();
    let away: Arc<dyn Store> = Arc::new(Sqlite::open_to_read(path("weir.db")).unwrap());
    let (mut one, mut other) = (Node::start(&store), Node::start(&away));
    one.count(NAME, 2);
    one.flush();
    other.count(NAME, 3);
    assert!(other.database.flush(&other.budgets).is_err());
    other.count(NAME, 1);
    other.database.store = Arc::clone(&store);
    other.flush();
    other.flush();
    one.flush();
    assert_eq!((one.sum(NAME), other.sum(NAME)), (6, 6));
    for node in [&mut one, &mut other] {
        node.count(NAME, 1);
        node.database.store = Arc::clone(&backup);
        node.flush();
    }
    one.flush();
    assert!(one.sum(NAME) >= 7 && one.sum(NAME) == other.sum(NAME), "{} {}", one.sum(NAME), other.sum(NAME));
    assert_eq!(Node::start(&backup).sum(NAME), one.sum(NAME));
}

#[test]
fn what_a_file_of_this_node_has_is_added_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = stored(&folder.path().join("weir.db"));
    let mut first = Node::start(&store);
    first.count(NAME, 2);
    first.flush();
    let mut own = Node::start(&store);
    own.count(NAME, 3);
    let path = folder.path().join("weir-budgets.json");
    let mut file = BudgetFile::at(path.clone(), path.clone());
    file.write(own.budgets.rows()).unwrap();
    let rows = file.take().unwrap();
    own.budgets = Budgets::new(&Metrics::new().unwrap()).unwrap();
    own.budgets.replace(&[budget(NAME)]);
    own.database = BudgetDatabase::new(Arc::clone(&store), Some((file, rows)));
    own.flush();
    own.flush();
    first.flush();
    assert_eq!((own.sum(NAME), first.sum(NAME), path.exists()), (7, 7, false));
}

/// Windows that have ended, the newest last: a clock that was ahead comes back to them.
fn windows() -> [i64; 4] {
    let now = Timestamp::now().as_second().div_euclid(60) * 60;
    [4, 3, 2, 1].map(|hours| now - hours * 3_600 - 7_200)
}

impl Node {
    /// A node with a budget by the minute.
    fn of_minutes(store: &Arc<dyn Store>) -> Self {
        let mut node = Self::start(store);
        node.budgets.replace(&[Budget::new(NAME, Scope::All, Limit::Requests(1_000), Period::Minute)]);
        node.flush();
        node
    }

    /// What it has counted in a window.
    fn counted(&self, start: i64) -> Option<Row> {
        self.budgets.rows().rows.into_iter().find(|row| row.start == start)
    }

    /// Counts more in a window, and tells the database.
    fn spend(&mut self, start: i64, more: u64) {
        let (budget, end) = (NAME.into(), Some(start + 60));
        let none = Row { budget, start, end, reserved: 0, settled: 0, before: 0, cell: 0, made: 0, seq: 0 };
        let row = self.counted(start).unwrap_or(none);
        let row = Row { settled: row.total(), reserved: more, ..row };
        self.budgets.restore(StoredRows { rows: vec![row], ..self.budgets.rows() }, false);
        self.flush();
    }
}

/// What a database has counted in a window.
fn in_database(store: &Arc<dyn Store>, start: i64) -> i64 {
    let BudgetAnswer::Counts { counts, .. } = store.exchange_budgets(&BudgetExchange::default()).unwrap() else {
        panic!("it was not put back")
    };
    counts.iter().filter(|count| count.window.start == start).map(|count| count.used).sum()
}

#[test]
fn a_window_that_ended_long_ago_by_a_clock_that_was_ahead_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = stored(&folder.path().join("weir.db"));
    let ([start, ..], mut node) = (windows(), Node::of_minutes(&store));
    node.spend(start, 10);
    node.database.number = FORGET_EVERY - 1;
    node.budgets.give_back(&[node.counted(start).unwrap()]);
    node.flush();
    node.spend(start, 1);
    node.flush();
    assert_eq!((in_database(&store, start), node.counted(start).unwrap().total()), (11, 11));
    // What this process no longer counts is forgotten.
    node.budgets.replace(&[]);
    node.database.number = FORGET_EVERY - 1;
    node.flush();
    assert!(node.database.known.is_empty(), "{:?}", node.database.known);
}

#[test]
fn a_window_that_a_clock_comes_back_to_after_its_counts_were_dropped_goes_on_with_what_all_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = stored(&folder.path().join("weir.db"));
    for others in [0, 3] {
        let (mut node, mut other) = (Node::of_minutes(&store), Node::of_minutes(&store));
        let [start, later @ ..] = windows().map(|start| start - 60 * i64::from(others > 0));
        node.spend(start, 10);
        for start in later {
            node.spend(start, 1);
        }
        // It looks at the window of now.
        node.sum(NAME);
        assert_eq!(node.counted(start), None);
        if others > 0 {
            other.spend(start, others);
            node.flush();
        }
        node.spend(start, 1);
        node.flush();
        other.flush();
        let all = 11 + others;
        assert_eq!(
            (in_database(&store, start), node.counted(start).unwrap().total()),
            (i64::try_from(all).unwrap(), all)
        );
        assert!(others == 0 || other.counted(start).unwrap().total() == all);
    }
}
