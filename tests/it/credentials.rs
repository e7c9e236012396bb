//! Credentials that are not sent directly: signatures, and tokens that are requested first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_tests::upstream::{Gate, Received};
use weir_tests::{Answer, Gateway, Upstream, log};

use crate::wire_format::{ANTHROPIC, OPENAI, ZETA};

/// A key that was made for tests and is worthless.
const ACCOUNTS_KEY: &str = include_str!("../../host/upstream/src/credential/account/test-key.pem");
const TOKEN_PATH: &str = "POST /zeta/token";

/// One provider with a model in each lane.
fn config(provider: &Upstream, key: &str, auth: &str, more: &str) -> String {
    format!(
        "[[providers]]\nname = \"z\"\nadapter = \"zeta\"\nurl = \"{}\"\napi_key = {key:?}\n\
         options = {{ auth = \"{auth}\"{more} }}\n\
         [[models]]\nalias = \"z\"\ntarget = {{ provider = \"z\", model = \"m\" }}\n\
         [[models]]\nalias = \"z-t\"\ntranslate = true\ntarget = {{ provider = \"z\", model = \"m\" }}\n",
        provider.url()
    )
}

/// A token endpoint with numbered tokens: `token-number-1`, ...
async fn tokens(lifetime: u32) -> Upstream {
    let given = AtomicUsize::new(0);
    Upstream::scripted(move |_| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        Answer::json(200, format!("{{\"access_token\":\"token-number-{number}\",\"expires_in\":{lifetime}}}"))
    })
    .await
}

async fn provider() -> Upstream {
    Upstream::always(Answer::json(200, ZETA.whole())).await
}

fn at(tokens: &Upstream) -> String {
    format!(", token_url = \"{}/zeta/token\"", tokens.origin())
}

fn is_token_request(request: &Received) -> bool {
    request.line() == TOKEN_PATH
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_signed_in_both_lanes() {
    let mut provider = provider().await;
    let more = ", region = \"eu-west-1\"";
    let gateway =
        Gateway::open(&config(&provider, "AKIDEXAMPLE:s3cret-key-of-signer:s3ssion-token", "signed", more)).await;
    for model in ["z", "z-t"] {
        assert_eq!(gateway.ask(&ZETA.request(model, false)).await.status(), 200);
        let request = provider.request().await;
        let signature = request.header("authorization").unwrap();
        let date = request.header("x-amz-date").unwrap();
        let beginning = format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{}/eu-west-1/zeta/aws4_request", &date[..8]);
        assert!(signature.starts_with(&beginning), "{signature}");
        assert!(signature.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"), "{signature}");
        assert_eq!(request.header("x-amz-security-token"), Some("s3ssion-token"));
        assert!(!request.head.contains("s3cret-key-of-signer"));
    }
    assert!(!log::text().contains("s3cret-key-of-signer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_once_and_serves_all_models_of_the_provider() {
    let (mut provider, mut tokens) = (provider().await, tokens(3600).await);
    let gateway = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", &at(&tokens))).await;
    for model in ["z", "z-t", "z"] {
        assert_eq!(gateway.ask(&ZETA.request(model, false)).await.status(), 200);
        assert_eq!(provider.request().await.header("authorization"), Some("Bearer token-number-1"));
    }
    let asked = tokens.request().await;
    assert_eq!(asked.line(), TOKEN_PATH);
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    // `client-1:s3cret-of-client`
    assert_eq!(asked.header("authorization"), Some("Basic Y2xpZW50LTE6czNjcmV0LW9mLWNsaWVudA=="));
    assert_eq!(asked.text(), "grant_type=client_credentials&scope=talk%20list");
    assert_eq!(tokens.count_unseen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_ended_is_replaced() {
    let (mut provider, tokens) = (provider().await, tokens(0).await);
    let gateway = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", &at(&tokens))).await;
    for number in 1..=3 {
        assert_eq!(gateway.ask(&ZETA.request("z", false)).await.status(), 200);
        let expected = format!("Bearer token-number-{number}");
        assert_eq!(provider.request().await.header("authorization"), Some(expected.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_need_a_token_ask_for_one() {
    let gate = Gate::default();
    let held = Answer::begin(200, &[("content-type", "application/json")]);
    let held = held.gate(&gate).piece("{\"access_token\":\"the-one-token\",\"expires_in\":3600}").end();
    let (mut provider, mut tokens) = (provider().await, Upstream::always(held).await);
    let gateway = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", &at(&tokens))).await;
    let gateway = Arc::new(gateway);
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move { gateway.ask(&ZETA.request("z", false)).await.status() })
        })
        .collect();
    gateway.until_metric("weir_in_flight", 8.0).await;
    gate.open();
    for one in asking {
        assert_eq!(one.await.unwrap(), 200);
        assert_eq!(provider.request().await.header("authorization"), Some("Bearer the-one-token"));
    }
    assert_eq!(tokens.count_unseen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_client_is_the_gateways_failure_in_the_clients_format() {
    let refusal = "{\"error\":\"invalid_client\",\"error_description\":\"wrong: planted-secret-of-client\"}";
    let (mut provider, tokens) = (provider().await, Upstream::always(Answer::json(401, refusal)).await);
    let gateway = Gateway::open(&config(&provider, "client-1:planted-secret-of-client", "token", &at(&tokens))).await;
    for (from, pointer) in [(OPENAI, "/error/message"), (ANTHROPIC, "/error/message"), (ZETA, "/woe/says")] {
        let reply = gateway.ask(&from.request("z", false)).await;
        assert_eq!(reply.status(), 502);
        assert_eq!(reply.header("x-weir-error-source"), Some("upstream"));
        let message = reply.json().pointer(pointer).map_or_else(|| reply.text(), ToString::to_string);
        assert!(message.contains("refused the gateway's credential"), "{message}");
        assert!(!reply.text().contains("planted-secret"));
    }
    assert_eq!(provider.count_unseen(), 0);
    let log = log::text();
    assert!(log.contains("invalid_client"), "the log says why");
    assert!(!log.contains("planted-secret-of-client"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_token_endpoint_is_distinguished_from_a_refusal() {
    let mut provider = provider().await;
    let tokens = Upstream::scripted(|_| Answer::json(503, "{}")).await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!(", token_url = \"http://{}/zeta/token\"", listener.local_addr().unwrap())
    };
    for more in [at(&tokens), nobody] {
        let gateway = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", &more)).await;
        let reply = gateway.ask(&OPENAI.request("z", false)).await;
        assert_eq!(reply.status(), 502);
        assert!(reply.text().contains("the provider's token endpoint gives no token"), "{}", reply.text());
    }
    assert_eq!(provider.count_unseen(), 0);
    tokens.now(Answer::json(200, "{\"access_token\":\"better-now\"}"));
    let gateway = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", &at(&tokens))).await;
    assert_eq!(gateway.ask(&OPENAI.request("z", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_token_that_the_provider_refuses_is_replaced_and_the_request_sent_again() {
    let mut provider = Upstream::scripted(|request| match request.header("authorization") {
        Some("Bearer token-number-1") => Answer::json(200, ZETA.whole()),
        _ => Answer::json(401, "{}"),
    })
    .await;
    let mut tokens = tokens(3600).await;
    let gateway = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", &at(&tokens))).await;
    assert_eq!(gateway.ask(&ZETA.request("z", false)).await.status(), 200);
    provider.request().await;
    // Token 1 is revoked; token 2 is valid.
    provider.script(|request| match request.header("authorization") {
        Some("Bearer token-number-2") => Answer::json(200, ZETA.whole()),
        _ => Answer::json(401, "{}"),
    });
    assert_eq!(gateway.ask(&ZETA.request("z", false)).await.status(), 200);
    let (first, again) = (provider.request().await, provider.request().await);
    assert_eq!(first.header("authorization"), Some("Bearer token-number-1"));
    assert_eq!(again.header("authorization"), Some("Bearer token-number-2"));
    assert_eq!(again.body, first.body);
    assert_eq!(tokens.count_unseen(), 2);
    // No token is valid any more: one more attempt, and then the provider's error is returned.
    provider.script(|_| Answer::json(401, "{}"));
    for expected in [2, 1, 1] {
        gateway.ask(&ZETA.request("z", false)).await;
        assert_eq!(provider.count_unseen(), expected);
    }
    assert_eq!(tokens.count_unseen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c69_an_unpinned_adapter_does_not_decide_where_the_key_goes() {
    let mut provider = Upstream::scripted(|request| {
        if is_token_request(request) {
            return Answer::json(200, "{\"access_token\":\"at-home\",\"expires_in\":3600}");
        }
        Answer::json(200, ZETA.whole())
    })
    .await;
    let stray = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "stray", "")).await;
    let reply = stray.ask(&ZETA.request("z", false)).await;
    assert!(reply.status() >= 500, "{}", reply.text());
    assert!(log::text().contains("the source of its access tokens is not configured"));
    // The provider's own origin is trusted with the key.
    let home = Gateway::open(&config(&provider, "client-1:s3cret-of-client", "token", "")).await;
    assert_eq!(home.ask(&ZETA.request("z", false)).await.status(), 200);
    assert!(is_token_request(&provider.request().await));
    assert_eq!(provider.request().await.header("authorization"), Some("Bearer at-home"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_accounts_key_signs_for_a_token() {
    let (mut provider, mut tokens) = (provider().await, tokens(3600).await);
    let key = serde_json::json!({
        "type": "service_account",
        "client_email": "robot@p.test",
        "private_key_id": "key-1",
        "private_key": ACCOUNTS_KEY,
        "token_uri": format!("{}/zeta/token", tokens.origin()),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    std::fs::write(&path, serde_json::to_string_pretty(&key).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    for api_key in [format!("file:{path}"), path.to_owned(), key.to_string()] {
        let gateway = Gateway::open(&config(&provider, &api_key, "account", "")).await;
        assert_eq!(gateway.ask(&ZETA.request("z-t", false)).await.status(), 200);
        let sent = provider.request().await;
        assert!(sent.header("authorization").unwrap().starts_with("Bearer token-number-"));
        let asked = tokens.request().await;
        let assertion =
            asked.text().replace("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=", "");
        assert_eq!(assertion.split('.').count(), 3, "{assertion}");
        assert_eq!(asked.header("authorization"), None);
    }
    let line = ACCOUNTS_KEY.lines().nth(1).unwrap();
    assert!(!log::text().contains(line));
}

#[tokio::test(flavor = "multi_thread")]
async fn c70_tokens_and_secrets_are_in_no_log_and_no_answer() {
    // Both sides repeat the credentials they were given.
    let shout = |request: &Received| {
        let head = request.head.replace(['\r', '\n', '"'], " ");
        Answer::json(400, format!("{{\"woe\":{{\"says\":\"{head}\",\"kind\":\"x\"}}}}"))
    };
    let provider = Upstream::scripted(shout).await;
    let tokens =
        Upstream::always(Answer::json(200, "{\"access_token\":\"planted-token-1\",\"expires_in\":3600}")).await;
    let gateway = Gateway::open(&config(&provider, "client-1:planted-client-secret", "token", &at(&tokens))).await;
    for model in ["z", "z-t"] {
        let reply = gateway.ask(&OPENAI.request(model, false)).await;
        assert!(!reply.text().contains("planted-token-1"), "{}", reply.text());
    }
    for path in ["/admin/config", "/admin/plugins", "/ready", "/metrics"] {
        assert!(!gateway.get(path).await.text().contains("planted-"), "{path}");
    }
    let text = log::text();
    let leaks: Vec<&str> =
        text.lines().filter(|line| line.contains("planted-token-1") || line.contains("planted-client")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
