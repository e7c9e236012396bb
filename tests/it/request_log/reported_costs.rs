//! Costs that answers tell themselves, at the place that the operator names.

use super::*;

/// An answer that tells this as its cost, in JSON.
async fn telling(cost: &'static str) -> Upstream {
    telling_as("cost", cost).await
}

/// The same in a member of this name.
async fn telling_as(member: &'static str, cost: &'static str) -> Upstream {
    Upstream::scripted(move |request| {
        let usage = format!(r#"{{"prompt_tokens":30,"completion_tokens":7,"total_tokens":37,"{member}":{cost}}}"#);
        let head = r#""id":"c","created":1,"model":"reporting-model""#;
        if request.json()["stream"] != true {
            let choice = r#"{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Grue"}}"#;
            let answer = format!(r#"{{{head},"object":"chat.completion","choices":[{choice}],"usage":{usage}}}"#);
            return Answer::json(200, answer);
        }
        let chunk = |rest: &str| format!("data: {{{head},\"object\":\"chat.completion.chunk\",{rest}}}\n\n");
        let said = r#""choices":[{"index":0,"finish_reason":"stop","delta":{"role":"assistant","content":"Grue"}}]"#;
        let used = format!(r#""choices":[],"usage":{usage}"#);
        Answer::sse().piece(chunk(said)).piece(chunk(&used)).piece("data: [DONE]\n\n").end()
    })
    .await
}

/// A gateway whose provider has these settings, with this price file.
fn open(upstream: &Upstream, prices: &str) -> Kept {
    let folder = Folder::with(&["openai"]);
    std::fs::write(folder.path().join("prices.json"), prices).unwrap();
    let settings = "cost_place = \"/usage/cost\"\npassthrough = [\"* *\"]\ntimeouts =";
    let providers = config_of(&[OPENAI], upstream).replace("timeouts =", settings);
    let budget = "[[budgets]]\nname = \"money\"\nfor = \"all\"\nusd = 100000\nper = \"total\"\nunpriced = \"allow\"\n";
    Kept::start_in(folder, &format!("price_file = \"prices.json\"\n{providers}{budget}"))
}

const NO_PRICES: &str = r#"{"providers": {}}"#;
/// A dollar for each token.
const PRICES: &str = r#"{"providers": {"openai": {"openai": {
    "input": {"amount": "1", "per": 1}, "output": {"amount": "1", "per": 1}}}}}"#;

/// Asks in both lanes, for whole answers and streams, and returns the facts of each.
async fn asked(kept: &Kept, header: Option<&str>) -> Vec<Value> {
    let mut facts = Vec::new();
    for (number, (model, stream)) in
        [("openai", false), ("openai", true), ("openai-t", false), ("openai-t", true)].into_iter().enumerate()
    {
        let id = format!("request-{number}");
        let reply = kept.ask(&OPENAI.request(model, stream).header("x-request-id", &id)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.header("x-weir-cost-usd"), header.filter(|_| !stream), "{model} {stream}");
        facts.push(kept.of(&id).await);
    }
    facts
}

/// The sum of the series that begin so.
async fn counted(kept: &Kept, series: &str) -> f64 {
    let page = kept.admin("/metrics").await.text();
    let of_series = page.lines().filter(|line| line.starts_with(series));
    of_series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_that_answers_report_is_booked_and_marked_as_reported() {
    // More digits than are kept, as floats have them.
    for (cost, cost_usd) in
        [("0.00014", "0.00014"), ("1.4e-4", "0.00014"), ("0.250000000000000001", "0.25"), ("0", "0")]
    {
        let upstream = telling(cost).await;
        let kept = open(&upstream, NO_PRICES);
        let facts = asked(&kept, Some(cost_usd)).await;
        for fact in &facts {
            assert_eq!([text(fact, "cost_usd"), text(fact, "price_version")], [cost_usd, "told"], "{fact}");
            assert_eq!(fact["tokens"]["input"], 30, "{fact}");
        }
        let spent = 4.0 * cost_usd.parse::<f64>().unwrap();
        assert!((counted(&kept, "weir_budget_used{").await - spent).abs() < 1e-9, "{spent}");
        let shown = kept.admin(&format!("/admin/v1/requests/{}", text(&facts[0], "id"))).await.json();
        let explained = &shown["explained"];
        assert_eq!([text(explained, "total_usd"), text(explained, "price_version")], [cost_usd, "told"], "{explained}");
        assert!(text(explained, "note").contains("reported"), "{explained}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_that_an_answer_to_pass_through_tells_is_booked_too() {
    let upstream = telling("0.00014").await;
    let kept = open(&upstream, NO_PRICES);
    for stream in [false, true] {
        let id = format!("passed-{stream}");
        let body = json!({"model": "gpt", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
        let passed = Request::post("/passthrough/openai/chat/completions", body.to_string());
        let passed = passed.header("content-type", "application/json").header("x-request-id", &id);
        let reply = kept.ask(&passed).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let fact = kept.of(&id).await;
        assert_eq!([text(&fact, "cost_usd"), text(&fact, "price_version")], ["0.00014", "told"], "{fact}");
    }
    let spent = counted(&kept, "weir_budget_used{").await;
    assert!((spent - 0.000_28).abs() < 1e-9, "{spent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_of_the_operators_goes_before_a_cost_that_answers_report() {
    let upstream = telling("0.00014").await;
    let kept = open(&upstream, PRICES);
    for fact in asked(&kept, Some("37")).await {
        assert_eq!(text(&fact, "cost_usd"), "37", "{fact}");
        assert_ne!(text(&fact, "price_version"), "told", "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_cost_is_counted_and_not_booked() {
    for cost in ["-0.1", "\"NaN\"", "1e9", "{}", "true", "\"\""] {
        let upstream = telling(cost).await;
        let kept = open(&upstream, NO_PRICES);
        for fact in asked(&kept, None).await {
            assert_eq!(fact["cost_usd"], Value::Null, "{cost}: {fact}");
        }
        let count = counted(&kept, "weir_told_cost_refused_total{").await;
        assert!((count - 4.0).abs() < f64::EPSILON, "{cost}: {count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_tells_no_cost_is_priced_by_its_tokens() {
    let upstream = telling("null").await;
    let kept = open(&upstream, NO_PRICES);
    for fact in asked(&kept, None).await {
        assert_eq!(fact["cost_usd"], Value::Null, "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_translated_stream_shows_its_client_the_cost_that_is_booked_reported_or_not() {
    let upstream = telling_as("price", "0.00014").await;
    let model = "[[models]]\nalias = \"small\"\ntranslate = true\n\
                 target = { provider = \"openai\", model = \"gpt-4o-mini\" }\n";
    // Dollars for a million tokens by the bundled prices: 0.15 for input, 0.6 for output.
    for (place, version, cost) in [("cost_place = \"/usage/price\"\n", "told", 0.00014), ("", "", 0.000_008_7)] {
        let providers = config_of(&[OPENAI], &upstream).replace("timeouts =", &format!("{place}timeouts ="));
        let kept = Kept::start_in(Folder::with(&["openai"]), &format!("{providers}{model}"));
        let reply = kept.ask(&OPENAI.request("small", true).header("x-request-id", "shown")).await;
        assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("translate")), "{}", reply.text());
        let frames = reply.text();
        let frames = frames.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        let shown: Vec<f64> = frames.filter_map(|frame| frame.pointer("/usage/cost")?.as_f64()).collect();
        let fact = kept.of("shown").await;
        let booked: f64 = text(&fact, "cost_usd").parse().unwrap();
        assert!((booked - cost).abs() < 1e-12, "{fact}");
        assert!(version.is_empty() || text(&fact, "price_version") == version, "{fact}");
        assert!(matches!(shown[..], [one] if (one - booked).abs() < 1e-12), "{shown:?}, and {booked} is booked");
    }
}
