//! Failures: reported in the client's own format, with the right status, and never disguised as success.

use std::time::Duration;

use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, GEMINI, OPENAI, WireFormat, ZETA, config, config_of};

/// The beginning of a stream, with content.
fn begun(to: WireFormat) -> Answer {
    to.stream()[..2].iter().fold(to.begin(), Answer::piece)
}

fn series(stream: &str) -> String {
    format!("weir_stream_errors_total{{side=\"{stream}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_a_stream_that_dies_ends_with_an_error_and_without_a_finish() {
    for to in ALL {
        let upstream = Upstream::always(begun(to).close()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let mut broken = 0.0;
        for from in ALL {
            for model in [to.name.to_owned(), to.translated()] {
                let reply = gateway.ask(&from.request(&model, true)).await;
                let parsed = from.parsed(&reply, true);
                let place = format!("{} to {model}: {}", from.name, reply.text());
                assert!(parsed.error.is_some(), "{place}");
                assert_eq!((parsed.finish, parsed.complete), (None, false), "{place}");
                assert!(reply.cut, "a client that reads no errors sees the cut: {place}");
                broken += 1.0;
            }
        }
        gateway.until_metric(&series("upstream"), broken).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_a_reset_is_a_death_too() {
    for model in ["openai", "openai-t"] {
        let gate = Gate::default();
        let upstream = Upstream::always(begun(OPENAI).gate(&gate).reset()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request(model, true)).await;
        client.head().await;
        client.until("Gr").await;
        gate.open();
        let (rest, cut) = client.rest().await;
        assert!(String::from_utf8_lossy(&rest).contains("\"error\""), "{}", String::from_utf8_lossy(&rest));
        assert!(cut);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_half_an_event_does_not_swallow_the_error() {
    for to in ALL {
        let piece = &to.stream()[2];
        for half in [1, piece.len() / 2, piece.len() - 1] {
            let half = &piece[..piece.floor_char_boundary(half)];
            let upstream = Upstream::always(begun(to).piece(half).close()).await;
            let gateway = Gateway::open(&config(&upstream)).await;
            for model in [to.name.to_owned(), to.translated()] {
                let reply = gateway.ask(&to.request(&model, true)).await;
                let parsed = to.parsed(&reply, true);
                assert!(parsed.error.is_some(), "{model} after {half:?}: {}", reply.text());
                assert!(!parsed.complete);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c21_an_error_in_the_stream_is_translated_too() {
    let failures = [
        (OPENAI, "data: {\"error\":{\"message\":\"oops\",\"type\":\"server_error\",\"code\":null}}\n\n"),
        (
            ANTHROPIC,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"oops\"}}\n\n",
        ),
        (ZETA, "{\"k\":\"woe\",\"woe\":{\"sort\":\"too-many\",\"words\":\"oops\"}}\n"),
    ];
    for (to, failure) in failures {
        let upstream = Upstream::always(begun(to).piece(failure).end()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            let reply = gateway.ask(&from.request(&to.translated(), true)).await;
            let parsed = from.parsed(&reply, true);
            let place = format!("{} to {}: {}", from.name, to.name, reply.text());
            assert!(parsed.error.is_some_and(|error| error.to_string().contains("oops")), "{place}");
            assert_eq!((parsed.finish, parsed.complete), (None, false), "{place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_a_failure_before_the_first_word_has_its_own_status() {
    for to in ALL {
        let body = match to.name {
            "openai" => {
                "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_exceeded\",\"code\":\"rate_limit_exceeded\"}}"
            }
            "anthropic" => "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow down\"}}",
            _ => "{\"woe\":{\"sort\":\"too-fast\",\"words\":\"slow down\"}}",
        };
        let upstream = Upstream::always(Answer::json(429, body)).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            for stream in [false, true] {
                let reply = gateway.ask(&from.request(&to.translated(), stream)).await;
                let place = format!("{} to {}: {}", from.name, to.name, reply.text());
                assert_eq!(reply.status(), 429, "{place}");
                assert_eq!(from.error(&reply).as_deref(), Some("slow down"), "{place}");
                assert_eq!(reply.header("x-weir-error-source"), Some("upstream"), "{place}");
                assert!(reply.header("x-request-id").is_some());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_a_stream_whose_first_frame_is_an_error_is_no_success() {
    let failure =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"oops\"}}\n\n";
    let upstream = Upstream::always(Answer::sse().piece(failure).end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&OPENAI.request("anthropic", true)).await;
    assert_eq!(reply.status(), 503, "{}", reply.text());
    assert_eq!(OPENAI.error(&reply).as_deref(), Some("oops"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_answers_nothing_or_nonsense_is_a_bad_gateway() {
    let answers = [
        ("closed", Answer::default().close()),
        ("no http", Answer::raw("hello\r\n\r\n").close()),
        (
            "half a body",
            Answer::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").close(),
        ),
        ("no json", Answer::json(200, "<html>")),
        ("no answer", Answer::json(200, "[]")),
        ("nothing", Answer::json(200, "")),
    ];
    for (what, answer) in answers {
        let upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            let reply = gateway.ask(&from.request("anthropic-t", false)).await;
            assert_eq!(reply.status(), 502, "{what} for {}: {}", from.name, reply.text());
            assert!(from.error(&reply).is_some(), "{what} for {}: {}", from.name, reply.text());
            assert_eq!(reply.header("x-weir-error-source"), Some("upstream"), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_answer_that_breaks_off_is_cut_and_never_mended() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let body = if head.starts_with("content") { "{\"half\":" } else { "8\r\n{\"half\":\r\n" };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n\r\n{body}");
        let upstream = Upstream::always(Answer::raw(answer).close()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            let reply = gateway.ask(&from.request(from.name, false)).await;
            assert_eq!((reply.text().as_str(), reply.cut), ("{\"half\":", true), "{head} for {}", from.name);
        }
        gateway.until_metric(&series("upstream"), 3.0).await;
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_before_it_began_is_a_bad_gateway() {
    for to in ALL {
        let upstream = Upstream::always(to.begin().end()).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            let reply = gateway.ask(&from.request(&to.translated(), true)).await;
            assert_eq!(reply.status(), 502, "{} to {}: {}", from.name, to.name, reply.text());
            assert!(from.error(&reply).is_some(), "{}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let upstream = Upstream::always(Answer::default()).await;
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let port = upstream.origin().rsplit(':').next().unwrap_or_default().to_owned();
    let gateway = Gateway::open(&config(&upstream).replace(&port, &free.to_string())).await;
    for from in ALL {
        for model in [from.name.to_owned(), from.translated()] {
            let reply = gateway.ask(&from.request(&model, true)).await;
            assert_eq!(reply.status(), 502, "{}", reply.text());
            assert!(from.error(&reply).is_some());
        }
    }
}

fn timed(upstream: &Upstream, timeouts: &str) -> String {
    config(upstream).replace("timeouts = { connect = \"5s\" }", &format!("timeouts = {{ {timeouts} }}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_a_silent_provider_is_abandoned_at_the_first_byte_timeout() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::open(&timed(&upstream, "first_byte = \"50ms\"")).await;
    for from in ALL {
        for model in [from.name.to_owned(), from.translated()] {
            let reply = gateway.ask(&from.request(&model, true)).await;
            assert_eq!(reply.status(), 504, "{model}: {}", reply.text());
            assert!(from.error(&reply).is_some());
            upstream.departure().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_a_stream_that_falls_silent_ends_with_an_error() {
    for to in ALL {
        for timeouts in ["idle = \"50ms\"", "total = \"800ms\""] {
            let mut upstream = Upstream::always(begun(to).hang()).await;
            let gateway = Gateway::open(&timed(&upstream, timeouts)).await;
            for model in [to.name.to_owned(), to.translated()] {
                let reply = gateway.ask(&to.request(&model, true)).await;
                let parsed = to.parsed(&reply, true);
                assert!(parsed.error.is_some(), "{timeouts} {model}: {}", reply.text());
                assert_eq!((parsed.finish, parsed.complete), (None, false));
                upstream.departure().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_a_stream_that_lasts_longer_than_its_idle_time_goes_on() {
    let gate = Gate::default();
    let mut answer = OPENAI.begin().piece(&OPENAI.stream()[0]);
    for _ in 0..20 {
        answer = answer.gate(&gate).piece(&OPENAI.stream()[1]);
    }
    let upstream = Upstream::always(answer.piece("data: [DONE]\n\n").end()).await;
    let gateway = Gateway::open(&timed(&upstream, "idle = \"700ms\", first_byte = \"5s\"")).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("openai", true)).await;
    client.head().await;
    // The provider's own pace, which this test is about.
    let mut pace = tokio::time::interval(Duration::from_millis(60));
    for _ in 0..20 {
        pace.tick().await;
        gate.open();
        client.until("Gr").await;
    }
    assert!(!client.rest().await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_the_provider_refuses_is_the_gateways_trouble() {
    let body = "{\"error\":{\"message\":\"Incorrect API key provided: KEY-OF-openai\",\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\"}}";
    let upstream = Upstream::always(Answer::json(401, body)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&ANTHROPIC.request("openai", false)).await;
    assert_eq!(reply.status(), 502, "{}", reply.text());
    assert!(!reply.text().contains("KEY-OF"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn c83_the_reason_of_an_error_survives() {
    let long = "{\"error\":{\"message\":\"maximum context length is 8192 tokens\",\"type\":\"invalid_request_error\",\"param\":\"messages\",\"code\":\"context_length_exceeded\"}}";
    for (status, body, expected) in [
        (400, long, 400),
        (
            404,
            "{\"error\":{\"message\":\"no such model\",\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}}",
            404,
        ),
    ] {
        let upstream = Upstream::always(Answer::json(status, body)).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in [OPENAI, ANTHROPIC] {
            let reply = gateway.ask(&from.request("openai-t", false)).await;
            assert_eq!(reply.status(), expected, "{}", reply.text());
            assert!(from.error(&reply).is_some_and(|message| body.contains(&message)), "{}", reply.text());
        }
    }
}

/// Clients shorten the conversation, or wait, by the code of their own format.
#[tokio::test(flavor = "multi_thread")]
async fn long_conversations_and_used_up_limits_have_the_code_of_the_clients_format() {
    let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 300000 tokens > 200000 maximum"}}"#;
    let limit = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    let long_there = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"The input token count (300000) exceeds the maximum number of tokens allowed (200000)."}}"#;
    let limit_there = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow down"}}"#;
    for (model, status, body, code) in [
        ("anthropic", 400, long, "context_length_exceeded"),
        ("anthropic", 429, limit, "rate_limit_exceeded"),
        ("gemini", 400, long_there, "context_length_exceeded"),
        ("gemini", 429, limit_there, "rate_limit_exceeded"),
    ] {
        let upstream = Upstream::always(Answer::json(status, body)).await;
        let gateway = Gateway::open(&config_of(&[ANTHROPIC, GEMINI], &upstream)).await;
        for stream in [false, true] {
            let reply = gateway.ask(&OPENAI.request(model, stream)).await;
            assert_eq!((reply.status(), &reply.json()["error"]["code"]), (status, &code.into()), "{}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_the_id_that_the_client_gave() {
    let upstream = Upstream::always(Answer::default()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let request = Request::post("/zeta/v0/minds/unknown:parley", "{}").header("x-request-id", "mine-1");
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 404);
    for name in ["x-request-id", "zeta-ref", "zeta-woe"] {
        assert_eq!(reply.header(name), Some("mine-1"), "{name}");
    }
    assert_eq!(reply.json()["woe"]["ref"], "mine-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_verb_is_unknown_in_the_formats_own_error_with_the_verbs_that_there_are() {
    let upstream = Upstream::always(OPENAI.begin()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.post("/v1beta/models/gemini:generateContnt", "{\"contents\": []}").await;
    let error = &reply.json()["error"];
    assert_eq!((reply.status(), &error["status"]), (404, &"NOT_FOUND".into()), "{}", reply.text());
    let message = error["message"].as_str().unwrap();
    for part in ["`:generateContnt`", "did you mean `:generateContent`?", "streamGenerateContent"] {
        assert!(message.contains(part), "{message}");
    }
    // With another method, a verb that there is does not become a part of the model's name.
    for method in ["DELETE", "GET"] {
        let reply = gateway.ask(&Request::new(method, "/v1beta/models/gemini:generateContent")).await;
        assert_eq!((reply.status(), reply.header("allow")), (405, Some("POST")), "{}", reply.text());
    }
}
