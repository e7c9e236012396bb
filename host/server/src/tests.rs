//! Tests of a listener by itself, over sockets.

use http_body_util::{BodyExt as _, Full};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::*;

/// Timeout of everything that a test does not check; the timeouts it checks are short.
const NEVER: Duration = Duration::from_hours(1);
/// The start of an HTTP/2 connection: preface, empty settings, and `GET /` to `localhost` as stream 1.
const REQUEST: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\
    \x00\x00\x0e\x01\x05\x00\x00\x00\x01\x82\x84\x86\x41\x09localhost";

fn allowance() -> Allowance {
    Allowance {
        connections: 2,
        reserve: 0,
        per_address: None,
        proxies: TrustedProxies::default(),
        header_bytes: 64 << 10,
        header_timeout: NEVER,
        idle_timeout: NEVER,
        ping: (NEVER, NEVER),
        send_timeout: NEVER,
        drain: NEVER,
        tls: None,
        metrics: ListenerMetrics::default(),
    }
}

/// A listener that never answers `/hang`, nor any request over HTTP/2, and answers all others at once.
async fn open(allowance: Allowance) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let (listener, address) = bind("127.0.0.1", 0).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(listener, Spread::here(), allowance, stopped, |request: Request<Incoming>| {
        Box::pin(async move {
            if request.version() == Version::HTTP_2 || request.uri().path() == "/hang" {
                std::future::pending::<()>().await;
            }
            let _read = request.into_body().collect().await;
            Response::new(Full::new(Bytes::from_static(b"here")))
        })
    }));
    (address, stop, serving)
}

/// A request with a body of this length.
fn with_body(header: &str, length: usize) -> String {
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{header}content-length: {length}\r\n\r\n");
    head + &"x".repeat(length)
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it happens in time")
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_cut_though_its_exchange_is_under_way() {
    let ping = (Duration::from_millis(50), Duration::from_millis(50));
    let (address, _stop, _serving) = open(Allowance { ping, ..allowance() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut rest = Vec::new();
    let _cut = within(stream.read_to_end(&mut rest)).await;
    assert!(rest.windows(9).any(|frame| frame.starts_with(b"\x00\x00\x08\x06\x00")), "it was asked");
}

/// A number as HTTP/2 writes it.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Kind, stream and payload of each frame of HTTP/2.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let (payload, after) = rest.split_at(number(&head[..3]) as usize);
        frames.push((head[3], number(&head[5..]), payload));
        bytes = after;
    }
    frames
}

#[tokio::test]
async fn an_upload_of_600_kb_waits_for_no_answer_on_its_way() {
    let ping = (Duration::from_millis(50), Duration::from_millis(50));
    let (address, _stop, _serving) = open(Allowance { ping, ..allowance() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut bytes = Vec::new();
    let _cut = within(stream.read_to_end(&mut bytes)).await;
    let (mut of_connection, mut of_stream) = (0xffff, 0xffff);
    for (kind, stream, payload) in frames(&bytes) {
        match (kind, stream) {
            (4, 0) => {
                for pair in payload.chunks(6).filter(|pair| pair[..2] == [0, 4]) {
                    of_stream = number(&pair[2..]);
                }
            }
            (8, 0) => of_connection += number(payload),
            _ => {}
        }
    }
    assert!(of_connection >= 600 << 10 && of_stream >= 600 << 10, "{of_connection} {of_stream}");
}

#[tokio::test]
async fn a_connection_that_has_just_come_is_answered_although_the_listener_stops() {
    let (address, stop, serving) = open(Allowance { connections: 8, ..allowance() }).await;
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(TcpStream::connect(address).await.unwrap());
    }
    // Connections are accepted in order: an answer to the last one shows that all are.
    let mut last = TcpStream::connect(address).await.unwrap();
    last.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(within(last.read(&mut [0; 64])).await.unwrap() > 0);
    stop.send_replace(true);
    for peer in &mut peers {
        peer.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        within(peer.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.ends_with(b"here"), "{:?}", String::from_utf8_lossy(&answer));
    }
    within(serving).await.unwrap();
}

#[tokio::test]
async fn without_a_reserve_connections_wait_for_a_slot_and_stopping_still_works() {
    let (address, stop, serving) = open(Allowance { drain: Duration::from_millis(50), ..allowance() }).await;
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        peers.push(peer);
    }
    drop(peers.remove(0));
    let mut last = TcpStream::connect(address).await.unwrap();
    drop(peers.remove(0));
    drop(peers);
    last.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(within(last.read(&mut [0; 64])).await.unwrap() > 0, "places of those that left are taken");
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        peers.push(peer);
    }
    let begun = Instant::now();
    stop.send_replace(true);
    within(serving).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_head_is_bounded_however_large_the_bodies_before_it_were() {
    let (address, _stop, _serving) = open(Allowance { connections: 8, ..allowance() }).await;
    for (pad, status) in [(60 << 10, "200"), (66 << 10, "431"), (100 << 10, "431")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = vec![0; 256];
        for _ in 0..8 {
            stream.write_all(with_body("", 400 << 10).as_bytes()).await.unwrap();
            let length = within(stream.read(&mut answer)).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        }
        let request = with_body(&format!("x-pad: {}\r\n", "x".repeat(pad)), 0);
        // A refusal may come before the whole request has been written.
        let _written = stream.write_all(request.as_bytes()).await;
        let length = within(stream.read(&mut answer)).await.unwrap();
        let line = String::from_utf8_lossy(&answer[..length]);
        assert!(line.starts_with(&format!("HTTP/1.1 {status}")), "{pad}: {line}");
    }
}

#[tokio::test]
async fn a_first_request_that_arrives_byte_by_byte_is_whole() {
    let (address, _stop, _serving) = open(allowance()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in b"PRI / HTTP/1.1\r\nhost: localhost\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
    }
    let mut answer = vec![0; 256];
    let length = within(stream.read(&mut answer)).await.unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
}

/// Answers a request for an upgrade, and says `hello` on the connection.
fn upgraded(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let upgrade = request.extensions().get::<Upgrade>().cloned().unwrap();
    let connection = hyper::upgrade::on(&mut request);
    upgrade.go_on(async move {
        let mut io = TokioIo::new(connection.await.unwrap());
        io.write_all(b"hello").await.unwrap();
    });
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    answer.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "test").body(Full::default()).unwrap()
}

#[tokio::test]
async fn upgrades_are_answered_by_a_busy_worker_too() {
    let (listener, address) = bind("127.0.0.1", 0).await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let allowance = Allowance { connections: 100, ..allowance() };
    tokio::spawn(serve(listener, Spread::here(), allowance, stopped, |request| std::future::ready(upgraded(request))));
    // Each of them writes, so that the worker is busy soon.
    for _ in 0..20 {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        within(peer.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 101") && answer.ends_with("\r\n\r\nhello"), "{answer:?}");
    }
}

/// Gives a piece and fails.
#[derive(Default)]
struct Breaking {
    has_given: bool,
}

impl Body for Breaking {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        let has_given = std::mem::replace(&mut self.has_given, true);
        let piece = http_body::Frame::data(Bytes::from_static(b"piece"));
        std::task::Poll::Ready(Some(if has_given { Err(io::ErrorKind::Other.into()) } else { Ok(piece) }))
    }
}

#[tokio::test]
async fn what_a_body_gave_before_it_failed_is_written_by_a_busy_worker_too() {
    let (listener, address) = bind("127.0.0.1", 0).await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let allowance = Allowance { connections: 100, ..allowance() };
    let breaking = |_request| Box::pin(async { Response::new(Breaking::default()) });
    tokio::spawn(serve(listener, Spread::here(), allowance, stopped, breaking));
    for _ in 0..20 {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        within(peer.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n5\r\npiece\r\n"), "{answer:?}");
    }
}
