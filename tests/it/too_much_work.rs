//! A client that begins batches without end: beyond what can be kept until it is booked, none is begun, by whichever
//! way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use weir_tests::clients::by;
use weir_tests::{Answer, Client, Folder, Gateway, Received, Reply, Request, Upstream};

use crate::batches::{PRICES, config};

/// How many batches of one client may wait to be booked.
const OF_CLIENT: usize = 4_096;
/// The batch that is done, and what it costs, in dollars: a thousand tokens at a tenth of a dollar.
const DONE: &str = "batch_0123456789abcdef7";
const DOLLARS: f64 = 100.0;
/// The ways to begin one.
const WAYS: [&str; 2] = ["/v1/batches", "/passthrough/openai/batches"];

/// A provider whose batches have ids of their own, and the number of those that were begun.
async fn provider() -> (Upstream, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let upstream = Upstream::scripted(move |request: &Received| {
        let line = request.line();
        let is_new = line.starts_with("POST /base/batches");
        let id = if is_new {
            format!("batch_0123456789abcdef{}", count.fetch_add(1, Ordering::SeqCst))
        } else {
            line.split(['/', ' ']).find(|part| part.starts_with("batch_")).unwrap_or_default().to_owned()
        };
        let mut batch = json!({"id": id, "object": "batch", "endpoint": "/v1/chat/completions", "status": "in_progress",
            "model": null, "usage": null});
        if !is_new && id == DONE {
            batch["status"] = "completed".into();
            batch["model"] = "gpt-x".into();
            batch["usage"] = json!({"input_tokens": 900, "output_tokens": 100, "total_tokens": 1000});
        }
        Answer::json(200, batch.to_string())
    })
    .await;
    (upstream, begun)
}

fn begin(client: &str, way: &str) -> Request {
    by(client, Request::post(way, r#"{"input_file_id":"file-0123456789abcdef"}"#))
}

fn read(client: &str, id: &str) -> Request {
    by(client, Request::get(&format!("/v1/batches/{id}")))
}

/// Begins so many batches of a client, one after the other on one connection, by each way in turn. Their ids.
async fn begin_many(mut connection: Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        connection.send(&begin("two", WAYS[number % WAYS.len()])).await;
        let reply = connection.reply().await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        ids.push(reply.json()["id"].as_str().unwrap().to_owned());
    }
    ids
}

fn expect_refused(reply: &Reply, way: &str) {
    assert_eq!(reply.status(), 429, "{way}: {}", reply.text());
    let error: Value = reply.json()["error"].clone();
    assert_eq!(error["code"], "too_much_work", "{way}: {error}");
    assert!(error["message"].as_str().unwrap().contains("wait until some of them are finished"), "{way}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_batches_are_begun_than_can_be_booked_and_none_of_them_is_forgotten() {
    let (upstream, begun) = provider().await;
    let folder = Folder::with(&["openai"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    let gateway = Gateway::with(folder, &config(&upstream, "")).await;

    let mut beginners = Vec::new();
    for _ in 0..8 {
        beginners.push(tokio::spawn(begin_many(gateway.connect().await, OF_CLIENT / 8)));
    }
    let mut ids = BTreeSet::new();
    for beginner in beginners {
        ids.extend(beginner.await.unwrap());
    }
    assert_eq!(ids.len(), OF_CLIENT);

    for way in WAYS {
        expect_refused(&gateway.ask(&begin("two", way)).await, way);
    }
    assert_eq!(begun.load(Ordering::SeqCst), OF_CLIENT, "what is refused reaches no provider");
    let reply = gateway.ask(&read("two", "batch_0123456789abcdef0")).await;
    assert_eq!(reply.status(), 200, "it may be read: {}", reply.text());
    let reply = gateway.ask(&begin("one", WAYS[0])).await;
    assert_eq!(reply.status(), 200, "another client's are not its: {}", reply.text());

    // One that is done makes room for one, at its price.
    let reply = gateway.ask(&read("two", DONE)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    gateway.until_metric("weir_budget_used{budget=\"other\"}", DOLLARS).await;
    assert_eq!(gateway.ask(&begin("two", WAYS[1])).await.status(), 200);
    expect_refused(&gateway.ask(&begin("two", WAYS[0])).await, WAYS[0]);
}
