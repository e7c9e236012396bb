//! `usage = "auto"`, the default: usage is requested where tokens matter, and estimated from the content if the
//! provider does not send it.

use serde_json::Value;
use weir_tests::{Answer, Gateway, Received, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, TOKENS};

const SILENT: &str = "{\"model\":\"priced\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"stream\":true }";

/// An OpenAI-shaped provider with a model that has a price (a dollar for a token of input, a thousandth for one of
/// output), and one without.
fn config(upstream: &Upstream, more: &str) -> String {
    format!(
        "[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         retry = {{ max_retries = 0 }}\nbreaker = {{ min_attempts = 1000000 }}\n{more}\n\
         [[models]]\nalias = \"priced\"\n\
         target = {{ provider = \"openai\", model = \"m\", price = {{ input = 1000000, output = 1000 }} }}\n\
         [[models]]\nalias = \"free\"\ntarget = {{ provider = \"openai\", model = \"m\" }}\n",
        upstream.url()
    )
}

fn is_asked(request: &Received) -> bool {
    request.json()["stream_options"]["include_usage"] == true
}

/// The stream as the service sends it: with a usage frame and an empty member in all others if usage was requested.
fn stream(asked: bool) -> Vec<String> {
    let mut frames = OPENAI.stream();
    if asked {
        for frame in frames.iter_mut().filter(|frame| !frame.contains("usage") && !frame.contains("[DONE]")) {
            *frame = frame.replace("}\n\n", ",\"usage\":null}\n\n");
        }
    } else {
        frames.remove(4);
    }
    frames
}

fn streamed(asked: bool) -> Answer {
    stream(asked).iter().fold(Answer::sse(), Answer::piece).end()
}

async fn service() -> Upstream {
    Upstream::scripted(|request| streamed(is_asked(request))).await
}

async fn cost(gateway: &Gateway, model: &str) -> f64 {
    gateway.until_metric("weir_in_flight", 0.0).await;
    gateway.metric(&format!("weir_cost_total{{model=\"{model}\"}}")).await
}

fn reported() -> f64 {
    TOKENS.input as f64 + TOKENS.output as f64 / 1000.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_client_asks_for_no_usage_costs_what_it_costs_and_stays_the_same_bytes() {
    let mut upstream = service().await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    let reply = gateway.post("/v1/chat/completions", SILENT).await;
    assert_eq!(reply.text(), stream(false).concat(), "byte for byte as without the question");
    assert!(is_asked(&upstream.request().await));
    // Cache reads cost as much as input if they have no price.
    assert!((cost(&gateway, "priced").await - reported()).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_asked_for_its_usage_where_tokens_are_limited_and_nowhere_else() {
    for (more, is_limited) in [
        ("", false),
        ("limits = { requests_per_minute = 100 }", false),
        ("limits = { tokens_per_minute = 100000 }", true),
        ("[server]\naddress_limits = { output_tokens_per_minute = 100000 }", true),
        ("[[clients]]\nname = \"me\"\nkey = \"secret\"\nlimits = { tokens_per_minute = 100000 }", true),
    ] {
        let mut upstream = service().await;
        let gateway = Gateway::open(&config(&upstream, more)).await;
        let request = Request::post("/v1/chat/completions", SILENT.replace("priced", "free"));
        let reply = gateway.ask(&request.header("authorization", "Bearer secret")).await;
        assert_eq!(reply.text(), stream(false).concat(), "{more}");
        assert_eq!(is_asked(&upstream.request().await), is_limited, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_is_asked_for_its_usage_once_another_that_has_one_is_known_to_serve_it() {
    let named = |asked: bool| stream(asked).concat().replace("\"model\":\"openai\"", "\"model\":\"gpt-4o-mini\"");
    assert!(named(false).contains("gpt-4o-mini"));
    let mut upstream = Upstream::scripted(move |request| {
        Answer::whole(200, &[("content-type", "text/event-stream")], named(is_asked(request)))
    })
    .await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for n in 0..3 {
        let reply = gateway.post("/v1/chat/completions", &SILENT.replace("priced", "free")).await;
        assert_eq!(reply.text(), named(false));
        assert_eq!(is_asked(&upstream.request().await), n > 0, "{n}");
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tap_keeps_every_byte_and_prices_the_content() {
    let mut upstream = service().await;
    let gateway = Gateway::open(&config(&upstream, "usage = \"tap\"")).await;
    let reply = gateway.post("/v1/chat/completions", SILENT).await;
    assert_eq!(reply.text(), stream(false).concat());
    assert_eq!(upstream.request().await.text(), SILENT.replace("priced", "m"));
    let spent = cost(&gateway, "priced").await;
    let estimated = |bucket: &str| format!("weir_tokens_estimated_total{{bucket=\"{bucket}\",model=\"priced\"}}");
    let (input, output) = (gateway.metric(&estimated("input")).await, gateway.metric(&estimated("output")).await);
    assert!(input > 0.0 && (4.0..12.0).contains(&output), "{input} and {output} for {TEXT}");
    assert!((spent - input - output / 1000.0).abs() < 1e-9, "{spent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_question_is_not_asked_again() {
    let mut upstream = Upstream::scripted(|request| {
        let refusal = "{\"error\":{\"message\":\"unknown field stream_options\",\"type\":\"invalid_request_error\"}}";
        if request.json().get("stream_options").is_some() { Answer::json(400, refusal) } else { streamed(false) }
    })
    .await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for n in 0..3 {
        let reply = gateway.post("/v1/chat/completions", SILENT).await;
        assert_eq!((reply.status(), reply.text()), (200, stream(false).concat()));
        assert_eq!(is_asked(&upstream.request().await), n == 0);
        if n == 0 {
            assert!(!is_asked(&upstream.request().await), "the same without the question");
        }
        assert!(upstream.unseen().is_none());
    }
    assert!(cost(&gateway, "priced").await > 0.0, "the content is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_another_reason_is_passed_on_and_not_remembered() {
    let mut upstream = Upstream::always(Answer::json(400, "{\"error\":{\"message\":\"no such thing\"}}")).await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    let reply = gateway.post("/v1/chat/completions", SILENT).await;
    assert_eq!((reply.status(), reply.text().contains("no such thing")), (400, true));
    assert!(is_asked(&upstream.request().await) && !is_asked(&upstream.request().await));
    upstream.script(|request| streamed(is_asked(request)));
    gateway.post("/v1/chat/completions", SILENT).await;
    assert!(is_asked(&upstream.request().await), "it may take the question");
    // A provider that accepted the member once refuses something else.
    upstream.now(Answer::json(400, "{\"error\":{\"message\":\"no such thing\"}}"));
    assert_eq!(gateway.post("/v1/chat/completions", SILENT).await.status(), 400);
    assert!(is_asked(&upstream.request().await));
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_comes_uncompressed() {
    let mut upstream = service().await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    let request = Request::post("/v1/chat/completions", SILENT).header("accept-encoding", "gzip");
    assert_eq!(gateway.ask(&request).await.text(), stream(false).concat());
    assert_eq!(upstream.request().await.header("accept-encoding"), Some("identity"));
    let request =
        Request::post("/v1/chat/completions", SILENT.replace("priced", "free")).header("accept-encoding", "gzip");
    gateway.ask(&request).await;
    assert_eq!(upstream.request().await.header("accept-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_cost_are_booked_under_the_provider_that_answered_and_the_client_that_asked() {
    let (first, second) = (Upstream::always(Answer::json(500, "{}")).await, service().await);
    let provider = |name: &str, upstream: &Upstream| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\nbreaker = {{ min_attempts = 1000000 }}\n",
            upstream.url()
        )
    };
    let price = "price = { input = 1000000, output = 1000 }";
    let settings = format!(
        "[metrics]\ngen_ai = true\n{}{}[[models]]\nalias = \"both\"\ntargets = [{{ provider = \"first\", model = \"m\", {price} }}, \
         {{ provider = \"second\", model = \"m\", {price} }}]\n\
         [[models]]\nalias = \"both-t\"\ntranslate = true\ntargets = [{{ provider = \"first\", model = \"m\", {price} }}, \
         {{ provider = \"second\", model = \"m\", {price} }}]\n[[clients]]\nname = \"me\"\nkey = \"secret\"\n",
        provider("first", &first),
        provider("second", &second)
    );
    let gateway = Gateway::open(&settings).await;
    for model in ["both", "both-t"] {
        let body = SILENT.replace("priced", model);
        let request = Request::post("/v1/chat/completions", body).header("authorization", "Bearer secret");
        assert_eq!(gateway.ask(&request).await.status(), 200);
        gateway.until_metric("weir_in_flight", 0.0).await;
        let text = gateway.metrics().await;
        let spent = format!("weir_cost_total{{client=\"me\",model=\"{model}\",provider=\"second\"}}");
        assert!((gateway.metric(&spent).await - reported()).abs() < 1e-9, "{text}");
        assert_eq!(gateway.metric(&format!("weir_cost_total{{model=\"{model}\",provider=\"first\"}}")).await, 0.0);
        for series in [
            format!("weir_tokens_total{{bucket=\"output\",client=\"me\",model=\"{model}\",provider=\"second\"}}"),
            format!(
                "gen_ai_client_token_usage_count{{gen_ai_provider_name=\"second\",gen_ai_request_model=\"{model}\",gen_ai_token_type=\"output\"}}"
            ),
            format!(
                "gen_ai_client_operation_duration_seconds_count{{gen_ai_provider_name=\"second\",gen_ai_request_model=\"{model}\"}}"
            ),
            format!("weir_requests_total{{client=\"me\",outcome=\"ok\",route=\"{model}\"}}"),
        ] {
            assert!(gateway.metric(&series).await > 0.0, "{series}: {text}");
            assert_eq!(
                gateway.metric(&series.replace("second", "first").replace("\"ok\"", "\"none\"")).await,
                0.0,
                "{series}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_is_not_known_is_counted_and_is_not_nothing() {
    let upstream = service().await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for body in [SILENT.replace("priced", "free"), SILENT.replace("priced", "free").replace("true }", "false }")] {
        gateway.post("/v1/chat/completions", &body).await;
    }
    gateway.until_metric("weir_price_unknown_total{model=\"free\",provider=\"openai\"}", 2.0).await;
    assert!(!gateway.metrics().await.contains("weir_cost_total{client=\"\",model=\"free\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_target_of_a_pattern_is_known_by_the_name_that_is_asked_for() {
    let (dear, cheap) = (service().await, service().await);
    let provider = |name: &str, adapter: &str, upstream: &Upstream| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"KEY\"\n",
            upstream.url()
        )
    };
    let settings = format!(
        "{}{}[[models]]\nalias = \"gpt-*\"\nstrategy = \"cheapest\"\ntargets = [\
         {{ provider = \"dear\", price = {{ input = 1000, output = 1000 }} }}, {{ provider = \"cheap\" }}]\n",
        provider("dear", "openai", &dear),
        provider("cheap", "openai", &cheap)
    );
    let gateway = Gateway::open(&settings).await;
    let reply = gateway.post("/v1/chat/completions", &SILENT.replace("priced", "gpt-4o-mini")).await;
    assert_eq!(reply.header("x-weir-provider"), Some("cheap"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_tokens_are_no_more_than_the_input_in_both_lanes() {
    let usage = |read: u32, write: u32| {
        format!(
            "\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":7,\"total_tokens\":17,\"prompt_tokens_details\":\
             {{\"cached_tokens\":{read},\"cache_write_tokens\":{write}}}}}}}"
        )
    };
    for (read, write, expected) in [(60, 0, [0.0, 10.0, 0.0]), (8, 7, [0.0, 8.0, 2.0]), (0, 70, [0.0, 0.0, 10.0])] {
        let whole = OPENAI.whole();
        let body = format!("{}{}", whole.split("\"usage\"").next().unwrap(), usage(read, write));
        let upstream = Upstream::always(Answer::json(200, body)).await;
        let gateway = Gateway::open(&crate::wire_format::config(&upstream)).await;
        for model in ["openai", "openai-t"] {
            gateway.ask(&OPENAI.request(model, false)).await;
            for (bucket, figure) in ["input", "cache_read", "cache_write"].into_iter().zip(expected) {
                gateway
                    .until_metric(&format!("weir_tokens_total{{bucket=\"{bucket}\",model=\"{model}\"}}"), figure)
                    .await;
            }
        }
        let answer: Value = gateway.ask(&ANTHROPIC.request("openai", false)).await.json();
        let usage = &answer["usage"];
        let sum: u64 = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
            .iter()
            .filter_map(|name| usage[name].as_u64())
            .sum();
        assert_eq!(sum, 10, "{usage}");
    }
}
