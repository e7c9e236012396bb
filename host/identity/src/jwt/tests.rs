//! Tests of tokens by what they are about.

mod hostile;
mod key_source;
mod mapped;
mod vectors;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::test_keys::Signer;
use super::*;
use crate::document::TeamId;

const ISSUER: &str = "https://id.example/realms/a";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).unwrap()
}

/// Claims that are accepted for an hour.
fn claims() -> Value {
    let now = now().as_second();
    json!({"iss": ISSUER, "aud": "weir", "sub": "u-1", "iat": now, "exp": now + 3_600, "groups": ["weir-red", "x"]})
}

fn with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn settings() -> IssuerSettings {
    let mut settings = IssuerSettings::new("corp", ISSUER, "weir", TeamId::parse("all").unwrap());
    settings.jwks_uri = Some("https://id.example/keys".to_owned());
    settings
}

fn verifier(settings: IssuerSettings) -> Verifier {
    Verifier::new(vec![settings], Timing::default(), 100).unwrap()
}

/// An HTTP client that has documents.
struct Documents(Vec<(&'static str, String)>);

impl Fetch for Documents {
    async fn get(&self, address: &str, _most: usize) -> Result<Vec<u8>, FetchFailed> {
        let found = self.0.iter().find(|(known, _)| *known == address);
        found.map(|(_, text)| text.clone().into_bytes()).ok_or_else(|| FetchFailed("404".to_owned()))
    }
}

/// Runs a future that only waits for what is ready.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("not ready"),
    }
}

fn verify(verifier: &Verifier, keys: &str, token: &str, now: Timestamp) -> Result<Verified, Refusal> {
    let client = Documents(vec![("https://id.example/keys", keys.to_owned())]);
    ready(verifier.verify_with(token, now, |job| drop(ready(job.run(&client)))))
}

/// The refusal of a token by a verifier that has just begun.
fn refusal(signer: &Signer, token: &str) -> Refusal {
    verify(&verifier(settings()), &signer.set("k1"), token, now()).unwrap_err()
}
