//! A day on which more is written than may be kept: it stays bounded, and the newest facts stay.

use std::sync::atomic::{AtomicBool, Ordering};

use weir_store::{Batch, Body, Fact, Query, Retention, Side, Sqlite, Store};

use crate::facts::{NOON, Seed, batch, packed, today};
use crate::place::{Files, Place};
use crate::server::Schema;
use crate::suite::user;

const MAX_DAY_BYTES: u64 = 4 << 20;

/// Half a megabyte of facts that begin at a time.
fn facts(seed: &mut Seed, time_ms: u64) -> Vec<Fact> {
    let mut facts = seed.facts(250, time_ms, 1_000);
    for (fact, number) in facts.iter_mut().zip(0..) {
        fact.sequence = number;
        // Of a kind that no database makes shorter.
        let text = (0..2_000).map(|_| char::from(b'!' + seed.below(90) as u8)).collect();
        (fact.error_kind, fact.error_text) = ("upstream".to_owned(), text);
        fact.user = "u".to_owned();
    }
    facts
}

/// Sets a flag at its end.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn bytes_of_today(store: &dyn Store) -> u64 {
    store.days().unwrap().iter().find(|size| size.day == today()).unwrap().bytes
}

pub(crate) fn today_is_bounded_and_the_newest_facts_stay(place: &dyn Place) {
    let store = place.open();
    let keep = Retention { days: 30, bytes: MAX_DAY_BYTES };
    let mut seed = Seed(41);
    let mut newest = Vec::new();
    for round in 0..30 {
        newest = facts(&mut seed, NOON + round * 2_000);
        store.append(&batch(newest.clone())).unwrap();
        assert_eq!(store.retain(NOON, &keep).unwrap(), [], "no day ends");
        let bytes = bytes_of_today(&*store);
        assert!(bytes < MAX_DAY_BYTES + (2 << 20), "round {round}: {bytes}");
    }
    let page = store.search(&Query { limit: 1_000, ..Query::default() }).unwrap();
    assert!(page.facts.is_sorted_by(|one, next| one.id > next.id), "two parts are read as one day");
    for fact in &newest {
        assert_eq!(store.fact(&fact.id).unwrap().as_ref(), Some(fact));
    }
    let mut query = Query { limit: 1_000, ..Query::default() };
    let (mut left, mut sum) = (0, 0);
    loop {
        let page = store.search(&query).unwrap();
        left += page.facts.len();
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    for key in 0..6 {
        sum += store.key_sum(&format!("key-{key}"), NOON - 86_400_000, NOON + 86_400_000).unwrap().requests;
    }
    assert!((250..2_500).contains(&left), "{left} of 7500 are left");
    assert_eq!(sum, left as u64, "the sums are those of what is left");
    assert_eq!(store.erase(&user("u")).unwrap(), left as u64, "both parts are erased");
    assert!(store.search(&Query::default()).unwrap().facts.is_empty());
}

pub(crate) fn a_part_that_was_full_is_read_and_ends_with_its_day(place: &dyn Place) {
    let store = place.open();
    let mut seed = Seed(42);
    let first = facts(&mut seed, NOON);
    let body = Body { id: first[0].id, side: Side::Request, bytes: "hello".repeat(300_000).into(), cuts: Vec::new() };
    store.append(&Batch { facts: packed(&first), bodies: vec![body] }).unwrap();
    for _ in 0..4 {
        store.append(&batch(facts(&mut seed, NOON + 5_000))).unwrap();
    }
    store.retain(NOON, &Retention { days: 30, bytes: 2 << 20 }).unwrap();
    // A batch that is repeated, since its outcome was not known, is in both parts, and is shown once.
    store.append(&batch(first.clone())).unwrap();
    let page = store.search(&Query { limit: 1_000, to_ms: Some(NOON + 2_000), ..Query::default() }).unwrap();
    assert_eq!(page.facts.len(), first.len());
    assert_eq!(store.body(&first[0].id, Side::Request).unwrap().map(|body| body.len()), Some(1_500_000));
    drop(store);
    let store = place.open();
    assert!(store.fact(&first[7].id).unwrap().is_some(), "after a restart, too");
    assert_eq!(store.retain(NOON + 2 * 86_400_000, &Retention { days: 1, bytes: MAX_DAY_BYTES }).unwrap(), [today()]);
    assert!(store.fact(&first[7].id).unwrap().is_none());
    assert!(store.days().unwrap().iter().all(|size| size.day != today()));
    // What is written for the day afterwards begins it anew, without the earlier part.
    store.append(&batch(facts(&mut seed, NOON + 9_000))).unwrap();
    assert_eq!(store.search(&Query { limit: 1_000, ..Query::default() }).unwrap().facts.len(), 250);
}

#[test]
fn both_files_of_a_day_end_with_it() {
    let place = Files::new();
    let store = Sqlite::open(place.main()).unwrap();
    let mut seed = Seed(43);
    for _ in 0..4 {
        store.append(&batch(facts(&mut seed, NOON))).unwrap();
        store.retain(NOON, &Retention { days: 30, bytes: 2 << 20 }).unwrap();
    }
    store.append(&batch(facts(&mut seed, NOON))).unwrap();
    let files = || {
        let names = std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains(&today().to_string())).count()
    };
    assert!(files() >= 2);
    store.retain(NOON + 2 * 86_400_000, &Retention { days: 1, bytes: MAX_DAY_BYTES }).unwrap();
    assert_eq!(files(), 0);
}

#[test]
fn a_node_writes_and_reads_on_while_another_begins_parts() {
    let Some(schema) = Schema::new() else { return };
    let (one, other) = (schema.open(), schema.open());
    let mut seed = Seed(44);
    let mut newest = Vec::new();
    let (is_done, keep) = (AtomicBool::new(false), Retention { days: 30, bytes: 2 << 20 });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                one.retain(NOON, &keep).unwrap();
            }
        });
        // Also where an assertion fails: the thread would go on without an end.
        let _ends = Ends(&is_done);
        for round in 0..12 {
            newest = facts(&mut seed, NOON + round * 2_000);
            other.append(&batch(newest.clone())).unwrap();
            for fact in newest.iter().step_by(50) {
                assert_eq!(other.fact(&fact.id).unwrap().as_ref(), Some(fact), "round {round}");
            }
        }
    });
    one.retain(NOON, &keep).unwrap();
    let bytes = bytes_of_today(&*one);
    assert!(bytes < 6 << 20, "{bytes} of some eight million that were written");
    for fact in &newest {
        assert_eq!(other.fact(&fact.id).unwrap().as_ref(), Some(fact));
    }
}
