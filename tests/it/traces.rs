//! Spans as a collector gets them: one for each request, as its children one for each attempt, as their children the
//! adapters' calls.

mod collector;
mod content;
mod conventions;
mod entry_points;
mod langfuse;

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use weir_tests::{Answer, Client, Gateway, Request, SessionProvider, Upstream, WebSocket};

use collector::Collector;

use crate::retries::provider;
use crate::wire_format::{self, ANTHROPIC, OPENAI, TEXT};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";
/// The client's text, which no span may contain.
const SAID: &str = "between-you-and-me";

fn parent(sampled: bool) -> String {
    format!("00-{TRACE}-{CLIENT}-{:02x}", u8::from(sampled))
}

/// Two providers of different formats as one model's targets, in this order.
fn both(first: &Upstream, second: &Upstream) -> String {
    let settings = "retry = { max_retries = 0 }";
    let providers = provider(first, OPENAI, "first", settings) + &provider(second, ANTHROPIC, "second", settings);
    providers
        + "[[models]]\nalias = \"both\"\nstrategy = \"priority\"\n\
           targets = [{ provider = \"first\", model = \"a\" }, { provider = \"second\", model = \"b\" }]\n"
}

fn asked(stream: bool, sampled: bool) -> Request {
    let body = format!(
        "{{\"model\":\"both\",\"messages\":[{{\"role\":\"user\",\"content\":\"{SAID}\"}}],\"stream\":{stream}}}"
    );
    let request = Request::post("/v1/chat/completions", body);
    request.header("traceparent", &parent(sampled)).header("tracestate", "vendor=1")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_each_attempt_and_each_call_of_an_adapter_has_a_span() {
    for stream in [false, true] {
        let mut collector = Collector::open().await;
        let first = Upstream::always(Answer::json(503, "{}")).await;
        let mut second = wire_format::provider(ANTHROPIC).await;
        let gateway = Gateway::open(&(collector.config("") + &both(&first, &second))).await;
        let reply = gateway.ask(&asked(stream, true)).await;
        assert_eq!(OPENAI.parsed(&reply, stream).text, TEXT);

        let whole = collector.requests(1).await.remove(0);
        assert_eq!((&*whole.trace, &*whole.parent, whole.status), (TRACE, CLIENT, 0));
        assert_eq!(whole.name, "POST /v1/chat/completions");
        let attribute = |key: &str| whole.attributes.get(key).map(String::as_str);
        assert_eq!(attribute("http.response.status_code"), Some("200"));
        assert_eq!(attribute("gen_ai.request.model"), Some("both"));
        assert_eq!(attribute("weir.attempts"), Some("2"));
        assert_eq!(attribute("weir.request_id"), reply.header("x-request-id"));
        assert_eq!(reply.header("traceparent"), Some(&*format!("00-{TRACE}-{}-01", whole.id)));

        let attempts = collector.beneath(&whole);
        let [failed, answered] = &attempts[..] else { panic!("{attempts:?}") };
        assert!(attempts.iter().all(|one| one.kind == SpanKind::Client as i32 && one.trace == TRACE));
        assert_eq!((&*failed.name, &*failed.attributes["error.type"], failed.status), ("chat a", "overloaded", 2));
        assert_eq!(failed.attributes["http.response.status_code"], "503");
        assert_eq!((&*answered.name, answered.status, &*answered.attributes["weir.attempt"]), ("chat b", 0, "2"));
        assert_eq!(answered.attributes["gen_ai.provider.name"], "second");
        let address = format!("{}:{}", answered.attributes["server.address"], answered.attributes["server.port"]);
        assert!(second.url().contains(&address), "{answered:?}");
        assert!(answered.attributes["gen_ai.usage.output_tokens"].parse::<u32>().unwrap() > 0);
        assert!(answered.lasted <= whole.lasted && !answered.attributes.contains_key("error.type"));

        let calls: Vec<String> = collector.beneath(answered).into_iter().map(|call| call.name).collect();
        let rest: &[&str] = if stream { &[] } else { &["anthropic parse-response", "openai render-response"] };
        assert_eq!(calls, [&["openai parse-request", "anthropic render-request"], rest].concat());

        let request = second.request().await;
        assert_eq!(request.header("traceparent"), Some(&*format!("00-{TRACE}-{}-01", answered.id)));
        assert_eq!(request.header("tracestate"), Some("vendor=1"));
        let sent = String::from_utf8_lossy(&collector.bytes).into_owned();
        assert!(!sent.contains(TEXT) && !sent.contains(SAID), "nothing that was said is in a span");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_decides_whether_its_trace_is_kept_and_the_share_decides_for_others() {
    let mut collector = Collector::open().await;
    let mut first = wire_format::provider(OPENAI).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&(collector.config("sample = 0") + &both(&first, &second))).await;
    gateway.ask(&asked(false, false)).await;
    let traceparent = first.request().await.header("traceparent").unwrap().to_owned();
    assert!(
        traceparent.starts_with(&format!("00-{TRACE}-"))
            && traceparent.ends_with("-00")
            && !traceparent.contains(CLIENT),
        "{traceparent}"
    );
    gateway.ask(&OPENAI.request("both", false)).await;
    gateway.ask(&asked(false, true)).await;
    let kept = collector.requests(1).await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!((&*kept[0].trace, &*kept[0].parent), (TRACE, CLIENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_and_disconnects_have_spans_too() {
    let mut collector = Collector::open().await;
    let mut first = Upstream::always(Answer::silence()).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&(collector.config("") + &both(&first, &second))).await;
    assert_eq!(gateway.ask(&OPENAI.request("nobody-knows", false)).await.status(), 404);
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("both", false)).await;
    first.request().await;
    client.leave();
    let spans = collector.requests(2).await;
    assert_eq!(spans[0].attributes["http.response.status_code"], "404");
    assert_eq!(spans[1].attributes["weir.outcome"], "cancelled");
    assert_eq!(collector.beneath(&spans[1])[0].attributes["weir.outcome"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_costs_no_request() {
    let (first, second) = (wire_format::provider(OPENAI).await, wire_format::provider(ANTHROPIC).await);
    let config = "[traces]\nendpoint = \"http://127.0.0.1:9\"\n".to_owned() + &both(&first, &second);
    let gateway = Gateway::open(&config).await;
    for _ in 0..20 {
        assert_eq!(gateway.ask(&OPENAI.request("both", false)).await.status(), 200);
    }
}

/// Sends a hundred requests, whose spans are six each; returns how long the slowest took.
async fn slowest_of_a_hundred(client: &mut Client) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let begun = Instant::now();
        client.send(&OPENAI.request("anthropic", false)).await;
        assert_eq!(client.reply().await.status(), 200);
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_costs_spans_and_no_request() {
    let collector = Upstream::always(Answer::silence()).await;
    let provider = wire_format::provider(ANTHROPIC).await;
    let traces = format!("[traces]\nendpoint = \"{}\"\n", collector.url());
    let gateway = Gateway::open(&(traces + &wire_format::config_of(&[ANTHROPIC], &provider))).await;
    let mut client = gateway.connect().await;
    let mut slowest = Duration::ZERO;
    let mut hundreds = 0;
    while gateway.metric("weir_spans_total{result=\"dropped\"}").await == 0.0 {
        slowest = slowest.max(slowest_of_a_hundred(&mut client).await);
        hundreds += 1;
        assert!(hundreds < 50, "thirty thousand spans wait, and none is dropped");
    }
    // There is no room now.
    slowest = slowest.max(slowest_of_a_hundred(&mut client).await);
    assert_eq!(gateway.metric("weir_spans_total{result=\"sent\"}").await, 0.0);
    // The exporter waits ten seconds for the collector; so would a request that waited for the exporter.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_followed_gets_a_trace_of_weirs_own() {
    let mut collector = Collector::open().await;
    let (mut first, second) = (wire_format::provider(OPENAI).await, wire_format::provider(ANTHROPIC).await);
    let gateway = Gateway::open(&(collector.config("follow_clients = false") + &both(&first, &second))).await;
    gateway.ask(&asked(false, false)).await;
    let whole = collector.requests(1).await.remove(0);
    assert!(whole.trace != TRACE && whole.parent.is_empty(), "{whole:?}");
    let request = first.request().await;
    assert!(request.header("traceparent").unwrap().starts_with(&format!("00-{}-", whole.trace)));
    assert_eq!(request.header("tracestate"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_over_grpc_too_and_again_after_a_passing_failure() {
    for first_status in ["0", "14"] {
        let mut collector = Collector::over_grpc(first_status).await;
        let (first, second) = (wire_format::provider(OPENAI).await, wire_format::provider(ANTHROPIC).await);
        let gateway = Gateway::open(&(collector.config("") + &both(&first, &second))).await;
        gateway.ask(&asked(false, true)).await;
        let whole = collector.requests(1).await.remove(0);
        assert_eq!((&*whole.trace, &*whole.parent, &*whole.name), (TRACE, CLIENT, "POST /v1/chat/completions"));
        assert_eq!(collector.beneath(&whole)[0].name, "chat a");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_one_span_with_a_span_for_each_response_below_it() {
    let mut collector = Collector::open().await;
    let provider = SessionProvider::listen().await;
    let settings = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"k\"\n\
         [[models]]\nalias = \"rt\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n",
        provider.url()
    );
    let gateway = Gateway::open(&(collector.config("") + &settings)).await;
    let asked = WebSocket::ask(gateway.address, "/v1/realtime?model=rt", &[]);
    let (client, mut upstream) = tokio::join!(asked, provider.grant());
    let mut client = client.unwrap();
    for tokens in [3, 5] {
        client.say(&json!({"type": "response.create", "said": SAID})).await;
        upstream.hear().await;
        upstream.say(&json!({"type": "response.created"})).await;
        client.hear().await;
        let usage = json!({"input_tokens": tokens, "output_tokens": 1});
        upstream.say(&json!({"type": "response.done", "response": {"usage": usage}})).await;
        client.hear().await;
    }
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    let whole = collector.requests(1).await.remove(0);
    assert_eq!((&*whole.name, whole.status), ("GET /v1/realtime", 0));
    let responses: Vec<_> =
        collector.beneath(&whole).into_iter().filter(|span| span.name == "realtime response").collect();
    assert_eq!(responses.len(), 2);
    for (response, tokens) in responses.iter().zip(["3", "5"]) {
        let [attempt] = &collector.beneath(response)[..] else { panic!("{:?}", collector.beneath(response)) };
        assert_eq!(attempt.name, "realtime m");
        assert_eq!(attempt.attributes.get("gen_ai.usage.input_tokens").map(String::as_str), Some(tokens));
    }
    assert!(!String::from_utf8_lossy(&collector.bytes).contains(SAID));
}
