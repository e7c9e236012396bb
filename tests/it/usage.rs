//! Tokens: requested if the operator wants it, shown if the client does, counted once.

use serde_json::Value;
use weir_tests::{Answer, Gateway, Received, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TOKENS, ZETA, config, provider};

/// The same providers, with `usage = "ask"`.
fn asking(upstream: &Upstream) -> String {
    config(upstream).replace("timeouts = ", "usage = \"ask\"\ntimeouts = ")
}

/// A provider whose streams have usage only on request.
async fn honest() -> Upstream {
    Upstream::scripted(|request: &Received| {
        let body: Value = request.json();
        let (wire_format, asked) = if body["scroll"].is_array() {
            (ZETA, body["tell"]["toll"] == true)
        } else {
            (OPENAI, body["stream_options"]["include_usage"] == true)
        };
        let pieces = wire_format.stream();
        let sent = pieces.iter().enumerate().filter(|(at, _)| *at != 4 || asked);
        sent.fold(wire_format.begin(), |answer, (_, piece)| answer.piece(piece)).end()
    })
    .await
}

async fn tokens(gateway: &Gateway, model: &str, expected: [f64; 5]) {
    let buckets = ["output", "input", "cache_read", "cache_write", "reasoning"];
    for (bucket, figure) in buckets.into_iter().zip(expected) {
        gateway.until_metric(&format!("weir_tokens_total{{bucket=\"{bucket}\",model=\"{model}\"}}"), figure).await;
    }
}

const SILENT_OPENAI: &str = "{\"model\":\"openai\",\"messages\":[],\"stream\":true }";
const SILENT_ZETA: &str = "{ \"scroll\":[] }";

#[tokio::test(flavor = "multi_thread")]
async fn c50_c57_usage_is_requested_on_the_wire_and_withheld_from_clients_that_did_not_ask() {
    let mut upstream = honest().await;
    let gateway = Gateway::open(&asking(&upstream)).await;
    for (wire_format, path, body) in
        [(OPENAI, "/v1/chat/completions", SILENT_OPENAI), (ZETA, "/zeta/v0/minds/zeta:parley?drip=yes", SILENT_ZETA)]
    {
        let reply = gateway.post(path, body).await;
        let mut expected = wire_format.stream();
        expected.remove(4);
        assert_eq!(reply.text(), expected.concat(), "all but the frame of usage");
        let sent = upstream.request().await;
        let asked = if wire_format == OPENAI {
            &sent.json()["stream_options"]["include_usage"]
        } else {
            &sent.json()["tell"]["toll"]
        };
        assert_eq!(asked, true, "c50: what the host adds reaches the wire");
        // Only that member differs.
        let member = if wire_format == OPENAI {
            "\"stream_options\":{\"include_usage\":true}"
        } else {
            "\"tell\":{\"toll\":true}"
        };
        let without = sent.text().replace(&format!(",{member}"), "").replace(&format!("{member},"), "");
        assert_eq!(without, body, "sent: {}", sent.text());
        tokens(&gateway, wire_format.name, [7.0, 6.0, 4.0, 0.0, 0.0]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c57_all_that_is_no_usage_passes_comments_too() {
    let (note, pieces) = (": note\r\n\r\n", OPENAI.stream());
    // Azure's first chunk, which has no choices either.
    let filtered = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    for len in [1, 5, 4096] {
        let noted: String = pieces.iter().flat_map(|piece| [note, piece.as_str()]).collect();
        let stream = filtered.to_owned() + &noted;
        let upstream = Upstream::always(Answer::sse().pieces(&stream, len).end()).await;
        let gateway = Gateway::open(&asking(&upstream)).await;
        let reply = gateway.post("/v1/chat/completions", SILENT_OPENAI).await;
        assert_eq!(reply.text(), stream.replace(&pieces[4], ""), "in pieces of {len}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c58_usage_is_shown_to_clients_that_asked_for_it_only() {
    let mut upstream = honest().await;
    let gateway = Gateway::open(&asking(&upstream)).await;
    let request = OPENAI.request("openai", true);
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.text(), OPENAI.stream().concat());
    assert_eq!(upstream.request().await.body, request.sent(), "nothing to add");
    for options in ["{}", "{\"include_usage\":false}", "null"] {
        let body = format!("{{\"model\":\"openai\",\"messages\":[],\"stream\":true,\"stream_options\":{options}}}");
        let reply = gateway.post("/v1/chat/completions", &body).await;
        assert_eq!(OPENAI.parsed(&reply, true).tokens, None, "{options}: {}", reply.text());
        let sent = upstream.request().await.json();
        assert_eq!(sent["stream_options"]["include_usage"], true, "{options}: {sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c94_without_the_operators_wish_nothing_is_asked() {
    let mut upstream = honest().await;
    let gateway = Gateway::open(&config(&upstream)).await;
    gateway.post("/v1/chat/completions", SILENT_OPENAI).await;
    assert_eq!(upstream.request().await.text(), SILENT_OPENAI);
    let whole = OPENAI.request("openai", false);
    let gateway = Gateway::open(&asking(&upstream)).await;
    gateway.ask(&whole).await;
    assert_eq!(upstream.request().await.body, whole.sent(), "a whole answer tells by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn c57_the_translate_lane_always_asks() {
    let mut upstream = honest().await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&ANTHROPIC.request("openai", true)).await;
    assert_eq!(ANTHROPIC.parsed(&reply, true).tokens, Some(TOKENS), "{}", reply.text());
    assert_eq!(upstream.request().await.json()["stream_options"]["include_usage"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn c60_tokens_are_counted_once_in_every_lane() {
    for to in ALL {
        let upstream = provider(to).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for model in [to.name.to_owned(), to.translated()] {
            for stream in [false, true] {
                gateway.ask(&to.request(&model, stream)).await;
            }
            // Two answers, one of them streamed: 10 in, 4 of them from the cache; 7 out.
            tokens(&gateway, &model, [14.0, 12.0, 8.0, 0.0, 0.0]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c60_totals_that_include_others_are_taken_apart() {
    let toll = "{\"toll\":{\"all_in\":100,\"of_cached\":30,\"of_written\":20,\"all_out\":50,\"of_musing\":15},\"reply\":{\"says\":\"x\"},\"ended\":\"done\"}";
    let upstream = Upstream::always(Answer::json(200, toll)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for model in ["zeta", "zeta-t"] {
        gateway.ask(&ZETA.request(model, false)).await;
        tokens(&gateway, model, [35.0, 50.0, 30.0, 20.0, 15.0]).await;
    }
    // For formats whose input is a total, and for one whose input excludes the cache.
    let openai = gateway.ask(&OPENAI.request("zeta", false)).await.json();
    assert_eq!(openai["usage"]["prompt_tokens"], 100, "{openai}");
    assert_eq!(openai["usage"]["prompt_tokens_details"]["cached_tokens"], 30);
    assert_eq!(openai["usage"]["completion_tokens_details"]["reasoning_tokens"], 15);
    let anthropic = gateway.ask(&ANTHROPIC.request("zeta", false)).await.json();
    let usage = &anthropic["usage"];
    assert_eq!((usage["input_tokens"].as_u64(), usage["output_tokens"].as_u64()), (Some(50), Some(50)), "{usage}");
    assert_eq!(usage["cache_read_input_tokens"], 30);
    assert_eq!(usage["cache_creation_input_tokens"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn c62_a_large_answer_is_metered_and_one_without_usage_is_reported() {
    let large = OPENAI.whole().replace("\"index\":0", &format!("\"index\":0,\"pad\":\"{}\"", "y".repeat(5 << 20)));
    let upstream = Upstream::always(Answer::json(200, &large)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!(reply.body.len(), large.len());
    tokens(&gateway, "openai", [7.0, 6.0, 4.0, 0.0, 0.0]).await;
    upstream.now(Answer::json(200, "{\"choices\":[]}"));
    gateway.ask(&OPENAI.request("openai", false)).await;
    gateway.until_metric("weir_billing_unknown_total{provider=\"openai\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c59_a_message_begins_with_a_count_and_ends_with_the_right_one() {
    let upstream = Upstream::always(OPENAI.streamed()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&ANTHROPIC.request("openai", true)).await;
    let events = weir_tests::parsed_answer::events(&reply.text());
    let start: Value = serde_json::from_str(&events[0].1).unwrap();
    assert!(start["message"]["usage"]["input_tokens"].as_u64() > Some(0), "{start}");
    assert_eq!(ANTHROPIC.parsed(&reply, true).tokens, Some(TOKENS), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn c59_tokens_are_counted_for_every_model() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"all_in\":42,\"input_tokens\":42}")).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let count = |model: &str| {
        let body =
            format!("{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello there\"}}]}}");
        Request::post("/v1/messages/count_tokens", body).header("anthropic-version", "2023-06-01")
    };
    for (model, line) in [
        ("anthropic", "POST /base/messages/count_tokens"),
        ("anthropic-t", "POST /base/messages/count_tokens"),
        ("zeta", "POST /base/minds/zeta:tally"),
        ("openai", "POST /base/responses/input_tokens"),
    ] {
        let reply = gateway.ask(&count(model)).await;
        assert_eq!(reply.json()["input_tokens"], 42, "{model}");
        assert_eq!(reply.header("x-weir-token-count"), None, "{model}");
        assert_eq!(upstream.request().await.line(), line);
    }
    // If the endpoint is missing, the count is estimated.
    upstream.now(Answer::json(404, "{}"));
    let reply = gateway.ask(&count("openai")).await;
    assert!(reply.json()["input_tokens"].as_u64() > Some(0), "{}", reply.text());
    assert_eq!(reply.header("x-weir-token-count"), Some("estimate"));
}

/// A model with two targets in order, each with a price: dollars for a token of input, and of output.
fn priced(first: &Upstream, second: &Upstream, more: &str) -> String {
    let provider = |name: &str, upstream: &Upstream| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\n",
            upstream.url()
        )
    };
    let target = |name: &str, input: u32, output: u32| {
        let (input, output) = (input * 1_000_000, output * 1_000_000);
        format!("{{ provider = \"{name}\", model = \"m\", price = {{ input = {input}, output = {output} }} }}")
    };
    let (one, other) = (target("first", 1, 2), target("second", 100, 1000));
    format!(
        "{}{}[[models]]\nalias = \"both\"\n{more}\ntargets = [{one}, {other}]\n",
        provider("first", first),
        provider("second", second)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_cost_what_they_cost_where_the_answer_comes_from() {
    let (first, second) = (provider(OPENAI).await, provider(OPENAI).await);
    let gateway = Gateway::open(&priced(&first, &second, "price = { input = 7, output = 7 }")).await;
    let cost = "weir_cost_total{model=\"both\"}";
    for (n, stream) in [(1, false), (2, true)] {
        assert_eq!(gateway.ask(&OPENAI.request("both", stream)).await.status(), 200);
        gateway.until_metric(cost, f64::from(n * (10 + 2 * 7))).await;
    }
    first.now(Answer::json(500, "{}"));
    assert_eq!(gateway.ask(&ANTHROPIC.request("both", false)).await.status(), 200);
    gateway.until_metric(cost, f64::from(2 * 24 + 10 * 100 + 7 * 1000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_configured_price_has_the_bundled_files_price() {
    let upstream = provider(OPENAI).await;
    let settings = format!(
        "[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"small\"\ntarget = {{ provider = \"openai\", model = \"gpt-4o-mini\" }}\n\
         [[models]]\nalias = \"gpt-*\"\nprovider = \"openai\"\n",
        upstream.url()
    );
    let gateway = Gateway::open(&settings).await;
    // Dollars for a million tokens: 0.15 for input, 0.075 from a cache, 0.6 for output.
    let expected = (6.0 * 0.15 + 4.0 * 0.075 + 7.0 * 0.6) / 1e6;
    for (asked, model) in [("small", "small"), ("gpt-4o-mini", "gpt-*"), ("gpt-nobody-knows", "gpt-*")] {
        assert_eq!(gateway.ask(&OPENAI.request(asked, false)).await.status(), 200);
        let cost = gateway.metric(&format!("weir_cost_total{{model=\"{model}\"}}")).await;
        assert!((cost - expected).abs() < 1e-12, "{asked}: {cost}");
    }
}
