use super::*;
use crate::accounting::WorkName;
use crate::accounting::tests::{account, tariff};
use crate::admission::budgets::HeldBudget;
use crate::observe::metrics::Metrics;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use weir_ledger::{Budget, BudgetSet, Limit, Owner, Period, Request, Scope, Timestamp};
use weir_types::contract::about::Tap;

/// What is reserved for every answer.
const RESERVED: u64 = 1000;
/// After how long an answer is read for the first time.
const FIRST: Duration = Duration::from_mins(1);

fn budgets() -> BudgetSet {
    BudgetSet::new(vec![Budget::new("all", Scope::All, Limit::Tokens(5000), Period::Total)]).unwrap()
}

fn unbooked(metrics: &Metrics) -> Arc<Unbooked> {
    Arc::new(Unbooked::new(metrics).unwrap())
}

/// An answer that this tenant has made.
fn answer(unbooked: &Arc<Unbooked>, tenant: &str) -> StoredAnswer {
    StoredAnswer {
        unbooked: Arc::clone(unbooked),
        caller: Caller { tenant: Arc::from(tenant), ..Caller::anonymous(None) },
        issuer: Issuer { target: Arc::from("first/m"), provider: Arc::from("first"), key: 0 },
        tap: CompiledTap::new(&Tap::default()).unwrap(),
        alias: Arc::from("fast"),
        target: Arc::from("first/m"),
        pricing: None,
        made_by: None,
        went_on: Vec::new(),
        id: None,
        passing: None,
        is_under_way: false,
    }
}

/// Has this tenant owe something for an answer, or for other work.
fn owe(metrics: &Arc<Metrics>, unbooked: &Arc<Unbooked>, tenant: &str, id: &str, is_work: bool) {
    let mut account = account(metrics);
    account.start_attempt(&Arc::from("first"), "m", tariff(None));
    let pricing = is_work.then(|| Pricing::new(&Arc::default(), &Arc::from("first"), &Arc::from("first"), None));
    let answer = StoredAnswer { pricing, id: Some(id.to_owned()), is_under_way: true, ..answer(unbooked, tenant) };
    let debt = account.debt(&answer, Vec::new());
    answer.remember(debt);
}

/// The ids that are to be read now.
fn due(unbooked: &Unbooked, now: Instant, most: usize) -> Vec<String> {
    unbooked.due(now, FIRST, most).into_iter().map(|unread| unread.id).collect()
}

/// Has an answer made in the background.
fn make(metrics: &Arc<Metrics>, budgets: &BudgetSet, unbooked: &Arc<Unbooked>) {
    let mut account = account(metrics);
    let most = Spend::priced(Nano::ZERO, RESERVED);
    let granted = budgets.reserve(&Request::whole(Owner::default(), most), Timestamp::now()).unwrap();
    account.reserve(HeldBudget::new(granted.reservation, None));
    account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    account.note_sent_input(|| 5);
    account.answering(200, false, true);
    account.makes_stored(answer(unbooked, "one"));
    account.note_stored_id(Some(b"answer-1"));
    account.note_under_way();
    account.content(100);
    account.complete();
}

/// Reads it finished.
fn read(metrics: &Arc<Metrics>, tenant: &str, unbooked: &Arc<Unbooked>) {
    let mut account = account(metrics);
    account.reads_stored(StoredRead::new(unbooked, &Arc::from(tenant), Some("answer-1")));
    account.start_attempt(&Arc::from("first"), "other", tariff(Some([10.0, 10.0])));
    account.answering(200, false, false);
    if account.stored_tap().is_some() {
        let usage = Some(Usage::of(Some(7), Some(5)));
        account.stored_is_finished(StoredUse::Whole { usage, content: 0, model: None });
    }
    account.complete();
}

fn used(budgets: &BudgetSet) -> (u64, u64) {
    let (_, _, settled, reserved) = budgets.status(Timestamp::now()).remove(0);
    (settled, reserved)
}

#[test]
fn the_first_read_by_its_own_tenant_books_an_answer_at_the_price_of_its_making() {
    let (metrics, budgets) = (Arc::new(Metrics::new().unwrap()), budgets());
    let unbooked = unbooked(&metrics);
    make(&metrics, &budgets, &unbooked);
    assert_eq!(used(&budgets), (0, RESERVED));
    read(&metrics, "two", &unbooked);
    assert_eq!(used(&budgets), (0, RESERVED), "another's read books nothing");
    for _ in 0..2 {
        read(&metrics, "one", &unbooked);
        assert_eq!(used(&budgets), (12, 0));
    }
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_cost_total{client="me",model="fast",provider="first"} 17"#), "{text}");
    assert!(!text.contains("weir_billing_unknown_total{"), "{text}");
}

#[test]
fn what_was_reserved_for_an_answer_that_is_forgotten_stays_booked() {
    let (metrics, budgets) = (Arc::new(Metrics::new().unwrap()), budgets());
    let unbooked = unbooked(&metrics);
    make(&metrics, &budgets, &unbooked);
    drop(unbooked);
    assert_eq!((used(&budgets), budgets.dropped()), ((RESERVED, 0), 0));
}

#[test]
fn what_one_tenant_has_made_takes_no_room_of_another_and_no_answer_that_of_a_batch() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let unbooked = unbooked(&metrics);
    for id in ["batch-1", "batch-2"] {
        owe(&metrics, &unbooked, "one", id, true);
    }
    owe(&metrics, &unbooked, "one", "answer-1", false);
    for number in 0..10_000 {
        owe(&metrics, &unbooked, "two", &number.to_string(), false);
        owe(&metrics, &unbooked, "two", &format!("batch-{number}"), true);
    }
    for id in ["batch-1", "batch-2", "answer-1"] {
        assert!(unbooked.tap("one", id).is_some(), "{id}");
    }
    let kept = |id: &str| unbooked.tap("two", id).is_some();
    assert_eq!((0..10_000).filter(|number| kept(&number.to_string())).count(), 8191);
    assert_eq!((0..10_000).filter(|number| kept(&format!("batch-{number}"))).count(), 9214);
    assert!(!kept("0") && kept("9999"), "the oldest make room");
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_unbooked_dropped_total{reason="room"} 2595"#), "{text}");
}

#[test]
fn no_tenant_begins_more_work_than_can_be_booked_nor_takes_the_room_of_all() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let unbooked = unbooked(&metrics);
    let begun = |tenant: &str| {
        let mut count = 0;
        while unbooked.may_begin_work(tenant) {
            owe(&metrics, &unbooked, tenant, &format!("batch-{count}"), true);
            count += 1;
        }
        count
    };
    assert_eq!(["one", "two", "three"].map(begun), [4096, 4096, 0]);
    assert!(unbooked.take("one", "batch-7").is_some() && unbooked.may_begin_work("three"));
}

#[test]
fn an_answer_that_nobody_reads_is_read_at_growing_intervals_for_two_days() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (unbooked, begun) = (unbooked(&metrics), Instant::now());
    owe(&metrics, &unbooked, "one", "answer-1", false);
    let reads: Vec<u64> = (0..60 * 60)
        .filter(|minute| !due(&unbooked, begun + Duration::from_secs(minute * 60 + 1), 8).is_empty())
        .collect();
    assert_eq!(reads.get(..8), Some(&[1, 3, 7, 15, 31, 61, 91, 121][..]));
    assert!(reads.len() < 110 && reads.last() < Some(&(48 * 60)), "{reads:?}");
    assert!(unbooked.tap("one", "answer-1").is_none());
    assert!(metrics.text().unwrap().contains(r#"weir_unbooked_dropped_total{reason="old"} 1"#));
}

#[test]
fn tenants_take_turns_and_one_that_asks_for_results_has_its_batches_read_soon() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (unbooked, now) = (unbooked(&metrics), Instant::now());
    for number in 0..100 {
        owe(&metrics, &unbooked, "many", &format!("many-{number}"), true);
    }
    owe(&metrics, &unbooked, "one", "batch-1", true);
    owe(&metrics, &unbooked, "two", "answer-1", false);
    let minute = |minutes: u64| now + Duration::from_secs(minutes * 60 + 1);
    assert!(due(&unbooked, now, 8).is_empty());
    let mut first = due(&unbooked, minute(1), 3);
    first.sort_unstable();
    assert_eq!((first[..2].to_vec(), first[2].starts_with("many")), (vec!["answer-1".into(), "batch-1".into()], true));
    let is_read = |now| due(&unbooked, now, 1000).contains(&"batch-1".to_owned());
    assert!(!is_read(minute(2)));
    unbooked.hurry("one");
    assert!(is_read(minute(2)));
    unbooked.hurry("one");
    assert!(!is_read(minute(2)), "no more often than at first");
}

#[test]
fn work_that_the_store_has_is_booked_while_this_process_holds_it_and_forgotten_once_another_does() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (unbooked, now) = (unbooked(&metrics), Instant::now());
    for id in ["batch-1", "batch-2", "batch-3"] {
        owe(&metrics, &unbooked, "one", id, true);
    }
    let names = |ids: &[&str]| {
        ids.iter().map(|id| WorkName { tenant: "one".to_owned(), id: (*id).to_owned() }).collect::<HashSet<_>>()
    };
    // The store has two so far; the time for which they are held is over.
    unbooked.hold(&names(&["batch-1", "batch-2"]), Some(now));
    assert!(unbooked.take("one", "batch-1").is_none());
    assert!(unbooked.take("one", "batch-3").is_some(), "no other process knows it");
    assert_eq!(due(&unbooked, now + 2 * FIRST, 8), ["batch-1", "batch-2"]);
    unbooked.hold(&names(&["batch-1"]), Some(now + Duration::from_mins(1)));
    assert!(unbooked.tap("one", "batch-2").is_none(), "another process has it");
    assert!(unbooked.take("one", "batch-1").is_some() && unbooked.take("one", "batch-1").is_none());
}
