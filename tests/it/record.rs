//! Recording: traffic is unchanged, recordings can replace the provider, and they contain no secret.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir::record::{Recorder, RecorderSettings};
use weir_fixtures::fixture::import::{Imported, of_text};
use weir_fixtures::fixture::{Rules, check, exchange};
use weir_tests::code::pack;
use weir_tests::upstream::Gate;
use weir_tests::{Answer, Client, Gateway, Request, Upstream, log, soon};

const KEY: &str = "sk-proj-Zx81LpQ0TtY7uKm2NnR5";
const OTHER: &str = "hunter2-of-the-9th";
const ASKED: &str =
    "{\"model\":\"m-1\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hi, I am ada@lovelace.org\"}]}";

struct Proxy {
    address: SocketAddr,
    dir: tempfile::TempDir,
    stop: watch::Sender<bool>,
    running: JoinHandle<usize>,
}

impl Proxy {
    async fn open(to: &str, limit: u64) -> Self {
        log::begin();
        let dir = tempfile::tempdir().unwrap();
        let settings = RecorderSettings {
            to: to.to_owned(),
            out: dir.path().to_owned(),
            provider: Some("somebody".to_owned()),
            limit,
            connections: 8,
        };
        let recorder = Recorder::new(settings, Rules::ours().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(recorder.run(listener, stopped));
        Self { address, dir, stop, running }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Stops the recorder; returns the recordings, by their names in order, and the folder.
    async fn recordings(self) -> (Vec<(String, String)>, tempfile::TempDir) {
        self.stop.send_replace(true);
        let count = soon("the recorder to end", self.running).await.unwrap();
        let files = files(self.dir.path());
        assert_eq!(files.len(), count);
        (files, self.dir)
    }
}

fn files(dir: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn asked(path: &str) -> Request {
    Request::post(path, ASKED)
        .header("authorization", &format!("Bearer {KEY}"))
        .header("x-api-key", OTHER)
        .header("cookie", &format!("session={OTHER}; a=b"))
        .header("some-organization", "acme-4711")
        .header("some-version", "2024-01-01")
        .header("user-agent", "me/1.0")
}

fn clean(text: &str) {
    let findings = check(text.as_bytes(), &Rules::ours().unwrap());
    assert_eq!(findings, [], "{text}");
    for secret in [KEY, "Zx81LpQ0TtY7uKm2NnR5", OTHER, "acme-4711", "ada@lovelace.org", "user-agent", "cookie"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_passes_as_it_comes_and_is_written_piece_by_piece() {
    let gate = Gate::default();
    let answer =
        Answer::begin(200, &[("content-type", "text/event-stream"), ("set-cookie", "s=1"), ("x-request-id", "r-1")])
            .piece("data: {\"delta\":\"for acme-4711\"}\n\n")
            .gate(&gate)
            // The key is split across two network reads.
            .piece(format!("data: {{\"delta\":\"{}", &KEY[..12]))
            .piece(format!("{}\"}}\n\ndata: [DONE]\n\n", &KEY[12..]))
            .end();
    let mut upstream = Upstream::always(answer).await;
    let proxy = Proxy::open(&upstream.url(), 1 << 20).await;
    let mut client = proxy.connect().await;
    client.send(&asked("/v1/chat/completions?key=Zx81LpQ0TtY7uKm2NnR5&alt=sse")).await;
    assert_eq!(client.head().await.header("set-cookie"), Some("s=1"));
    assert_eq!(client.until("\n\n").await, b"data: {\"delta\":\"for acme-4711\"}\n\n");
    gate.open();
    let (rest, cut) = client.rest().await;
    assert!(String::from_utf8(rest).unwrap().contains(KEY) && !cut);

    let received = upstream.request().await;
    assert_eq!(received.line(), "POST /base/v1/chat/completions?key=Zx81LpQ0TtY7uKm2NnR5&alt=sse");
    assert_eq!(received.text(), ASKED);
    assert_eq!(received.header("authorization"), Some(format!("Bearer {KEY}").as_str()));

    let (files, dir) = proxy.recordings().await;
    let [(name, text)] = &files[..] else { panic!("{files:?}") };
    assert_eq!(name, "0001-post-chat-completions-200-stream.json");
    clean(text);
    let recording: Value = serde_json::from_str(text).unwrap();
    assert_eq!(recording["request"]["path_and_query"], "/base/v1/chat/completions?alt=sse");
    assert_eq!(
        recording["request"]["headers"],
        serde_json::json!({"content-type": "application/json", "some-version": "2024-01-01"})
    );
    assert_eq!(recording["request"]["body"]["messages"][0]["content"], "Hi, I am user1@example.com");
    assert_eq!(
        recording["response"]["headers"],
        serde_json::json!({"content-type": "text/event-stream", "x-request-id": "r-1"})
    );
    let chunks = recording["response"]["chunks"].as_array().unwrap();
    assert!(chunks.len() >= 2 && chunks.iter().all(|chunk| chunk["after_ms"].is_u64()), "{chunks:?}");
    let whole: String = chunks.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect();
    assert_eq!(
        whole,
        "data: {\"delta\":\"for 0000-0001\"}\n\ndata: {\"delta\":\"xx-xxxx-xxxxxxxxxxxxxxxxxxxx\"}\n\ndata: [DONE]\n\n"
    );
    assert_eq!(replaying(&dir).await.post("/v1/chat/completions", ASKED).await.text(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_answers_coded_ones_and_errors_are_written_and_can_be_replayed() {
    let whole = format!("{{\"id\":\"c-1\",\"b\":1.50,\"a\":\"you said {OTHER}\"}}");
    let packed = pack("gzip", whole.as_bytes());
    let upstream = Upstream::scripted(move |received| {
        if received.line().contains("/models") {
            return Answer::json(401, format!("{{\"error\":\"Incorrect API key provided: {KEY}\"}}"));
        }
        Answer::whole(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], &packed)
    })
    .await;
    let proxy = Proxy::open(&upstream.origin(), 1 << 20).await;
    let mut client = proxy.connect().await;
    client.send(&asked("/v1/chat/completions").header("accept-encoding", "gzip")).await;
    let reply = client.reply().await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"), "what passes stays as it is");
    client.send(&Request::get("/v1/models").header("authorization", &format!("Bearer {KEY}"))).await;
    assert_eq!(client.reply().await.status(), 401);
    let (files, dir) = proxy.recordings().await;
    assert_eq!(
        files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["0001-post-chat-completions-200.json", "0002-get-v1-models-401.json"]
    );
    for (_, text) in &files {
        clean(text);
    }
    assert!(files[0].1.contains("\"b\": 1.50,\n      \"a\": \"you said"), "order and spelling stay: {}", files[0].1);

    let replayed = replaying(&dir).await.post("/v1/chat/completions", &ASKED.replace("true", "false")).await;
    assert_eq!(replayed.json()["id"], "c-1", "{}", replayed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_breaks_off_passes_and_is_not_written() {
    let gate = Gate::default();
    let upstream = Upstream::always(Answer::json(200, format!("\"{}\"", "x".repeat(5000)))).await;
    let proxy = Proxy::open(&upstream.origin(), 4000).await;
    let mut client = proxy.connect().await;
    client.send(&asked("/large")).await;
    assert_eq!(client.reply().await.body.len(), 5002);
    upstream.now(Answer::sse().piece("data: 1\n\n").gate(&gate).reset());
    client.send(&asked("/broken")).await;
    client.head().await;
    client.until("\n\n").await;
    gate.open();
    assert!(client.rest().await.1, "the client's connection is cut as the provider's was");
    upstream.now(Answer::json(200, "{}"));
    let mut client = proxy.connect().await;
    client.send(&asked("/small")).await;
    assert_eq!(client.reply().await.text(), "{}");
    let (files, _dir) = proxy.recordings().await;
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(log::text().contains("/large 200: not recorded") && log::text().contains("/broken 200: not recorded"));
    assert!(!log::text().contains(OTHER));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_spells_the_key_bit_by_bit_is_not_written() {
    let pieces =
        KEY.as_bytes().chunks(5).map(|part| format!("data: {{\"delta\":\"{}\"}}\n\n", String::from_utf8_lossy(part)));
    let upstream = Upstream::always(pieces.fold(Answer::sse(), Answer::piece).end()).await;
    let proxy = Proxy::open(&upstream.origin(), 1 << 20).await;
    let mut client = proxy.connect().await;
    client.send(&asked("/v1/echo")).await;
    assert!(!client.reply().await.cut);
    assert_eq!(proxy.recordings().await.0, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_a_502_that_says_so() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::open(&format!("http://{gone}"), 1 << 20).await;
    let mut client = proxy.connect().await;
    client.send(&asked("/v1/x")).await;
    let reply = client.reply().await;
    assert_eq!(reply.status(), 502);
    assert!(reply.text().contains("weir record"), "{}", reply.text());
    assert_eq!(proxy.recordings().await.0, []);
}

/// A gateway whose provider is the folder.
async fn replaying(dir: &tempfile::TempDir) -> Gateway {
    let url = format!("replay:{}?pace_ms=0", dir.path().display());
    let target = format!("target = {{ url = \"{url}\", model = \"m-1\" }}");
    Gateway::open(&format!("[[models]]\nalias = \"m-1\"\ntype = \"openai\"\n{target}\n")).await
}

/// Imports a sample; returns the recordings, each checked.
fn imported(sample: &str) -> Vec<Value> {
    let rules = Rules::ours().unwrap();
    let all = match of_text(sample, &rules).unwrap() {
        Imported::Ours(text) => vec![text],
        Imported::Exchanges(all) => {
            all.into_iter().map(|one| exchange::text(&one.unwrap().into_file(&rules, 1 << 20).unwrap())).collect()
        }
    };
    for text in &all {
        clean(text);
    }
    all.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn samples_of_every_kind_become_the_same_recordings() {
    let samples = [
        ("har", include_str!("record/sample.har")),
        ("vcr, Ruby", include_str!("record/ruby.yml")),
        ("vcr, Python", include_str!("record/python.yaml")),
        ("curl", include_str!("record/curl.trace")),
    ];
    for (kind, sample) in samples {
        let all = imported(sample);
        let [first, ..] = &all[..] else { panic!("{kind}: nothing") };
        assert_eq!(first["request"]["method"], "POST", "{kind}");
        assert_eq!(first["request"]["path_and_query"], "/v1/talk?alt=json", "{kind}");
        assert_eq!(first["request"]["headers"]["content-type"], "application/json", "{kind}");
        assert_eq!(first["request"]["body"]["say"], "Grüße", "{kind}");
        assert_eq!(first["request"]["body"]["mail"], "user1@example.com", "{kind}");
        assert_eq!(first["response"]["status"], 200, "{kind}");
        assert_eq!(first["response"]["headers"]["content-type"], "application/json", "{kind}");
        assert_eq!(
            first["response"]["body"],
            serde_json::json!({"said": "Grüße\nzurück", "key": "xx-xxxx-xxxxxxxxxxxxxxxxxxxx"}),
            "{kind}"
        );
        let Some(stream) = all.get(1) else { continue };
        assert_eq!(stream["streaming"], true, "{kind}");
        let pieces = || {
            let chunks = stream["response"]["chunks"].as_array().unwrap();
            assert_eq!(chunks[0]["after_ms"], 250, "{kind}");
            chunks.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect()
        };
        let text = stream["response"]["body_text"].as_str().map_or_else(pieces, str::to_owned);
        assert_eq!(text, "data: {\"n\":1}\n\ndata: [DONE]\n\n", "{kind}");
    }
}

#[test]
fn our_own_recordings_hold_no_secret() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let of = |dir: &str| fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path());
    let folders = of("docs/recordings").chain(of("plugins").map(|plugin| plugin.join("fixtures")));
    let rules = Rules::ours().unwrap();
    let mut count = 0;
    for (name, text) in folders.filter(|folder| folder.is_dir()).flat_map(|folder| files(&folder)) {
        assert_eq!(check(text.as_bytes(), &rules), [], "{name}");
        count += 1;
    }
    assert!(count > 100, "{count} recordings");
}

#[test]
fn logs_that_leave_bytes_out_are_refused_with_the_way_to_get_them() {
    let rules = Rules::ours().unwrap();
    let plain = "*   Trying 127.0.0.1:80...\n> POST /v1/talk HTTP/1.1\n> Host: a\n>\n< HTTP/1.1 200 OK\n";
    assert!(of_text(plain, &rules).unwrap_err().to_string().contains("--trace"));
    let ascii = "=> Send header, 20 bytes (0x14)\n0000: POST /v1/talk HTTP/1.1\n";
    assert!(of_text(ascii, &rules).unwrap_err().to_string().contains("--trace"));
    assert!(of_text("just text", &rules).unwrap_err().to_string().contains("neither"));
}
