//! Answers to calls of models that turn out to have no content: each is a failure, after which another target steps in
//! as long as the client has nothing of it. An answer that has content waits for nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use weir_tests::code::pack;
use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream, soon};

use crate::guards::{asks, gateway as guarded, guard};
use crate::retries::provider;
use crate::wire_format::{OPENAI, PROVIDERS, RESPONSES, TEXT, WireFormat, provider as serving};

/// Failures are reported at once, and no target rests after one.
const QUICK: &str = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 1000000, max_cooldown = \"0s\" }";

const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

fn kind(stream: bool) -> &'static str {
    if stream { "text/event-stream" } else { "application/json" }
}

/// The head and the end of an answer in chunks.
fn nothing(stream: bool) -> Answer {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type";
    Answer::raw(format!("{head}: {}\r\n\r\n0\r\n\r\n", kind(stream)))
}

/// The same, with its end behind a gate.
fn nothing_yet(stream: bool, gate: &Gate) -> Answer {
    Answer::begin(200, &[("content-type", kind(stream))]).gate(gate).end()
}

/// A model `NAME` of each format at this upstream, and `NAME-or`, with a second target at another one that answers.
async fn config(upstream: &Upstream) -> (String, Vec<Upstream>) {
    let (mut config, mut others) = (String::new(), Vec::new());
    for wire_format in PROVIDERS {
        let (name, other) = (wire_format.name, serving(wire_format).await);
        config += &provider(upstream, wire_format, name, QUICK);
        config += &provider(&other, wire_format, &format!("{name}-2"), QUICK);
        let target = |provider: &str| format!("{{ provider = \"{provider}\", model = \"{name}\" }}");
        let both = format!("{}, {}", target(name), target(&format!("{name}-2")));
        for (alias, lane) in [("or", ""), ("or-t", "translate = true\n")] {
            let model =
                format!("[[models]]\nalias = \"{name}-{alias}\"\nstrategy = \"priority\"\n{lane}targets = [{both}]\n");
            config += &model;
        }
        others.push(other);
    }
    (config, others)
}

/// The same with prices: the head of a whole answer waits for its cost.
fn priced(config: &str) -> String {
    config.replace("\ntarget", "\nprice = { input = 1, output = 1 }\ntarget")
}

fn folder() -> Folder {
    Folder::with(&["openai", "anthropic", "gemini"])
}

/// Asks for `NAME`, which is refused in the client's own format, and for `NAME-or`, where the second target answers.
async fn refused(gateway: &Gateway, wire_format: WireFormat, lane: &str, stream: bool) {
    let name = wire_format.name;
    let reply = gateway.ask(&wire_format.request(&format!("{name}{lane}"), stream)).await;
    let place = format!("{name}{lane}, stream {stream}: {} {}", reply.status(), reply.text());
    assert_eq!(reply.status(), 502, "{place}");
    assert!(wire_format.error(&reply).is_some_and(|message| !message.is_empty()), "{place}");
    assert_eq!(reply.attempts(), Some("1"), "{place}");
    let reply = gateway.ask(&wire_format.request(&format!("{name}-or{lane}"), stream)).await;
    assert_eq!(reply.status(), 200, "{place}: {}", reply.text());
    assert_eq!(reply.header("x-weir-provider"), Some(&*format!("{name}-2")), "{place}");
    assert_eq!(wire_format.parsed(&reply, stream).text, TEXT, "{place}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_without_content_is_a_failure_in_each_dialect_and_lane() {
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    for stream in [false, true] {
        upstream.now(nothing(stream));
        for wire_format in PROVIDERS {
            for lane in ["", "-t"] {
                refused(&gateway, wire_format, lane, stream).await;
            }
        }
    }
    for wire_format in PROVIDERS {
        let failed = format!(
            "weir_attempt_failures_total{{provider=\"{}\",reason=\"upstream\",side=\"upstream\"}}",
            wire_format.name
        );
        assert_eq!(gateway.metric(&failed).await, 8.0, "{}", gateway.metrics().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_without_an_answer_costs_nothing_in_either_lane() {
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &priced(&config)).await;
    for wire_format in PROVIDERS {
        let cost = async |model: &str| {
            let reply = gateway.ask(&wire_format.request(model, false)).await;
            assert_eq!(reply.status(), 200, "{model}: {}", reply.text());
            reply.header("x-weir-cost-usd").map(str::to_owned)
        };
        upstream.now(nothing(false));
        let [relayed, translated] = ["or", "or-t"].map(|model| format!("{}-{model}", wire_format.name));
        let of_one = cost(&format!("{}-2", wire_format.name)).await;
        assert!(of_one.is_some());
        assert_eq!((cost(&relayed).await, cost(&translated).await), (of_one.clone(), of_one), "{}", wire_format.name);
    }
}

/// A body of which only its end says that nothing is in it.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_over_http_2() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let service = hyper::service::service_fn(|request: http::Request<Incoming>| async move {
            assert_eq!(request.version(), http::Version::HTTP_2);
            let in_path = request.uri().path().contains("streamGenerateContent");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let stream = in_path || String::from_utf8_lossy(&body).contains("\"stream\":true");
            http::Response::builder().header("content-type", kind(stream)).body(Nothing)
        });
        // Each worker has a connection of its own.
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    let unused = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&unused).await;
    let at = format!("url = \"{}\"\n", unused.url());
    let over = format!("url = \"http://127.0.0.1:{port}/base/\"\nhttp2 = true\n");
    let gateway = Gateway::with(folder(), &priced(&config.replace(&at, &over))).await;
    for wire_format in PROVIDERS {
        for lane in ["", "-t"] {
            refused(&gateway, wire_format, lane, false).await;
            // The end of a stream may be a frame of its own, which comes when the head has gone out.
            let reply = gateway.ask(&wire_format.request(&format!("{}{lane}", wire_format.name), true)).await;
            let place = format!("{}{lane}: {} {}", wire_format.name, reply.status(), reply.text());
            if reply.status() == 502 {
                assert!(wire_format.error(&reply).is_some(), "{place}");
            } else {
                assert!(reply.cut && wire_format.parsed(&reply, true).error.is_some(), "{place}");
            }
        }
    }
    assert_eq!(gateway.metric("weir_requests_total{outcome=\"ok\"}").await, 6.0, "the second targets'");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_a_whole_answer_waits_for_its_first_piece_and_an_end_in_its_place_is_a_failure_too() {
    let gate = Gate::default();
    let mut upstream = Upstream::always(nothing_yet(false, &gate)).await;
    let (config, _others) = config(&upstream).await;
    for config in [priced(&config), config] {
        let gateway = Gateway::with(folder(), &config).await;
        for wire_format in PROVIDERS {
            let ends = async {
                for _ in 0..2 {
                    upstream.request().await;
                    gate.open();
                }
            };
            tokio::join!(refused(&gateway, wire_format, "", false), ends);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coding_with_nothing_in_it_is_no_content() {
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    for coding in CODINGS {
        let packed = pack(coding, b"");
        assert!(!packed.is_empty());
        for stream in [false, true] {
            let headers = [("content-type", kind(stream)), ("content-encoding", coding)];
            let usual = Answer::whole(200, &headers, packed.clone());
            let half = Answer::whole(200, &headers, &packed[..packed.len() - 1]);
            for answer in if packed.len() > 1 { vec![usual, half] } else { vec![usual] } {
                upstream.now(answer);
                for wire_format in PROVIDERS {
                    for lane in ["", "-t"] {
                        refused(&gateway, wire_format, lane, stream).await;
                    }
                }
            }
        }
    }
}

/// Some servers send these while they wait for a model.
#[tokio::test(flavor = "multi_thread")]
async fn comments_and_blank_lines_alone_are_no_content_of_a_stream() {
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    let waiting = ": waiting\n\n\r\n: still waiting\nretry: 10\n\n";
    upstream.now(Answer::sse().piece(waiting).end());
    for wire_format in PROVIDERS {
        let reply = gateway.ask(&wire_format.request(wire_format.name, true)).await;
        let place = format!("{}: {}", wire_format.name, reply.text());
        assert!(reply.cut && reply.text().starts_with(waiting), "{place}");
        let error = wire_format.parsed(&reply, true).error.unwrap_or_default().to_string();
        assert!(error.contains("no content"), "{place}");
        refused(&gateway, wire_format, "-t", true).await;
    }
    // Before a model's words they are nothing to complain of.
    for wire_format in PROVIDERS {
        let begun = Answer::sse().piece(waiting);
        upstream.now(wire_format.stream().iter().fold(begun, Answer::piece).end());
        let reply = gateway.ask(&wire_format.request(wire_format.name, true)).await;
        assert_eq!((reply.cut, wire_format.parsed(&reply, true).text.as_str()), (false, TEXT), "{}", wire_format.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_lines_alone_are_no_whole_answer() {
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    for config in [priced(&config), config] {
        let gateway = Gateway::with(folder(), &config).await;
        let blank = "\n\r\n \n";
        for answer in [
            Answer::json(200, blank),
            Answer::begin(200, &[("content-type", "application/json")]).piece("\n").piece("\n").end(),
            Answer::whole(
                200,
                &[("content-type", "application/json"), ("content-encoding", "gzip")],
                pack("gzip", blank.as_bytes()),
            ),
        ] {
            upstream.now(answer);
            for wire_format in PROVIDERS {
                for lane in ["", "-t"] {
                    refused(&gateway, wire_format, lane, false).await;
                }
            }
        }
        // Before a model's words they are nothing to complain of.
        for wire_format in PROVIDERS {
            let text = format!("{blank}{}", wire_format.whole());
            let begun = Answer::begin(200, &[("content-type", "application/json")]);
            for answer in [Answer::json(200, text.clone()), begun.pieces(text.clone(), 1).end()] {
                upstream.now(answer);
                let reply = gateway.ask(&wire_format.request(wire_format.name, false)).await;
                assert_eq!((reply.status(), reply.cut, &*reply.text()), (200, false, &*text), "{}", wire_format.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_a_coding_is_held_until_there_is_content_in_it() {
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    for coding in CODINGS {
        for wire_format in PROVIDERS {
            for stream in [false, true] {
                let text = if stream { wire_format.stream().concat() } else { wire_format.whole() };
                let packed = pack(coding, text.as_bytes());
                let begun = Answer::begin(200, &[("content-type", kind(stream)), ("content-encoding", coding)]);
                upstream.now(begun.pieces(packed.clone(), 1).end());
                let reply = gateway.ask(&wire_format.request(wire_format.name, stream)).await;
                assert_eq!((reply.status(), reply.cut), (200, false), "{} {coding}, stream {stream}", wire_format.name);
                assert_eq!(reply.body, packed, "{} {coding}, stream {stream}", wire_format.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_comes_after_the_head_is_told_in_the_stream_and_cuts_a_whole_answer() {
    let gate = Gate::default();
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    let mut broken = 0.0;
    // The head of a whole answer goes out some seconds later.
    for (stream, wire_formats) in [(true, &PROVIDERS[..]), (false, &PROVIDERS[..1])] {
        upstream.now(nothing_yet(stream, &gate));
        for wire_format in wire_formats {
            let mut client = gateway.connect().await;
            client.send(&wire_format.request(wire_format.name, stream)).await;
            let head = client.head().await;
            assert_eq!(head.status, 200, "{}: nothing has ended yet", wire_format.name);
            gate.open();
            let (body, cut) = client.rest().await;
            let reply = weir_tests::Reply { head, body, cut };
            let place = format!("{}, stream {stream}: {}", wire_format.name, reply.text());
            assert!(reply.cut, "{place}");
            if stream {
                let parsed = wire_format.parsed(&reply, true);
                let error = parsed.error.unwrap_or_default().to_string();
                assert!(!parsed.complete && error.contains("no content"), "{place}");
            }
            broken += 1.0;
            gateway.until_metric("weir_requests_total{outcome=\"broken\"}", broken).await;
        }
    }
    assert_eq!(gateway.metric("weir_requests_total{outcome=\"ok\"}").await, 0.0);
}

fn halves(text: &str) -> Vec<String> {
    let (one, other) = text.split_at(text.len() / 2);
    vec![one.to_owned(), other.to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_a_stream_does_not_wait_for_its_content_nor_that_of_a_whole_answer_for_all_of_it() {
    let (gate, first) = (Gate::default(), Gate::default());
    let upstream = Upstream::always(Answer::silence()).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    for wire_format in PROVIDERS {
        for stream in [false, true] {
            let begun = Answer::begin(200, &[("content-type", kind(stream))]);
            let pieces = if stream { wire_format.stream() } else { halves(&wire_format.whole()) };
            let begun = if stream { begun } else { begun.gate(&first).piece(&pieces[0]) }.gate(&gate);
            upstream.now(pieces.iter().skip(usize::from(!stream)).fold(begun, Answer::piece).end());
            first.open();
            let mut client = gateway.connect().await;
            client.send(&wire_format.request(wire_format.name, stream)).await;
            let head = client.head().await;
            gate.open();
            let (body, cut) = client.rest().await;
            assert_eq!((head.status, cut), (200, false), "{}", wire_format.name);
            assert_eq!(String::from_utf8_lossy(&body), pieces.concat(), "{}", wire_format.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_documents_may_have_no_content() {
    let upstream = Upstream::always(nothing(false)).await;
    let (config, _others) = config(&upstream).await;
    let gateway = Gateway::with(folder(), &config).await;
    let id = "file-0123456789abcdef";
    for (answer, status) in [(nothing(false), 200), (Answer::raw("HTTP/1.1 204 No Content\r\n\r\n"), 204)] {
        upstream.now(answer);
        for (method, path) in [
            ("DELETE", format!("/v1/files/{id}")),
            ("GET", format!("/v1/files/{id}/content")),
            ("POST", "/v1/batches/batch_0123456789abcdef/cancel".to_owned()),
        ] {
            let reply = gateway.ask(&Request::new(method, &path)).await;
            assert_eq!((reply.status(), &*reply.text(), reply.cut), (status, "", false), "{method} {path}");
        }
    }
    gateway.until_metric("weir_requests_total{outcome=\"ok\"}", 6.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_guard_makes_an_answer_of_nothing() {
    let upstream = Upstream::always(nothing(false)).await;
    let seeing = |lines: &str| guard("regex", lines).replace("prompt = true", "prompt = true, answer = true");
    let pattern = "options = { patterns = [{ name = \"project\", pattern = \"project-[0-9]{4}\" }] }";
    for stream in [false, true] {
        upstream.now(nothing(stream));
        let gateway = guarded(&upstream, &["openai"], &seeing(pattern)).await;
        for model in ["openai", "openai-t"] {
            let request = if stream { OPENAI.request(model, true) } else { asks(model, "Hi") };
            let reply = soon("an answer", gateway.ask(&request)).await;
            assert_eq!(reply.status(), 502, "{model}, stream {stream}: {}", reply.text());
            assert!(OPENAI.error(&reply).is_some(), "{}", reply.text());
        }
    }
}

/// Of Responses, whose providers may make an answer later: nobody who asks in another format can read it then.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_put_off_is_a_failure() {
    let upstream = Upstream::always(Answer::silence()).await;
    let other = serving(OPENAI).await;
    let late = provider(&upstream, OPENAI, "late", &format!("{QUICK}\n{}", RESPONSES.settings()));
    let both = "targets = [{ provider = \"late\", model = \"m\" }, { provider = \"there\", model = \"m\" }]";
    let config = late
        + &provider(&other, OPENAI, "there", QUICK)
        + &format!("[[models]]\nalias = \"or\"\nstrategy = \"priority\"\ntranslate = true\n{both}\n");
    let gateway = Gateway::with(folder(), &config).await;
    for status in ["queued", "in_progress"] {
        let answer = json!({"id": "resp_1", "object": "response", "status": status, "model": "m", "output": []});
        upstream.now(Answer::json(200, answer.to_string()));
        for wire_format in PROVIDERS {
            for stream in [false, true] {
                let place = format!("{} {status}, stream {stream}", wire_format.name);
                let reply = gateway.ask(&wire_format.request("late-t", stream)).await;
                assert_eq!(reply.status(), 502, "{place}: {}", reply.text());
                let message = wire_format.error(&reply).unwrap_or_default();
                assert!(message.contains(&format!("`{status}`")), "{place}: {message}");
                let reply = gateway.ask(&wire_format.request("or", stream)).await;
                assert_eq!(wire_format.parsed(&reply, stream).text, TEXT, "{place}: {}", reply.text());
            }
        }
    }
}
