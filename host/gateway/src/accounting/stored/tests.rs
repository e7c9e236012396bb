use super::*;
use crate::accounting::tests::{account, tariff};
use crate::admission::budgets::HeldBudget;
use crate::observe::metrics::Metrics;
use weir_ledger::{Budget, BudgetSet, Limit, Owner, Period, Request, Scope, Timestamp};
use weir_types::contract::about::Tap;

/// What is reserved for every answer.
const RESERVED: u64 = 1000;

fn budgets() -> BudgetSet {
    BudgetSet::new(vec![Budget::new("all", Scope::All, Limit::Tokens(5000), Period::Total)]).unwrap()
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
    account.makes_stored(StoredAnswer {
        unbooked: Arc::clone(unbooked),
        tenant: Arc::from("one"),
        tap: CompiledTap::new(&Tap::default()).unwrap(),
        alias: Arc::from("fast"),
        target: Arc::from("first/m"),
        pricing: None,
        id: None,
        is_under_way: false,
    });
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
        account.stored_is_finished(Some(Usage::of(Some(7), Some(5))), 0, None);
    }
    account.complete();
}

fn used(budgets: &BudgetSet) -> (u64, u64) {
    let (_, _, settled, reserved) = budgets.status(Timestamp::now()).remove(0);
    (settled, reserved)
}

#[test]
fn the_first_read_by_its_own_tenant_books_an_answer_at_the_price_of_its_making() {
    let (metrics, budgets, unbooked) = (Arc::new(Metrics::new().unwrap()), budgets(), Arc::default());
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
    let (metrics, budgets, unbooked) = (Arc::new(Metrics::new().unwrap()), budgets(), Arc::default());
    make(&metrics, &budgets, &unbooked);
    drop(unbooked);
    assert_eq!((used(&budgets), budgets.dropped()), ((RESERVED, 0), 0));
}

#[test]
fn no_more_answers_are_remembered_than_there_is_room_for() {
    let (metrics, budgets, unbooked) = (Arc::new(Metrics::new().unwrap()), budgets(), Arc::default());
    make(&metrics, &budgets, &unbooked);
    let debt = || {
        let mut account = account(&metrics);
        account.start_attempt(&Arc::from("first"), "m", tariff(None));
        let (alias, target, tap) =
            (Arc::from("fast"), Arc::from("first/m"), CompiledTap::new(&Tap::default()).unwrap());
        let (tenant, unbooked) = (Arc::from("one"), Arc::clone(&unbooked));
        let answer = StoredAnswer { unbooked, tenant, tap, alias, target, pricing: None, id: None, is_under_way: true };
        account.debt(&answer, Vec::new()).unwrap()
    };
    let tap = CompiledTap::new(&Tap::default()).unwrap();
    for number in 0..20_000_u32 {
        unbooked.keep("one", &number.to_be_bytes(), tap.clone(), debt());
    }
    let kept = (0..20_000_u32).filter(|number| unbooked.tap("one", &number.to_be_bytes()).is_some()).count();
    assert!((4000..=8192).contains(&kept), "{kept}");
}
