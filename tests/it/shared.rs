//! Limits and budgets that several nodes share through a real server.

mod apart;
mod doors;
pub(crate) mod lies;
mod nodes;

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use weir_tests::{Folder, Gateway, Redis, Reply, Request, Upstream, soon};

use crate::wire_format::{OPENAI, config_of, provider};

/// The tokens of every answer.
const TOKENS: u64 = 17;
const KEY: &str = "weir-key-of-the-team-01";

/// One client with these limits, one set of budgets, and the server between the nodes. Requests wait for it for long,
/// since this machine may be busy.
fn settings(upstream: &Upstream, redis: &Redis, limits: &str, budgets: &str) -> String {
    let client = format!("[[clients]]\nname = \"team\"\nkey = \"{KEY}\"\nlimits = {{ {limits} }}\n");
    let shared = format!("[shared]\nurl = \"{}\"\nwait = \"10s\"\n", redis.url());
    format!("{}{client}{budgets}{shared}", config_of(&[OPENAI], upstream))
}

async fn node(settings: &str) -> Arc<Gateway> {
    Arc::new(Gateway::with(Folder::with(&["openai"]), settings).await)
}

async fn ask(gateway: &Gateway) -> Reply {
    gateway.ask(&OPENAI.request("openai", false).header("authorization", &format!("Bearer {KEY}"))).await
}

/// Sends requests to the nodes in turn, so many at the same time; returns how many were served. All others are a 429.
async fn served(nodes: &[Arc<Gateway>], requests: usize) -> usize {
    let tasks: Vec<_> = (0..requests)
        .map(|number| {
            let node = Arc::clone(&nodes[number % nodes.len()]);
            tokio::spawn(async move { ask(&node).await })
        })
        .collect();
    let mut served = 0;
    for task in tasks {
        let reply = task.await.unwrap();
        assert!(matches!(reply.status(), 200 | 429), "{} {}", reply.status(), reply.text());
        served += usize::from(reply.status() == 200);
    }
    served
}

fn budget(text: &str) -> String {
    format!("[[budgets]]\nname = \"all\"\nfor = \"all\"\nper = \"total\"\n{text}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_serve_as_many_requests_as_one_limit_or_budget_allows() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "requests_per_minute = 6000", &budget("requests = 12"));
    let nodes = [node(&settings).await, node(&settings).await];
    assert_eq!(served(&nodes, 40).await, 12, "the budget allows twelve");
    for gateway in &nodes {
        let refused = ask(gateway).await;
        assert_eq!(refused.status(), 429);
        assert!(refused.text().contains("12 requests of 12 requests"), "{}", refused.text());
        assert_eq!(gateway.metric("weir_shared_state").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_budget_of_which_the_server_tells_nothing_leaves_all_others_shared() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let large = "[[budgets]]\nname = \"large\"\nfor = \"all\"\nper = \"total\"\nusd = \"9223372036.854775807\"\n\
                 unpriced = \"allow\"\n";
    let lost = "[[budgets]]\nname = \"lost\"\nfor = { model = \"openai-t\" }\nper = \"total\"\nrequests = 1000\n";
    let budgets = [&*budget("requests = 13"), large, lost].concat();
    let settings = settings(&upstream, &redis, "", &budgets);
    let nodes = [node(&settings).await, node(&settings).await];
    let translated = OPENAI.request(&OPENAI.translated(), false).header("authorization", &format!("Bearer {KEY}"));
    assert_eq!(nodes[0].ask(&translated).await.status(), 200);
    // Somebody writes over the data of one budget.
    let pool = redis.run(&["--scan", "--pattern", "*{lost}*"]).trim().to_owned();
    assert_eq!(redis.run(&["set", &pool, "a word"]).trim(), "OK", "{pool}");
    assert_eq!(nodes[1].ask(&translated).await.status(), 429, "nothing is known of its use");
    // The share that the refused request had of the other budget returns with one of the next rounds.
    let mut all = 0;
    for _ in 0..50 {
        all += served(&nodes, 40).await;
        if all >= 12 {
            break;
        }
    }
    assert_eq!((all, served(&nodes, 40).await), (12, 0));
    for gateway in &nodes {
        assert_eq!(gateway.metric("weir_shared_state").await, 0.0);
        assert_eq!(gateway.metric("weir_shared_rounds_total{result=\"failed\"}").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_requests_at_once_through_three_nodes_ten_are_served_where_a_budget_has_room_for_ten() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "", &budget("requests = 10"));
    let nodes = [node(&settings).await, node(&settings).await, node(&settings).await];
    assert_eq!(served(&nodes, 200).await, 10);
    assert_eq!(served(&nodes, 30).await, 0, "none comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_begins_again_with_an_old_snapshot_gives_no_use_back() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "", &budget("requests = 100"));
    let nodes = [node(&settings).await, node(&settings).await];
    let before = served(&nodes, 30).await;
    assert_eq!(redis.run(&["save"]).trim(), "OK");
    let since = served(&nodes, 40).await;
    assert_eq!((before, since), (30, 40));
    redis.kill();
    for gateway in &nodes {
        gateway.until_metric("weir_shared_state", 1.0).await;
    }
    // Of the forty requests since its snapshot, the server knows nothing.
    redis.go();
    for gateway in &nodes {
        gateway.until_metric("weir_shared_state", 0.0).await;
    }
    assert_eq!(served(&nodes, 200).await, 30);
    assert_eq!(served(&nodes, 20).await, 0);
}

/// Waits for the next rounds of a node's reports; how many reports these have had besides the two of its presence.
async fn reports(gateway: &Gateway, rounds: u32) -> f64 {
    const ROUNDS: &str = "weir_shared_rounds_total{result=\"answered\"}";
    let counts = async || (gateway.metric(ROUNDS).await, gateway.metric("weir_shared_reports_total").await);
    let (begun, before) = counts().await;
    let reached = async {
        loop {
            let (now, after) = counts().await;
            if now >= begun + f64::from(rounds) {
                return after - before - 2.0 * (now - begun);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon("its reports", reached).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_begins_again_with_an_old_snapshot_hears_of_budgets_that_are_not_in_use() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "", &budget("requests = 100"));
    let nodes = [node(&settings).await, node(&settings).await];
    let [idle, other] = &nodes;
    assert_eq!(served(&nodes[..1], 10).await, 10);
    assert_eq!(redis.run(&["save"]).trim(), "OK");
    assert_eq!(served(&nodes[..1], 50).await, 50);
    while reports(idle, 6).await > 0.0 {}
    redis.kill();
    for gateway in &nodes {
        gateway.until_metric("weir_shared_state", 1.0).await;
    }
    redis.go();
    for gateway in &nodes {
        gateway.until_metric("weir_shared_state", 0.0).await;
    }
    reports(idle, 2).await;
    assert_eq!(served(&[Arc::clone(other)], 200).await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_other_adapters_is_seen_and_not_ready_where_that_is_required() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "", "") + "require_same_adapters = true\n";
    let nodes = [node(&settings).await, node(&settings).await];
    for gateway in &nodes {
        gateway.until_metric("weir_shared_nodes_alike", 2.0).await;
        assert_eq!(gateway.get("/ready").await.json()["status"], "ready");
    }
    let other = Gateway::with(Folder::with(&["openai", "anthropic"]), &settings).await;
    for gateway in &nodes {
        gateway.until_metric("weir_shared_nodes", 3.0).await;
        let ready = gateway.get("/ready").await;
        assert_eq!((ready.status(), &ready.json()["status"]), (200, &json!("degraded")), "{}", ready.text());
        assert_eq!(ready.json()["shared"], json!({"state": "working", "nodes": 3, "same_adapters": 2}));
    }
    other.until_metric("weir_shared_nodes", 3.0).await;
    let ready = other.get("/ready").await;
    assert_eq!((ready.status(), &ready.json()["shared"]["same_adapters"]), (503, &json!(1)), "{}", ready.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_requests_holds_over_two_nodes_and_refills_for_both() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "requests_per_minute = 10", "");
    let nodes = [node(&settings).await, node(&settings).await];
    let begun = Instant::now();
    let served = served(&nodes, 40).await;
    // One comes back every six seconds.
    let most = 10 + begun.elapsed().as_secs() as usize / 6 + 1;
    assert!((10..=most).contains(&served), "{served} were served");
    let refused = ask(&nodes[0]).await;
    let wait: u64 = refused.header("retry-after").map_or(0, |wait| wait.parse().unwrap());
    assert!(refused.status() == 200 || (1..=6).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_nodes_used_is_reported_by_each_and_survives_restarts_once() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "", &budget("tokens = 1000000"));
    let files = [(); 2].map(|()| Folder::with(&["openai"]));
    for folder in &files {
        std::fs::write(folder.path().join("weir.toml"), &settings).unwrap();
    }
    let mut nodes = Vec::new();
    for folder in files {
        nodes.push(Arc::new(Gateway::with(folder, &settings).await));
    }
    assert_eq!(served(&nodes, 20).await, 20);
    let expected = (20 * TOKENS) as f64;
    for gateway in &nodes {
        gateway.until_metric("weir_budget_used{budget=\"all\"}", expected).await;
        assert_eq!(gateway.metric("weir_shared_nodes").await, 2.0);
    }
    let first = Arc::into_inner(nodes.remove(0)).unwrap().restart(&settings).await;
    assert_eq!(ask(&first).await.status(), 200);
    first.until_metric("weir_budget_used{budget=\"all\"}", expected + TOKENS as f64).await;
    nodes[0].until_metric("weir_budget_used{budget=\"all\"}", expected + TOKENS as f64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_node_held_is_the_others_at_once_and_its_use_stays() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    // Large enough that nodes hold something ahead of their need.
    let settings = settings(&upstream, &redis, "", &budget("requests = 300"));
    let nodes = [node(&settings).await, node(&settings).await];
    assert_eq!(served(&nodes, 60).await, 60);
    let [first, second] = nodes;
    Arc::into_inner(first).unwrap().ended().await;
    let mut rest = 0;
    for _ in 0..6 {
        rest += served(&[Arc::clone(&second)], 50).await;
    }
    assert_eq!(rest, 240);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_each_policy_admits_what_it_says_and_the_state_is_reported() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "", &budget("requests = 40"));
    let policies = ["share", "open", "closed"];
    let mut nodes = Vec::new();
    for policy in policies {
        nodes.push(node(&format!("{settings}when_lost = \"{policy}\"\nprefix = \"{policy}\"\n")).await);
    }
    for gateway in &nodes {
        assert_eq!(served(&[Arc::clone(gateway)], 4).await, 4);
        assert_eq!(gateway.get("/ready").await.json()["shared"]["state"], "working");
    }
    redis.kill();
    for (gateway, (policy, most)) in nodes.iter().zip(policies.into_iter().zip([36, 50, 0])) {
        gateway.until_metric("weir_shared_state", 1.0).await;
        let ready = gateway.get("/ready").await.json();
        assert_eq!((&ready["status"], &ready["shared"]["state"]), (&"degraded".into(), &"failing".into()));
        let served = served(&[Arc::clone(gateway)], 50).await;
        let fits = if policy == "closed" { served <= 1 } else { served == most };
        assert!(fits, "{policy}: {served} were served");
    }
    redis.go();
    for (gateway, left) in nodes.iter().zip([0, 0, 30]) {
        gateway.until_metric("weir_shared_state", 0.0).await;
        let served = served(&[Arc::clone(gateway)], 40).await;
        assert!(served >= left && served <= left + 10, "{served} of about {left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_shows_what_all_of_them_used_of_a_limit() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let token = "token-of-the-operator";
    let limits = settings(&upstream, &redis, "requests_per_minute = 6", "");
    let settings = format!("[admin]\ntoken = \"{token}\"\n{limits}");
    let nodes = [node(&settings).await, node(&settings).await];
    assert!(served(&nodes, 12).await >= 6);
    for gateway in &nodes {
        let used = async {
            loop {
                // A node hears of the others' use when it asks for a share of its own.
                ask(gateway).await;
                let request = Request::get("/admin/v1/limits?scope=client");
                let page = gateway.ask(&request.header("authorization", &format!("Bearer {token}"))).await.json();
                // Each node alone served half of them.
                if page["items"][0]["used"].as_u64().is_some_and(|used| used > 3) {
                    return page;
                }
                tokio::task::yield_now().await;
            }
        };
        let page = soon("the use of both nodes", used).await;
        assert_eq!((&page["items"][0]["name"], &page["items"][0]["limit"]), (&json!("team"), &json!(6)));
    }
}
