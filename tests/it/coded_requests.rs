//! Requests that their clients have compressed: read in every format and both lanes, sent on as they were before, and
//! bounded.

use weir_tests::code::pack;
use weir_tests::{Gateway, Request};

use crate::wire_format::{EVERY, OPENAI, TEXT, WireFormat, ZETA, config_of, provider};

const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];
const KIB: usize = 1 << 10;
const HELD: &str = "weir_buffered_bytes";

/// The request with its body compressed.
fn packed(request: Request, coding: &str) -> Request {
    let body = pack(coding, &request.sent());
    request.header("content-encoding", coding).body(body)
}

/// A request with a text of so many bytes that compress well.
fn long(model: &str, bytes: usize) -> Request {
    let request = OPENAI.request(model, false);
    let sent = String::from_utf8(request.sent()).unwrap();
    request.body(sent.replace("\"Hi\"", &format!("\"Hi{}\"", " ".repeat(bytes))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_request_is_answered_and_sent_on_as_the_same_without_compression() {
    for to in EVERY {
        let mut upstream = provider(to).await;
        let gateway = Gateway::open(&config_of(&EVERY, &upstream)).await;
        for from in EVERY {
            for model in [to.name.to_owned(), to.translated()] {
                for (coding, stream) in CODINGS.into_iter().flat_map(|coding| [(coding, false), (coding, true)]) {
                    let case = format!("{} to {model}, {coding}", from.name);
                    assert_eq!(gateway.ask(&from.request(&model, stream)).await.status(), 200, "{case}");
                    let plain = upstream.request().await;
                    let reply = gateway.ask(&packed(from.request(&model, stream), coding)).await;
                    assert_eq!(reply.status(), 200, "{case}: {}", reply.text());
                    assert_eq!(from.parsed(&reply, stream).text, TEXT, "{case}");
                    let sent = upstream.request().await;
                    assert_eq!((sent.text(), sent.header("content-encoding")), (plain.text(), None), "{case}");
                }
            }
        }
        gateway.until_metric(HELD, 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_body_is_without_compression_is_limited_and_nothing_stays_held() {
    let upstream = provider(OPENAI).await;
    let settings = "[server]\nmax_body_bytes = \"1MiB\"\nmax_buffered_bytes = \"16MiB\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    for coding in CODINGS {
        let (fits, bomb) = (long("openai", 900 * KIB), long("openai", 1000 * 1000 * KIB / 10));
        assert!(packed(bomb.clone(), coding).sent().len() < 200 * KIB, "{coding}");
        assert_eq!(gateway.ask(&packed(fits, coding)).await.status(), 200, "{coding}");
        let reply = gateway.ask(&packed(bomb, coding)).await;
        assert_eq!(reply.status(), 413, "{coding}: {}", reply.text());
        assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("max_body_bytes")), "{}", reply.text());
    }
    gateway.until_metric(HELD, 0.0).await;
}

/// The status of what cannot be read: one format has its own for each kind of error.
fn malformed(format: WireFormat) -> u16 {
    if format.name == ZETA.name { 422 } else { 400 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_or_unknown_coding_is_refused_in_the_clients_format() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config_of(&EVERY, &upstream)).await;
    for from in EVERY {
        for coding in CODINGS {
            let request = packed(from.request("openai", false), coding);
            let whole = request.sent();
            for broken in [whole[..whole.len() - 5].to_vec(), from.request("openai", false).sent()] {
                let reply = gateway.ask(&request.clone().body(broken)).await;
                assert_eq!(reply.status(), malformed(from), "{} {coding}: {}", from.name, reply.text());
                assert!(from.error(&reply).is_some_and(|message| message.contains("content-encoding")), "{coding}");
            }
        }
        for unknown in ["compress", "gzip, zstd", "gzip;q=1"] {
            let reply = gateway.ask(&from.request("openai", false).header("content-encoding", unknown)).await;
            assert_eq!(reply.status(), 415, "{} {unknown}: {}", from.name, reply.text());
            assert!(from.error(&reply).is_some_and(|message| message.contains("gzip, deflate, br and zstd")));
        }
        let plain = from.request("openai", false).header("content-encoding", "identity");
        assert_eq!(gateway.ask(&plain).await.status(), 200, "{}", from.name);
    }
    gateway.until_metric(HELD, 0.0).await;
}
