//! Batches are kept in the store until they are booked: no restart makes one free, and none books one again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::program::{ask, metric, until_kept};
use weir_tests::{Folder, Program, Redis, Request, Trouble, Upstream, clients};

use crate::{batch_operations, batch_results, batches};

const TOKEN: &str = "the-token-of-the-operator-0123";
/// Weir reads nothing itself, or soon.
const NEVER: &str = "book_unread_after = \"1h\"";
const SOON: &str = "book_unread_after = \"100ms\"";

/// A kind of batches, with its provider.
struct Batches {
    adapter: &'static str,
    create: Request,
    /// The batch, and where what it used is read.
    path: &'static str,
    results: String,
    /// The dollars that are held back for the batch until it is booked.
    reserved: f64,
    dollars: f64,
    tokens: f64,
    prices: &'static str,
    upstream: Upstream,
    done: Box<dyn Fn() + Send + Sync>,
    config: fn(&Upstream, &str) -> String,
}

/// Batches that tell themselves what they used.
async fn of_openai() -> Batches {
    let is_done = Arc::new(AtomicBool::new(false));
    let upstream = batches::provider(&is_done).await;
    Batches {
        adapter: "openai",
        create: Request::post("/v1/batches", r#"{"input_file_id":"file-0123456789abcdef"}"#),
        path: batches::BATCH,
        results: batches::BATCH.to_owned(),
        reserved: 0.0,
        dollars: batches::DOLLARS,
        tokens: batches::TOKENS,
        prices: batches::PRICES,
        upstream,
        done: Box::new(move || is_done.store(true, Ordering::SeqCst)),
        config: batches::config,
    }
}

/// Batches whose results tell it.
async fn of_anthropic() -> Batches {
    let state = Arc::new(AtomicU8::new(batch_results::UNDER_WAY));
    let upstream = batch_results::provider(&state).await;
    Batches {
        adapter: "anthropic",
        create: Request::post("/v1/messages/batches", batch_results::body()),
        path: batch_results::BATCH,
        results: format!("{}/results", batch_results::BATCH),
        reserved: batch_results::reserved()[0],
        dollars: batch_results::DOLLARS,
        tokens: batch_results::TOKENS,
        prices: batch_results::PRICES,
        upstream,
        done: Box::new(move || state.store(batch_results::DONE, Ordering::SeqCst)),
        config: batch_results::config,
    }
}

/// Batches that are operations, whose results are in a file.
async fn of_operations() -> Batches {
    let state = Arc::new(AtomicU8::new(batch_operations::UNDER_WAY));
    let upstream = batch_operations::provider(&state).await;
    Batches {
        adapter: "gemini",
        create: batch_operations::create(batch_operations::CREATE),
        path: batch_operations::BATCH,
        results: batch_operations::FILE.to_owned(),
        reserved: batch_operations::reserved()[0],
        dollars: batch_operations::DOLLARS,
        tokens: batch_operations::TOKENS,
        prices: batch_operations::PRICES,
        upstream,
        done: Box::new(move || state.store(batch_operations::IN_FILE, Ordering::SeqCst)),
        config: batch_operations::config,
    }
}

/// The same by pass-through, with prices that the configuration has for the model.
async fn of_passed_operations() -> Batches {
    Batches {
        create: batch_operations::create(batch_operations::CREATE_PASSED),
        path: batch_operations::PASSED,
        results: batch_operations::PASSED_FILE.to_owned(),
        prices: "{}",
        config: batch_operations::config_with_prices,
        ..of_operations().await
    }
}

/// A running Weir, which keeps its work in a store.
pub(crate) struct Node {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

impl Node {
    pub(crate) fn start(folder: &Folder, config: &str) -> Self {
        Self::start_as(std::process::Command::new(weir_tests::program::file()), folder, config)
    }

    fn start_as(command: std::process::Command, folder: &Folder, config: &str) -> Self {
        let cache = weir_tests::plugins::target().join("test-cache");
        let config = format!("{config}\n[admin]\ntoken = \"{TOKEN}\"\n");
        let program = Program::start_as(command, folder, &cache, &config);
        let address = program.address();
        Self { program, address }
    }

    async fn by(&self, key: &str, request: Request) -> u16 {
        let request = request.bearer(key);
        ask(self.address, &request.header("anthropic-version", "2023-06-01")).await.status()
    }

    async fn by_client(&self, client: &str, request: Request) -> u16 {
        self.by(&clients::key(client), request).await
    }

    async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let request = Request::new(method, path).header("authorization", &format!("Bearer {TOKEN}"));
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let reply = ask(self.address, &request).await;
        assert!(reply.status() < 300, "{}", reply.text());
        if reply.text().is_empty() { Value::Null } else { reply.json() }
    }

    pub(crate) async fn used(&self, budget: &str) -> f64 {
        let series = format!("weir_budget_used{{budget=\"{budget}\"}}");
        metric(self.address, Some(TOKEN), &series).await.unwrap_or_default()
    }

    /// Waits until the batch is booked at the budgets of the client that made it, in the sums of use, and in the log:
    /// once.
    async fn until_booked(&self, batches: &Batches, key: &str) {
        let expected = json!([[batches.dollars, batches.tokens], batches.dollars, 1]);
        let mut seen = Value::Null;
        for _ in 0..1_000 {
            let used = [self.used("money").await, self.used("tokens").await];
            let sums = self.admin("GET", "/admin/v1/usage?by=key", Value::Null).await;
            let cost: f64 = sums["items"].as_array().unwrap().iter().map(|sum| nano(sum, key)).sum();
            seen = json!([used, cost, self.booked().await]);
            if seen == expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(seen, expected, "{}", self.program.log());
        assert_eq!(self.used("other").await, 0.0);
    }

    /// Waits until a kill costs nothing of what was made and booked.
    pub(crate) async fn until_kept(&self) {
        until_kept(self.address, Some(TOKEN)).await;
    }

    /// Waits until the other nodes can know what is reserved: for the end of a round that has begun by now, or later.
    async fn until_reported(&self) {
        let rounds = || metric(self.address, Some(TOKEN), "weir_shared_rounds_total{result=\"answered\"}");
        let now = rounds().await.unwrap_or_default();
        for _ in 0..1_000 {
            if rounds().await.is_some_and(|rounds| rounds >= now + 2.0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no rounds are made: {}", self.program.log());
    }

    /// How many requests of the log have a cost.
    async fn booked(&self) -> usize {
        let log = self.admin("GET", "/admin/v1/requests?limit=1000", Value::Null).await;
        let all = log["items"].as_array().unwrap();
        all.iter().filter(|fact| fact["cost_nano"].as_u64().is_some_and(|cost| cost > 0)).count()
    }
}

/// What a key used, in dollars.
fn nano(sum: &Value, key: &str) -> f64 {
    if sum["name"] == key { sum["cost_nano"].as_u64().unwrap() as f64 / 1e9 } else { 0.0 }
}

fn folder(batches: &Batches) -> Folder {
    let folder = Folder::with(&[batches.adapter]);
    std::fs::write(folder.path().join("prices.json"), batches.prices).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_made_before_a_kill_is_booked_once_when_its_client_reads_it() {
    for batches in [of_openai().await, of_anthropic().await, of_operations().await, of_passed_operations().await] {
        let (folder, config) = (folder(&batches), (batches.config)(&batches.upstream, NEVER));
        let first = Node::start(&folder, &config);
        assert_eq!(first.by_client("one", batches.create.clone()).await, 200);
        first.until_kept().await;
        drop(first);
        (batches.done)();
        let second = Node::start(&folder, &config);
        let results = || Request::get(&batches.results);
        assert_ne!(second.by_client("two", Request::get(batches.path)).await, 200, "it is another's");
        if batches.results.starts_with(batches.path) {
            assert_ne!(second.by_client("two", results()).await, 200);
        } else {
            // The batch tells where they are.
            assert_eq!(second.by_client("one", Request::get(batches.path)).await, 200);
            assert_ne!(second.by_client("two", results()).await, 200);
        }
        assert_eq!((second.used("money").await, second.booked().await), (batches.reserved, 0));
        assert_eq!(second.by_client("one", results()).await, 200);
        second.until_booked(&batches, "one").await;
        second.until_kept().await;
        drop(second);
        let third = Node::start(&folder, &config);
        assert_eq!(third.by_client("one", results()).await, 200);
        third.until_kept().await;
        third.until_booked(&batches, "one").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_no_client_reads_is_booked_once_over_kills_and_stops() {
    for batches in [of_openai().await, of_anthropic().await, of_operations().await, of_passed_operations().await] {
        let (folder, config) = (folder(&batches), (batches.config)(&batches.upstream, SOON));
        let first = Node::start(&folder, &config);
        assert_eq!(first.by_client("one", batches.create.clone()).await, 200);
        first.until_kept().await;
        drop(first);
        let second = Node::start(&folder, &config);
        second.program.stop();
        second.program.until("books these batches after the next start");
        assert!(second.program.has_succeeded());
        (batches.done)();
        let third = Node::start(&folder, &config);
        third.until_booked(&batches, "one").await;
        third.program.stop();
        assert!(third.program.has_succeeded());
        let last = Node::start(&folder, &config);
        last.until_kept().await;
        last.until_booked(&batches, "one").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_key_that_is_gone_is_booked_to_that_key() {
    let batches = of_openai().await;
    let clients = (batches.config)(&batches.upstream, SOON).replace("{ key = \"one\" }", "{ team = \"red\" }");
    let folder = folder(&batches);
    let first = Node::start(&folder, &clients);
    first.admin("POST", "/admin/v1/teams", json!({"id": "red", "name": "Red"})).await;
    let made = first.admin("POST", "/admin/v1/keys", json!({"name": "build", "owner": {"team": "red"}})).await;
    let [id, key] = ["id", "key"].map(|name| made[name].as_str().unwrap().to_owned());
    assert_eq!(first.by(&key, batches.create.clone()).await, 200);
    first.until_kept().await;
    first.admin("DELETE", &format!("/admin/v1/keys/{id}"), Value::Null).await;
    drop(first);
    (batches.done)();
    let second = Node::start(&folder, &clients);
    second.until_booked(&batches, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_one_database_book_a_batch_once_and_one_takes_over_what_a_killed_one_leaves() {
    for batches in [of_openai().await, of_anthropic().await, of_operations().await] {
        let Some(database) = Database::start() else { return };
        let config = (batches.config)(&batches.upstream, SOON) + &format!("[store]\nurl = \"{}\"\n", database.url());
        let folders = [(); 2].map(|()| folder(&batches));
        let [one, other] = [0, 1].map(|at| Node::start(&folders[at], &config));
        assert_eq!(one.by_client("one", batches.create.clone()).await, 200);
        one.until_kept().await;
        drop(one);
        (batches.done)();
        other.until_booked(&batches, "one").await;
        let back = Node::start(&folders[0], &config);
        for node in [&back, &other] {
            assert_eq!(node.by_client("one", Request::get(&batches.results)).await, 200);
        }
        for node in [back, other] {
            node.until_kept().await;
            node.until_booked(&batches, "one").await;
        }
    }
}

/// A node asks for a batch for two days; those of a clock that is ahead are not over.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_days_ahead_books_what_a_killed_one_leaves() {
    for batches in [of_openai().await, of_anthropic().await, of_operations().await] {
        let Some(database) = Database::start() else { return };
        let config = (batches.config)(&batches.upstream, SOON) + &format!("[store]\nurl = \"{}\"\n", database.url());
        let folders = [(); 2].map(|()| folder(&batches));
        let one = Node::start(&folders[0], &config);
        assert_eq!(one.by_client("one", batches.create.clone()).await, 200);
        one.until_kept().await;
        drop(one);
        let mut clock = Trouble::none();
        clock.set_clock(5 * 86_400);
        let ahead = Node::start_as(clock.command(), &folders[1], &config);
        (batches.done)();
        ahead.until_booked(&batches, "one").await;
    }
}

/// What a node has reserved counts as used for the others, and once also where another one settles it.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_share_budgets_settle_what_a_killed_one_had_reserved_for_a_batch_once() {
    for batches in [of_anthropic().await, of_operations().await] {
        let (Some(database), Some(redis)) = (Database::start(), Redis::start()) else { return };
        let shared = format!("[store]\nurl = \"{}\"\n[shared]\nurl = \"{}\"\n", database.url(), redis.url());
        let config = (batches.config)(&batches.upstream, SOON) + &shared;
        let folders = [(); 2].map(|()| folder(&batches));
        let one = Node::start(&folders[0], &config);
        assert_eq!(one.by_client("one", batches.create.clone()).await, 200);
        one.until_kept().await;
        assert_eq!(one.used("money").await, batches.reserved);
        one.until_reported().await;
        drop(one);
        let other = Node::start(&folders[1], &config);
        (batches.done)();
        other.until_booked(&batches, "one").await;
    }
}

/// One node books a batch, and the others let nobody remove it before.
#[tokio::test(flavor = "multi_thread")]
async fn no_node_removes_a_batch_that_another_one_is_to_book() {
    for batches in [of_openai().await, of_anthropic().await] {
        let Some(database) = Database::start() else { return };
        let config = (batches.config)(&batches.upstream, NEVER) + &format!("[store]\nurl = \"{}\"\n", database.url());
        let folders = [(); 2].map(|()| folder(&batches));
        let [maker, other] = [0, 1].map(|at| Node::start(&folders[at], &config));
        assert_eq!(maker.by_client("one", batches.create.clone()).await, 200);
        maker.until_kept().await;
        (batches.done)();
        let path = batches.path.replacen("/v1/", &format!("/passthrough/{}/", batches.adapter), 1);
        let removal = || Request::new("DELETE", &path);
        assert_eq!(other.by_client("one", removal()).await, 409, "{path}");
        assert_eq!(other.by_client("two", removal()).await, 404, "{path}");
        assert_eq!(maker.by_client("one", removal()).await, 200, "{path}");
        maker.until_booked(&batches, "one").await;
        maker.until_kept().await;
        assert_eq!(other.by_client("one", removal()).await, 200, "{path}");
    }
}
