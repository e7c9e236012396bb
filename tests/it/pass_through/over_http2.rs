//! Clients with HTTP/2, whose heads are written by hand: what two servers could read differently does not pass.

use tokio::io::AsyncWriteExt as _;
use weir_tests::http2::{DATA, END_HEADERS, END_STREAM, GO_AWAY, HEADERS, RESET, connect, frame, header, named, next};
use weir_tests::{Answer, Gateway, Received, Upstream, soon};

use super::{KEY, client, provider};
use crate::wire_format::OPENAI;

const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const CLIENTS_KEY: &str = "weir-a-0123456789abcdef";

/// What a client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// An answer with this number in the table of HTTP/2's statuses.
    Status(u16),
    /// The stream was reset, or the connection ended.
    Broken,
}

const PASSED: End = End::Status(200);
const REFUSED: End = End::Status(400);

/// The head of a request with a body, and with what varies.
fn head(path: &str, varied: &[Vec<u8>]) -> Vec<u8> {
    let key = named("authorization", &format!("Bearer {CLIENTS_KEY}"));
    let kind = named("content-type", "application/json");
    // Pseudo-headers come first.
    let (pseudo, plain): (Vec<_>, Vec<_>) = varied.iter().cloned().partition(|one| one[0] != 0 || one[2] == b':');
    [vec![0x83, 0x86], header(PATH, path), pseudo.concat(), key, kind, plain.concat()].concat()
}

/// Sends a request of these frames on a connection of its own, and waits for its answer.
async fn ask(gateway: &Gateway, frames: &[Vec<u8>]) -> End {
    let mut stream = connect(gateway.address).await;
    stream.write_all(&frames.concat()).await.unwrap();
    loop {
        match soon("an answer", next(&mut stream)).await {
            Some((HEADERS, _, 1, payload)) => {
                let status = match payload[0] {
                    0x88 => 200,
                    0x8c => 400,
                    _ => 0,
                };
                return End::Status(status);
            }
            Some((RESET, _, 1, _) | (GO_AWAY, ..)) | None => return End::Broken,
            Some(_) => {}
        }
    }
}

fn with_body(head: &[u8]) -> Vec<Vec<u8>> {
    vec![frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, br#"{"model":"gpt","messages":[]}"#)]
}

async fn open() -> (Upstream, Gateway) {
    let upstream = Upstream::scripted(|request| {
        let is_stream = request.text().contains("stream");
        if is_stream { OPENAI.streamed() } else { Answer::json(200, OPENAI.whole()) }
    })
    .await;
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &client("a", "passthrough = [\"p * *\"]"))).await;
    (upstream, gateway)
}

fn check_sent(sent: &Received, upstream: &Upstream) {
    assert_eq!(sent.header("host"), Some(upstream.origin().trim_start_matches("http://")));
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert!(!sent.head.contains("weir-a-") && !sent.text().contains("weir-a-"), "{}", sent.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_http2_has_one_host_which_stays_here() {
    let (mut upstream, gateway) = open().await;
    let (authority, host) = (|name: &str| header(AUTHORITY, name), |name: &str| named("host", name));
    for (varied, expected) in [
        (vec![authority("localhost")], PASSED),
        (vec![authority("localhost:8080")], PASSED),
        (vec![authority("[::1]:8080")], PASSED),
        (vec![host("localhost")], PASSED),
        (vec![authority("localhost"), host("LocalHost")], PASSED),
        (vec![], REFUSED),
        (vec![authority("localhost"), host("evil.example")], REFUSED),
        (vec![authority("localhost"), host("localhost:80")], REFUSED),
        (vec![authority("localhost"), host("")], REFUSED),
        (vec![authority("localhost"), host("localhost"), host("localhost")], REFUSED),
        (vec![authority("localhost"), host("localhost"), host("evil.example")], REFUSED),
        (vec![host("localhost"), host("localhost")], REFUSED),
        (vec![host("a b")], REFUSED),
        (vec![host("user@localhost")], REFUSED),
        (vec![authority("user@localhost")], REFUSED),
        (vec![authority("user:pass@localhost"), host("localhost")], REFUSED),
        (vec![authority("localhost/elsewhere")], End::Broken),
        (vec![authority("a b")], End::Broken),
        (vec![authority("")], End::Broken),
        (vec![authority("localhost"), authority("evil.example")], End::Broken),
    ] {
        let what =
            format!("{:?}", varied.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect::<Vec<_>>());
        let end = ask(&gateway, &with_body(&head("/passthrough/p/chat/completions", &varied))).await;
        assert_eq!(end, expected, "{what}");
        if end == PASSED {
            check_sent(&upstream.request().await, &upstream);
        }
        assert!(upstream.unseen().is_none(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tunnel_and_no_header_of_a_connection_passes_over_http2() {
    let (mut upstream, gateway) = open().await;
    let authority = header(AUTHORITY, "localhost");
    for (varied, expected) in [
        (named("te", "trailers"), PASSED),
        (named("te", "gzip"), End::Broken),
        (named("connection", "x-private"), End::Broken),
        (named("transfer-encoding", "chunked"), End::Broken),
        (named("upgrade", "websocket"), End::Broken),
        (named("keep-alive", "timeout=5"), End::Broken),
        (named("content-length", "3"), End::Broken),
        (named(":protocol", "websocket"), End::Broken),
        (named(":path", "/passthrough/p/other"), End::Broken),
        (named(":method", "DELETE"), End::Broken),
        (named("X-Capital", "x"), End::Broken),
        (named("x-line", "a\r\nhost: evil.example"), End::Broken),
        (named("x-http-method-override", "DELETE"), PASSED),
        (named("trailer", "authorization"), PASSED),
    ] {
        let what = String::from_utf8_lossy(&varied).into_owned();
        let frames = with_body(&head("/passthrough/p/chat/completions", &[authority.clone(), varied]));
        let end = ask(&gateway, &frames).await;
        assert_eq!(end, expected, "{what}");
        if end == PASSED {
            let sent = upstream.request().await;
            check_sent(&sent, &upstream);
            assert_eq!(sent.line(), "POST /base/chat/completions", "{what}");
            let gone = ["te", "trailer", "x-http-method-override"];
            assert!(gone.iter().all(|name| sent.header(name).is_none()), "{}", sent.head);
        }
        // A body that is not as long as its head says ends at the provider without its end.
        let begun = upstream.unseen();
        assert!(begun.is_none(), "{what}: {begun:?}");
    }
    // An extended `CONNECT`, with and without a path, and a plain one.
    let connects = named(":method", "CONNECT");
    let key = named("authorization", &format!("Bearer {CLIENTS_KEY}"));
    for pseudo in [
        vec![authority.clone()],
        vec![authority.clone(), named(":protocol", "websocket"), vec![0x86], header(PATH, "/passthrough/p/realtime")],
        vec![authority.clone(), vec![0x86], header(PATH, "/passthrough/p/realtime")],
    ] {
        let head = [connects.clone(), pseudo.concat(), key.clone()].concat();
        let end = ask(&gateway, &[frame(HEADERS, END_HEADERS, 1, &head)]).await;
        assert_ne!(end, PASSED);
        assert!(upstream.unseen().is_none(), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_a_request_stay_here_whatever_they_say() {
    let (mut upstream, gateway) = open().await;
    for path in ["/passthrough/p/chat/completions", "/passthrough/p/any/thing"] {
        for stream in [false, true] {
            let body = format!(r#"{{"model":"gpt","messages":[]{}}}"#, if stream { r#","stream":true"# } else { "" });
            let trailers = [
                named("authorization", &format!("Bearer {CLIENTS_KEY}")),
                named("x-api-key", CLIENTS_KEY),
                named("x-model", "secret"),
                named("host", "evil.example"),
            ];
            let frames = [
                frame(HEADERS, END_HEADERS, 1, &head(path, &[header(AUTHORITY, "localhost")])),
                frame(DATA, 0, 1, body.as_bytes()),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers.concat()),
            ];
            assert_eq!(ask(&gateway, &frames).await, PASSED, "{path}");
            let sent = upstream.request().await;
            check_sent(&sent, &upstream);
            assert_eq!(sent.text(), body, "{path}");
            assert!(!sent.head.contains("x-model") && !sent.head.contains("evil"), "{}", sent.head);
        }
    }
}
