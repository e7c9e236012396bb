use super::*;
use crate::config::Price;
use crate::observe::metrics::Labels;

const LABELS: Labels<'static> = Labels { dialect: "zeta.talk", route: "fast", operation: "chat", provider: "zeta" };

fn account(metrics: &Arc<Metrics>) -> Account {
    let series = Arc::new(metrics.series(LABELS));
    let opening = Opening { begun: Instant::now(), request_id: "r1", operation: "chat", span: &Span::default() };
    Account::open(metrics, series, opening, Permit::free())
}

#[test]
fn c27_a_client_that_leaves_is_recorded_as_499() {
    let metrics = Arc::new(Metrics::new().unwrap());
    drop(account(&metrics));
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"outcome="cancelled",route="fast",status="499"} 1"#), "{text}");
    assert!(text.contains(r#"weir_client_disconnects_total{phase="waiting"} 1"#));
    assert!(text.contains("weir_in_flight 0"));
}

#[test]
fn a_whole_answer_counts_its_tokens_once() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, true, true);
    let usage = Usage {
        input: Some(7),
        cache_read: None,
        cache_write: None,
        output: Some(5),
        reasoning: None,
        extensions: Vec::new(),
    };
    account.used(usage);
    account.whole();
    drop(account);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"weir_tokens_total{bucket="input",model="fast"} 7"#));
    assert!(text.contains("weir_streams_active 0"));
}

#[test]
fn each_part_of_a_stream_costs_what_it_costs_there() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, true, true);
    let usage = |input, output| Usage {
        input: Some(input),
        cache_read: None,
        cache_write: None,
        output: Some(output),
        reasoning: None,
        extensions: Vec::new(),
    };
    let price = |input, output| {
        let million = |dollars: f64| Some(dollars * 1_000_000.0);
        Some(Price { input: million(input), output: million(output), ..Price::default() })
    };
    account.tokens.price = price(1.0, 2.0);
    let mut branch = account.branch();
    branch.tokens.price = price(10.0, 100.0);
    account.resumed(branch, Some(&usage(5, 1)), [0, 3]);
    account.used(usage(12, 8));
    account.whole();
    drop(account);
    let text = metrics.text().unwrap();
    // 5 and 1 of the first, 7 and 7 of the second.
    assert!(text.contains(r#"weir_cost_total{model="fast"} 777"#), "{text}");
    assert!(text.contains(r#"weir_tokens_total{bucket="output",model="fast"} 8"#), "{text}");
    assert!(text.contains(r#"weir_tokens_estimated_total{bucket="output",model="fast"} 3"#), "{text}");
}

#[test]
fn c62_an_answer_without_usage_is_said() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut account = account(&metrics);
    account.answering(200, false, true);
    account.whole();
    drop(account);
    assert!(metrics.text().unwrap().contains(r#"weir_billing_unknown_total{provider="none"} 1"#));
}
