//! Searches that a provider runs itself under the names of its own tools: counted and priced in both lanes, whole and
//! streamed.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

/// An answer of xAI's with two searches of posts, one of the web, and a call of the client's own tool.
fn answer() -> Value {
    let own = |name: &str, id: &str| {
        json!({"type": "custom_tool_call", "id": format!("ctc_{id}"), "call_id": format!("xs_call_{id}"), "name": name,
            "input": "{}", "status": "completed"})
    };
    json!({"id": "resp_1", "object": "response", "status": "completed", "model": "grok-4.3", "output": [
        own("x_keyword_search", "1"),
        own("x_thread_fetch", "2"),
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "a"}},
        {"type": "custom_tool_call", "id": "ctc_3", "call_id": "call_3", "name": "mine", "input": "{}", "status": "completed"},
    ], "usage": {"input_tokens": 1_000_000, "output_tokens": 0, "total_tokens": 1_000_000}})
}

fn streamed() -> Answer {
    let begun = json!({"type": "response.created", "response": {"id": "resp_1", "object": "response", "model": "grok-4.3",
        "status": "in_progress", "output": []}});
    let ended = json!({"type": "response.completed", "response": answer()});
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    [begun, ended].iter().fold(Answer::sse(), |answer, data| answer.piece(event(data))).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_posts_are_searches() {
    let script = |request: &Received| {
        if request.json()["stream"] == true { streamed() } else { Answer::json(200, answer().to_string()) }
    };
    let upstream = Upstream::scripted(script).await;
    let config = format!(
        "[[providers]]\nname = \"xai\"\nadapter = \"xai\"\nurl = \"{}\"\napi_key = \"k\"\n\
         [[models]]\nalias = \"grok-4.3\"\ntarget = {{ provider = \"xai\", model = \"grok-4.3\" }}\n\
         [[models]]\nalias = \"other\"\ntranslate = true\ntarget = {{ provider = \"xai\", model = \"grok-4.3\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["xai", "openai"]), &config).await;
    let mut searches = 0.0;
    for (model, lane) in [("grok-4.3", "relay"), ("other", "translate")] {
        for stream in [false, true] {
            let body = json!({"model": model, "stream": stream, "input": "Hi"});
            let reply = gateway.ask(&Request::post("/v1/responses", body.to_string())).await;
            assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{}", reply.text());
            searches += 3.0;
            gateway.until_metric("weir_units_total{unit=\"search\"}", searches).await;
        }
    }
    let cost = gateway.metric("weir_cost_total").await / 4.0;
    // Tokens beyond 200,000 at their higher price, and three searches at half a cent.
    assert!((cost - 2.515).abs() < 1e-9, "{cost}");
}
