//! Bodies as weapons: floods that never end, connections with many of them, requests that are legal and enormous, media
//! that grow. Memory stays bounded, other clients are served meanwhile, and no adapter is blamed.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::task::JoinHandle;
use weir_tests::{Answer, Client, Folder, Gateway, Reply, Request, Upstream, soon};

use crate::wire_format::{ANTHROPIC, EVERY, GEMINI, OPENAI, TEXT, WireFormat, ZETA, config_of, provider};

const MIB: f64 = (1 << 20) as f64;
const KIB: usize = 1 << 10;
const HELD: &str = "weir_buffered_bytes";

/// Two clients, and a budget of 4 MiB for bodies of 1 MiB each.
const TWO: &str = "[server]\nmax_buffered_bytes = \"4MiB\"\nmax_body_bytes = \"1MiB\"\n\
    [[clients]]\nname = \"flood\"\nkey = \"key-of-the-flood\"\n\
    [[clients]]\nname = \"other\"\nkey = \"key-of-the-other\"\n";

fn by(request: Request, client: &str) -> Request {
    request.header("authorization", &format!("Bearer key-of-the-{client}"))
}

/// Begins a body of 1 MiB and sends the first `bytes`; the connection stays open until the task is aborted.
async fn begin(gateway: &Gateway, request: Request, bytes: usize) -> JoinHandle<()> {
    let mut client: Client = gateway.connect().await;
    let head = request.header("content-length", &(1 << 20).to_string()).head();
    tokio::spawn(async move {
        client.write(head.as_bytes()).await;
        client.write(b"{\"model\":\"openai\",\"pad\":\"").await;
        client.write(&vec![b'x'; bytes]).await;
        std::future::pending::<()>().await;
    })
}

/// Waits until at least this much is held.
async fn until_held(gateway: &Gateway, least: f64) {
    let reached = async {
        while gateway.metric(HELD).await < least {
            tokio::task::yield_now().await;
        }
    };
    soon("bodies to be held", reached).await;
}

/// Begins bodies until the budget is nearly used up. Several may be evicted for one, so that more than a few are
/// needed.
async fn flood(gateway: &Gateway) -> Vec<JoinHandle<()>> {
    let mut flood = Vec::new();
    let filled = async {
        while flood.len() < 24 || gateway.metric(HELD).await < 3.0 * MIB {
            flood.push(begin(gateway, by(OPENAI.request("openai", false), "flood"), 900 * KIB).await);
        }
    };
    soon("the budget to be used up", filled).await;
    flood
}

fn padded(from: WireFormat, model: &str, bytes: usize) -> Request {
    let request = from.request(model, false);
    let sent = String::from_utf8(request.sent()).unwrap();
    let padded = sent.replace("\"Hi\"", &format!("\"Hi{}\"", " ho".repeat(bytes / 3)));
    request.body(padded)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unfinished_bodies_keeps_within_the_budget_and_others_are_served() {
    for to in EVERY {
        let upstream = provider(to).await;
        let gateway = Gateway::open(&format!("{TWO}{}", config_of(&EVERY, &upstream))).await;
        let flood = flood(&gateway).await;
        for from in EVERY {
            for model in [to.name.to_owned(), to.translated()] {
                for request in [from.request(&model, false), padded(from, &model, 300 * KIB)] {
                    let reply = gateway.ask(&by(request, "other")).await;
                    assert_eq!(reply.status(), 200, "{} to {model}: {}", from.name, reply.text());
                    assert_eq!(from.parsed(&reply, false).text, TEXT);
                }
            }
        }
        let held = gateway.metric(HELD).await;
        assert!(held <= 4.0 * MIB, "{held}");
        flood.iter().for_each(JoinHandle::abort);
        gateway.until_metric(HELD, 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_body_holds_no_place() {
    let upstream = provider(OPENAI).await;
    let settings = TWO.replacen("[server]", "[server]\nmax_concurrency = 1\nqueue = { length = 1 }", 1);
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    let mut flood = Vec::new();
    for _ in 0..8 {
        flood.push(begin(&gateway, by(OPENAI.request("openai", false), "flood"), 10 * KIB).await);
    }
    until_held(&gateway, (70 * KIB) as f64).await;
    for from in EVERY {
        let reply = gateway.ask(&by(from.request("openai", false), "other")).await;
        assert_eq!(reply.status(), 200, "{}: {}", from.name, reply.text());
    }
    flood.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_turns_away_before_a_body_is_read() {
    let upstream = Upstream::always(Answer::silence()).await;
    let settings = TWO.replacen("[server]", "[server]\nmax_concurrency = 1\nqueue = { length = 2 }", 1);
    let gateway = Gateway::open(&format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    let mut waiting = Vec::new();
    for count in 0..3 {
        let mut client = gateway.connect().await;
        client.send(&by(OPENAI.request("openai", true), "flood")).await;
        waiting.push(client);
        gateway.until_metric("weir_queue_depth", f64::from(count)).await;
        gateway.until_metric("weir_in_flight", 1.0).await;
    }
    for from in EVERY {
        let begins = |client| by(from.request("openai", false), client).header("content-length", "1000000").head();
        let mut flood = gateway.connect().await;
        flood.write(begins("flood").as_bytes()).await;
        assert_eq!(flood.head().await.status, 503, "{}: nothing of the body has come", from.name);
        // The queue is one client's: another's request gets a place in it, and its body is read.
        let held = gateway.metric(HELD).await;
        let other = begin(&gateway, by(from.request("openai", false), "other"), 10 * KIB).await;
        until_held(&gateway, held + 1.0).await;
        other.abort();
        gateway.until_metric(HELD, held).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_mid_body_gives_its_bytes_back() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("{TWO}{}", config_of(&EVERY, &upstream))).await;
    for from in EVERY {
        let begun = begin(&gateway, by(from.request("openai", false), "flood"), 200 * KIB).await;
        until_held(&gateway, (200 * KIB) as f64).await;
        begun.abort();
        gateway.until_metric(HELD, 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_given_back_when_the_answer_is_out() {
    for to in EVERY {
        let upstream = provider(to).await;
        let gateway = Gateway::open(&format!("{TWO}{}", config_of(&EVERY, &upstream))).await;
        for from in EVERY {
            for model in [to.name.to_owned(), to.translated()] {
                for stream in [false, true] {
                    let reply = gateway.ask(&by(from.request(&model, stream), "other")).await;
                    assert_eq!(reply.status(), 200, "{}", reply.text());
                }
            }
        }
        gateway.until_metric(HELD, 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_wait_for_a_provider_are_held_and_a_refusal_names_the_limit() {
    let upstream = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::open(&format!("{TWO}{}", config_of(&EVERY, &upstream))).await;
    // A request that waits for the head of an answer keeps its body, since a retry may need it.
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut client = gateway.connect().await;
        client.send(&by(padded(OPENAI, "openai", 900 * KIB), "flood")).await;
        waiting.push(client);
    }
    until_held(&gateway, 3.4 * MIB).await;
    for from in EVERY {
        let reply = gateway.ask(&by(padded(from, "openai", 600 * KIB), "other")).await;
        assert_eq!(reply.status(), 503, "{}", reply.text());
        let message = from.error(&reply).unwrap();
        assert!(message.contains("server.max_buffered_bytes"), "{message}");
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(gateway.metric("weir_buffer_refused_total{reason=\"full\"}").await, EVERY.len() as f64);
    drop(waiting);
    gateway.until_metric(HELD, 0.0).await;
}

type Endless = StreamBody<std::pin::Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>>;

/// A body whose first `bytes` come in frames of 16 KiB, and then nothing.
fn endless(bytes: usize) -> Endless {
    let frames = std::iter::repeat_n(Bytes::from(vec![b'x'; 16 * KIB]), bytes / (16 * KIB));
    let some = stream::iter(frames.map(|frame| Ok(Frame::data(frame))));
    StreamBody::new(Box::pin(some.chain(stream::pending())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_http2_holds_no_more_than_its_share() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("{TWO}{}", config_of(&EVERY, &upstream))).await;
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let (sender, connection): (SendRequest<Endless>, _) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut begun = Vec::new();
    for _ in 0..16 {
        let request = http::Request::post("http://localhost/v1/chat/completions")
            .header("authorization", "Bearer key-of-the-flood")
            .body(endless(256 * KIB))
            .unwrap();
        begun.push(tokio::spawn(sender.clone().send_request(request)));
    }
    until_held(&gateway, 0.9 * MIB).await;
    // Bodies without room on their connection are refused; none exceeds its share meanwhile.
    let mut refused = 0.0;
    while refused == 0.0 {
        let held = gateway.metric(HELD).await;
        assert!(held <= MIB + 64.0 * KIB as f64, "{held}");
        refused = gateway.metric("weir_buffer_refused_total{reason=\"connection\"}").await;
    }
    let reply = gateway.ask(&by(padded(OPENAI, "openai", 900 * KIB), "other")).await;
    assert_eq!(reply.status(), 200, "another connection has its own: {}", reply.text());
    begun.iter().for_each(JoinHandle::abort);
    drop(sender);
    gateway.until_metric(HELD, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_requests_is_asked_before_the_body() {
    let upstream = provider(OPENAI).await;
    let clients = "[[clients]]\nname = \"one\"\nkey = \"key-of-the-one\"\nlimits = { requests_per_minute = 1 }\n";
    let gateway = Gateway::open(&format!("{clients}{}", config_of(&EVERY, &upstream))).await;
    assert_eq!(gateway.ask(&by(OPENAI.request("openai", false), "one")).await.status(), 200);
    for from in EVERY {
        let mut client = gateway.connect().await;
        let request = by(from.request("openai", false), "one").header("content-length", "1000000");
        client.write(request.head().as_bytes()).await;
        let reply = client.reply().await;
        assert_eq!(reply.status(), 429, "without a byte of the body: {}", reply.text());
        assert!(from.error(&reply).is_some_and(|message| message.contains("requests a minute")), "{}", reply.text());
    }
}

/// A legal request with very many messages.
pub(crate) fn many_messages(from: WireFormat, model: &str, messages: usize, stream: bool) -> Request {
    let request = from.request(model, stream);
    let sent = String::from_utf8(request.sent()).unwrap();
    let (one, two) = match from {
        ZETA => (r#"{"who":"pilgrim","says":"Hi"}"#, r#"{"who":"oracle","says":"Ho"}"#),
        GEMINI => (r#"{"role":"user","parts":[{"text":"Hi"}]}"#, r#"{"role":"model","parts":[{"text":"Ho"}]}"#),
        _ => ("{\"role\":\"user\",\"content\":\"Hi\"}", "{\"role\":\"assistant\",\"content\":\"Ho\"}"),
    };
    let mut many = String::new();
    for _ in 0..messages / 2 {
        let _ = write!(many, "{one},{two},");
    }
    let whole = sent.replace(one, &(many + one));
    assert!(whole.len() > messages * 20, "the messages are in it");
    request.body(whole)
}

/// Whether a large request was served, or refused with the name of a limit, in the client's own format.
fn is_fair(from: WireFormat, reply: &Reply) -> bool {
    let names = ["plugins.memory", "plugins.deadline", "server.translate_body_limit"];
    match reply.status() {
        200 => true,
        413 => from.error(reply).is_some_and(|message| names.iter().any(|name| message.contains(name))),
        _ => false,
    }
}

/// Adapters that the judge watches, with the usual deadline: on a busy machine, what a longer one allows outlasts the
/// client's patience.
const WATCHED: &str = "[plugins.openai]\nquarantine = { faults = 2, window = \"1m\", share = 0.01 }\ndeadline = \"1s\"\n\
    [plugins.anthropic]\nquarantine = { faults = 2, window = \"1m\", share = 0.01 }\ndeadline = \"1s\"\n\
    [plugins.zeta]\nquarantine = { faults = 2, window = \"1m\", share = 0.01 }\ndeadline = \"1s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn large_legal_requests_are_served_or_refused_with_the_limit_and_quarantine_no_adapter() {
    for to in EVERY {
        let upstream = provider(to).await;
        let gateway = Gateway::open(&format!("{WATCHED}{}", config_of(&EVERY, &upstream))).await;
        for from in EVERY {
            if from == to {
                let relayed = gateway.ask(&many_messages(from, to.name, 200_000, false)).await;
                assert_eq!(relayed.status(), 200, "bytes need no adapter: {}", relayed.text());
            }
            // Enough different ones to quarantine an adapter.
            for more in 0..if from == OPENAI { 3 } else { 1 } {
                let large = many_messages(from, &to.translated(), 200_000 + 2 * more, more % 2 == 0);
                let reply = gateway.ask(&large).await;
                assert!(is_fair(from, &reply), "{}: {} {}", from.name, reply.status(), reply.text());
            }
            let usual = gateway.ask(&from.request(&to.translated(), false)).await;
            assert_eq!(usual.status(), 200, "{} to {}: {}", from.name, to.name, usual.text());
        }
        for adapter in EVERY {
            let all = gateway.adapter(adapter.name).await;
            assert_eq!(all[0]["status"], "serving", "{all:?}");
        }
        gateway.until_metric(HELD, 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_adapters_may_take_together_is_bounded_and_refusals_say_so_in_the_clients_format() {
    const SCARCE: &str = "[plugins]\ntotal_memory = \"2MiB\"\n";
    for to in EVERY {
        let upstream = provider(to).await;
        let gateway = Gateway::open(&format!("{SCARCE}{}", config_of(&EVERY, &upstream))).await;
        for from in EVERY {
            let relayed = gateway.ask(&many_messages(to, to.name, 100_000, false)).await;
            assert_eq!(relayed.status(), 200, "bytes need no adapter: {}", relayed.text());
            for stream in [false, true] {
                let reply = gateway.ask(&many_messages(from, &to.translated(), 100_000, stream)).await;
                let message = from.error(&reply).unwrap_or_default();
                assert_eq!(reply.status(), 413, "{} to {}: {}", from.name, to.name, reply.text());
                assert!(message.contains("plugins.total_memory"), "{}", reply.text());
                let usual = gateway.ask(&from.request(&to.translated(), stream)).await;
                assert_eq!(usual.status(), 200, "{} to {}: {}", from.name, to.name, usual.text());
            }
        }
        for adapter in EVERY {
            assert_eq!(gateway.adapter(adapter.name).await[0]["status"], "serving");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_embedding_inputs_are_served_or_refused_with_the_limit() {
    let answer = json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1}});
    let upstream = Upstream::always(Answer::json(200, answer.to_string())).await;
    let gateway = Gateway::open(&format!("{WATCHED}{}", config_of(&EVERY, &upstream))).await;
    for model in ["openai", "openai-t"] {
        for more in 0..3 {
            let input = "\"a\",".repeat(1_000_000 + more);
            let body = format!("{{\"model\":\"{model}\",\"input\":[{input}\"a\"]}}");
            let reply = gateway.post("/v1/embeddings", &body).await;
            assert!(is_fair(OPENAI, &reply), "{}: {}", reply.status(), reply.text());
        }
        let usual = gateway.post("/v1/embeddings", &format!("{{\"model\":\"{model}\",\"input\":[\"a\"]}}")).await;
        assert_eq!(usual.status(), 200, "{}", usual.text());
    }
    assert_eq!(gateway.adapter("openai").await[0]["status"], "serving");
}

#[tokio::test(flavor = "multi_thread")]
async fn media_of_one_request_keep_within_a_total() {
    let image = Answer::whole(200, &[("content-type", "image/png")], vec![7; 40 * KIB]);
    let mut files = Upstream::always(image).await;
    let part = json!({"role": "model", "parts": [{"text": "A picture."}]});
    let answer = json!({"candidates": [{"content": part, "finishReason": "STOP"}]});
    let mut upstream = Upstream::always(Answer::json(200, answer.to_string())).await;
    let config = format!(
        "[media]\nfetch = true\nmax_total_bytes = \"100KiB\"\norigins = [\"{}\"]\n\
         [[providers]]\nname = \"gemini\"\nadapter = \"gemini\"\nurl = \"{}\"\napi_key = \"K\"\n\
         [[models]]\nalias = \"g\"\ntarget = {{ provider = \"gemini\", model = \"gemini-2.5-flash\" }}\n",
        files.origin(),
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config).await;
    let source = |n: usize| format!("{}/{n}.png", files.origin());
    let openai = |count: usize| {
        let images = (0..count).map(|n| json!({"type": "image_url", "image_url": {"url": source(n)}}));
        let content: Vec<_> = images.collect();
        Request::post(
            "/v1/chat/completions",
            json!({"model": "g", "messages": [{"role": "user", "content": content}]}).to_string(),
        )
    };
    let anthropic = |count: usize| {
        let images = (0..count).map(|n| json!({"type": "image", "source": {"type": "url", "url": source(n)}}));
        let content: Vec<_> = images.collect();
        let body = json!({"model": "g", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
        Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
    };
    for (from, asking) in [(OPENAI, &openai as &dyn Fn(usize) -> Request), (ANTHROPIC, &anthropic)] {
        let two = gateway.ask(&asking(2)).await;
        assert_eq!(two.status(), 200, "{}", two.text());
        upstream.request().await;
        let twenty = gateway.ask(&asking(20)).await;
        assert_eq!(twenty.status(), 413, "{}", twenty.text());
        assert!(
            from.error(&twenty).is_some_and(|message| message.contains("media.max_total_bytes")),
            "{}",
            twenty.text()
        );
    }
    let mut fetched = 0;
    while files.unseen().is_some() {
        fetched += 1;
    }
    assert_eq!(fetched, 2 * (2 + 3), "nothing is fetched beyond the total");
    assert!(upstream.unseen().is_none());
    gateway.until_metric(HELD, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_with_one_instance_proves_itself_and_serves_both_sides() {
    let upstream = provider(ZETA).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    folder.put_fixtures("zeta", &weir_tests::plugins::zeta_fixtures());
    let settings = "[plugins.zeta]\nmax_instances = 1\nrequire_fixtures = true\n";
    let gateway = Gateway::with(folder, &format!("{settings}{}", config_of(&EVERY, &upstream))).await;
    assert_eq!(gateway.adapter("zeta").await[0]["status"], "serving");
    let gateway = &gateway;
    let asking = (0..20).map(|n| async move {
        let (mut client, stream) = (gateway.connect().await, n % 2 == 0);
        client.send(&ZETA.request("zeta-t", stream)).await;
        (client.reply().await, n)
    });
    for (reply, n) in futures_util::future::join_all(asking).await {
        assert_eq!(reply.status(), 200, "{n}: {}", reply.text());
    }
}
