//! The connection beneath: HTTP/2 with and without TLS, times, draining, health, many streams.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use weir_grpc::messages::GenerateRequest;
use weir_tests::{Answer, Gate, Gateway, Upstream, soon};

use super::{Read, chat, connect, generate};
use crate::tls;
use crate::wire_format::{OPENAI, TEXT, config, provider};

/// A question about a service's health, as `grpc.health.v1` has it.
#[derive(Clone, PartialEq, Message)]
struct HealthRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct HealthAnswer {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A question for the services of a server.
#[derive(Clone, PartialEq, Message)]
struct ListServices {
    #[prost(string, optional, tag = "7")]
    list: Option<String>,
}

/// A connection on which a test writes frames itself.
async fn raw(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn tcp(address: SocketAddr) -> tokio::net::TcpStream {
    tokio::net::TcpStream::connect(address).await.unwrap()
}

fn framed(message: &impl Message) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    message.encode(&mut bytes).unwrap();
    bytes.into()
}

async fn call(
    sender: &SendRequest<Full<Bytes>>,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> http::Response<Incoming> {
    let mut request = http::Request::post(format!("https://localhost{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    soon("an answer", sender.clone().send_request(request.body(Full::new(body)).unwrap())).await.unwrap()
}

/// The status of a call, from its head or its trailers, with the number of bytes before.
async fn ended(answer: http::Response<Incoming>) -> (String, usize) {
    let status = |headers: &http::HeaderMap| Some(headers.get("grpc-status")?.to_str().unwrap().to_owned());
    let head = status(answer.headers());
    let body = soon("the end", answer.into_body().collect()).await.unwrap();
    let trailers = body.trailers().and_then(status);
    (head.or(trailers).unwrap_or_default(), body.to_bytes().len())
}

fn asks(model: &str) -> Bytes {
    framed(&GenerateRequest { chat: Some(chat(model, true)) })
}

/// A call whose prefix has this flag and length.
fn with_prefix(flag: u8, length: u32) -> Bytes {
    let mut bytes = asks("openai").to_vec();
    bytes[0] = flag;
    bytes[1..5].copy_from_slice(&length.to_be_bytes());
    bytes.into()
}

const GENERATE: &str = "/weir.v1.Inference/Generate";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_over_tls_beside_the_other_formats() {
    let (gateway, cert, _upstream) = tls::gateway("").await;
    let tls = tls::shake(&gateway, &cert, &["h2"]).await.unwrap();
    let sender = raw(tls).await;
    let (status, bytes) = ended(call(&sender, GENERATE, &[], asks("openai")).await).await;
    assert_eq!(status, "0");
    assert!(bytes > TEXT.len());
    let request = tls::request("openai", false);
    assert_eq!(soon("an answer", sender.clone().send_request(request)).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_time_is_the_time_of_all_attempts() {
    let mut upstream = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = raw(tcp(gateway.address).await).await;
    let answer = call(&sender, GENERATE, &[("grpc-timeout", "50m")], asks("openai")).await;
    assert_eq!(ended(answer).await.0, "4");
    upstream.departure().await;
    let pieces = OPENAI.stream();
    upstream.now(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).hang());
    let answer = call(&sender, GENERATE, &[("grpc-timeout", "400m")], asks("openai")).await;
    let (status, bytes) = ended(answer).await;
    assert!(status == "4" && bytes > 0, "{status} {bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_over_or_no_time_asks_no_provider() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = raw(tcp(gateway.address).await).await;
    for model in ["openai", "openai-t", "anthropic"] {
        for over in ["0n", "0S", "00000000H", "1n", "999u"] {
            let answer = call(&sender, GENERATE, &[("grpc-timeout", over)], asks(model)).await;
            assert_eq!(ended(answer).await.0, "4", "{over}");
            assert!(upstream.unseen().is_none(), "{over}");
        }
    }
    for model in ["openai", "openai-t", "anthropic"] {
        for wrong in ["-1S", "-0n", "1x", "S", "123456789S", "1.5S", " ", "0x1S", "é"] {
            let answer = call(&sender, GENERATE, &[("grpc-timeout", wrong)], asks(model)).await;
            assert_eq!(ended(answer).await.0, "3", "{wrong}");
        }
        for times in [
            &[("grpc-timeout", "9S"), ("grpc-timeout", "9S")][..],
            &[("grpc-timeout", "9S"), ("x-weir-timeout-ms", "9s")],
            &[("x-weir-timeout-ms", "-9")],
        ] {
            assert_eq!(ended(call(&sender, GENERATE, times, asks(model)).await).await.0, "3", "{times:?}");
        }
        assert!(upstream.unseen().is_none(), "{model}");
    }
    for long in ["99999999H", "99999999S"] {
        let answer = call(&sender, GENERATE, &[("grpc-timeout", long)], asks("openai")).await;
        assert_eq!(ended(answer).await.0, "0", "{long}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_calls_and_the_size_of_heads_are_limited_from_the_start() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let mut stream = tcp(gateway.address).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut head = [0; 9];
    soon("the settings", stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is that of the settings");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    soon("the settings", stream.read_exact(&mut settings)).await.unwrap();
    let of = |name: u8| {
        let setting = settings.chunks(6).find(|setting| setting[1] == name).unwrap();
        u32::from_be_bytes(setting[2..].try_into().unwrap())
    };
    let (streams, head) = (of(3), of(6));
    assert_eq!((streams, head), (200, 64 << 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_shown_only_where_that_is_configured() {
    let upstream = provider(OPENAI).await;
    let asked = framed(&ListServices { list: Some(String::new()) });
    for (settings, status, names) in [("", "12", false), ("[server]\ngrpc_reflection = true\n", "0", true)] {
        let gateway = Gateway::open(&(settings.to_owned() + &config(&upstream))).await;
        let sender = raw(tcp(gateway.address).await).await;
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            // Two questions in one body.
            let answer = call(&sender, &path, &[], [asked.clone(), asked.clone()].concat().into()).await;
            let head = answer.headers().get("grpc-status").cloned();
            let body = soon("the end", answer.into_body().collect()).await.unwrap();
            let end = head.or_else(|| body.trailers()?.get("grpc-status").cloned()).unwrap();
            assert_eq!(end, status, "{path}");
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            assert_eq!(text.matches("weir.v1.Inference").count(), if names { 2 } else { 0 }, "{text}");
        }
    }
}

/// A body of one piece, which does not end.
struct Unended(Option<Bytes>);

impl http_body::Body for Unended {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_schema_and_falls_silent_is_not_waited_for() {
    let upstream = provider(OPENAI).await;
    let settings = "[server]\ngrpc_reflection = true\nbody_timeout = \"300ms\"\n";
    let gateway = Gateway::open(&(settings.to_owned() + &config(&upstream))).await;
    let (mut sender, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(tcp(gateway.address).await)).await.unwrap();
    tokio::spawn(connection);
    let path = "https://localhost/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    for question in [Some(framed(&ListServices { list: Some(String::new()) })), None] {
        let has_question = question.is_some();
        let request = http::Request::post(path).header("te", "trailers").header("content-type", "application/grpc");
        let answer = sender.send_request(request.body(Unended(question)).unwrap());
        let (status, bytes) = ended(soon("an answer", answer).await.unwrap()).await;
        assert_eq!((status.as_str(), bytes > 0), ("4", has_question));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_is_held_until_its_client_has_read_it() {
    let whole = OPENAI.whole().replace(TEXT, &"a".repeat(6 << 20));
    let upstream = Upstream::always(Answer::json(200, whole)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = raw(tcp(gateway.address).await).await;
    let request = framed(&GenerateRequest { chat: Some(chat("openai", false)) });
    let answer = call(&sender, GENERATE, &[], request).await;
    for _ in 0..20 {
        assert!(gateway.metric("weir_buffered_bytes").await >= f64::from(6 << 20));
    }
    assert!(gateway.metric("weir_in_flight").await > 0.0);
    let (status, bytes) = ended(answer).await;
    assert!(status == "0" && bytes > 6 << 20, "{status} {bytes}");
    gateway.until_metric("weir_buffered_bytes", 0.0).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_call_is_refused() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = raw(tcp(gateway.address).await).await;
    let json = call(&sender, GENERATE, &[("content-type", "application/grpc+json")], asks("openai")).await;
    assert_eq!(json.status(), 415);
    let mut compressed = asks("openai").to_vec();
    compressed[0] = 1;
    for (path, body, status) in [
        (GENERATE, compressed.into(), "12"),
        (GENERATE, Bytes::from_static(b"\0\0\0\0"), "3"),
        (GENERATE, Bytes::from_static(&[0, 0, 0, 0, 2, 0xff, 0xff]), "3"),
        (GENERATE, [asks("openai"), asks("openai")].concat().into(), "3"),
        (GENERATE, Bytes::new(), "3"),
        // A length of four gigabytes, and one that is a byte off either way.
        (GENERATE, with_prefix(0, u32::MAX), "3"),
        (GENERATE, with_prefix(0, asks("openai").len() as u32 - 4), "3"),
        (GENERATE, with_prefix(0, asks("openai").len() as u32 - 6), "3"),
        (GENERATE, with_prefix(0, 0), "3"),
        // Flags that mean nothing.
        (GENERATE, with_prefix(2, asks("openai").len() as u32 - 5), "3"),
        (GENERATE, with_prefix(0x80, asks("openai").len() as u32 - 5), "3"),
        ("/weir.v2.Inference/Generate", asks("openai"), "12"),
        ("/", asks("openai"), "12"),
    ] {
        let answer = call(&sender, path, &[], body).await;
        assert_eq!((answer.status().as_u16(), ended(answer).await.0.as_str()), (200, status), "{path}");
    }
    assert!(upstream.unseen().is_none());
    let answer = call(&sender, GENERATE, &[("content-type", "application/grpc+proto")], asks("openai")).await;
    assert_eq!(ended(answer).await.0, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_streams_end_and_tells_who_watches() {
    let gate = Gate::default();
    let pieces = OPENAI.stream();
    let begun = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
    let upstream = Upstream::always(pieces[2..].iter().fold(begun, Answer::piece).end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let mut stream = generate(&channel, chat("openai", true), &[]).await.unwrap();
    let first = soon("an event", stream.message()).await.unwrap().unwrap();
    let sender = raw(tcp(gateway.address).await).await;
    let health = |method: &str| format!("/grpc.health.v1.Health/{method}");
    for service in ["", "weir.v1.Inference"] {
        let asked = framed(&HealthRequest { service: service.into() });
        let answer = call(&sender, &health("Check"), &[], asked).await.into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), framed(&HealthAnswer { status: 1 }));
    }
    let other = call(&sender, &health("Check"), &[], framed(&HealthRequest { service: "other".into() })).await;
    assert_eq!(ended(other).await.0, "5");
    let mut watched = call(&sender, &health("Watch"), &[], framed(&HealthRequest { service: String::new() })).await;
    let frame = soon("the state", watched.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), framed(&HealthAnswer { status: 1 }));
    let ended = tokio::spawn(gateway.ended());
    let frame = soon("the change", watched.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), framed(&HealthAnswer { status: 2 }));
    let frame = soon("the end", watched.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap()["grpc-status"], "0");
    // The connection takes no more calls, and its stream goes on to its end.
    soon("no new calls", async {
        while sender.clone().ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.open();
    let mut read = Read::default();
    read.take(first);
    let rest = Read::all(stream).await;
    assert_eq!(read.text + &rest.text, TEXT);
    assert!(rest.summary.is_some());
    soon("the gateway's end", ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_holds_its_own_stream_only() {
    let many = OPENAI.stream()[1].repeat(20_000);
    let (first, rest) = (OPENAI.stream()[0].clone(), OPENAI.stream()[2..].concat());
    let upstream = Upstream::always(Answer::sse().piece(first).piece(many).piece(rest).end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let mut stalled = generate(&channel, chat("openai", true), &[]).await.unwrap();
    assert!(soon("an event", stalled.message()).await.unwrap().is_some());
    upstream.script(|_| OPENAI.streamed());
    for _ in 0..3 {
        let read = Read::all(generate(&channel, chat("openai", true), &[]).await.unwrap()).await;
        assert_eq!(read.text, TEXT);
    }
    let read = Read::all(stalled).await;
    assert!(read.summary.is_some(), "it goes on once it is read");
}
