use jiff::Timestamp;
use serde_json::{Value, json};
use weir_config::Secret;

use super::*;
use crate::jwt::test_keys::Signer;
use crate::jwt::{Algorithm, KeySet, Refusal};

const ISSUER: &str = "https://id.example";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example/auth?tenant=1",
        "token_endpoint": "https://id.example/token",
        "jwks_uri": "https://id.example/keys",
        "code_challenge_methods_supported": ["plain", "S256"],
        "id_token_signing_alg_values_supported": ["none", "ES256", "HS256"],
        "authorization_response_iss_parameter_supported": true,
        "more": {"a": 1},
    })
}

fn discovery() -> Discovery {
    Discovery::parse(document().to_string().as_bytes(), ISSUER, false).unwrap()
}

fn client() -> ClientSettings {
    ClientSettings {
        client_id: "weir admin".to_owned(),
        client_secret: Some(Secret::new("p:ss")),
        redirect_uri: "https://weir.example/admin/callback".to_owned(),
        scopes: vec!["email".to_owned(), "groups".to_owned()],
    }
}

fn pending() -> PendingLogin {
    PendingLogin::from_random([[1; 32], [2; 32], [3; 32]], now())
}

#[test]
fn a_discovery_document_is_read_and_a_wrong_one_refused() {
    let read = discovery();
    assert_eq!(read.jwks_uri, "https://id.example/keys");
    assert_eq!(read.algorithms, [Algorithm::ES256], "neither none nor MACs");
    assert!(read.names_issuer_in_callback && !read.wants_secret_in_body);
    let with = |name: &str, value: Value| {
        let mut document = document();
        document[name] = value;
        Discovery::parse(document.to_string().as_bytes(), ISSUER, false).unwrap_err()
    };
    assert_eq!(with("issuer", json!("https://id.example/")), DiscoveryError::Issuer);
    assert_eq!(with("jwks_uri", json!("http://id.example/keys")), DiscoveryError::Address("jwks_uri"));
    assert_eq!(with("jwks_uri", json!(null)), DiscoveryError::Address("jwks_uri"));
    assert_eq!(with("token_endpoint", json!("https://u@id.example")), DiscoveryError::Address("token_endpoint"));
    assert_eq!(with("token_endpoint", json!("https://id.example/\r\nx")), DiscoveryError::Address("token_endpoint"));
    assert_eq!(with("code_challenge_methods_supported", json!(["plain"])), DiscoveryError::Pkce);
    for text in ["", "[]", "{", r#"{"issuer":"a","issuer":"https://id.example"}"#] {
        assert_eq!(Discovery::parse(text.as_bytes(), ISSUER, false).unwrap_err(), DiscoveryError::Form);
    }
    assert_eq!(discovery_address("https://id.example/a/"), "https://id.example/a/.well-known/openid-configuration");
    assert!(Endpoint::parse("http://127.0.0.1:1/x", true).is_ok());
    for bad in ["https://", "https:///x", "https://a#b", "ftp://a", "https://a b"] {
        assert!(Endpoint::parse(bad, true).is_err(), "{bad}");
    }
}

#[test]
fn the_challenge_is_that_of_rfc_7636() {
    // The verifier of appendix B is 32 bytes in base64url, as ours are.
    let bytes = crate::jwt::test_keys::decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let pending = PendingLogin::from_random([[1; 32], [2; 32], bytes.try_into().unwrap()], now());
    assert_eq!(pending.verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let start = pending.start(&discovery(), &client()).unwrap();
    assert!(start.address.contains("&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&"));
}

#[test]
fn the_browser_is_sent_with_all_that_comes_back() {
    let start = pending().start(&discovery(), &client()).unwrap();
    let state = start.pending.state.expose();
    assert!(start.address.starts_with("https://id.example/auth?tenant=1&response_type=code&client_id=weir%20admin&"));
    for part in [
        "&redirect_uri=https%3A%2F%2Fweir.example%2Fadmin%2Fcallback&",
        "&scope=openid%20email%20groups&",
        &format!("&state={state}&"),
        "&code_challenge_method=S256",
    ] {
        assert!(start.address.contains(part), "{part}: {}", start.address);
    }
    assert!(!start.address.contains(start.pending.verifier.expose()), "the verifier stays here");
    assert_ne!(PendingLogin::begin(now()).unwrap(), PendingLogin::begin(now()).unwrap());
}

#[test]
fn a_callback_is_for_one_login_of_one_provider() {
    let (pending, discovery) = (pending(), discovery());
    let state = pending.state.expose().to_owned();
    let of = |query: &str, seconds: i64| {
        let time = Timestamp::from_second(now().as_second() + seconds).unwrap();
        callback(query, &pending, &discovery, time).map(|code| code.expose().to_owned())
    };
    let good = format!("code=a%2Bb%20c&state={state}&iss=https%3A%2F%2Fid.example");
    assert_eq!(of(&good, 599), Ok("a+b c".to_owned()));
    assert_eq!(of(&good, 600), Err(CallbackError::Late));
    assert_eq!(of("code=x&iss=https%3A%2F%2Fid.example", 0), Err(CallbackError::State));
    assert_eq!(of(&good.replace(&state, "AAAA"), 0), Err(CallbackError::State));
    assert_eq!(of(&format!("code=x&state={state}"), 0), Err(CallbackError::Issuer));
    assert_eq!(of(&format!("code=x&state={state}&iss=https%3A%2F%2Fevil.example"), 0), Err(CallbackError::Issuer));
    assert_eq!(of(&format!("{good}&code=y"), 0), Err(CallbackError::Incomplete));
    assert_eq!(of(&good.replace("a%2Bb%20c", ""), 0), Err(CallbackError::Incomplete));
    let refused = good.replace("code=a%2Bb%20c", "error=access_denied%3Cscript%3E");
    assert_eq!(of(&refused, 0), Err(CallbackError::Refused("access_deniedscript".to_owned())));
    assert_eq!(of(&"x".repeat(10_000), 0), Err(CallbackError::Incomplete));
}

#[test]
fn the_exchange_authenticates_as_the_provider_wants() {
    let (pending, mut discovery, mut client) = (pending(), discovery(), client());
    let code = Secret::new("a+b");
    let exchange = pending.exchange(&code, &discovery, &client).unwrap();
    // printf 'weir%%20admin:p%%3Ass' | base64
    assert_eq!(exchange.authorization.unwrap().expose(), "Basic d2VpciUyMGFkbWluOnAlM0Fzcw==");
    let body = exchange.body.expose();
    assert!(body.starts_with("grant_type=authorization_code&code=a%2Bb&redirect_uri=https%3A"), "{body}");
    assert!(body.ends_with(&format!("&code_verifier={}", pending.verifier.expose())) && !body.contains("secret"));
    discovery.wants_secret_in_body = true;
    let exchange = pending.exchange(&code, &discovery, &client).unwrap();
    assert!(exchange.authorization.is_none());
    assert!(exchange.body.expose().ends_with("&client_id=weir%20admin&client_secret=p%3Ass"));
    client.client_secret = None;
    let exchange = pending.exchange(&code, &discovery, &client).unwrap();
    assert!(exchange.body.expose().ends_with("&client_id=weir%20admin"));
}

#[test]
fn an_id_token_is_for_this_login_of_this_client() {
    let (pending, discovery, client) = (pending(), discovery(), client());
    let signer = Signer::new("ES256");
    let keys = KeySet::parse(signer.set("k").as_bytes()).unwrap();
    let seconds = now().as_second();
    let read = |changes: Value| {
        let mut claims = json!({"iss": ISSUER, "aud": "weir admin", "sub": "u", "exp": seconds + 60,
            "nonce": pending.nonce.expose(), "email": "u@example.org"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let answer = json!({"access_token": "x", "id_token": signer.token("k", &claims)}).to_string();
        read_answer(answer.as_bytes(), &pending, &discovery, &client, &keys, now())
    };
    let done = read(json!({})).unwrap();
    assert_eq!((done.login.issuer.as_str(), done.login.subject.as_str()), (ISSUER, "u"));
    assert_eq!(done.claims["email"], "u@example.org");
    assert_eq!(read(json!({"nonce": "other"})).unwrap_err(), AnswerError::Nonce);
    assert_eq!(read(json!({"nonce": null})).unwrap_err(), AnswerError::Nonce);
    assert_eq!(read(json!({"aud": "other"})).unwrap_err(), AnswerError::Token(Refusal::Audience));
    assert_eq!(read(json!({"aud": ["weir admin", "b"]})).unwrap_err(), AnswerError::Client);
    assert!(read(json!({"aud": ["weir admin", "b"], "azp": "weir admin"})).is_ok());
    assert_eq!(read(json!({"azp": "b"})).unwrap_err(), AnswerError::Client);
    assert!(matches!(read(json!({"exp": seconds - 61})).unwrap_err(), AnswerError::Token(Refusal::Expired(_))));
    let other = Signer::new("EdDSA").token("k", &json!({}));
    let answer = |token: &str| json!({ "id_token": token }).to_string();
    let direct = |text: &str| read_answer(text.as_bytes(), &pending, &discovery, &client, &keys, now()).unwrap_err();
    assert_eq!(direct(&answer(&other)), AnswerError::Token(Refusal::Algorithm), "not one of the provider's");
    let forged = Signer::new("ES256").token("k", &json!({}));
    assert_eq!(direct(&answer(&forged)), AnswerError::Token(Refusal::Signature));
    assert_eq!(direct("{}"), AnswerError::Form);
    assert_eq!(direct(r#"{"id_token":"a","id_token":"b"}"#), AnswerError::Form);
}
