//! Work that is not booked yet: who holds it, and when it goes.

use weir_store::{LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, OpenWork, Store, WorkChanges, WorkHold, WorkKey};

use crate::place::Place;

fn key(id: &str) -> WorkKey {
    WorkKey { tenant: "one".to_owned(), id: id.to_owned() }
}

fn work(id: &str, made_ms: u64) -> OpenWork {
    OpenWork { key: key(id), made_ms, body: format!("{{\"of\":\"{id}\"}}") }
}

fn flush(process: i64, number: u64, made: &[OpenWork], ended: &[&str]) -> MoneyFlush {
    let ended = ended.iter().map(|id| key(id)).collect();
    MoneyFlush { process, number, work: WorkChanges { made: made.to_vec(), ended }, ..MoneyFlush::default() }
}

/// What a process held before and what it takes, when it holds for so long.
fn hold(store: &dyn Store, process: i64, for_ms: u64) -> (Vec<String>, Vec<OpenWork>) {
    let held = store.hold_work(WorkHold { process, for_ms, room: 2 }).unwrap();
    let mut kept: Vec<String> = held.kept.into_iter().map(|key| key.id).collect();
    kept.sort();
    (kept, held.taken)
}

pub(crate) fn work_is_taken_over_oldest_first_and_goes_when_it_is_booked(place: &dyn Place) {
    let store = place.open();
    let all = [work("b", 2), work("a", 1), work("c", 3)];
    store.flush_money(&flush(1, 1, &all, &[])).unwrap();
    assert_eq!(hold(&*store, 1, 60_000).0, ["a", "b", "c"]);
    store.leave_work(1).unwrap();
    // There is room for two at a time.
    assert_eq!(hold(&*store, 2, 60_000), (Vec::new(), vec![work("a", 1), work("b", 2)]));
    assert_eq!(hold(&*store, 2, 60_000), (vec!["a".to_owned(), "b".to_owned()], vec![work("c", 3)]));
    assert_eq!(hold(&*store, 2, 60_000).1, []);
    let elsewhere = |process| store.work_elsewhere(process, &["x", "b", "a"].map(str::to_owned)).unwrap();
    assert_eq!((elsewhere(1), elsewhere(2)), (vec![key("b"), key("a")], Vec::new()));
    // It goes with the sums of its use, and a flush that is repeated adds and removes nothing.
    let sums = LedgerSums { units: 5, ..LedgerSums::default() };
    let of = LedgerKey {
        hour: 1,
        subject: "key:a".to_owned(),
        provider: String::new(),
        served: String::new(),
        price_dim: String::new(),
        bucket: "input".to_owned(),
    };
    let booked = MoneyFlush { sums: vec![(of, sums)], ..flush(2, 1, &[], &["a"]) };
    store.flush_money(&booked).unwrap();
    store.flush_money(&flush(2, 2, &[work("a", 9)], &[])).unwrap();
    store.flush_money(&booked).unwrap();
    let query = LedgerQuery { from_hour: 0, to_hour: u64::MAX, subject: None };
    assert_eq!(store.ledger(&query).unwrap().iter().map(|(_, sums)| sums.units).sum::<i64>(), 5);
    assert_eq!(hold(&*store, 2, 60_000).0, ["a", "b", "c"]);
    // What is made and booked within one flush is not there.
    store.flush_money(&flush(2, 3, &[work("d", 4)], &["d", "a"])).unwrap();
    assert_eq!(hold(&*store, 2, 60_000), (vec!["b".to_owned(), "c".to_owned()], Vec::new()));
}
