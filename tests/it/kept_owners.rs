//! Who made which object is kept in the store: after a restart and through other nodes, a client reaches its own objects
//! and no other client's.

use std::time::Duration;

use serde_json::json;
use weir_store::{Sqlite, Store as _};
use weir_test_postgres::Database;
use weir_tests::clients::{by, client};
use weir_tests::program::ask;
use weir_tests::{Answer, Folder, Received, Request, Upstream};

use crate::kept_batches::Node;
use crate::wire_format::{OPENAI, config_of};

const FILE: &str = "file-0123456789abcdef";
const RESPONSE: &str = "resp_0123456789abcdef";
const STREAMED: &str = "resp_fedcba9876543210";
const VECTORS: &str = "vs_0123456789abcdef";

fn response(id: &str) -> String {
    let usage = json!({"input_tokens": 10, "output_tokens": 7, "total_tokens": 17});
    json!({"id": id, "object": "response", "model": "openai", "status": "completed", "output": [], "usage": usage})
        .to_string()
}

fn provides(request: &Received) -> Answer {
    let line = request.line();
    if line.contains("/responses") && request.text().contains("\"stream\":true") {
        let event = |kind: &str| {
            format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{}}}\n\n", response(STREAMED))
        };
        return Answer::sse().piece(event("response.created")).piece(event("response.completed")).end();
    }
    let body = match line {
        line if line.contains("/responses") => response(RESPONSE),
        line if line.contains("/vector_stores") => json!({"id": VECTORS, "object": "vector_store"}).to_string(),
        line if line.contains("/files") => json!({"id": FILE, "object": "file"}).to_string(),
        _ => OPENAI.whole(),
    };
    Answer::json(200, body)
}

/// Two clients, each of which may use everything.
fn config(upstream: &Upstream, store: &str) -> String {
    let passing = "passthrough = [\"openai * *\"]";
    let provider = config_of(&[OPENAI], upstream).replacen("timeouts", "passthrough = [\"* *\"]\ntimeouts", 1);
    [provider, client("one", passing), client("two", passing), store.to_owned()].concat()
}

fn responds(extra: &str) -> Request {
    Request::post("/v1/responses", format!(r#"{{"model":"openai","input":"Hi"{extra}}}"#))
}

fn upload(path: &str) -> Request {
    let body = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--b\r\nContent-Disposition: \
                form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b--\r\n";
    Request::new("POST", path).header("content-type", "multipart/form-data; boundary=b").body(body)
}

/// What the first client makes, in both lanes and by pass-through.
async fn make(node: &Node) {
    let vectors = Request::post("/passthrough/openai/vector_stores", "{}");
    for request in [upload("/v1/files"), responds(""), responds(r#","stream":true"#), vectors] {
        let reply = ask(node.address, &by("one", request)).await;
        assert_eq!((reply.status(), reply.cut), (200, false), "{}", reply.text());
    }
}

/// Requests that name it, in the path and in the body.
fn naming() -> Vec<Request> {
    let file = format!(r#"[{{"role":"user","content":[{{"type":"input_file","file_id":"{FILE}"}}]}}]"#);
    vec![
        Request::get(&format!("/v1/files/{FILE}")),
        Request::get(&format!("/v1/files/{FILE}/content")),
        Request::new("DELETE", &format!("/v1/files/{FILE}")),
        Request::get(&format!("/v1/responses/{RESPONSE}")),
        responds(&format!(r#","previous_response_id":"{RESPONSE}""#)),
        responds(&format!(r#","previous_response_id":"{STREAMED}","stream":true"#)),
        Request::post("/v1/responses", format!(r#"{{"model":"openai","input":{file}}}"#)),
        Request::get(&format!("/passthrough/openai/files/{FILE}")),
        Request::get(&format!("/passthrough/openai/vector_stores/{VECTORS}")),
        Request::post(
            &format!("/passthrough/openai/vector_stores/{VECTORS}/files"),
            format!(r#"{{"file_id":"{FILE}"}}"#),
        ),
    ]
}

async fn until_refused(node: &Node) {
    for request in naming() {
        for attempt in 0.. {
            let reply = ask(node.address, &by("two", request.clone())).await;
            if reply.status() == 404 {
                break;
            }
            assert!(attempt < 1_000, "{}: {}", request.head(), reply.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What the first client made is its own, and stays so.
async fn check(node: &Node, upstream: &mut Upstream) {
    while upstream.unseen().is_some() {}
    for request in naming() {
        let reply = ask(node.address, &by("two", request.clone())).await;
        assert_eq!(reply.status(), 404, "{}: {}", request.head(), reply.text());
        assert!(upstream.unseen().is_none(), "{}", request.head());
    }
    for request in naming().into_iter().filter(|request| !request.head().starts_with("DELETE")) {
        let reply = ask(node.address, &by("one", request.clone())).await;
        assert_eq!(reply.status(), 200, "{}: {}", request.head(), reply.text());
    }
}

/// Waits until a kill costs nothing of who made what.
async fn until_kept(folder: &Folder, ids: &[&str]) {
    for _ in 0..1_000 {
        let store = Sqlite::open_to_read(folder.path().join("weir.db"));
        let found = store.and_then(|store| store.object_owners(0)).unwrap_or_default();
        if ids.iter().all(|id| found.iter().any(|owner| owner.id == *id)) {
            assert!(found.iter().all(|owner| owner.tenant.contains("one")), "{found:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is not kept who made what");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_reaches_another_clients_object_after_a_kill_or_a_stop() {
    let mut upstream = Upstream::scripted(provides).await;
    let (folder, config) = (Folder::with(&["openai"]), config(&upstream, ""));
    let first = Node::start(&folder, &config);
    make(&first).await;
    check(&first, &mut upstream).await;
    until_kept(&folder, &[FILE, RESPONSE, STREAMED, VECTORS]).await;
    drop(first);
    let second = Node::start(&folder, &config);
    check(&second, &mut upstream).await;
    second.program.stop();
    assert!(second.program.has_succeeded());
    check(&Node::start(&folder, &config), &mut upstream).await;
}

/// As in a restart that breaks no stream: the former process goes on with its requests.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_reaches_another_clients_object_through_the_process_that_takes_over_the_files() {
    let mut upstream = Upstream::scripted(provides).await;
    let (folder, config) = (Folder::with(&["openai"]), config(&upstream, ""));
    let first = Node::start(&folder, &config);
    let reply = ask(first.address, &by("one", upload("/v1/files"))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    until_kept(&folder, &[FILE]).await;
    let second = Node::start(&folder, &config);
    let read = Request::get(&format!("/v1/files/{FILE}"));
    assert_eq!(ask(second.address, &by("two", read.clone())).await.status(), 404, "{}", second.program.log());
    assert_eq!(ask(second.address, &by("one", read)).await.status(), 200);
    make(&first).await;
    until_refused(&second).await;
    check(&second, &mut upstream).await;
    first.program.stop();
    assert!(first.program.has_succeeded());
    check(&second, &mut upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_reaches_another_clients_object_through_another_node_of_the_database() {
    let Some(database) = Database::start() else { return };
    let mut upstream = Upstream::scripted(provides).await;
    let config = config(&upstream, &format!("[store]\nurl = \"{}\"\n", database.url()));
    let folders = [(); 3].map(|()| Folder::with(&["openai"]));
    let [one, other] = [0, 1].map(|at| Node::start(&folders[at], &config));
    make(&one).await;
    until_refused(&other).await;
    check(&other, &mut upstream).await;
    // A node that starts later knows them from its first request on.
    check(&Node::start(&folders[2], &config), &mut upstream).await;
    check(&one, &mut upstream).await;
}
