//! Tests with a key that was made for them and protects nothing.

use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::*;

const KEY: &str = include_str!("test-key.pem");
const NOWHERE: Places<'_> = Places { set: None, suggested: None };

fn keyfile() -> Value {
    json!({
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "key-1",
        "private_key": KEY,
        "client_email": "robot@p.test",
        "client_id": "1",
        "token_uri": "https://tokens.test/token",
    })
}

fn opened(key: &str, places: Places<'_>) -> Result<(Account, String), CredentialError> {
    match open(key, &["a".to_owned(), "b".to_owned()], places)? {
        (Grant::Account(account), url) => Ok((*account, url)),
        _ => panic!("not an account"),
    }
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn an_assertion_names_the_account_and_the_scopes_and_is_signed() {
    let (account, url) = opened(&keyfile().to_string(), NOWHERE).unwrap();
    assert_eq!(url, "https://tokens.test/token");
    let assertion = account.assertion(UNIX_EPOCH + Duration::from_secs(1_000)).unwrap();
    let [head, claims, signature] = assertion.split('.').collect::<Vec<_>>()[..] else { panic!("{assertion}") };
    assert_eq!(decoded(head), json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    let audience = "https://tokens.test/token";
    let expected = json!({"iss": "robot@p.test", "aud": audience, "iat": 1_000, "exp": 4_600, "scope": "a b"});
    assert_eq!(decoded(claims), expected);
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.key.public_key());
    let signed = format!("{head}.{claims}");
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[test]
fn the_operators_url_comes_before_the_keys_and_that_before_a_suggestion() {
    let key = keyfile().to_string();
    let (set, suggested) = (Some("https://set.test/"), Some("https://suggested.test/"));
    let (account, url) = opened(&key, Places { set, suggested }).unwrap();
    assert_eq!((url.as_str(), &*account.audience), ("https://set.test/", "https://tokens.test/token"));
    assert_eq!(opened(&key, Places { set: None, suggested }).unwrap().1, "https://tokens.test/token");
    let mut without = keyfile();
    without["token_uri"] = Value::Null;
    let key = without.to_string();
    let (account, url) = opened(&key, Places { set: None, suggested }).unwrap();
    assert_eq!((url.as_str(), &*account.audience), ("https://suggested.test/", "https://suggested.test/"));
    assert_eq!(opened(&key, NOWHERE).err(), Some(CredentialError::NoTokenUrl));
}

#[test]
fn a_key_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    std::fs::write(&path, serde_json::to_string_pretty(&keyfile()).unwrap()).unwrap();
    assert!(opened(path.to_str().unwrap(), NOWHERE).is_ok());
}

#[test]
fn a_users_own_credentials_replace_an_account() {
    let key = json!({"type": "authorized_user", "client_id": "id", "client_secret": "s", "refresh_token": "r"});
    let (grant, _) = open(&key.to_string(), &[], Places { suggested: Some("https://t.test"), ..NOWHERE }).unwrap();
    assert!(matches!(grant, Grant::User { .. }));
}

#[test]
fn c_70_unusable_keys_are_reported_without_being_shown() {
    let with = |member: &str, value: &str| {
        let mut key = keyfile();
        key[member] = json!(value);
        key.to_string()
    };
    for (key, expected) in [
        ("sk-s3cret".to_owned(), CredentialError::Form(FORM)),
        ("{s3cret".to_owned(), CredentialError::Form(FORM)),
        (with("client_email", ""), CredentialError::Form(FORM)),
        (with("type", "s3cret"), CredentialError::KeyKind),
        (with("private_key", "s3cret"), CredentialError::PrivateKey),
        (with("private_key", &KEY.replace("PRIVATE", "RSA PRIVATE")), CredentialError::PrivateKey),
        (
            r#"{"type": "authorized_user", "client_id": "s3cret", "token_uri": "x"}"#.to_owned(),
            CredentialError::Form(FORM),
        ),
    ] {
        let error = open(&key, &[], NOWHERE).err().unwrap();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
