//! TLS on the main listener: both versions of HTTP, a renewed certificate, and peers that never complete the handshake.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use weir_config::TlsFiles;
use weir_server::tls::Tls;
use weir_tests::parsed_answer::ParsedAnswer;
use weir_tests::{Folder, Gateway, soon};

use crate::wire_format::{OPENAI, TEXT, config, provider};

/// Writes a new certificate for `localhost` and its key; returns the certificate.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

/// A gateway with TLS, and its certificate.
pub(crate) async fn gateway(more: &str) -> (Gateway, CertificateDer<'static>, weir_tests::Upstream) {
    let upstream = provider(OPENAI).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let cert = certificate(folder.path());
    let settings =
        format!("[server]\ntls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n{more}\n{}", config(&upstream));
    (Gateway::with(folder, &settings).await, cert, upstream)
}

pub(crate) async fn shake(
    gateway: &Gateway,
    cert: &CertificateDer<'static>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

pub(crate) fn request(model: &str, stream: bool) -> http::Request<Full<Bytes>> {
    let body = OPENAI.request(model, stream).sent();
    let request = http::Request::post("https://localhost/v1/chat/completions").header("host", "localhost");
    request.header("content-type", "application/json").body(Full::new(Bytes::from(body))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_http_are_served_over_tls() {
    let (gateway, cert, _upstream) = gateway("").await;
    let tls = shake(&gateway, &cert, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut two, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let tls = shake(&gateway, &cert, &["http/1.1"]).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut one, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    for model in ["openai", "openai-t"] {
        for stream in [false, true] {
            let answers = [soon("an answer", two.send_request(request(model, stream))).await, {
                soon("an answer", one.ready()).await.unwrap();
                soon("an answer", one.send_request(request(model, stream))).await
            }];
            for answer in answers {
                let answer = answer.unwrap();
                assert_eq!(answer.status(), 200);
                let body = soon("its end", answer.into_body().collect()).await.unwrap().to_bytes();
                let text = String::from_utf8_lossy(&body).into_owned();
                let parsed = if stream {
                    ParsedAnswer::stream(OPENAI.format, &text)
                } else {
                    ParsedAnswer::whole(OPENAI.format, &serde_json::from_str(&text).unwrap())
                };
                assert_eq!(parsed.text, TEXT, "{model}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_begins_its_session_in_both_versions_of_http() {
    let token = "the-token-of-the-operator-0123";
    let (gateway, cert, _upstream) = gateway(&format!("[admin]\ntoken = \"{token}\"")).await;
    let login = |url: &str, origin: &str| {
        let request = http::Request::post(url).header("origin", origin).header("content-type", "application/json");
        request.body(Full::new(Bytes::from(format!("{{\"token\": \"{token}\"}}")))).unwrap()
    };
    let tls = shake(&gateway, &cert, &["h2"]).await.unwrap();
    let (mut two, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let tls = shake(&gateway, &cert, &["http/1.1"]).await.unwrap();
    let (mut one, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    for (origin, status) in [("https://localhost", 200), ("https://localhost:1", 403), ("https://evil.example", 403)] {
        let over_two = login("https://localhost/admin/v1/session", origin);
        let mut over_one = login("/admin/v1/session", origin);
        over_one.headers_mut().insert("host", "localhost".parse().unwrap());
        soon("an answer", one.ready()).await.unwrap();
        for answer in [soon("an answer", two.send_request(over_two)).await, one.send_request(over_one).await] {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), status, "{origin} {:?}", answer.version());
            soon("its end", answer.into_body().collect()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_come_is_given_up_after_the_header_timeout() {
    let (gateway, cert, _upstream) = gateway("header_timeout = \"300ms\"").await;
    for opening in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(opening).await.unwrap();
        let mut rest = Vec::new();
        let _reset = soon("the gateway to close", stream.read_to_end(&mut rest)).await;
    }
    // A peer that completes the handshake and then sends nothing has no more time.
    let mut tls = shake(&gateway, &cert, &["h2"]).await.unwrap();
    let mut rest = Vec::new();
    let _cut = soon("the gateway to close", tls.read_to_end(&mut rest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_a_tls_listener_gets_an_answer_that_names_https() {
    let (gateway, _cert, _upstream) = gateway("").await;
    let reply = gateway.get("/v1/models").await;
    assert_eq!(reply.status(), 400);
    assert!(reply.text().contains("https://"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let (gateway, first, _upstream) = gateway("").await;
    // Kept open across the renewal.
    let (mut open, connection) = hyper::client::conn::http2::handshake(
        TokioExecutor::new(),
        TokioIo::new(shake(&gateway, &first, &["h2"]).await.unwrap()),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    std::fs::write(gateway.folder.path().join("key.pem"), "no key").unwrap();
    soon("the refusal", async {
        while !weir_tests::log::text().contains("certificate refused") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(shake(&gateway, &first, &["h2"]).await.is_ok(), "the previous one stays in use");
    let second = certificate(gateway.folder.path());
    soon("the new certificate", async {
        while shake(&gateway, &second, &["h2"]).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(shake(&gateway, &first, &["h2"]).await.is_err());
    assert_eq!(soon("an answer", open.send_request(request("openai", false))).await.unwrap().status(), 200);
}

#[test]
fn an_error_about_a_certificate_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let files = TlsFiles { cert: path("cert.pem"), key: path("key.pem"), ..TlsFiles::default() };
    let error = |files: &TlsFiles| Tls::load(files).map(drop).unwrap_err().to_string();
    assert!(error(&files).contains("cert.pem"), "{}", error(&files));
    certificate(folder.path());
    assert!(Tls::load(&files).is_ok());
    std::fs::write(path("key.pem"), "").unwrap();
    assert!(error(&files).contains("key.pem"), "{}", error(&files));
    let other = tempfile::tempdir().unwrap();
    certificate(other.path());
    let mixed = TlsFiles { key: other.path().join("key.pem"), ..files.clone() };
    let message = error(&mixed);
    assert!(message.contains("cert.pem") && message.contains("key.pem"), "{message}");
    std::fs::write(path("cert.pem"), "hello").unwrap();
    assert!(error(&files).contains("no certificate"), "{}", error(&files));
}
