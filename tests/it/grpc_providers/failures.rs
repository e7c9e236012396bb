//! Statuses of gRPC, in the client's own terms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message as _;
use tonic_types::{ErrorDetails, StatusExt as _};
use weir_tests::{RpcAnswer, RpcServer};

use super::{KEY, chunk, config, delta, engine, gateway, open, provider};
use crate::wire_format::OPENAI;

#[tokio::test(flavor = "multi_thread")]
async fn each_status_is_an_error_of_its_kind() {
    let cases = [
        (3, 400),
        (5, 404),
        (8, 429),
        (12, 502),
        (13, 500),
        (14, 503),
        (4, 504),
        // What the provider thinks of the gateway's credential is no affair of the client's.
        (16, 502),
    ];
    for (code, status) in cases {
        for early in [true, false] {
            let server = RpcServer::scripted(move |_| {
                let message = [("grpc-message", "it%20is%20so")];
                if early { RpcAnswer::refused(code, &message) } else { RpcAnswer::begin().end(code, &message) }
            })
            .await;
            let gateway = gateway(&server).await;
            for stream in [false, true] {
                let reply = gateway.ask(&OPENAI.request("m", stream)).await;
                assert_eq!(reply.status(), status, "{code} {early} {stream}: {}", reply.text());
                assert_eq!(reply.header("x-weir-error-source"), Some("upstream"));
                assert_eq!(reply.text().contains("it is so"), code != 16, "{}", reply.text());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_names_the_time_is_not_asked_sooner() {
    let details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_millis(6500)));
    let status = tonic::Status::with_error_details(tonic::Code::ResourceExhausted, "queue is full", details);
    let details = STANDARD_NO_PAD.encode(status.details());
    let server = RpcServer::scripted(move |_| {
        RpcAnswer::begin().end(8, &[("grpc-message", "queue%20is%20full"), ("grpc-status-details-bin", &details)])
    })
    .await;
    let gateway = gateway(&server).await;
    let reply = gateway.ask(&OPENAI.request("m", false)).await;
    assert_eq!((reply.status(), reply.header("retry-after")), (429, Some("7")), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_unavailable_is_replaced_by_another() {
    let dead = RpcServer::scripted(|_| RpcAnswer::refused(14, &[])).await;
    let mut live = RpcServer::scripted(engine).await;
    let models = "[[models]]\nalias = \"m\"\ntargets = [{ provider = \"dead\", model = \"served\" }, { provider = \"live\", model = \"served\" }]\n";
    let gateway = open(&(provider("dead", &dead.url()) + &provider("live", &live.url()) + models)).await;
    for stream in [false, true] {
        let reply = gateway.ask(&OPENAI.request("m", stream)).await;
        assert_eq!((reply.status(), reply.attempts()), (200, Some("2")), "{}", reply.text());
        live.call().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_after_the_first_message_ends_the_stream_with_an_error() {
    let server = RpcServer::scripted(|_| {
        RpcAnswer::begin().message(&chunk(&delta("one"), false)).end(14, &[("grpc-message", "the engine is gone")])
    })
    .await;
    let gateway = gateway(&server).await;
    let reply = gateway.ask(&OPENAI.request("m", true)).await;
    assert_eq!(reply.status(), 200);
    let text = reply.text();
    assert!(text.contains("one") && text.contains("the engine is gone") && !text.contains("[DONE]"), "{text}");
    // A whole answer is not begun before its end.
    let reply = gateway.ask(&OPENAI.request("m", false)).await;
    assert_eq!(reply.status(), 503, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_status_and_no_message_shows_the_key() {
    let shown = format!("refused {}", KEY.replace('k', "%6B"));
    let details = tonic_types::pb::Status { code: 3, message: format!("refused {KEY}"), details: Vec::new() };
    let details = STANDARD_NO_PAD.encode(details.encode_to_vec());
    let server = RpcServer::scripted(move |call| match call.message::<super::OpenAiRequest>().json_body.len() % 3 {
        0 => RpcAnswer::refused(3, &[("grpc-message", &shown)]),
        1 => RpcAnswer::begin().end(3, &[("grpc-status-details-bin", &details)]),
        _ => RpcAnswer::begin().message(&chunk(&delta(KEY), false)).end(3, &[("grpc-message", &shown)]),
    })
    .await;
    let gateway = open(&config(&server.url())).await;
    for length in 0..6 {
        for stream in [false, true] {
            let body = format!(
                "{{\"model\":\"m\",\"stream\":{stream},\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
                "a".repeat(length)
            );
            let reply = gateway.post("/v1/chat/completions", &body).await;
            assert!(!reply.text().contains(KEY), "{}", reply.text());
            assert!(reply.text().contains("***"), "{}", reply.text());
        }
    }
}
