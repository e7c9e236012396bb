//! What answers tell of their own price: the region that served, the size of a search, the tier that served, and tokens
//! that stand beside the counts of the answer. In both lanes, whole and streamed.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, WireFormat, config_of};

/// Half a dollar for each token of an answer anywhere, one in the United States; and five, or fifty, for each request
/// that searches.
const PRICES: &str = r#"{"providers": {
    "claude": {"claude-*": [{"input": "500000", "output": "500000"},
        {"when": {"region": "us"}, "input": "1000000", "output": "1000000"}]},
    "perplexity": {"sonar-*": [{"input": "500000", "output": "500000", "request": "5"},
        {"when": {"service_tier": "high"}, "request": "50"}]}}}"#;

/// Claude's usage, served in the region that the model names. It made a summary first, in 200 and 10 tokens.
fn claude_usage(model: &Value) -> Value {
    let own = json!({"type": "message", "input_tokens": 30, "output_tokens": 7});
    let summary = json!({"type": "compaction", "input_tokens": 200, "output_tokens": 10});
    let region = model.as_str().unwrap().replace("claude-", "").replace("none", "not_available");
    json!({"input_tokens": 30, "output_tokens": 7, "iterations": [summary, own], "inference_geo": region})
}

fn claude(request: &Received) -> Answer {
    let model = &request.json()["model"];
    let text = json!({"type": "text", "text": "Grue"});
    let mut message = json!({"id": "m", "type": "message", "role": "assistant", "model": model, "content": [text],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": claude_usage(model)});
    if request.json()["stream"] != true {
        return Answer::json(200, message.to_string());
    }
    (message["content"], message["stop_reason"]) = (json!([]), Value::Null);
    // Some streams begin with the usage of the summary.
    let begun = if model == "claude-us" { 200 } else { 30 };
    message["usage"] = json!({"input_tokens": begun, "output_tokens": 1});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grue"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": claude_usage(model)}),
        json!({"type": "message_stop"}),
    ];
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    events.iter().fold(Answer::sse(), |answer, data| answer.piece(event(data))).end()
}

/// An answer that searched as much as the model's name says.
fn perplexity(request: &Received) -> Answer {
    let size = request.json()["model"].as_str().unwrap().replace("sonar-", "");
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37, "search_context_size": size});
    let answer = |object: &str, choice: Value| json!({"id": "p", "object": object, "created": 1, "model": "sonar", "choices": [choice], "usage": usage});
    let said = json!({"role": "assistant", "content": "Grue"});
    if request.json()["stream"] != true {
        let choice = json!({"index": 0, "finish_reason": "stop", "message": said});
        return Answer::json(200, answer("chat.completion", choice).to_string());
    }
    let chunk = answer("chat.completion.chunk", json!({"index": 0, "finish_reason": "stop", "delta": said}));
    Answer::sse().piece(format!("data: {chunk}\n\n")).piece("data: [DONE]\n\n").end()
}

async fn open(upstream: &Upstream, provider: &str, adapter: &str, models: [&str; 3]) -> Gateway {
    let folder = Folder::with(&["anthropic", "openai", "perplexity"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    let model = |name: &str| {
        format!("[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{provider}\", model = \"{name}\" }}\n")
    };
    let config = format!(
        "price_file = \"prices.json\"\n\
         [[providers]]\nname = \"{provider}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"k\"\n{}\
         [[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000000\nper = \"total\"\n",
        upstream.url(),
        models.map(model).concat()
    );
    Gateway::with(folder, &config).await
}

/// Asks in both lanes, whole and streamed, and expects each to cost so much.
async fn expect(gateway: &Gateway, model: &str, cost: f64, spent: &mut f64) -> Vec<String> {
    let mut answers = Vec::new();
    for path in ["/v1/chat/completions", "/v1/messages"] {
        for stream in [false, true] {
            let messages = json!([{"role": "user", "content": "Hi"}]);
            let body = json!({"model": model, "max_tokens": 64, "stream": stream, "messages": messages,
                "stream_options": {"include_usage": true}});
            let reply = gateway.ask(&Request::post(path, body.to_string())).await;
            assert_eq!(reply.status(), 200, "{path}, stream {stream}: {}", reply.text());
            *spent += cost;
            gateway.until_metric("weir_budget_used{budget=\"all\"}", *spent).await;
            if !stream {
                let told = reply.header("x-weir-cost-usd").and_then(|cost| cost.parse().ok());
                assert_eq!(told, Some(cost), "{path} {model}");
            }
            answers.push(reply.text());
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_is_billed_for_its_summaries_and_by_the_region_that_served() {
    let upstream = Upstream::scripted(claude).await;
    let gateway = open(&upstream, "claude", "anthropic", ["claude-us", "claude-global", "claude-none"]).await;
    let mut spent = 0.0;
    for (model, cost) in [("claude-us", 247.0), ("claude-global", 123.5), ("claude-none", 123.5)] {
        let [whole, streamed, own, _] = expect(&gateway, model, cost, &mut spent).await.try_into().unwrap();
        for answer in [whole, streamed] {
            assert!(answer.contains(r#""prompt_tokens":230,"completion_tokens":17"#), "all that is billed: {answer}");
        }
        assert!(own.contains(r#""input_tokens":30"#), "relayed as it is: {own}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_billed_by_its_size() {
    let upstream = Upstream::scripted(perplexity).await;
    let gateway = open(&upstream, "perplexity", "perplexity", ["sonar-low", "sonar-high", "sonar-other"]).await;
    let mut spent = 0.0;
    for (model, cost) in [("sonar-low", 23.5), ("sonar-high", 68.5), ("sonar-other", 23.5)] {
        expect(&gateway, model, cost, &mut spent).await;
    }
}

/// A dollar for each token, and ten of one that the tier `priority` served.
const TIERS: &str = r#"{"providers": {
    "openai": {"*": [{"input": "1000000", "output": "1000000"},
        {"when": {"service_tier": "priority"}, "input": {"amount": "10", "per": 1}, "output": {"amount": "10", "per": 1}}]},
    "gemini": {"*": [{"input": "1000000", "output": "1000000"},
        {"when": {"service_tier": "priority"}, "input": {"amount": "10", "per": 1}, "output": {"amount": "10", "per": 1}}]}}}"#;

/// An answer of a provider, or an event of one, which says that the tier `priority` served it.
fn first(provider: WireFormat, text: &str) -> String {
    match provider {
        OPENAI => text.replace("\"created\"", "\"service_tier\":\"priority\",\"created\""),
        _ if text.contains("usageMetadata") => {
            text.replace("\"usageMetadata\":{", "\"usageMetadata\":{\"serviceTier\":\"priority\",")
        }
        // Each event of a stream has the usage so far.
        _ => text.replace("\"modelVersion\"", "\"usageMetadata\":{\"serviceTier\":\"priority\"},\"modelVersion\""),
    }
}

/// An answer of 17 tokens that the tier `priority` served.
fn served_first(provider: WireFormat, stream: bool) -> Answer {
    if !stream {
        return Answer::json(200, first(provider, &provider.whole()));
    }
    provider.stream().iter().fold(provider.begin(), |answer, piece| answer.piece(first(provider, piece))).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tier_that_served_has_its_price_in_both_lanes() {
    for provider in [OPENAI, GEMINI] {
        let upstream = Upstream::scripted(move |request| served_first(provider, provider.wants_stream(request))).await;
        let folder = Folder::with(&["anthropic", "openai", "gemini"]);
        std::fs::write(folder.path().join("prices.json"), TIERS).unwrap();
        let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000000\nper = \"total\"\n";
        let config = format!("price_file = \"prices.json\"\n{}{budget}", config_of(&[provider], &upstream));
        let gateway = Gateway::with(folder, &config).await;
        let mut spent = 0.0;
        for (client, lane) in [(provider, "relay"), (ANTHROPIC, "translate")] {
            for stream in [false, true] {
                let reply = gateway.ask(&client.request(provider.name, stream)).await;
                let case = format!("{} by {}, stream {stream}: {}", provider.name, client.name, reply.text());
                assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{case}");
                spent += 170.0;
                gateway.until_metric("weir_budget_used{budget=\"all\"}", spent).await;
                if !stream {
                    assert_eq!(
                        reply.header("x-weir-cost-usd").and_then(|cost| cost.parse().ok()),
                        Some(170.0),
                        "{case}"
                    );
                }
            }
        }
    }
}

/// What is booked at the only budget, in dollars, once no request has a reservation.
async fn settled(gateway: &Gateway) -> f64 {
    loop {
        let budget = gateway.get("/admin/budgets").await.json()["budgets"][0].take();
        if budget["reserved"] == "0" {
            return budget["settled"].as_str().unwrap().parse().unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Who breaks off before the usage comes would pay half of what a tier costs.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_before_its_usage_costs_what_its_tier_does_in_both_lanes() {
    for provider in [OPENAI, GEMINI] {
        let upstream = Upstream::always(Answer::silence()).await;
        let folder = Folder::with(&["anthropic", "openai", "gemini"]);
        std::fs::write(folder.path().join("prices.json"), TIERS).unwrap();
        let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000000\nper = \"total\"\n";
        let config = format!("price_file = \"prices.json\"\n{}{budget}", config_of(&[provider], &upstream));
        let gateway = Gateway::with(folder, &config).await;
        for (client, lane) in [(provider, "relay"), (ANTHROPIC, "translate")] {
            let mut costs = [0.0; 2];
            for (cost, is_told) in costs.iter_mut().zip([false, true]) {
                let told = |piece: &String| if is_told { first(provider, piece) } else { piece.clone() };
                let pieces = provider.stream();
                let begun = pieces.iter().take(2).fold(provider.begin(), |answer, piece| answer.piece(told(piece)));
                upstream.now(begun.close());
                let before = settled(&gateway).await;
                let reply = gateway.ask(&client.request(provider.name, true)).await;
                let case = format!("{} by {}, told {is_told}: {}", provider.name, client.name, reply.text());
                assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{case}");
                *cost = settled(&gateway).await - before;
                assert!(*cost > 0.0, "{case}");
            }
            assert!((costs[1] - 10.0 * costs[0]).abs() < 1e-6, "{} {lane}: {costs:?}", provider.name);
        }
    }
}
