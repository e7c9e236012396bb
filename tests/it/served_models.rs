//! What an answer costs goes by the model that it names: in both lanes, whole and streamed, with OpenAI's, Azure's and
//! Claude's shapes.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

/// A dollar a token for the model that is behind a deployment, ten for the dearer one, and the operator's own for one
/// name.
const PRICES: &str = r#"{"providers": {"azure-openai": {
        "gpt-small-2026-01-01": {"input": "1000000", "output": "1000000"},
        "gpt-large-2026-01-01": {"input": {"amount": "10", "per": 1}, "output": {"amount": "10", "per": 1}}},
    "anthropic": {"claude-small": {"input": "1000000", "output": "1000000"},
        "claude-large": {"input": {"amount": "10", "per": 1}, "output": {"amount": "10", "per": 1}}},
    "openai": {"gpt-small": {"input": "1000000", "output": "1000000"},
        "gpt-large-2026-01-01": {"input": {"amount": "10", "per": 1}, "output": {"amount": "10", "per": 1}}}}}"#;

/// The model that serves, by the name that was asked for.
fn served(asked: &Value) -> &'static str {
    match asked.as_str().unwrap() {
        "my-large" | "auto" => "gpt-large-2026-01-01",
        "my-other" => "gpt-unknown",
        _ => "gpt-small-2026-01-01",
    }
}

/// An answer of 37 tokens, as Azure gives it: a stream begins with what its filter says of the prompt, and names no
/// model there.
fn answer(request: &Received) -> Answer {
    let asked = request.json();
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37});
    let said = json!({"role": "assistant", "content": "Grue"});
    let whole = |object: &str, choices: Value| json!({"id": "c", "object": object, "created": 1, "model": served(&asked["model"]), "choices": choices});
    if asked["stream"] != true {
        let mut whole = whole("chat.completion", json!([{"index": 0, "finish_reason": "stop", "message": said}]));
        whole["usage"] = usage;
        return Answer::json(200, whole.to_string());
    }
    let filtered = json!({"id": "", "object": "", "created": 0, "model": "", "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]});
    let content = whole("chat.completion.chunk", json!([{"index": 0, "finish_reason": null, "delta": said}]));
    let end = whole("chat.completion.chunk", json!([{"index": 0, "finish_reason": "stop", "delta": {}}]));
    let mut last = whole("chat.completion.chunk", json!([]));
    last["usage"] = usage;
    let chunks = [filtered, content, end, last];
    let pieces = chunks.iter().fold(Answer::sse(), |answer, chunk| answer.piece(format!("data: {chunk}\n\n")));
    pieces.piece("data: [DONE]\n\n").end()
}

async fn open(upstream: &Upstream, adapter: &str, models: &[&str], more: &str) -> Gateway {
    let folder = Folder::with(&["anthropic", "openai", "azure-openai"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    let model = |name: &&str| {
        format!("[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"p\", model = \"{name}\" }}\n{more}")
    };
    let config = format!(
        "price_file = \"prices.json\"\n\
         [[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"k\"\n{}\
         [[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000000\nper = \"total\"\nunpriced = \"allow\"\n",
        upstream.url(),
        models.iter().map(model).collect::<String>(),
    );
    Gateway::with(folder, &config).await
}

/// Asks in both lanes, whole and streamed, and expects each to cost so much; none for no known price.
async fn expect(gateway: &Gateway, model: &str, cost: Option<f64>, spent: &mut f64) {
    let is_claude = model.starts_with("claude-");
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let lane = if is_claude == (path == "/v1/messages") { "relay" } else { "translate" };
        for stream in [false, true] {
            let messages = json!([{"role": "user", "content": "Hi"}]);
            let mut body = json!({"model": model, "max_tokens": 64, "stream": stream, "messages": messages});
            if path != "/v1/messages" {
                body["stream_options"] = json!({"include_usage": true});
            }
            let reply = gateway.ask(&Request::post(path, body.to_string())).await;
            let case = format!("{model} {path}, stream {stream}: {}", reply.text());
            assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{case}");
            *spent += cost.unwrap_or_default();
            gateway.until_metric("weir_budget_used{budget=\"all\"}", *spent).await;
            if !stream {
                let told = reply.header("x-weir-cost-usd").and_then(|cost| cost.parse().ok());
                assert_eq!(told, cost, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_costs_what_the_model_behind_it_costs() {
    let upstream = Upstream::scripted(answer).await;
    let gateway = open(&upstream, "azure-openai", &["my-small", "my-large", "my-other"], "").await;
    let mut spent = 0.0;
    for (model, cost) in [("my-small", Some(37.0)), ("my-large", Some(370.0)), ("my-other", None)] {
        expect(&gateway, model, cost, &mut spent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_was_asked_for_holds_where_the_other_has_no_price() {
    let upstream = Upstream::scripted(answer).await;
    let gateway = open(&upstream, "openai", &["gpt-small", "auto"], "").await;
    let mut spent = 0.0;
    for (model, cost) in [("gpt-small", Some(37.0)), ("auto", Some(370.0))] {
        expect(&gateway, model, cost, &mut spent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_that_the_operator_sets_holds_whatever_the_answer_names() {
    let upstream = Upstream::scripted(answer).await;
    let price = "price = { input = 2000000, output = 2000000 }\n";
    let gateway = open(&upstream, "azure-openai", &["my-small", "my-large"], price).await;
    let mut spent = 0.0;
    for model in ["my-small", "my-large"] {
        expect(&gateway, model, Some(74.0), &mut spent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_refuses_before_the_request_what_only_the_answer_would_price() {
    let upstream = Upstream::scripted(|_| panic!("the request is refused before it is sent")).await;
    let folder = Folder::with(&["openai", "azure-openai"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    let config = format!(
        "price_file = \"prices.json\"\n\
         [[providers]]\nname = \"p\"\nadapter = \"azure-openai\"\nurl = \"{}\"\napi_key = \"k\"\n\
         [[models]]\nalias = \"my-small\"\ntarget = {{ provider = \"p\", model = \"my-small\" }}\n\
         [[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000000\nper = \"total\"\n",
        upstream.url(),
    );
    let gateway = Gateway::with(folder, &config).await;
    let body = json!({"model": "my-small", "messages": [{"role": "user", "content": "Hi"}]});
    let reply = gateway.ask(&Request::post("/v1/chat/completions", body.to_string())).await;
    assert!(reply.status() == 429 && reply.text().contains("price"), "{}", reply.text());
}

/// Claude's answer of 37 tokens, with which the other model goes on. A whole answer names that model alone; a stream
/// begins with the one that was asked for, and a block says which one hands over to which.
fn handed_over(request: &Received) -> Answer {
    let asked = request.json();
    let (first, next) = match asked["model"].as_str().unwrap() {
        "claude-large" => ("claude-large", "claude-small"),
        _ => ("claude-small", "claude-large"),
    };
    let block =
        json!({"type": "fallback", "from": {"model": first}, "to": {"model": next}, "trigger": {"type": "refusal"}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let usage = json!({"input_tokens": 30, "output_tokens": 7});
    let mut message = json!({"id": "m", "type": "message", "role": "assistant", "model": next,
        "content": [block, text("Grue")], "stop_reason": "end_turn", "stop_sequence": null, "usage": usage});
    if asked["stream"] != true {
        return Answer::json(200, message.to_string());
    }
    (message["model"], message["content"], message["stop_reason"]) = (first.into(), json!([]), Value::Null);
    message["usage"]["output_tokens"] = 1.into();
    let delta = |index: u32| json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": "Grue"}});
    let begin =
        |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let events = [
        json!({"type": "message_start", "message": message}),
        begin(0, text("")),
        delta(0),
        stop(0),
        begin(1, block),
        stop(1),
        begin(2, text("")),
        delta(2),
        stop(2),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}),
        json!({"type": "message_stop"}),
    ];
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    events.iter().fold(Answer::sse(), |answer, data| answer.piece(event(data))).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_which_another_model_goes_on_costs_what_that_one_costs() {
    let upstream = Upstream::scripted(handed_over).await;
    let gateway = open(&upstream, "anthropic", &["claude-small", "claude-large"], "").await;
    let mut spent = 0.0;
    for (model, cost) in [("claude-small", Some(370.0)), ("claude-large", Some(37.0))] {
        expect(&gateway, model, cost, &mut spent).await;
    }
}
