//! Answers that do not report their usage are not free: speech, and transcripts that are nothing but text.

use serde_json::json;
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use crate::wire_format::{OPENAI, config_of};

const BOUNDARY: &str = "weir-test-7MA4YWxkTrZu0gW";

/// A dollar for a character and ten for a second; nothing that speech or a transcript is billed by for the others.
const PRICES: &str = r#"{"providers": {"openai": {
    "by-character": [{"character": "1"}], "by-second": [{"second": "10"}],
    "by-token": [{"input": "1", "output": "1"}]}}}"#;

/// A provider that answers with audio, or with a transcript as JSON, which has its usage, or as text.
async fn provider() -> Upstream {
    Upstream::scripted(|request: &Received| {
        if request.line().contains("/audio/speech") {
            return Answer::whole(200, &[("content-type", "audio/mpeg")], [0_u8; 500]);
        }
        if request.text().contains("name=\"response_format\"\r\n\r\ntext") {
            return Answer::whole(200, &[("content-type", "text/plain")], "Yes.\n");
        }
        Answer::json(200, json!({"text": "Yes.", "usage": {"type": "duration", "seconds": 3}}).to_string())
    })
    .await
}

/// The dollars that a request of so many bytes costs.
type Dollars = fn(usize) -> usize;

/// A gateway with a budget in dollars for each model, of which that of `assumed` takes a dollar for each token of what
/// has no price.
async fn open(upstream: &Upstream) -> Gateway {
    let folder = Folder::with(&["openai"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    let budget = |model: &str, unpriced: &str| {
        format!(
            "[[models]]\nalias = \"{model}\"\ntarget = {{ provider = \"openai\" }}\n[[budgets]]\nname = \"{model}\"\n\
             for = {{ model = \"{model}\" }}\nusd = 1000000\nper = \"total\"\n{unpriced}\n"
        )
    };
    let config = format!(
        "price_file = \"prices.json\"\n{}{}{}{}",
        config_of(&[OPENAI], upstream),
        budget("by-character", ""),
        budget("by-second", ""),
        budget("by-token", "unpriced = { price = 1000000 }")
    );
    Gateway::with(folder, &config).await
}

async fn expect_used(gateway: &Gateway, model: &str, dollars: usize) {
    gateway.until_metric(&format!("weir_budget_used{{budget=\"{model}\"}}"), dollars as f64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_is_booked_by_the_size_of_its_request() {
    let upstream = provider().await;
    let gateway = open(&upstream).await;
    let body = |model: &str| json!({"model": model, "input": "Hello. ".repeat(50), "voice": "alloy"}).to_string();
    let dollars: [(&str, Dollars); 3] = [
        ("by-character", |bytes| bytes),
        ("by-second", |bytes| 10 * bytes.div_ceil(15)),
        ("by-token", |bytes| bytes.div_ceil(4)),
    ];
    for (model, dollars) in dollars {
        let body = body(model);
        let reply = gateway.post("/v1/audio/speech", &body).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        expect_used(&gateway, model, dollars(body.len())).await;
        let unknown = format!("weir_billing_unknown_total{{model=\"{model}\"}}");
        assert_eq!(gateway.metric(&unknown).await, 1.0, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_is_nothing_but_text_costs_no_less_than_one_that_tells_its_usage() {
    let upstream = provider().await;
    let gateway = open(&upstream).await;
    let request = |format: &str| {
        let audio = "x".repeat(20_000);
        let body: String = [("model", "by-second"), ("response_format", format), ("file\"; filename=\"a.mp3", &audio)]
            .map(|(name, value)| {
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            })
            .concat();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let body = format!("{body}--{BOUNDARY}--\r\n");
        Request::new("POST", "/v1/audio/transcriptions").header("content-type", &kind).body(body.as_bytes())
    };
    let reply = gateway.ask(&request("json")).await;
    assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, Some("30")), "{}", reply.text());
    expect_used(&gateway, "by-second", 30).await;
    assert_eq!(gateway.ask(&request("text")).await.text(), "Yes.\n");
    expect_used(&gateway, "by-second", 30 + 60).await;
}
