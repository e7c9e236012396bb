//! Tests of connections that exchanges share.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::StreamExt as _;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Full, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::{Barrier, mpsc};

use super::*;

/// A stream that reports its drop by closing the channel.
type Pieces = mpsc::Receiver<Result<http_body::Frame<Bytes>, Infallible>>;

async fn serve(stream: TcpStream, pieces: Pieces) {
    let pieces = std::sync::Mutex::new(Some(pieces));
    let service = service_fn(move |_| {
        let mut pieces = pieces.lock().unwrap().take().unwrap();
        let body = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx));
        async move { Ok::<_, Infallible>(Response::new(StreamBody::new(body))) }
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn http2_is_used_from_the_first_byte_where_it_is_configured_and_cancelled_by_dropping() {
    let scripted = Scripted::new().await;
    let url = format!("http://{}/v1/", scripted.listener.local_addr().unwrap());
    let base = Base::open(&url, &[], true).unwrap();
    let upstreams = upstreams();
    let sending = sending(&upstreams, request(&base));
    let (pieces, body) = mpsc::channel(1);
    tokio::spawn(serve(scripted.accept().await, body));
    pieces.send(Ok(http_body::Frame::data(Bytes::from_static(b"abc")))).await.unwrap();
    let mut body = sending.await.unwrap().unwrap().body;
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "abc");
    drop(body);
    pieces.closed().await;
}

#[tokio::test]
async fn exchanges_share_a_connection_that_is_opened_once_and_anew_when_it_has_ended() {
    let scripted = Scripted::new().await;
    let url = format!("http://{}/v1/", scripted.listener.local_addr().unwrap());
    let base = Base::open(&url, &[], true).unwrap();
    let upstreams = upstreams();
    for _ in 0..2 {
        let sent: Vec<_> = (0..4).map(|_| sending(&upstreams, request(&base))).collect();
        let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(String::from("ok"))) });
        let stream = TokioIo::new(scripted.accept().await);
        let server = tokio::spawn(async move {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
        });
        for sent in sent {
            assert_eq!(sent.await.unwrap().unwrap().body.collect(10).await.unwrap(), "ok");
        }
        server.abort();
        let _aborted = server.await;
        tokio::time::sleep(SOON).await;
    }
}

/// A server whose connections are counted.
struct Server {
    base: Base,
    /// How many connections there have been.
    accepted: Arc<AtomicUsize>,
    /// How many there are.
    open: Arc<AtomicUsize>,
}

impl Server {
    /// Serves connections that take `limit` exchanges at the same time each; `answer` makes the body for a path.
    async fn start<F>(limit: u32, answer: impl Fn(String) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server =
            Self { base: Base::open(&url, &[], true).unwrap(), accepted: Arc::default(), open: Arc::default() };
        let (accepted, open) = (Arc::clone(&server.accepted), Arc::clone(&server.open));
        tokio::spawn(async move {
            loop {
                let stream = TokioIo::new(listener.accept().await.unwrap().0);
                accepted.fetch_add(1, Relaxed);
                open.fetch_add(1, Relaxed);
                let (open, answer) = (Arc::clone(&open), answer.clone());
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let answer = answer(request.uri().path().to_owned());
                    async move { Ok::<_, Infallible>(Response::new(answer.await)) }
                });
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(limit);
                tokio::spawn(async move {
                    let _ended = builder.serve_connection(stream, service).await;
                    open.fetch_sub(1, Relaxed);
                });
            }
        });
        server
    }

    fn request(&self, path: &str) -> UpstreamRequest<'static> {
        UpstreamRequest { address: self.base.join(path, []).unwrap(), ..request(&self.base) }
    }

    /// Exchanges that run at the same time, with answers that are read to their end.
    async fn asked(&self, upstreams: &Upstreams, path: &str, times: usize) {
        let sent: Vec<_> = (0..times).map(|_| sending(upstreams, self.request(path))).collect();
        for sent in sent {
            let response = in_time(sent).await.unwrap().unwrap();
            assert_eq!(in_time(response.body.collect(10)).await.unwrap(), "ok");
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}

type Answer = UnsyncBoxBody<Bytes, Infallible>;

fn ok() -> Answer {
    Answer::new(Full::new(Bytes::from_static(b"ok")))
}

/// An answer of a few bytes that never ends.
fn endless() -> Answer {
    let first = futures_util::stream::iter([Ok(http_body::Frame::data(Bytes::from_static(b"abc")))]);
    Answer::new(StreamBody::new(first.chain(futures_util::stream::pending())))
}

async fn in_time<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("in time")
}

async fn until(is_so: impl Fn() -> bool) {
    in_time(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn answers_that_nobody_reads_stop_no_other_exchange_of_their_connection() {
    const STREAMS: usize = 40;
    const PIECE: usize = 16 << 10;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let server = Server::start(100, move |path| {
        let (counted, piece) = (Arc::clone(&counted), Bytes::from(vec![b'x'; PIECE]));
        let pieces = futures_util::stream::iter(0..4000).map(move |_| {
            counted.fetch_add(PIECE, Relaxed);
            Ok(http_body::Frame::data(piece.clone()))
        });
        async move { if path == "/large" { Answer::new(StreamBody::new(pieces)) } else { ok() } }
    })
    .await;
    let upstreams = upstreams();
    let mut unread = Vec::new();
    for _ in 0..STREAMS {
        unread.push(in_time(upstreams.send(server.request("large"))).await.unwrap().body);
    }
    // Each of them has filled its window.
    until(|| sent.load(Relaxed) >= STREAMS << 20).await;
    server.asked(&upstreams, "small", 1).await;
    assert_eq!(server.accepted(), 1);
    assert_eq!(unread[0].next_piece().await.unwrap().unwrap()[0], b'x');
}

#[tokio::test]
async fn exchanges_beyond_what_the_provider_takes_have_connections_of_their_own() {
    let together = Arc::new(Barrier::new(3));
    let server = Server::start(1, move |path| {
        let together = Arc::clone(&together);
        async move {
            if path == "/together" {
                together.wait().await;
            }
            ok()
        }
    })
    .await;
    let upstreams = upstreams();
    server.asked(&upstreams, "alone", 1).await;
    server.asked(&upstreams, "together", 3).await;
    assert_eq!(server.accepted(), 3);
    server.asked(&upstreams, "together", 3).await;
    server.asked(&upstreams, "alone", 1).await;
    assert_eq!(server.accepted(), 3, "they are used again");
}

#[tokio::test]
async fn as_many_exchanges_as_the_protocol_recommends_share_a_connection_whose_limit_is_unknown() {
    let together = Arc::new(Barrier::new(250));
    let server = Server::start(100, move |_| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            ok()
        }
    })
    .await;
    server.asked(&upstreams(), "together", 250).await;
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn an_exchange_makes_room_when_its_answer_has_ended_or_is_dropped() {
    let server = Server::start(1, |path| async move { if path == "/endless" { endless() } else { ok() } }).await;
    let upstreams = upstreams();
    server.asked(&upstreams, "alone", 1).await;
    let mut kept = upstreams.send(server.request("alone")).await.unwrap().body;
    while kept.next_piece().await.unwrap().is_some() {}
    server.asked(&upstreams, "alone", 1).await;
    drop(kept);
    let mut cut = upstreams.send(server.request("endless")).await.unwrap().body;
    assert_eq!(cut.next_piece().await.unwrap().unwrap(), "abc");
    drop(cut);
    server.asked(&upstreams, "alone", 1).await;
    let left = sending(&upstreams, server.request("endless"));
    tokio::task::yield_now().await;
    left.abort();
    let _aborted = left.await;
    server.asked(&upstreams, "alone", 1).await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn connections_that_nothing_uses_any_more_are_closed_and_others_kept() {
    let together = Arc::new(Barrier::new(2));
    let server = Server::start(2, move |path| {
        let together = Arc::clone(&together);
        async move {
            match &*path {
                "/endless" => return endless(),
                "/together" => together.wait().await.is_leader(),
                _ => true,
            };
            ok()
        }
    })
    .await;
    let upstreams = Upstreams::new(&Settings { pool_idle: SOON, ..Settings::default() });
    server.asked(&upstreams, "alone", 1).await;
    let endless = in_time(upstreams.send(server.request("endless"))).await.unwrap();
    server.asked(&upstreams, "together", 2).await;
    assert_eq!(server.accepted(), 2);
    until(|| server.open.load(Relaxed) == 1).await;
    tokio::time::sleep(SOON * 4).await;
    server.asked(&upstreams, "alone", 1).await;
    assert_eq!(server.accepted(), 2, "the one in use was kept");
    drop(endless);
    until(|| server.open.load(Relaxed) == 0).await;
}

#[tokio::test]
async fn a_connection_on_which_an_exchange_waits_in_vain_gets_no_more_of_them() {
    let server = Server::start(100, |path| async move {
        if path.ends_with("hang") {
            std::future::pending::<()>().await;
        }
        ok()
    })
    .await;
    let upstreams = upstreams();
    let hanging = || {
        let timeouts = Timeouts { first_byte: Duration::from_millis(2_500), ..Timeouts::default() };
        sending(&upstreams, UpstreamRequest { timeouts, ..server.request("hang") })
    };
    let timed_out = async |sent: JoinHandle<Result<UpstreamResponse, UpstreamError>>| {
        assert_eq!(in_time(sent).await.unwrap().unwrap_err().kind, UpstreamErrorKind::FirstByteTimeout);
    };
    server.asked(&upstreams, "ok", 1).await;
    // Others were answered meanwhile.
    let hangs = hanging();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.asked(&upstreams, "ok", 1).await;
    timed_out(hangs).await;
    server.asked(&upstreams, "ok", 1).await;
    assert_eq!(server.accepted(), 1);
    // Nothing arrived meanwhile.
    timed_out(hanging()).await;
    server.asked(&upstreams, "ok", 2).await;
    assert_eq!(server.accepted(), 2);
}

/// A provider whose streams are closed as `close` says, after a piece of an answer with this status.
async fn closing(status: u16, close: fn(&mut h2::server::SendResponse<Bytes>, Response<()>)) -> Base {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let stream = listener.accept().await.unwrap().0;
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut answer))) = connection.accept().await {
            close(&mut answer, Response::builder().status(status).body(()).unwrap());
        }
    });
    Base::open(&url, &[], true).unwrap()
}

#[tokio::test]
async fn half_an_answer_is_none_even_if_its_stream_is_closed_without_an_error() {
    for (status, is_cut) in [(200, true), (413, false)] {
        let base = closing(status, |answer, head| {
            let mut body = answer.send_response(head, false).unwrap();
            body.send_data(Bytes::from_static(b"half"), false).unwrap();
            tokio::spawn(async move {
                // What waits to be sent would not be.
                tokio::time::sleep(SOON).await;
                body.send_reset(h2::Reason::NO_ERROR);
            });
        })
        .await;
        let response = in_time(sending(&upstreams(), request(&base))).await.unwrap().unwrap();
        let read = in_time(response.body.collect(10)).await;
        assert_eq!(read.err().map(|error| error.kind), is_cut.then_some(UpstreamErrorKind::Cut), "{status}");
    }
}

#[tokio::test]
async fn a_request_that_a_provider_refuses_is_known_not_to_have_been_taken() {
    let base = closing(200, |answer, _| answer.send_reset(h2::Reason::REFUSED_STREAM)).await;
    let error = in_time(sending(&upstreams(), request(&base))).await.unwrap().unwrap_err();
    assert_eq!(error.kind, UpstreamErrorKind::Refused);
    assert!(error.kind.is_unsent());
    let base = closing(200, |answer, _| answer.send_reset(h2::Reason::INTERNAL_ERROR)).await;
    let error = in_time(sending(&upstreams(), request(&base))).await.unwrap().unwrap_err();
    assert!(!error.kind.is_unsent(), "{error}");
}

mod frames;
mod leaving;
mod odd_frames;
