//! What a client has its provider remove: work and answers that are not booked yet are read and booked before, or stay
//! where they are. Otherwise nobody would know what they cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use serde_json::Value;
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream, clients};

use crate::{batch_operations, batch_results, batches};

/// Three kinds of work, each with the provider's way to it and a client's ways to remove it.
const OPENAI: &str = "/passthrough/openai/batches/batch_0123456789abcdef";
const ANTHROPIC: &str = "/passthrough/anthropic/messages/batches/msgbatch_0123456789abcdef";
const GEMINI: &str = batch_operations::PASSED;
const FILE: &str = "/passthrough/gemini/files/batch-b0123456789abcdef";

async fn open(adapter: &str, prices: &str, config: &str) -> Gateway {
    let folder = Folder::with(&[adapter]);
    std::fs::write(folder.path().join("prices.json"), prices).unwrap();
    Gateway::with(folder, config).await
}

fn by(client: &str, request: Request) -> Request {
    clients::by(client, request).header("anthropic-version", "2023-06-01")
}

async fn make(gateway: &Gateway, request: Request) {
    let reply = gateway.ask(&by("one", request)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

async fn status(gateway: &Gateway, client: &str, request: Request) -> u16 {
    gateway.ask(&by(client, request)).await.status()
}

fn delete(path: &str) -> Request {
    Request::new("DELETE", path)
}

/// Has something removed, and expects that it is refused since it cannot be booked yet.
async fn expect_kept(gateway: &Gateway, upstream: &mut Upstream, request: Request) {
    let what = request.head();
    while upstream.unseen().is_some() {}
    let reply = gateway.ask(&by("one", request)).await;
    assert_eq!(reply.status(), 409, "{what}: {}", reply.text());
    let error: Value = reply.json();
    assert_eq!(error["error"]["code"], "not_booked_yet", "{what}: {error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("cancel it, or delete it later"), "{error}");
    while let Some(sent) = upstream.unseen() {
        assert!(sent.line().starts_with("GET "), "{what}: {} was sent", sent.line());
    }
}

/// Has something removed, and returns what the provider was asked for.
async fn removed(gateway: &Gateway, upstream: &mut Upstream, request: Request) -> Vec<String> {
    let what = request.head();
    while upstream.unseen().is_some() {}
    let reply = gateway.ask(&by("one", request)).await;
    assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
    let mut lines = Vec::new();
    while let Some(sent) = upstream.unseen() {
        lines.push(sent.line().to_owned());
    }
    lines
}

async fn expect_spent(gateway: &Gateway, dollars: f64) {
    gateway.until_metric("weir_budget_used{budget=\"money\"}", dollars).await;
    assert_eq!(gateway.budget_used("other").await, 0.0);
}

/// What nobody else's request removes, and its own does not before it is booked; afterwards no read precedes it.
async fn check(gateway: &Gateway, upstream: &mut Upstream, work: &str, dollars: f64, finish: impl Fn()) {
    let reserved = gateway.budget_used("money").await;
    expect_kept(gateway, upstream, delete(work)).await;
    expect_kept(gateway, upstream, delete(&format!("{work}/"))).await;
    expect_kept(gateway, upstream, Request::post(&format!("{work}:remove"), "{}")).await;
    assert_eq!(gateway.budget_used("money").await, reserved);
    finish();
    assert_eq!(status(gateway, "two", delete(work)).await, 404);
    while let Some(sent) = upstream.unseen() {
        assert!(!sent.line().starts_with("DELETE"), "another client's request was sent");
    }
    let lines = removed(gateway, upstream, delete(work)).await;
    let (last, reads) = lines.split_last().unwrap();
    assert!(last.starts_with("DELETE ") && !reads.is_empty(), "{lines:?}");
    assert!(reads.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
    expect_spent(gateway, dollars).await;
    assert_eq!(removed(gateway, upstream, delete(work)).await, [last.as_str()], "booked work is not read again");
    expect_spent(gateway, dollars).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_booked_before_its_client_removes_it() {
    for create in ["/v1/batches", "/passthrough/openai/batches"] {
        let is_done = Arc::new(AtomicBool::new(false));
        let mut upstream = batches::provider(&is_done).await;
        let gateway = open("openai", batches::PRICES, &batches::config(&upstream, "")).await;
        make(&gateway, Request::post(create, r#"{"input_file_id":"file-0123456789abcdef"}"#)).await;
        assert_eq!(
            status(&gateway, "one", Request::post(&format!("{OPENAI}/cancel"), "")).await,
            200,
            "it may cancel it"
        );
        check(&gateway, &mut upstream, OPENAI, batches::DOLLARS, || is_done.store(true, Ordering::SeqCst)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_results_tell_what_it_used_is_booked_before_its_client_removes_it() {
    for create in ["/v1/messages/batches", "/passthrough/anthropic/messages/batches"] {
        let state = Arc::new(AtomicU8::new(batch_results::UNDER_WAY));
        let mut upstream = batch_results::provider(&state).await;
        let gateway = open("anthropic", batch_results::PRICES, &batch_results::config(&upstream, "")).await;
        make(&gateway, batch_results::create(create)).await;
        state.store(batch_results::BREAKS_OFF, Ordering::SeqCst);
        expect_kept(&gateway, &mut upstream, delete(ANTHROPIC)).await;
        state.store(batch_results::UNDER_WAY, Ordering::SeqCst);
        let finish = || state.store(batch_results::DONE, Ordering::SeqCst);
        check(&gateway, &mut upstream, ANTHROPIC, batch_results::DOLLARS, finish).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_an_operation_is_booked_before_its_client_removes_it() {
    for create in [batch_operations::CREATE, batch_operations::CREATE_PASSED] {
        let state = Arc::new(AtomicU8::new(batch_operations::UNDER_WAY));
        let mut upstream = batch_operations::provider(&state).await;
        let gateway = open("gemini", batch_operations::PRICES, &batch_operations::config(&upstream, "")).await;
        make(&gateway, batch_operations::create(create)).await;
        let changed = Request::new("PATCH", &format!("{GEMINI}:updateGenerateContentBatch")).body("{}");
        expect_kept(&gateway, &mut upstream, changed).await;
        let finish = || state.store(batch_operations::IN_FILE, Ordering::SeqCst);
        check(&gateway, &mut upstream, GEMINI, batch_operations::DOLLARS, finish).await;
    }
}

/// The file's id was in no answer that its client or Weir has read, and can be guessed.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_results_is_read_and_booked_before_it_is_removed() {
    let state = Arc::new(AtomicU8::new(batch_operations::UNDER_WAY));
    let mut upstream = batch_operations::provider(&state).await;
    let gateway = open("gemini", batch_operations::PRICES, &batch_operations::config(&upstream, "")).await;
    make(&gateway, batch_operations::create(batch_operations::CREATE)).await;
    let lines = removed(&gateway, &mut upstream, delete("/passthrough/gemini/files/another-0123456789")).await;
    assert_eq!(lines.len(), 2, "work under way has no results: {lines:?}");
    state.store(batch_operations::BREAKS_OFF, Ordering::SeqCst);
    for path in [FILE, GEMINI] {
        expect_kept(&gateway, &mut upstream, delete(path)).await;
    }
    state.store(batch_operations::IN_FILE, Ordering::SeqCst);
    assert_eq!(status(&gateway, "two", delete(FILE)).await, 404);
    let lines = removed(&gateway, &mut upstream, delete(FILE)).await;
    assert_eq!(lines.last().unwrap(), "DELETE /base/files/batch-b0123456789abcdef", "{lines:?}");
    expect_spent(&gateway, batch_operations::DOLLARS).await;
    assert_eq!(removed(&gateway, &mut upstream, delete(FILE)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_removes_the_results_of_another_clients_work_before_they_are_booked() {
    let state = Arc::new(AtomicU8::new(batch_operations::IN_FILE));
    let mut upstream = batch_operations::provider(&state).await;
    let gateway = open("gemini", batch_operations::PRICES, &batch_operations::config(&upstream, "")).await;
    make(&gateway, batch_operations::create(batch_operations::CREATE)).await;
    assert_eq!(status(&gateway, "two", delete(FILE)).await, 404);
    while let Some(sent) = upstream.unseen() {
        assert!(!sent.line().starts_with("DELETE"));
    }
    // It was read for that, and is its creator's use all the same.
    expect_spent(&gateway, batch_operations::DOLLARS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_while_the_provider_does_not_let_it_be_read() {
    let is_well = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&is_well);
    let state = Arc::new(AtomicU8::new(batch_operations::UNDER_WAY));
    let inner = Arc::clone(&state);
    let mut upstream = Upstream::scripted(move |request: &Received| {
        if request.line().starts_with("GET") && !own.load(Ordering::SeqCst) {
            return Answer::json(500, r#"{"error":{"code":500,"message":"no","status":"INTERNAL"}}"#);
        }
        batch_operations::answer(request.line(), inner.load(Ordering::SeqCst))
    })
    .await;
    let gateway = open("gemini", batch_operations::PRICES, &batch_operations::config(&upstream, "")).await;
    let other = "/passthrough/gemini/files/another-0123456789";
    assert_eq!(removed(&gateway, &mut upstream, delete(other)).await.len(), 1, "nothing is to be booked");
    make(&gateway, batch_operations::create(batch_operations::CREATE)).await;
    for path in [GEMINI, FILE, other] {
        expect_kept(&gateway, &mut upstream, delete(path)).await;
    }
    is_well.store(true, Ordering::SeqCst);
    assert_eq!(removed(&gateway, &mut upstream, delete(other)).await.len(), 2);
    state.store(batch_operations::IN_FILE, Ordering::SeqCst);
    assert!(removed(&gateway, &mut upstream, delete(GEMINI)).await.len() > 1);
    expect_spent(&gateway, batch_operations::DOLLARS).await;
}
