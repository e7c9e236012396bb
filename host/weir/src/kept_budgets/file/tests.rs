use super::*;
use weir_ledger::{Budget, BudgetSet, Limit, Owner, Period, Request, Reservation, Row, Scope, Spend};

fn file_in(folder: &Path) -> BudgetFile {
    BudgetFile::at(folder.join("state/weir-budgets.json"), folder.join(NAME))
}

fn budget(name: &str, limit: Limit) -> Budget {
    Budget::new(name, Scope::All, limit, Period::Total)
}

fn row(name: &str) -> Row {
    Row { budget: name.into(), start: 0, end: Some(60), reserved: 3, settled: 7, before: 0, cell: 0, made: 0, seq: 1 }
}

#[test]
fn rows_are_read_as_they_were_written_and_other_content_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = file_in(folder.path());
    assert_eq!(file.take().unwrap(), StoredRows::default());
    let tokens = budget("b", Limit::Tokens(10));
    let shapes = ["a", "b"].map(|name| (name.to_owned(), tokens.shape())).into();
    let rows = StoredRows { shapes, rows: vec![row("a"), row("b")], node: None };
    assert_eq!(file.exchange(true, || rows.clone()).unwrap(), []);
    assert_eq!(file_in(folder.path()).take().unwrap(), rows);
    let mut waiting = rows.clone();
    assert_eq!(waiting.take([&tokens].into_iter()), [row("b")]);
    assert_eq!(waiting.take([&tokens].into_iter()), []);
    assert_eq!(waiting.rows, [row("a")], "the other budget's counts wait for it");
    let requests = budget("b", Limit::Requests(10));
    assert_eq!(rows.clone().take([&requests].into_iter()), [], "tokens are no requests");
    fs::write(&file.path, "{\"version\":2,\"shapes\":{},\"rows\":[]}").unwrap();
    assert!(file.take().unwrap_err().to_string().contains("has version 2"));
    fs::write(&file.path, "no").unwrap();
    assert!(file.take().unwrap_err().to_string().contains("every budget starts from zero"));
    fs::write(&file.path, b"\xff").unwrap();
    assert!(file.take().unwrap_err().to_string().contains("every budget starts from zero"));
    assert!(file.exchange(true, || rows.clone()).is_err(), "what cannot be read is not written over");
}

#[test]
fn what_an_earlier_version_kept_beside_the_configuration_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = || [("a".to_owned(), budget("a", Limit::Tokens(10)).shape())].into();
    let mut former = BudgetFile::at(folder.path().join(NAME), folder.path().join(NAME));
    former.exchange(true, || StoredRows { shapes: shapes(), rows: vec![row("a")], node: None }).unwrap();
    let mut file = file_in(folder.path());
    assert_eq!(file.take().unwrap().rows, [row("a")]);
    file.exchange(true, || StoredRows { shapes: shapes(), rows: Vec::new(), node: None }).unwrap();
    assert_eq!(file_in(folder.path()).take().unwrap().rows, [], "then it has a file of its own");
}

/// A process with one budget of requests.
struct Process {
    file: BudgetFile,
    set: BudgetSet,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let (mut file, set) = (file_in(folder), BudgetSet::new(vec![budget("all", Limit::Requests(100))]).unwrap());
        set.restore(&file.take().unwrap().rows, None);
        Self { file, set }
    }

    fn begin(&self) -> Reservation {
        let request = Request::whole(Owner::default(), Spend::unpriced(1));
        self.set.reserve(&request, Timestamp::now()).unwrap().reservation
    }

    fn count(&self, requests: usize) {
        for _ in 0..requests {
            self.begin().settle(&Spend::unpriced(1));
        }
    }

    fn flush(&mut self) {
        let shapes = [("all".to_owned(), budget("all", Limit::Requests(100)).shape())].into();
        let rows = || StoredRows { shapes, rows: self.set.snapshot(), node: None };
        let corrections = self.file.exchange(!self.set.changes().is_empty(), rows).unwrap();
        self.set.correct(&corrections);
    }

    /// Booked and reserved, by all.
    fn sum(&self) -> u64 {
        let status = self.set.status(Timestamp::now());
        status.iter().map(|(_, _, settled, reserved)| settled + reserved).sum()
    }
}

#[test]
fn processes_with_one_file_count_together_whichever_ends_first_and_however() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = Process::start(folder.path());
    old.count(3);
    old.flush();
    let mut new = Process::start(folder.path());
    assert_eq!(new.sum(), 3);
    for _ in 0..4 {
        old.count(1);
        new.count(2);
        old.flush();
        new.flush();
    }
    old.flush();
    assert_eq!((old.sum(), new.sum()), (15, 15), "each knows what the other has counted");
    // What is returned, is returned for both.
    let (returned, open) = (old.begin(), old.begin());
    old.flush();
    new.flush();
    assert_eq!(new.sum(), 17);
    returned.finish();
    old.flush();
    new.flush();
    assert_eq!(new.sum(), 16);
    // The old one is killed, with a request under way and one that nobody knows of.
    old.count(1);
    std::mem::forget(open);
    drop(old);
    new.count(1);
    new.flush();
    new.flush();
    assert_eq!((new.sum(), Process::start(folder.path()).sum()), (17, 17));
}

#[test]
fn a_file_that_is_gone_is_written_anew_and_what_a_process_does_not_know_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = Process::start(folder.path());
    one.count(3);
    one.flush();
    // A newer process has a budget more.
    let mut other = file_in(folder.path());
    let more = budget("more", Limit::Tokens(10));
    let mut rows = other.take().unwrap();
    rows.shapes.insert("more".to_owned(), more.shape());
    rows.rows.push(row("more"));
    other.exchange(true, || rows.clone()).unwrap();
    for _ in 0..2 {
        one.count(1);
        one.flush();
    }
    let kept = file_in(folder.path()).take().unwrap();
    assert_eq!(kept.shapes.get("more"), Some(&more.shape()));
    let totals: Vec<_> = kept.rows.iter().map(|row| (&*row.budget, row.total())).collect();
    assert_eq!(totals, [("all", 5), ("more", 10)]);
    fs::remove_file(&one.file.path).unwrap();
    one.flush();
    assert_eq!((one.sum(), Process::start(folder.path()).sum()), (5, 5));
}

#[test]
fn where_nothing_can_be_written_what_was_counted_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    fs::write(&place, "no folder").unwrap();
    let mut process = Process::start(folder.path());
    process.count(2);
    let failed = process.file.exchange(true, StoredRows::default);
    assert!(matches!(failed, Err(BudgetFileError::Io { .. })), "{failed:?}");
    fs::remove_file(&place).unwrap();
    process.count(1);
    process.flush();
    assert_eq!(Process::start(folder.path()).sum(), 3);
}
