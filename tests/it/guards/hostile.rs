//! A guard that misbehaves where it judges a request or an answer fails as the operator said: in every format, whole
//! and streamed, in both lanes. Callers whom it does not judge are served meanwhile.

use weir_tests::clients::{by, client};
use weir_tests::{Gateway, Reply, Request, Upstream};

use super::{gateway, guard};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, TEXT, WireFormat, provider};

const DEEDS: [&str; 7] = ["trap", "loop", "bomb", "deep", "flood", "text", "swarm"];
const FORMATS: [WireFormat; 3] = [OPENAI, ANTHROPIC, GEMINI];
const NAMES: [&str; 3] = ["openai", "anthropic", "gemini"];

/// The guard `sentry` with these options, for the first of two clients.
async fn guarded(upstream: &Upstream, options: &str, grants: &str, lines: &str) -> Gateway {
    let clients =
        ["one", "two"].map(|name| client(name, "")).concat() + "[admin]\ntoken = \"an-admins-token-0123456789\"\n";
    let lines = format!("plugin = \"sentry\"\noptions = {{ {options} }}\nfor = {{ clients = [\"one\"] }}\n{lines}");
    let mut text = guard("g", &lines).replace("prompt = true", grants);
    if options.contains("\"loop\"") {
        text = text.replace("20s", "50ms");
    }
    gateway(upstream, &NAMES, &(clients + &text)).await
}

/// Asks as the client whom the guard judges, while the other one is served.
async fn beside_another(gateway: &Gateway, request: Request) -> Reply {
    let other = by("two", OPENAI.request("openai", false));
    let request = by("one", request);
    let (reply, other) = tokio::join!(gateway.ask(&request), gateway.ask(&other));
    assert_eq!(OPENAI.parsed(&other, false).text, TEXT, "{}", other.text());
    assert_eq!(other.header("x-weir-guards"), None);
    reply
}

/// Each format of clients, lane and form.
fn cases() -> impl Iterator<Item = (WireFormat, &'static str, bool)> {
    let lanes = [("openai", false), ("openai", true), ("openai-t", false), ("openai-t", true)];
    FORMATS.into_iter().flat_map(move |from| lanes.into_iter().map(move |(model, stream)| (from, model, stream)))
}

fn is_refused(from: WireFormat, reply: &Reply, about: &str) {
    assert!(matches!(reply.status(), 503 | 529), "{about}: {} {}", reply.status(), reply.text());
    let message = from.error(reply).unwrap_or_else(|| panic!("{about}: {}", reply.text()));
    assert!(message.contains("the guard `g` failed"), "{about}: {message}");
    assert!(from != OPENAI || reply.json()["error"]["code"] == "guard_failed", "{about}: {}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_guard_does_with_a_request_refuses_or_passes_it_as_configured() {
    for deed in DEEDS.into_iter().chain(["memo"]) {
        for is_open in [false, true] {
            let upstream = provider(OPENAI).await;
            let fail = if is_open { "fail = \"open\"" } else { "fail = \"closed\"" };
            let gateway = guarded(&upstream, &format!("does = \"{deed}\""), "prompt = true", fail).await;
            for (from, model, stream) in cases() {
                let about = format!("{deed}, {fail}, {} {model} {stream}", from.name);
                let reply = beside_another(&gateway, from.request(model, stream)).await;
                assert_eq!(reply.header("x-weir-guards"), Some("g=failed"), "{about}: {}", reply.text());
                if is_open {
                    assert_eq!(from.parsed(&reply, stream).text, TEXT, "{about}: {}", reply.text());
                } else {
                    is_refused(from, &reply, &about);
                }
            }
            let failed = "weir_guard_verdicts_total{guard=\"g\",verdict=\"failed\"}";
            gateway.until_metric(failed, cases().count() as f64).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_guard_does_with_an_answer_ends_it_or_lets_it_pass_as_configured() {
    for (site, deeds) in [("begins", &DEEDS[..4]), ("answers", &DEEDS[..]), ("ends", &DEEDS[..])] {
        for deed in deeds.iter().copied().chain(["swap"]).filter(|deed| (site, *deed) != ("begins", "swap")) {
            for is_open in [false, true] {
                let upstream = provider(OPENAI).await;
                let fail = if is_open { "fail = \"open\"" } else { "fail = \"closed\"" };
                let gateway = guarded(&upstream, &format!("{site} = \"{deed}\""), "answer = true", fail).await;
                for (from, model, stream) in cases() {
                    let about = format!("{site}.{deed}, {fail}, {} {model} {stream}", from.name);
                    let reply = beside_another(&gateway, from.request(model, stream)).await;
                    if is_open {
                        assert_eq!(from.parsed(&reply, stream).text, TEXT, "{about}: {}", reply.text());
                    } else if reply.status() == 200 {
                        assert!(stream, "{about}: {}", reply.text());
                        let parsed = from.parsed(&reply, true);
                        assert!(parsed.error.is_some() && !parsed.complete, "{about}: {}", reply.text());
                    } else {
                        is_refused(from, &reply, &about);
                    }
                }
                gateway.until_metric("weir_in_flight", 0.0).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_refusal_are_bounded_and_frame_nothing() {
    let upstream = provider(OPENAI).await;
    for (options, grants) in [("does = \"wild\"", "prompt = true"), ("answers = \"wild\"", "answer = true")] {
        let gateway = guarded(&upstream, options, grants, "").await;
        for (from, model, stream) in cases() {
            let reply = beside_another(&gateway, from.request(model, stream)).await;
            let about = format!("{options} {} {model} {stream}: {}", from.name, reply.text());
            assert_eq!(reply.status(), if grants.starts_with("prompt") { 400 } else { 200 }, "{about}");
            assert_eq!(reply.header("x-evil"), None, "{about}");
            assert!(reply.body.len() < 40_000 && !reply.text().contains('\u{1b}'), "{about}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_cannot_begin_with_an_answer_is_counted_and_noted_as_one_that_fails_later() {
    for (fail, status) in [("closed", 503), ("open", 200)] {
        let upstream = provider(OPENAI).await;
        let lines = format!("fail = \"{fail}\"");
        let gateway = guarded(&upstream, "begins = \"trap\"", "answer = true", &lines).await;
        let lanes = [("openai", false), ("openai", true), ("openai-t", false), ("openai-t", true)];
        for ((model, stream), count) in lanes.into_iter().zip(1_u32..) {
            let reply = gateway.ask(&by("one", OPENAI.request(model, stream))).await;
            let (about, noted) =
                (format!("{fail} {model} {stream}"), reply.header("x-weir-guards").unwrap_or_default());
            assert_eq!(reply.status(), status, "{about}: {}", reply.text());
            assert!(noted.contains("g.answer=failed"), "{about}: {noted}");
            let failed = "weir_guard_answer_verdicts_total{guard=\"g\",verdict=\"failed\"}";
            gateway.until_metric(failed, f64::from(count)).await;
        }
    }
}
