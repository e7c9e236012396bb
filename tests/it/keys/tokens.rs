//! Tokens of an identity provider: verified by its published keys, as what their claims say.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use weir_tests::{Answer, Gate, Gateway, Reply, Upstream};

use super::{admin, code, config, made, provider, with_key};
use crate::wire_format::{ANTHROPIC, OPENAI};

/// A key of the issuer, with its id.
pub(crate) struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { id, pair }
    }

    /// As the issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
               "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signed(&json!({"alg": "ES256", "typ": "JWT", "kid": self.id}), claims)
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// An issuer that publishes these keys, which tests replace.
pub(crate) async fn issuer(keys: &[&Key]) -> (Upstream, Arc<Mutex<Value>>) {
    let published = Arc::new(Mutex::new(set(keys)));
    let shown = Arc::clone(&published);
    let upstream = Upstream::scripted(move |request| {
        let host = request.header("host").unwrap_or_default();
        if request.line().ends_with("/.well-known/openid-configuration") {
            let document = json!({"issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/jwks")});
            return Answer::json(200, document.to_string());
        }
        let shown = shown.lock().unwrap();
        // Without keys, the issuer fails.
        if shown.is_null() { Answer::json(500, "{}") } else { Answer::json(200, shown.to_string()) }
    })
    .await;
    (upstream, published)
}

fn set(keys: &[&Key]) -> Value {
    json!({"keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>()})
}

pub(crate) fn issuers(issuer: &Upstream) -> String {
    format!(
        "[[issuers]]\nname = \"login\"\nissuer = \"{}\"\naudiences = [\"weir\"]\nallow_http = true\n\
         team = [{{ claim = \"/groups\", pattern = \"weir-*\" }}]\n\
         models = [{{ claim = \"scope\", pattern = \"model:*\", split = true }}]\n",
        issuer.origin()
    )
}

pub(crate) fn claims(issuer: &Upstream, more: &Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({"iss": issuer.origin(), "aud": "weir", "sub": "ada", "iat": now, "exp": now + 600,
                            "groups": ["others", "weir-red"], "scope": "model:openai model:openai-t"});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

async fn ask(gateway: &Gateway, token: &str) -> Reply {
    gateway.ask(&with_key(OPENAI, "openai", false, token)).await
}

pub(crate) async fn red(gateway: &Gateway) {
    let team = json!({"id": "red", "name": "Red", "models": ["openai*", "anthropic"]});
    assert_eq!(admin(gateway, "POST", "/teams", team).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_has_the_rights_of_its_team_and_claims_and_forgeries_are_refused() {
    let (key, stranger) = (Key::new("one"), Key::new("one"));
    let (issuer, _) = issuer(&[&key]).await;
    let mut upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    let token = key.token(&claims(&issuer, &json!({})));
    for (client, model, status) in [
        (OPENAI, "openai", 200),
        (OPENAI, "openai-t", 200),
        (ANTHROPIC, "openai", 200),
        (OPENAI, "anthropic", 403),
        (OPENAI, "gemini", 403),
    ] {
        let reply = gateway.ask(&with_key(client, model, false, &token)).await;
        assert_eq!(reply.status(), status, "{model}: {}", reply.text());
    }
    while let Some(request) = upstream.unseen() {
        assert!(!request.head.contains("eyJ"), "the token went upstream");
    }
    // A key of the store works beside tokens, and no credential at all does not.
    let (_, own) = made(&gateway, json!({"name": "k"})).await;
    assert_eq!(ask(&gateway, &own).await.status(), 200);
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 401);

    let of = |more: Value| claims(&issuer, &more);
    let past = jiff::Timestamp::now().as_second() - 3600;
    let unsigned = |header: Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&header), part(&of(json!({}))))
    };
    let kid = |id: &str| key.signed(&json!({"alg": "ES256", "kid": id}), &of(json!({})));
    for (what, token, status, expected) in [
        ("another key", stranger.token(&of(json!({}))), 401, "invalid_token"),
        ("no signature", unsigned(json!({"alg": "none"})), 401, "invalid_token"),
        ("a MAC", unsigned(json!({"alg": "HS256", "kid": "one"})) + "AAAA", 401, "invalid_token"),
        ("another audience", key.token(&of(json!({"aud": "other"}))), 401, "invalid_token"),
        ("another issuer", key.token(&of(json!({"iss": "https://other.example"}))), 401, "invalid_token"),
        ("over", key.token(&of(json!({"exp": past}))), 401, "token_expired"),
        ("a path for a kid", kid("../../etc/passwd"), 401, "invalid_token"),
        ("no group", key.token(&of(json!({"groups": ["others"]}))), 403, "token_not_permitted"),
        ("an unknown team", key.token(&of(json!({"groups": ["weir-blue"]}))), 403, "team_disabled"),
    ] {
        let reply = ask(&gateway, &token).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (status, expected), "{what}: {}", reply.text());
        assert!(!reply.text().contains(token.rsplit('.').next().filter(|part| !part.is_empty()).unwrap_or("\0")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_of_a_token_without_a_user_is_erased_by_its_account_as_soon_as_it_is_answered() {
    let key = Key::new("one");
    let (issuer, _) = issuer(&[&key]).await;
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    let of = |subject: &str| key.token(&claims(&issuer, &json!({"sub": subject})));
    assert_eq!(ask(&gateway, &of("ada")).await.status(), 200);
    let fact = super::facts::found(&gateway, "status=200").await;
    assert_eq!(fact["user"], "", "{fact}");
    let account = fact["key"].as_str().unwrap().to_owned();
    assert!(account.starts_with("token:") && account.contains("ada"), "{fact}");
    for subject in ["ada", "eve"] {
        assert_eq!(ask(&gateway, &of(subject)).await.status(), 200);
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
    let whose: Vec<String> = account.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let whose = whose.concat();
    let erased = admin(&gateway, "DELETE", &format!("/requests?key={whose}"), Value::Null).await;
    assert_eq!((erased.status(), erased.json()), (200, json!({"removed": 2})), "{}", erased.text());
    assert_eq!(super::facts::found(&gateway, "status=200").await["key"], account.replace("ada", "eve"));
    let both = admin(&gateway, "DELETE", &format!("/requests?key={whose}&user=ada"), Value::Null).await;
    assert_eq!(both.status(), 400, "{}", both.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_whose_names_are_longer_than_the_log_keeps_are_erased_each_by_its_own() {
    let key = Key::new("one");
    let (issuer, _) = issuer(&[&key]).await;
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    let of = |subject: &str| key.token(&claims(&issuer, &json!({"sub": subject})));
    assert_eq!(ask(&gateway, &of("ada")).await.status(), 200);
    let account = super::facts::found(&gateway, "status=200").await["key"].as_str().unwrap().to_owned();
    // They begin alike, up to where the log cuts.
    let [one, other] = ["one", "two"].map(|end| format!("{}{end}", "s".repeat(252)));
    for subject in [&one, &other, &one] {
        assert_eq!(ask(&gateway, &of(subject)).await.status(), 200);
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let erase = async |whose: &str| {
        let reply = admin(&gateway, "DELETE", &format!("/requests?key={}", escaped(whose)), Value::Null).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        reply.json()["removed"].clone()
    };
    let whole = |subject: &str| account.replace("ada", subject);
    assert_eq!(erase(&whole(&one)).await, 2);
    assert_eq!(erase(&whole(&one)).await, 0);
    let left = super::facts::found(&gateway, &format!("key={}", escaped(&whole(&other)))).await;
    let shown = left["key"].as_str().unwrap();
    assert!(shown.len() <= 256 && shown != whole(&other), "{left}");
    assert_eq!(erase(shown).await, 1, "as the log shows it, too");
    assert_eq!(erase(&account).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_keys_work_while_the_issuer_is_away_and_unknown_ones_are_answered_with_503() {
    let (key, newer) = (Key::new("one"), Key::new("two"));
    let (issuer, published) = issuer(&[&key]).await;
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    assert_eq!(ask(&gateway, &key.token(&claims(&issuer, &json!({})))).await.status(), 200);
    *published.lock().unwrap() = Value::Null;
    assert_eq!(ask(&gateway, &key.token(&claims(&issuer, &json!({"jti": "other"})))).await.status(), 200, "known kid");
    let away = ask(&gateway, &newer.token(&claims(&issuer, &json!({})))).await;
    assert_eq!((away.status(), code(&away).as_str()), (503, "issuer_unavailable"), "{}", away.text());
    assert!(away.header("retry-after").is_some());
    // A rotation: the new key is fetched when its first token comes.
    *published.lock().unwrap() = set(&[&newer]);
    let fetched = async {
        while ask(&gateway, &newer.token(&claims(&issuer, &json!({})))).await.status() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    weir_tests::soon("the new key to be fetched", fetched).await;
    let gone = ask(&gateway, &key.token(&claims(&issuer, &json!({"jti": "third"})))).await;
    assert_eq!(gone.status(), 401, "what the issuer withdrew is refused: {}", gone.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_was_never_reached_is_503_and_not_401() {
    let key = Key::new("one");
    let (issuer, _) = issuer(&[&key]).await;
    issuer.shut();
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    let reply = ask(&gateway, &key.token(&claims(&issuer, &json!({})))).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (503, "issuer_unavailable"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_token_hides_no_key_beside_it() {
    let (key, stranger) = (Key::new("one"), Key::new("one"));
    let (issuer, _) = issuer(&[&key]).await;
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    let (id, own) = made(&gateway, json!({"name": "k"})).await;
    let foreign = stranger.token(&claims(&issuer, &json!({"iss": "https://proxy.example"})));
    let beside =
        |token: &str| with_key(ANTHROPIC, "openai", false, &own).header("authorization", &format!("Bearer {token}"));
    assert_eq!(gateway.ask(&beside(&foreign)).await.status(), 200);
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    let refused = gateway.ask(&beside(&foreign)).await;
    assert!(refused.status() == 401 && refused.text().contains("is disabled"), "{}", refused.text());
    let valid = key.token(&claims(&issuer, &json!({})));
    assert_eq!(gateway.ask(&beside(&valid)).await.status(), 200, "the token is right");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_does_not_keep_new_keys_from_being_fetched() {
    let (key, newer) = (Key::new("one"), Key::new("two"));
    let (gate, published) = (Gate::default(), Arc::new(Mutex::new(set(&[&key]))));
    let (held, shown) = (gate.clone(), Arc::clone(&published));
    let mut issuer = Upstream::scripted(move |request| {
        let host = request.header("host").unwrap_or_default();
        if request.line().ends_with("/.well-known/openid-configuration") {
            let document = json!({"issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/jwks")});
            return Answer::json(200, document.to_string());
        }
        let set = shown.lock().unwrap().to_string();
        if !set.contains("\"two\"") {
            return Answer::json(200, set);
        }
        Answer::begin(200, &[("content-type", "application/json")]).gate(&held).piece(set).end()
    })
    .await;
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + &issuers(&issuer))).await;
    red(&gateway).await;
    assert_eq!(ask(&gateway, &key.token(&claims(&issuer, &json!({})))).await.status(), 200);
    while issuer.unseen().is_some() {}
    *published.lock().unwrap() = set(&[&newer]);
    let invented = key.signed(&json!({"alg": "ES256", "kid": "invented"}), &claims(&issuer, &json!({})));
    let mut leaving = gateway.connect().await;
    leaving.send(&with_key(OPENAI, "openai", false, &invented)).await;
    while !issuer.request().await.line().ends_with("/jwks") {}
    leaving.leave();
    gate.open();
    let reply = ask(&gateway, &newer.token(&claims(&issuer, &json!({})))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}
