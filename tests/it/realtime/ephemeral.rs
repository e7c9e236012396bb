//! Ephemeral keys: Weir's own, bound to the key that asked for them and to a model, for sessions only.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use weir_config::{KeyHash, Secret};
use weir_identity::ephemeral::{EphemeralKey, EphemeralKeys};
use weir_tests::{Gateway, Reply, Request, SessionProvider, WebSocket, log};

use super::money::tokens;
use super::{CLIENT, PATH, client, config, realtime};
use crate::keys::{TOKEN, admin, made};

const FREE: &str = "weir-d-0123456789abcdef";
const SECRETS: &str = "/v1/realtime/client_secrets";

async fn ask(gateway: &Gateway, key: &str, body: &Value) -> Reply {
    let request = Request::post(SECRETS, body.to_string()).header("content-type", "application/json");
    let request = if key.is_empty() { request } else { request.header("authorization", &format!("Bearer {key}")) };
    gateway.ask(&request).await
}

fn wanted() -> Value {
    json!({"expires_after": {"anchor": "created_at", "seconds": 60}, "session": {"type": "realtime", "model": "rt"}})
}

/// The text of an ephemeral key for the model `rt`.
async fn issued(gateway: &Gateway, key: &str) -> String {
    let reply = ask(gateway, key, &wanted()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.json()["value"].as_str().unwrap().to_owned()
}

/// The code with which a handshake with this key is refused.
async fn refused(gateway: &Gateway, path: &str, key: &str) -> (u16, String) {
    let bearer = format!("Bearer {key}");
    let answer = WebSocket::ask(gateway.address, path, &[("authorization", bearer.as_str())]).await;
    let (status, body) = answer.unwrap_err();
    let body: Value = serde_json::from_str(&body).unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_key_begins_sessions_of_its_model_as_the_key_that_asked_and_nothing_else() {
    let provider = SessionProvider::listen().await;
    let more = "[[models]]\nalias = \"other\"\ntarget = { provider = \"p\", model = \"x\" }\n";
    let gateway = Gateway::open(&(config(&provider) + more + &client("limits = { streams = 1 }"))).await;
    let reply = ask(&gateway, CLIENT, &wanted()).await;
    assert_eq!((reply.status(), reply.header("cache-control")), (200, Some("no-store")));
    let body = reply.json();
    assert_eq!(body["session"], wanted()["session"]);
    let left = body["expires_at"].as_i64().unwrap() - Timestamp::now().as_second();
    assert!((50..=60).contains(&left), "{left}");
    let ephemeral = body["value"].as_str().unwrap().to_owned();
    let offer = format!("realtime, openai-insecure-api-key.{ephemeral}");
    let bearer = format!("Bearer {ephemeral}");
    for header in [("sec-websocket-protocol", offer.as_str()), ("authorization", bearer.as_str())] {
        let headers = [header];
        let asked = WebSocket::ask(gateway.address, PATH, &headers);
        let (client, upstream) = tokio::join!(asked, provider.grant());
        let client = client.unwrap();
        assert!(!upstream.head.contains("ek-weir-"), "{}", upstream.head);
        // The limits are those of the key.
        assert_eq!(refused(&gateway, PATH, CLIENT).await.0, 429);
        client.cut();
        drop(upstream);
        gateway.until_metric("weir_realtime_sessions", 0.0).await;
    }
    let other = refused(&gateway, "/v1/realtime?model=other", &ephemeral).await;
    assert_eq!(other, (403, "ephemeral_key_model".to_owned()));
    let chat = json!({"model": "rt", "messages": []}).to_string();
    let chat = Request::post("/v1/chat/completions", chat).header("authorization", &bearer);
    assert_eq!(gateway.ask(&chat).await.status(), 401, "it is a key for sessions only");
    assert_eq!(ask(&gateway, &ephemeral, &wanted()).await.status(), 401, "and makes no other");
    let changed = ephemeral[..ephemeral.len() - 8].to_owned() + "AAAAAAAA";
    assert_eq!(refused(&gateway, PATH, &changed).await, (401, "invalid_api_key".to_owned()));
    assert!(!log::text().contains(&ephemeral), "no log shows it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ephemeral_key_cannot_carry_or_its_caller_may_not_is_refused() {
    let provider = SessionProvider::listen().await;
    let free = format!("[[clients]]\nname = \"d\"\nkey = \"{FREE}\"\n");
    let limited = "models = [\"rt\"]\n[[clients]]\nname = \"c\"\nkey = \"weir-c-0123456789abcdef\"\noperations = [\"realtime-secrets\"]";
    let gateway = Gateway::open(&(config(&provider) + &client(limited) + &free)).await;
    let session = |session: Value| json!({"session": session});
    for (key, body, status, word) in [
        ("", wanted(), 401, ""),
        ("weir-c-0123456789abcdef", wanted(), 403, "realtime"),
        (CLIENT, session(json!({"type": "realtime"})), 403, "names no model"),
        (FREE, session(json!({"type": "realtime"})), 400, "session.model"),
        (FREE, session(json!({"model": "none"})), 404, "none"),
        (CLIENT, session(json!({"model": "other"})), 403, "other"),
        (CLIENT, session(json!({"model": "rt", "instructions": "x".repeat(8 << 10)})), 413, "8192 bytes"),
        (CLIENT, json!({"expires_after": {"seconds": 9}, "session": {"model": "rt"}}), 400, "10 to 7200"),
        (CLIENT, json!({"expires_after": {"seconds": 7201}, "session": {"model": "rt"}}), 400, "10 to 7200"),
        (CLIENT, json!({"session": {"model": "rt", "instructions": "x".repeat(70_000)}}), 413, ""),
        (FREE, json!({"model": "rt"}), 400, "session"),
    ] {
        let reply = ask(&gateway, key, &body).await;
        assert_eq!(reply.status(), status, "{}", reply.text());
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(word), "{}", reply.text());
    }
    let open = Gateway::open(&config(&provider)).await;
    let reply = ask(&open, "", &wanted()).await;
    assert_eq!((reply.status(), reply.json()["error"]["code"].as_str()), (400, Some("no_client_key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_the_same_sealing_key_takes_it_and_another_says_why_not() {
    let provider = SessionProvider::listen().await;
    let shared = realtime("sealing_key = \"0123456789abcdef0123456789abcdef\"") + &config(&provider) + &client("");
    let (one, two) = (Gateway::open(&shared).await, Gateway::open(&shared).await);
    let alone = Gateway::open(&(config(&provider) + &client(""))).await;
    let ephemeral = issued(&one, CLIENT).await;
    let bearer = format!("Bearer {ephemeral}");
    let headers = [("authorization", bearer.as_str())];
    let (client, _upstream) = tokio::join!(WebSocket::ask(two.address, PATH, &headers), provider.grant());
    assert!(client.is_ok());
    assert_eq!(refused(&alone, PATH, &ephemeral).await, (401, "ephemeral_key_of_another_node".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_key_begins_no_session_once_its_time_is_over() {
    const SEALING_KEY: &str = "0123456789abcdef0123456789abcdef";
    let provider = SessionProvider::listen().await;
    let settings = realtime(&format!("sealing_key = \"{SEALING_KEY}\"")) + &config(&provider) + &client("");
    let gateway = Gateway::open(&settings).await;
    let keys = EphemeralKeys::from_text(&Secret::new(SEALING_KEY)).unwrap();
    let sealed = |seconds: i64| {
        let expires = Timestamp::now() + SignedDuration::from_secs(seconds);
        let (stands_for, model) = (KeyHash::of(CLIENT), "rt".to_owned());
        let key = EphemeralKey { stands_for, model, expires, configuration: None };
        keys.seal(&key).unwrap().expose().to_owned()
    };
    assert_eq!(refused(&gateway, PATH, &sealed(-1)).await, (401, "ephemeral_key_expired".to_owned()));
    let bearer = format!("Bearer {}", sealed(60));
    let headers = [("authorization", bearer.as_str())];
    let (client, _upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    assert!(client.is_ok(), "one that is made in the same way and has time left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_disabled_takes_its_ephemeral_keys_and_their_sessions_with_it() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::from_file(&format!("[admin]\ntoken = \"{TOKEN}\"\n{}", config(&provider))).await;
    let (id, key) = made(&gateway, json!({"name": "build"})).await;
    let ephemeral = issued(&gateway, &key).await;
    let bearer = format!("Bearer {ephemeral}");
    let headers = [("authorization", bearer.as_str())];
    let (client, mut upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let mut client = client.unwrap();
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    assert_eq!(client.hear().await.json()["error"]["code"], "api_key_disabled");
    assert_eq!(client.hear().await.close().0, 1008);
    assert_eq!(upstream.hear().await.close().0, 1001);
    assert_eq!(refused(&gateway, PATH, &ephemeral).await, (401, "api_key_disabled".to_owned()));
}

/// The text of an ephemeral key with a configuration for sessions of this model.
async fn configured(gateway: &Gateway, model: &str, instructions: &str) -> String {
    let session =
        json!({"type": "realtime", "model": model, "instructions": instructions, "audio": {"a": [1, "{{b}}"]}});
    let reply = ask(gateway, CLIENT, &json!({"session": session})).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.json()["session"], session);
    let key = reply.json()["value"].as_str().unwrap().to_owned();
    assert!(key.len() < 12_000, "{}", key.len());
    key
}

/// A session that begins with this key, at both sides.
async fn begun_with(gateway: &Gateway, provider: &SessionProvider, key: &str) -> (WebSocket, WebSocket) {
    let offer = format!("realtime, openai-insecure-api-key.{key}");
    let headers = [("sec-websocket-protocol", offer.as_str())];
    let (client, upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    assert!(!upstream.head.contains("ek-weir-"), "{}", upstream.head);
    (client.unwrap(), upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_starts_with_the_configuration_of_its_key_before_anything_of_the_client() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client(""))).await;
    for instructions in ["be brief".to_owned(), "\u{1}\\\"x".repeat(600)] {
        let key = configured(&gateway, "rt", &instructions).await;
        // A key serves several sessions.
        for _ in 0..2 {
            let (mut client, mut upstream) = begun_with(&gateway, &provider, &key).await;
            let eager = json!({"type": "session.update", "session": {"type": "realtime", "instructions": "other"}});
            client.say(&eager).await;
            let session = json!({"type": "realtime", "instructions": instructions, "audio": {"a": [1, "{{b}}"]}});
            assert_eq!(upstream.hear().await.json(), json!({"type": "session.update", "session": session}));
            let (created, updated) = (json!({"type": "session.created"}), json!({"type": "session.updated"}));
            for message in [&created, &updated] {
                upstream.say(message).await;
                assert_eq!(&client.hear().await.json(), message);
            }
            assert_eq!(upstream.hear().await.json(), eager, "and nothing between");
            // An error after that is one of the session's.
            let error = json!({"type": "error", "error": {"message": "no"}});
            upstream.say(&error).await;
            assert_eq!(client.hear().await.json(), error);
            client.say(&created).await;
            assert_eq!(upstream.hear().await.json(), created);
        }
        assert!(!log::text().contains("be brief"));
    }
    // The key behind it begins sessions without a configuration.
    let key = issued(&gateway, CLIENT).await;
    let (mut client, mut upstream) = begun_with(&gateway, &provider, &key).await;
    client.say(&json!({"type": "x"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_goes_on_without_the_configuration_of_its_key() {
    let provider = SessionProvider::listen().await;
    let settings = "[server]\nsend_timeout = \"1s\"\n".to_owned() + &config(&provider) + &client("");
    let gateway = Gateway::open(&settings).await;
    let key = configured(&gateway, "rt", "x").await;
    let (mut client, mut upstream) = begun_with(&gateway, &provider, &key).await;
    client.say(&json!({"type": "response.create"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "session.update");
    let refused = json!({"type": "error", "error": {"message": "unknown voice"}});
    upstream.say(&refused).await;
    assert_eq!(client.hear().await.json(), refused);
    assert!(client.hear().await.json()["error"]["message"].as_str().unwrap().contains("refused the configuration"));
    let (code, reason) = client.hear().await.close();
    assert!(code == 1008 && reason.contains("refused the configuration"), "{code} {reason}");
    assert_eq!(upstream.hear().await.close().0, 1001, "and it gets nothing of the client's");
    // A provider that confirms nothing.
    let (mut client, mut upstream) = begun_with(&gateway, &provider, &key).await;
    client.say(&json!({"type": "response.create"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "session.update");
    assert_eq!(client.hear().await.close().0, 1014);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_applies_to_sessions_of_its_own_format_only() {
    let provider = SessionProvider::listen().await;
    let live = format!(
        "[[providers]]\nname = \"g\"\nadapter = \"gemini\"\nurl = \"{}v1beta/\"\napi_key = \"g-0123456789abcdef\"\n\
         [[models]]\nalias = \"live\"\ntarget = {{ provider = \"g\", model = \"live\" }}\n\
         [[models]]\nalias = \"both\"\ntargets = [{{ provider = \"p\", model = \"x\" }}, {{ provider = \"g\", model = \"y\" }}]\n",
        provider.url()
    );
    let gateway = Gateway::open(&(config(&provider) + &live + &client(""))).await;
    let body = json!({"session": {"type": "realtime", "model": "live", "instructions": "x"}});
    let reply = ask(&gateway, CLIENT, &body).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert!(reply.text().contains("take no configuration"), "{}", reply.text());
    let key = configured(&gateway, "both", "x").await;
    let path = format!("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key={key}");
    let mut client = WebSocket::ask(gateway.address, &path, &[]).await.unwrap();
    client.say(&json!({"setup": {"model": "both"}})).await;
    let (code, reason) = client.hear().await.close();
    assert!(code == 1008 && reason.contains("another format"), "{code} {reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_a_configuration_are_reserved_before_it_is_sent() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client("") + &tokens(1_000_000))).await;
    let key = configured(&gateway, "rt", &"be brief, ".repeat(700)).await;
    let (_client, mut upstream) = begun_with(&gateway, &provider, &key).await;
    assert_eq!(upstream.hear().await.json()["type"], "session.update");
    // 7,000 bytes of text are up to 1,750 tokens; the response itself is reserved with 4,096.
    let reserved = gateway.budget_used("all").await;
    assert!((5846.0..6000.0).contains(&reserved), "{reserved}");
}
