//! Frames, right and wrong: large messages, fragments, pings, back-pressure, hostile sides, and keys that a provider
//! repeats.

use serde_json::json;
use weir_tests::{Gateway, SessionProvider};

use super::{KEY, config, realtime, session};

#[tokio::test(flavor = "multi_thread")]
async fn large_and_fragmented_messages_pass_whole_in_both_directions() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let large: Vec<u8> = (0..16u32 << 20).map(|at| (at % 251) as u8).collect();
    let ((), heard) = tokio::join!(client.frame(true, 2, &large), upstream.message());
    assert!(heard == large, "the largest frame arrives unchanged");
    let ((), heard) = tokio::join!(upstream.frame(true, 2, &large), client.message());
    assert!(heard == large, "and the other way");
    client.frame(false, 1, b"{\"type\":").await;
    client.frame(true, 9, b"within").await;
    client.frame(false, 0, b"").await;
    client.frame(true, 0, b"\"in.parts\"}").await;
    let pong = client.next().await.unwrap();
    assert_eq!((pong.opcode, pong.text().as_str()), (10, "within"), "a ping is answered where it arrives");
    assert_eq!(upstream.message().await, b"{\"type\":\"in.parts\"}");
    upstream.frame(true, 9, b"theirs").await;
    let pong = upstream.next().await.unwrap();
    assert_eq!((pong.opcode, pong.text().as_str(), pong.masked), (10, "theirs", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_client_is_closed_with_the_reason_and_the_provider_is_left() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(realtime("max_message_bytes = \"64KiB\"") + &config(&provider))).await;
    let large = vec![b'x'; 70_000];
    let cases: [(&str, Vec<u8>, u16); 7] = [
        ("unmasked", vec![0x81, 1, b'x'], 1002),
        ("a reserved bit", vec![0xc1, 0x80, 0, 0, 0, 0], 1002),
        ("a giant length", vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1009),
        ("an unknown opcode", vec![0x83, 0x80, 0, 0, 0, 0], 1002),
        ("a long ping", vec![0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002),
        ("no UTF-8", vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        ("endless fragments", [vec![0x01, 0x80, 0, 0, 0, 0], [0u8, 0x80, 0, 0, 0, 0].repeat(20_000)].concat(), 1008),
    ];
    for (what, bytes, code) in cases {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        client.raw(&bytes).await;
        assert_eq!(client.hear().await.close().0, code, "{what}");
        assert_eq!(upstream.hear().await.close().0, 1001, "{what}");
    }
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.frame(false, 1, &large[..40_000]).await;
    client.frame(true, 0, &large[..40_000]).await;
    assert_eq!(client.hear().await.close().0, 1009, "the sum of fragments counts");
    assert_eq!(upstream.hear().await.close().0, 1001);
    gateway.until_metric("weir_stream_errors_total{side=\"client\"}", 8.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_provider_is_closed_and_the_client_gets_a_close_code() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    for (what, bytes) in [
        ("masked", vec![0x81, 0x81, 0, 0, 0, 0, b'x']),
        ("a close of one byte", vec![0x88, 1, 3]),
        ("a code that none may send", vec![0x88, 2, 3, 0xee]),
        ("no order", vec![0x80, 0]),
    ] {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        upstream.raw(&bytes).await;
        assert_eq!(client.hear().await.close(), (1014, "the provider broke the protocol".to_owned()), "{what}");
        assert_eq!(upstream.hear().await.close().0, 1002, "{what}");
    }
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    for _ in 0..100 {
        upstream.close(1000, "again").await;
    }
    assert_eq!(client.hear().await.close(), (1000, "again".to_owned()), "one close, however many there are");
    client.close(1000, "").await;
    assert_eq!(client.next().await, None);
    let (mut client, upstream) = session(&gateway, &provider).await;
    upstream.cut();
    assert_eq!(client.hear().await.close(), (1014, "the connection to the provider broke".to_owned()));
    gateway.until_metric("weir_stream_errors_total{side=\"upstream\"}", 5.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_provider_repeats_is_hidden_whole_and_in_fragments() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let message = json!({"type": "error", "error": {"message": format!("wrong key {KEY}!")}}).to_string();
    let hidden = message.replace(KEY, &"*".repeat(KEY.len()));
    upstream.frame(true, 1, message.as_bytes()).await;
    assert_eq!(String::from_utf8(client.message().await).unwrap(), hidden);
    for byte in message.as_bytes().chunks(7).enumerate() {
        upstream.frame(false, u8::from(byte.0 == 0), byte.1).await;
    }
    upstream.frame(true, 0, b"").await;
    assert_eq!(String::from_utf8(client.message().await).unwrap(), hidden);
    // Larger than what is held, so that it passes in pieces, with a key where these are cut.
    let large = format!("{}{}", "y".repeat((256 << 10) - 20), KEY.repeat(3));
    upstream.frame(true, 1, large.as_bytes()).await;
    let heard = String::from_utf8(client.message().await).unwrap();
    assert_eq!(heard.len(), large.len());
    assert!(!heard.contains(&KEY[4..]), "{}", &heard[(256 << 10) - 40..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_stops_the_provider_and_holds_little() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&("[server]\nsend_timeout = \"1s\"\n".to_owned() + &config(&provider))).await;
    let (client, mut upstream) = session(&gateway, &provider).await;
    let piece = vec![0u8; 1 << 20];
    // The client reads nothing: at some point the provider cannot write any more, and then the session ends.
    for _ in 0..64 {
        upstream.frame(true, 2, &piece).await;
    }
    assert_eq!(upstream.hear().await.close().0, 1001);
    drop(client);
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    let passed = gateway.metric("weir_realtime_bytes_total{from=\"provider\"}").await;
    assert!(passed < 32e6, "only what the client's system took was read: {passed}");
}
