//! Limits and budgets: reserved at the beginning, booked by response, and never free when a session breaks.

use serde_json::{Value, json};
use weir_tests::{Gateway, Redis, SessionProvider, WebSocket};

use super::{CLIENT, PATH, asks, begun, client, config, done, session};

/// What is booked and reserved at the only budget, in tokens.
pub(super) async fn budget(gateway: &Gateway) -> (u64, u64) {
    let budgets = gateway.get("/admin/budgets").await.json();
    let budget = &budgets["budgets"][0];
    (budget["settled"].as_u64().unwrap(), budget["reserved"].as_u64().unwrap())
}

/// Waits until so much is booked.
pub(super) async fn until_booked(gateway: &Gateway, settled: u64, reserved: u64) {
    for _ in 0..2_000 {
        if budget(gateway).await == (settled, reserved) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("booked is {:?}", budget(gateway).await);
}

pub(super) fn tokens(limit: u64) -> String {
    format!("[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = {limit}\nper = \"month\"\n")
}

/// One response, from the client's request to its end.
pub(super) async fn respond(client: &mut WebSocket, upstream: &mut WebSocket, used: &Value) {
    client.say(&asks()).await;
    assert_eq!(upstream.hear().await.json()["type"], "response.create");
    upstream.say(&begun()).await;
    upstream.say(used).await;
    assert_eq!(client.hear().await.json()["type"], "response.created");
    assert_eq!(client.hear().await.json()["type"], "response.done");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_response_is_reserved_before_and_booked_when_it_ends() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    assert_eq!(budget(&gateway).await, (0, 4096), "the first response is reserved with the session");
    respond(&mut client, &mut upstream, &done(100, 20)).await;
    until_booked(&gateway, 120, 4196).await;
    // One that the provider begins by itself, when the client has spoken.
    upstream.say(&begun()).await;
    upstream.say(&done(130, 10)).await;
    client.hear().await;
    client.hear().await;
    until_booked(&gateway, 260, 4226).await;
    // A transcript of the input, which is billed beside the responses.
    let transcript = json!({"type": "conversation.item.input_audio_transcription.completed",
        "usage": {"type": "tokens", "input_tokens": 30, "output_tokens": 10}});
    upstream.say(&transcript).await;
    client.hear().await;
    until_booked(&gateway, 300, 4226).await;
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    until_booked(&gateway, 300, 0).await;
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_begins_is_booked_though_the_session_ends_before_it_is_admitted() {
    let Some(redis) = Redis::start() else { return };
    let provider = SessionProvider::listen().await;
    let shared = format!("[shared]\nurl = \"{}\"\nwait = \"1h\"\n", redis.url());
    let gateway = Gateway::open(&(config(&provider) + &tokens(6000) + &shared)).await;
    gateway.until_metric("weir_shared_state", 0.0).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    upstream.say(&begun()).await;
    assert_eq!(client.hear().await.json()["type"], "response.created");
    assert_eq!(budget(&gateway).await, (0, 4096));
    // The other nodes may have given something back, which the server does not say.
    redis.hang();
    upstream.say(&begun()).await;
    gateway.until_metric("weir_realtime_messages_total{from=\"provider\"}", 2.0).await;
    client.cut();
    upstream.hear().await;
    upstream.cut();
    until_booked(&gateway, 2 * 4096, 0).await;
    redis.wake();
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_is_counted_apart_and_no_token_twice() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let used = json!({"type": "response.done", "response": {"status": "completed", "usage": {
        "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
        "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0}},
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }}});
    respond(&mut client, &mut upstream, &used).await;
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    for (kind, count) in
        [("input", 55.0), ("input_audio", 13.0), ("cache_read", 64.0), ("output", 30.0), ("output_audio", 91.0)]
    {
        assert_eq!(gateway.metric(&format!("weir_tokens_total{{bucket=\"{kind}\"}}")).await, count, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_over_refuses_the_session_or_ends_it_with_an_error_event() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(1000))).await;
    let (status, body) = WebSocket::ask(gateway.address, PATH, &[]).await.unwrap_err();
    assert_eq!(status, 429, "{body}");
    assert!(body.contains("insufficient_quota"), "{body}");
    let gateway = Gateway::open(&(config(&provider) + &tokens(5000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    respond(&mut client, &mut upstream, &done(4900, 20)).await;
    let error = client.hear().await.json();
    assert_eq!((error["type"].as_str(), error["error"]["type"].as_str()), (Some("error"), Some("insufficient_quota")));
    assert!(error["event_id"].is_string(), "{error}");
    assert_eq!(client.hear().await.close().0, 1008);
    assert_eq!(upstream.hear().await.close().0, 1001);
    until_booked(&gateway, 4920, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_tokens_withholds_the_request_and_the_session_goes_on() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client("limits = { tokens_per_minute = 1500 }"))).await;
    let bearer = format!("Bearer {CLIENT}");
    let headers = [("authorization", bearer.as_str())];
    let (client, mut upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let mut client = client.unwrap();
    respond(&mut client, &mut upstream, &done(1200, 200)).await;
    client.say(&asks()).await;
    let error = client.hear().await.json();
    assert_eq!(error["error"]["type"], "rate_limit_exceeded", "{error}");
    client.say(&json!({"type": "session.update"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "session.update", "the request was withheld, the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_breaks_is_no_free_success() {
    let provider = SessionProvider::listen().await;
    for is_begun in [false, true] {
        let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        client.say(&asks()).await;
        upstream.hear().await;
        if is_begun {
            upstream.say(&begun()).await;
            client.hear().await;
        }
        upstream.cut();
        assert_eq!(client.hear().await.close().0, 1014);
        until_booked(&gateway, 4096, 0).await;
        assert_eq!(gateway.metric("weir_billing_unknown_total").await, 1.0, "begun: {is_begun}");
        // The response and its session.
        gateway.until_metric("weir_requests_total{outcome=\"broken\"}", 2.0).await;
    }
    // The client leaves in the middle of a response.
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.say(&asks()).await;
    upstream.hear().await;
    upstream.say(&begun()).await;
    client.hear().await;
    client.cut();
    assert_eq!(upstream.hear().await.close().0, 1001);
    // What the provider says until it has closed too still counts.
    upstream.say(&done(5, 6)).await;
    upstream.close(1001, "").await;
    until_booked(&gateway, 11, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_provider_refuses_costs_nothing() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.say(&asks()).await;
    upstream.hear().await;
    upstream.say(&json!({"type": "error", "error": {"type": "invalid_request_error"}})).await;
    assert_eq!(client.hear().await.json()["type"], "error");
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    until_booked(&gateway, 0, 0).await;
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_budget_is_used_up_is_passed_over() {
    let [first, second] = [SessionProvider::listen().await, SessionProvider::listen().await];
    let model = "[[models]]\nalias = \"both\"\ntargets = [{ provider = \"p\", model = \"x\" }, { provider = \"q\", model = \"y\" }]\n";
    let other = config(&second).replace("name = \"p\"", "name = \"q\"").split("[[models]]").next().unwrap().to_owned();
    let budget = "[[budgets]]\nname = \"of-p\"\nfor = { provider = \"p\" }\ntokens = 1\nper = \"month\"\n";
    let gateway = Gateway::open(&(config(&first) + &other + model + budget)).await;
    let asking = WebSocket::ask(gateway.address, "/v1/realtime?model=both", &[]);
    let (client, upstream) = tokio::join!(asking, second.grant());
    assert_eq!(client.unwrap().header("x-weir-provider"), Some("q"));
    drop(upstream);
    let of_all = gateway.restart(&(config(&first) + &other + model + &tokens(1))).await;
    let (status, body) = WebSocket::ask(of_all.address, "/v1/realtime?model=both", &[]).await.unwrap_err();
    assert_eq!(status, 429, "the caller's own budget has no room anywhere: {body}");
}
