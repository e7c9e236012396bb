//! Bedrock's `InvokeModel`, which is relayed in the formats of many vendors: what is counted of whole answers, of
//! streams, whose events wrap those formats, and of streams that nobody reads to their end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream};
use weir_types::contract::types::{Frame, Framing};
use weir_wire::frame::Encoder;

const CLAUDE: [&str; 5] = [
    r#"{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":25,"cache_creation_input_tokens":40,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":30},"output_tokens":1}}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"the quick brown fox jumps over the lazy dog"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" and over the fence"}}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":14}}"#,
    r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":25,"outputTokenCount":14,"invocationLatency":9,"firstByteLatency":3}}"#,
];
const LLAMA: [&str; 2] = [
    r#"{"generation":"the quick brown fox","prompt_token_count":11,"generation_token_count":4,"stop_reason":null}"#,
    r#"{"generation":"","prompt_token_count":null,"generation_token_count":9,"stop_reason":"stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":9,"invocationLatency":9,"firstByteLatency":3}}"#,
];

/// The usage of an answer before which Claude has summed up the conversation.
const COMPACTED: &str = r#"{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":14,"iterations":[{"type":"compaction","input_tokens":1000,"output_tokens":300},{"type":"message","input_tokens":25,"cache_read_input_tokens":7,"output_tokens":14}]}"#;

/// The events of a stream, each of which wraps one of these.
fn events(inner: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for data in inner {
        let data = json!({ "bytes": STANDARD.encode(data), "p": "abcdefgh" }).to_string();
        let frame = Frame { event: Some("chunk".to_owned()), data };
        Encoder::new(Framing::EventStream).push(&frame, &mut bytes);
    }
    bytes
}

fn begun() -> Answer {
    Answer::begin(200, &[("content-type", "application/vnd.amazon.eventstream")])
}

/// The model that a request names in its path.
fn model_of(request: &Received) -> &str {
    let behind = request.line().split_once("/model/").map_or("", |(_, behind)| behind);
    behind.split('/').next().unwrap_or_default()
}

async fn provider() -> Upstream {
    Upstream::scripted(|request: &Received| match model_of(request) {
        "claude" => begun().piece(events(&CLAUDE)).end(),
        "compacted" if request.line().contains("stream") => {
            let [start, text, _, _, stop] = CLAUDE;
            let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{COMPACTED}}}"#);
            begun().piece(events(&[start, text, &delta, stop])).end()
        }
        "compacted" => Answer::json(200, format!(r#"{{"content":[{{"type":"text","text":"fox"}}],"usage":{COMPACTED}}}"#)),
        "cut" => begun().piece(events(&CLAUDE[..3])).hang(),
        "llama" => begun().piece(events(&LLAMA)).end(),
        "old" => Answer::whole(
            200,
            &[
                ("content-type", "application/json"),
                ("x-amzn-bedrock-input-token-count", "23"),
                ("x-amzn-bedrock-output-token-count", "32"),
            ],
            r#"{"completion":"the quick brown fox","stop_reason":"stop"}"#,
        ),
        _ => Answer::json(
            200,
            r#"{"content":[{"type":"text","text":"fox"}],"usage":{"input_tokens":9,"cache_creation_input_tokens":40,"cache_creation":{"ephemeral_1h_input_tokens":40},"output_tokens":2}}"#,
        ),
    })
    .await
}

async fn open(upstream: &Upstream) -> Gateway {
    open_with(upstream, "").await
}

async fn open_with(upstream: &Upstream, more: &str) -> Gateway {
    let model = |name: &str| {
        format!("[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"bedrock\", model = \"{name}\" }}\n")
    };
    let config = format!(
        "[[providers]]\nname = \"bedrock\"\nadapter = \"bedrock\"\nurl = \"{}\"\napi_key = \"k\"\nauth = \"bearer\"\n{}{more}",
        upstream.url(),
        ["claude", "compacted", "cut", "llama", "old", "whole"].map(model).concat(),
    );
    Gateway::with(Folder::with(&["bedrock"]), &config).await
}

fn asked(model: &str, is_streamed: bool) -> Request {
    let path = if is_streamed { "invoke-with-response-stream" } else { "invoke" };
    let body =
        r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#;
    Request::post(&format!("/model/{model}/{path}"), body)
}

async fn ask(gateway: &Gateway, model: &str, is_streamed: bool) -> Reply {
    let reply = gateway.ask(&asked(model, is_streamed)).await;
    assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("relay")), "{model}: {}", reply.text());
    reply
}

async fn counted(gateway: &Gateway, model: &str, expected: &[(&str, f64)]) {
    for (bucket, count) in expected {
        gateway.until_metric(&format!("weir_tokens_total{{bucket=\"{bucket}\",model=\"{model}\"}}"), *count).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_of_a_stream_are_read_from_what_its_events_wrap() {
    let upstream = provider().await;
    let gateway = open(&upstream).await;
    let reply = ask(&gateway, "claude", true).await;
    assert!(reply.body == events(&CLAUDE), "not a byte differs");
    let expected =
        [("input", 25.0), ("cache_read", 7.0), ("cache_write", 10.0), ("cache_write_hour", 30.0), ("output", 14.0)];
    counted(&gateway, "claude", &expected).await;
    ask(&gateway, "llama", true).await;
    counted(&gateway, "llama", &[("input", 11.0), ("output", 9.0)]).await;
    assert_eq!(gateway.metric("weir_tokens_estimated_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_summaries_of_the_conversation_used_counts_once() {
    let upstream = provider().await;
    for is_streamed in [false, true] {
        let gateway = open(&upstream).await;
        ask(&gateway, "compacted", is_streamed).await;
        counted(&gateway, "compacted", &[("input", 1025.0), ("cache_read", 7.0), ("output", 314.0)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_the_client_leaves_costs_what_it_said_so_far() {
    let upstream = provider().await;
    let gateway = open(&upstream).await;
    let mut client = gateway.connect().await;
    client.send(&asked("cut", true)).await;
    assert_eq!(client.head().await.status, 200);
    let mut left = events(&CLAUDE[..3]).len();
    while left > 0 {
        left -= client.piece().await.unwrap().unwrap().len();
    }
    client.leave();
    counted(&gateway, "cut", &[("input", 25.0), ("cache_write_hour", 30.0)]).await;
    let [reported, estimated] = ["weir_tokens_total", "weir_tokens_estimated_total"];
    let output = gateway.metric(&format!("{reported}{{bucket=\"output\"}}")).await
        + gateway.metric(&format!("{estimated}{{bucket=\"output\"}}")).await;
    assert!((8.0..40.0).contains(&output), "{output} tokens for thirteen words");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_answers_are_counted_by_their_headers_and_by_what_claude_says_of_its_cache() {
    let upstream = provider().await;
    let gateway = open(&upstream).await;
    let old = ask(&gateway, "old", false).await;
    counted(&gateway, "old", &[("input", 23.0), ("output", 32.0)]).await;
    assert_eq!(old.header("x-amzn-bedrock-output-token-count"), Some("32"));
    ask(&gateway, "whole", false).await;
    counted(&gateway, "whole", &[("input", 9.0), ("cache_write_hour", 40.0), ("output", 2.0)]).await;
    assert_eq!(gateway.metric("weir_tokens_total{bucket=\"cache_write\",model=\"whole\"}").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_may_use_at_most_is_reserved_before_it_is_sent() {
    let mut upstream = provider().await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 60\nper = \"total\"\n";
    let gateway = open_with(&upstream, budget).await;
    for is_streamed in [false, true] {
        let reply = gateway.ask(&asked("claude", is_streamed)).await;
        assert_eq!(reply.status(), 429, "64 tokens may come, and 60 are left: {}", reply.text());
        assert_eq!(reply.header("x-amzn-errortype"), Some("ServiceQuotaExceededException"), "{}", reply.text());
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_in_the_body_is_that_of_the_path_in_both_lanes() {
    let mut upstream = provider().await;
    let more = "[[models]]\nalias = \"alias\"\ntarget = { provider = \"bedrock\", model = \"whole\" }\n\
                [[models]]\nalias = \"alias-t\"\ntranslate = true\ntarget = { provider = \"bedrock\", model = \"whole\" }\n";
    let gateway = open_with(&upstream, more).await;
    let turn = r#""messages":[{"role":"user","content":[{"text":"Hi"}]}]"#;
    for (model, operation) in [
        ("alias", "invoke"),
        ("whole", "invoke"),
        ("alias", "converse"),
        ("alias", "converse-stream"),
        ("alias-t", "converse"),
        ("alias-t", "converse-stream"),
    ] {
        for named in [r#""model":"dear""#, r#""model":"dear","model":"dearer""#, r#""\u006dodel":"dear""#] {
            let path = format!("/model/{model}/{operation}");
            gateway.post(&path, &format!("{{{turn},{named}}}")).await;
            let sent = upstream.request().await;
            assert!(sent.line().contains("/model/whole/"), "{path} {named}: {}", sent.line());
            let body = sent.json();
            assert!(body["model"] == "whole" || body["model"].is_null(), "{path} {named}: {body}");
            assert!(!sent.text().contains("dear"), "{path} {named}: {}", sent.text());
        }
        // A stream that is none is asked for again.
        while upstream.unseen().is_some() {}
        for odd in [r#""model":["dear"]"#, r#""Model":"dear""#] {
            let reply = gateway.post(&format!("/model/{model}/{operation}"), &format!("{{{turn},{odd}}}")).await;
            assert_eq!(reply.status(), 400, "{model} {operation} {odd}: {}", reply.text());
            assert!(upstream.unseen().is_none());
        }
    }
}
