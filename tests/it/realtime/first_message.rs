//! Sessions whose first message names the model: the handshake is granted at once, and what is refused later is
//! reported by a close frame.

use serde_json::{Value, json};
use weir_tests::{Gateway, SessionProvider, WebSocket};

use super::money::{tokens, until_booked};
use super::{CLIENT, client, realtime};

pub(super) const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
pub(super) const KEY: &str = "AIzaSyB7dK2wQ9mZt4RbX1yLc8VnA6dHs3JgE5p";

pub(super) fn config(provider: &SessionProvider) -> String {
    format!(
        "[[providers]]\nname = \"g\"\nadapter = \"gemini\"\nurl = \"{}v1beta/\"\napi_key = \"{KEY}\"\n\
         [[models]]\nalias = \"live\"\ntarget = {{ provider = \"g\", model = \"gemini-live\" }}\n\
         price = {{ input = 1000000, output = 1000000 }}\n",
        provider.url()
    )
}

pub(super) fn setup(model: &str) -> Value {
    json!({"setup": {"generationConfig": {"responseModalities": ["AUDIO"]}, "model": model}})
}

fn bytes(message: &Value) -> Vec<u8> {
    message.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_leads_to_the_model_and_has_the_providers_name_for_it() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client(""))).await;
    for (path, header) in
        [(format!("/{PATH}?key={CLIENT}"), None), (format!("/genai{PATH}"), Some(("x-goog-api-key", CLIENT)))]
    {
        let headers: Vec<(&str, &str)> = header.into_iter().collect();
        let mut client = WebSocket::ask(gateway.address, &path, &headers).await.unwrap();
        client.frame(true, 9, b"there?").await;
        assert_eq!(client.next().await.map(|frame| frame.opcode), Some(10));
        client.say(&setup("models/live")).await;
        let mut upstream = provider.grant().await;
        assert_eq!(upstream.line(), format!("GET {PATH}"), "the path is the origin's, not below the url's");
        assert_eq!(upstream.header("x-goog-api-key"), Some(KEY));
        assert!(!upstream.head.contains(CLIENT), "{}", upstream.head);
        assert_eq!(upstream.hear().await.json(), setup("models/gemini-live"));
        upstream.frame(true, 2, b"{\"setupComplete\":{}}").await;
        assert_eq!(client.hear().await.payload, b"{\"setupComplete\":{}}");
        upstream.close(1007, "setup must be sent once").await;
        assert_eq!(client.hear().await.close(), (1007, "setup must be sent once".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_are_booked_by_their_usage_also_those_in_binary_messages() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &tokens(1_000_000))).await;
    let mut client = WebSocket::ask(gateway.address, PATH, &[]).await.unwrap();
    client.say(&setup("live")).await;
    let mut upstream = provider.grant().await;
    upstream.hear().await;
    until_booked(&gateway, 0, 4096).await;
    let turn = json!({"serverContent": {"modelTurn": {"parts": [{"text": "Hello"}]}}});
    let end = json!({"serverContent": {"turnComplete": true}, "usageMetadata": {
        "promptTokenCount": 40, "responseTokenCount": 9, "totalTokenCount": 49,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}, {"modality": "AUDIO", "tokenCount": 30}],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 9}]}});
    client.say(&json!({"clientContent": {"turns": [], "turnComplete": true}})).await;
    upstream.hear().await;
    for message in [&turn, &turn, &end] {
        upstream.frame(true, 2, &bytes(message)).await;
        client.hear().await;
    }
    until_booked(&gateway, 49, 4136).await;
    // A turn that begins without a message that asks for it, as when the client speaks.
    for message in [&turn, &end] {
        upstream.frame(true, 2, &bytes(message)).await;
        client.hear().await;
    }
    until_booked(&gateway, 98, 4136).await;
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    until_booked(&gateway, 98, 0).await;
    assert_eq!(gateway.metric("weir_tokens_total{bucket=\"output_audio\"}").await, 18.0);
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_with_abort_at_ends_the_session_in_the_midst_of_a_response() {
    let provider = SessionProvider::listen().await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 5000\nper = \"month\"\nabort_at = 1.0\n";
    let gateway = Gateway::open(&(config(&provider) + budget)).await;
    let (mut client, mut upstream) = begun(&gateway, &provider).await;
    client.say(&json!({"clientContent": {"turns": [], "turnComplete": true}})).await;
    upstream.hear().await;
    let turn = json!({"serverContent": {"modelTurn": {"parts": [{"text": "some words ".repeat(1000)}]}}});
    let mut passed = 0;
    let (code, reason) = loop {
        upstream.say(&turn).await;
        match client.message_or_close().await {
            Ok(_) => passed += 1,
            Err(close) => break close,
        }
        assert!(passed < 20, "the session is ended");
    };
    assert!(code == 1008 && reason.contains("abort_at"), "{code} {reason}");
    assert!(passed >= 1, "a response within the share passes: {passed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_after_the_handshake_is_reported_by_a_close_frame() {
    let provider = SessionProvider::listen().await;
    let limited = client("models = [\"live\"]");
    let gateway = Gateway::open(&(realtime("max_message_bytes = \"64KiB\"") + &config(&provider) + &limited)).await;
    let (status, body) = WebSocket::ask(gateway.address, PATH, &[]).await.unwrap_err();
    assert_eq!(status, 401, "{body}");
    let path = format!("{PATH}?key={CLIENT}");
    let large = vec![b'x'; 70_000];
    for (message, code, reason) in [
        (bytes(&setup("models/other")), 1008, "may not use the model `other`"),
        (bytes(&json!({"setup": {}})), 1008, "/setup/model is missing"),
        (b"{".to_vec(), 1008, "not valid JSON"),
        (large, 1009, ""),
    ] {
        let mut client = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
        client.frame(true, 1, &message).await;
        let (received, why) = client.hear().await.close();
        assert!(received == code && why.contains(reason), "{received} {why}");
    }
    let mut client = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
    client.say(&setup("live")).await;
    let mut asked = provider.asked().await;
    asked.raw(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(client.hear().await.close().0, 1013);
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
}

/// A session whose first message has arrived at the provider.
async fn begun(gateway: &Gateway, provider: &SessionProvider) -> (WebSocket, WebSocket) {
    let mut client = WebSocket::ask(gateway.address, PATH, &[]).await.unwrap();
    client.say(&setup("models/live")).await;
    let mut upstream = provider.grant().await;
    assert_eq!(upstream.hear().await.json(), setup("models/gemini-live"));
    (client, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_later_message_leads_to_another_model_whole_in_fragments_or_hidden_in_a_large_one() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let padding = "x".repeat(300 << 10);
    let large = json!({"clientContent": {"turns": [{"parts": [{"text": padding}]}]}, "setup": {"model": "dear"}});
    for message in [setup("models/dear"), json!({"a": 1, "setup": {"model": ["dear"]}}), large.clone()] {
        let (mut client, mut upstream) = begun(&gateway, &provider).await;
        client.say(&message).await;
        let (code, reason) = client.message_or_close().await.unwrap_err();
        assert!(code == 1008 && reason.contains("/setup/model may be in the first message only"), "{code} {reason}");
        // The provider gets no whole message.
        let (code, _) = upstream.message_or_close().await.unwrap_err();
        assert_eq!(code, 1001);
    }
    let (mut client, mut upstream) = begun(&gateway, &provider).await;
    let text = bytes(&setup("models/dear"));
    client.frame(false, 1, &text[..15]).await;
    client.frame(true, 0, &text[15..]).await;
    assert_eq!(client.hear().await.close().0, 1008);
    assert_eq!(upstream.hear().await.close().0, 1001);
    let (mut client, mut upstream) = begun(&gateway, &provider).await;
    client.frame(true, 1, b"{\"setup\":{\"model\":").await;
    assert_eq!(client.hear().await.close(), (1008, "a message is not valid JSON".to_owned()));
    assert_eq!(upstream.hear().await.close().0, 1001);
    // A large message that names none passes.
    let (mut client, mut upstream) = begun(&gateway, &provider).await;
    let input = json!({"realtimeInput": {"audio": {"data": padding}}, "model": "x"});
    client.say(&input).await;
    assert_eq!(upstream.message().await, bytes(&input));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_no_first_message_hold_their_own_streams_and_not_for_long() {
    let provider = SessionProvider::listen().await;
    let limits = "limits = { streams = 1 }\n[[clients]]\nname = \"b\"\nkey = \"weir-b-0123456789abcdef\"";
    let settings = "[server]\nheader_timeout = \"1s\"\n".to_owned() + &config(&provider) + &client(limits);
    let gateway = Gateway::open(&settings).await;
    let path = format!("{PATH}?key={CLIENT}");
    let mut silent = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
    let (status, body) = WebSocket::ask(gateway.address, &path, &[]).await.unwrap_err();
    assert_eq!(status, 429, "{body}");
    assert!(body.contains("RESOURCE_EXHAUSTED"), "{body}");
    let other = format!("{PATH}?key=weir-b-0123456789abcdef");
    let mut other = WebSocket::ask(gateway.address, &other, &[]).await.unwrap();
    other.say(&setup("live")).await;
    let mut upstream = provider.grant().await;
    assert_eq!(upstream.hear().await.json(), setup("gemini-live"), "another client is not held up");
    assert_eq!(
        silent.hear().await.close(),
        (1008, "the first message did not arrive in time: send it as soon as the session is open".to_owned())
    );
    // Its stream is free once it has heard so, also where it does not answer.
    let mut again = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
    again.say(&setup("live")).await;
    assert_eq!(provider.grant().await.hear().await.json(), setup("gemini-live"), "its stream is free again");
    silent.close(1008, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_or_repeats_the_key_shows_none_of_it() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let mut client = WebSocket::ask(gateway.address, PATH, &[]).await.unwrap();
    client.say(&setup("live")).await;
    let mut asked = provider.asked().await;
    let body = format!("no session for {KEY}");
    let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    asked.raw(head.as_bytes()).await;
    let (code, reason) = client.hear().await.close();
    assert!(code == 1008 && reason.contains("no session for") && !reason.contains(KEY), "{code} {reason}");
    let (mut client, mut upstream) = begun(&gateway, &provider).await;
    upstream.say(&json!({"goAway": {"timeLeft": KEY}})).await;
    assert_eq!(client.hear().await.json()["goAway"]["timeLeft"], "*".repeat(KEY.len()));
    upstream.close(1011, "out of order").await;
    assert_eq!(client.hear().await.close(), (1011, "out of order".to_owned()));
    gateway.until_metric("weir_requests_total{outcome=\"broken\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_beyond_a_limit_ends_the_session_since_the_format_has_no_message_for_errors() {
    let provider = SessionProvider::listen().await;
    let limited = client("limits = { tokens_per_minute = 1500 }");
    let gateway = Gateway::open(&(config(&provider) + &limited)).await;
    let mut client = WebSocket::ask(gateway.address, &format!("{PATH}?key={CLIENT}"), &[]).await.unwrap();
    client.say(&setup("live")).await;
    let mut upstream = provider.grant().await;
    upstream.hear().await;
    let asks = json!({"clientContent": {"turns": [], "turnComplete": true}});
    client.say(&asks).await;
    assert_eq!(upstream.hear().await.json(), asks);
    let end = json!({"serverContent": {"turnComplete": true},
        "usageMetadata": {"promptTokenCount": 1200, "responseTokenCount": 200}});
    upstream.say(&end).await;
    assert_eq!(client.hear().await.json(), end);
    client.say(&asks).await;
    let (code, reason) = client.hear().await.close();
    assert!(code == 1008 && reason.contains("1500 tokens a minute"), "{code} {reason}");
    assert_eq!(upstream.hear().await.close().0, 1001);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_of_a_restricted_client_names_what_it_has_not_made() {
    let provider = SessionProvider::listen().await;
    let limited = client("models = [\"live\"]");
    let gateway = Gateway::open(&(config(&provider) + &limited)).await;
    let path = format!("{PATH}?key={CLIENT}");
    let mut first = setup("models/live");
    first["setup"]["tools"] = json!([{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/others-0123456789"]}}]);
    let file = json!({"fileData": {"fileUri": "files/others-0123456789", "mimeType": "text/plain"}});
    let later = json!({"clientContent": {"turns": [{"role": "user", "parts": [file]}]}});
    for (first, later) in [(first, None), (setup("live"), Some(later))] {
        let mut client = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
        client.say(&first).await;
        let mut upstream = provider.grant().await;
        if let Some(later) = later {
            assert_eq!(upstream.hear().await.json()["setup"]["model"], "gemini-live");
            client.say(&later).await;
        }
        let (code, reason) = client.hear().await.close();
        assert!(code == 1008 && reason.contains("is not this client's"), "{code} {reason}");
        assert_eq!(upstream.hear().await.close().0, 1001, "it gets none of it");
    }
}
