//! Clients that do not read: their answers stay with the provider, and are ended after a timeout.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weir_tests::{Client, Gateway, soon};

use crate::wire_format::OPENAI;

/// More than the sockets' buffers on both sides hold together.
const FLOOD: usize = 256 << 20;
const TEXT: usize = 256 << 10;
/// A socket that took no bytes for this long is stalled.
const QUIET: Duration = Duration::from_secs(1);

fn config(address: &str, more: &str) -> String {
    format!(
        "{more}\n[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"http://{address}/\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"openai\"\ntarget = {{ provider = \"openai\", model = \"m\" }}\n\
         [[models]]\nalias = \"openai-t\"\ntranslate = true\ntarget = {{ provider = \"openai\", model = \"m\" }}\n",
    )
}

/// A provider that streams without end, for a client that reads the head and no more.
async fn asked(model: &str, more: &str) -> (Gateway, TcpStream, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::open(&config(&listener.local_addr().unwrap().to_string(), more)).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request(model, true)).await;
    let provider = begun(&listener).await;
    (gateway, provider, client)
}

/// The next request at a provider, whose answer begins to stream.
async fn begun(listener: &TcpListener) -> TcpStream {
    let (mut provider, _) = soon("a request", listener.accept()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(provider.read_buf(&mut seen).await.unwrap(), 0);
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    provider.write_all(head.as_bytes()).await.unwrap();
    provider
}

fn event() -> Vec<u8> {
    let text = "x".repeat(TEXT);
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
        .into_bytes()
}

/// Writes until the socket takes no more; returns the number of bytes.
async fn flood(provider: &mut TcpStream) -> usize {
    let (event, mut written) = (event(), 0);
    while written < FLOOD {
        match tokio::time::timeout(QUIET, provider.write_all(&event)).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => return written,
        }
        written += event.len();
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_does_not_read_stays_with_the_provider() {
    for model in ["openai", "openai-t"] {
        let (gateway, mut provider, mut client) = asked(model, "").await;
        let written = flood(&mut provider).await;
        assert!(written < FLOOD / 2, "{model}: {written} bytes were taken for a client that reads nothing");
        assert_eq!(gateway.get("/health").await.status(), 200);
        client.head().await;
        client.leave();
        let mut end = Vec::new();
        let _reset = soon("the gateway to leave", provider.read_to_end(&mut end)).await;
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_given_up() {
    for model in ["openai", "openai-t"] {
        let (gateway, mut provider, client) = asked(model, "[server]\nsend_timeout = \"200ms\"").await;
        let event = event();
        let sent = soon("the gateway to leave", async { while provider.write_all(&event).await.is_ok() {} });
        sent.await;
        gateway.until_metric("weir_in_flight", 0.0).await;
        drop(client);
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// An HTTP/2 client with a window of this many bytes for each answer until it reads.
async fn narrow(gateway: &Gateway, window: u32) -> Sender {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn ask(sender: &Sender, model: &str, stream: bool) -> impl Future<Output = http::Response<Incoming>> + use<> {
    let body = OPENAI.request(model, stream).sent();
    let request =
        http::Request::post("http://localhost/v1/chat/completions").header("content-type", "application/json");
    let answer = sender.clone().send_request(request.body(Full::new(Bytes::from(body))).unwrap());
    async { soon("an answer", answer).await.unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_window_stays_shut_is_reset_and_its_neighbours_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let gateway = Gateway::open(&config(&address, "[server]\nsend_timeout = \"200ms\"")).await;
    let sender = narrow(&gateway, 16 << 10).await;
    for model in ["openai", "openai-t"] {
        let answer = tokio::spawn(ask(&sender, model, true));
        let mut provider = begun(&listener).await;
        let event = event();
        soon("the gateway to leave", async { while provider.write_all(&event).await.is_ok() {} }).await;
        gateway.until_metric("weir_in_flight", 0.0).await;
        let body = answer.await.unwrap().into_body();
        assert!(soon("the stream's end", body.collect()).await.is_err(), "{model}: no client takes it for complete");
    }
    // The same connection, now being read, with a slow provider.
    let answer = tokio::spawn(ask(&sender, "openai", true));
    let mut provider = begun(&listener).await;
    let (first, rest) = (&OPENAI.stream()[..2].concat(), &OPENAI.stream()[2..].concat());
    provider.write_all(first.as_bytes()).await.unwrap();
    tokio::time::sleep(QUIET).await;
    provider.write_all(rest.as_bytes()).await.unwrap();
    provider.shutdown().await.unwrap();
    let body = soon("the stream's end", answer.await.unwrap().into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(String::from_utf8_lossy(&body), format!("{first}{rest}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_that_is_not_read_is_dropped_after_a_timeout() {
    let upstream = weir_tests::Upstream::always(weir_tests::Answer::json(200, OPENAI.whole())).await;
    let address = upstream.url().replace("http://", "");
    let gateway = Gateway::open(&config(&address, "[server]\nsend_timeout = \"200ms\"")).await;
    let sender = narrow(&gateway, 0).await;
    for model in ["openai", "openai-t"] {
        let answer = ask(&sender, model, false).await;
        gateway.until_metric("weir_in_flight", 0.0).await;
        assert!(soon("the answer's end", answer.into_body().collect()).await.is_err(), "{model}");
    }
}
