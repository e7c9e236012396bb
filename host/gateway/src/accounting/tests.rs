use super::*;
use crate::admission::budgets::HeldBudget;
use crate::observe::metrics::Labels;
use crate::pricing::{Pricing, Tariff};
use weir_config::Price;
use weir_ledger::{
    Budget, BudgetSet, Limit, Nano, Owner, Period, PriceBook, PriceFile, Request, Scope, Spend, Timestamp,
};
use weir_types::contract::types::Usage;

pub(super) const LABELS: Labels<'static> =
    Labels { dialect: "zeta.talk", route: "fast", operation: "chat", provider: "zeta", client: "me" };

pub(super) fn account(metrics: &Arc<Metrics>) -> Box<Account> {
    let series = Arc::new(metrics.series(LABELS));
    let (request_id, span) = (&Arc::from("r1"), &Span::default());
    let start = ExchangeStart { begun: Instant::now(), request_id, operation: "chat", span, counts: true };
    Account::open(metrics, series, start, AdmissionPermit::free())
}

#[test]
fn c27_a_client_that_leaves_is_recorded_as_499() {
    let metrics = Arc::new(Metrics::new().unwrap());
    drop(account(&metrics));
    let text = metrics.text().unwrap();
    assert!(
        text.contains(r#"client="me",dialect="zeta.talk",outcome="cancelled",route="fast",status="499"} 1"#),
        "{text}"
    );
    assert!(text.contains(r#"weir_client_disconnects_total{phase="waiting"} 1"#));
    assert!(text.contains("weir_in_flight 0"));
}

#[test]
fn a_whole_answer_counts_its_tokens_once() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, true, true);
    let usage = Usage::of(Some(7), Some(5));
    account.set_usage(usage);
    account.complete();
    drop(account);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_tokens_total{bucket="input",client="me",model="fast",provider="zeta"} 7"#));
    assert!(text.contains("weir_streams_active 0"));
}

#[test]
fn a_whole_answer_is_weighed_only_if_its_output_is_not_reported() {
    for (usage, estimated) in [(Some((7, Some(5))), None), (Some((7, None)), Some("3")), (None, Some("3"))] {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        account.answering(200, false, true);
        if let Some((input, output)) = usage {
            account.set_usage(Usage::of(Some(input), output));
        }
        account.usage_is_final();
        let mut is_weighed = false;
        account.content_of_whole(|| {
            is_weighed = true;
            3
        });
        account.complete();
        drop(account);
        assert_eq!(is_weighed, estimated.is_some(), "{usage:?}");
        let text = metrics.text().unwrap();
        let series = "weir_tokens_estimated_total{bucket=\"output\",client=\"me\",model=\"fast\",provider=\"zeta\"} ";
        let found = text.lines().find_map(|line| line.strip_prefix(series));
        assert_eq!(found, estimated, "{usage:?}: {text}");
    }
}

#[test]
fn a_request_that_no_connection_had_is_charged_nothing_for() {
    for is_sent in [false, true] {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        account.start_attempt(&Arc::from("zeta"), "m", tariff(Some([1.0, 2.0])));
        account.note_sent_input(|| 9);
        if is_sent {
            account.hand_over().done();
        } else {
            assert!(account.hand_over().begin().is_some_and(|noted| noted.is_waiting()));
        }
        drop(account);
        assert_eq!(metrics.text().unwrap().contains("weir_tokens_estimated_total{bucket=\"input\""), is_sent);
    }
}

#[test]
fn each_part_of_a_stream_has_the_price_of_its_target() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, true, true);
    let usage = |input, output| Usage::of(Some(input), Some(output));
    account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    let mut branch = account.branch();
    branch.start_attempt(&Arc::from("second"), "m", tariff(Some([10.0, 100.0])));
    account.resumed(branch, Some(&usage(5, 1)), [0, 3]);
    account.set_usage(usage(12, 8));
    account.complete();
    drop(account);
    let text = metrics.text().unwrap();
    let has = |line: &str, provider: &str, figure: &str| {
        let series = format!("{line}client=\"me\",model=\"fast\",provider=\"{provider}\"}} {figure}");
        assert!(text.contains(&series), "{series}:\n{text}");
    };
    // 5 and 1 reported tokens of the first with 3 unreported ones, and 7 and 7 of the second.
    has("weir_cost_total{", "first", "13");
    has("weir_cost_total{", "second", "770");
    has("weir_tokens_total{bucket=\"output\",", "first", "1");
    has("weir_tokens_total{bucket=\"output\",", "second", "7");
    has("weir_tokens_estimated_total{bucket=\"output\",", "first", "3");
}

#[test]
fn a_target_that_goes_on_and_reports_nothing_is_not_free() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, true, true);
    account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    let mut branch = account.branch();
    branch.start_attempt(&Arc::from("second"), "m", tariff(Some([10.0, 100.0])));
    branch.note_sent_input(|| 9);
    let of_first = Usage::of(Some(5), Some(1));
    account.resumed(branch, Some(&of_first), [0, 3]);
    // What the stream has told of usage is still the first one's.
    account.set_usage(of_first);
    account.content(4);
    account.usage_is_final();
    account.complete();
    drop(account);
    let text = metrics.text().unwrap();
    for series in [
        "weir_tokens_estimated_total{bucket=\"input\",client=\"me\",model=\"fast\",provider=\"second\"} 9",
        "weir_tokens_estimated_total{bucket=\"output\",client=\"me\",model=\"fast\",provider=\"second\"} 4",
        "weir_cost_total{client=\"me\",model=\"fast\",provider=\"second\"} 490",
    ] {
        assert!(text.contains(series), "{series}:\n{text}");
    }
}

#[test]
fn c62_an_answer_without_usage_is_counted() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, false, true);
    account.complete();
    drop(account);
    assert!(metrics.text().unwrap().contains(r#"weir_billing_unknown_total{model="fast",provider="zeta"} 1"#));
}

/// Dollars for a token of input and one of output.
pub(super) fn tariff(dollars: Option<[f64; 2]>) -> Tariff {
    let million = |dollars: f64| Some(dollars * 1e6);
    let set =
        dollars.map(|[input, output]| Price { input: million(input), output: million(output), ..Price::default() });
    let name = Arc::from("zeta");
    Pricing::new(&Arc::default(), &name, &name, set).tariff("m")
}

#[test]
fn what_is_reported_and_what_is_estimated_are_one_bill() {
    // A price for the request, and higher ones beyond four tokens of context or in a tier.
    let prices = r#"{"version": "t", "providers": {"zeta": {"m": [
        {"input": {"amount": "1", "per": 1}, "output": {"amount": "2", "per": 1}, "request": "100"},
        {"when": {"context_over": 4}, "input": {"amount": "10", "per": 1}, "output": {"amount": "20", "per": 1}},
        {"when": {"service_tier": "flex"}, "input": {"amount": "3", "per": 1}, "output": {"amount": "3", "per": 1}}]}}}"#;
    let book = Arc::new(PriceBook::new(vec![PriceFile::parse("t", prices).unwrap()]));
    let name = Arc::from("zeta");
    for (input, tier, cost) in [(3, None, 100 + 3 + 3 * 2), (5, None, 100 + 50 + 60), (3, Some("flex"), 100 + 9 + 9)] {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        account.start_attempt(&Arc::from("first"), "m", Pricing::new(&book, &name, &name, None).tariff("m"));
        account.answering(200, true, true);
        account.set_usage(Usage { service_tier: tier.map(str::to_owned), ..Usage::of(Some(input), None) });
        account.content(3);
        account.complete();
        drop(account);
        let text = metrics.text().unwrap();
        let expected = format!(r#"weir_cost_total{{client="me",model="fast",provider="first"}} {cost}"#);
        assert!(text.lines().any(|line| line == expected), "{input} {tier:?}: {text}");
    }
}

#[test]
fn an_unanswered_request_costs_its_input_at_its_provider() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    assert!(account.note_sent_input(|| 5));
    assert!(!account.note_sent_input(|| 100), "a further step");
    account.failed("reset");
    account.start_attempt(&Arc::from("second"), "m", tariff(Some([10.0, 20.0])));
    account.note_sent_input(|| 5);
    account.refused();
    account.start_attempt(&Arc::from("third"), "m", tariff(None));
    account.note_sent_input(|| 5);
    drop(account);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_cost_total{client="me",model="fast",provider="first"} 5"#), "{text}");
    assert!(!text.contains(r#"weir_cost_total{client="me",model="fast",provider="second"}"#), "{text}");
    assert!(
        !text.contains(r#"weir_cost_total{client="me",model="fast",provider="third"}"#),
        "unknown is not free: {text}"
    );
    assert!(text.contains(r#"weir_price_unknown_total{model="fast",provider="third"} 1"#), "{text}");
}

#[test]
fn an_answer_that_was_read_and_not_given_is_charged_for_once() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    account.note_sent_input(|| 5);
    account.set_usage(Usage::of(Some(7), Some(5)));
    account.usage_is_final();
    account.failed("guard");
    account.answering(503, false, false);
    account.complete();
    drop(account);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_cost_total{client="me",model="fast",provider="first"} 17"#), "{text}");
}

#[test]
fn a_client_that_leaves_after_the_whole_answer_of_the_provider_leaves_no_more_than_that_booked() {
    for (is_read, booked) in [(true, 12), (false, 1000)] {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        let month = Budget::new("all", Scope::All, Limit::Tokens(5000), Period::Total);
        let budgets = BudgetSet::new(vec![month]).unwrap();
        let most = Spend::priced(Nano::ZERO, 1000);
        let granted = budgets.reserve(&Request::whole(Owner::default(), most), Timestamp::now()).unwrap();
        account.reserve(HeldBudget::new(granted.reservation, None));
        account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
        account.note_sent_input(|| 5);
        if is_read {
            account.set_usage(Usage::of(Some(7), Some(5)));
            account.usage_is_final();
        }
        drop(account);
        let (_, _, settled, reserved) = budgets.status(Timestamp::now()).remove(0);
        assert_eq!((settled + reserved, budgets.dropped()), (booked, 0), "read: {is_read}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_costs_its_input_and_output() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    account.note_sent_input(|| 5);
    account.unreadable(3);
    account.failed("upstream");
    account.start_attempt(&Arc::from("second"), "m", tariff(Some([10.0, 20.0])));
    account.note_sent_input(|| 5);
    account.refused();
    drop(account);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_cost_total{client="me",model="fast",provider="first"} 11"#), "{text}");
    assert!(!text.contains(r#"weir_cost_total{client="me",model="fast",provider="second"}"#), "{text}");
}

#[test]
fn the_loser_of_two_concurrent_attempts_costs_its_input() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    let (mut winner, mut loser) = (account.branch(), account.branch());
    winner.start_attempt(&Arc::from("first"), "m", tariff(Some([1.0, 2.0])));
    winner.note_sent_input(|| 5);
    loser.start_attempt(&Arc::from("second"), "m", tariff(Some([10.0, 20.0])));
    loser.note_sent_input(|| 5);
    drop(loser);
    account.adopt(winner, Duration::ZERO);
    account.answering(200, false, true);
    account.content(3);
    account.complete();
    drop(account);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_cost_total{client="me",model="fast",provider="first"} 11"#), "{text}");
    assert!(text.contains(r#"weir_cost_total{client="me",model="fast",provider="second"} 50"#), "{text}");
}

#[test]
fn an_attempt_beside_another_one_knows_what_the_request_asks_for() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.set_output_limit(Some(0));
    account.set_own_deadline(Some(Instant::now()));
    let mut branch = account.branch();
    branch.failed("total_timeout");
    assert!(branch.tokens.wants_no_output && branch.is_out_of_time);
    account.adopt(branch, Duration::ZERO);
    assert!(account.tokens.wants_no_output && account.is_out_of_time);
}
