//! Three nodes over one PostgreSQL and one Redis: keys, limits, budgets and use are those of one gateway, also while
//! the server between them is killed, started again and made to hang under load.

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::{Folder, Gateway, Redis, soon};

use super::{Arc, TOKENS};
use crate::keys::{TOKEN, admin, ask, made};
use crate::wire_format::{OPENAI, config_of, provider};

/// A client, so that a node that knows no key of the store yet serves nothing without one.
const OTHER: &str = "[[clients]]\nname = \"other\"\nkey = \"weir-key-of-the-other-01\"\n";

/// Three nodes, and what they need.
struct Cell {
    nodes: Vec<Arc<Gateway>>,
    redis: Redis,
    _database: Database,
    _upstream: weir_tests::Upstream,
}

async fn cell() -> Option<Cell> {
    let (redis, database) = (Redis::start()?, Database::start()?);
    let upstream = provider(OPENAI).await;
    let settings = format!(
        "[admin]\ntoken = \"{TOKEN}\"\n{}\n{OTHER}[store]\nurl = \"{}\"\n[shared]\nurl = \"{}\"\nwait = \"10s\"\n",
        config_of(&[OPENAI], &upstream),
        database.url(),
        redis.url()
    );
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Arc::new(Gateway::with(Folder::with(&["openai"]), &settings).await));
    }
    Some(Cell { nodes, redis, _database: database, _upstream: upstream })
}

/// Waits until a node answers a key's requests with a status.
async fn until(gateway: &Gateway, key: &str, status: u16) {
    let reached = async {
        while ask(gateway, key).await.status() != status {
            tokio::task::yield_now().await;
        }
    };
    soon("the other node to follow", reached).await;
}

impl Cell {
    /// Sends requests to all nodes at once; how many were served. All others are a 429.
    async fn served(&self, key: &str, requests: usize) -> u64 {
        let tasks: Vec<_> = (0..requests)
            .map(|number| {
                let (node, key) = (Arc::clone(&self.nodes[number % self.nodes.len()]), key.to_owned());
                tokio::spawn(async move { ask(&node, &key).await })
            })
            .collect();
        let mut served = 0;
        for task in tasks {
            let reply = task.await.unwrap();
            assert!(matches!(reply.status(), 200 | 429), "{} {}", reply.status(), reply.text());
            served += u64::from(reply.status() == 200);
        }
        served
    }

    /// Sends requests to all nodes at once, each of which must be served; their number.
    async fn all_served(&self, key: &str, requests: usize) -> u64 {
        let tasks: Vec<_> = (0..requests)
            .map(|number| {
                let (node, key) = (Arc::clone(&self.nodes[number % self.nodes.len()]), key.to_owned());
                tokio::spawn(async move { ask(&node, &key).await })
            })
            .collect();
        for task in tasks {
            let reply = task.await.unwrap();
            assert_eq!(reply.status(), 200, "{}", reply.text());
        }
        requests as u64
    }

    /// Waits until the store's sums of a key, of all nodes, are these; they never go beyond.
    async fn until_used(&self, id: &str, requests: u64) {
        let reached = async {
            loop {
                let sums = admin(&self.nodes[0], "GET", &format!("/usage?by=key&key={id}"), Value::Null).await.json();
                let of = &sums["items"][0];
                let tokens: u64 =
                    of["tokens"].as_object().into_iter().flatten().filter_map(|(_, sum)| sum.as_u64()).sum();
                assert!(tokens <= requests * TOKENS, "{sums}");
                if (of["requests"].as_u64(), tokens) == (Some(requests), requests * TOKENS) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        soon("the sums of all nodes", reached).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_are_one_gateway_to_keys_limits_and_budgets() {
    let Some(cell) = cell().await else { return };
    let [a, b, c] = [0, 1, 2].map(|at| Arc::clone(&cell.nodes[at]));
    let budget = json!([{"name": "b", "requests": 30, "per": "month"}]);
    let (id, key) = made(&a, json!({"name": "build", "budgets": budget})).await;
    for other in [&b, &c] {
        // Before a node knows any key, it serves callers without keys, which no budget counts.
        until(other, "unknown", 401).await;
        until(other, &key, 200).await;
    }
    // Those two were answered; the budget allows thirty.
    let served = 2 + cell.served(&key, 60).await;
    assert_eq!(served, 30);
    cell.until_used(&id, served).await;
    assert_eq!(ask(&c, &key).await.status(), 429);

    let (limited, slow) = made(&b, json!({"name": "slow", "limits": {"requests_per_minute": 5}})).await;
    let begun = std::time::Instant::now();
    let mut served = 0;
    for gateway in [&b, &a, &c] {
        until(gateway, &slow, 200).await;
        served += 1;
    }
    served += cell.served(&slow, 30).await;
    let most = 5 + begun.elapsed().as_secs() / 12 + 1;
    assert!((5..=most).contains(&served), "{served} of five a minute were served");
    cell.until_used(&limited, served).await;

    let (gone, revoked) = made(&c, json!({"name": "gone"})).await;
    until(&b, &revoked, 200).await;
    assert_eq!(admin(&a, "POST", &format!("/keys/{gone}/disable"), Value::Null).await.status(), 200);
    for gateway in [&a, &b, &c] {
        until(gateway, &revoked, 401).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_hangs_and_forgets_under_load_fails_no_request_and_no_use_is_lost() {
    let Some(cell) = cell().await else { return };
    let budget = json!([{"name": "b", "requests": 100_000, "per": "month"}]);
    let limits = json!({"requests_per_minute": 100_000, "streams": 1_000});
    let (id, key) = made(&cell.nodes[0], json!({"name": "load", "budgets": budget, "limits": limits})).await;
    let mut served = 0;
    for gateway in &cell.nodes {
        until(gateway, "unknown", 401).await;
        until(gateway, &key, 200).await;
        served += 1;
    }
    let state = async |expected: f64| {
        for gateway in &cell.nodes {
            gateway.until_metric("weir_shared_state", expected).await;
        }
    };
    for fault in ["kill", "hang", "flush", "replica"] {
        served += cell.all_served(&key, 30).await;
        match fault {
            "kill" => cell.redis.kill(),
            "hang" => cell.redis.hang(),
            "flush" => _ = cell.redis.run(&["flushall"]),
            _ => _ = cell.redis.run(&["replicaof", "127.0.0.1", "1"]),
        }
        let both = tokio::join!(cell.all_served(&key, 60), async {
            if fault != "flush" {
                state(1.0).await;
            }
        });
        served += both.0 + cell.all_served(&key, 30).await;
        match fault {
            "kill" => cell.redis.go(),
            "hang" => cell.redis.wake(),
            "flush" => {}
            _ => _ = cell.redis.run(&["replicaof", "no", "one"]),
        }
        state(0.0).await;
    }
    served += cell.all_served(&key, 30).await;
    assert_eq!(served, 3 + 4 * 120 + 30, "no request was refused");
    cell.until_used(&id, served).await;
    for gateway in &cell.nodes {
        gateway.until_metric("weir_shared_nodes", 3.0).await;
    }
    // Each node tells of the budget what all have used.
    for gateway in &cell.nodes {
        let is_shared = async {
            loop {
                let items = admin(gateway, "GET", "/budgets", Value::Null).await.json();
                let spent = items["items"][0]["spent"].as_u64().unwrap();
                if spent >= served {
                    return;
                }
                tokio::task::yield_now().await;
                // A node asks about a budget when it uses it.
                ask(gateway, &key).await;
            }
        };
        soon("the budget's state", is_shared).await;
    }
}
