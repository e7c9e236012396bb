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
