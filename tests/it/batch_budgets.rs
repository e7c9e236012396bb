//! What a batch may use is held back at the budgets before it is begun, and settled once when it is done, over restarts
//! and nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::program::ask;
use weir_tests::{Answer, Folder, Gate, Gateway, Received, Redis, Reply, Request, Upstream, clients, soon};

use crate::kept_batches::Node;
use crate::kept_files::until_file_is_kept;
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI};

/// A tenth of a dollar for a token of input in a batch and a fifth for one of output, and twice as much elsewhere.
const PRICES: &str = r#"{"providers": {
    "openai": {"gpt-x": [{"input": "200000", "output": "400000"},
        {"when": {"batch": true}, "input": "100000", "output": "200000"}],
        "embed-x": [{"input": "200000", "output": "0"}]},
    "anthropic": {
        "claude-a": [{"input": "200000", "output": "400000"}, {"when": {"batch": true}, "input": "100000", "output": "200000"}],
        "claude-b": [{"input": "200000", "output": "400000"}, {"when": {"batch": true}, "input": "100000", "output": "200000"}]},
    "gemini": {"gemini-x": [{"input": "200000", "output": "400000"},
        {"when": {"batch": true}, "input": "100000", "output": "200000"}]}}}"#;
pub(crate) const LANES: [&str; 2] = ["/v1", "/passthrough/openai"];

/// How far the provider is with batches.
const UNDER_WAY: u8 = 0;
const DONE: u8 = 1;
const FAILED: u8 = 2;
const REFUSES: u8 = 3;

/// What a finished batch used, in tokens and in dollars: 40 of input and 30 of output.
const TOKENS: f64 = 70.0;
const DOLLARS: f64 = 10.0;

/// A provider whose files and batches have ids of their own, and how far it is.
pub(crate) async fn openai() -> (Upstream, Arc<AtomicU8>) {
    let (state, count) = (Arc::new(AtomicU8::new(UNDER_WAY)), AtomicUsize::new(0));
    let own = Arc::clone(&state);
    let upstream = Upstream::scripted(move |request: &Received| {
        let (line, state) = (request.line(), own.load(Ordering::SeqCst));
        let number = count.fetch_add(1, Ordering::SeqCst);
        if line == "POST /base/files" {
            let file = json!({"id": format!("file-0123456789abcdef{number}"), "object": "file"});
            return Answer::json(200, file.to_string());
        }
        let begins = line == "POST /base/batches";
        if begins && state == REFUSES {
            return Answer::json(400, r#"{"error":{"message":"no","type":"invalid_request_error"}}"#);
        }
        let id = line.split(['/', ' ']).find(|part| part.starts_with("batch_")).map(str::to_owned);
        let id = id.unwrap_or_else(|| format!("batch_0123456789abcdef{number}"));
        let status = match state {
            _ if begins => "validating",
            DONE => "completed",
            FAILED => "failed",
            _ => "in_progress",
        };
        let used = |count: u64| if state == DONE && !begins { count } else { 0 };
        let usage = json!({"input_tokens": used(40), "output_tokens": used(30), "total_tokens": used(70)});
        let batch = json!({"id": id, "object": "batch", "endpoint": "/v1/chat/completions", "status": status,
            "model": if used(1) > 0 { "gpt-x".into() } else { Value::Null }, "usage": usage});
        Answer::json(200, batch.to_string())
    })
    .await;
    (upstream, state)
}

pub(crate) fn by(client: &str, request: Request) -> Request {
    let request = request.header("anthropic-version", "2023-06-01");
    if client.is_empty() { request } else { clients::by(client, request) }
}

pub(crate) fn clients(names: &[&str]) -> String {
    let client = |name: &&str| clients::client(name, "team = \"red\"\npassthrough = [\"* * *\"]");
    names.iter().map(client).collect()
}

pub(crate) fn budget(name: &str, rest: &str) -> String {
    format!("[[budgets]]\nname = \"{name}\"\nper = \"total\"\n{rest}\n")
}

/// One provider, whose models have aliases.
pub(crate) fn config(adapter: &str, models: &[&str], upstream: &Upstream, rest: &[String]) -> String {
    let model = |name: &&str| {
        format!("[[models]]\nalias = \"my-{name}\"\ntarget = {{ provider = \"{adapter}\", model = \"{name}\" }}\n")
    };
    format!(
        "price_file = \"prices.json\"\n[server]\nbook_unread_after = \"1h\"\n\
         [[providers]]\nname = \"{adapter}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         passthrough = [\"* *\"]\nretry = {{ max_retries = 0 }}\n{}{}",
        upstream.url(),
        models.iter().map(model).collect::<String>(),
        rest.concat()
    )
}

pub(crate) fn folder(adapter: &str) -> Folder {
    let folder = Folder::with(&[adapter]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    folder
}

async fn open(adapter: &str, models: &[&str], upstream: &Upstream, rest: &[String]) -> Gateway {
    Gateway::with(folder(adapter), &config(adapter, models, upstream, rest)).await
}

/// A request of a batch for so many tokens at most.
pub(crate) fn line(model: &str, most: u64) -> String {
    let body =
        json!({"model": model, "messages": [{"role": "user", "content": "Hi\u{2028}"}], "max_completion_tokens": most});
    json!({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
}

/// The requests of most batches here.
pub(crate) fn lines() -> Vec<String> {
    vec![line("gpt-x", 100), line("gpt-x", 50), line("gpt-x", 10)]
}

fn input_of(requests: &[String]) -> f64 {
    requests.iter().map(|request| request.len().div_ceil(4) as f64).sum()
}

/// What they need, in tokens and in tenths of a dollar.
pub(crate) fn needed() -> [f64; 2] {
    let input = input_of(&lines());
    [input + 160.0, input + 320.0]
}

pub(crate) fn usd(tenths: f64) -> String {
    format!("usd = {}", tenths / 10.0)
}

pub(crate) fn upload(lane: &str, requests: &[String]) -> Request {
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{}\r\n--x--\r\n",
        requests.join("\n")
    );
    Request::new("POST", &format!("{lane}/files")).header("content-type", "multipart/form-data; boundary=x").body(form)
}

pub(crate) fn begin(lane: &str, file: &str) -> Request {
    let body = json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    Request::post(&format!("{lane}/batches"), body.to_string())
}

pub(crate) fn id_in(reply: &Reply) -> String {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.json()["id"].as_str().unwrap().to_owned()
}

async fn uploaded(gateway: &Gateway, client: &str, lane: &str, requests: &[String]) -> String {
    id_in(&gateway.ask(&by(client, upload(lane, requests))).await)
}

async fn used(gateway: &Gateway, budget: &str) -> f64 {
    gateway.budget_used(budget).await
}

async fn until_used(gateway: &Gateway, budget: &str, amount: f64) {
    gateway.until_metric(&format!("weir_budget_used{{budget=\"{budget}\"}}"), amount).await;
}

/// Whether any batch was begun at the provider.
pub(crate) fn was_begun(upstream: &mut Upstream) -> bool {
    let mut begun = false;
    while let Some(request) = upstream.unseen() {
        begun |= request.line().starts_with("POST") && !request.line().ends_with("/files");
    }
    begun
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fits_is_begun_and_held_back_at_every_budget() {
    let [tokens, tenths] = needed();
    for (client, lane) in [("one", LANES[0]), ("one", LANES[1]), ("", LANES[0])] {
        let (upstream, _) = openai().await;
        let names: &[&str] = if client.is_empty() { &[] } else { &["one"] };
        let budgets = [
            budget("money", &format!("for = \"all\"\n{}", usd(tenths))),
            budget("tokens", &format!("for = \"all\"\ntokens = {tokens}")),
            // The upload, the requests of the batch, and a read.
            budget("requests", "for = \"all\"\nrequests = 5"),
            budget("model", &format!("for = {{ model = \"my-gpt-x\" }}\n{}", usd(tenths))),
            budget("provider", &format!("for = {{ provider = \"openai\" }}\n{}", usd(tenths))),
            clients(names),
        ];
        let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
        let file = uploaded(&gateway, client, lane, &lines()).await;
        let batch = id_in(&gateway.ask(&by(client, begin(lane, &file))).await);
        let dollars = tenths / 10.0;
        for (budget, amount) in
            [("money", dollars), ("tokens", tokens), ("requests", 4.0), ("model", dollars), ("provider", dollars)]
        {
            assert_eq!(used(&gateway, budget).await, amount, "{client} {lane} {budget}");
        }
        let read = by(client, Request::get(&format!("{lane}/batches/{batch}")));
        assert_eq!(gateway.ask(&read).await.status(), 200);
        assert_eq!(used(&gateway, "money").await, dollars, "it is under way");
        assert_eq!(gateway.ask(&by(client, begin(lane, &file))).await.status(), 429, "there is room for one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_used_is_booked_and_the_rest_is_given_back_once() {
    let ([tokens, tenths], requests) = (needed(), lines());
    for lane in LANES {
        let (upstream, state) = openai().await;
        let budgets = [
            budget("money", &format!("for = {{ team = \"red\" }}\n{}", usd(tenths))),
            budget("tokens", "for = { key = \"one\" }\ntokens = 1000000"),
            budget("requests", "for = { key = \"one\" }\nrequests = 1000"),
            budget("model", "for = { model = \"my-gpt-x\" }\ntokens = 1000000"),
            budget("provider", "for = { provider = \"openai\" }\nusd = 1000"),
            clients(&["one", "two"]),
        ];
        let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
        let [file, other] = ["one", "two"].map(|client| uploaded(&gateway, client, lane, &requests));
        let [file, other] = [file.await, other.await];
        let batch = id_in(&gateway.ask(&by("one", begin(lane, &file))).await);
        assert_eq!(used(&gateway, "tokens").await, tokens);
        // Another client of the team shares the budget, and nothing else.
        assert_eq!(gateway.ask(&by("two", begin(lane, &other))).await.status(), 429, "{lane}");
        assert_eq!(gateway.ask(&by("two", begin(lane, &file))).await.status(), 404, "{lane}: it is another's");
        state.store(DONE, Ordering::SeqCst);
        for _ in 0..2 {
            let reply = gateway.ask(&by("one", Request::get(&format!("{lane}/batches/{batch}")))).await;
            assert_eq!(reply.status(), 200);
        }
        for (budget, amount) in [
            ("money", DOLLARS),
            ("tokens", TOKENS),
            // The upload, three requests of the batch, and two reads.
            ("requests", 6.0),
            ("model", TOKENS),
            ("provider", DOLLARS),
        ] {
            until_used(&gateway, budget, amount).await;
        }
        let reply = gateway.ask(&by("two", begin(lane, &other))).await;
        assert_eq!(reply.status(), 429, "{lane}: {}", reply.text());
        let small = uploaded(&gateway, "two", lane, &[line("gpt-x", 5)]).await;
        assert_eq!(gateway.ask(&by("two", begin(lane, &small))).await.status(), 200, "{lane}: what is left is enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_beyond_any_budget_is_refused_before_it_is_sent_and_holds_nothing_back() {
    let [tokens, tenths] = needed();
    for lane in LANES {
        for (whose, limit) in [
            ("\"all\"", usd(tenths - 1.0)),
            ("{ key = \"one\" }", format!("tokens = {}", tokens - 1.0)),
            ("{ key = \"one\" }", "requests = 3".to_owned()),
            ("{ model = \"my-gpt-x\" }", usd(tenths - 1.0)),
            ("{ provider = \"openai\" }", usd(tenths - 1.0)),
        ] {
            let (mut upstream, _) = openai().await;
            let budgets = [
                budget("wide", "for = \"all\"\nusd = 1000000"),
                budget("narrow", &format!("for = {whose}\n{limit}")),
                clients(&["one"]),
            ];
            let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
            let file = uploaded(&gateway, "one", lane, &lines()).await;
            let before = used(&gateway, "narrow").await;
            let reply = gateway.ask(&by("one", begin(lane, &file))).await;
            assert_eq!(reply.status(), 429, "{lane} {whose} {limit}: {}", reply.text());
            assert_eq!(reply.header("x-should-retry"), Some("false"), "{whose} {limit}");
            let message = OPENAI.error(&reply).unwrap_or_default();
            assert!(message.contains("\"narrow\""), "{whose} {limit}: {message}");
            assert!(!was_begun(&mut upstream), "{lane} {whose} {limit}");
            until_used(&gateway, "wide", 0.0).await;
            assert_eq!(used(&gateway, "narrow").await, before, "{lane} {whose} {limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_batches_at_once_as_many_are_begun_as_there_is_room_for() {
    let (mut upstream, _) = openai().await;
    let [_, tenths] = needed();
    let budgets = [budget("money", &format!("for = \"all\"\n{}", usd(2.0 * tenths + 10.0))), clients(&["one"])];
    let gateway = Arc::new(open("openai", &["gpt-x"], &upstream, &budgets).await);
    let file = uploaded(&gateway, "one", "/v1", &lines()).await;
    let mut asking = Vec::new();
    for number in 0..8 {
        let (gateway, request) = (Arc::clone(&gateway), by("one", begin(LANES[number % 2], &file)));
        asking.push(tokio::spawn(async move { gateway.ask(&request).await.status() }));
    }
    let mut begun = 0;
    for asked in asking {
        let status = asked.await.unwrap();
        assert!(matches!(status, 200 | 429), "{status}");
        begun += usize::from(status == 200);
    }
    assert_eq!(begun, 2);
    assert_eq!(used(&gateway, "money").await, tenths / 5.0);
    assert!(was_begun(&mut upstream));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_its_provider_refuses_or_that_fails_costs_nothing() {
    let [_, tenths] = needed();
    for lane in LANES {
        let (upstream, state) = openai().await;
        let budgets = [budget("money", &format!("for = \"all\"\n{}", usd(tenths))), clients(&["one"])];
        let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
        let file = uploaded(&gateway, "one", lane, &lines()).await;
        state.store(REFUSES, Ordering::SeqCst);
        assert_eq!(gateway.ask(&by("one", begin(lane, &file))).await.status(), 400);
        until_used(&gateway, "money", 0.0).await;
        state.store(UNDER_WAY, Ordering::SeqCst);
        let batch = id_in(&gateway.ask(&by("one", begin(lane, &file))).await);
        assert_eq!(used(&gateway, "money").await, tenths / 10.0);
        state.store(FAILED, Ordering::SeqCst);
        assert_eq!(gateway.ask(&by("one", Request::get(&format!("{lane}/batches/{batch}")))).await.status(), 200);
        until_used(&gateway, "money", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_limit_hold_back_the_longest_answer_and_embeddings_none() {
    let (upstream, _) = openai().await;
    let budgets = [
        budget("tokens", "for = { key = \"one\" }\ntokens = 1000000"),
        budget("short", "for = { key = \"two\" }\ntokens = 4000"),
        clients(&["one", "two"]),
    ];
    let gateway = open("openai", &["gpt-x", "embed-x"], &upstream, &budgets).await;
    let open_ended = line("gpt-x", 7).replace("\"max_completion_tokens\":7", "\"n\":2");
    let embedding = json!({"custom_id": "e", "method": "POST", "url": "/v1/embeddings",
        "body": {"model": "embed-x", "input": "Hi"}});
    let requests = [open_ended.clone(), embedding.to_string()];
    let file = uploaded(&gateway, "one", "/v1", &requests).await;
    id_in(&gateway.ask(&by("one", begin("/v1", &file))).await);
    assert_eq!(used(&gateway, "tokens").await, input_of(&requests) + 2.0 * 4_096.0);
    // A budget that has less holds back what it has, if there is room for usual answers.
    for (requests, status) in [(vec![open_ended.clone(); 2], 429), (vec![open_ended], 200)] {
        let file = uploaded(&gateway, "two", "/v1", &requests).await;
        assert_eq!(gateway.ask(&by("two", begin("/v1", &file))).await.status(), status);
    }
    assert_eq!(used(&gateway, "short").await, 4_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_on_a_file_that_was_not_read_passes_only_budgets_that_refuse_nothing() {
    for lane in LANES {
        let (mut upstream, _) = openai().await;
        let budgets = [
            budget("hard", "for = { key = \"one\" }\nusd = 1000000"),
            budget("soft", "for = { key = \"two\" }\nusd = 1000000\nwhen_over = \"notify\""),
            clients(&["one", "two"]),
        ];
        let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
        let unread = uploaded(&gateway, "one", lane, &["no JSON".to_owned()]).await;
        for (file, why) in [(&*unread, "line 1 of the file"), ("file-0123456789elsewhere", "were not read")] {
            let reply = gateway.ask(&by("one", begin(lane, file))).await;
            assert_eq!(reply.status(), 403, "{lane} {file}: {}", reply.text());
            let error = reply.json()["error"].clone();
            assert_eq!(error["code"], "requests_not_read", "{lane}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("\"hard\"") && message.contains(why) && message.contains("upload"), "{message}");
            assert!(!was_begun(&mut upstream), "{lane} {file}");
        }
        assert_eq!(gateway.ask(&by("two", begin(lane, "file-0123456789elsewhere"))).await.status(), 200, "{lane}");
        assert_eq!(used(&gateway, "soft").await, 0.0);
    }
    // Any model's budget may count what is not known.
    let (upstream, _) = openai().await;
    let budgets = [budget("model", "for = { model = \"my-gpt-x\" }\nusd = 1000000"), clients(&["one"])];
    let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
    assert_eq!(gateway.ask(&by("one", begin("/v1", "file-0123456789elsewhere"))).await.status(), 403);
}

async fn asked(node: &Node, request: Request) -> Reply {
    ask(node.address, &by("one", request)).await
}

pub(crate) async fn until_used_at(node: &Node, budget: &str, amount: f64) {
    for _ in 0..1_000 {
        if node.used(budget).await == amount {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of {amount}: {}", node.used(budget).await, node.program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_for_a_batch_outlives_kills_and_is_settled_once() {
    let [_, tenths] = needed();
    let (upstream, state) = openai().await;
    let budgets = [budget("money", &format!("for = \"all\"\n{}", usd(tenths + 10.0))), clients(&["one"])];
    let (folder, config) = (folder("openai"), config("openai", &["gpt-x"], &upstream, &budgets));
    let first = Node::start(&folder, &config);
    let file = id_in(&asked(&first, upload("/v1", &lines())).await);
    let batch = id_in(&asked(&first, begin("/v1", &file)).await);
    first.until_kept().await;
    until_file_is_kept(&folder, &file).await;
    drop(first);
    for _ in 0..2 {
        let again = Node::start(&folder, &config);
        assert_eq!(again.used("money").await, tenths / 10.0, "it is neither free nor held back twice");
        assert_eq!(asked(&again, begin("/v1", &file)).await.status(), 429, "there is no room for another");
        again.until_kept().await;
    }
    let last = Node::start(&folder, &config);
    state.store(DONE, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(asked(&last, Request::get(&format!("/v1/batches/{batch}"))).await.status(), 200);
    }
    until_used_at(&last, "money", DOLLARS).await;
    last.until_kept().await;
    drop(last);
    let after = Node::start(&folder, &config);
    assert_eq!(after.used("money").await, DOLLARS);
}

/// A budget of so many dollars that nodes share, and a client.
fn shared_budget(redis: &Redis, dollars: f64) -> [String; 3] {
    let shared = format!("[shared]\nurl = \"{}\"\nwait = \"10s\"\n", redis.url());
    [budget("money", &format!("for = \"all\"\n{}", usd(dollars))), clients(&["one"]), shared]
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_share_a_budget_hold_back_what_each_of_them_begins() {
    let Some(redis) = Redis::start() else { return };
    let [_, tenths] = needed();
    let (upstream, state) = openai().await;
    let budgets = shared_budget(&redis, tenths + 10.0);
    let [one, other] = [(); 2].map(|()| open("openai", &["gpt-x"], &upstream, &budgets));
    let [one, other] = [one.await, other.await];
    let of_one = uploaded(&one, "one", "/v1", &lines()).await;
    let of_other = uploaded(&other, "one", "/v1", &lines()).await;
    let small = uploaded(&other, "one", "/v1", &[line("gpt-x", 5)]).await;
    let batch = id_in(&one.ask(&by("one", begin("/v1", &of_one))).await);
    let reply = other.ask(&by("one", begin("/v1", &of_other))).await;
    assert_eq!(reply.status(), 429, "{}", reply.text());
    state.store(DONE, Ordering::SeqCst);
    assert_eq!(one.ask(&by("one", Request::get(&format!("/v1/batches/{batch}")))).await.status(), 200);
    until_used(&one, "money", DOLLARS).await;
    // What was given back is there for all, as soon as they know.
    for _ in 0..200 {
        if other.ask(&by("one", begin("/v1", &small))).await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}", other.get("/admin/budgets").await.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_did_not_use_is_there_again_for_all_nodes_that_share_where_its_own_was_killed() {
    let Some(redis) = Redis::start() else { return };
    let [_, tenths] = needed();
    let (upstream, state) = openai().await;
    let budgets = shared_budget(&redis, tenths + 10.0);
    let (folder, config) = (folder("openai"), config("openai", &["gpt-x"], &upstream, &budgets));
    let first = Node::start(&folder, &config);
    let file = id_in(&asked(&first, upload("/v1", &lines())).await);
    let batch = id_in(&asked(&first, begin("/v1", &file)).await);
    first.until_kept().await;
    until_file_is_kept(&folder, &file).await;
    drop(first);
    let again = Node::start(&folder, &config);
    until_used_at(&again, "money", tenths / 10.0).await;
    let other = open("openai", &["gpt-x"], &upstream, &budgets).await;
    let [large, small] = [lines(), vec![line("gpt-x", 5)]];
    let [large, small] = [uploaded(&other, "one", "/v1", &large).await, uploaded(&other, "one", "/v1", &small).await];
    let begins = async |file: &str| other.ask(&by("one", begin("/v1", file))).await.status();
    // What a node is refused all the same, it holds until its next report.
    let small_begins = async || {
        while begins(&small).await != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(asked(&again, begin("/v1", &file)).await.status(), 429, "there is no room for another");
    assert_eq!(begins(&large).await, 429, "the other node counts it as well");
    state.store(DONE, Ordering::SeqCst);
    assert_eq!(asked(&again, Request::get(&format!("/v1/batches/{batch}"))).await.status(), 200);
    until_used_at(&again, "money", DOLLARS).await;
    soon("what the batch did not use", small_begins()).await;
    assert_eq!(begins(&large).await, 429, "no more than is left");
    drop(again);
    let last = Node::start(&folder, &config);
    assert_eq!(asked(&last, begin("/v1", &file)).await.status(), 429, "also for one more process");
    soon("the rest of it", small_begins()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_tokens_by_the_minute_do_not_count_what_a_batch_uses() {
    for lane in LANES {
        let (upstream, state) = openai().await;
        let client = clients(&["one"]) + "limits = { tokens_per_minute = 10000 }\n";
        let gateway = open("openai", &["gpt-x"], &upstream, &[client]).await;
        let file = uploaded(&gateway, "one", lane, &[line("gpt-x", 1_000_000)]).await;
        let batch = id_in(&gateway.ask(&by("one", begin(lane, &file))).await);
        state.store(DONE, Ordering::SeqCst);
        assert_eq!(gateway.ask(&by("one", Request::get(&format!("{lane}/batches/{batch}")))).await.status(), 200);
        assert_eq!(gateway.ask(&by("one", begin(lane, &file))).await.status(), 200, "{lane}");
    }
}

/// Requests of two models that stand in the batch itself.
fn inline() -> [String; 2] {
    let one = |model: &str, most: u64| {
        let params = json!({"model": model, "max_tokens": most, "messages": [{"role": "user", "content": "Hi"}]});
        json!({"custom_id": model, "params": params}).to_string()
    };
    [one("claude-a", 100), one("claude-b", 50)]
}

/// A provider whose batches end with these results.
async fn anthropic(results: String) -> (Upstream, Arc<AtomicU8>) {
    let state = Arc::new(AtomicU8::new(UNDER_WAY));
    let own = Arc::clone(&state);
    let upstream = Upstream::scripted(move |request: &Received| {
        let (line, is_done) = (request.line(), own.load(Ordering::SeqCst) == DONE);
        if line.ends_with("/results") && is_done {
            return Answer::begin(200, &[("content-type", "application/x-jsonl")]).pieces(&results, 50).end();
        }
        let state = if is_done && line.starts_with("GET") { "ended" } else { "in_progress" };
        let batch = json!({"id": "msgbatch_0123456789abcdef", "type": "message_batch", "processing_status": state});
        Answer::json(200, batch.to_string())
    })
    .await;
    (upstream, state)
}

fn result(model: &str, input: u64, output: u64) -> String {
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
        "usage": {"input_tokens": input, "output_tokens": output, "service_tier": "batch"}});
    json!({"custom_id": model, "result": {"type": "succeeded", "message": message}}).to_string() + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn each_model_of_a_batch_counts_at_its_own_budget_whatever_it_is_called() {
    let other_names = "[[providers]]\nname = \"elsewhere\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/\"\n\
        [[models]]\nalias = \"again-a\"\ntarget = { provider = \"anthropic\", model = \"claude-a\" }\n\
        [[models]]\nalias = \"elsewhere-a\"\ntarget = { provider = \"elsewhere\", model = \"claude-a\" }\n";
    for lane in ["/v1", "/passthrough/anthropic"] {
        let results = result("claude-a-20250101", 10, 20) + &result("claude-b", 5, 5);
        let (mut upstream, state) = anthropic(results).await;
        let requests = inline();
        let [of_a, of_b] = [0, 1].map(|at| input_of(&requests[at..=at]) + [100.0, 50.0][at]);
        let budgets = [
            budget("all", &format!("for = \"all\"\ntokens = {}", of_a + of_b)),
            budget("a", &format!("for = {{ model = \"my-claude-a\" }}\ntokens = {of_a}")),
            budget("again", "for = { model = \"again-a\" }\ntokens = 1000000"),
            budget("elsewhere", "for = { model = \"elsewhere-a\" }\ntokens = 1"),
            budget("b", "for = { model = \"my-claude-b\" }\nusd = 1000"),
            budget("requests", "for = { model = \"my-claude-b\" }\nrequests = 10"),
            clients(&["one"]),
            other_names.to_owned(),
        ];
        let folder = Folder::with(&["anthropic", "openai"]);
        std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
        let gateway = Gateway::with(folder, &config("anthropic", &["claude-a", "claude-b"], &upstream, &budgets)).await;
        let path = format!("{lane}/messages/batches");
        let begin = || by("one", Request::post(&path, format!("{{\"requests\":[{}]}}", requests.join(","))));
        let batch = id_in(&gateway.ask(&begin()).await);
        assert_eq!([used(&gateway, "all").await, used(&gateway, "a").await], [of_a + of_b, of_a], "{lane}");
        assert_eq!([used(&gateway, "again").await, used(&gateway, "elsewhere").await], [of_a, 0.0], "{lane}");
        assert_eq!(used(&gateway, "requests").await, 1.0);
        while upstream.unseen().is_some() {}
        let reply = gateway.ask(&begin()).await;
        assert_eq!(reply.status(), 429, "{lane}: {}", reply.text());
        assert!(
            lane != "/v1" || ANTHROPIC.error(&reply).is_some_and(|message| message.contains("budget")),
            "{}",
            reply.text()
        );
        assert!(!was_begun(&mut upstream));
        state.store(DONE, Ordering::SeqCst);
        assert_eq!(gateway.ask(&by("one", Request::get(&format!("{path}/{batch}/results")))).await.status(), 200);
        for (budget, amount) in [("all", 40.0), ("a", 30.0), ("again", 30.0), ("b", 1.5), ("requests", 1.0)] {
            until_used(&gateway, budget, amount).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_cancelled_before_any_answer_gives_all_back() {
    let cancelled = json!({"custom_id": "a", "result": {"type": "canceled"}}).to_string() + "\n";
    let (upstream, state) = anthropic(cancelled).await;
    let budgets = [budget("all", "for = \"all\"\ntokens = 1000"), clients(&["one"])];
    let gateway = open("anthropic", &["claude-a", "claude-b"], &upstream, &budgets).await;
    let path = "/v1/messages/batches";
    let body = format!("{{\"requests\":[{}]}}", inline().join(","));
    let batch = id_in(&gateway.ask(&by("one", Request::post(path, body))).await);
    assert!(used(&gateway, "all").await > 150.0);
    let cancel = Request::post(&format!("{path}/{batch}/cancel"), "");
    assert_eq!(gateway.ask(&by("one", cancel)).await.status(), 200);
    state.store(DONE, Ordering::SeqCst);
    assert_eq!(gateway.ask(&by("one", Request::get(&format!("{path}/{batch}/results")))).await.status(), 200);
    until_used(&gateway, "all", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_read_one_way_only_begin_no_batch_under_a_budget() {
    let (mut upstream, _) = anthropic(String::new()).await;
    let budgets = [budget("all", "for = \"all\"\ntokens = 1000"), clients(&["one"])];
    let gateway = open("anthropic", &["claude-a"], &upstream, &budgets).await;
    let params = |more: &str| format!(r#"{{"custom_id":"c","params":{{"messages":[]{more}}}}}"#);
    for (requests, status) in [
        (params(r#","model":"claude-a","max_tokens":9"#), 200),
        (params(r#","model":"claude-a","max_tokens":9,"max_tokens":100000"#), 429),
        (params(r#","model":"claude-a","max_tokens":9,"Max_Tokens":100000"#), 403),
        (params(r#","max_tokens":9"#), 403),
        (String::new(), 403),
        (format!(r#"{0}],"\u0072equests":[{0}"#, params(r#","model":"claude-a","max_tokens":600"#)), 429),
    ] {
        for path in ["/v1/messages/batches", "/passthrough/anthropic/messages/batches"] {
            let request = Request::post(path, format!("{{\"requests\":[{requests}]}}"));
            let reply = gateway.ask(&by("one", request)).await;
            assert_eq!(reply.status(), status, "{path} {requests}: {}", reply.text());
            assert_eq!(was_begun(&mut upstream), status == 200, "{path} {requests}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_one_model_holds_back_what_its_requests_may_use() {
    let request = |more: &str| format!(r#"{{"request":{{"contents":[{{"parts":[{{"text":"Hi"}}]}}]{more}}}}}"#);
    let requests = [
        request(r#","generationConfig":{"maxOutputTokens":"100","candidateCount":2}"#),
        request(r#","generation_config":{"max_output_tokens":50}"#),
    ];
    let tokens = input_of(&requests) + 250.0;
    for lane in ["/v1beta", "/passthrough/gemini"] {
        let begun = r#"{"name":"batches/b0123456789abcdef0123","metadata":{"state":"BATCH_STATE_PENDING"}}"#;
        let mut upstream = Upstream::always(Answer::json(200, begun)).await;
        let budgets = [
            budget("all", &format!("for = \"all\"\ntokens = {tokens}")),
            budget("model", &format!("for = {{ model = \"my-gemini-x\" }}\n{}", usd(2.0 * tokens))),
            clients(&["one"]),
        ];
        let gateway = open("gemini", &["gemini-x"], &upstream, &budgets).await;
        let model = if lane == "/v1beta" { "my-gemini-x" } else { "gemini-x" };
        let begin = |input: &str| {
            let path = format!("{lane}/models/{model}:batchGenerateContent");
            by("one", Request::post(&path, format!(r#"{{"batch":{{"inputConfig":{input}}}}}"#)))
        };
        let inline = format!(r#"{{"requests":{{"requests":[{}]}}}}"#, requests.join(","));
        let reply = gateway.ask(&begin(r#"{"fileName":"files/f0123456789abcdef"}"#)).await;
        assert_eq!(reply.status(), 403, "{lane}: {}", reply.text());
        assert!(
            GEMINI.error(&reply).is_some_and(|message| message.contains("in the batch itself")),
            "{}",
            reply.text()
        );
        assert!(!was_begun(&mut upstream));
        assert_eq!(gateway.ask(&begin(&inline)).await.status(), 200, "{lane}");
        assert_eq!(used(&gateway, "all").await, tokens, "{lane}");
        assert_eq!(used(&gateway, "model").await, (tokens + 250.0) / 10.0, "{lane}");
        assert!(was_begun(&mut upstream));
        assert_eq!(gateway.ask(&begin(&inline)).await.status(), 429, "{lane}");
        assert!(!was_begun(&mut upstream));
    }
}

/// A client that sets a short time for itself would have batches that nothing knows of.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_booked_though_the_time_is_over_that_its_client_waits() {
    let [tokens, _] = needed();
    for lane in LANES {
        let gate = Gate::default();
        let waits = gate.clone();
        let upstream = Upstream::scripted(move |request| {
            let batch = |status: &str, usage: Value| {
                json!({"id": "batch_0123456789abcdef", "object": "batch", "endpoint": "/v1/chat/completions",
                    "model": "gpt-x", "status": status, "usage": usage})
            };
            let done = json!({"input_tokens": 40, "output_tokens": 30, "total_tokens": 70});
            let answer = Answer::begin(200, &[("content-type", "application/json")]);
            match request.line() {
                "POST /base/files" => answer.piece(r#"{"id":"file-0123456789abcdef","object":"file"}"#).end(),
                "POST /base/batches" => answer.gate(&waits).piece(batch("validating", Value::Null).to_string()).end(),
                _ => answer.piece(batch("completed", done).to_string()).end(),
            }
        })
        .await;
        let budgets = [budget("tokens", "for = \"all\"\ntokens = 1000000"), clients(&["one"])];
        let gateway = open("openai", &["gpt-x"], &upstream, &budgets).await;
        let file = uploaded(&gateway, "one", lane, &lines()).await;
        let mut client = gateway.connect().await;
        client.send(&by("one", begin(lane, &file).header("x-weir-timeout-ms", "300"))).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        gate.open();
        let batch = id_in(&client.reply().await);
        until_used(&gateway, "tokens", tokens).await;
        let read = by("one", Request::get(&format!("{lane}/batches/{batch}")));
        assert_eq!(gateway.ask(&read).await.status(), 200);
        until_used(&gateway, "tokens", TOKENS).await;
        // A batch whose time is over before is not begun.
        let late = gateway.ask(&by("one", begin(lane, &file).header("x-weir-timeout-ms", "0"))).await;
        assert_eq!(late.status(), 504, "{}", late.text());
    }
}
