//! A server that does not keep to the protocol costs its request only.

use weir_tests::rpc::prefixed;
use weir_tests::{RpcAnswer, RpcServer};

use super::{chunk, delta, engine, gateway, last, whole};
use crate::wire_format::OPENAI;

/// What a server may do wrong, and the status that the client gets before any message was right.
fn cases() -> Vec<(&'static str, RpcAnswer, u16)> {
    let begin = RpcAnswer::begin;
    let html = begin().header("content-type", "text/html");
    vec![
        ("announces an endless message", begin().bytes(&b"\0\xff\xff\xff\xffabc"[..]).hang(), 502),
        ("sends a message above the bound", begin().bytes(prefixed(0, &vec![0x0a; (4 << 20) + 1])).end(0, &[]), 502),
        ("sends a million values", begin().bytes(prefixed(0, &[0x18, 0].repeat(1_000_000))).end(0, &[]), 502),
        ("sends no status", begin().message(&chunk(&whole(), true)), 502),
        ("sends nothing but a head", begin(), 502),
        ("sends another content type", html.clone().bytes("<html>"), 502),
        ("is another server", html.status(503).bytes("<html>"), 503),
        ("compresses", begin().bytes(prefixed(1, b"x")).end(0, &[]), 502),
        ("compresses by name", begin().header("grpc-encoding", "gzip").bytes(prefixed(1, b"x")).end(0, &[]), 502),
        ("sends garbage", begin().bytes(prefixed(0, b"\xff\xff\xff")).end(0, &[]), 502),
        ("sends no prefix", begin().bytes("HTTP/1.1 200 OK").end(0, &[]), 502),
        ("breaks off within a message", begin().bytes(&b"\0\0\0\0\x09abc"[..]).end(0, &[]), 502),
        ("sends bytes that are no JSON", begin().bytes(prefixed(0, b"\x0a\x03abc")).end(0, &[]), 502),
        ("succeeds without an answer", begin().end(0, &[]), 502),
        ("sends no number for a status", begin().header("grpc-status", "seven"), 500),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_an_error_and_the_next_request_is_served() {
    for (what, wrong, status) in cases() {
        let wrong = std::sync::Mutex::new(vec![wrong.clone(), wrong]);
        let server = RpcServer::scripted(move |call| wrong.lock().unwrap().pop().unwrap_or_else(|| engine(call))).await;
        let gateway = gateway(&server).await;
        for stream in [false, true] {
            let reply = gateway.ask(&OPENAI.request("m", stream)).await;
            let (begun, text) = (reply.status() == 200 && stream, reply.text());
            assert!(reply.status() == status || begun, "{what}, streamed {stream}: {} {text}", reply.status());
            assert!(text.contains("error") && !text.contains("[DONE]"), "{what}, streamed {stream}: {text}");
        }
        let reply = gateway.ask(&OPENAI.request("m", false)).await;
        assert_eq!(reply.status(), 200, "after a server that {what}: {}", reply.text());
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_never_complete() {
    let begun = || RpcAnswer::begin().message(&chunk(&delta("one"), false));
    let cases = [
        ("without trailers", begun()),
        ("without trailers after its last message", begun().message(&last())),
        ("with garbage", begun().bytes(prefixed(0, b"\xff")).end(0, &[])),
        ("with an endless message", begun().bytes(&b"\0\xff\xff\xff\xffabc"[..]).hang()),
        ("too early", begun().end(0, &[])),
    ];
    for (what, answer) in cases {
        let server = RpcServer::scripted(move |_| answer.clone()).await;
        let gateway = gateway(&server).await;
        let reply = gateway.ask(&OPENAI.request("m", true)).await;
        let text = reply.text();
        assert!(text.contains("one") && text.contains("error"), "{what}: {text}");
        assert!(what.contains("last message") || !text.contains("[DONE]"), "{what}: {text}");
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_http_1_is_no_server_of_grpc() {
    let upstream = weir_tests::Upstream::always(weir_tests::Answer::json(200, "{}")).await;
    let gateway = super::open(&super::config(&upstream.origin())).await;
    let reply = gateway.ask(&OPENAI.request("m", false)).await;
    assert_eq!(reply.status(), 502, "{}", reply.text());
}
