//! Proves to a provider who is asking. The only place where a provider's key is opened.

use std::fmt;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::secret::Secret;
use crate::contract::about::exports::weir::adapter::about::AuthScheme;

use super::headers;

/// Why a credential cannot be used. Found when the configuration is loaded, never while serving.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The scheme needs a key and there is none.
    #[error("the scheme {0} needs a key")]
    Missing(&'static str),
    /// A scheme that this version cannot apply.
    #[error("the scheme {0} is not supported yet")]
    UnsupportedScheme(&'static str),
    /// The manifest names a header that HTTP doesn't allow, or that the connection needs for itself.
    #[error("the credential's header {0:?} cannot be used")]
    Header(String),
    /// The key holds line breaks or other control characters; often the end of the line of the file it was read from.
    #[error("the key holds characters that cannot be sent")]
    Characters,
    /// The address doesn't take the credential.
    #[error("the credential doesn't fit into the address")]
    Address,
}

/// A scheme and its key, ready to be applied: one header or one query parameter, rendered in advance.
#[derive(Clone)]
pub struct Credential(Form);

#[derive(Clone)]
enum Form {
    Open,
    Header(HeaderName, HeaderValue),
    /// `name=value`, encoded.
    Query(Box<str>),
}

impl Credential {
    /// Prepares a credential. `secret` may be missing only where the scheme is `open`.
    pub fn new(scheme: &AuthScheme, secret: Option<&Secret>) -> Result<Self, CredentialError> {
        let name = scheme_name(scheme);
        let key = || match secret.map(Secret::expose) {
            None | Some("") => Err(CredentialError::Missing(name)),
            Some(key) => Ok(key),
        };
        let form = match scheme {
            AuthScheme::Open => Form::Open,
            AuthScheme::Bearer => Form::Header(header::AUTHORIZATION, sensitive("Bearer ", key()?)?),
            AuthScheme::Header(place) => Form::Header(header_name(&place.name)?, sensitive(&place.value, key()?)?),
            AuthScheme::Query(parameter) => Form::Query(query_pair(parameter, key()?)),
            AuthScheme::AwsSigv4(_) | AuthScheme::Oauth2ClientCredentials(_) | AuthScheme::ServiceAccount(_) => {
                return Err(CredentialError::UnsupportedScheme(name));
            }
        };
        Ok(Self(form))
    }

    /// No credential.
    pub fn open() -> Self {
        Self(Form::Open)
    }

    /// Puts the credential into a request that is otherwise finished, over anything that stands in its place.
    pub(super) fn apply(&self, uri: Uri, headers: &mut HeaderMap) -> Result<Uri, CredentialError> {
        match &self.0 {
            Form::Open => Ok(uri),
            Form::Header(name, value) => {
                headers.insert(name.clone(), value.clone());
                Ok(uri)
            }
            Form::Query(pair) => with_query(uri, pair),
        }
    }
}

/// Says which place, never what stands there.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Open => f.write_str("Credential(open)"),
            Form::Header(name, _) => write!(f, "Credential({name}: [secret])"),
            Form::Query(_) => f.write_str("Credential(query: [secret])"),
        }
    }
}

fn scheme_name(scheme: &AuthScheme) -> &'static str {
    match scheme {
        AuthScheme::Open => "open",
        AuthScheme::Bearer => "bearer",
        AuthScheme::Header(_) => "header",
        AuthScheme::Query(_) => "query",
        AuthScheme::AwsSigv4(_) => "aws-sigv4",
        AuthScheme::Oauth2ClientCredentials(_) => "oauth2-client-credentials",
        AuthScheme::ServiceAccount(_) => "service-account",
    }
}

fn header_name(name: &str) -> Result<HeaderName, CredentialError> {
    let parsed: HeaderName = name.parse().map_err(|_| CredentialError::Header(name.to_owned()))?;
    if headers::is_of_connection(&parsed) {
        return Err(CredentialError::Header(name.to_owned()));
    }
    Ok(parsed)
}

fn sensitive(prefix: &str, key: &str) -> Result<HeaderValue, CredentialError> {
    let mut value = HeaderValue::try_from(format!("{prefix}{key}")).map_err(|_| CredentialError::Characters)?;
    value.set_sensitive(true);
    Ok(value)
}

fn query_pair(parameter: &str, key: &str) -> Box<str> {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!("{}={}", encode(parameter), encode(key)).into()
}

fn with_query(uri: Uri, pair: &str) -> Result<Uri, CredentialError> {
    let mut parts = uri.into_parts();
    let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str);
    let separator = if path.contains('?') { '&' } else { '?' };
    let joined = Bytes::from(format!("{path}{separator}{pair}"));
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(joined).map_err(|_| CredentialError::Address)?);
    Uri::from_parts(parts).map_err(|_| CredentialError::Address)
}
