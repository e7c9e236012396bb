//! Answers that several nodes share through a real server, and what servers may do wrong.

use serde_json::json;
use weir_tests::{Answer, Folder, Gateway, Redis, Request, Upstream, log};

use super::semantic::ADMIN;
use super::{by, chat, client, keeping, provider, result};
use crate::wire_format::{ANTHROPIC, OPENAI};

const SECRET: &str = "a secret that all of these nodes have";

/// Models whose answers are kept for two clients, shared through this server. Requests wait for it for long, since this
/// machine may be busy.
fn settings(upstream: &Upstream, url: &str, more: &str) -> String {
    let clients = client("one", "") + &client("two", "");
    let admin = format!("[admin]\ntoken = \"{ADMIN}\"\n");
    let shared = format!("[cache]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\nwait = \"10s\"\n{more}\n");
    keeping(&[OPENAI, ANTHROPIC], upstream) + &clients + &admin + &shared
}

async fn node(settings: &str) -> Gateway {
    Gateway::with(Folder::with(&["openai", "anthropic"]), settings).await
}

async fn ask(gateway: &Gateway, who: &str, seed: u32) -> String {
    let reply = gateway.ask(&by(who, chat(&json!({"seed": seed})))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    result(&reply).unwrap_or_default().to_owned()
}

async fn written(gateway: &Gateway, answers: u32) {
    gateway.until_metric("weir_cache_server_requests_total{result=\"written\"}", f64::from(answers)).await;
}

pub(super) async fn remove(gateway: &Gateway, what: &str) -> u16 {
    let request = Request::new("DELETE", &format!("/admin/cache{what}"));
    gateway.ask(&request.bearer(ADMIN)).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_keeps_serves_the_others_of_the_same_caller_and_in_other_formats_also_after_restarts() {
    let Some(redis) = Redis::start() else { return };
    let mut upstream = provider().await;
    let settings = settings(&upstream, &redis.url(), "");
    let nodes = [node(&settings).await, node(&settings).await];
    let first = nodes[0].ask(&by("one", chat(&json!({})))).await;
    assert_eq!(result(&first), Some("miss"));
    written(&nodes[0], 2).await;
    let second = nodes[1].ask(&by("one", chat(&json!({})))).await;
    assert_eq!((result(&second), second.text()), (Some("hit"), first.text()));
    for name in ["content-type", "x-weir-cache-key"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    // Another caller's is another.
    assert_eq!(result(&nodes[1].ask(&by("two", chat(&json!({})))).await), Some("miss"));
    assert_eq!(upstream.count_unseen(), 2);
    let later = node(&settings).await;
    let other = json!({"model": "openai", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(result(&later.ask(&by("one", chat(&json!({"max_tokens": 64})))).await), Some("miss"));
    written(&later, 2).await;
    let request = Request::post("/v1/messages", other.to_string()).header("anthropic-version", "2023-06-01");
    let reply = nodes[0].ask(&by("one", request)).await;
    assert_eq!((reply.status(), result(&reply)), (200, Some("hit")), "{}", reply.text());
    assert_eq!(upstream.count_unseen(), 1);
    assert_eq!(ANTHROPIC.parsed(&reply, false).text, crate::wire_format::TEXT);
    // None of it can be read in the server.
    let names = redis.run(&["keys", "*:entry:*"]);
    assert!(names.lines().count() >= 6, "{names}");
    for name in names.lines() {
        let value = redis.run(&["--no-raw", "get", name]);
        assert!(value.contains("weir-answer-1") && !value.contains(crate::wire_format::TEXT), "{value}");
    }
    assert!(!log::text().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_on_one_node_is_removed_on_all() {
    let Some(redis) = Redis::start() else { return };
    let mut upstream = provider().await;
    let settings = settings(&upstream, &redis.url(), "");
    let nodes = [node(&settings).await, node(&settings).await];
    let mut wrote = 0;
    for (number, what) in ["?key=", "?model=openai", "?generation=0", ""].into_iter().enumerate() {
        let seed = number as u32;
        let request = by("one", chat(&json!({"seed": seed})));
        let filled = nodes[0].ask(&request).await;
        assert_eq!(result(&filled), Some("miss"), "{what}");
        wrote += 2;
        written(&nodes[0], wrote).await;
        assert_eq!(ask(&nodes[1], "one", seed).await, "hit", "{what}");
        let key = filled.header("x-weir-cache-key").unwrap();
        let what = what.replace("key=", &format!("key={key}"));
        assert_eq!(remove(&nodes[0], &what).await, 200, "{what}");
        wrote += 1;
        // The other node forgets what it has in memory.
        nodes[1].until_metric("weir_cache_entries", 0.0).await;
        assert_eq!(ask(&nodes[1], "one", seed).await, "miss", "{what}");
        assert_eq!(upstream.count_unseen(), 2, "{what}");
    }
    let shown = Request::new("GET", "/admin/v1/cache").header("authorization", &format!("Bearer {ADMIN}"));
    let shown = nodes[1].ask(&shown).await.json();
    assert_eq!(shown["generation"], 2, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_or_hangs_harms_no_request_and_comes_back() {
    let Some(redis) = Redis::start() else { return };
    let mut upstream = provider().await;
    // Requests do not wait for long here: the server will hang.
    let settings = settings(&upstream, &redis.url(), "prefix = \"away\"\n").replace("wait = \"10s\"", "wait = \"5ms\"");
    let gateway = node(&settings).await;
    let state = "weir_cache_server_state";
    assert_eq!(ask(&gateway, "one", 1).await, "miss");
    gateway.until_metric("weir_cache_entries", 2.0).await;
    for (number, stop, go) in
        [(2, Redis::kill as fn(&Redis), Redis::go as fn(&Redis)), (3, Redis::hang as fn(&Redis), Redis::wake)]
    {
        stop(&redis);
        gateway.until_metric(state, 1.0).await;
        assert_eq!(ask(&gateway, "one", number).await, "miss");
        gateway.until_metric("weir_cache_requests_total{result=\"miss\"}", f64::from(number)).await;
        assert_eq!(ask(&gateway, "one", 1).await, "hit", "memory serves on");
        assert_eq!(remove(&gateway, "?model=none").await, 503);
        go(&redis);
        gateway.until_metric(state, 0.0).await;
    }
    assert_eq!(upstream.count_unseen(), 3);
    let logged = |text: &str| log::text().lines().filter(|line| line.contains(text)).count();
    assert!(logged("goes by its own memory") >= 2 && logged("that keeps answers works again") >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lying_server_returns_is_a_miss_and_never_anothers_answer() {
    let Some(redis) = Redis::start() else { return };
    let mut upstream = provider().await;
    let settings = settings(&upstream, &redis.url(), "");
    let gateway = node(&settings).await;
    assert_eq!(ask(&gateway, "one", 1).await, "miss");
    written(&gateway, 2).await;
    let of_one: Vec<String> = redis.run(&["keys", "*:entry:*"]).lines().map(str::to_owned).collect();
    assert_eq!(ask(&gateway, "two", 1).await, "miss");
    written(&gateway, 4).await;
    let all = redis.run(&["keys", "*:entry:*"]);
    let of_two: Vec<&str> = all.lines().filter(|name| !of_one.iter().any(|own| own == name)).collect();
    assert_eq!((of_one.len(), of_two.len()), (2, 2));
    // Each place of the second caller gets one of the first caller's answers.
    for (from, to) in of_one.iter().zip(&of_two) {
        assert_eq!(redis.run(&["copy", from, to, "replace"]).trim(), "1");
    }
    upstream.count_unseen();
    let invalid = "weir_cache_server_requests_total{result=\"invalid\"}";
    let fresh = node(&settings).await;
    assert_eq!(ask(&fresh, "two", 1).await, "miss");
    assert_eq!(upstream.count_unseen(), 1);
    assert!(fresh.metric(invalid).await >= 1.0);
    for value in ["", "weir-answer-1", "no answer at all"] {
        for name in redis.run(&["keys", "*:entry:*"]).lines() {
            redis.run(&["set", name, value]);
        }
        let fresh = node(&settings).await;
        assert_eq!(ask(&fresh, "one", 1).await, "miss", "{value:?}");
        assert!(fresh.metric(invalid).await >= 1.0, "{value:?}");
        written(&fresh, 2).await;
    }
    // More than any answer has: the connection ends before it is read.
    for name in redis.run(&["keys", "*:entry:*"]).lines() {
        redis.run(&["setrange", name, "9000000", "x"]);
    }
    let fresh = node(&settings).await;
    assert_eq!(ask(&fresh, "one", 1).await, "miss");
    fresh.until_metric("weir_cache_server_requests_total{result=\"failed\"}", 1.0).await;
    // A node with another secret shares nothing, and breaks nothing.
    let stranger = node(&settings.replace(SECRET, "another secret of at least this length")).await;
    assert_eq!(ask(&stranger, "one", 1).await, "miss");
}

/// What a server says to whatever it is asked.
const LIES: [(&str, &[u8]); 7] = [
    ("silent", b""),
    ("loading", b"-LOADING the dataset is loading\r\n"),
    ("replica", b"-READONLY You can't write against a read only replica.\r\n"),
    ("fine", b"+OK\r\n"),
    ("many", b"*1000000000\r\n"),
    ("long", b"$1000000000\r\n"),
    ("no protocol", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_a_server_keeps_requests_from_being_served() {
    let mut upstream = provider().await;
    for (name, lie) in LIES {
        let port = crate::shared::lies::liar(lie).await;
        let gateway = node(&settings(&upstream, &format!("redis://127.0.0.1:{port}"), "")).await;
        for expected in ["miss", "hit"] {
            assert_eq!(ask(&gateway, "one", 1).await, expected, "{name}");
            gateway.until_metric("weir_cache_entries", 2.0).await;
        }
        assert_eq!(gateway.metric("weir_cache_server_state").await, 1.0, "{name}");
        assert_eq!(upstream.count_unseen(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_asked_for_before_a_removal_on_another_node_does_not_come_back() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider().await;
    let settings = settings(&upstream, &redis.url(), "");
    let nodes = [node(&settings).await, node(&settings).await];
    let gate = weir_tests::Gate::default();
    upstream.now(Answer::begin(200, &[("content-type", "application/json")]).gate(&gate).piece(OPENAI.whole()).end());
    let mut client = nodes[0].connect().await;
    client.send(&by("one", chat(&json!({"seed": 9})))).await;
    nodes[0].until_metric("weir_upstream_attempts_total", 1.0).await;
    assert_eq!(remove(&nodes[1], "?model=openai").await, 200);
    gate.open();
    assert_eq!(result(&client.reply().await), Some("miss"));
    written(&nodes[0], 2).await;
    upstream.now(Answer::json(200, OPENAI.whole()));
    assert_eq!(ask(&nodes[1], "one", 9).await, "miss");
}
