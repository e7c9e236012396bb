//! Heads and bodies whose end two servers could see in different places, and paths that two servers could read
//! differently, at every route: no second request is hidden in a first one, nothing doubtful reaches a provider, and no
//! path leads past a key.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weir_tests::{Answer, Gateway, Request, Upstream, soon};

use crate::wire_format::{ANTHROPIC, EVERY, OPENAI, config_of};

const KEY: &str = "weir-one-0123456789abcdef";
const TOKEN: &str = "an-admins-token-0123456789";
/// A request that must not be found within another one.
const HIDDEN: &str = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
const ROUTES: [&str; 14] = [
    "POST /v1/chat/completions",
    "POST /v1/messages",
    "POST /v1/responses",
    "POST /v1/embeddings",
    "POST /v1beta/models/openai:generateContent",
    "POST /v1/files",
    "GET /v1/models",
    "GET /v1/realtime?model=openai",
    "POST /passthrough/openai/anything",
    "POST /admin/plugins/rescan",
    "GET /metrics",
    "GET /livez",
    "GET /",
    "POST /nowhere",
];

async fn gateway() -> (Gateway, Upstream) {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let models = config_of(&EVERY, &upstream).replace("api_key", "passthrough = [\"* *\"]\napi_key");
    let client = format!(
        "[admin]\ntoken = \"{TOKEN}\"\n[[clients]]\nname = \"one\"\nkey = \"{KEY}\"\npassthrough = [\"* * *\"]\n\
         models = [\"openai\", \"openai-t\"]\n"
    );
    (Gateway::open(&(models + &client)).await, upstream)
}

/// All that the gateway answers to these bytes, until it closes the connection.
async fn answered(gateway: &Gateway, bytes: &[u8], about: &str) -> String {
    let mut stream = soon("a connection", TcpStream::connect(gateway.address)).await.unwrap();
    let _closed = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let end = async { while stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {} };
    let is_closed = tokio::time::timeout(weir_tests::TIMEOUT, end).await.is_ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(is_closed, "{about}: it stays open: {answer}");
    answer
}

fn heads_in(answer: &str) -> usize {
    answer.matches("HTTP/1.1 ").count() - answer.matches("HTTP/1.1 100").count()
}

/// Headers that say two things, or nothing that all servers understand.
const DOUBTFUL: [(&str, &str); 24] = [
    ("two lengths", "content-length: 5\r\ncontent-length: 6"),
    ("two lengths in one", "content-length: 5, 6"),
    ("the same length twice in one", "content-length: 5, 5"),
    ("a length with a sign", "content-length: +5"),
    ("a length below zero", "content-length: -1"),
    ("a length in hexadecimal", "content-length: 0x5"),
    ("no length", "content-length: "),
    ("a length beyond all", "content-length: 99999999999999999999999"),
    ("no chunks", "transfer-encoding: identity"),
    ("chunks in something", "transfer-encoding: chunked, identity"),
    ("chunks and something else", "transfer-encoding: chunked\r\ntransfer-encoding: identity"),
    ("nearly chunks", "transfer-encoding: xchunked"),
    ("chunks with a parameter", "transfer-encoding: chunked;q=1"),
    ("chunks with a vertical tab", "transfer-encoding: \x0bchunked"),
    ("chunks in quotation marks", "transfer-encoding: \"chunked\""),
    ("space in front of a colon", "transfer-encoding : chunked"),
    ("a tab in front of a colon", "transfer-encoding\t: chunked"),
    ("space in front of a name", " transfer-encoding: chunked"),
    ("a folded line", "x-a: b\r\n transfer-encoding: chunked"),
    ("a folded value", "transfer-encoding:\r\n chunked"),
    ("a line without a colon", "transfer-encoding chunked"),
    ("a NUL in a value", "x-a: b\0\r\ntransfer-encoding: chunked"),
    ("a return within a value", "x-a: b\rtransfer-encoding: chunked"),
    ("a name with a control character", "x\x01: b"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_says_two_things_is_refused_at_every_route_and_hides_no_request() {
    let (gateway, mut upstream) = gateway().await;
    for route in ROUTES {
        for (what, headers) in DOUBTFUL {
            let about = format!("{route}: {what}");
            let head =
                format!("{route} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n{headers}\r\n\r\n");
            let answer = answered(&gateway, format!("{head}0\r\n\r\n{HIDDEN}").as_bytes(), &about).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{about}: {answer}");
            assert_eq!(heads_in(&answer), 1, "{about}: {answer}");
        }
        let old = format!("{route} HTTP/1.0\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n");
        let answer = answered(&gateway, format!("{old}0\r\n\r\n{HIDDEN}").as_bytes(), route).await;
        assert!(answer.starts_with("HTTP/1.") && answer.contains(" 400 "), "{route}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{route}: {answer}");
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_a_length_and_chunks_is_that_of_its_chunks_and_the_last_of_its_connection() {
    let (gateway, mut upstream) = gateway().await;
    let length = HIDDEN.len() + 5;
    for route in ROUTES {
        let both = [
            format!("content-length: {length}\r\ntransfer-encoding: chunked"),
            format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
        ];
        for headers in both {
            let about = format!("{route}: {headers}");
            let head =
                format!("{route} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n{headers}\r\n\r\n");
            let answer = answered(&gateway, format!("{head}0\r\n\r\n{HIDDEN}").as_bytes(), &about).await;
            assert_eq!(heads_in(&answer), 1, "{about}: {answer}");
            if let Some(received) = upstream.unseen() {
                assert!(received.body.is_empty(), "{about}: {}", received.text());
                assert!(received.line().starts_with("POST /base/"), "{about}: {}", received.head);
                assert!(upstream.unseen().is_none(), "{about}");
            }
        }
    }
}

/// Chunks that servers could read differently.
const CHUNKS: [(&str, &str); 12] = [
    ("a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
    ("a size below zero", "-5\r\nhello\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("no size", "\r\nhello\r\n0\r\n\r\n"),
    ("a word", "five\r\nhello\r\n0\r\n\r\n"),
    ("a size beyond all", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("a size that goes round", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a line feed alone", "5\nhello\r\n0\r\n\r\n"),
    ("more than its size", "4\r\nhello\r\n0\r\n\r\n"),
    ("less than its size", "6\r\nhello\r\n0\r\n\r\n"),
    ("a line feed in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("a folded trailer", "5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_can_be_read_in_two_ways_reach_no_provider_and_hide_no_request() {
    let (gateway, mut upstream) = gateway().await;
    for route in ROUTES {
        for (what, chunks) in CHUNKS {
            let about = format!("{route}: {what}");
            let head = format!(
                "{route} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
                 content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let answer = answered(&gateway, format!("{head}{chunks}{HIDDEN}").as_bytes(), &about).await;
            assert!(heads_in(&answer) <= 1, "{about}: {answer}");
            assert!(upstream.unseen().is_none(), "{about}: a whole request was sent: {answer}");
        }
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

/// Paths that lead to something else where a server decodes them, or joins their segments.
const TRICKS: [&str; 30] = [
    "/v1/../admin/plugins",
    "/v1/%2e%2e/admin/plugins",
    "/v1/..%2fadmin/plugins",
    "/v1/..;/admin/plugins",
    "/v1/%252e%252e/admin/plugins",
    "/livez/../admin/plugins",
    "//admin/plugins",
    "///admin/plugins",
    "/./admin/plugins",
    "/%61dmin/plugins",
    "/ADMIN/plugins",
    "/admin%2fplugins",
    "/admin;x/plugins",
    "/admin/plugins/",
    "/admin//plugins",
    "/admin/plugins%00",
    "/admin/v1/keys",
    "/v1beta/models/..%2f..%2fadmin:generateContent",
    "/v1beta/models/%2e%2e:generateContent",
    "/v1beta/models/openai%2f..%2fsecret:generateContent",
    "/v1beta/models/openai/../secret:generateContent",
    "/zeta/v0/minds/..:parley",
    "/zeta/v0/minds/%2e%2e%2fadmin:parley",
    "/v1/chat%2fcompletions",
    "/v1//chat/completions",
    "/v1/chat/completions/../embeddings",
    "/v1/chat\\completions",
    "/v1/files/../../admin/plugins",
    "/v1/files/%2e%2e%2f%2e%2e%2fbase",
    "/passthrough/openai/../../admin/plugins",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_past_a_key_or_out_of_a_providers_url() {
    let (gateway, mut upstream) = gateway().await;
    let body = r#"{"model":"openai","messages":[{"role":"user","content":"Hi"}]}"#;
    for path in TRICKS {
        for whole in ["", "http://localhost", "http://evil.example"] {
            for method in ["GET", "POST", "DELETE"] {
                let target = format!("{whole}{path}");
                let request = Request::new(method, &target).header("authorization", &format!("Bearer {KEY}"));
                let request = request.header("content-type", "application/json").body(body);
                let reply = gateway.ask(&request).await;
                let about = format!("{method} {target}: {} {}", reply.status(), reply.text());
                assert!((400..500).contains(&reply.status()), "{about}");
                assert!(!reply.text().contains("\"digest\""), "{about}");
                assert!(upstream.unseen().is_none(), "{about}");
            }
        }
    }
    // The controls: the same key is served where it may be, and the administrator's is.
    assert_eq!(gateway.ask(&ANTHROPIC.request("openai", false).header("x-api-key", KEY)).await.status(), 200);
    let admin = Request::get("/admin/plugins").header("authorization", &format!("Bearer {TOKEN}"));
    assert!(gateway.ask(&admin).await.text().contains("\"digest\""));
}
