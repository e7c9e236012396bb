//! What the writer promises, on files.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_store::{
    Body, Condition, LedgerQuery, LedgerSums, Query, Recorder, Retention, Side, Store, Use, UseRow, Writer,
    WriterOptions,
};

use crate::facts::{NOON, Seed, batch, today};
use crate::place::{Files, Place};

pub(crate) const SECONDS: Duration = Duration::from_secs(20);

pub(crate) fn quick() -> WriterOptions {
    WriterOptions {
        flush_every: Duration::from_millis(10),
        money_every: Duration::from_millis(10),
        backoff: Duration::from_millis(5),
        most_backoff: Duration::from_millis(50),
        slow: Duration::from_millis(50),
        retention: None,
        ..WriterOptions::default()
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + SECONDS;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn record(recorder: &Recorder, seed: &mut Seed, count: u64) -> u64 {
    (0..count).filter(|_| recorder.record(&seed.fact(NOON))).count() as u64
}

pub(crate) fn count(store: &dyn Store) -> u64 {
    (0..6).map(|key| store.key_sum(&format!("key-{key}"), 0, NOON * 2).unwrap().requests).sum()
}

/// Books use at an hour, of a key whose name no database takes as it is.
fn book(recorder: &Recorder, hour: u64, sums: LedgerSums) {
    let rows = [UseRow { subjects: 1, price_dim: "", bucket: "output", sums }];
    recorder.book(&[Use { hour, subjects: &[("key:", "a\0")], provider: "p", served: "m", rows: &rows }]);
}

#[test]
fn facts_of_many_threads_are_written_and_numbered_without_gaps() {
    let store = Files::new();
    let store = store.open();
    let writer = Writer::start(Arc::clone(&store), quick()).unwrap();
    let recorder = writer.recorder();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let recorder = recorder.clone();
            scope.spawn(move || assert_eq!(record(&recorder, &mut Seed(thread), 2_500), 2_500));
        }
    });
    assert!(recorder.flush(SECONDS));
    let health = recorder.health();
    assert!(health.is_well() && health.queued_rows == 0 && health.queued_bytes == 0, "{health:?}");
    assert_eq!((health.written_facts, count(&*store)), (10_000, 10_000));
    assert_eq!(store.gaps(today()).unwrap(), []);
    let facts = store.search(&Query { limit: 1_000, ..Query::default() }).unwrap().facts;
    let numbers: BTreeSet<u64> = facts.iter().map(|fact| fact.sequence).collect();
    assert_eq!(numbers.len(), 1_000);
    writer.close(SECONDS);
}

#[test]
fn what_waits_is_written_at_the_end() {
    let files = Files::new();
    let store = files.open();
    let slow = Duration::from_mins(10);
    let writer =
        Writer::start(Arc::clone(&store), WriterOptions { flush_every: slow, money_every: slow, ..quick() }).unwrap();
    let recorder = writer.recorder();
    record(&recorder, &mut Seed(1), 10);
    let fact = Seed(2).fact(NOON);
    recorder.keep(Body { id: fact.id, side: Side::Request, bytes: Bytes::from_static(b"{}"), cuts: Vec::new() });
    for number in [1, 2, 1] {
        book(&recorder, number, LedgerSums { units: 5, requests: 1, estimated: 0, cost_nano: 2 });
    }
    let health = writer.close(SECONDS);
    assert_eq!((health.written_facts, health.written_bodies, health.money_pending, health.money_lost), (10, 1, 0, 0));
    assert_eq!((count(&*store), store.body(&fact.id, Side::Request).unwrap()), (10, Some(b"{}".to_vec())));
    let sums = store.ledger(&LedgerQuery { from_hour: 0, to_hour: 9, subject: Some("key:a".to_owned()) }).unwrap();
    assert_eq!(sums.iter().map(|(_, sums)| sums.units).collect::<Vec<_>>(), [10, 5]);
    // Afterwards, everything is refused and counted.
    assert!(!recorder.record(&Seed(3).fact(NOON)));
    book(&recorder, 1, LedgerSums::default());
    assert_eq!((recorder.health().dropped_facts.full, recorder.health().money_lost), (1, 1));
}

/// Keeps the day's file for itself, as a disk that hangs would.
fn hold(files: &Files) -> rusqlite::Connection {
    let path = files.folder().join(format!("weir-{}.db", today()));
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("begin immediate").unwrap();
    connection
}

#[test]
fn a_disk_that_hangs_is_seen_and_keeps_no_caller_waiting() {
    let files = Files::new();
    let store = files.open();
    let options = WriterOptions { most_rows: 100, batch_rows: 30, ..quick() };
    let writer = Writer::start(Arc::clone(&store), options).unwrap();
    let recorder = writer.recorder();
    record(&recorder, &mut Seed(1), 1);
    assert!(recorder.flush(SECONDS));
    let held = hold(&files);
    let begun = Instant::now();
    let accepted = record(&recorder, &mut Seed(2), 1_000);
    assert!(begun.elapsed() < Duration::from_secs(2), "a thousand calls took {:?}", begun.elapsed());
    assert_eq!(accepted, 100);
    until("a hanging disk shows", || {
        matches!(recorder.health().log, Condition::Slow { .. } | Condition::Failing { .. })
    });
    // Money goes another way.
    book(&recorder, 1, LedgerSums::default());
    until("money is written", || recorder.health().money_pending == 0);
    assert!(!recorder.flush(Duration::from_millis(50)));
    let health = recorder.health();
    assert_eq!((health.queued_rows, health.dropped_facts.full), (100, 900));
    drop(held);
    assert!(recorder.flush(SECONDS));
    assert_eq!((count(&*store), recorder.health().is_well()), (101, true));
    // The numbers show what was lost, as soon as there is a fact after it.
    record(&recorder, &mut Seed(3), 1);
    assert!(recorder.flush(SECONDS));
    assert_eq!(store.gaps(today()).unwrap()[0].missing, 900);
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let files = Files::new();
    let store = files.open();
    let writer = Writer::start(Arc::clone(&store), WriterOptions { most_bytes: 100_000, ..quick() }).unwrap();
    let recorder = writer.recorder();
    record(&recorder, &mut Seed(1), 1);
    assert!(recorder.flush(SECONDS));
    let held = hold(&files);
    let body = |number: u8| {
        let bytes = Bytes::from(vec![number; 30_000]);
        Body { id: Seed(number.into()).id(NOON), side: Side::Request, bytes, cuts: Vec::new() }
    };
    let kept = (0..10).filter(|number| recorder.keep(body(*number))).count();
    assert_eq!((kept, recorder.health().dropped_bodies.full), (3, 7));
    drop(held);
    assert!(recorder.flush(SECONDS));
    assert!(recorder.keep(body(11)));
    assert_eq!(writer.close(SECONDS).written_bodies, 4);
}

#[test]
fn those_who_follow_the_log_see_new_facts() {
    let files = Files::new();
    let writer = Writer::start(files.open(), quick()).unwrap();
    let recorder = writer.recorder();
    let mut tail = recorder.tail();
    record(&recorder, &mut Seed(1), 3);
    assert!(recorder.flush(SECONDS));
    for sequence in 0..3 {
        assert_eq!(tail.try_recv().unwrap().sequence, sequence);
    }
    assert!(tail.try_recv().is_err());
}

#[test]
fn days_end_while_the_writer_runs() {
    let files = Files::new();
    let store = files.open();
    let retention = Some(Retention { days: 1, bytes: u64::MAX });
    let options = WriterOptions { retention, retain_every: Duration::from_millis(10), ..quick() };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut seed = Seed(1);
    let facts = [seed.fact(now), seed.fact(now - 10 * 86_400_000)];
    store.append(&batch(facts.to_vec())).unwrap();
    let _writer = Writer::start(Arc::clone(&store), options).unwrap();
    until("the old day ends", || store.days().unwrap().len() == 1);
    assert!(store.fact(&facts[0].id).unwrap().is_some());
}
