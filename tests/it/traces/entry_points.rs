//! A call over gRPC has the spans of a request in a dialect, however it ends.

use std::collections::BTreeMap;

use weir_tests::{Answer, Gateway, Upstream};

use super::collector::{Collector, Span};
use crate::grpc;
use crate::retries::provider;
use crate::wire_format::{ANTHROPIC, OPENAI};

/// Attributes that are the entry point's own or the request's.
const OWN: [&str; 4] = ["http.route", "weir.format", "weir.request_id", "http.response.status_code"];

fn shared(span: &Span) -> BTreeMap<String, String> {
    let mut attributes = span.attributes.clone();
    attributes.retain(|name, _| !OWN.contains(&name.as_str()));
    attributes.insert("status of the span".to_owned(), span.status.to_string());
    attributes
}

async fn spans(collector: &mut Collector, count: usize) -> Vec<BTreeMap<String, String>> {
    let whole = collector.requests(count).await.remove(count - 1);
    [&whole].into_iter().chain(&collector.beneath(&whole)).map(shared).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_grpc_has_the_same_spans_as_a_request_in_a_dialect() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let mut collectors = [Collector::open().await, Collector::open().await];
    let tired = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 1, cooldown = \"1m\" }";
    let config = provider(&upstream, OPENAI, "openai", "retry = { max_retries = 0 }")
        + &provider(&upstream, OPENAI, "tired", tired);
    let by_dialect = Gateway::open(&(collectors[0].config("") + &config)).await;
    let by_grpc = Gateway::open(&(collectors[1].config("") + &config)).await;
    let channel = grpc::connect(&by_grpc).await;
    let mut differences = Vec::new();
    for (at, (model, answer)) in [
        ("openai", Answer::json(200, OPENAI.whole())),
        ("openai", Answer::json(400, "{}")),
        ("openai", Answer::json(500, "{}")),
        ("openai", Answer::json(429, "{}")),
        ("nothing", Answer::json(200, OPENAI.whole())),
        ("tired", Answer::json(503, "{}")),
        // Its only target rests now.
        ("tired", Answer::json(200, OPENAI.whole())),
    ]
    .into_iter()
    .enumerate()
    {
        upstream.now(answer);
        by_dialect.ask(&ANTHROPIC.request(model, false)).await;
        if let Ok(answer) = grpc::generate(&channel, grpc::chat(model, false), &[]).await {
            grpc::Read::all(answer).await;
        }
        let [first, second] = &mut collectors;
        let (in_dialect, over_grpc) = (spans(first, at + 1).await, spans(second, at + 1).await);
        if over_grpc != in_dialect {
            differences.push(format!("{at}: {over_grpc:#?} is {in_dialect:#?} in a dialect"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
