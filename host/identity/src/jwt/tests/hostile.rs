//! Tokens that were made to be accepted wrongly.

use proptest::prelude::*;

use super::*;
use crate::jwt::test_keys::{N, encode};

fn header(more: &str) -> String {
    format!(r#"{{"alg":"ES256","kid":"k1"{more}}}"#)
}

#[test]
fn unsigned_tokens_and_macs_do_not_exist() {
    let signer = Signer::new("RS256");
    for algorithm in ["none", "None", "NONE", "HS256", "HS384", "HS512", "rs256", "RS256 ", "ES512", "dir", ""] {
        let header = json!({"alg": algorithm, "kid": "k1"}).to_string();
        let message = format!("{}.{}", encode(header), encode(claims().to_string()));
        // With an empty signature, and with a MAC whose key is the public key.
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, N.as_bytes());
        let mac = encode(ring::hmac::sign(&key, message.as_bytes()));
        for signature in ["", &mac] {
            assert_eq!(refusal(&signer, &format!("{message}.{signature}")), Refusal::Algorithm, "{algorithm}");
        }
    }
    for missing in [r#"{"kid":"k1"}"#, r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":5}"#] {
        assert_eq!(refusal(&signer, &signer.token_with(missing, "{}")), Refusal::Algorithm);
    }
}

#[test]
fn an_algorithm_must_be_the_issuers_and_fit_the_key() {
    let signer = Signer::new("RS256");
    let mut only_curves = settings();
    only_curves.algorithms = vec![Algorithm::ES256];
    let token = signer.token("k1", &claims());
    assert_eq!(verify(&verifier(only_curves), &signer.set("k1"), &token, now()).unwrap_err(), Refusal::Algorithm);
    // An RSA key under an id of a token that pretends to be ECDSA: no key fits.
    let pretended = Signer::new("ES256").token("k1", &claims());
    let unknown = Refusal::UnknownKey { issuer: "corp".to_owned() };
    assert_eq!(refusal(&signer, &pretended), unknown);
    // The set restricts its key to PS256.
    let restricted = json!({"keys": [{"kty": "RSA", "kid": "k1", "n": N, "e": "AQAB", "alg": "PS256"}]}).to_string();
    assert_eq!(verify(&verifier(settings()), &restricted, &token, now()).unwrap_err(), unknown);
}

#[test]
fn headers_that_need_or_bring_something_are_refused_or_ignored() {
    let signer = Signer::new("ES256");
    let claims = claims().to_string();
    let refused = |more: &str| refusal(&signer, &signer.token_with(&header(more), &claims));
    for critical in [r#","crit":["exp"]"#, r#","crit":[]"#, r#","crit":["b64"],"b64":false"#, r#","crit":null"#] {
        assert_eq!(refused(critical), Refusal::Malformed(MalformedToken::Critical));
    }
    for typ in [r#","typ":"JWE""#, r#","typ":"dpop+jwt""#, r#","typ":"logout+jwt""#, r#","typ":1"#] {
        assert_eq!(refused(typ), Refusal::Malformed(MalformedToken::Type));
    }
    for doubled in [r#","alg":"ES256""#, r#","kid":"k1""#, r#","\u0061lg":"none""#] {
        assert_eq!(refused(doubled), Refusal::Malformed(MalformedToken::Header));
    }
    // The key that a token brings is not used: this one is signed by another.
    let other = Signer::new("ES256");
    let own_key = format!(r#","jwk":{},"jku":"https://evil.example/keys""#, other.public("k1"));
    assert_eq!(refusal(&signer, &other.token_with(&header(&own_key), &claims)), Refusal::Signature);
    assert!(
        verify(&verifier(settings()), &signer.set("k1"), &signer.token_with(&header(&own_key), &claims), now()).is_ok()
    );
}

#[test]
fn key_ids_are_texts_and_nothing_else() {
    let signer = Signer::new("ES256");
    let claims = claims().to_string();
    let of =
        |id: &Value| refusal(&signer, &signer.token_with(&json!({"alg": "ES256", "kid": id}).to_string(), &claims));
    for id in [json!(1), json!(null), json!(["k1"]), json!({"k1": 1}), json!("k".repeat(257))] {
        assert_eq!(of(&id), Refusal::Malformed(MalformedToken::KeyId));
    }
    for id in ["../../dev/null", "k1' or '1'='1", "k1\u{0}", "K1", "", "https://evil.example/keys"] {
        assert_eq!(of(&json!(id)), Refusal::UnknownKey { issuer: "corp".to_owned() }, "{id}");
    }
}

#[test]
fn sizes_and_forms_are_bounded() {
    let signer = Signer::new("ES256");
    let good = signer.token("k1", &claims());
    assert!(looks_like_token(&good) && !looks_like_token("sk-weir-1") && !looks_like_token("eyJ.a"));
    let huge = signer.token("k1", &with(&json!({"x": "y".repeat(20_000)})));
    assert_eq!(refusal(&signer, &huge), Refusal::Malformed(MalformedToken::Length));
    for parts in ["", ".", "..", "...", "a.b", &format!("{good}.x"), &format!("{good}="), &format!(" {good}"), "é.é.é"]
    {
        let refusal = refusal(&signer, parts);
        assert!(matches!(refusal, Refusal::Malformed(_)), "{parts}: {refusal}");
    }
    // No set of keys, and nothing that an issuer says of itself, is read deeper than a claim.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        for set in [deep.clone(), format!(r#"{{"keys":{deep}}}"#), format!(r#"{{"keys":[{{"kty":"EC","x":{deep}}}]}}"#)]
        {
            assert_eq!(KeySet::parse(set.as_bytes()).unwrap_err(), KeySetError::Form);
            assert!(matches!(Discovery::parse(set.as_bytes(), ISSUER, false), Err(DiscoveryError::Form)));
        }
    }
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = signer.token_with(&header(""), &format!(r#"{{"a":{deep}}}"#));
    assert_eq!(refusal(&signer, &deep), Refusal::Malformed(MalformedToken::Claims));
    let doubled = signer.token_with(&header(""), &claims().to_string().replacen('{', r#"{"sub":"root","#, 1));
    assert_eq!(refusal(&signer, &doubled), Refusal::Malformed(MalformedToken::Claims));
    let empty = signer.token_with(&header(""), &claims().to_string());
    let (message, _) = empty.rsplit_once('.').unwrap();
    for signature in [vec![], vec![0; 64], vec![0; 63], vec![0xff; 64], vec![0; 10_000]] {
        assert_eq!(refusal(&signer, &format!("{message}.{}", encode(signature))), Refusal::Signature);
    }
}

#[test]
fn claims_that_are_missing_or_others_are_refused() {
    let signer = Signer::new("ES256");
    let of = |changes: Value| refusal(&signer, &signer.token("k1", &with(&changes)));
    let claim = |name: &str| Refusal::Claim(name.to_owned());
    assert_eq!(of(json!({"iss": "https://evil.example"})), Refusal::UnknownIssuer);
    assert_eq!(of(json!({"iss": format!("{ISSUER}/")})), Refusal::UnknownIssuer);
    assert_eq!(of(json!({"iss": [ISSUER]})), Refusal::UnknownIssuer);
    for audience in
        [json!(null), json!("other"), json!(["other"]), json!({"weir": 1}), json!("weir "), json!([["weir"]])]
    {
        assert_eq!(of(json!({ "aud": audience })), Refusal::Audience);
    }
    assert_eq!(of(json!({"exp": null})), claim("exp"));
    for exp in [json!("2099"), json!(1e300), json!(u64::MAX), json!(i64::MAX), json!([1])] {
        assert_eq!(of(json!({ "exp": exp })), claim("exp"));
    }
    assert_eq!(of(json!({"exp": 0})), Refusal::Expired(Timestamp::UNIX_EPOCH));
    assert_eq!(of(json!({"nbf": now().as_second() + 100})), Refusal::NotYet);
    assert_eq!(of(json!({"iat": now().as_second() + 100})), Refusal::NotYet);
    for subject in [json!(null), json!(""), json!(7), json!("a\nb"), json!("x".repeat(256))] {
        assert_eq!(of(json!({ "sub": subject })), claim("sub"));
    }
}

#[test]
fn no_refusal_shows_anything_of_the_token() {
    let signer = Signer::new("ES256");
    let secret = "s3cr3t";
    for token in [
        signer.token(secret, &claims()),
        signer.token("k1", &with(&json!({"iss": secret}))),
        signer.token("k1", &with(&json!({"aud": secret}))),
        signer.token_with(&json!({"alg": secret}).to_string(), "{}"),
        signer.token_with(&header(""), &format!(r#"{{"{secret}":1,"{secret}":2}}"#)),
        format!("eyJ{secret}.{secret}.{secret}"),
    ] {
        let refusal = refusal(&signer, &token);
        assert!(!format!("{refusal} {refusal:?}").contains(secret), "{refusal}");
    }
}

#[test]
fn keys_that_are_weak_private_or_for_other_uses_are_left_out() {
    let good = Signer::new("ES256").public("k1");
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).map(|_| ())
    };
    assert_eq!(with("kid", json!("k2")), Ok(()));
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!(1)),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
        ("d", json!("AAAA")),
        ("alg", json!("HS256")),
        ("alg", json!("ES384")),
        ("kty", json!("oct")),
        ("crv", json!("secp256k1")),
        ("x", json!("AAAA")),
        ("kid", json!(1)),
    ] {
        assert_eq!(with(name, value.clone()), Err(KeySetError::Empty), "{name}: {value}");
    }
    let rsa = |n: &str, e: &str| {
        KeySet::parse(json!({"keys": [{"kty": "RSA", "n": n, "e": e}]}).to_string().as_bytes()).map(|_| ())
    };
    assert_eq!(rsa(N, "AQAB"), Ok(()));
    assert_eq!(rsa(&encode([0xff; 128]), "AQAB"), Err(KeySetError::Empty), "1024 bits");
    assert_eq!(rsa(&encode([0xff; 1_025]), "AQAB"), Err(KeySetError::Empty), "more than 8192 bits");
    assert_eq!(rsa("", "AQAB"), Err(KeySetError::Empty));
    for (text, error) in [
        ("[]".to_owned(), KeySetError::Form),
        ("{}".to_owned(), KeySetError::Form),
        (r#"{"keys":[],"keys":[]}"#.to_owned(), KeySetError::Form),
        (r#"{"keys":[]}"#.to_owned(), KeySetError::Empty),
        (json!({"keys": vec![good.clone(); 129]}).to_string(), KeySetError::Size),
        (" ".repeat(300_000), KeySetError::Size),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), error);
    }
}

proptest! {
    #[test]
    fn no_text_is_a_panic(token in "\\PC{0,200}", json in "\\PC{0,200}") {
        let _ = SignedToken::parse(&token);
        let _ = KeySet::parse(json.as_bytes());
    }

    #[test]
    fn no_changed_byte_is_accepted(at in 0usize..400, by in 1u8..64) {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        static SIGNED: std::sync::LazyLock<(Signer, String)> = std::sync::LazyLock::new(|| {
            let signer = Signer::new("EdDSA");
            let token = signer.token("k1", &claims());
            (signer, token)
        });
        let (signer, token) = &*SIGNED;
        let mut bytes = token.clone().into_bytes();
        let at = at % bytes.len();
        let place = LETTERS.iter().position(|letter| *letter == bytes[at]);
        bytes[at] = LETTERS[(place.unwrap_or(0) + usize::from(by)) % 64];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != *token);
        prop_assert!(verify(&verifier(settings()), &signer.set("k1"), &changed, now()).is_err());
    }
}
