//! Clients that connect and send nothing, send half a request, or hold on: they keep no other client out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weir_tests::{Answer, Client, Gate, Gateway, Request, Upstream, soon};

use crate::wire_format::{ANTHROPIC, EVERY, OPENAI, ZETA, config_of, provider};

/// The limit of connections in these tests, and the reserve for the operations side.
const LIMIT: usize = 256;
const RESERVE: usize = 32;
/// The preface of HTTP/2, and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const PING: &[u8] = b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678";

/// The bytes of a silent peer before it falls silent.
fn openings() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("half a preface", PREFACE[..10].to_vec()),
        ("half a head", b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc".to_vec()),
        ("an idle HTTP/2 connection", [PREFACE, SETTINGS].concat()),
        ("a ping", [PREFACE, SETTINGS, PING].concat()),
    ]
}

async fn silent(address: SocketAddr, opening: &[u8]) -> TcpStream {
    let mut stream = soon("a connection", TcpStream::connect(address)).await.unwrap();
    let _closed = stream.write_all(opening).await;
    stream
}

/// Waits until the gateway has closed a connection, whatever it sends before.
async fn closed(stream: &mut TcpStream) {
    let mut buffer = [0; 1024];
    soon("the gateway to close", async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} }).await;
}

/// Checks that all formats and lanes are served.
async fn serves(gateway: &Gateway) {
    assert_eq!(gateway.get("/health").await.status(), 200);
    for from in EVERY {
        for (model, stream) in [("openai", false), ("openai-t", true)] {
            let reply = gateway.ask(&from.request(model, stream)).await;
            assert_eq!(reply.status(), 200, "{from:?} {model}: {}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_peers_make_room_for_those_that_ask() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[server]\nheader_timeout = \"5m\"\n{}", config_of(&EVERY, &upstream))).await;
    for (what, opening) in openings() {
        let mut peers = Vec::new();
        for _ in 0..LIMIT + RESERVE + 100 {
            peers.push(silent(gateway.address, &opening).await);
        }
        serves(&gateway).await;
        assert!(gateway.metric("weir_connections{listener=\"main\"}").await <= LIMIT as f64 + 1.0, "{what}");
    }
    assert!(gateway.metric("weir_connections_closed_total{listener=\"main\",reason=\"evicted\"}").await > 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_thousand_silent_peers_delay_no_client() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config_of(&EVERY, &upstream)).await;
    let mut peers = Vec::new();
    for _ in 0..4200 {
        peers.push(silent(gateway.address, b"").await);
    }
    let begun = Instant::now();
    serves(&gateway).await;
    println!("served beside 4,200 silent peers within {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_closed_after_the_header_timeout() {
    let upstream = provider(OPENAI).await;
    let settings = "[server]\nheader_timeout = \"200ms\"\nidle_timeout = \"5m\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    for address in [gateway.address, gateway.admin.unwrap()] {
        for (_, opening) in openings() {
            closed(&mut silent(address, &opening).await).await;
        }
        let mut pinging = silent(address, &openings()[4].1).await;
        let pings = async {
            let mut buffer = [0; 1024];
            while pinging.write_all(PING).await.is_ok() && pinging.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        };
        soon("the gateway to close", pings).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_head_is_closed_after_the_header_timeout() {
    let upstream = provider(OPENAI).await;
    let settings = "[server]\nheader_timeout = \"300ms\"\nidle_timeout = \"5m\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    // The first head of a connection, and a later one.
    for first in [false, true] {
        let mut stream = silent(gateway.address, b"").await;
        if !first {
            stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"ok\n") {
                soon("an answer", stream.read_buf(&mut answer)).await.unwrap();
            }
        }
        let _begun = stream.write_all(b"GET /livez HTTP/1.1\r\nx: ").await;
        let (mut reading, mut writing) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writing.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut buffer = [0; 1024];
        let end = soon("the gateway to close", reading.read(&mut buffer)).await;
        assert!(end.is_err() || end.is_ok_and(|read| read == 0), "nothing is answered");
        soon("the end of the drip", dripping).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let upstream = provider(OPENAI).await;
    let settings = "[server]\nheader_timeout = \"5m\"\nidle_timeout = \"200ms\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("openai", false)).await;
    assert_eq!(client.reply().await.status(), 200);
    assert!(client.is_closed().await);
    // For HTTP/2 too, although its client sends pings all the time; the connection ends in an orderly way.
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_millis(20)).keep_alive_while_idle(true);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://localhost/health").body(Full::new(Bytes::new())).unwrap();
    let answer = soon("an answer", sender.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap();
    soon("the end", connection).await.unwrap().unwrap();
    let idle = "weir_connections_closed_total{listener=\"main\",reason=\"idle\"}";
    assert!(gateway.metric(idle).await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_may_take_longer_than_a_connection_may_wait() {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| {
        let [first, second, rest @ ..] = &OPENAI.stream()[..] else { panic!() };
        let begun = OPENAI.begin().piece(first).piece(second).gate(&shut);
        rest.iter().fold(begun, Answer::piece).end()
    })
    .await;
    let settings = "[server]\nheader_timeout = \"100ms\"\nidle_timeout = \"100ms\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    for model in ["openai", "openai-t"] {
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request(model, true)).await;
        client.head().await;
        // Longer than either limit.
        tokio::time::sleep(Duration::from_millis(400)).await;
        gate.open();
        let (rest, cut) = client.rest().await;
        assert!(!cut && String::from_utf8_lossy(&rest).contains("[DONE]"), "{model}");
    }
}

/// A gateway all of whose connections are busy, with those connections.
async fn full(more: &str, gate: &Gate) -> (Gateway, Upstream, Vec<Client>) {
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| {
        let [first, rest @ ..] = &OPENAI.stream()[..] else { panic!() };
        rest.iter().fold(OPENAI.begin().piece(first).gate(&shut), Answer::piece).end()
    })
    .await;
    let gateway = Gateway::open(&format!("{more}\n{}", config_of(&EVERY, &upstream))).await;
    let mut busy = Vec::new();
    for _ in 0..LIMIT {
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request("openai", true)).await;
        busy.push(client);
    }
    for client in &mut busy {
        assert_eq!(client.head().await.status, 200);
    }
    (gateway, upstream, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_connections_busy_health_and_admin_are_served_and_others_refused() {
    let gate = Gate::default();
    let (gateway, _upstream, mut busy) = full("", &gate).await;
    // Silent connections beyond the limit do not either.
    let mut silent_ones = Vec::new();
    for _ in 0..RESERVE + 70 {
        silent_ones.push(silent(gateway.address, b"").await);
    }
    for path in ["/health", "/ready", "/metrics", "/admin/plugins"] {
        assert_eq!(gateway.get(path).await.status(), 200, "{path}");
    }
    for from in EVERY {
        let mut client = gateway.connect().await;
        client.send(&from.request("openai", false)).await;
        let reply = client.reply().await;
        assert!(matches!(reply.status(), 503 | 529), "{}", reply.text());
        assert!(from.error(&reply).is_some_and(|message| message.contains("max_connections")), "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::post("http://localhost/v1/chat/completions").body(Full::new(Bytes::new())).unwrap();
    let answer = soon("an answer", sender.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 503);
    answer.into_body().collect().await.unwrap();
    soon("the end", connection).await.unwrap().unwrap();
    // A connection beyond the limit gets a place when one is free.
    drop(silent_ones);
    let mut admin = gateway.connect().await;
    let mut waiting = gateway.connect().await;
    busy.pop().unwrap().leave();
    // Polled over one connection: each further one would evict the idlest, which is the one that waits.
    // A connection has its place a moment longer than its request counts; the two of them are beside those that are
    // left.
    let left =
        [format!("weir_in_flight {}\n", LIMIT - 1), format!("weir_connections{{listener=\"main\"}} {}\n", LIMIT + 1)];
    let gone = async {
        loop {
            admin.send(&Request::get("/metrics")).await;
            let metrics = admin.reply().await.text();
            if left.iter().all(|line| metrics.contains(line)) {
                return;
            }
        }
    };
    soon("the end of a connection", gone).await;
    for _ in 0..=LIMIT {
        gate.open();
    }
    waiting.send(&OPENAI.request("openai", true)).await;
    assert_eq!(waiting.reply().await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_separate_listener_keeps_the_admin_reachable() {
    let gate = Gate::default();
    let (gateway, _upstream, _busy) = full("[admin]\nlisten = \"127.0.0.1:0\"", &gate).await;
    for path in ["/health", "/admin/plugins"] {
        let mut admin = Client::connect(gateway.admin.unwrap()).await;
        admin.send(&Request::get(path)).await;
        assert_eq!(admin.reply().await.status(), 200);
    }
    let reply = gateway.ask(&ANTHROPIC.request("openai", false)).await;
    assert!(ANTHROPIC.error(&reply).is_some() && reply.status() == 529 || reply.status() == 503, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_works_at_the_connection_limit() {
    let gate = Gate::default();
    let (gateway, _upstream, _busy) =
        full("[server]\nshutdown_timeout = \"100ms\"\nheader_timeout = \"5m\"", &gate).await;
    let mut silent_ones = Vec::new();
    for _ in 0..RESERVE + 70 {
        silent_ones.push(silent(gateway.address, b"").await);
    }
    let begun = Instant::now();
    gateway.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_holds_no_shutdown() {
    let upstream = provider(ZETA).await;
    let settings = "[server]\nheader_timeout = \"5m\"\nidle_timeout = \"5m\"\nshutdown_timeout = \"5m\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    let mut peers = Vec::new();
    for (_, opening) in openings() {
        peers.push(silent(gateway.address, &opening).await);
    }
    let mut idle = gateway.connect().await;
    idle.send(&ZETA.request("zeta", false)).await;
    assert_eq!(idle.reply().await.status(), 200);
    idle.write(b"GET /health HTTP/1.1\r\nhost: ").await;
    gateway.ended().await;
    for mut peer in peers {
        closed(&mut peer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_share_of_connections() {
    let upstream = Upstream::always(OPENAI.begin().piece(&OPENAI.stream()[0]).hang()).await;
    let settings = "[server]\nmax_connections_per_address = 4\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(silent(gateway.address, b"").await);
    }
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request("openai", true)).await;
        assert_eq!(client.head().await.status, 200, "idle ones of the same address give way");
        busy.push(client);
    }
    closed(&mut silent(gateway.address, b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await).await;
    let mut admin = Client::connect(gateway.admin.unwrap()).await;
    admin.send(&Request::get("/metrics")).await;
    let metrics = admin.reply().await.text();
    assert!(metrics.contains("weir_connections_closed_total{listener=\"main\",reason=\"address\"} 1"), "{metrics}");
    busy.pop().unwrap().leave();
    let again = async {
        loop {
            let mut stream = silent(gateway.address, b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            if stream.read(&mut [0; 16]).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
    };
    soon("a place", again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_body_that_stalls_is_refused_and_none_is_read_without_the_token() {
    let upstream = provider(ZETA).await;
    let settings = "[server]\nbody_timeout = \"200ms\"\n[admin]\ntoken = \"let-me-in-please\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    for path in ["/admin/reload", "/admin/config/validate", "/admin/plugins/zeta/test", "/admin/nothing"] {
        for (token, status) in [("let-me-in-please", 408), ("another", 401)] {
            let mut client = gateway.connect().await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: 10\r\n\r\nhalf"
            );
            client.write(head.as_bytes()).await;
            let reply = client.reply().await;
            assert_eq!(reply.status(), status, "{path}: {}", reply.text());
        }
    }
}
