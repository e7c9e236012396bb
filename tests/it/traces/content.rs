//! The messages of chats in spans: only where they are asked for, and only of requests whose contents are kept.

use serde_json::{Value, json};
use weir_grpc::messages::{EmbedRequest, EmbedResponse};
use weir_tests::{Answer, Gateway, Request, Upstream};
use weir_types::contract::types::EmbeddingsRequest;

use super::SAID;
use super::collector::{Collector, Span};
use crate::grpc;
use crate::wire_format::{self, ANTHROPIC, OPENAI, TEXT, ZETA, config_of};

const INPUT: &str = "gen_ai.input.messages";
const OUTPUT: &str = "gen_ai.output.messages";

/// A store of contents beside the configuration.
fn keeping(bodies: &str) -> String {
    format!("[store]\nurl = \"sqlite://weir.db\"\nbodies = \"{bodies}\"\n")
}

/// The messages of the usual request.
fn hi() -> Value {
    json!([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
}

/// The messages of the usual answer.
fn usual_answer() -> Value {
    json!([{"role": "assistant", "parts": [{"type": "text", "content": TEXT}], "finish_reason": "stop"}])
}

fn messages(span: &Span, name: &str) -> Value {
    span.attributes.get(name).map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempts_span_has_the_messages_in_both_lanes_whole_and_streamed() {
    let (input, output) = (hi(), usual_answer());
    for (from, to) in [(OPENAI, OPENAI), (ANTHROPIC, ANTHROPIC), (OPENAI, ANTHROPIC), (ZETA, OPENAI)] {
        let upstream = wire_format::provider(to).await;
        let mut collector = Collector::open().await;
        let config = collector.config("content = true\nconventions = \"1.42\"") + &keeping("all");
        let gateway = Gateway::open(&(config + &config_of(&[to], &upstream))).await;
        let cases = [(to.name.to_owned(), false), (to.name.to_owned(), true), (to.translated(), true)];
        for (at, (model, stream)) in cases.into_iter().enumerate() {
            let reply = gateway.ask(&from.request(&model, stream)).await;
            assert_eq!(from.parsed(&reply, stream).text, TEXT);
            let whole = collector.requests(at + 1).await.remove(at);
            let attempt = collector.attempt(&whole).await;
            let what = format!("{}-{model}-{stream}: {attempt:?}", from.name);
            assert_eq!(
                (messages(&attempt, INPUT), messages(&attempt, OUTPUT)),
                (input.clone(), output.clone()),
                "{what}"
            );
            assert!(!attempt.attributes.contains_key("weir.messages_cut"), "{what}");
            assert!(attempt.lasted <= whole.lasted, "it ends with the answer, not with its messages: {what}");
            assert_eq!(messages(&whole, INPUT), Value::Null, "once is enough: {what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clients_messages_and_secrets_stay_out() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut collector = Collector::open().await;
    let clients = "[[bodies]]\nfor = { key = \"quiet\" }\nkeep = \"off\"\n\
                   [[clients]]\nname = \"quiet\"\nkey = \"weir-quiet-0123456789\"\n\
                   [[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\n";
    let config = collector.config("content = true\nmax_content_bytes = 400") + &keeping("all") + clients;
    let gateway = Gateway::open(&(config + &config_of(&[OPENAI], &upstream))).await;
    let asked = |key: &str, text: &str| {
        let body = json!({"model": "openai", "messages": [{"role": "user", "content": text}]});
        let request = Request::post("/v1/chat/completions", body.to_string());
        request.header("authorization", &format!("Bearer weir-{key}-0123456789"))
    };
    assert_eq!(gateway.ask(&asked("quiet", SAID)).await.status(), 200);
    let whole = collector.requests(1).await.remove(0);
    let attempt = collector.attempt(&whole).await;
    assert_eq!((messages(&attempt, INPUT), messages(&attempt, OUTPUT)), (Value::Null, Value::Null));
    assert_eq!(gateway.ask(&asked("some", "mine is weir-some-0123456789, or KEY-OF-openai")).await.status(), 200);
    let whole = collector.requests(2).await.remove(1);
    let attempt = collector.attempt(&whole).await;
    assert!(messages(&attempt, INPUT)[0]["parts"][0]["content"].as_str().unwrap().starts_with("mine is "));
    let long = "and so on ".repeat(1_000);
    assert_eq!(gateway.ask(&asked("some", &long)).await.status(), 200);
    let whole = collector.requests(3).await.remove(2);
    let attempt = collector.attempt(&whole).await;
    assert_eq!(attempt.attributes["weir.messages_cut"], "true");
    let length = attempt.attributes[INPUT].len();
    assert!((200..=402).contains(&length), "{length}");
    let sent = String::from_utf8_lossy(&collector.bytes).into_owned();
    for gone in [SAID, "weir-some-0123456789", "KEY-OF-openai"] {
        assert!(!sent.contains(gone), "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_being_asked_for_no_span_has_messages_and_neither_has_an_old_version() {
    for more in ["", "content = true\nconventions = \"1.36\""] {
        let upstream = wire_format::provider(OPENAI).await;
        let mut collector = Collector::open().await;
        let config = collector.config(more) + &keeping("all") + &config_of(&[OPENAI], &upstream);
        let gateway = Gateway::open(&config).await;
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
        let whole = collector.requests(1).await.remove(0);
        let attempt = collector.attempt(&whole).await;
        assert!(attempt.attributes.keys().all(|name| !name.contains("messages")), "{attempt:?}");
        assert!(!String::from_utf8_lossy(&collector.bytes).contains(TEXT));
        gateway.until_metric("weir_spans_total{result=\"sent\"}", 2.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_has_its_input_in_its_own_span() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut collector = Collector::open().await;
    let config = collector.config("content = true") + &keeping("errors") + &config_of(&[OPENAI], &upstream);
    let gateway = Gateway::open(&config).await;
    assert_eq!(gateway.ask(&OPENAI.request("unknown", false)).await.status(), 404);
    let whole = collector.requests(1).await.remove(0);
    assert_eq!(messages(&whole, INPUT)[0]["parts"][0]["content"], "Hi");
    assert_eq!(messages(&whole, OUTPUT), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_is_in_the_requests_own_span() {
    for (from, to) in [(OPENAI, OPENAI), (ANTHROPIC, ANTHROPIC), (OPENAI, ANTHROPIC)] {
        for stream in [false, true] {
            let upstream = wire_format::provider(to).await;
            let mut collector = Collector::open().await;
            let config = config_of(&[to], &upstream).replace("target = {", "cache = \"1h\"\ntarget = {");
            let gateway = Gateway::open(&(collector.config("content = true") + &keeping("all") + &config)).await;
            let request = from.request(to.name, stream);
            assert_eq!(gateway.ask(&request).await.header("x-weir-cache"), Some("miss"));
            gateway.until_metric("weir_cache_entries", 2.0).await;
            assert_eq!(gateway.ask(&request).await.header("x-weir-cache"), Some("hit"));
            let whole = collector.requests(2).await.remove(1);
            let what = format!("{}-{}-{stream}: {whole:?}", from.name, to.name);
            assert_eq!((messages(&whole, INPUT), messages(&whole, OUTPUT)), (hi(), usual_answer()), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_grpc_that_gets_a_kept_answer_has_its_messages_too() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut collector = Collector::open().await;
    let config = config_of(&[OPENAI], &upstream).replace("target = {", "cache = \"1h\"\ntarget = {");
    let gateway = Gateway::open(&(collector.config("content = true") + &keeping("all") + &config)).await;
    let channel = grpc::connect(&gateway).await;
    for (at, stream) in [false, false, true].into_iter().enumerate() {
        let answer = grpc::generate(&channel, grpc::chat("openai", stream), &[]).await.unwrap();
        assert_eq!(grpc::Read::all(answer).await.text, TEXT);
        gateway.until_metric("weir_cache_entries", 1.0).await;
        let whole = collector.requests(at + 1).await.remove(at);
        let span = if at == 0 { collector.attempt(&whole).await } else { whole };
        assert_eq!((messages(&span, INPUT), messages(&span, OUTPUT)), (hi(), usual_answer()), "{at}: {span:?}");
    }
    assert_eq!(gateway.metric("weir_cache_requests_total{model=\"openai\",result=\"hit\"}").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_grpc_have_their_messages_behind_every_provider() {
    for to in [OPENAI, ANTHROPIC, ZETA] {
        let upstream = wire_format::provider(to).await;
        let mut collector = Collector::open().await;
        let config = collector.config("content = true") + &keeping("all") + &config_of(&[to], &upstream);
        let gateway = Gateway::open(&config).await;
        let channel = grpc::connect(&gateway).await;
        for (at, stream) in [false, true].into_iter().enumerate() {
            let answer = grpc::generate(&channel, grpc::chat(to.name, stream), &[]).await.unwrap();
            assert_eq!(grpc::Read::all(answer).await.text, TEXT);
            let whole = collector.requests(at + 1).await.remove(at);
            let attempt = collector.attempt(&whole).await;
            let what = format!("{}-{stream}: {attempt:?}", to.name);
            assert_eq!((messages(&attempt, INPUT), messages(&attempt, OUTPUT)), (hi(), usual_answer()), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inputs_of_embeddings_are_messages_and_their_vectors_are_none() {
    let vectors = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.125]},{"object":"embedding","index":1,"embedding":[0.125]}],"model":"openai","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
    let upstream = Upstream::always(Answer::json(200, vectors)).await;
    let mut collector = Collector::open().await;
    let config = collector.config("content = true") + &keeping("all") + &config_of(&[OPENAI], &upstream);
    let gateway = Gateway::open(&config).await;
    let inputs = json!({"model": "openai", "input": ["one KEY-OF-openai", "two"]});
    assert_eq!(gateway.ask(&Request::post("/v1/embeddings", inputs.to_string())).await.status(), 200);
    let mut request = EmbeddingsRequest::texts(["one KEY-OF-openai", "two"]);
    request.model = "openai".into();
    let request = grpc::with(EmbedRequest { embeddings: Some(request.into()) }, &[]);
    let channel = grpc::connect(&gateway).await;
    let answer: tonic::Response<EmbedResponse> =
        grpc::unary(&channel, "/weir.v1.Inference/Embed", request).await.unwrap();
    assert_eq!(answer.into_inner().embeddings.unwrap().embeddings.len(), 2);
    for at in 0..2 {
        let whole = collector.requests(at + 1).await.remove(at);
        let attempt = collector.attempt(&whole).await;
        let shown = messages(&attempt, INPUT);
        assert_eq!(shown[1], json!({"role": "user", "parts": [{"type": "text", "content": "two"}]}), "{attempt:?}");
        assert!(shown[0]["parts"][0]["content"].as_str().unwrap().starts_with("one "), "{attempt:?}");
        assert_eq!(messages(&attempt, OUTPUT), Value::Null);
    }
    let sent = String::from_utf8_lossy(&collector.bytes).into_owned();
    assert!(!sent.contains("KEY-OF-openai") && !sent.contains("0.125"));
}
