//! Frames, right and wrong: large messages, fragments, pings, back-pressure, hostile sides, and keys that a provider
//! repeats.

use std::ops::Range;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use weir_tests::{Gateway, SessionProvider, WebSocket, soon};

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
    let cases: [(&str, Vec<u8>, u16); 16] = [
        ("unmasked", vec![0x81, 1, b'x'], 1002),
        ("a reserved bit", vec![0xc1, 0x80, 0, 0, 0, 0], 1002),
        ("a giant length", vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1009),
        ("an unknown opcode", vec![0x83, 0x80, 0, 0, 0, 0], 1002),
        ("a long ping", vec![0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002),
        ("a ping in parts", vec![0x09, 0x80, 0, 0, 0, 0], 1002),
        ("a close in parts", vec![0x08, 0x82, 0, 0, 0, 0, 3, 0xe8], 1002),
        ("a length with its first bit", [vec![0x82, 0xff], vec![0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]].concat(), 1002),
        ("a length that is not the shortest", vec![0x82, 0xfe, 0, 125, 0, 0, 0, 0], 1002),
        ("a long length that is not the shortest", vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], 1002),
        ("a new message within another", vec![0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0], 1002),
        ("a part of no message", vec![0x80, 0x80, 0, 0, 0, 0], 1002),
        ("a reserved bit of a ping", vec![0x99, 0x80, 0, 0, 0, 0], 1002),
        ("no UTF-8", vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        ("half a character", vec![0x01, 0x81, 0, 0, 0, 0, 0xc3, 0x80, 0x80, 0, 0, 0, 0], 1007),
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
    gateway.until_metric("weir_stream_errors_total{side=\"client\"}", 17.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_provider_is_closed_and_the_client_gets_a_close_code() {
    let provider = SessionProvider::listen().await;
    // No target rests, whatever it does.
    let lasting = "breaker = { min_attempts = 1000000, max_cooldown = \"0s\" }\n[[models]]";
    let gateway = Gateway::open(&config(&provider).replace("[[models]]", lasting)).await;
    for (what, bytes) in [
        ("masked", vec![0x81, 0x81, 0, 0, 0, 0, b'x']),
        ("a close of one byte", vec![0x88, 1, 3]),
        ("a code that none may send", vec![0x88, 2, 3, 0xee]),
        ("no order", vec![0x80, 0]),
        ("a reserved bit", vec![0xc1, 0]),
        ("an unknown opcode", vec![0x83, 0]),
        ("a giant length", vec![0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a length with its first bit", vec![0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 1]),
        ("a length that is not the shortest", vec![0x82, 0x7e, 0, 125]),
        ("a long ping", vec![0x89, 0x7e, 0, 126]),
        ("a ping in parts", vec![0x09, 0]),
        ("a new message within another", vec![0x01, 0, 0x81, 0]),
        ("no UTF-8", vec![0x81, 1, 0xff]),
        ("a reason that is no UTF-8", vec![0x88, 3, 3, 0xe8, 0xff]),
    ] {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        upstream.raw(&bytes).await;
        let (code, reason) = client.hear().await.close();
        assert!(code == 1014 && reason.contains("provider"), "{what}: {code} {reason}");
        let expected = match what {
            "a giant length" => 1009,
            "no UTF-8" => 1007,
            _ => 1002,
        };
        assert_eq!(upstream.hear().await.close().0, expected, "{what}");
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
    gateway.until_metric("weir_stream_errors_total{side=\"upstream\"}", 15.0).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_message_passes_in_large_fragments_with_pings_between_and_no_byte_more_does() {
    const PART: usize = 1 << 20;
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let bytes: Vec<u8> = (0..16 * PART as u32).map(|at| (at % 251) as u8).collect();
    let text = format!("{{\"type\":\"x\",\"pad\":\"{}\"}}", "y".repeat(16 * PART - 21));
    assert_eq!(text.len(), 16 * PART);
    for (opcode, message) in [(2, bytes.as_slice()), (1, text.as_bytes())] {
        for by_client in [true, false] {
            for is_larger in [false, true] {
                let (mut client, mut upstream) = session(&gateway, &provider).await;
                let (says, hears) = sides(by_client, &mut client, &mut upstream);
                let sent = async {
                    for (at, part) in message.chunks(PART).enumerate() {
                        says.frame(!is_larger && at == 15, if at == 0 { opcode } else { 0 }, part).await;
                        says.frame(true, 9, b"there?").await;
                    }
                    if is_larger {
                        says.frame(true, 0, b" ").await;
                    }
                };
                let ((), heard) = tokio::join!(sent, hears.message_or_close());
                let about = format!("{opcode} {by_client} {is_larger}");
                if is_larger {
                    assert_eq!(heard.unwrap_err().0, if by_client { 1001 } else { 1014 }, "{about}");
                    assert_eq!(says.hear().await.close().0, 1009, "{about}");
                } else {
                    assert!(heard.unwrap() == message, "{about}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_none_may_send_ends_the_session_and_reaches_nobody() {
    let provider = SessionProvider::listen().await;
    let codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535_u16];
    let odd = [vec![3], [&1000_u16.to_be_bytes()[..], b"\xff\xfe"].concat()];
    for payload in codes.map(|code| code.to_be_bytes().to_vec()).into_iter().chain(odd) {
        // A provider that breaks the protocol again and again is left alone.
        let gateway = Gateway::open(&config(&provider)).await;
        for by_client in [true, false] {
            let (mut client, mut upstream) = session(&gateway, &provider).await;
            let (closes, hears) = sides(by_client, &mut client, &mut upstream);
            closes.frame(true, 8, &payload).await;
            assert_eq!(closes.hear().await.close().0, 1002, "{payload:?} {by_client}");
            assert_eq!(hears.hear().await.close().0, if by_client { 1001 } else { 1014 }, "{payload:?} {by_client}");
        }
    }
}

/// Pings of a side, each with its number.
fn pings(by_client: bool, numbers: Range<u32>) -> Vec<u8> {
    // A mask of zeros changes nothing.
    let head: &[u8] = if by_client { &[0x89, 0x84, 0, 0, 0, 0] } else { &[0x89, 4] };
    numbers.flat_map(|number| [head, &number.to_be_bytes()].concat()).collect()
}

/// The side that does something, and the other one.
fn sides<'a>(
    by_client: bool,
    client: &'a mut WebSocket,
    upstream: &'a mut WebSocket,
) -> (&'a mut WebSocket, &'a mut WebSocket) {
    if by_client { (client, upstream) } else { (upstream, client) }
}

/// Checks that messages pass both ways.
async fn goes_on(client: &mut WebSocket, upstream: &mut WebSocket) {
    for by_client in [true, false] {
        let (says, hears) = sides(by_client, client, upstream);
        says.say(&json!({"type": "x"})).await;
        assert_eq!(hears.hear().await.json()["type"], "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_of_pings_the_last_is_answered_and_messages_go_on() {
    const PINGS: u32 = 20_000;
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    for by_client in [true, false] {
        let (floods, hears) = sides(by_client, &mut client, &mut upstream);
        floods.raw(&pings(by_client, 0..PINGS)).await;
        floods.say(&json!({"type": "x"})).await;
        let (mut pongs, mut last) = (0, 0);
        while last != PINGS - 1 {
            let pong = floods.next().await.unwrap();
            assert_eq!(pong.opcode, 10, "{pong:?}");
            let number = u32::from_be_bytes(pong.payload.try_into().unwrap());
            assert!(number > last || pongs == 0, "in their order: {last}, {number}");
            (pongs, last) = (pongs + 1, number);
        }
        assert!(pongs < PINGS / 4, "each answer costs more than a ping: {pongs}");
        assert_eq!(hears.hear().await.json()["type"], "x");
    }
    goes_on(&mut client, &mut upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_all_the_time_prolong_no_session() {
    let provider = SessionProvider::listen().await;
    for (settings, reason) in [
        ("idle_timeout = \"500ms\"", "no message for `realtime.idle_timeout`"),
        ("max_duration = \"500ms\"", "the session lasted for `realtime.max_duration`"),
    ] {
        let gateway = Gateway::open(&(realtime(settings) + &config(&provider))).await;
        for by_client in [true, false] {
            let (mut client, mut upstream) = session(&gateway, &provider).await;
            let (floods, hears) = sides(by_client, &mut client, &mut upstream);
            let closed = async {
                loop {
                    floods.raw(&pings(by_client, 0..1_000)).await;
                    loop {
                        let frame = floods.next().await.expect("a close comes before the end");
                        match frame.opcode {
                            8 => return frame.close(),
                            _ if frame.payload == 999_u32.to_be_bytes() => break,
                            _ => {}
                        }
                    }
                }
            };
            let told = [soon("a close", closed).await, hears.hear().await.close()];
            let [to_client, to_provider] = if by_client { told } else { [told[1].clone(), told[0].clone()] };
            assert_eq!(to_client, (1001, reason.to_owned()), "{by_client}");
            assert_eq!(to_provider.0, 1001, "{by_client}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_of_a_byte_are_a_message_if_there_are_not_too_many_and_its_end_comes() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut bystander, mut its_provider) = session(&gateway, &provider).await;
    let message = json!({"type": "x", "pad": "y".repeat(16_000)}).to_string();
    for by_client in [true, false] {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        let (floods, hears) = sides(by_client, &mut client, &mut upstream);
        for (at, byte) in message.as_bytes().iter().enumerate() {
            floods.frame(at + 1 == message.len(), u8::from(at == 0), &[*byte]).await;
        }
        assert_eq!(hears.message().await, message.as_bytes(), "{by_client}");
        for at in 0..16_385 {
            floods.frame(false, u8::from(at == 0), b"y").await;
        }
        let codes = [client.hear().await.close().0, upstream.hear().await.close().0];
        assert_eq!(codes, if by_client { [1008, 1001] } else { [1014, 1008] }, "too many fragments");
    }
    goes_on(&mut bystander, &mut its_provider).await;

    let hurried = "[server]\nbody_timeout = \"300ms\"\n".to_owned() + &config(&provider);
    let gateway = Gateway::open(&hurried).await;
    let (mut bystander, mut its_provider) = session(&gateway, &provider).await;
    for by_client in [true, false] {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        let (floods, hears) = sides(by_client, &mut client, &mut upstream);
        let closed = async {
            floods.frame(false, 1, b"y").await;
            loop {
                floods.frame(false, 0, b"y").await;
                if let Ok(frame) = timeout(Duration::from_millis(20), floods.next()).await {
                    return frame.expect("a close comes before the end").close().0;
                }
            }
        };
        let told = [soon("a close", closed).await, hears.hear().await.close().0];
        assert_eq!(told, if by_client { [1008, 1001] } else { [1001, 1014] }, "it is never whole");
    }
    goes_on(&mut bystander, &mut its_provider).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_that_may_be_sent_reaches_the_other_side_with_the_longest_reason() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let longest = format!("{}\u{e9}", "r".repeat(121));
    assert_eq!(longest.len(), 123);
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4402, 4999]) {
        for by_client in [true, false] {
            let (mut client, mut upstream) = session(&gateway, &provider).await;
            let (closes, hears) = sides(by_client, &mut client, &mut upstream);
            closes.close(code, &longest).await;
            assert_eq!(hears.hear().await.close(), (code, longest.clone()), "{by_client}");
            hears.close(code, "").await;
            assert_eq!(closes.hear().await.close(), (code, longest.clone()), "the answer, {by_client}");
            assert_eq!(closes.next().await, None, "{by_client}");
        }
    }
    for by_client in [true, false] {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        let (closes, hears) = sides(by_client, &mut client, &mut upstream);
        closes.frame(true, 8, b"").await;
        assert_eq!(hears.hear().await.close(), (0, String::new()), "without a code, {by_client}");
    }
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
}
