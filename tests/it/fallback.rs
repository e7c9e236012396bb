//! Where requests go after a failure: other targets, other formats, other models.

use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use crate::retries::{QUICK, failing_first, provider};
use crate::wire_format::{self, ALL, ANTHROPIC, OPENAI, TEXT};

/// Two providers of different formats, and models that fall back from the first to the second.
fn two(first: &Upstream, second: &Upstream, settings: &str) -> String {
    let providers = provider(first, OPENAI, "first", settings) + &provider(second, ANTHROPIC, "second", settings);
    providers
        + "[[models]]\nalias = \"both\"\nstrategy = \"priority\"\n\
           targets = [{ provider = \"first\", model = \"openai\" }, { provider = \"second\", model = \"anthropic\" }]\n\
           [[models]]\nalias = \"other\"\ntarget = { provider = \"first\", model = \"openai\" }\nfallbacks = [\"second\"]\n\
           [[models]]\nalias = \"stays\"\nenable_fallback = false\n\
           targets = [{ provider = \"first\", model = \"openai\" }, { provider = \"second\", model = \"anthropic\" }]\n\
           [[models]]\nalias = \"any-*\"\ntarget = { provider = \"first\" }\nfallbacks = [\"wild-thing\"]\n\
           [[models]]\nalias = \"wild-*\"\ntarget = { provider = \"second\" }\n"
}

/// A port that was free a moment ago, as an upstream's address.
async fn nobody() -> (Upstream, String) {
    let upstream = Upstream::always(Answer::default()).await;
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    (upstream, format!("http://127.0.0.1:{free}/base/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_one_provider_is_made_good_by_another_in_every_format() {
    let failures = [
        ("upstream", Answer::json(500, "{}")),
        ("overloaded", Answer::json(503, "{}")),
        ("rate_limited", Answer::whole(429, &[("retry-after", "0")], "{}")),
        ("reset", Answer::default().close()),
        ("credential", Answer::json(401, "{}")),
        ("not_found", Answer::json(404, "{\"error\":{\"message\":\"gone\",\"code\":\"model_not_found\"}}")),
        ("timeout", Answer::silence()),
        (
            "context_length",
            Answer::json(
                400,
                "{\"error\":{\"message\":\"maximum context length is 8192 tokens\",\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}",
            ),
        ),
    ];
    for (reason, failure) in failures {
        let first = Upstream::always(failure).await;
        let second = wire_format::provider(ANTHROPIC).await;
        let timeout = if reason == "timeout" { "800ms" } else { "1m" };
        let settings = format!(
            "retry = {{ max_retries = 1, retry_delay_ms = 1 }}\nbreaker = {{ min_attempts = 1000000 }}\n\
             timeouts = {{ first_byte = \"{timeout}\" }}"
        );
        let gateway = Gateway::open(&two(&first, &second, &settings)).await;
        let mut fallen = 0.0;
        for from in ALL {
            for (model, stream) in [("both", false), ("both", true), ("other", false), ("other", true)] {
                let reply = gateway.ask(&from.request(model, stream)).await;
                let place = format!("{reason}: {} asks {model}: {}", from.name, reply.text());
                assert_eq!(reply.status(), 200, "{place}");
                assert_eq!(from.parsed(&reply, stream).text, TEXT, "{place}");
                assert_eq!(reply.header("x-weir-provider"), Some("second"), "{place}");
                fallen += 1.0;
            }
        }
        let series =
            format!("weir_fallbacks_total{{from=\"first/openai\",reason=\"{reason}\",to=\"second/anthropic\"}}");
        let counted = gateway.metric(&series).await;
        // A key that was refused is benched, and later requests don't use it at all.
        assert!(
            counted == fallen || (reason == "credential" && counted >= 1.0),
            "{series} {counted}\n{}",
            gateway.metrics().await
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_made_good_too() {
    let (unused, url) = nobody().await;
    let second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&two(&unused, &second, QUICK).replace(&unused.url(), &url)).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("both", true)).await;
        assert_eq!(from.parsed(&reply, true).text, TEXT, "{}", reply.text());
        assert_eq!(reply.attempts(), Some("2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_forbidden_nothing_goes_elsewhere() {
    let first = Upstream::always(Answer::json(500, "{}")).await;
    let mut second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&two(&first, &second, QUICK)).await;
    assert_eq!(gateway.ask(&OPENAI.request("stays", false)).await.status(), 500);
    assert!(second.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_clients_fault_goes_nowhere_else() {
    let first =
        Upstream::always(Answer::json(400, "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}"))
            .await;
    let mut second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&two(&first, &second, QUICK)).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("both", false)).await;
        assert!((400..500).contains(&reply.status()), "{}", reply.text());
    }
    assert!(second.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_was_filtered_goes_elsewhere_only_with_leave() {
    let filtered =
        "{\"error\":{\"message\":\"filtered\",\"type\":\"invalid_request_error\",\"code\":\"content_filter\"}}";
    let first = Upstream::always(Answer::json(400, filtered)).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let config = two(&first, &second, QUICK);
    let gateway = Gateway::open(&config).await;
    assert_eq!(gateway.ask(&OPENAI.request("both", false)).await.status(), 400);
    let leave = config.replace("strategy = \"priority\"\n", "fallback_when_filtered = true\n");
    let gateway = Gateway::open(&leave).await;
    assert_eq!(gateway.ask(&OPENAI.request("both", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_with_a_pattern_is_asked_for_by_its_own_name() {
    let first = Upstream::always(Answer::json(500, "{}")).await;
    let mut second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&two(&first, &second, QUICK)).await;
    let reply = gateway.ask(&ANTHROPIC.request("any-thing", false)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(second.request().await.json()["model"], "wild-thing");
    assert_eq!(reply.header("x-weir-model"), Some("wild-thing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_rests_is_passed_over_and_not_asked() {
    let mut first = Upstream::always(Answer::whole(429, &[("retry-after", "60")], "{}")).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&two(&first, &second, "")).await;
    for attempts in ["2", "1", "1"] {
        let reply = gateway.ask(&OPENAI.request("both", false)).await;
        assert_eq!((reply.status(), reply.attempts()), (200, Some(attempts)), "{}", reply.text());
    }
    first.request().await;
    assert!(first.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn c65_when_everything_rests_the_client_gets_a_retry_after() {
    let first = Upstream::always(Answer::whole(429, &[("retry-after", "60")], "{}")).await;
    let second = Upstream::always(Answer::whole(429, &[("retry-after", "30")], "{}")).await;
    let gateway = Gateway::open(&two(&first, &second, "")).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("both", true)).await;
        assert_eq!(reply.status(), 429, "{}", reply.text());
    }
    for from in ALL {
        let reply = gateway.ask(&from.request("both", true)).await;
        assert_eq!((reply.status(), reply.attempts()), (429, Some("0")), "{}", reply.text());
        let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((20..=30).contains(&after), "the earlier of both: {after}");
        assert!(from.error(&reply).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_before_its_first_word_is_begun_elsewhere() {
    let failure = "data: {\"error\":{\"message\":\"oops\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let first = Upstream::always(Answer::sse().piece(failure).end()).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&two(&first, &second, QUICK)).await;
    // In the translate lane; the head of a relayed stream is passed on as it arrives.
    for from in [ANTHROPIC, wire_format::ZETA] {
        let reply = gateway.ask(&from.request("both", true)).await;
        assert_eq!(from.parsed(&reply, true).text, TEXT, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_and_sessions_are_shared_out() {
    let first = Upstream::scripted(failing_first(OPENAI, 0, Answer::default())).await;
    let second = Upstream::scripted(failing_first(OPENAI, 0, Answer::default())).await;
    let config = provider(&first, OPENAI, "first", "")
        + &provider(&second, OPENAI, "second", "")
        + "[[models]]\nalias = \"both\"\nstrategy = \"round-robin\"\n\
           targets = [{ provider = \"first\", model = \"m\" }, { provider = \"second\", model = \"m\" }]\n";
    let gateway = Gateway::open(&config).await;
    let ask = |session: Option<String>| {
        let request = OPENAI.request("both", false);
        match session {
            Some(session) => request.header("x-weir-session", &session),
            None => request,
        }
    };
    let provider_of =
        async |request: Request| gateway.ask(&request).await.header("x-weir-provider").unwrap().to_owned();
    let mut places = std::collections::BTreeSet::new();
    for number in 0..12 {
        let session = Some(format!("s{number}"));
        let place = provider_of(ask(session.clone())).await;
        assert_eq!(provider_of(ask(session)).await, place);
        places.insert(place);
    }
    assert_eq!(places.len(), 2);
    assert_ne!(provider_of(ask(None)).await, provider_of(ask(None)).await, "others take turns");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hedge_asks_the_next_when_nothing_comes_and_leaves_the_slow_one() {
    let mut first = Upstream::always(Answer::silence()).await;
    let mut second = wire_format::provider(ANTHROPIC).await;
    let config = two(&first, &second, QUICK).replace("strategy = \"priority\"\n", "hedge = \"200ms\"\n");
    let gateway = Gateway::open(&config).await;
    for from in ALL {
        for stream in [false, true] {
            let reply = gateway.ask(&from.request("both", stream)).await;
            assert_eq!(from.parsed(&reply, stream).text, TEXT, "{}", reply.text());
            assert_eq!(reply.attempts(), Some("2"));
            assert_eq!(reply.header("x-weir-provider"), Some("second"));
            first.departure().await;
        }
    }
    let hedged = "weir_hedges_total{answered=\"second/anthropic\",from=\"first/openai\",to=\"second/anthropic\"}";
    assert_eq!(gateway.metric(hedged).await, 6.0);
    gateway.until_metric("weir_streams_active", 0.0).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    while second.unseen().is_some() {}
    // A target that answers in time is the only one that is called.
    first.now(Answer::json(200, OPENAI.whole()));
    let slow = config.replace("hedge = \"200ms\"", "hedge = \"30s\"");
    let reply = Gateway::open(&slow).await.ask(&OPENAI.request("both", false)).await;
    assert_eq!((reply.status(), reply.attempts()), (200, Some("1")));
    assert!(second.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_fallback_has_no_hedge_either() {
    let gate = Gate::default();
    let late = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", OPENAI.whole().len(), OPENAI.whole());
    let mut first = Upstream::always(Answer::default().gate(&gate).piece(late)).await;
    let mut second = wire_format::provider(ANTHROPIC).await;
    let config = two(&first, &second, QUICK).replace("alias = \"stays\"\n", "alias = \"stays\"\nhedge = \"50ms\"\n");
    let gateway = Gateway::open(&config).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("stays", false)).await;
    first.request().await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    gate.open();
    let reply = client.reply().await;
    assert_eq!((reply.header("x-weir-provider"), reply.attempts()), (Some("first"), Some("1")), "{}", reply.text());
    assert!(second.unseen().is_none(), "nothing goes to another provider");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_rests_is_waited_for_when_all_others_have_failed() {
    let (first, second) = (Upstream::always(Answer::json(500, "{}")).await, wire_format::provider(ANTHROPIC).await);
    let settings = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 1, open = \"300ms\" }";
    let gateway = Gateway::open(&two(&first, &second, settings)).await;
    let request = OPENAI.request("both", false);
    assert_eq!(gateway.ask(&request).await.header("x-weir-provider"), Some("second"));
    first.now(Answer::json(200, OPENAI.whole()));
    second.now(Answer::json(500, "{}"));
    let reply = gateway.ask(&request).await;
    assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("first")), "{}", reply.text());
}

/// A timed-out target is judged by its state at the time of the request; if no other target can answer, that is long
/// ago.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_was_too_slow_is_asked_once_more_when_the_others_cannot_answer() {
    let settings = "retry = { max_retries = 0, max_delay = \"50ms\" }\nbreaker = { min_attempts = 1000000 }\n\
                    timeouts = { first_byte = \"800ms\" }";
    let first = Upstream::scripted(failing_first(OPENAI, 1, Answer::silence())).await;
    let second = Upstream::always(Answer::json(503, "{}")).await;
    let gateway = Gateway::open(&two(&first, &second, settings)).await;
    let reply = gateway.ask(&OPENAI.request("both", false)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
    assert_eq!((reply.header("x-weir-provider"), reply.attempts()), (Some("first"), Some("3")));

    let [first, second] = [Upstream::always(Answer::silence()).await, Upstream::always(Answer::silence()).await];
    let gateway = Gateway::open(&two(&first, &second, settings)).await;
    let reply = gateway.ask(&OPENAI.request("both", false)).await;
    let outcome = (reply.status(), reply.attempts());
    assert_eq!(outcome, (504, Some("2")), "where all targets are too slow, it may be the request's own nature");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_were_too_slow_the_one_that_has_answered_others_meanwhile_is_asked_once_more() {
    let settings = "retry = { max_retries = 0, max_delay = \"50ms\" }\nbreaker = { min_attempts = 1000000 }\n\
                    timeouts = { first_byte = \"1s\" }";
    let mut first = Upstream::scripted(failing_first(OPENAI, 1, Answer::silence())).await;
    let second = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::open(&two(&first, &second, settings)).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("both", false)).await;
    first.request().await;
    assert_eq!(gateway.ask(&OPENAI.request("stays", false)).await.status(), 200);
    let reply = client.reply().await;
    assert_eq!((reply.status(), reply.attempts()), (200, Some("3")), "{}", reply.text());
}
