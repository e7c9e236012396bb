//! Tests of the client against scripted upstreams on real sockets.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::*;
use super::*;
use weir_config::secret::Secret;
use weir_types::contract::about::AuthScheme;
use weir_types::turn::Turns;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const SOON: Duration = Duration::from_millis(20);

/// A listener that runs one script for each connection.
struct Scripted {
    listener: TcpListener,
    scheme: &'static str,
}

impl Scripted {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), scheme: "http" }
    }

    fn base(&self) -> Base {
        let address = self.listener.local_addr().unwrap();
        Base::open(&format!("{}://{address}/v1/", self.scheme), &[], false).unwrap()
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}

fn request(base: &Base) -> UpstreamRequest<'static> {
    UpstreamRequest {
        method: Method::POST,
        address: base.join("things", []).unwrap(),
        headers: HeaderMap::new(),
        body: Chunks::from(Bytes::from_static(b"{\"a\":1}")),
        timeouts: Timeouts::default(),
        credential: None,
        stream: false,
        model: "",
        grpc: None,
        hand_over: None,
    }
}

fn bearer(key: &str) -> Credential {
    let means = Means { secret: Some(&Secret::new(key)), ..Means::default() };
    Credential::new(&AuthScheme::Bearer, means).unwrap()
}

fn upstreams() -> Upstreams {
    Upstreams::new(&Settings::default())
}

/// Starts to send; the script runs meanwhile.
fn sending(
    upstreams: &Upstreams,
    request: UpstreamRequest<'static>,
) -> JoinHandle<Result<UpstreamResponse, UpstreamError>> {
    let upstreams = upstreams.clone();
    tokio::spawn(async move { upstreams.send(request).await })
}

/// Reads one whole request.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"{\"a\":1}") {
        assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "the request ends early");
    }
    String::from_utf8(text).unwrap()
}

/// Waits until the client has closed the connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    while matches!(stream.read_buf(&mut rest).await, Ok(1..)) {}
}

async fn kind(sending: JoinHandle<Result<UpstreamResponse, UpstreamError>>) -> UpstreamErrorKind {
    sending.await.unwrap().unwrap_err().kind
}

#[tokio::test]
async fn the_head_of_an_answer_is_bounded_however_large_the_bodies_before_it_were() {
    let scripted = Scripted::new().await;
    let (base, upstreams) = (scripted.base(), upstreams());
    let script = async {
        let mut stream = scripted.accept().await;
        let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 400 << 10, "x".repeat(400 << 10));
        for _ in 0..8 {
            read_request(&mut stream).await;
            stream.write_all(large.as_bytes()).await.unwrap();
        }
        read_request(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\nx-pad: {}\r\n\r\n", "x".repeat(66 << 10));
        // The connection may be closed before all of it has been written.
        let _written = stream.write_all(head.as_bytes()).await;
    };
    let asking = async {
        for _ in 0..8 {
            let answer = upstreams.send(request(&base)).await.unwrap();
            assert_eq!(answer.body.collect(1 << 20).await.unwrap().len(), 400 << 10);
        }
        upstreams.send(request(&base)).await.err().map(|error| error.kind)
    };
    let ((), failed) = tokio::join!(script, asking);
    assert!(failed.is_some());
}

#[tokio::test]
async fn a_request_arrives_with_its_length_and_the_credential_in_place_of_any_other() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    let credential = bearer("right");
    let mut request = request(&base);
    request.address = base.join("things", [("q", "1 2")]).unwrap();
    request.body = Chunks::from(vec![Bytes::from_static(b"{\"a\""), Bytes::from_static(b":1}")]);
    for (name, value) in
        [("x-fine", "yes"), ("authorization", "wrong"), ("cookie", "wrong"), ("te", "wrong"), ("content-length", "99")]
    {
        request.headers.insert(name, HeaderValue::from_static(value));
    }
    request.credential = Some(&credential);
    let script = async {
        let mut stream = scripted.accept().await;
        let text = read_request(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        text
    };
    let (response, text) = tokio::join!(upstreams.send(request), script);
    let response = response.unwrap();
    assert_eq!((response.status.as_u16(), response.body.collect(10).await.unwrap()), (200, Bytes::from_static(b"ok")));
    assert!(text.starts_with("POST /v1/things?q=1%202 HTTP/1.1\r\n"), "{text}");
    let host = format!("host: {}", scripted.listener.local_addr().unwrap());
    for line in [&*host, "content-length: 7", "authorization: Bearer right", "x-fine: yes"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{text}");
    }
    assert!(!text.contains("wrong"), "{text}");
}

#[tokio::test]
async fn c_69_the_credential_stays_at_home_when_a_follow_up_may_not_have_it() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let other = format!("http://{}", scripted.listener.local_addr().unwrap());
    let allowed = [AllowedOrigin { origin: other.clone(), credential: false }];
    let base = Base::open("https://host.example/v1/", &allowed, false).unwrap();
    let credential = bearer("right");
    let mut request = request(&base);
    request.address = base.follow(&other, "things", []).unwrap();
    request.credential = Some(&credential);
    let script = async {
        let mut stream = scripted.accept().await;
        let text = read_request(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        text
    };
    let (response, text) = tokio::join!(upstreams.send(request), script);
    assert_eq!(response.unwrap().status, 200);
    assert!(text.starts_with("POST /things ") && !text.contains("right"), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_encoded_twice_is_refused_where_it_could_hide_a_key() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip, br\r\ncontent-length: 2\r\n\r\nok";
    let key = "sk-4fK9wQ2mZt7RbX1yLc8VnA6dHs3JgE5p";
    for (credential, is_refused) in [(Some(bearer(key)), true), (None, false)] {
        let (scripted, upstreams) = (Scripted::new().await, upstreams());
        let base = scripted.base();
        let request = UpstreamRequest { credential: credential.as_ref(), ..request(&base) };
        let script = async {
            let mut stream = scripted.accept().await;
            read_request(&mut stream).await;
            stream.write_all(head).await.unwrap();
        };
        let (response, ()) = tokio::join!(upstreams.send(request), script);
        assert_eq!(response.err().map(|error| error.kind), is_refused.then_some(UpstreamErrorKind::Encoding));
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_each_kind_of_answer_that_was_read_to_its_end() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ];
    let script = async {
        let mut stream = scripted.accept().await;
        for answer in answers.into_iter().chain([OK]) {
            read_request(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
    };
    let client = async {
        for _ in 0..=answers.len() {
            upstreams.send(request(&base)).await.unwrap().body.collect(10).await.unwrap();
        }
    };
    tokio::join!(script, client);
}

#[tokio::test]
async fn a_connection_that_the_provider_wants_closed_is_not_used_again() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    for _ in 0..2 {
        let sending = sending(&upstreams, request(&base));
        let mut stream = scripted.accept().await;
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        sending.await.unwrap().unwrap().body.collect(10).await.unwrap();
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn exchanges_at_the_same_time_have_their_own_connections() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    let sent = [sending(&upstreams, request(&base)), sending(&upstreams, request(&base))];
    let mut streams = [scripted.accept().await, scripted.accept().await];
    for stream in &mut streams {
        read_request(stream).await;
    }
    for stream in &mut streams {
        stream.write_all(OK).await.unwrap();
    }
    for sent in sent {
        sent.await.unwrap().unwrap().body.collect(10).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_before_the_whole_request_is_read_and_its_connection_closed() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let body = Chunks::from(Bytes::from(vec![b'x'; 64 << 20]));
    let sending = sending(&upstreams, UpstreamRequest { body, ..request(&scripted.base()) });
    let mut stream = scripted.accept().await;
    stream.read_u8().await.unwrap();
    stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    let response = sending.await.unwrap().unwrap();
    assert_eq!((response.status.as_u16(), response.body.collect(10).await.unwrap()), (413, Bytes::from_static(b"no")));
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_request_shows_whether_a_connection_has_it() {
    // Nobody answers the first message of TLS.
    for (scheme, is_handed_over) in [("https", false), ("http", true)] {
        let (scripted, upstreams) = (Scripted { scheme, ..Scripted::new().await }, upstreams());
        let shown = HandOver::default();
        let hand_over = shown.begin();
        assert!(hand_over.is_some() && shown.is_waiting() && shown.begin().is_none());
        let sending = sending(&upstreams, UpstreamRequest { hand_over, ..request(&scripted.base()) });
        let mut stream = scripted.accept().await;
        stream.read_u8().await.unwrap();
        assert_eq!(shown.is_waiting(), !is_handed_over);
        sending.abort();
        assert!(sending.await.is_err_and(|ended| ended.is_cancelled()));
        assert_eq!(shown.is_waiting(), !is_handed_over, "who gave it up learns the same");
    }
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_a_while() {
    let scripted = Scripted::new().await;
    let upstreams = Upstreams::new(&Settings { pool_idle: SOON, ..Settings::default() });
    closed(&mut used(&scripted, &upstreams, &scripted.base()).await).await;
}

#[tokio::test]
async fn no_more_unused_connections_are_kept_than_allowed() {
    let scripted = Scripted::new().await;
    let upstreams = Upstreams::new(&Settings { pool_idle_per_host: 0, ..Settings::default() });
    closed(&mut used(&scripted, &upstreams, &scripted.base()).await).await;
}

/// A connection that has already served one request.
async fn used(scripted: &Scripted, upstreams: &Upstreams, base: &Base) -> TcpStream {
    let first = sending(upstreams, request(base));
    let mut stream = scripted.accept().await;
    read_request(&mut stream).await;
    stream.write_all(OK).await.unwrap();
    first.await.unwrap().unwrap().body.collect(10).await.unwrap();
    stream
}

#[tokio::test]
async fn c_66_an_idempotent_request_on_a_stale_connection_is_sent_again_once() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    let put = || UpstreamRequest { method: Method::PUT, ..request(&base) };
    let mut stream = used(&scripted, &upstreams, &base).await;

    let second = sending(&upstreams, put());
    read_request(&mut stream).await;
    drop(stream);
    let mut fresh = scripted.accept().await;
    read_request(&mut fresh).await;
    fresh.write_all(OK).await.unwrap();
    second.await.unwrap().unwrap().body.collect(10).await.unwrap();

    let third = sending(&upstreams, put());
    read_request(&mut fresh).await;
    drop(fresh);
    let mut last = scripted.accept().await;
    read_request(&mut last).await;
    drop(last);
    assert_eq!(kind(third).await, UpstreamErrorKind::Reset);
}

#[tokio::test]
async fn a_post_that_was_written_on_a_stale_connection_is_not_sent_again() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    let mut stream = used(&scripted, &upstreams, &base).await;
    let second = sending(&upstreams, request(&base));
    read_request(&mut stream).await;
    drop(stream);
    assert_eq!(kind(second).await, UpstreamErrorKind::Reset);
}

#[tokio::test]
async fn a_post_that_finds_its_pooled_connection_closed_goes_out_on_another() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let base = scripted.base();
    drop(used(&scripted, &upstreams, &base).await);
    tokio::time::sleep(SOON).await;
    let second = sending(&upstreams, request(&base));
    let mut fresh = scripted.accept().await;
    read_request(&mut fresh).await;
    fresh.write_all(OK).await.unwrap();
    second.await.unwrap().unwrap().body.collect(10).await.unwrap();
}

#[tokio::test]
async fn c_66_a_request_on_a_new_connection_is_never_sent_twice() {
    let (scripted, upstreams) = (Scripted::new().await, upstreams());
    let sending = sending(&upstreams, request(&scripted.base()));
    let mut stream = scripted.accept().await;
    read_request(&mut stream).await;
    drop(stream);
    assert_eq!(kind(sending).await, UpstreamErrorKind::Reset);
}

#[tokio::test]
async fn c_27_leaving_before_the_connection_is_established_closes_it() {
    let mut scripted = Scripted::new().await;
    scripted.scheme = "https";
    let sending = sending(&upstreams(), request(&scripted.base()));
    let mut stream = scripted.accept().await;
    stream.read_u8().await.unwrap();
    sending.abort();
    closed(&mut stream).await;
}

#[tokio::test]
async fn c_27_leaving_before_the_head_closes_the_connection() {
    let scripted = Scripted::new().await;
    let sending = sending(&upstreams(), request(&scripted.base()));
    let mut stream = scripted.accept().await;
    read_request(&mut stream).await;
    sending.abort();
    closed(&mut stream).await;
}

#[tokio::test]
async fn c_27_leaving_in_the_middle_of_the_body_closes_the_connection() {
    let scripted = Scripted::new().await;
    let sending = sending(&upstreams(), request(&scripted.base()));
    let mut stream = scripted.accept().await;
    read_request(&mut stream).await;
    stream.write_all(STREAM_HEAD).await.unwrap();
    stream.write_all(b"3\r\nabc\r\n").await.unwrap();
    let mut body = sending.await.unwrap().unwrap().body;
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "abc");
    drop(body);
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_piece_of_a_stream_takes_one_turn_of_the_task_that_reads_it() {
    const PIECES: usize = 20;
    let scripted = Scripted::new().await;
    let (upstreams, request) = (upstreams(), request(&scripted.base()));
    let (read, mut reads) = tokio::sync::mpsc::channel(1);
    let client = async move {
        let mut body = upstreams.send(request).await.unwrap().body;
        while body.next_piece().await.unwrap().is_some() {
            read.send(()).await.unwrap();
        }
    };
    let (mut client, mut turns, mut taken) = (Box::pin(client), Turns::default(), 0);
    let client = tokio::spawn(std::future::poll_fn(move |cx| {
        taken += 1;
        turns.take(cx, |cx| client.as_mut().poll(cx)).map(|()| taken)
    }));
    let mut stream = scripted.accept().await;
    read_request(&mut stream).await;
    stream.write_all(STREAM_HEAD).await.unwrap();
    for _ in 0..PIECES {
        stream.write_all(b"3\r\nabc\r\n").await.unwrap();
        reads.recv().await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    // Besides: the connection is opened, the request sent, the head read, and the end.
    let turns = client.await.unwrap();
    assert!(turns <= PIECES + 5, "{turns} turns for {PIECES} pieces");
}

#[tokio::test]
async fn c_26_each_timer_ends_its_own_phase_and_closes_the_connection() {
    let timeouts = |change: fn(&mut Timeouts)| {
        let mut timeouts = Timeouts::default();
        change(&mut timeouts);
        timeouts
    };
    let cases = [
        (timeouts(|timeouts| timeouts.first_byte = SOON), &b""[..], UpstreamErrorKind::FirstByteTimeout),
        (timeouts(|timeouts| timeouts.first_byte = SOON), STREAM_HEAD, UpstreamErrorKind::FirstByteTimeout),
        (
            timeouts(|timeouts| (timeouts.idle, timeouts.first_byte_of_body) = (SOON, false)),
            STREAM_HEAD,
            UpstreamErrorKind::IdleTimeout,
        ),
        (timeouts(|timeouts| timeouts.total = Some(SOON)), b"", UpstreamErrorKind::TotalTimeout),
        (timeouts(|timeouts| timeouts.total = Some(SOON)), STREAM_HEAD, UpstreamErrorKind::TotalTimeout),
    ];
    for (timeouts, sent, expected) in cases {
        let scripted = Scripted::new().await;
        let request = UpstreamRequest { timeouts, ..request(&scripted.base()) };
        let upstreams = upstreams();
        let client = async {
            let response = upstreams.send(request).await?;
            response.body.collect(10).await
        };
        let script = async {
            let mut stream = scripted.accept().await;
            read_request(&mut stream).await;
            stream.write_all(sent).await.unwrap();
            closed(&mut stream).await;
        };
        let (result, ()) = tokio::join!(client, script);
        assert_eq!(result.unwrap_err().kind, expected);
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_connect_timeout_and_a_wrong_one_a_tls_failure() {
    let mut scripted = Scripted::new().await;
    scripted.scheme = "https";
    let mut silent = request(&scripted.base());
    silent.timeouts.connect = SOON;
    let silent = sending(&upstreams(), silent);
    let _open = scripted.accept().await;
    assert_eq!(kind(silent).await, UpstreamErrorKind::ConnectTimeout);
    let wrong = sending(&upstreams(), request(&scripted.base()));
    scripted.accept().await.write_all(b"HTTP/1.1 400 This is not TLS\r\n\r\n").await.unwrap();
    assert_eq!(kind(wrong).await, UpstreamErrorKind::Tls);
}

#[tokio::test]
async fn failures_are_distinguished() {
    let scripted = Scripted::new().await;
    let base = scripted.base();
    for (sent, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"[..], UpstreamErrorKind::Cut),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", UpstreamErrorKind::Cut),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nwhat\r\n", UpstreamErrorKind::Protocol),
        (b"nonsense, and enough of it\r\n\r\n", UpstreamErrorKind::Protocol),
        (b"", UpstreamErrorKind::Reset),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nabcdefghijk", UpstreamErrorKind::BodyTooLarge),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n",
            UpstreamErrorKind::BodyTooLarge,
        ),
    ] {
        let sending = sending(&upstreams(), request(&base));
        let mut stream = scripted.accept().await;
        read_request(&mut stream).await;
        stream.write_all(sent).await.unwrap();
        drop(stream);
        let result = match sending.await.unwrap() {
            Ok(response) => response.body.collect(10).await,
            Err(error) => Err(error),
        };
        let error = result.unwrap_err();
        assert_eq!(error.kind, expected, "{error}");
        assert!(error.to_string().contains(&**base.origin()), "{error}");
    }
    drop(scripted);
    let refused = sending(&upstreams(), request(&base));
    assert_eq!(kind(refused).await, UpstreamErrorKind::Connect);
}

mod http2;
mod overtime;
