//! Guards are notified how each exchange ended: whole, streamed, refused, broken off, and when the client left.

use serde_json::json;
use weir_tests::{Answer, Gate, Gateway, Request, Upstream, log};

use super::{gateway, guard};
use crate::wire_format::OPENAI;

/// The guard that is notified, with these options besides.
fn noting(options: &str, lines: &str) -> String {
    guard("sentry", &format!("options = {{ at_end = \"tell\", does = \"remember\", {options} }}\n{lines}"))
}

/// A request with this id, which the guard repeats in its annotation.
fn asks(id: &str, model: &str, stream: bool) -> Request {
    let body = json!({"model": model, "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Hi"}]});
    let body = if stream { body } else { json!({"model": model, "messages": body["messages"]}) };
    Request::post("/v1/chat/completions", body.to_string()).header("x-request-id", id)
}

/// Waits until the log has the guard's verdict on this request.
async fn noted(gateway: &Gateway, id: &str, expected: &str, number: f64) {
    gateway.until_metric("weir_guard_ends_total{guard=\"sentry\",result=\"notified\"}", number).await;
    let text = log::text();
    let line = text.lines().find(|line| line.contains("guard noted the end") && line.contains(id));
    let line = line.unwrap_or_else(|| panic!("nothing of {id}"));
    assert!(line.contains(&format!("{id}={expected}")), "{line}");
}

fn stream() -> Answer {
    OPENAI.stream().iter().fold(Answer::sse(), Answer::piece)
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_are_notified_how_exchanges_end() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let gateway = gateway(&upstream, &["openai"], &noting("", "")).await;
    let mut number = 0.0;
    for model in ["openai", "openai-t"] {
        for (case, answer, stream, expected) in [
            ("whole", Answer::json(200, OPENAI.whole()), false, "none.7.remembered"),
            ("streamed", stream().end(), true, "none.7.remembered"),
            ("failed", Answer::json(500, "{}"), false, "ErrorKind__Upstream.0.remembered"),
            (
                "broken",
                OPENAI.stream()[..2].iter().fold(Answer::sse(), Answer::piece).close(),
                true,
                "ErrorKind__Upstream.0.remembered",
            ),
        ] {
            let id = format!("end-{model}-{case}");
            upstream.script(move |_| answer.clone());
            gateway.ask(&asks(&id, model, stream)).await;
            number += 1.0;
            noted(&gateway, &id, expected, number).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_are_notified_of_what_was_refused_and_of_clients_that_left() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let refusing = guard("regex", "options = { patterns = [{ name = \"hi\", pattern = \"Hi\" }] }");
    let answering = refusing.replace("prompt = true", "answer = true").replace("pattern = \"Hi\"", "pattern = \"Gr\"");
    for (case, guards) in [("request", refusing), ("answer", answering)] {
        let gateway = gateway(&upstream, &["openai"], &(guards + &noting("", ""))).await;
        let id = format!("end-refused-{case}");
        gateway.ask(&asks(&id, "openai", false)).await;
        let expected =
            if case == "request" { "ErrorKind__ContentFiltered.0." } else { "ErrorKind__ContentFiltered.7.remembered" };
        noted(&gateway, &id, expected, 1.0).await;
    }
    let gate = Gate::default();
    let held = OPENAI.stream()[..2].iter().fold(Answer::sse(), Answer::piece).gate(&gate);
    upstream.script(move |_| held.clone());
    let gateway = gateway(&upstream, &["openai"], &noting("", "")).await;
    let mut client = gateway.connect().await;
    client.send(&asks("end-left", "openai-t", true)).await;
    client.head().await;
    client.leave();
    noted(&gateway, "end-left", "ErrorKind__Timeout.0.remembered", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_fails_at_the_end_costs_no_answer() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let trapping = guard("sentry", "options = { at_end = \"trap\" }");
    let gateway = gateway(&upstream, &["openai"], &trapping).await;
    assert_eq!(gateway.ask(&asks("end-trap", "openai", false)).await.status(), 200);
    gateway.until_metric("weir_guard_ends_total{guard=\"sentry\",result=\"failed\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_has_what_guards_did_with_requests_and_answers() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let seeing =
        guard("regex", "options = { patterns = [{ name = \"gr\", pattern = \"Gr\" }], action = \"annotate\" }");
    let seeing = seeing.replace("prompt = true", "prompt = true, answer = true");
    let gateway = gateway(&upstream, &["openai"], &seeing).await;
    for stream in [false, true] {
        let answer = if stream { self::stream().end() } else { Answer::json(200, OPENAI.whole()) };
        upstream.script(move |_| answer.clone());
        let id = format!("logged-guards-{stream}");
        assert_eq!(gateway.ask(&asks(&id, "openai", stream)).await.status(), 200);
        let expected = "regex=allow, regex.answer=allow;gr=1";
        let is_logged = async {
            while !log::text()
                .lines()
                .any(|line| line.contains("weir::access") && line.contains(&id) && line.contains(expected))
            {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(weir_tests::TIMEOUT, is_logged).await.is_ok(), "{}", log::text());
    }
}
