//! A client that disconnects before its answer is complete is charged for what it used: reported or estimated, money
//! and limits, in both lanes and with providers of each shape.

use serde_json::json;
use weir_tests::{Answer, Client, Folder, Gateway, Request, Upstream};

/// Price in dollars for a million tokens: one dollar for a token of input, a thousandth for one of output.
const PRICE: &str = "price = { input = 1000000, output = 1000 }";
/// The text of an unfinished answer; about 26 tokens by estimate.
const WORDS: &str =
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.";

/// A provider's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

const SHAPES: [Shape; 3] = [Shape::OpenAi, Shape::Anthropic, Shape::Gemini];

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    fn request(self, model: &str, stream: bool) -> Request {
        match self {
            Self::OpenAi => {
                let body = json!({"model": model, "messages": [{"role": "user", "content": "Tell me a tale"}], "stream": stream});
                Request::post("/v1/chat/completions", body.to_string())
            }
            Self::Anthropic => {
                let body = json!({"model": model, "max_tokens": 1000, "stream": stream,
                    "messages": [{"role": "user", "content": "Tell me a tale"}]});
                Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
            }
            Self::Gemini => {
                let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let body = json!({"contents": [{"role": "user", "parts": [{"text": "Tell me a tale"}]}]});
                Request::post(&format!("/v1beta/models/{model}:{verb}"), body.to_string())
            }
        }
    }

    /// The beginning of a stream, before any content.
    fn opening(self) -> Vec<String> {
        match self {
            Self::OpenAi => vec![sse(
                "",
                &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}),
            )],
            Self::Anthropic => vec![
                sse(
                    "message_start",
                    &json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
                    "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null,
                    "usage": {"input_tokens": 9, "output_tokens": 1}}}),
                ),
                sse(
                    "content_block_start",
                    &json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "text", "text": ""}}),
                ),
            ],
            Self::Gemini => Vec::new(),
        }
    }

    fn words(self, words: &str) -> String {
        match self {
            Self::OpenAi => sse(
                "",
                &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": {"content": words}, "finish_reason": null}]}),
            ),
            Self::Anthropic => sse(
                "content_block_delta",
                &json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": words}}),
            ),
            Self::Gemini => sse(
                "",
                &json!({"candidates": [{"content": {"parts": [{"text": words}], "role": "model"},
                "index": 0}], "modelVersion": "m", "responseId": "r"}),
            ),
        }
    }

    /// A tool call with half of its arguments.
    fn call(self) -> Vec<String> {
        let half = format!("{{\"tale\": \"{WORDS}");
        match self {
            Self::OpenAi => {
                let call = |call: serde_json::Value| {
                    sse(
                        "",
                        &json!({"id": "c", "object": "chat.completion.chunk",
                    "created": 1, "model": "m",
                    "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]}),
                    )
                };
                vec![
                    call(
                        json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "tell", "arguments": ""}}),
                    ),
                    call(json!({"index": 0, "function": {"arguments": half}})),
                ]
            }
            Self::Anthropic => vec![
                sse("content_block_stop", &json!({"type": "content_block_stop", "index": 0})),
                sse(
                    "content_block_start",
                    &json!({"type": "content_block_start", "index": 1,
                    "content_block": {"type": "tool_use", "id": "toolu_1", "name": "tell", "input": {}}}),
                ),
                sse(
                    "content_block_delta",
                    &json!({"type": "content_block_delta", "index": 1,
                    "delta": {"type": "input_json_delta", "partial_json": half}}),
                ),
            ],
            // Calls come whole here, but the rest of the answer does not.
            Self::Gemini => vec![sse(
                "",
                &json!({"candidates": [{"content": {"role": "model",
                "parts": [{"functionCall": {"name": "tell", "args": {"tale": WORDS}}}]}, "index": 0}],
                "modelVersion": "m", "responseId": "r"}),
            )],
        }
    }
}

fn sse(event: &str, data: &serde_json::Value) -> String {
    let event = if event.is_empty() { String::new() } else { format!("event: {event}\n") };
    format!("{event}data: {data}\n\n")
}

/// A provider for each shape with a price, and a model in each lane.
fn config(upstream: &Upstream, more: &str) -> String {
    let one = |shape: Shape| {
        let name = shape.name();
        let model = |alias: &str, lane: &str| {
            format!(
                "[[models]]\nalias = \"{alias}\"\n{lane}\ntarget = {{ provider = \"{name}\", model = \"m\", {PRICE} }}\n"
            )
        };
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\nbreaker = {{ min_attempts = 1000000 }}\n{}{}",
            upstream.url(),
            model(name, ""),
            model(&format!("{name}-t"), "translate = true")
        )
    };
    format!("{more}{}", SHAPES.map(one).concat())
}

async fn gateway(upstream: &Upstream, more: &str) -> Gateway {
    Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config(upstream, more)).await
}

async fn asked(gateway: &Gateway, upstream: &mut Upstream, request: &Request) -> Client {
    let mut client = gateway.connect().await;
    client.send(request).await;
    upstream.request().await;
    client
}

fn lanes(shape: Shape) -> [String; 2] {
    [shape.name().to_owned(), format!("{}-t", shape.name())]
}

/// The cost of a model so far, and its estimated tokens.
async fn spent(gateway: &Gateway, model: &str) -> (f64, f64, f64) {
    gateway.until_metric("weir_in_flight", 0.0).await;
    let estimated = |bucket: &str| format!("weir_tokens_estimated_total{{bucket=\"{bucket}\",model=\"{model}\"}}");
    (
        gateway.metric(&format!("weir_cost_total{{model=\"{model}\"}}")).await,
        gateway.metric(&estimated("input")).await,
        gateway.metric(&estimated("output")).await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_before_the_head_costs_the_input() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, "").await;
    for shape in SHAPES {
        for model in lanes(shape) {
            for stream in [false, true] {
                asked(&gateway, &mut upstream, &shape.request(&model, stream)).await.leave();
                upstream.departure().await;
            }
            let (cost, input, output) = spent(&gateway, &model).await;
            assert!(input > 0.0 && output == 0.0 && cost == input, "{model}: {cost} for {input} and {output}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_within_a_stream_costs_the_content_so_far() {
    for shape in SHAPES {
        let (first, rest) = WORDS.split_at(10);
        let (second, third) = rest.split_at(20);
        let pieces = [first, second, third].map(|words| shape.words(words));
        let tale = shape.opening().iter().chain(&pieces).fold(Answer::sse(), Answer::piece).hang();
        let call = shape.opening().iter().chain(&shape.call()).fold(Answer::sse(), Answer::piece).hang();
        for answer in [tale, call] {
            let mut upstream = Upstream::always(answer).await;
            let gateway = gateway(&upstream, "").await;
            for model in lanes(shape) {
                let mut client = asked(&gateway, &mut upstream, &shape.request(&model, true)).await;
                client.head().await;
                client.until("foolishness").await;
                client.leave();
                upstream.departure().await;
                let (cost, input, output) = spent(&gateway, &model).await;
                let counted =
                    gateway.metric(&format!("weir_tokens_total{{bucket=\"output\",model=\"{model}\"}}")).await;
                assert!((20.0..60.0).contains(&(output + counted)), "{model}: {output} and {counted}");
                // The input is the reported one, else an estimate.
                let counted_input =
                    gateway.metric(&format!("weir_tokens_total{{bucket=\"input\",model=\"{model}\"}}")).await;
                assert!(
                    if counted_input > 0.0 { input == 0.0 } else { input > 0.0 },
                    "{model}: {input} and {counted_input}"
                );
                let expected = input + counted_input + (output + counted) / 1000.0;
                assert!((cost - expected).abs() < 1e-6, "{model}: {cost} and not {expected}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_after_the_head_costs_the_input() {
    for shape in SHAPES {
        let answer = shape.opening().iter().fold(Answer::sse(), Answer::piece).hang();
        let mut upstream = Upstream::always(answer).await;
        let gateway = gateway(&upstream, "").await;
        for model in lanes(shape) {
            let client = asked(&gateway, &mut upstream, &shape.request(&model, true)).await;
            // In translation, how the opening is cut decides whether the answer has begun.
            if !model.ends_with("-t") {
                gateway.until_metric("weir_streams_active", 1.0).await;
            }
            client.leave();
            upstream.departure().await;
            let (cost, ..) = spent(&gateway, &model).await;
            assert!(cost > 0.0, "{model}: {cost}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_tokens_is_not_escaped_by_leaving() {
    for leaves_early in [true, false] {
        for shape in SHAPES {
            let answer = if leaves_early {
                Answer::silence()
            } else {
                let words = shape.words(&WORDS.repeat(40));
                shape.opening().iter().chain([&words]).fold(Answer::sse(), Answer::piece).hang()
            };
            let mut upstream = Upstream::always(answer).await;
            for model in lanes(shape) {
                let limited = "[server]\naddress_limits = { tokens_per_minute = 1200 }\n";
                let gateway = gateway(&upstream, limited).await;
                let request = shape.request(&model, true);
                let mut client = asked(&gateway, &mut upstream, &request).await;
                if !leaves_early {
                    client.head().await;
                    client.until("foolishness").await;
                }
                client.leave();
                upstream.departure().await;
                gateway.until_metric("weir_in_flight", 0.0).await;
                // The used or reserved amount leaves too little for another request.
                assert_eq!(gateway.ask(&request).await.status(), 429, "{model}, early: {leaves_early}");
            }
        }
    }
}

/// A client that sets a short time for itself would spend more than the budget has.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_keeps_what_it_reserved_where_the_clients_own_time_ends_as_where_it_leaves() {
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000000\nper = \"total\"\n";
    for shape in SHAPES {
        let mut answers = vec![(Answer::silence(), false), (Answer::silence(), true)];
        // Blocks that begin count as content in the other formats.
        if shape == Shape::OpenAi {
            answers.push((shape.opening().iter().fold(Answer::sse(), Answer::piece).hang(), true));
        }
        for (answer, stream) in answers {
            let mut upstream = Upstream::always(answer).await;
            let gateway = gateway(&upstream, budget).await;
            let mut before = 0;
            for model in lanes(shape) {
                let request = shape.request(&model, stream).header("x-weir-timeout-ms", "500");
                // On a busy machine the time may end before the request has left, which then costs nothing.
                let mut times = 0;
                while upstream.count_unseen() == 0 {
                    assert!(times < 20, "{model}, stream {stream}: no request left");
                    times += 1;
                    gateway.ask(&request).await;
                }
                gateway.until_metric("weir_in_flight", 0.0).await;
                let booked = gateway.get("/admin/budgets").await.json()["budgets"][0]["settled"].as_u64().unwrap();
                assert!(booked >= before + 1_000, "{model}, stream {stream}: {before} to {booked}");
                before = booked;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_costs_nothing_and_a_broken_connection_its_input() {
    for shape in SHAPES {
        for (answer, is_free) in [
            (Answer::json(500, "{}"), true),
            (Answer::json(400, "{\"error\":{\"message\":\"no\"}}"), true),
            (Answer::raw(Vec::new()).close(), false),
            (
                Answer::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{").close(),
                false,
            ),
        ] {
            let upstream = Upstream::always(answer).await;
            let gateway = gateway(&upstream, "").await;
            for model in lanes(shape) {
                gateway.ask(&shape.request(&model, false)).await;
                let (cost, input, output) = spent(&gateway, &model).await;
                assert_eq!(cost == 0.0, is_free, "{model}: {cost} for {input} and {output}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_is_none_and_names_in_another_case_are_refused() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, "").await;
    let ask = |members: &str| Request::post("/v1/chat/completions", format!("{{\"messages\":[],{members}}}"));
    for (members, named) in [
        (r#""model":"openai","stream":"true""#, "stream"),
        (r#""model":"openai","stream":1"#, "stream"),
        (r#""model":"openai","stream":"yes""#, "stream"),
        (r#""model":"openai","stream":[true]"#, "stream"),
        (r#""model":"openai","stream":true,"stream":false"#, "stream"),
        (r#""model":"openai","Stream":true"#, "Stream"),
        (r#""model":"openai","stream":false,"STREAM":true"#, "STREAM"),
        (r#""model":"openai","\u017ftream":true"#, "\u{17f}tream"),
        (r#""model":"openai","Model":"other""#, "Model"),
        (r#""MODEL":"openai""#, "MODEL"),
        (r#""model":"openai","Max_Tokens":100000"#, "Max_Tokens"),
        (r#""model":"openai","max_tokens":true"#, "max_tokens"),
        (r#""model":"openai","Stream_Options":{"include_usage":false},"stream":true"#, "Stream_Options"),
    ] {
        let reply = gateway.ask(&ask(members)).await;
        assert_eq!(reply.status(), 400, "{members}: {}", reply.text());
        let error = &reply.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| message.contains(named)), "{members}: {error}");
    }
    assert!(upstream.unseen().is_none());
    for members in [r#""model":"openai","stream":null"#, r#""model":"openai","stream":true,"stream":true"#] {
        asked(&gateway, &mut upstream, &ask(members)).await.leave();
        upstream.departure().await;
    }
}
