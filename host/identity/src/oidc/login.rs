//! A login: where the browser is sent, what is kept until it returns, and what is then sent to the provider.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use weir_config::Secret;

use super::Discovery;
use crate::key_text::{NoRandomNumbers, random};

/// How long a login may take.
const LOGIN_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);
/// All but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const MAX_QUERY_LEN: usize = 8 * 1024;

/// Weir as a client of the provider.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The client's id at the provider.
    pub client_id: String,
    /// Its secret; none for public clients, which PKCE protects alone.
    pub client_secret: Option<Secret>,
    /// Where the provider sends the browser back.
    pub redirect_uri: String,
    /// Scopes besides `openid`.
    pub scopes: Vec<String>,
}

/// Where a browser goes to log in, and what is kept until it is back.
#[derive(Debug)]
pub struct LoginStart {
    /// Where the browser is sent.
    pub address: String,
    /// What is kept for the browser that began, by a cookie that other sites cannot use.
    pub pending: PendingLogin,
}

/// A login that has begun. It is used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLogin {
    /// Comes back in the callback, and shows that the same browser began.
    pub state: Secret,
    /// Comes back in the ID token, and shows that it was issued for this login.
    pub nonce: Secret,
    /// Proves at the exchange that the same client began (PKCE).
    pub verifier: Secret,
    /// From when on the login is refused.
    pub expires: Timestamp,
}

/// Why a callback is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// It belongs to no login of this browser.
    #[error("this login was not begun in this browser, or it was already used")]
    State,
    /// It took too long.
    #[error("the login took too long")]
    Late,
    /// It comes from another provider than the login began with.
    #[error("the answer comes from another identity provider")]
    Issuer,
    /// The provider refused, with this error code of its own.
    #[error("the identity provider refused: {0}")]
    Refused(String),
    /// It has no code, or a parameter twice.
    #[error("the answer of the identity provider is incomplete")]
    Incomplete,
}

/// A request to the token endpoint: `POST` with `content-type: application/x-www-form-urlencoded`.
#[derive(Debug)]
pub struct Exchange {
    /// The url of the token endpoint.
    pub address: String,
    /// The form, with the client's secret.
    pub body: Secret,
    /// The header `authorization`, if the provider takes the client's secret there.
    pub authorization: Option<Secret>,
}

impl PendingLogin {
    /// Begins a login.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn begin(now: Timestamp) -> Result<Self, NoRandomNumbers> {
        Ok(Self::from_random([random()?, random()?, random()?], now))
    }

    /// A login with these random numbers.
    pub fn from_random([state, nonce, verifier]: [[u8; 32]; 3], now: Timestamp) -> Self {
        let text = |bytes: [u8; 32]| Secret::new(URL_SAFE_NO_PAD.encode(bytes));
        let expires = now.checked_add(LOGIN_TIMEOUT).unwrap_or(Timestamp::MAX);
        Self { state: text(state), nonce: text(nonce), verifier: text(verifier), expires }
    }

    /// Where the browser is sent; `None` if the provider has no page for logins.
    pub fn start(self, discovery: &Discovery, client: &ClientSettings) -> Option<LoginStart> {
        let page = discovery.authorization_endpoint.as_ref()?;
        let scopes = std::iter::once("openid").chain(client.scopes.iter().map(String::as_str));
        let scope = scopes.collect::<Vec<_>>().join(" ");
        let challenge = challenge(&self.verifier);
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &client.client_id),
            ("redirect_uri", &client.redirect_uri),
            ("scope", &scope),
            ("state", self.state.expose()),
            ("nonce", self.nonce.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let separator = if page.contains('?') { '&' } else { '?' };
        Some(LoginStart { address: format!("{page}{separator}{query}"), pending: self })
    }

    /// The request that exchanges a code for tokens; `None` if the provider has no such endpoint.
    pub fn exchange(&self, code: &Secret, discovery: &Discovery, client: &ClientSettings) -> Option<Exchange> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &client.redirect_uri),
            ("code_verifier", self.verifier.expose()),
        ];
        let in_header = client.client_secret.as_ref().filter(|_| !discovery.wants_secret_in_body);
        if in_header.is_none() {
            fields.push(("client_id", &client.client_id));
        }
        if let Some(secret) = client.client_secret.as_ref().filter(|_| in_header.is_none()) {
            fields.push(("client_secret", secret.expose()));
        }
        let authorization = in_header.map(|secret| {
            // RFC 6749, section 2.3.1: both are encoded as in forms before they are joined.
            let pair = format!("{}:{}", escape(&client.client_id), escape(secret.expose()));
            Secret::new(format!("Basic {}", STANDARD.encode(pair)))
        });
        let address = discovery.token_endpoint.clone()?;
        Some(Exchange { address, body: Secret::new(form(&fields)), authorization })
    }
}

/// Checks a callback's query and returns its code.
///
/// # Errors
///
/// The callback does not belong to the login, or the provider refused.
pub fn callback(
    query: &str,
    pending: &PendingLogin,
    discovery: &Discovery,
    now: Timestamp,
) -> Result<Secret, CallbackError> {
    if query.len() > MAX_QUERY_LEN {
        return Err(CallbackError::Incomplete);
    }
    let state = parameter(query, "state")?.ok_or(CallbackError::State)?;
    if !pending.state.matches(&state) {
        return Err(CallbackError::State);
    }
    if now >= pending.expires {
        return Err(CallbackError::Late);
    }
    match parameter(query, "iss")? {
        Some(issuer) if issuer != discovery.issuer => return Err(CallbackError::Issuer),
        None if discovery.names_issuer_in_callback => return Err(CallbackError::Issuer),
        _ => {}
    }
    if let Some(error) = parameter(query, "error")? {
        let is_code = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_' || *letter == '-';
        return Err(CallbackError::Refused(error.chars().filter(is_code).take(64).collect()));
    }
    let code = parameter(query, "code")?.filter(|code| !code.is_empty());
    code.map(Secret::new).ok_or(CallbackError::Incomplete)
}

/// The value of a parameter that occurs once at most.
fn parameter(query: &str, name: &str) -> Result<Option<String>, CallbackError> {
    let mut found = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let value = found.next().map(|(_, value)| value.replace('+', " "));
    if found.next().is_some() {
        return Err(CallbackError::Incomplete);
    }
    let decode = |value: String| percent_decode_str(&value).decode_utf8().map(std::borrow::Cow::into_owned);
    value.map(decode).transpose().map_err(|_| CallbackError::Incomplete)
}

fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}
