//! Realtime sessions and pass-through under limits and budgets that nodes share, while the server between these dies,
//! hangs, becomes a replica, or answers anything but what it should.

use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::json;
use weir_tests::clients::{by, client};
use weir_tests::{Answer, Gateway, Redis, Reply, Request, SessionProvider, Upstream, WebSocket, soon};

use super::lies::{LIES, liar};
use crate::keys::TOKEN;
use crate::wire_format::OPENAI;

/// The tokens of each response of a session, and of each answer that is passed through.
const TOKENS: u64 = 17;
const PATH: &str = "/v1/realtime?model=rt";
/// The longest that a request may take that nothing holds up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A provider of sessions and one that requests are passed through to, with one client and one budget.
struct Doors {
    provider: SessionProvider,
    upstream: Upstream,
}

impl Doors {
    async fn new() -> Self {
        let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
        Self { provider: SessionProvider::listen().await, upstream }
    }

    async fn gateway(&self, limits: &str, tokens: u64, shared: &str) -> Gateway {
        let one = |name: &str, url: &str| {
            format!(
                "[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{url}\"\napi_key = \"KEY-OF-{name}\"\n\
                 passthrough = [\"* *\"]\n"
            )
        };
        let admin = format!("[admin]\ntoken = \"{TOKEN}\"\n");
        let config = admin
            + &one("p", &self.provider.url())
            + &one("q", &self.upstream.url())
            + "[[models]]\nalias = \"rt\"\ntarget = { provider = \"p\", model = \"gpt-realtime\" }\n"
            + &client("a", &format!("passthrough = [\"* * *\"]\nlimits = {{ {limits} }}"))
            + &format!(
                "[[budgets]]\nname = \"all\"\nfor = \"all\"\nper = \"total\"\ntokens = {tokens}\n[shared]\n{shared}\n"
            );
        Gateway::open(&config).await
    }

    /// A session, or the status and the body of the refusal.
    async fn session(&self, gateway: &Gateway) -> Result<(WebSocket, WebSocket), (u16, String)> {
        let headers = [("authorization", "Bearer weir-a-0123456789abcdef")];
        let mut asking = pin!(WebSocket::ask(gateway.address, PATH, &headers));
        tokio::select! {
            biased;
            provider = self.provider.grant() => Ok((asking.await.unwrap(), provider)),
            // Of a handshake that is refused, the provider sees nothing.
            refused = &mut asking => Err(refused.err().unwrap()),
        }
    }
}

/// A request that is passed through, whose use its answer tells.
async fn pass(gateway: &Gateway) -> Reply {
    let body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]});
    gateway.ask(&by("a", Request::post("/passthrough/q/chat/completions", body.to_string()))).await
}

/// One response of a session, from the client's request to its end.
async fn respond((client, upstream): &mut (WebSocket, WebSocket)) {
    client.say(&json!({"type": "response.create"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "response.create");
    let usage = json!({"total_tokens": TOKENS, "input_tokens": 10, "output_tokens": 7,
        "input_token_details": {"text_tokens": 10}, "output_token_details": {"text_tokens": 7}});
    upstream.say(&json!({"type": "response.created", "response": {"id": "r"}})).await;
    upstream
        .say(&json!({"type": "response.done", "response": {"id": "r", "status": "completed", "usage": usage}}))
        .await;
    assert_eq!(client.hear().await.json()["type"], "response.created");
    assert_eq!(client.hear().await.json()["type"], "response.done");
}

async fn close((mut client, mut upstream): (WebSocket, WebSocket)) {
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
}

/// Waits until the budget has booked so much, and holds nothing.
async fn until_booked(gateway: &Gateway, tokens: u64) {
    let begun = Instant::now();
    loop {
        let seen = gateway.ask(&Request::get("/admin/budgets").bearer(TOKEN)).await.json()["budgets"][0].clone();
        if (&seen["settled"], &seen["reserved"]) == (&json!(tokens), &json!(0)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{tokens} are to be booked: {seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_passed_requests_go_on_while_the_server_is_away_hangs_or_only_reads_and_all_use_is_booked_once() {
    let Some(redis) = Redis::start() else { return };
    let doors = Doors::new().await;
    let shared = format!("url = \"{}\"\nwait = \"10s\"", redis.url());
    let limits = "requests_per_minute = 100000, tokens_per_minute = 100000000, streams = 100";
    let gateway = doors.gateway(limits, 100_000_000, &shared).await;
    let mut long = doors.session(&gateway).await.unwrap();
    let mut used = 0;
    for fault in ["kill", "hang", "replica"] {
        gateway.until_metric("weir_shared_state", 0.0).await;
        respond(&mut long).await;
        assert_eq!(pass(&gateway).await.status(), 200, "before {fault}");
        used += 2 * TOKENS;
        match fault {
            "kill" => redis.kill(),
            "hang" => redis.hang(),
            _ => _ = redis.run(&["replicaof", "127.0.0.1", "1"]),
        }
        for round in 0..3 {
            let begun = Instant::now();
            respond(&mut long).await;
            let reply = pass(&gateway).await;
            assert_eq!(reply.status(), 200, "{fault}: {}", reply.text());
            let mut short = doors.session(&gateway).await.unwrap_or_else(|refused| panic!("{fault}: {refused:?}"));
            respond(&mut short).await;
            close(short).await;
            used += 3 * TOKENS;
            assert!(begun.elapsed() < PATIENCE, "{fault}, {round}: it took {:?}", begun.elapsed());
            if round == 0 {
                gateway.until_metric("weir_shared_state", 1.0).await;
            }
        }
        match fault {
            "kill" => redis.go(),
            "hang" => redis.wake(),
            _ => _ = redis.run(&["replicaof", "no", "one"]),
        }
        gateway.until_metric("weir_shared_state", 0.0).await;
        respond(&mut long).await;
        used += TOKENS;
    }
    close(long).await;
    until_booked(&gateway, used).await;
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
    // Another node hears of all of it.
    let other = doors.gateway(limits, 100_000_000, &shared).await;
    assert_eq!(pass(&other).await.status(), 200);
    other.until_metric("weir_budget_used{budget=\"all\"}", (used + TOKENS) as f64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_to_be_admitted_without_the_server_sessions_and_passed_requests_are_refused_and_come_back() {
    let Some(redis) = Redis::start() else { return };
    let doors = Doors::new().await;
    let shared = format!("url = \"{}\"\nwait = \"10s\"\nwhen_lost = \"closed\"", redis.url());
    let gateway = doors.gateway("streams = 100", 20_000, &shared).await;
    gateway.until_metric("weir_shared_state", 0.0).await;
    let mut long = doors.session(&gateway).await.unwrap();
    respond(&mut long).await;
    redis.kill();
    gateway.until_metric("weir_shared_state", 1.0).await;
    // What the node has leased already may be used up.
    let mut served = 0;
    let refused = loop {
        let reply = pass(&gateway).await;
        if reply.status() != 200 {
            break reply;
        }
        served += 1;
        assert!(served < 2_000, "it is refused at some time");
    };
    assert_eq!(refused.status(), 429, "{}", refused.text());
    let (status, body) = doors.session(&gateway).await.err().unwrap();
    assert_eq!(status, 429, "{body}");
    redis.go();
    gateway.until_metric("weir_shared_state", 0.0).await;
    soon("a request to be served", async {
        while pass(&gateway).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    close(doors.session(&gateway).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_a_server_holds_up_sessions_and_passed_requests() {
    let doors = Doors::new().await;
    for (name, lie) in LIES {
        let port = liar(lie).await;
        // Longer than the test waits: what waited for this server would fail it.
        let shared = format!("url = \"redis://127.0.0.1:{port}\"\nwait = \"1h\"");
        let gateway = doors.gateway("tokens_per_minute = 100000, streams = 2", 10_000, &shared).await;
        let mut first = doors.session(&gateway).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        respond(&mut first).await;
        let second = doors.session(&gateway).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        // Each session holds a stream, and 4096 tokens for its next response.
        let (status, body) = doors.session(&gateway).await.err().unwrap();
        assert_eq!(status, 429, "{name}: {body}");
        let reply = pass(&gateway).await;
        assert_eq!(reply.status(), 200, "{name}: {}", reply.text());
        close(first).await;
        close(second).await;
        until_booked(&gateway, 2 * TOKENS).await;
        assert_eq!(gateway.metric("weir_shared_state").await, 1.0, "{name}");
        gateway.ended().await;
    }
}
