//! A day on which more is written than may be kept: its files stay bounded, and the newest facts stay.

use weir_store::{Batch, Body, Fact, Query, Retention, Side, Sqlite, Store};

use crate::facts::{NOON, Seed, batch, today};
use crate::place::Files;

const MOST: u64 = 4 << 20;

/// Half a megabyte of facts that begin at a time.
fn facts(seed: &mut Seed, time_ms: u64) -> Vec<Fact> {
    let mut facts = seed.facts(250, time_ms, 1_000);
    for (fact, number) in facts.iter_mut().zip(0..) {
        fact.sequence = number;
        (fact.error_kind, fact.error_text) = ("upstream".to_owned(), "x".repeat(2_000));
        fact.user = "u".to_owned();
    }
    facts
}

#[test]
fn todays_files_are_bounded_and_the_newest_facts_stay() {
    let place = Files::new();
    let store = Sqlite::open(place.main()).unwrap();
    let keep = Retention { days: 30, bytes: MOST };
    let mut seed = Seed(41);
    let mut newest = Vec::new();
    for round in 0..30 {
        newest = facts(&mut seed, NOON + round * 2_000);
        store.append(&batch(newest.clone())).unwrap();
        assert_eq!(store.retain(NOON, &keep).unwrap(), [], "no day ends");
        let [size] = store.days().unwrap().try_into().unwrap();
        assert_eq!(size.day, today());
        assert!(size.bytes < MOST + (2 << 20), "round {round}: {}", size.bytes);
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
    assert_eq!(store.erase_user("u").unwrap(), left as u64, "both parts are erased");
    assert!(store.search(&Query::default()).unwrap().facts.is_empty());
}

#[test]
fn a_part_that_was_full_is_read_and_ends_with_its_day() {
    let place = Files::new();
    let store = Sqlite::open(place.main()).unwrap();
    let mut seed = Seed(42);
    let first = facts(&mut seed, NOON);
    let body = Body { id: first[0].id, side: Side::Request, bytes: "hello".repeat(300_000).into(), cuts: Vec::new() };
    store.append(&Batch { facts: first.clone(), bodies: vec![body] }).unwrap();
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
    let store = Sqlite::open(place.main()).unwrap();
    assert!(store.fact(&first[7].id).unwrap().is_some(), "after a restart, too");
    assert_eq!(store.retain(NOON + 2 * 86_400_000, &Retention { days: 1, bytes: MOST }).unwrap(), [today()]);
    let left = std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains(&today().to_string())).collect();
    assert!(left.is_empty(), "{left:?}");
}
