//! The registered claims of a token whose signature is right (RFC 7519).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Refusal;

const MAX_SUBJECT_LEN: usize = 255;

/// What the claims are compared with.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audiences: &'a [String],
    pub(crate) leeway: Duration,
    /// The longest time from issue to expiry.
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) now: Timestamp,
}

/// The claims that hold.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) expires: Timestamp,
}

impl Claims {
    /// Compares issuer, audience, times and subject. `exp`, `iss`, `aud` and `sub` are required.
    pub(crate) fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<Self, Refusal> {
        if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
            return Err(Refusal::UnknownIssuer);
        }
        if !audience_fits(claims.get("aud"), expected.audiences) {
            return Err(Refusal::Audience);
        }
        let expires = time(claims, "exp")?.ok_or_else(|| Refusal::Claim("exp".to_owned()))?;
        let issued = time(claims, "iat")?;
        let now = expected.now;
        let earliest = now.checked_add(expected.leeway).unwrap_or(Timestamp::MAX);
        if expires.checked_add(expected.leeway).is_ok_and(|end| now >= end) {
            return Err(Refusal::Expired(expires));
        }
        if [time(claims, "nbf")?, issued].into_iter().flatten().any(|start| start > earliest) {
            return Err(Refusal::NotYet);
        }
        if let Some(most) = expected.max_lifetime {
            let start = issued.ok_or_else(|| Refusal::Claim("iat".to_owned()))?;
            if start.checked_add(most).is_ok_and(|end| expires > end) {
                return Err(Refusal::Lifetime);
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str).filter(|text| is_subject(text));
        let subject = subject.ok_or_else(|| Refusal::Claim("sub".to_owned()))?;
        Ok(Self { subject: subject.to_owned(), expires })
    }
}

fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_SUBJECT_LEN && !text.chars().any(char::is_control)
}

fn audience_fits(value: Option<&Value>, audiences: &[String]) -> bool {
    let is_ours = |value: &Value| value.as_str().is_some_and(|text| audiences.iter().any(|audience| audience == text));
    match value {
        Some(Value::Array(values)) => values.iter().any(is_ours),
        Some(value) => is_ours(value),
        None => false,
    }
}

/// A numeric date, of which fractions of a second are dropped.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let unusable = || Refusal::Claim(name.to_owned());
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| value.as_f64().filter(|number| number.abs() < 1e15).map(|it| it as i64));
    let seconds = seconds.ok_or_else(unusable)?;
    Timestamp::from_second(seconds).map(Some).map_err(|_| unusable())
}
