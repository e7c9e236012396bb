//! The key of a session is looked up again whenever keys or the configuration change, and when it expires.

use serde_json::{Value, json};
use weir_tests::{Gateway, Request, SessionProvider, WebSocket};

use super::money::tokens;
use super::named::{models, naming};
use super::{CLIENT, PATH, asks, begun, client, config, realtime};
use crate::keys::tokens::{Key, claims, issuer, issuers};
use crate::keys::{TOKEN, admin, made};

fn administered(provider: &SessionProvider) -> String {
    format!("[admin]\ntoken = \"{TOKEN}\"\n{}", config(provider))
}

/// A session with a key: the client's side and the provider's.
async fn session(gateway: &Gateway, provider: &SessionProvider, key: &str) -> (WebSocket, WebSocket) {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    let (client, provider) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    (client.unwrap(), provider)
}

async fn reload(gateway: &Gateway) {
    let asked = Request::post("/admin/reload", "").header("authorization", &format!("Bearer {TOKEN}"));
    let reply = gateway.ask(&asked).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

/// The code of the error event with which a session ends.
async fn ends((client, upstream): &mut (WebSocket, WebSocket)) -> String {
    let event = client.hear().await.json();
    assert_eq!(event["type"], "error", "{event}");
    let (code, reason) = client.hear().await.close();
    assert_eq!((code, Some(reason.as_str())), (1008, event["error"]["message"].as_str()));
    assert_eq!(upstream.hear().await.close(), (1001, "the session was ended by a gateway".to_owned()));
    event["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// Messages of a session pass both ways.
async fn lives((client, upstream): &mut (WebSocket, WebSocket)) {
    client.say(&json!({"type": "session.update"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "session.update");
    upstream.say(&json!({"type": "session.updated"})).await;
    assert_eq!(client.hear().await.json()["type"], "session.updated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_disabled_deleted_rotated_moved_or_loses_a_right_ends_its_sessions_and_no_other() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::from_file(&administered(&provider)).await;
    assert_eq!(admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await.status(), 201);
    let (_, key) = made(&gateway, json!({"name": "other"})).await;
    let mut other = session(&gateway, &provider, &key).await;
    let none = || Value::Null;
    assert_eq!(admin(&gateway, "POST", "/teams", json!({"id": "blue", "name": "Blue"})).await.status(), 201);
    let cases: [(&str, &str, Value, &str); 7] = [
        ("POST", "/keys/{id}/disable", none(), "api_key_disabled"),
        ("DELETE", "/keys/{id}", none(), "invalid_api_key"),
        ("POST", "/keys/{id}/rotate", json!({"grace": "0s"}), "api_key_expired"),
        ("PATCH", "/keys/{id}", json!({"models": ["another"]}), ""),
        ("PATCH", "/keys/{id}", json!({"operations": ["chat"]}), "operation_not_allowed"),
        // Its budgets and limits are those of the team that it began with.
        ("POST", "/keys/{id}/move", json!({"team": "blue"}), "key_moved"),
        ("PATCH", "/teams/red", json!({"disabled": true}), "team_disabled"),
    ];
    for (at, (method, path, body, expected)) in cases.into_iter().enumerate() {
        let (id, key) = made(&gateway, json!({"name": format!("key-{at}"), "owner": {"team": "red"}})).await;
        let mut own = session(&gateway, &provider, &key).await;
        lives(&mut own).await;
        let reply = admin(&gateway, method, &path.replace("{id}", &id), body).await;
        assert!(reply.status() < 300, "{method} {path}: {}", reply.text());
        assert_eq!(ends(&mut own).await, expected, "{method} {path}");
        lives(&mut other).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_key_counts_from_the_next_message_of_its_sessions_on() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::from_file(&(administered(&provider) + &models())).await;
    let (id, key) = made(&gateway, json!({"name": "k", "models": ["rt", "ears"]})).await;
    let mut own = session(&gateway, &provider, &key).await;
    let change = async |body: Value| {
        let reply = admin(&gateway, "PATCH", &format!("/keys/{id}"), body).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    };
    let sent = naming("rt", "ears");
    for (allowed, passes) in [
        (json!(["rt", "ears"]), true),
        (json!(["rt"]), false),
        (json!(["rt", "ea*"]), true),
        (json!(["rt", "other"]), false),
        (Value::Null, true),
        (json!(["rt"]), false),
    ] {
        change(json!({"models": allowed})).await;
        own.0.frame(true, 1, sent.as_bytes()).await;
        if passes {
            assert_eq!(own.1.hear().await.text(), naming("gpt-realtime", "gpt-scribe"), "{allowed}");
        } else {
            let error = own.0.hear().await.json();
            assert_eq!(error["error"]["param"], "session.audio.input.transcription.model", "{allowed}: {error}");
        }
        lives(&mut own).await;
    }
    // What the key may not send as a text, it may not send as bytes that cannot be read.
    own.0.frame(true, 2, b"\xff").await;
    assert_eq!(own.0.hear().await.json()["type"], "error");
    // In the midst of a message, whose start is with the provider.
    own.0.frame(false, 1, &[b"{\"type\":\"x\",\"pad\":\"".to_vec(), vec![b'x'; 300 << 10]].concat()).await;
    assert!(!own.1.hear().await.fin, "the start of the message");
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    own.0.frame(true, 0, b"\"}").await;
    own.1.until_closed_within_a_message(1001).await;
    assert_eq!(own.0.hear().await.json()["error"]["code"], "api_key_disabled");
    assert_eq!(own.0.hear().await.close().0, 1008);
    // Whole, and at once.
    let (id, key) = made(&gateway, json!({"name": "next"})).await;
    let mut own = session(&gateway, &provider, &key).await;
    lives(&mut own).await;
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    own.0.say(&json!({"type": "session.update"})).await;
    assert_eq!(ends(&mut own).await, "api_key_disabled", "the provider gets none of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_ends_its_session_and_the_response_that_is_open_is_cancelled_and_booked() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::from_file(&(administered(&provider) + &tokens(1_000_000))).await;
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(2_500);
    let (_, key) = made(&gateway, json!({"name": "short", "expires": expires.to_string()})).await;
    let (mut client, mut upstream) = session(&gateway, &provider, &key).await;
    client.say(&asks()).await;
    assert_eq!(upstream.hear().await.json(), asks());
    upstream.say(&begun()).await;
    assert_eq!(client.hear().await.json()["type"], "response.created");
    let event = client.hear().await.json();
    assert_eq!(event["error"]["code"], "api_key_expired", "{event}");
    assert_eq!(client.hear().await.close().0, 1008);
    assert_eq!(upstream.hear().await.json()["type"], "response.cancel");
    assert_eq!(upstream.hear().await.close().0, 1001);
    upstream.close(1001, "").await;
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 1.0, "its usage was not reported");
    let budgets = Request::get("/admin/budgets").header("authorization", &format!("Bearer {TOKEN}"));
    let budgets = gateway.ask(&budgets).await.json();
    assert_eq!((&budgets["budgets"][0]["settled"], &budgets["budgets"][0]["reserved"]), (&json!(4096), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_file_that_a_reload_takes_away_loses_its_sessions_and_another_keeps_them() {
    let provider = SessionProvider::listen().await;
    let other = "[[clients]]\nname = \"b\"\nkey = \"weir-b-0123456789abcdef\"\n";
    let gateway = Gateway::from_file(&(administered(&provider) + &client("") + other)).await;
    let mut own = session(&gateway, &provider, CLIENT).await;
    let mut kept = session(&gateway, &provider, "weir-b-0123456789abcdef").await;
    // Another setting ends no session, and what it says counts for those that begin later.
    gateway.configure(&(realtime("max_sessions = 1") + &administered(&provider) + &client("") + other));
    reload(&gateway).await;
    lives(&mut own).await;
    let changed = client("").replace(CLIENT, "weir-a-changed-0123456789");
    gateway.configure(&(administered(&provider) + &changed + other));
    reload(&gateway).await;
    assert_eq!(ends(&mut own).await, "invalid_api_key");
    lives(&mut kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_a_token_ends_with_the_rules_that_took_the_token() {
    let key = Key::new("one");
    let (login, _) = issuer(&[&key]).await;
    let provider = SessionProvider::listen().await;
    let settings = administered(&provider) + &issuers(&login);
    let gateway = Gateway::from_file(&settings).await;
    let team = json!({"id": "red", "name": "Red"});
    assert_eq!(admin(&gateway, "POST", "/teams", team).await.status(), 201);
    let token = key.token(&claims(&login, &json!({"scope": "model:rt"})));
    let mut own = session(&gateway, &provider, &token).await;
    lives(&mut own).await;
    // Another setting ends no session.
    gateway.configure(&(realtime("max_sessions = 9") + &settings));
    reload(&gateway).await;
    lives(&mut own).await;
    gateway.configure(&settings.replace("audiences = [\"weir\"]", "audiences = [\"another\"]"));
    reload(&gateway).await;
    assert_eq!(ends(&mut own).await, "invalid_token");
}
