//! What a client may try so that a response costs nothing, and what a provider may do so that one is not counted:
//! requests that are hidden, responses that overlap, usage beside them, and endings without usage.

use serde_json::{Value, json};
use weir_tests::{Gateway, SessionProvider, WebSocket};

use super::money::{budget, respond, tokens, until_booked};
use super::{CLIENT, KEY, PATH, asks, begun, client, config, done, session};

/// A session of the client `a`.
async fn session_of_a(gateway: &Gateway, provider: &SessionProvider) -> (WebSocket, WebSocket) {
    let bearer = format!("Bearer {CLIENT}");
    let headers = [("authorization", bearer.as_str())];
    let (client, provider) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    (client.unwrap(), provider)
}

fn transcript(input: u64, output: u64) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.completed",
        "usage": {"type": "tokens", "input_tokens": input, "output_tokens": output}})
}

/// The provider says this, and the client hears it.
async fn passes(client: &mut WebSocket, upstream: &mut WebSocket, message: &Value) {
    upstream.say(message).await;
    assert_eq!(client.hear().await.json(), *message);
}

/// The client hears an error event of this type, and then that the session is over.
async fn is_ended(client: &mut WebSocket, kind: &str) {
    let error = client.hear().await.json();
    assert_eq!((error["type"].as_str(), error["error"]["type"].as_str()), (Some("error"), Some(kind)), "{error}");
    assert_eq!(client.hear().await.close().0, 1008);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_begins_while_another_is_under_way_is_booked_too() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.say(&asks()).await;
    upstream.hear().await;
    for message in [begun(), begun(), begun(), done(100, 20), done(50, 5), done(7, 1)] {
        passes(&mut client, &mut upstream, &message).await;
    }
    until_booked(&gateway, 183, 4196).await;
    // More than a session may have end it, and count.
    for _ in 0..17 {
        passes(&mut client, &mut upstream, &begun()).await;
    }
    is_ended(&mut client, "rate_limit_exceeded").await;
    upstream.cut();
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 17.0);
    let (settled, reserved) = budget(&gateway).await;
    assert!(settled >= 183 + 17 * 4096 && reserved == 0, "{settled} {reserved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_found_behind_escapes_and_padding() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client("limits = { tokens_per_minute = 1500 }"))).await;
    let (mut client, mut upstream) = session_of_a(&gateway, &provider).await;
    respond(&mut client, &mut upstream, &done(1200, 200)).await;
    for hidden in [
        r#"{"t\u0079pe":"response.create"}"#,
        r#"{"type" : "\u0072esponse.create"}"#,
        r#"{"response":{"type":"x"},"type":"response.create"}"#,
    ] {
        client.frame(true, 1, hidden.as_bytes()).await;
        assert_eq!(client.hear().await.json()["error"]["type"], "rate_limit_exceeded", "{hidden}");
    }
    // What cannot be read is reported to the client, and does not go on.
    for unread in ["response.create", r#"{"type":"response.create","type":"x"}"#, r#"{"type":"response.create""#] {
        client.frame(true, 1, unread.as_bytes()).await;
        assert_eq!(client.hear().await.json()["error"]["type"], "invalid_request_error", "{unread}");
    }
    client.say(&json!({"type": "session.update"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "session.update", "nothing else arrived");
    let padded = format!("{{\"pad\":\"{}\",\"type\":\"response.create\"}}", " ".repeat(300 << 10));
    client.frame(true, 1, padded.as_bytes()).await;
    is_ended(&mut client, "rate_limit_exceeded").await;
    upstream.until_closed_within_a_message(1001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_passes_only_if_it_can_be_read() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let item = json!({"type": "conversation.item.create", "image": "iVBO".repeat(100 << 10)}).to_string();
    client.frame(true, 1, item.as_bytes()).await;
    assert!(upstream.message().await == item.as_bytes());
    let request = json!({"type": "response.create", "image": "iVBO".repeat(100 << 10)}).to_string();
    client.frame(true, 1, request.as_bytes()).await;
    assert!(upstream.message().await == request.as_bytes());
    passes(&mut client, &mut upstream, &begun()).await;
    passes(&mut client, &mut upstream, &done(1000, 1)).await;
    client.frame(true, 1, format!("{{\"type\":[{}", "[".repeat(300 << 10)).as_bytes()).await;
    let (code, reason) = client.hear().await.close();
    assert!(code == 1009 && reason.contains("must be JSON"), "{code} {reason}");
    upstream.until_closed_within_a_message(1001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_does_not_make_a_broken_response_cheap() {
    let provider = SessionProvider::listen().await;
    for (usage, booked) in [(transcript(3, 1), 4096), (transcript(5000, 10), 5010)] {
        let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        client.say(&asks()).await;
        upstream.hear().await;
        passes(&mut client, &mut upstream, &begun()).await;
        passes(&mut client, &mut upstream, &usage).await;
        upstream.cut();
        assert_eq!(client.hear().await.close().0, 1014);
        until_booked(&gateway, booked, 0).await;
        assert_eq!(gateway.metric("weir_billing_unknown_total").await, 1.0);
    }
    // Nor one that ends without usage of its own.
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.say(&asks()).await;
    upstream.hear().await;
    let ended = json!({"type": "response.done", "response": {"status": "cancelled", "usage": null}});
    for message in [begun(), transcript(3, 1), ended] {
        passes(&mut client, &mut upstream, &message).await;
    }
    until_booked(&gateway, 4096, 4099).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_beside_responses_is_booked_and_ends_the_session_where_the_budget_is_over() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(5000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    passes(&mut client, &mut upstream, &transcript(4000, 100)).await;
    is_ended(&mut client, "insufficient_quota").await;
    // What follows until the provider has closed too is owed all the same.
    upstream.say(&transcript(2000, 1)).await;
    upstream.close(1001, "").await;
    until_booked(&gateway, 6101, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_the_provider_begins_without_room_is_booked_and_ends_the_session() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(5000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    client.say(&asks()).await;
    upstream.hear().await;
    passes(&mut client, &mut upstream, &begun()).await;
    passes(&mut client, &mut upstream, &begun()).await;
    is_ended(&mut client, "insufficient_quota").await;
    assert_eq!(upstream.hear().await.json()["type"], "response.cancel");
    for message in [done(10, 1), done(20, 2)] {
        upstream.say(&message).await;
    }
    upstream.close(1001, "").await;
    until_booked(&gateway, 33, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_response_beyond_a_limit_count_against_it() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client("limits = { tokens_per_minute = 1500 }"))).await;
    let (mut client, mut upstream) = session_of_a(&gateway, &provider).await;
    respond(&mut client, &mut upstream, &done(1200, 200)).await;
    passes(&mut client, &mut upstream, &begun()).await;
    is_ended(&mut client, "rate_limit_exceeded").await;
    upstream.say(&done(60_000, 1)).await;
    upstream.close(1001, "").await;
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    let bearer = format!("Bearer {CLIENT}");
    let (status, body) =
        WebSocket::ask(gateway.address, PATH, &[("authorization", bearer.as_str())]).await.unwrap_err();
    assert!(status == 429 && body.contains("1500 tokens a minute"), "{status} {body}");
    assert_eq!(gateway.metric("weir_tokens_total{bucket=\"input\"}").await, 61_200.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_says_is_reserved_before_a_response_reads_it() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(20_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let item = json!({"type": "conversation.item.create", "text": "some words ".repeat(3600)});
    client.say(&item).await;
    assert_eq!(upstream.hear().await.json(), item);
    let (settled, reserved) = budget(&gateway).await;
    assert!(settled == 0 && (13_900..14_100).contains(&reserved), "{reserved}");
    client.say(&item).await;
    is_ended(&mut client, "insufficient_quota").await;
    assert_eq!(upstream.hear().await.close().0, 1001);
    until_booked(&gateway, 0, 0).await;
    // Seconds of audio have few tokens.
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let audio = json!({"type": "input_audio_buffer.append", "audio": "aB3/".repeat(16_000)});
    for _ in 0..20 {
        client.say(&audio).await;
        upstream.message().await;
    }
    let (_, reserved) = budget(&gateway).await;
    assert!((4096..6000).contains(&reserved), "{reserved}");
    // Text that looks like audio has as many as any.
    client.say(&json!({"type": "conversation.item.create", "text": "aB3/".repeat(20_000)})).await;
    is_ended(&mut client, "insufficient_quota").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_audio_is_reserved_at_the_price_of_audio() {
    let provider = SessionProvider::listen().await;
    let settings = format!(
        "[[providers]]\nname = \"openai\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
         [[models]]\nalias = \"rt\"\ntarget = {{ provider = \"openai\", model = \"gpt-realtime\" }}\n\
         [[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 10\nper = \"month\"\n",
        provider.url()
    );
    let gateway = Gateway::open(&settings).await;
    let (_client, _upstream) = session(&gateway, &provider).await;
    let budgets = gateway.get("/admin/budgets").await.json();
    let reserved = budgets["budgets"][0]["reserved"].as_str().and_then(|usd| usd.parse::<f64>().ok()).unwrap();
    // 64 dollars for a million tokens of audio, 16 for text.
    assert!((0.26..0.27).contains(&reserved), "{budgets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_mistake_during_a_response_is_no_failure_of_the_response() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    let error = json!({"type": "error", "error": {"type": "invalid_request_error"}});
    client.say(&asks()).await;
    upstream.hear().await;
    passes(&mut client, &mut upstream, &begun()).await;
    // It asks for another one, which the provider refuses.
    client.say(&asks()).await;
    upstream.hear().await;
    passes(&mut client, &mut upstream, &error).await;
    passes(&mut client, &mut upstream, &error).await;
    passes(&mut client, &mut upstream, &done(10, 1)).await;
    until_booked(&gateway, 11, 4106).await;
    assert_eq!(gateway.metric("weir_stream_errors_total").await, 0.0);
    gateway.until_metric("weir_requests_total{outcome=\"ok\"}", 1.0).await;
    let failed = json!({"type": "response.done", "response": {"status": "failed", "usage": {"input_tokens": 1}}});
    passes(&mut client, &mut upstream, &begun()).await;
    passes(&mut client, &mut upstream, &failed).await;
    gateway.until_metric("weir_requests_total{outcome=\"broken\"}", 1.0).await;
}
