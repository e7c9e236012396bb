//! What one client's session may cost others: memory, places, time, the health of a target, and the operator's name at
//! the provider.

use serde_json::json;
use weir_tests::{Gateway, SessionProvider, WebSocket};

use super::{CLIENT, KEY, PATH, asks, begun, client, config, realtime, session};

const OTHER: &str = "weir-b-0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_refuses_a_client_does_not_count_against_the_target() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    for code in [1002, 1003, 1007, 1008, 1009, 3000, 4000].repeat(4) {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        upstream.close(code, "not that").await;
        assert_eq!(client.hear().await.close(), (code, "not that".to_owned()));
        client.close(code, "").await;
    }
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    assert_eq!(gateway.metric("weir_stream_errors_total{side=\"upstream\"}").await, 0.0);
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    upstream.close(1011, "out of order").await;
    assert_eq!(client.hear().await.close().0, 1011);
    gateway.until_metric("weir_stream_errors_total{side=\"upstream\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_of_a_close_shows_no_key() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    upstream.close(1008, &format!("no session for {KEY}")).await;
    assert_eq!(client.hear().await.close(), (1008, format!("no session for {}", "*".repeat(KEY.len()))));
    assert!(!weir_tests::log::text().contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_does_not_prolong_its_session() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(realtime("max_duration = \"1s\"") + &config(&provider))).await;
    let (client, mut upstream) = session(&gateway, &provider).await;
    let piece = vec![0u8; 1 << 20];
    // The client reads nothing, so that at some point the gateway waits for it.
    for _ in 0..64 {
        upstream.frame(true, 2, &piece).await;
    }
    assert_eq!(upstream.hear().await.close().0, 1001);
    gateway.until_metric("weir_realtime_closed_total{by=\"gateway\",code=\"1001\"}", 1.0).await;
    drop(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_never_whole_ends_its_session() {
    let provider = SessionProvider::listen().await;
    let settings = "[server]\nbody_timeout = \"300ms\"\n".to_owned() + &config(&provider);
    let gateway = Gateway::open(&settings).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    // Pings within it, and none of its own bytes.
    client.frame(false, 1, b"{\"type\":").await;
    client.frame(true, 9, b"").await;
    assert_eq!(client.next().await.map(|frame| frame.opcode), Some(10));
    let expected = "a message was not whole within `server.body_timeout`".to_owned();
    assert_eq!(client.hear().await.close(), (1008, expected));
    assert_eq!(upstream.hear().await.close().0, 1001);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_messages_count_in_the_memory_of_all_requests() {
    let provider = SessionProvider::listen().await;
    let memory = "[server]\nmax_buffered_bytes = \"4MiB\"\nmax_body_bytes = \"1MiB\"\n";
    let gateway = Gateway::open(&(memory.to_owned() + &config(&provider))).await;
    let part = vec![b' '; 200 << 10];
    let mut open = Vec::new();
    // Each holds twice 200 KiB: a tenth one has no room.
    for _ in 0..9 {
        let (mut client, upstream) = session(&gateway, &provider).await;
        client.frame(false, 1, &part).await;
        open.push((client, upstream));
    }
    gateway.until_metric("weir_buffered_bytes", f64::from(18 * (200 << 10))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.frame(false, 1, &part).await;
    let error = client.hear().await.json();
    assert!(error["error"]["message"].as_str().unwrap().contains("server.max_buffered_bytes"), "{error}");
    assert_eq!(client.hear().await.close().0, 1013);
    assert_eq!(upstream.hear().await.close().0, 1001);
    drop(open);
    gateway.until_metric("weir_buffered_bytes", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_takes_no_more_than_its_share_of_the_sessions() {
    let provider = SessionProvider::listen().await;
    let two = client("") + &format!("[[clients]]\nname = \"b\"\nkey = \"{OTHER}\"\n");
    for (settings, share) in [("max_sessions = 8", 2), ("max_sessions = 8\nmax_sessions_of_client = 3", 3)] {
        let gateway = Gateway::open(&(realtime(settings) + &config(&provider) + &two)).await;
        let bearers = [CLIENT, OTHER].map(|key| format!("Bearer {key}"));
        let mut open = Vec::new();
        for bearer in &bearers {
            let headers = [("authorization", bearer.as_str())];
            for _ in 0..share {
                let (client, upstream) =
                    tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
                open.push((client.unwrap(), upstream));
            }
            let (status, body) = WebSocket::ask(gateway.address, PATH, &headers).await.unwrap_err();
            assert_eq!(status, 503, "{body}");
        }
        drop(open);
        gateway.until_metric("weir_realtime_sessions", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_chooses_no_organisation_or_project_of_the_operators() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let offer = "realtime, openai-organization.org-x, openai-project.proj-x, openai-beta.realtime-v1, a.b";
    let headers = [("sec-websocket-protocol", offer), ("openai-organization", "org-x")];
    let (client, upstream) = tokio::join!(
        WebSocket::ask(gateway.address, PATH, &headers),
        provider.grant_with("sec-websocket-protocol: realtime\r\n")
    );
    assert_eq!(client.unwrap().header("sec-websocket-protocol"), Some("realtime"));
    assert_eq!(upstream.header("sec-websocket-protocol"), Some("realtime, openai-beta.realtime-v1"));
    assert!(!upstream.head.contains("org-x") && !upstream.head.contains("proj-x"), "{}", upstream.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_gets_the_span_of_the_attempt() {
    let provider = SessionProvider::listen().await;
    let traces = "[traces]\nendpoint = \"http://127.0.0.1:9\"\n";
    let gateway = Gateway::open(&(traces.to_owned() + &config(&provider))).await;
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let parent = format!("00-{trace}-{span}-01");
    let headers = [("traceparent", parent.as_str())];
    let (client, mut upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let traceparent = upstream.header("traceparent").unwrap_or_default().to_owned();
    assert!(traceparent.starts_with(&format!("00-{trace}-")) && !traceparent.contains(span), "{traceparent}");
    let mut client = client.unwrap();
    client.say(&asks()).await;
    upstream.hear().await;
    upstream.say(&begun()).await;
    assert_eq!(client.hear().await.json(), begun());
    client.say(&json!({"type": "input_audio_buffer.clear"})).await;
    upstream.hear().await;
}
