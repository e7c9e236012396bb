//! Published examples, and each algorithm once.

use super::*;
use crate::jwt::test_keys::{N, decode};

const A2: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const A3: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

fn set(key: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
}

#[test]
fn the_examples_of_rfc_7515_verify() {
    let rsa = set(&json!({"kty": "RSA", "n": N, "e": "AQAB"}));
    let p256 = set(&json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}));
    let (a2, a3) = (SignedToken::parse(A2).unwrap(), SignedToken::parse(A3).unwrap());
    assert!(rsa.verifies(&a2) && p256.verifies(&a3));
    assert!(!rsa.verifies(&a3) && !p256.verifies(&a2));
    assert_eq!(a2.claims["iss"], "joe");
}

#[test]
fn the_example_of_rfc_8037_verifies() {
    let key = set(&json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}));
    let mut token = SignedToken {
        algorithm: Algorithm::EdDSA,
        key_id: None,
        claims: serde_json::Map::new(),
        message: b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        signature: decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
    };
    assert!(key.verifies(&token));
    token.signature[0] ^= 1;
    assert!(!key.verifies(&token));
}

#[test]
fn each_algorithm_verifies_and_no_changed_token_does() {
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let signer = Signer::new(algorithm);
        let token = signer.token("k1", &claims());
        let verified = verify(&verifier(settings()), &signer.set("k1"), &token, now()).unwrap();
        assert_eq!(verified.identity.id, "corp:u-1", "{algorithm}");
        assert_eq!(verified.identity.login.issuer, ISSUER);
        let changed = signer.token("k1", &with(&json!({"sub": "root"})));
        let (message, _) = changed.rsplit_once('.').unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(refusal(&signer, &format!("{message}.{signature}")), Refusal::Signature, "{algorithm}");
    }
}

#[test]
fn times_hold_with_leeway_and_not_beyond() {
    let signer = Signer::new("ES256");
    let token = signer.token("k1", &with(&json!({"nbf": now().as_second()})));
    let check = |seconds| verify(&verifier(settings()), &signer.set("k1"), &token, at(seconds)).map(|_| ());
    assert_eq!(check(-61), Err(Refusal::NotYet));
    assert_eq!(check(-60), Ok(()));
    assert_eq!(check(3_659), Ok(()));
    assert_eq!(check(3_660), Err(Refusal::Expired(at(3_600))));
    let mut strict = settings();
    strict.max_lifetime_secs = Some(3_599);
    assert_eq!(verify(&verifier(strict), &signer.set("k1"), &token, now()).unwrap_err(), Refusal::Lifetime);
}

#[test]
fn a_remembered_token_is_refused_when_it_expires_or_its_key_goes() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let verifier = verifier(settings());
    let token = old.token("k1", &claims());
    assert!(verify(&verifier, &old.set("k1"), &token, now()).is_ok());
    let again = verify(&verifier, "unused", &token, at(1)).unwrap();
    assert!(again.refresh.is_none());
    // After ten minutes a fetch runs beside the request; it brings a set without the key.
    let refresh = verify(&verifier, "unused", &token, at(600)).unwrap().refresh.unwrap();
    let client = Documents(vec![("https://id.example/keys", new.set("k2"))]);
    ready(refresh.run(&client)).unwrap();
    assert_eq!(
        verify(&verifier, &new.set("k2"), &token, at(700)).unwrap_err(),
        Refusal::UnknownKey { issuer: "corp".to_owned() }
    );
}
