//! The answer of the token endpoint, and the ID token in it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use weir_config::Secret;

use super::{ClientSettings, Discovery, PendingLogin};
use crate::document::Login;
use crate::jwt::{Claims, Expected, KeySet, Refusal, SignedToken, parse_object};

const MAX_ANSWER_BYTES: usize = 256 * 1024;
const LEEWAY: Duration = Duration::from_mins(1);

/// Who logged in.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedIn {
    /// The account. It alone identifies the user.
    pub login: Login,
    /// The claims of the ID token: names, groups, an address.
    pub claims: Map<String, Value>,
}

/// Why an answer of the token endpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is no JSON object, or has no ID token.
    #[error("the identity provider's answer has no ID token")]
    Form,
    /// The ID token is refused.
    #[error("ID token: {0}")]
    Token(Refusal),
    /// The ID token was issued for another login.
    #[error("the ID token belongs to another login")]
    Nonce,
    /// The ID token was issued to another client.
    #[error("the ID token was issued to another client")]
    Client,
}

/// The ID token of an answer with status 200.
fn id_token(answer: &[u8]) -> Result<Secret, AnswerError> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(AnswerError::Form);
    }
    let answer = parse_object(answer).map_err(|_| AnswerError::Form)?;
    answer.get("id_token").and_then(Value::as_str).map(Secret::new).ok_or(AnswerError::Form)
}

/// Reads the answer of the token endpoint and verifies the ID token (OpenID Connect Core, section 3.1.3.7).
///
/// # Errors
///
/// The answer has no ID token, or it is not that of this login.
pub fn read_answer(
    answer: &[u8],
    pending: &PendingLogin,
    discovery: &Discovery,
    client: &ClientSettings,
    keys: &KeySet,
    now: Timestamp,
) -> Result<LoggedIn, AnswerError> {
    let text = id_token(answer)?;
    let token = SignedToken::parse(text.expose()).map_err(AnswerError::Token)?;
    if !discovery.algorithms.contains(&token.algorithm) {
        return Err(AnswerError::Token(Refusal::Algorithm));
    }
    if !keys.verifies(&token) {
        return Err(AnswerError::Token(Refusal::Signature));
    }
    let audiences = [client.client_id.clone()];
    let expected =
        Expected { issuer: &discovery.issuer, audiences: &audiences, leeway: LEEWAY, max_lifetime: None, now };
    let claims = Claims::check(&token.claims, &expected).map_err(AnswerError::Token)?;
    let text = |name: &str| token.claims.get(name).and_then(Value::as_str);
    if !text("nonce").is_some_and(|nonce| pending.nonce.matches(nonce)) {
        return Err(AnswerError::Nonce);
    }
    let has_several = token.claims.get("aud").and_then(Value::as_array).is_some_and(|list| list.len() > 1);
    match text("azp") {
        Some(party) if party != client.client_id => return Err(AnswerError::Client),
        None if has_several => return Err(AnswerError::Client),
        _ => {}
    }
    let login = Login { issuer: discovery.issuer.clone(), subject: claims.subject };
    Ok(LoggedIn { login, claims: token.claims })
}
