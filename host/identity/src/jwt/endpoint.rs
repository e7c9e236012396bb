//! Addresses that an identity provider names, or the operator for it.

/// The longest address in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// An address with `https:`, or with `http:` where the operator allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// An address that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// It has another scheme than https.
    #[error("not an address with https")]
    Scheme,
    /// It has no host, names a user, has a fragment, or has characters that addresses do not have.
    #[error("not a plain address such as https://id.example/oauth")]
    Form,
}

impl Endpoint {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// It has another scheme, or another form than plain addresses.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, BadEndpoint> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://").filter(|_| allow_http));
        let rest = rest.ok_or(BadEndpoint::Scheme)?;
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
        if host.is_empty() || host.contains('@') || text.len() > MAX_URL_BYTES || !text.bytes().all(is_plain) {
            return Err(BadEndpoint::Form);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
