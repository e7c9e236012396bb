//! What is retried, what is not, and what the client sees of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_tests::{Answer, Gateway, Received, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TEXT, WireFormat};

/// A provider of each format at one upstream, each with these settings, and a model of its name; and one, `NAME-t`,
/// that is always translated.
pub(crate) fn config(upstream: &Upstream, settings: &str) -> String {
    ALL.map(|wire_format| provider(upstream, wire_format, wire_format.name, settings)).concat()
}

/// A provider of this format and name, and its models.
pub(crate) fn provider(upstream: &Upstream, wire_format: WireFormat, name: &str, settings: &str) -> String {
    let adapter = wire_format.name;
    format!(
        "[[providers]]\nname = \"{name}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_keys = [\"KEY-1\"]\n{settings}\n\
         [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{adapter}\" }}\n\
         [[models]]\nalias = \"{name}-t\"\ntranslate = true\ntarget = {{ provider = \"{name}\", model = \"{adapter}\" }}\n",
        upstream.url()
    )
}

/// Short delays, and no breaker.
pub(crate) const QUICK: &str = "retry = { retry_delay_ms = 1 }\nbreaker = { min_attempts = 1000000 }";

/// Answers the first requests with a failure, and all others well.
pub(crate) fn failing_first(
    wire_format: WireFormat,
    times: usize,
    failure: Answer,
) -> impl Fn(&Received) -> Answer + Send + Sync + 'static {
    let seen = Arc::new(AtomicUsize::new(0));
    move |_| {
        if seen.fetch_add(1, Ordering::SeqCst) < times {
            failure.clone()
        } else {
            Answer::json(200, wire_format.whole())
        }
    }
}

fn failures() -> Vec<(&'static str, usize, Answer)> {
    vec![
        ("a 500", 2, Answer::json(500, "{}")),
        ("a page of a proxy", 2, Answer::whole(502, &[("content-type", "text/html")], "<html><h1>502</h1></html>")),
        ("an overload", 2, Answer::whole(503, &[("content-type", "application/json"), ("retry-after", "0")], "{}")),
        ("a closed connection", 1, Answer::default().close()),
        ("a reset", 1, Answer::default().reset()),
        ("no http", 1, Answer::raw("hello\r\n\r\n").close()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_repetition_can_cure_is_repeated_in_both_lanes_and_every_format() {
    for (what, times, failure) in failures() {
        for to in [OPENAI, ANTHROPIC] {
            let upstream = Upstream::always(Answer::default()).await;
            let gateway = Gateway::open(&config(&upstream, QUICK)).await;
            for from in ALL {
                for model in [to.name.to_owned(), to.translated()] {
                    upstream.script(failing_first(to, times, failure.clone()));
                    let reply = gateway.ask(&from.request(&model, false)).await;
                    let place = format!("{what}, {} to {model}: {}", from.name, reply.text());
                    assert_eq!(reply.status(), 200, "{place}");
                    assert_eq!(from.parsed(&reply, false).text, TEXT, "{place}");
                    // A pooled connection that turns out to be closed is replaced without counting an attempt.
                    let attempts: usize = reply.attempts().unwrap().parse().unwrap();
                    assert!(attempts == times + 1 || (times == 1 && attempts == 1), "{attempts}: {place}");
                    assert_eq!(reply.header("x-weir-provider"), Some(to.name), "{place}");
                }
            }
            if times == 2 {
                let of = |reason| format!("weir_retries_total{{provider=\"{}\",reason=\"{reason}\"}}", to.name);
                let retried = gateway.metric(&of("upstream")).await + gateway.metric(&of("overloaded")).await;
                assert_eq!(retried, 12.0, "{what}: {}", gateway.metrics().await);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c66_what_is_the_clients_fault_is_asked_once() {
    let bodies = [
        (400, "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}"),
        (404, "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}"),
        (422, "{\"error\":{\"message\":\"no\"}}"),
        (403, "{\"error\":{\"message\":\"no\"}}"),
        (401, "{\"error\":{\"message\":\"no\"}}"),
    ];
    for (status, body) in bodies {
        let mut upstream = Upstream::always(Answer::json(status, body)).await;
        let gateway = Gateway::open(&config(&upstream, "retry = { retry_delay_ms = 1 }")).await;
        for model in ["openai", "openai-t"] {
            for _ in 0..12 {
                let reply = gateway.ask(&OPENAI.request(model, false)).await;
                assert!(reply.status() == status || reply.status() == 502, "{status} {model}: {}", reply.text());
                assert_eq!(reply.attempts(), Some("1"));
            }
        }
        // None of it counted against the provider.
        assert_eq!(gateway.metric("weir_breaker_state{model=\"openai\",provider=\"openai\"}").await, 0.0, "{status}");
        let asked = upstream.count_unseen();
        assert_eq!(asked, 24, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c66_nothing_is_tried_again_once_a_byte_has_left() {
    for to in ALL {
        let begun = to.stream()[..2].iter().fold(to.begin(), Answer::piece);
        let mut upstream = Upstream::always(begun.close()).await;
        let gateway = Gateway::open(&config(&upstream, QUICK)).await;
        for model in [to.name.to_owned(), to.translated()] {
            let reply = gateway.ask(&to.request(&model, true)).await;
            assert!(to.parsed(&reply, true).error.is_some(), "{model}: {}", reply.text());
            upstream.request().await;
            assert!(upstream.unseen().is_none(), "{model}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_end_and_the_last_failure_is_reported_in_the_clients_format() {
    let mut upstream = Upstream::always(Answer::json(500, "{\"error\":{\"message\":\"broken\"}}")).await;
    let gateway = Gateway::open(&config(&upstream, QUICK)).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("openai-t", true)).await;
        assert!(reply.status() >= 500, "{}", reply.text());
        assert!(from.error(&reply).is_some(), "{}", reply.text());
        assert_eq!(reply.attempts(), Some("3"));
        assert_eq!(upstream.count_unseen(), 3);
    }
    let failed = "weir_attempt_failures_total{provider=\"openai\",reason=\"upstream\",side=\"upstream\"}";
    assert_eq!(gateway.metric(failed).await, 9.0, "{}", gateway.metrics().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn c63_a_limit_is_waited_for_in_every_spelling_of_its_length() {
    let soon = httpdate();
    for (name, value) in [("retry-after-ms", "20"), ("retry-after", "0.02"), ("retry-after", soon.as_str())] {
        for model in ["openai", "openai-t"] {
            let upstream = Upstream::always(Answer::default()).await;
            let headers = [("content-type", "application/json"), (name, value)];
            let body = "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\"}}";
            upstream.script(failing_first(OPENAI, 1, Answer::whole(429, &headers, body)));
            let gateway = Gateway::open(&config(&upstream, "retry = { retry_delay_ms = 1 }")).await;
            let reply = gateway.ask(&OPENAI.request(model, false)).await;
            assert_eq!(reply.status(), 200, "{name}: {value}, {model}: {}", reply.text());
            assert_eq!(reply.attempts(), Some("2"));
        }
    }
}

/// A moment long ago, as a header's value.
fn httpdate() -> String {
    "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_c65_a_limit_cools_at_once_and_later_requests_get_its_end() {
    let headers = [("content-type", "application/json"), ("retry-after", "120")];
    let body = "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\"}}";
    let mut upstream = Upstream::always(Answer::whole(429, &headers, body)).await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for model in ["openai", "openai-t"] {
        for from in ALL {
            let reply = gateway.ask(&from.request(model, false)).await;
            assert_eq!(reply.status(), 429, "{}", reply.text());
            let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((100..=120).contains(&after), "{after}");
        }
    }
    upstream.request().await;
    assert!(upstream.unseen().is_none(), "both models lead to one target, and that was asked once");
    let reply = gateway.ask(&ANTHROPIC.request("openai", true)).await;
    assert!(ANTHROPIC.error(&reply).is_some(), "{}", reply.text());
    assert_eq!(reply.attempts(), Some("0"));
    let rests = gateway.metric("weir_cooldown_seconds{model=\"openai\",provider=\"openai\"}").await;
    assert!((100.0..=120.0).contains(&rests), "{rests}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_without_a_known_end_refuses_no_later_request() {
    let settings = "retry = { max_retries = 0 }\nbreaker = { cooldown = \"1m\" }";
    for to in [OPENAI, ANTHROPIC] {
        let mut upstream = Upstream::always(Answer::json(429, "{\"error\":{\"message\":\"slow down\"}}")).await;
        let gateway = Gateway::open(&config(&upstream, settings)).await;
        for model in [to.name.to_owned(), to.translated()] {
            for from in ALL {
                for stream in [false, true] {
                    for _ in 0..2 {
                        let reply = gateway.ask(&from.request(&model, stream)).await;
                        assert_eq!((reply.status(), reply.attempts()), (429, Some("1")), "{}", reply.text());
                        upstream.request().await;
                    }
                }
            }
        }
        upstream.now(Answer::json(200, to.whole()));
        assert_eq!(gateway.ask(&OPENAI.request(to.name, false)).await.status(), 200, "the next one finds it well");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_with_a_known_end_is_reported_to_later_requests() {
    for to in [OPENAI, ANTHROPIC] {
        let headers = [("content-type", "application/json"), ("retry-after", "120")];
        let mut upstream = Upstream::always(Answer::whole(429, &headers, "{}")).await;
        let gateway = Gateway::open(&config(&upstream, "")).await;
        gateway.ask(&OPENAI.request(to.name, false)).await;
        upstream.request().await;
        for model in [to.name.to_owned(), to.translated()] {
            for from in ALL {
                for stream in [false, true] {
                    let reply = gateway.ask(&from.request(&model, stream)).await;
                    assert_eq!((reply.status(), reply.attempts()), (429, Some("0")), "{}", reply.text());
                    let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
                    let message = from.error(&reply).unwrap();
                    assert!((100..=120).contains(&after), "{after}");
                    assert!(message.contains(&format!("try again in {after} s")), "{message}");
                }
            }
        }
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c65_a_target_that_fails_rests_and_one_request_finds_out_when_it_is_well() {
    let mut upstream = Upstream::always(Answer::json(500, "{}")).await;
    let settings = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 3, open = \"300ms\" }";
    let gateway = Gateway::open(&config(&upstream, settings)).await;
    for _ in 0..3 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 500);
        upstream.request().await;
    }
    let state = "weir_breaker_state{model=\"openai\",provider=\"openai\"}";
    assert_eq!(gateway.metric(state).await, 2.0);
    assert_eq!(gateway.metric("weir_breaker_trips_total{model=\"openai\",provider=\"openai\"}").await, 1.0);
    let reply = gateway.ask(&ANTHROPIC.request("openai-t", true)).await;
    assert_eq!(reply.status(), 503, "{}", reply.text());
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(upstream.unseen().is_none());
    upstream.now(Answer::json(200, OPENAI.whole()));
    gateway.until_metric(state, 1.0).await;
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    assert_eq!(gateway.metric(state).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_benches_the_key_and_not_the_provider() {
    let mut upstream = Upstream::scripted(|request| match request.header("authorization") {
        Some("Bearer KEY-BAD") => {
            Answer::json(401, "{\"error\":{\"message\":\"bad key\",\"code\":\"invalid_api_key\"}}")
        }
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await;
    let keys = config(&upstream, QUICK).replace("\"KEY-1\"", "\"KEY-BAD\", \"KEY-2\", \"KEY-3\"");
    let gateway = Gateway::open(&keys).await;
    let mut used = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..12 {
        for model in ["openai", "openai-t"] {
            let reply = gateway.ask(&OPENAI.request(model, false)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
        }
    }
    while let Some(request) = upstream.unseen() {
        *used.entry(request.header("authorization").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(used["Bearer KEY-BAD"], 1, "{used:?}");
    assert!(used["Bearer KEY-2"] >= 8 && used["Bearer KEY-3"] >= 8, "the others take turns: {used:?}");
    assert_eq!(gateway.metric("weir_breaker_state{model=\"openai\",provider=\"openai\"}").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_one_key_leaves_the_others() {
    let upstream = Upstream::scripted(|request| match request.header("authorization") {
        Some("Bearer KEY-1") => Answer::whole(429, &[("retry-after", "60")], "{}"),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await;
    let gateway = Gateway::open(&config(&upstream, "").replace("\"KEY-1\"", "\"KEY-1\", \"KEY-2\"")).await;
    for _ in 0..4 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    }
    let limited = "weir_attempt_failures_total{provider=\"openai\",reason=\"rate_limited\",side=\"upstream\"}";
    assert_eq!(gateway.metric(limited).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_waited_for_where_no_other_key_may_be_tried() {
    let limited = |seconds| Answer::whole(429, &[("retry-after", seconds)], "{}");
    let upstream = Upstream::always(Answer::default()).await;
    let second = limited("30");
    upstream.script(move |request| match request.header("authorization") {
        Some("Bearer KEY-2") => second.clone(),
        _ => Answer::json(200, OPENAI.whole()),
    });
    let gateway = Gateway::open(&config(&upstream, "").replace("\"KEY-1\"", "\"KEY-1\", \"KEY-2\"")).await;
    for _ in 0..2 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    }
    // The second key rests now, and the first one is limited for a moment.
    for model in ["openai", "openai-t"] {
        upstream.script(failing_first(OPENAI, 1, Answer::whole(429, &[("retry-after-ms", "200")], "{}")));
        let reply = gateway.ask(&OPENAI.request(model, false)).await;
        assert_eq!((reply.status(), reply.attempts()), (200, Some("2")), "{model}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_a_client_that_leaves_between_two_attempts_ends_them() {
    let mut upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = Gateway::open(&config(&upstream, "retry = { retry_delay_ms = 600000, max_delay = \"10m\" }")).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("openai", false)).await;
    upstream.request().await;
    drop(client);
    gateway.until_metric("weir_client_disconnects_total{phase=\"waiting\"}", 1.0).await;
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_all_attempts_together_keep_within_the_time_that_the_client_gives() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    // Delays are random: with short ones the breaker would open, and answer the second request.
    let settings = "retry = { max_retries = 100, retry_delay_ms = 20 }\nbreaker = { min_attempts = 1000000 }";
    let gateway = Gateway::open(&config(&upstream, settings)).await;
    let request = OPENAI.request("openai", false).header("x-weir-timeout-ms", "1500");
    let begun = std::time::Instant::now();
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 500, "{}", reply.text());
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    upstream.now(Answer::silence());
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 504, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_time_that_ends_within_an_answer_counts_against_no_target() {
    let pieces = OPENAI.stream();
    let slow = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).hang();
    let upstream = Upstream::always(slow.clone()).await;
    let gateway = Gateway::open(&config(&upstream, "breaker = { min_attempts = 2 }")).await;
    for model in ["openai", "openai-t"] {
        upstream.now(slow.clone());
        for _ in 0..3 {
            // Long enough for the beginning, however busy the machine is.
            let request = OPENAI.request(model, true).header("x-weir-timeout-ms", "1500");
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            assert!(reply.text().contains("error") || reply.cut, "{}", reply.text());
        }
        upstream.now(Answer::json(200, OPENAI.whole()));
        assert_eq!(gateway.ask(&OPENAI.request(model, false)).await.status(), 200, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_time_that_is_no_number_is_refused_before_a_provider_is_asked() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for model in ["openai", "openai-t"] {
        for stream in [false, true] {
            for wrong in ["", "-1", "+5", "1.5", "5s", "0x1", "1e3", "99999999999999999999"] {
                let request = OPENAI.request(model, stream).header("x-weir-timeout-ms", wrong);
                let (status, _, message) = gateway.ask(&request).await.problem();
                assert!(status == 400 && message.contains("x-weir-timeout-ms"), "{wrong}: {status} {message}");
            }
            let twice = OPENAI.request(model, stream).header("x-weir-timeout-ms", "9000");
            let twice = twice.header("x-weir-timeout-ms", "9");
            assert_eq!(gateway.ask(&twice).await.status(), 400);
            assert!(upstream.unseen().is_none(), "{model}");
        }
    }
    let right = OPENAI.request("openai", false).header("x-weir-timeout-ms", " 90000 ");
    assert_eq!(gateway.ask(&right).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn c73_waits_are_no_overhead() {
    let upstream = Upstream::always(Answer::default()).await;
    let limit = Answer::whole(429, &[("retry-after-ms", "400")], "{}");
    upstream.script(failing_first(OPENAI, 1, limit));
    let gateway = Gateway::open(&config(&upstream, "")).await;
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!((reply.status(), reply.attempts()), (200, Some("2")));
    let overhead: f64 = reply.header("x-weir-overhead-ms").unwrap().parse().unwrap();
    assert!(overhead < 350.0, "{overhead} ms of a wait of 400 ms");
}
