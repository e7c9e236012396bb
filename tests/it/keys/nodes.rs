//! Two nodes over one PostgreSQL.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::plugins::target;
use weir_tests::{Folder, Program, Reply, Request, program};

use super::{asked, config, provider, with_key};
use crate::wire_format::OPENAI;

pub(super) const ADAPTERS: [&str; 3] = ["openai", "anthropic", "gemini"];

pub(super) async fn admin(address: SocketAddr, method: &str, path: &str, body: Value) -> Reply {
    program::ask(address, &asked(method, path, &body)).await
}

pub(super) async fn ask(address: SocketAddr, key: &str) -> u16 {
    program::ask(address, &with_key(OPENAI, "openai", false, key)).await.status()
}

/// What a look takes on a machine with nothing else to do: the wait before it, and its request.
const LOOK: Duration = Duration::from_millis(15);

/// Looks again and again until something has come from another node. How long that took goes by the looks: on a busy
/// machine each takes longer, and so does what is looked for.
pub(super) struct Looking {
    begun: Instant,
    looks: u32,
}

impl Looking {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), looks: 0 }
    }

    /// Waits before the next look; this was `seen` by the last one.
    pub(super) async fn wait(&mut self, seen: &str) {
        assert!(self.begun.elapsed() < Duration::from_secs(20), "still {seen}");
        self.looks += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    pub(super) fn took(&self) -> Duration {
        self.begun.elapsed().min(LOOK * self.looks)
    }
}

/// How long it takes until a key's requests are answered with a status.
pub(super) async fn until(address: SocketAddr, key: &str, status: u16) -> Duration {
    let mut looking = Looking::begin();
    loop {
        let seen = ask(address, key).await;
        if seen == status {
            return looking.took();
        }
        looking.wait(&seen.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_on_one_node_works_on_the_other_and_is_revoked_there_within_a_second() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let text = format!("{}\n[store]\nurl = \"{}\"\n", config(&upstream), database.url());
    let folders = [Folder::with(&ADAPTERS), Folder::with(&ADAPTERS)];
    let nodes = folders.each_ref().map(|folder| Program::start(folder, &target().join("test-cache"), &text));
    let [a, b] = nodes.each_ref().map(Program::address);

    let made = admin(a, "POST", "/keys", json!({"name": "build"})).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let (id, key) = (made.json()["id"].as_str().unwrap().to_owned(), made.json()["key"].as_str().unwrap().to_owned());
    assert_eq!(ask(a, &key).await, 200, "here at once");
    assert!(until(b, &key, 200).await < Duration::from_secs(1));

    // Changed on one node, with the ETag of the other.
    let path = format!("/keys/{id}");
    let etag = admin(b, "GET", &path, Value::Null).await.header("etag").unwrap().to_owned();
    let edited = admin(a, "PATCH", &path, json!({"tags": ["x"]})).await;
    assert_eq!(edited.status(), 200);
    let stale = asked("PATCH", &path, &json!({"tags": ["y"]})).header("if-match", &etag);
    assert_eq!(program::ask(b, &stale).await.status(), 409);

    // The same name on both at once: one of them is refused.
    let create = |address| admin(address, "POST", "/keys", json!({"name": "twin"}));
    let (one, other) = tokio::join!(create(a), create(b));
    let mut statuses = [one.status(), other.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", one.text(), other.text());

    assert_eq!(admin(a, "POST", &format!("{path}/disable"), Value::Null).await.status(), 200);
    assert_eq!(ask(a, &key).await, 401, "here at once");
    let elsewhere = until(b, &key, 401).await;
    assert!(elsewhere < Duration::from_secs(1), "{elsewhere:?}");

    // Without the database, what is known goes on to count, and nothing is changed.
    let (second, other_key) = {
        let made = admin(b, "POST", "/keys", json!({"name": "other"})).await.json();
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    };
    until(a, &other_key, 200).await;
    database.stop();
    assert_eq!((ask(a, &other_key).await, ask(b, &other_key).await, ask(a, &key).await), (200, 200, 401));
    let refused = admin(a, "POST", &format!("/keys/{second}/disable"), Value::Null).await;
    assert_eq!(refused.status(), 503, "{}", refused.text());
    database.go();
    let begun = Instant::now();
    while admin(a, "POST", &format!("/keys/{second}/disable"), Value::Null).await.status() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until(b, &other_key, 401).await;
    drop(nodes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_at_the_start_lets_nobody_in() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let text = format!("{}\n[store]\nurl = \"{}\"\n", config(&upstream), database.url());
    let folder = Folder::with(&ADAPTERS);
    let key = {
        let node = Program::start(&folder, &target().join("test-cache"), &text);
        let made = admin(node.address(), "POST", "/keys", json!({"name": "build"})).await.json();
        made["key"].as_str().unwrap().to_owned()
    };
    database.stop();
    let node = Program::start(&folder, &target().join("test-cache"), &text);
    let address = node.address();
    assert_eq!(program::ask(address, &OPENAI.request("openai", false)).await.status(), 503);
    assert_eq!(ask(address, &key).await, 503, "it may be a right one");
    database.go();
    until(address, &key, 200).await;
    assert_eq!(ask(address, "sk-another").await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_holds_is_read_beside_it_and_lets_nobody_in() {
    let upstream = provider().await;
    let text = config(&upstream);
    let folder = Folder::with(&ADAPTERS);
    let writer = Program::start(&folder, &target().join("test-cache"), &text);
    let first = writer.address();
    let reader = Program::start(&folder, &target().join("test-cache"), &text);
    let second = reader.address();
    let without_key = async || program::ask(second, &OPENAI.request("openai", false)).await.status();
    assert_eq!(without_key().await, 200, "there is no key yet");
    let made = admin(first, "POST", "/keys", json!({"name": "build"})).await.json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    // Before it is known there, a key counts as none.
    assert!(until(second, "sk-of-nobody", 401).await < Duration::from_secs(2));
    assert_eq!((without_key().await, ask(second, key).await), (401, 200));
    assert_eq!(admin(second, "POST", "/keys", json!({"name": "other"})).await.status(), 503, "only one process writes");
    assert_eq!(admin(first, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    until(second, key, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_store_lets_nobody_in() {
    let upstream = provider().await;
    let folder = Folder::with(&ADAPTERS);
    std::fs::write(folder.path().join("weir.db"), "no database, and long enough to be looked at as one\n".repeat(100))
        .unwrap();
    let program = Program::start(&folder, &target().join("test-cache"), &config(&upstream));
    let address = program.address();
    for stream in [false, true] {
        let reply = program::ask(address, &OPENAI.request("openai", stream)).await;
        assert_eq!(reply.status(), 503, "{}", reply.text());
        assert!(reply.text().contains("store_unavailable"), "{}", reply.text());
    }
    assert_eq!(ask(address, "sk-some").await, 503);
    // The same for keys with grants; tokens of the configuration open the admin side, and guessing them stays slow.
    let session = |token: &str| Request::get("/admin/v1/session").header("authorization", &format!("bearer {token}"));
    assert_eq!(program::ask(address, &session(super::TOKEN)).await.status(), 200);
    let mut statuses = Vec::new();
    for number in 0..20 {
        let reply = program::ask(address, &session(&format!("sk-some-{number}"))).await;
        let code = if reply.status() == 503 { "store_unavailable" } else { "too_many_wrong_tokens" };
        assert_eq!(reply.json()["error"]["code"], code, "{}", reply.text());
        statuses.push(reply.status());
    }
    assert_eq!((statuses[0], statuses[19]), (503, 429), "{statuses:?}");
}
