//! Service accounts. The key of an account, as JSON, signs an assertion (RFC 7523; <https://google.aip.dev/auth/4112>).
//! The JSON may also hold a user's own credentials (<https://google.aip.dev/auth/4113>), which use a refresh token
//! instead.

use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use super::CredentialError;
use super::grant::Grant;
use weir_config::secret::Secret;

/// Maximum size of a key file, in bytes.
const MAX_FILE: u64 = 64 << 10;
/// Lifetime of an assertion: the longest that token endpoints accept.
const LIFETIME: Duration = Duration::from_hours(1);
const FORM: &str = "JSON of a service account's key, or the path of a file with it";

/// A service account with its signing key.
pub(super) struct Account {
    email: Box<str>,
    key_id: Option<Box<str>>,
    audience: Box<str>,
    scopes: Box<str>,
    key: RsaKeyPair,
}

/// The members of a key file that are read.
#[derive(Deserialize)]
struct Keyfile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    client_email: String,
    private_key_id: Option<Box<str>>,
    #[serde(default)]
    private_key: String,
    token_uri: Option<String>,
    #[serde(default)]
    client_id: Box<str>,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    refresh_token: String,
}

/// Possible urls of the token endpoint: the operator's comes first, then the key's own, then the suggested one.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) set: Option<&'a str>,
    pub(super) suggested: Option<&'a str>,
}

/// Builds a grant from the JSON of a key, or from a file that holds it. Also returns the url of its token endpoint.
pub(super) fn open(key: &str, scopes: &[String], places: Places<'_>) -> Result<(Grant, String), CredentialError> {
    let text = if key.trim_start().starts_with('{') { Secret::new(key) } else { from_file(key)? };
    let file: Keyfile = serde_json::from_str(text.expose()).map_err(|_| CredentialError::Form(FORM))?;
    let own = file.token_uri.as_deref().filter(|url| !url.is_empty());
    let url = places.set.or(own).or(places.suggested).ok_or(CredentialError::NoTokenUrl)?.to_owned();
    let grant = match file.kind.as_str() {
        "service_account" => {
            let audience = own.unwrap_or(&url).into();
            Grant::Account(Box::new(account(&file, audience, scopes)?))
        }
        "authorized_user" => user(file)?,
        _ => return Err(CredentialError::KeyKind),
    };
    Ok((grant, url))
}

/// Reads a key file. The error does not show the path, because it may be a key of another kind.
fn from_file(path: &str) -> Result<Secret, CredentialError> {
    let mut text = String::new();
    let read = File::open(path.trim()).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map(|_| Secret::new(text)).map_err(|_| CredentialError::Form(FORM))
}

fn account(file: &Keyfile, audience: Box<str>, scopes: &[String]) -> Result<Account, CredentialError> {
    if file.client_email.is_empty() {
        return Err(CredentialError::Form(FORM));
    }
    let der = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes());
    let der = der.map_err(|_| CredentialError::PrivateKey)?;
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| CredentialError::PrivateKey)?;
    let (email, key_id) = (file.client_email.as_str().into(), file.private_key_id.clone());
    Ok(Account { email, key_id, audience, scopes: scopes.join(" ").into(), key })
}

fn user(file: Keyfile) -> Result<Grant, CredentialError> {
    let (client_secret, refresh_token) = (Secret::new(file.client_secret), Secret::new(file.refresh_token));
    if file.client_id.is_empty() || refresh_token.expose().is_empty() {
        return Err(CredentialError::Form(FORM));
    }
    Ok(Grant::User { client_id: file.client_id, client_secret, refresh_token })
}

impl Account {
    /// Creates the signed assertion for a token request: a JWT with RS256.
    pub(super) fn assertion(&self, now: SystemTime) -> Result<String, CredentialError> {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut head = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = &self.key_id {
            head["kid"] = json!(id);
        }
        let mut claims = json!({
            "iss": self.email,
            "aud": self.audience,
            "iat": seconds(now),
            "exp": seconds(now + LIFETIME),
        });
        if !self.scopes.is_empty() {
            claims["scope"] = json!(self.scopes);
        }
        let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(head), encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| CredentialError::PrivateKey)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests;
