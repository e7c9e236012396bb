//! Answers and other objects that providers store: reading them again costs nothing, and what is made in the background
//! is booked once, when it is read.

mod history;
mod removal;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::clients::{self, by};
use weir_tests::{Answer, Folder, Gate, Gateway, Received, Reply, Request, Upstream};

use crate::keys::TOKEN;
use crate::wire_format::{OPENAI, config_of};

/// The tokens of every finished answer: 10 of input, 4 of them cached, and 7 of output.
const TOKENS: u64 = 17;
/// What they cost: a dollar for each, but a half for cached ones.
const DOLLARS: &str = "15";

/// What has become of the provider's answers; at first, it works on them.
const DONE: u64 = 1;
const FAILED: u64 = 2;

/// A provider that stores answers and works on those in the background until it is told that they are done.
#[derive(Clone)]
struct Store {
    state: Arc<AtomicU64>,
    /// Opens once a stream in the background may go on.
    gate: Gate,
}

impl Store {
    async fn start() -> (Self, Upstream) {
        let store = Self { state: Arc::default(), gate: Gate::default() };
        let own = store.clone();
        (store, Upstream::scripted(move |request| own.answer(request)).await)
    }

    fn set(&self, state: u64) {
        self.state.store(state, Ordering::SeqCst);
    }

    fn answer(&self, request: &Received) -> Answer {
        let line = request.line();
        if line.contains("/batches") {
            let usage = json!({"input_tokens": 100, "output_tokens": 100});
            let batch =
                json!({"id": "batch_0123456789abcdef", "object": "batch", "status": "completed", "usage": usage});
            return Answer::json(200, batch.to_string());
        }
        if line.contains("/files") {
            return Answer::json(200, json!({"id": "file-0123456789abcdef", "object": "file"}).to_string());
        }
        if line.starts_with("DELETE") {
            return Answer::json(200, json!({"id": ID, "object": "response", "deleted": true}).to_string());
        }
        if line.starts_with("POST /base/responses/") {
            return Answer::json(200, response("cancelled", true).to_string());
        }
        if let Some(query) = line.strip_prefix("GET /base/responses/") {
            return self.read(query.contains("stream=true"));
        }
        let body = request.json();
        match (body["background"] == true, body["stream"] == true) {
            (true, true) => self.stream_begun(body["user"] == "seen"),
            (true, false) => Answer::json(200, response("queued", false).to_string()),
            (false, _) => Answer::json(200, response("completed", true).to_string()),
        }
    }

    fn read(&self, streams: bool) -> Answer {
        match (self.state.load(Ordering::SeqCst), streams) {
            (DONE, true) => {
                let events = event("response.created", &response("in_progress", false))
                    + "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Yes\"}\n\n"
                    + &event("response.completed", &response("completed", true));
                Answer::sse().pieces(events, 50).end()
            }
            (DONE, false) => Answer::json(200, response("completed", true).to_string()),
            (FAILED, _) => Answer::json(200, response("failed", false).to_string()),
            (_, _) => Answer::json(200, response("in_progress", false).to_string()),
        }
    }

    fn stream_begun(&self, has_content: bool) -> Answer {
        let content =
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Yes\"}\n\n";
        let events = event("response.created", &response("queued", false)) + if has_content { content } else { "" };
        Answer::sse().piece(events).gate(&self.gate).end()
    }
}

const ID: &str = "resp_0123456789abcdef";

fn response(status: &str, has_usage: bool) -> Value {
    let usage = json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7});
    let text = json!({"type": "output_text", "text": "Yes.", "annotations": []});
    let message = json!({"type": "message", "id": "msg_0123456789abcdef", "role": "assistant", "content": [text]});
    json!({
        "id": ID, "object": "response", "model": "openai", "status": status, "instructions": "Be kind. ".repeat(50),
        "output": if has_usage { json!([message]) } else { json!([]) },
        "usage": if has_usage { usage } else { Value::Null },
    })
}

fn event(kind: &str, response: &Value) -> String {
    format!("event: {kind}\ndata: {}\n\n", json!({"type": kind, "response": response}))
}

fn made(more: Value) -> Request {
    let mut body = json!({"model": "openai", "input": "Hi", "max_output_tokens": 500});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    by("one", Request::post("/v1/responses", body.to_string()))
}

fn read() -> Request {
    by("one", Request::get(&format!("/v1/responses/{ID}")))
}

fn streamed() -> Request {
    by("one", Request::get(&format!("/v1/responses/{ID}?stream=true")))
}

/// A gateway with two clients, with prices, and with a budget of each unit for the first client, one for the second,
/// and one for the model.
async fn gateway(upstream: &Upstream) -> Gateway {
    gateway_with(upstream, 1_000_000, "").await
}

/// The same with budgets of so many dollars and tokens, and these settings of `[server]`.
async fn gateway_with(upstream: &Upstream, limit: u64, server: &str) -> Gateway {
    let folder = Folder::with(&["openai"]);
    let prices =
        r#"{"providers": {"openai": {"openai": {"input": "1000000", "cache_read": "500000", "output": "1000000"}}}}"#;
    std::fs::write(folder.path().join("prices.json"), prices).unwrap();
    let client = |name: &str| clients::client(name, "passthrough = [\"* * *\"]");
    let budget = |name: &str, whose: &str, limit: &str| {
        format!("[[budgets]]\nname = \"{name}\"\nfor = {{ {whose} }}\n{limit}\nper = \"total\"\n")
    };
    let tokens = format!("tokens = {limit}");
    let budgets = [
        budget("tokens", "key = \"one\"", &tokens),
        budget("money", "key = \"one\"", &format!("usd = {limit}")),
        budget("requests", "key = \"one\"", "requests = 1000"),
        budget("others", "key = \"two\"", &tokens),
        budget("model", "model = \"openai\"", &tokens),
        budget("provider", "provider = \"openai\"", &tokens),
    ];
    let providers = config_of(&[OPENAI], upstream).replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =");
    let config = format!(
        "price_file = \"prices.json\"\n[server]\n{server}\n[admin]\ntoken = \"{TOKEN}\"\n{providers}{}{}{}",
        client("one"),
        client("two"),
        budgets.concat()
    );
    Gateway::with(folder, &config).await
}

/// What is settled and reserved at a budget.
async fn counted(gateway: &Gateway, name: &str) -> (u64, u64) {
    let admin = Request::get("/admin/budgets").header("authorization", &format!("Bearer {TOKEN}"));
    let page = gateway.ask(&admin).await.json();
    let all = page["budgets"].as_array().unwrap();
    let budget = all
        .iter()
        .find(|budget| budget["budget"] == name || budget["id"] == name || budget["name"] == name)
        .unwrap_or_else(|| panic!("{page}"));
    // Dollars are texts.
    let dollars = |amount: &Value| amount.as_str().map(|text| text.parse::<f64>().unwrap() as u64);
    let amount = |amount: &Value| amount.as_u64().or_else(|| dollars(amount)).unwrap_or_else(|| panic!("{page}"));
    (amount(&budget["settled"]), amount(&budget["reserved"]))
}

/// Waits until what is settled and reserved at a budget is as expected.
async fn until(gateway: &Gateway, name: &str, is_expected: impl Fn((u64, u64)) -> bool) {
    for _ in 0..2_000 {
        if is_expected(counted(gateway, name).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name}: {:?}", counted(gateway, name).await);
}

/// Waits until so much is settled at a budget, and nothing reserved.
async fn until_settled(gateway: &Gateway, name: &str, settled: u64) {
    until(gateway, name, |counted| counted == (settled, 0)).await;
}

/// Waits until one answer is booked at all budgets that cover it, and so many requests.
async fn until_booked_once(gateway: &Gateway, requests: u64) {
    for (budget, settled) in [
        ("tokens", TOKENS),
        ("money", 15),
        ("requests", requests),
        ("others", 0),
        ("model", TOKENS),
        ("provider", TOKENS),
    ] {
        until_settled(gateway, budget, settled).await;
    }
    for (bucket, tokens) in [("input", 6.0), ("cache_read", 4.0), ("output", 7.0)] {
        let series = format!("weir_tokens_total{{bucket=\"{bucket}\",model=\"openai\"}}");
        assert_eq!(gateway.metric(&series).await, tokens, "{bucket}");
    }
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
}

async fn asked(gateway: &Gateway, request: &Request) -> Reply {
    let reply = gateway.ask(request).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_answer_is_booked_when_it_is_made_and_not_when_it_is_read_again() {
    let (store, upstream) = Store::start().await;
    store.set(DONE);
    let gateway = gateway(&upstream).await;
    let reply = asked(&gateway, &made(json!({}))).await;
    assert_eq!(reply.header("x-weir-cost-usd"), Some(DOLLARS));
    for request in [read(), read(), streamed()] {
        let reply = asked(&gateway, &request).await;
        assert_eq!(reply.header("x-weir-cost-usd"), None);
        assert!(reply.text().contains("\"input_tokens\":10"), "the client sees the usage all the same");
    }
    until_booked_once(&gateway, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_stored_objects_cost_nothing_to_read_or_cancel() {
    let (_, upstream) = Store::start().await;
    let gateway = gateway(&upstream).await;
    let line =
        r#"{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"openai","max_output_tokens":9}}"#;
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{line}\r\n--x--\r\n"
    );
    let upload =
        Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x").body(&form);
    asked(&gateway, &by("one", upload)).await;
    let batch = by("one", Request::post("/v1/batches", r#"{"input_file_id":"file-0123456789abcdef"}"#));
    asked(&gateway, &batch).await;
    until_settled(&gateway, "requests", 2).await;
    let (made, _) = counted(&gateway, "tokens").await;
    for request in [
        Request::get("/v1/batches/batch_0123456789abcdef"),
        Request::get("/v1/batches"),
        Request::new("POST", "/v1/batches/batch_0123456789abcdef/cancel"),
        Request::get("/passthrough/openai/batches/batch_0123456789abcdef"),
    ] {
        asked(&gateway, &by("one", request)).await;
    }
    until_settled(&gateway, "requests", 6).await;
    until_settled(&gateway, "tokens", made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_count_against_limits_of_requests_and_not_of_tokens() {
    let (_, upstream) = Store::start().await;
    let limits = "limits = { requests_per_minute = 4, tokens_per_minute = 1000 }\n";
    let client = clients::client("one", limits);
    let gateway = Gateway::open(&(config_of(&[OPENAI], &upstream) + &client)).await;
    for request in [made(json!({})), read(), read(), streamed()] {
        asked(&gateway, &request).await;
    }
    let refused = gateway.ask(&read()).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.text().contains("requests a minute"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_background_is_booked_when_it_is_first_read_finished_whole_or_streamed() {
    for (first, cost) in [(read(), Some(DOLLARS)), (streamed(), None)] {
        let (store, upstream) = Store::start().await;
        let gateway = gateway(&upstream).await;
        let reply = asked(&gateway, &made(json!({"background": true}))).await;
        assert_eq!(reply.header("x-weir-cost-usd"), None);
        let (settled, reserved) = counted(&gateway, "tokens").await;
        assert!(settled == 0 && reserved > 500, "all that it may use stays reserved: {settled}, {reserved}");
        for request in [read(), streamed()] {
            asked(&gateway, &request).await;
        }
        until(&gateway, "requests", |counted| counted == (2, 1)).await;
        for budget in ["tokens", "model", "provider"] {
            let (settled, still) = counted(&gateway, budget).await;
            assert!(settled == 0 && still >= 500, "polls book nothing at {budget}: {settled}, {still}");
        }
        assert_eq!(gateway.metric("weir_tokens_total{model=\"openai\"}").await, 0.0);
        store.set(DONE);
        let reply = asked(&gateway, &first).await;
        assert_eq!(reply.header("x-weir-cost-usd"), cost);
        until_booked_once(&gateway, 4).await;
        for request in [read(), streamed()] {
            asked(&gateway, &request).await;
        }
        until_booked_once(&gateway, 6).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_background_is_booked_to_its_creator_and_no_other_client_reads_it() {
    let (store, upstream) = Store::start().await;
    let gateway = gateway(&upstream).await;
    asked(&gateway, &made(json!({"background": true}))).await;
    store.set(DONE);
    let other = by("two", Request::get(&format!("/v1/responses/{ID}")));
    assert_eq!(gateway.ask(&other).await.status(), 404);
    let passed = by("two", Request::get(&format!("/passthrough/openai/responses/{ID}")));
    assert_ne!(gateway.ask(&passed).await.status(), 200);
    assert_eq!(counted(&gateway, "tokens").await.0, 0);
    asked(&gateway, &read()).await;
    until_booked_once(&gateway, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_reads_at_once_one_books_the_answer() {
    let (store, upstream) = Store::start().await;
    let gateway = Arc::new(gateway(&upstream).await);
    asked(&gateway, &made(json!({"background": true}))).await;
    store.set(DONE);
    let tasks: Vec<_> = (0..24)
        .map(|number| {
            let gateway = Arc::clone(&gateway);
            let request = if number % 2 == 0 { read() } else { streamed() };
            tokio::spawn(async move { gateway.ask(&request).await.status() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 200);
    }
    until_booked_once(&gateway, 25).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_answer_of_the_background_is_booked_by_what_it_reports() {
    let (_, upstream) = Store::start().await;
    let gateway = gateway(&upstream).await;
    asked(&gateway, &made(json!({"background": true}))).await;
    let cancel = by("one", Request::new("POST", &format!("/v1/responses/{ID}/cancel")));
    asked(&gateway, &cancel).await;
    asked(&gateway, &cancel).await;
    until_booked_once(&gateway, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_background_that_reports_no_usage_in_the_end_is_estimated_and_its_reservation_returned() {
    let (store, upstream) = Store::start().await;
    let gateway = gateway(&upstream).await;
    asked(&gateway, &made(json!({"background": true}))).await;
    store.set(FAILED);
    asked(&gateway, &read()).await;
    until(&gateway, "tokens", |(_, reserved)| reserved == 0).await;
    let (booked, _) = counted(&gateway, "tokens").await;
    assert!((1..500).contains(&booked), "{booked}");
    asked(&gateway, &read()).await;
    until_settled(&gateway, "requests", 3).await;
    until_settled(&gateway, "tokens", booked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_background_that_its_client_never_reads_is_booked_all_the_same() {
    let (store, upstream) = Store::start().await;
    let gateway = gateway_with(&upstream, 1_000_000, "book_unread_after = \"100ms\"").await;
    asked(&gateway, &made(json!({"background": true}))).await;
    store.set(DONE);
    until_booked_once(&gateway, 1).await;
    asked(&gateway, &read()).await;
    until_booked_once(&gateway, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_uses_after_its_client_has_left_the_stream_is_booked_without_another_read() {
    let (store, upstream) = Store::start().await;
    let gateway = gateway_with(&upstream, 1_000_000, "book_unread_after = \"100ms\"").await;
    let mut client = gateway.connect().await;
    client.send(&made(json!({"background": true, "stream": true, "user": "seen"}))).await;
    client.head().await;
    client.until("\"delta\":\"Yes").await;
    client.leave();
    store.set(DONE);
    for budget in ["tokens", "model", "provider"] {
        until(&gateway, budget, |counted| matches!(counted, (TOKENS..30, 0))).await;
    }
    until_settled(&gateway, "requests", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_the_background_that_its_client_leaves_costs_no_less_than_it_reports_later() {
    for (user, last) in [("seen", "\"delta\":\"Yes"), ("unseen", "\"status\":\"queued")] {
        let (store, upstream) = Store::start().await;
        let gateway = gateway(&upstream).await;
        let mut client = gateway.connect().await;
        client.send(&made(json!({"background": true, "stream": true, "user": user}))).await;
        client.head().await;
        client.until(last).await;
        client.leave();
        gateway.until_metric("weir_client_disconnects_total", 1.0).await;
        let (left, reserved) = counted(&gateway, "tokens").await;
        match user {
            "seen" => assert!((1..TOKENS).contains(&left) && reserved == 0, "{left}, {reserved}"),
            _ => assert!(left == 0 && reserved > 500, "it may have used all of that: {left}, {reserved}"),
        }
        store.set(DONE);
        for _ in 0..2 {
            asked(&gateway, &read()).await;
        }
        until_settled(&gateway, "requests", 3).await;
        let (booked, reserved) = counted(&gateway, "tokens").await;
        assert!((TOKENS..TOKENS + 12).contains(&booked) && reserved == 0, "{user}: {booked}, {reserved}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_through_is_booked_in_the_same_way() {
    let (store, upstream) = Store::start().await;
    let gateway = gateway(&upstream).await;
    let body = json!({"model": "openai", "input": "Hi", "background": true}).to_string();
    asked(&gateway, &by("one", Request::post("/passthrough/openai/responses", body))).await;
    let read = by("one", Request::get(&format!("/passthrough/openai/responses/{ID}")));
    asked(&gateway, &read).await;
    store.set(DONE);
    for _ in 0..2 {
        asked(&gateway, &read).await;
    }
    for (budget, settled) in [("tokens", TOKENS), ("money", 15), ("requests", 4), ("provider", TOKENS)] {
        until_settled(&gateway, budget, settled).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_of_the_background_reserved_refuses_neither_its_reads_nor_its_cancellation() {
    for base in ["/v1", "/passthrough/openai"] {
        let (store, upstream) = Store::start().await;
        let gateway = gateway_with(&upstream, 2_000, "").await;
        let post = |body: Value| by("one", Request::post(&format!("{base}/responses"), body.to_string()));
        let about = |method, path: &str| by("one", Request::new(method, &format!("{base}/{path}")));
        asked(&gateway, &post(json!({"model": "openai", "input": "Hi", "background": true}))).await;
        for budget in ["tokens", "money", "provider"] {
            assert_eq!(counted(&gateway, budget).await, (0, 2_000), "it may take all of {budget}");
        }
        let refused = post(json!({"model": "openai", "input": "Hi", "max_output_tokens": 1}));
        assert_eq!(gateway.ask(&refused).await.status(), 429, "{base}: what is new is refused");
        let id = format!("responses/{ID}");
        for (method, path) in [("GET", &*id), ("GET", &format!("{id}?stream=true")), ("GET", "batches")] {
            asked(&gateway, &about(method, path)).await;
        }
        assert_eq!(counted(&gateway, "tokens").await, (0, 2_000), "{base}: it is not finished");
        store.set(DONE);
        asked(&gateway, &about("POST", &format!("{id}/cancel"))).await;
        for (budget, settled) in [("tokens", TOKENS), ("money", TOKENS - 2), ("provider", TOKENS)] {
            until_settled(&gateway, budget, settled).await;
        }
        asked(&gateway, &about("DELETE", &id)).await;
        asked(&gateway, &post(json!({"model": "openai", "input": "Hi", "max_output_tokens": 500}))).await;
    }
}
