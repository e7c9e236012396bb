//! A provider that bills by other counts than it reports: what is shown and what is booked, in both lanes, whole and
//! streamed.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

/// What an answer of Cohere's reports: 500 and 20 tokens, of which 4 and 3 are billed.
fn usage() -> Value {
    json!({"billed_units": {"input_tokens": 4, "output_tokens": 3}, "tokens": {"input_tokens": 500, "output_tokens": 20}})
}

fn whole() -> Answer {
    let message = json!({"role": "assistant", "content": [{"type": "text", "text": "Grue"}]});
    Answer::json(
        200,
        json!({"id": "r1", "finish_reason": "COMPLETE", "message": message, "usage": usage()}).to_string(),
    )
}

fn streamed() -> Answer {
    let text = |kind: &str| json!({"type": kind, "index": 0, "delta": {"message": {"content": {"type": "text", "text": "Gr"}}}});
    let events = [
        json!({"type": "message-start", "id": "r1", "delta": {"message": {"role": "assistant"}}}),
        text("content-start"),
        text("content-delta"),
        json!({"type": "content-end", "index": 0}),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage()}}),
    ];
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    events.iter().fold(Answer::sse(), |answer, data| answer.piece(event(data))).end()
}

async fn open(upstream: &Upstream) -> Gateway {
    let config = format!(
        "[[providers]]\nname = \"cohere\"\nadapter = \"cohere\"\nurl = \"{}\"\napi_key = \"k\"\n\
         [[models]]\nalias = \"command\"\nprice = {{ input = 1000000, output = 1000000 }}\n\
         target = {{ provider = \"cohere\", model = \"command\" }}\n\
         [[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 1000000000\nper = \"total\"\n",
        upstream.url()
    );
    Gateway::with(Folder::with(&["cohere", "openai", "anthropic"]), &config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_billed_is_booked_and_what_is_reported_is_shown() {
    let upstream =
        Upstream::scripted(|request: &Received| if request.json()["stream"] == true { streamed() } else { whole() })
            .await;
    let gateway = open(&upstream).await;
    let mut exchanges = 0.0;
    for (path, lane) in [("/v2/chat", "relay"), ("/v1/chat/completions", "translate"), ("/v1/messages", "translate")] {
        for stream in [false, true] {
            let body = json!({"model": "command", "max_tokens": 64, "stream": stream,
                "messages": [{"role": "user", "content": "Hi"}]});
            let reply = gateway.ask(&Request::post(path, body.to_string())).await;
            let case = format!("{path}, stream {stream}: {}", reply.text());
            assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some(lane)), "{case}");
            exchanges += 1.0;
            gateway.until_metric("weir_budget_used{budget=\"all\"}", 7.0 * exchanges).await;
            gateway.until_metric("weir_tokens_total{bucket=\"input\"}", 500.0 * exchanges).await;
            gateway.until_metric("weir_units_total{unit=\"billed_output\"}", 3.0 * exchanges).await;
            if !stream {
                assert_eq!(reply.header("x-weir-cost-usd").and_then(|cost| cost.parse().ok()), Some(7.0), "{case}");
            }
        }
    }
}
