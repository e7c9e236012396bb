use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::accounting::ExchangeStart;
use crate::accounting::tests::LABELS;
use crate::admission::AdmissionPermit;
use crate::admission::budgets::HeldBudget;
use crate::observe::metrics::Metrics;
use crate::observe::trace::Span;
use crate::pricing::Pricing;
use weir_ledger::{
    Budget, BudgetSet, Limit, Nano, Owner, Period, PriceBook, PriceFile, Request, Scope, Spend, Unpriced,
};

/// A dollar for a character and ten for a second; nothing that speech or a transcript is billed by for the third model.
const PRICES: &str = r#"{"version": "t", "providers": {"zeta": {
    "by-character": [{"character": "1"}], "by-second": [{"second": "10"}], "by-token": [{"input": "1", "output": "1"}]}}}"#;

/// What a budget in dollars has booked for an answer to this request, and the metrics.
fn booked(
    model: &str,
    unmetered: Option<UnmeteredRequest>,
    reported: Option<Usage>,
    unpriced: Unpriced,
) -> (u64, String) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (request_id, span) = (&Arc::from("r1"), &Span::default());
    let start = ExchangeStart { begun: Instant::now(), request_id, operation: "speech", span, counts: false };
    let mut account = Account::open(&metrics, Arc::new(metrics.series(LABELS)), start, AdmissionPermit::free());
    let budget = Budget::new("all", Scope::All, Limit::Usd(Nano::new(1_000_000_000_000_000).unwrap()), Period::Total);
    let budgets = BudgetSet::new(vec![Budget { unpriced, ..budget }]).unwrap();
    let nothing = Request::whole(Owner::default(), Spend::priced(Nano::ZERO, 0));
    let granted = budgets.reserve(&nothing, Timestamp::now()).unwrap();
    account.reserve(HeldBudget::new(granted.reservation, None));
    account.set_unmetered(unmetered, None);
    let (book, name) = (Arc::new(PriceBook::new(vec![PriceFile::parse("t", PRICES).unwrap()])), Arc::from("zeta"));
    account.start_attempt(&name, model, Pricing::new(&book, &name, &name, None).tariff(model));
    account.answering(200, false, true);
    if let Some(usage) = reported {
        account.set_usage(usage);
        account.usage_is_final();
    }
    account.complete();
    drop(account);
    let (_, _, settled, reserved) = budgets.status(Timestamp::now()).remove(0);
    assert_eq!(reserved, 0);
    (settled / 1_000_000_000, metrics.text().unwrap())
}

#[test]
fn what_tells_nothing_is_booked_by_the_size_of_its_request() {
    let assumed = Unpriced::assume("1000000").unwrap();
    for (model, unmetered, unpriced, dollars) in [
        ("by-character", UnmeteredRequest::Speech(400), Unpriced::Refuse, 400),
        ("by-second", UnmeteredRequest::Speech(400), Unpriced::Refuse, 270),
        ("by-second", UnmeteredRequest::Recording(20_001), Unpriced::Refuse, 60),
        ("by-token", UnmeteredRequest::Speech(400), assumed, 100),
        ("by-character", UnmeteredRequest::Recording(20_001), assumed, 60),
        ("by-character", UnmeteredRequest::Other(400), assumed, 100),
    ] {
        let (booked, text) = booked(model, Some(unmetered), None, unpriced);
        assert_eq!(booked, dollars, "{model} {unmetered:?}");
        assert!(text.contains("weir_billing_unknown_total{"), "{text}");
    }
}

#[test]
fn what_tells_its_use_is_booked_by_that_and_what_is_free_stays_so() {
    let seconds = only(UnitCount { unit: Unit::Second, count: 3.0 });
    let recording = Some(UnmeteredRequest::Recording(20_001));
    let (dollars, text) = booked("by-second", recording, Some(seconds), Unpriced::Refuse);
    assert!(dollars == 30 && !text.contains("weir_billing_unknown_total{"), "{dollars}: {text}");
    assert_eq!(booked("by-second", None, None, Unpriced::Refuse).0, 0);
    let of = |operation| UnmeteredRequest::of(&operation, BodyKind::Json, 400);
    assert_eq!(of(Operation::Speech), Some(UnmeteredRequest::Speech(400)));
    assert_eq!([of(Operation::Moderation), of(Operation::CountTokens)], [None, None]);
    assert_eq!(
        UnmeteredRequest::of(&Operation::Transcription, BodyKind::Multipart, 400),
        Some(UnmeteredRequest::Recording(400))
    );
}
