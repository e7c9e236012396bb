//! A token in its compact form (RFC 7515), taken apart but not yet verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, MalformedToken, Refusal, parse_object};

/// The longest token in bytes. Request headers are not larger.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const MAX_KEY_ID_LEN: usize = 256;
/// The types of tokens: RFC 7519 and RFC 9068, in lower case without `application/`.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token whose signature has not been compared.
pub(crate) struct SignedToken<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    /// The claims. They are trusted only once the signature is verified.
    pub(crate) claims: Map<String, Value>,
    /// What is signed.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> SignedToken<'a> {
    /// Takes a token apart. Keys in the header (`jwk`, `jku`, `x5u`, `x5c`) are not looked at.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refusal> {
        let malformed = |problem| Err(Refusal::Malformed(problem));
        if token.len() > MAX_TOKEN_BYTES {
            return malformed(MalformedToken::Length);
        }
        let Some((message, signature)) = token.rsplit_once('.') else { return malformed(MalformedToken::Parts) };
        let Some((header, claims)) = message.split_once('.') else { return malformed(MalformedToken::Parts) };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed(MalformedToken::Parts));
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header = parse_object(&header).map_err(|_| Refusal::Malformed(MalformedToken::Header))?;
        if header.contains_key("crit") {
            return malformed(MalformedToken::Critical);
        }
        if !header.get("typ").is_none_or(is_token_type) {
            return malformed(MalformedToken::Type);
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID_LEN => Some(id.clone()),
            Some(_) => return malformed(MalformedToken::KeyId),
        };
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        let algorithm = algorithm.ok_or(Refusal::Algorithm)?;
        let claims = parse_object(&claims).map_err(|_| Refusal::Malformed(MalformedToken::Claims))?;
        Ok(Self { algorithm, key_id, claims, message: message.as_bytes(), signature })
    }
}

fn is_token_type(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let lower = text.to_ascii_lowercase();
    TYPES.contains(&lower.strip_prefix("application/").unwrap_or(&lower))
}
