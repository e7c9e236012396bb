//! Questions that several nodes know through a real server: what one was asked serves questions that mean the same on
//! another, for the same caller only, whatever the server does.

use serde_json::json;
use weir_tests::{Answer, Gate, Gateway, Redis, Reply, Request, Upstream};

use super::nodes::remove;
use super::semantic::{ADMIN, ask, kept, lookups, provider, question, requests, settings};
use super::{by, result};
use crate::wire_format::OPENAI;

const SECRET: &str = "a secret that all of these nodes have";
const INVALID: &str = "weir_cache_server_requests_total{result=\"invalid\"}";

/// A configuration whose answers and questions are shared through this server. Requests wait for it for long, since
/// this machine may be busy.
fn sharing(upstream: &Upstream, url: &str, more: &str) -> String {
    let shared = format!("[cache]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\nwait = \"10s\"\n");
    settings(upstream, more) + &shared
}

/// Waits until the server has taken so many answers, questions and verdicts: an answer in two forms, and its question.
async fn written(gateway: &Gateway, count: u32) {
    gateway.until_metric("weir_cache_server_requests_total{result=\"written\"}", f64::from(count)).await;
}

async fn call_wrong(gateway: &Gateway, key: &str) -> Reply {
    let body = json!({"key": key, "verdict": "wrong"}).to_string();
    let request = Request::post("/admin/v1/cache/feedback", body);
    gateway.ask(&request.header("authorization", &format!("Bearer {ADMIN}"))).await
}

/// The streams of questions that the server has.
fn streams(redis: &Redis) -> Vec<String> {
    redis.run(&["keys", "*:questions:*"]).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_was_asked_answers_similar_questions_on_others_also_after_restarts() {
    let Some(redis) = Redis::start() else { return };
    let mut upstream = provider().await;
    let config = sharing(&upstream, &redis.url(), "");
    let nodes = [Gateway::open(&config).await, Gateway::open(&config).await];
    assert_eq!(result(&ask(&nodes[0], "one", "How do I enable 2FA?").await), Some("miss"));
    written(&nodes[0], 3).await;
    let same = ask(&nodes[1], "one", "Hello, how can I enable 2FA, please?").await;
    assert_eq!((result(&same), same.header("x-weir-cache-similarity")), (Some("semantic"), Some("1.0000")));
    // The gate and the threshold are this node's: the vectors are the same, or not near enough.
    for other in ["How do I disable 2FA?", "How is the weather?"] {
        assert_eq!(result(&ask(&nodes[1], "one", other).await), Some("miss"), "{other}");
    }
    assert_eq!((lookups(&nodes[1], "hit").await, lookups(&nodes[1], "near").await), (1.0, 1.0));
    // What the second node learned and was asked, the first one knows too; and so does one that begins later.
    written(&nodes[1], 6).await;
    assert_eq!(result(&ask(&nodes[0], "one", "How to disable 2FA?").await), Some("semantic"));
    kept(&nodes[0], 3).await;
    let later = Gateway::open(&config).await;
    let stream = later.ask(&by("one", question("How to disable 2FA", &json!({"stream": true})))).await;
    assert_eq!(result(&stream), Some("semantic"), "{}", stream.text());
    requests(&mut upstream);
    // Another caller, and another conversation, know nothing of it.
    assert_eq!(result(&ask(&later, "two", "How to enable 2FA?").await), Some("miss"));
    let other = later.ask(&by("one", question("How to enable 2FA?", &json!({"temperature": 0.5})))).await;
    assert_eq!(result(&other), Some("miss"));
    assert_eq!(requests(&mut upstream), (2, 2));
    // None of it can be read in the server.
    written(&later, 6).await;
    assert_eq!(streams(&redis).len(), 3);
    for stream in streams(&redis) {
        let value = redis.run(&["--no-raw", "xrange", &stream, "-", "+"]);
        assert!(value.contains("weir-question-1") && !value.contains("2FA"), "{value}");
        assert!(redis.run(&["pttl", &stream]).trim().parse::<i64>().unwrap() > 0, "it ends by itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_called_wrong_on_one_node_is_not_given_by_any() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider().await;
    let config = sharing(&upstream, &redis.url(), "");
    let nodes = [Gateway::open(&config).await, Gateway::open(&config).await];
    let later = Gateway::open(&config).await;
    let mut wrong = String::new();
    // The second node has the question in memory, the first one too, and the third gets it from the server.
    for (number, asked) in (2_u32..).zip([&nodes[1], &nodes[0], &later]) {
        ask(&nodes[0], "one", &format!("How do I enable {number}FA?")).await;
        written(&nodes[0], 3 + 4 * (number - 2) + u32::from(number > 3) * 3).await;
        let given = ask(&nodes[1], "one", &format!("How to enable {number}FA?")).await;
        assert_eq!(result(&given), Some("semantic"), "{number}");
        wrong = given.header("x-weir-cache-key").unwrap().to_owned();
        let reply = call_wrong(&nodes[0], &wrong).await;
        assert_eq!((reply.status(), reply.json()), (200, json!({"removed": true})));
        let reply = ask(asked, "one", &format!("How can I enable {number}FA?")).await;
        assert_eq!(result(&reply), Some("miss"), "{number}");
    }
    // While the server is away, a verdict is this node's own.
    redis.kill();
    nodes[0].until_metric("weir_cache_server_state", 1.0).await;
    assert_eq!(call_wrong(&nodes[0], &wrong).await.status(), 503);
    redis.go();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_on_one_node_answers_no_question_on_any_and_does_not_come_back() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider().await;
    let config = sharing(&upstream, &redis.url(), "");
    let nodes = [Gateway::open(&config).await, Gateway::open(&config).await];
    let mut wrote = 0;
    for (number, what) in ["?key=", "?model=openai", "?generation=0", ""].into_iter().enumerate() {
        let filled = ask(&nodes[0], "one", &format!("How do I enable {number}FA?")).await;
        assert_eq!(result(&filled), Some("miss"), "{what}");
        wrote += 3;
        written(&nodes[0], wrote).await;
        let similar = format!("How to enable {number}FA?");
        assert_eq!(result(&ask(&nodes[1], "one", &similar).await), Some("semantic"), "{what}");
        let what = what.replace("key=", &format!("key={}", filled.header("x-weir-cache-key").unwrap()));
        assert_eq!(remove(&nodes[0], &what).await, 200, "{what}");
        wrote += 1;
        kept(&nodes[0], 0).await;
        kept(&nodes[1], 0).await;
        assert_eq!(result(&ask(&nodes[1], "one", &similar).await), Some("miss"), "{what}");
    }
    // One that is under way while the other node removes.
    let gate = Gate::default();
    let slow = Answer::begin(200, &[("content-type", "application/json")]).gate(&gate).piece(OPENAI.whole()).end();
    let upstream = Upstream::scripted(move |request| {
        let vector = || Answer::json(200, r#"{"data":[{"index":0,"embedding":[1.0,0.0]}]}"#);
        if request.line().contains("/embeddings") { vector() } else { slow.clone() }
    })
    .await;
    let config = sharing(&upstream, &redis.url(), "");
    let nodes = [Gateway::open(&config).await, Gateway::open(&config).await];
    let mut client = nodes[0].connect().await;
    client.send(&by("one", question("How do I enable 2FA?", &json!({})))).await;
    nodes[0].until_metric("weir_upstream_attempts_total", 2.0).await;
    assert_eq!(remove(&nodes[1], "?model=openai").await, 200);
    // For this one and the next.
    (0..2).for_each(|_| gate.open());
    assert_eq!(result(&client.reply().await), Some("miss"));
    written(&nodes[0], 3).await;
    assert_eq!(result(&ask(&nodes[1], "one", "How to enable 2FA?").await), Some("miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lying_server_says_of_questions_is_a_miss_and_never_anothers_answer() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider().await;
    // Without the gate, any question of a caller would get any answer of that caller.
    let config = sharing(&upstream, &redis.url(), ", token_gate = false");
    let node = Gateway::open(&config).await;
    ask(&node, "one", "How do I enable 2FA?").await;
    written(&node, 3).await;
    let of_one = streams(&redis);
    ask(&node, "two", "What is the bank's account?").await;
    written(&node, 6).await;
    let of_two: Vec<_> = streams(&redis).into_iter().filter(|name| !of_one.contains(name)).collect();
    assert_eq!((of_one.len(), of_two.len()), (1, 1));
    // The questions of the first caller in the place of those of the second.
    redis.run(&["copy", &of_one[0], &of_two[0], "replace"]);
    let fresh = Gateway::open(&config).await;
    assert_eq!(result(&ask(&fresh, "two", "Which account has the bank?").await), Some("miss"));
    assert!(fresh.metric(INVALID).await >= 1.0);
    // Nonsense in the midst of it, another kind of value, and more than any question has.
    redis.run(&["xadd", &of_one[0], "*", "q", "no question"]);
    redis.run(&["xadd", &of_one[0], "*", "q", "weir-question-1"]);
    let fresh = Gateway::open(&config).await;
    assert_eq!(result(&ask(&fresh, "one", "How do I turn on 2FA?").await), Some("semantic"), "the true one is found");
    assert_eq!(fresh.metric(INVALID).await, 2.0);
    redis.run(&["set", &of_one[0], "no stream"]);
    let fresh = Gateway::open(&config).await;
    assert_eq!(result(&ask(&fresh, "one", "How do I turn on 2FA?").await), Some("miss"));
    assert_eq!(fresh.metric("weir_cache_server_state").await, 0.0, "it still has answers");
    assert_eq!(result(&ask(&fresh, "one", "How do I enable 2FA?").await), Some("hit"));
    redis.run(&["del", &of_one[0]]);
    redis.run(&["eval", "redis.call('xadd', KEYS[1], '*', 'q', string.rep('x', 9000000))", "1", &of_one[0]]);
    let fresh = Gateway::open(&config).await;
    assert_eq!(result(&ask(&fresh, "one", "How can I turn on 2FA?").await), Some("miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_hangs_or_takes_no_questions_harms_no_request() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider().await;
    let config = sharing(&upstream, &redis.url(), "").replace("wait = \"10s\"", "wait = \"5ms\"");
    let node = Gateway::open(&config).await;
    ask(&node, "one", "How do I enable 2FA?").await;
    kept(&node, 1).await;
    let state = "weir_cache_server_state";
    for (stop, go) in [(Redis::kill as fn(&Redis), Redis::go as fn(&Redis)), (Redis::hang as fn(&Redis), Redis::wake)] {
        stop(&redis);
        node.until_metric(state, 1.0).await;
        assert_eq!(result(&ask(&node, "one", "How to enable 2FA?").await), Some("semantic"), "memory serves on");
        ask(&node, "one", "How do I disable 2FA?").await;
        go(&redis);
        node.until_metric(state, 0.0).await;
    }
    // A user who may not use streams: answers are shared as ever, and each node has its own questions.
    redis.run(&["acl", "setuser", "plain", "on", ">a-password", "~*", "+@all", "-xadd", "-xrange"]);
    let url = redis.url().replace("redis://", "redis://plain:a-password@");
    let config = sharing(&upstream, &url, "");
    let nodes = [Gateway::open(&config).await, Gateway::open(&config).await];
    ask(&nodes[0], "two", "How do I enable 2FA?").await;
    kept(&nodes[0], 1).await;
    written(&nodes[0], 2).await;
    assert_eq!(result(&ask(&nodes[0], "two", "How to enable 2FA?").await), Some("semantic"));
    assert_eq!(result(&ask(&nodes[1], "two", "How to enable 2FA?").await), Some("miss"));
    assert_eq!(result(&ask(&nodes[1], "two", "How do I enable 2FA?").await), Some("hit"));
    for node in &nodes {
        assert_eq!(node.metric(state).await, 0.0);
    }
    assert!(weir_tests::log::text().contains("takes no questions"), "it is logged");
}
