//! A provider that fails in every way: the errors of clients of each dialect, and the records of the meter and the
//! breaker.

use weir_tests::{Answer, Folder, Gate, Gateway, Reply, Request, Upstream, soon};

use crate::retries::provider;
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, config_of, gemini, provider as serving};

/// Each dialect's request for a model, and the members of its error with the message and the kind.
fn dialects(model: &str, stream: bool) -> [(&'static str, Request, [&'static str; 2]); 3] {
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let body = "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}]}";
    let gemini = Request::post(&format!("/v1beta/models/{model}:{verb}"), body);
    [
        ("openai", OPENAI.request(model, stream), ["/error/message", "/error/type"]),
        ("anthropic", ANTHROPIC.request(model, stream), ["/error/message", "/error/type"]),
        ("gemini", gemini, ["/error/message", "/error/status"]),
    ]
}

fn is_told(reply: &Reply, places: [&str; 2]) -> bool {
    let body = reply.json();
    places
        .iter()
        .all(|place| body.pointer(place).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty())))
}

struct Case {
    what: &'static str,
    answer: Answer,
    status: u16,
    reason: &'static str,
    /// Whether it counts against the target.
    counts: bool,
}

/// The answer of a server that takes a request for one for another protocol.
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

fn cases() -> Vec<Case> {
    let case = |what, answer, status, reason, counts| Case { what, answer, status, reason, counts };
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "x-more: and more\r\n".repeat(20_000));
    let half = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"half\":";
    let html = "<html><body><h1>Bad Gateway</h1></body></html>";
    let typed = |kind| [("content-type", kind)];
    vec![
        case("closes", Answer::default().close(), 502, "reset", true),
        case("resets", Answer::default().reset(), 502, "reset", true),
        case("says nothing", Answer::silence(), 504, "timeout", true),
        case("stalls behind its head", Answer::raw(&half[..half.len() - 8]).hang(), 504, "timeout", true),
        case("stalls in the midst", Answer::raw(half).hang(), 504, "timeout", true),
        case("breaks off in the midst", Answer::raw(half).close(), 502, "reset", true),
        case("sends heads without end", Answer::raw(endless).hang(), 502, "garbled", true),
        case("is not HTTP", Answer::raw("220 mail.example ESMTP\r\n\r\n").close(), 502, "garbled", true),
        case("sends a page", Answer::whole(200, &typed("text/html"), html), 502, "upstream", true),
        case("sends a page as an error", Answer::whole(502, &typed("text/html"), html), 502, "upstream", true),
        case(
            "is not UTF-8",
            Answer::whole(200, &typed("application/json"), b"{\"choices\":\"\xff\"}"),
            502,
            "upstream",
            true,
        ),
        case("redirects", Answer::whole(307, &[("location", "http://127.0.0.1:1/x")], ""), 502, "upstream", true),
        case("switches to another protocol", Answer::raw(SWITCHING).close(), 502, "upstream", true),
        case("fails", Answer::json(500, "{\"error\":{\"message\":\"broken\"}}"), 500, "upstream", true),
        case("is overloaded", Answer::json(503, "{\"error\":{\"message\":\"busy\"}}"), 503, "overloaded", true),
        case(
            "limits",
            Answer::json(429, "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\"}}"),
            429,
            "rate_limited",
            false,
        ),
        case(
            "knows no such model",
            Answer::json(404, "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}"),
            404,
            "not_found",
            false,
        ),
        case(
            "refuses the key",
            Answer::json(401, "{\"error\":{\"message\":\"bad key\",\"code\":\"invalid_api_key\"}}"),
            502,
            "credential",
            false,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_rendered_in_each_dialect_and_recorded_against_the_right_side() {
    for Case { what, answer, status, reason, counts } in cases() {
        let upstream = Upstream::always(answer).await;
        let settings = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 6, max_cooldown = \"0s\", open = \"1h\" }\n\
                        timeouts = { first_byte = \"600ms\", idle = \"600ms\" }";
        let folder = Folder::with(&["openai", "anthropic", "gemini"]);
        let gateway = Gateway::with(folder, &provider(&upstream, OPENAI, "p", settings)).await;
        for stream in [false, true] {
            for (dialect, request, places) in dialects("p-t", stream) {
                let reply = gateway.ask(&request).await;
                let place = format!("it {what}, {dialect}, stream {stream}: {} {}", reply.status(), reply.text());
                // A stream begins with its readable part: half an answer is one that breaks off.
                assert_eq!(reply.status(), status, "{place}");
                assert!(is_told(&reply, places), "{place}");
                assert_eq!(reply.attempts(), Some("1"), "{place}");
            }
        }
        let failed = format!("weir_attempt_failures_total{{provider=\"p\",reason=\"{reason}\",side=\"upstream\"}}");
        assert_eq!(gateway.metric(&failed).await, 6.0, "it {what}: {}", gateway.metrics().await);
        let state = gateway.metric("weir_breaker_state{model=\"openai\",provider=\"p\"}").await;
        assert_eq!(state, if counts { 2.0 } else { 0.0 }, "it {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_no_model_answers_with_is_a_failure_in_both_lanes_and_another_provider_steps_in() {
    let mut elsewhere = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let to = elsewhere.url();
    let second = serving(OPENAI).await;
    let model = "[[models]]\nalias = \"both\"\nstrategy = \"priority\"\n\
                 targets = [{ provider = \"p\", model = \"m\" }, { provider = \"second\", model = \"m\" }]\n";
    let quick = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 100 }";
    for (status, answer) in [
        (302, Answer::whole(302, &[("location", &to)], "")),
        (308, Answer::whole(308, &[("location", &to)], "")),
        (101, Answer::raw(SWITCHING).close()),
        (600, Answer::whole(600, &[("content-type", "application/json")], "{}")),
        (204, Answer::raw("HTTP/1.1 204 No Content\r\n\r\n")),
        (206, Answer::whole(206, &[("content-type", "application/json")], "{\"id\":")),
        (200, Answer::whole(200, &[("content-type", "application/json")], "")),
    ] {
        let upstream = Upstream::always(answer).await;
        let config = provider(&upstream, OPENAI, "p", quick) + &provider(&second, OPENAI, "second", quick) + model;
        let gateway = Gateway::open(&config).await;
        for (alias, stream) in [("p", false), ("p", true), ("p-t", false), ("p-t", true)] {
            let reply = gateway.ask(&OPENAI.request(alias, stream)).await;
            assert_eq!(reply.status(), 502, "{status}, {alias}, stream {stream}: {}", reply.text());
            assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("the provider")), "{}", reply.text());
            assert_eq!(reply.header("location"), None, "{status}");
            let reply = gateway.ask(&OPENAI.request("both", stream)).await;
            assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("second")), "{}", reply.text());
        }
        let failed = "weir_attempt_failures_total{provider=\"p\",reason=\"upstream\",side=\"upstream\"}";
        assert_eq!(gateway.metric(failed).await, 8.0, "{status}: {}", gateway.metrics().await);
    }
    assert!(elsewhere.unseen().is_none(), "no redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_closes_kept_connections_at_the_worst_time_costs_nothing() {
    let closed = Gate::default();
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole()).close_and_tell(&closed)).await;
    let gateway = Gateway::open(&provider(&upstream, OPENAI, "p", "retry = { max_retries = 0 }")).await;
    for round in 0..20 {
        let reply = gateway.ask(&OPENAI.request("p", false)).await;
        assert_eq!(reply.status(), 200, "round {round}: {}", reply.text());
        // If the end came while the next request is under way, nobody could tell whether the provider has taken that,
        // and it would be for the retry policy to decide: see `resends`.
        soon("the provider to close", closed.pass()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_drips_is_waited_for() {
    let mut answer = Answer::begin(200, &[("content-type", "application/json")]);
    answer = answer.pieces(OPENAI.whole(), 1).end();
    let upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&provider(&upstream, OPENAI, "p", "timeouts = { idle = \"5s\" }")).await;
    for model in ["p", "p-t"] {
        assert_eq!(gateway.ask(&OPENAI.request(model, false)).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_break_trip_the_breaker() {
    let begun = OPENAI.stream()[..2].iter().fold(OPENAI.begin(), Answer::piece);
    let upstream = Upstream::always(begun.close()).await;
    let gateway =
        Gateway::open(&provider(&upstream, OPENAI, "p", "breaker = { min_attempts = 4, open = \"1h\" }")).await;
    for model in ["p", "p-t", "p", "p-t"] {
        let reply = gateway.ask(&OPENAI.request(model, true)).await;
        assert_eq!((reply.status(), reply.cut), (200, true), "{}", reply.text());
    }
    gateway.until_metric("weir_breaker_state{model=\"openai\",provider=\"p\"}", 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_comes_into_a_stream_of_events_as_bare_json_is_the_streams_failure() {
    let begun = format!("data: {}\n\n", gemini(r#"{"text":"Gr"}"#, false));
    let error = "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"It is overloaded.\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n";
    let stream = begun + error;
    for length in [1, 5, 4096] {
        let upstream = Upstream::always(Answer::sse().pieces(&stream, length).end()).await;
        let folder = Folder::with(&["openai", "anthropic", "gemini"]);
        let gateway = Gateway::with(folder, &config_of(&[GEMINI], &upstream)).await;
        let relayed = gateway.ask(&GEMINI.request("gemini", true)).await;
        assert_eq!((relayed.header("x-weir-lane"), relayed.text()), (Some("relay"), stream.clone()));
        for (dialect, request, _) in dialects("gemini-t", true) {
            let text = gateway.ask(&request).await.text();
            assert!(text.contains("Gr") && text.contains("It is overloaded."), "{dialect}, by {length}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_failures_are_ridden_out_while_another_provider_is_up() {
    let (first, second) = (serving(OPENAI).await, serving(OPENAI).await);
    let settings = "retry = { retry_delay_ms = 1 }\nbreaker = { min_attempts = 3, open = \"50ms\" }";
    let config = provider(&first, OPENAI, "first", settings)
        + &provider(&second, OPENAI, "second", settings)
        + "[[models]]\nalias = \"both\"\nstrategy = \"round-robin\"\n\
           targets = [{ provider = \"first\", model = \"m\" }, { provider = \"second\", model = \"m\" }]\n";
    let gateway = Gateway::open(&config).await;
    let down = [Answer::json(500, "{}"), Answer::default().close(), Answer::whole(429, &[("retry-after", "1")], "{}")];
    for (round, failure) in down.iter().cycle().take(12).enumerate() {
        let (bad, good) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        good.now(Answer::json(200, OPENAI.whole()));
        // The target that was down is healthy again before the other goes down: one of them is up at any time.
        let up = format!(
            "weir_cooldown_seconds{{model=\"m\",provider=\"{}\"}}",
            if round % 2 == 0 { "second" } else { "first" }
        );
        gateway.until_metric(&up, 0.0).await;
        bad.now(failure.clone());
        for _ in 0..10 {
            let reply = gateway.ask(&OPENAI.request("both", false)).await;
            assert_eq!(reply.status(), 200, "round {round}: {}", reply.text());
        }
    }
}
