//! The discovery document of an identity provider (OpenID Connect Discovery 1.0).

use serde_json::{Map, Value};

use super::{Algorithm, Endpoint, parse_object};

/// The largest document in bytes.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// What Weir uses of a discovery document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The issuer that the document is about.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where people log in. Providers that only issue tokens for machines may have none.
    pub authorization_endpoint: Option<String>,
    /// Where a code is exchanged for tokens.
    pub token_endpoint: Option<String>,
    /// Whether callbacks name the issuer (RFC 9207), so that one without it is refused.
    pub names_issuer_in_callback: bool,
    /// Whether the token endpoint takes the client's secret in the body only (`client_secret_post`).
    pub wants_secret_in_body: bool,
    /// The algorithms of ID tokens that are supported here.
    pub algorithms: Vec<Algorithm>,
}

/// Why a discovery document cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// It is too large or no JSON object.
    #[error("the discovery document is not a JSON object of at most {MAX_DOCUMENT_BYTES} bytes")]
    Form,
    /// It names another issuer than it was asked for, so its keys would vouch for others.
    #[error("the discovery document is that of another issuer")]
    Issuer,
    /// An address is missing or cannot be used.
    #[error("the discovery document has no usable `{0}`")]
    Address(&'static str),
    /// It does not support PKCE with SHA-256 although it lists what it supports.
    #[error("the provider does not support PKCE with S256")]
    Pkce,
}

/// Where an issuer has its discovery document.
pub fn discovery_address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Discovery {
    /// Parses the document of an issuer.
    ///
    /// # Errors
    ///
    /// It is malformed, that of another issuer, or has addresses that cannot be used.
    pub fn parse(json: &[u8], issuer: &str, allow_http: bool) -> Result<Self, DiscoveryError> {
        if json.len() > MAX_DOCUMENT_BYTES {
            return Err(DiscoveryError::Form);
        }
        let document = parse_object(json).map_err(|_| DiscoveryError::Form)?;
        if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(DiscoveryError::Issuer);
        }
        let address = |name: &'static str| match document.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let address = value.as_str().and_then(|text| Endpoint::parse(text, allow_http).ok());
                address.map(|address| Some(address.as_str().to_owned())).ok_or(DiscoveryError::Address(name))
            }
        };
        if words(&document, "code_challenge_methods_supported")
            .is_some_and(|mut methods| !methods.any(|it| it == "S256"))
        {
            return Err(DiscoveryError::Pkce);
        }
        let methods: Option<Vec<&str>> =
            words(&document, "token_endpoint_auth_methods_supported").map(Iterator::collect);
        let algorithms = words(&document, "id_token_signing_alg_values_supported");
        let algorithms = algorithms.map(|names| names.filter_map(Algorithm::parse).collect());
        Ok(Self {
            issuer: issuer.to_owned(),
            jwks_uri: address("jwks_uri")?.ok_or(DiscoveryError::Address("jwks_uri"))?,
            authorization_endpoint: address("authorization_endpoint")?,
            token_endpoint: address("token_endpoint")?,
            names_issuer_in_callback: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            wants_secret_in_body: methods.is_some_and(|methods| {
                methods.contains(&"client_secret_post") && !methods.contains(&"client_secret_basic")
            }),
            algorithms: algorithms.unwrap_or_else(|| vec![Algorithm::RS256]),
        })
    }
}

fn words<'a>(document: &'a Map<String, Value>, name: &str) -> Option<impl Iterator<Item = &'a str>> {
    Some(document.get(name)?.as_array()?.iter().filter_map(Value::as_str))
}
