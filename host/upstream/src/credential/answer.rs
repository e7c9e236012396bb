//! Answers of token endpoints: RFC 6749, sections 5.1 and 5.2, read leniently.

use http::StatusCode;
use serde_json::Value;

use weir_config::secret::Secret;

/// Maximum length of an error code. A longer text is not a code and may hold anything.
const CODE_LIMIT: usize = 40;

#[derive(Debug)]
pub(super) struct IssuedToken {
    pub(super) token: Secret,
    /// In seconds, if the endpoint states it.
    pub(super) lifetime: Option<u64>,
}

/// Why no token was issued.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The credential is wrong, or lacks a permission.
    #[error("it refuses the credential ({0})")]
    Credential(String),
    /// The endpoint is failing, or does not answer as token endpoints do.
    #[error("{0}")]
    Unusable(String),
}

/// Parses an answer. Of a refusal only the code is kept, because its description may repeat the request.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<IssuedToken, Refusal> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = body.get("error").and_then(Value::as_str).filter(|code| is_code(code));
    let busy = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if (status.is_client_error() && !busy) || (status.is_success() && code.is_some()) {
        return Err(Refusal::Credential(code.map_or_else(|| status.as_str().to_owned(), str::to_owned)));
    }
    if !status.is_success() {
        return Err(Refusal::Unusable(format!("it answers {}", status.as_str())));
    }
    let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Refusal::Unusable("its answer holds no token".to_owned()))?;
    Ok(IssuedToken { token: Secret::new(token), lifetime: body.get("expires_in").and_then(seconds) })
}

/// Reads a number of seconds; some endpoints write it as text, or with a fraction.
fn seconds(value: &Value) -> Option<u64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number >= 0.0).then_some(number as u64)
}

fn is_code(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.len() <= CODE_LIMIT && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<(String, Option<u64>), Refusal> {
        let given = super::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())?;
        Ok((given.token.expose().to_owned(), given.lifetime))
    }

    #[test]
    fn tokens_are_read_with_their_lifetime() {
        let token = |lifetime| Ok(("t".to_owned(), lifetime));
        assert_eq!(read(200, r#"{"access_token":"t","token_type":"Bearer","expires_in":3599}"#), token(Some(3599)));
        assert_eq!(read(200, r#"{"access_token":"t","expires_in":"60"}"#), token(Some(60)));
        assert_eq!(read(200, r#"{"access_token":"t","expires_in":59.9}"#), token(Some(59)));
        assert_eq!(read(200, r#"{"access_token":"t","expires_in":-5}"#), token(None));
        assert_eq!(read(201, r#"{"access_token":"t"}"#), token(None));
    }

    #[test]
    fn a_wrong_credential_is_distinguished_from_a_failing_endpoint() {
        let credential = |code: &str| Err(Refusal::Credential(code.to_owned()));
        assert_eq!(
            read(401, r#"{"error":"invalid_client","error_description":"s3cret"}"#),
            credential("invalid_client")
        );
        assert_eq!(read(400, r#"{"error":"invalid_grant"}"#), credential("invalid_grant"));
        assert_eq!(read(200, r#"{"error":"invalid_scope"}"#), credential("invalid_scope"));
        assert_eq!(read(403, "<html>"), credential("403"));
        assert_eq!(read(401, r#"{"error":"no such client s3cret"}"#), credential("401"));
        for (status, body) in [
            (500, ""),
            (503, r#"{"error":"temporarily_unavailable"}"#),
            (429, "{}"),
            (302, ""),
            (200, "{}"),
            (200, "x"),
        ] {
            assert!(matches!(read(status, body), Err(Refusal::Unusable(_))), "{status} {body}");
        }
    }
}
