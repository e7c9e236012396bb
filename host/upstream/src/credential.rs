//! Authenticates requests to providers. The only module that exposes a provider's key.

mod account;
mod answer;
mod grant;
mod sigv4;
pub(super) mod token;

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use weir_config::secret::Secret;
use weir_types::contract::about::AuthScheme;

use self::account::Places;
use self::grant::Grant;
use self::sigv4::{Message, Signer};
use self::token::Tokens;
use super::{Chunks, Redactor, encode_segment, headers};

/// Why a credential cannot be used. Almost always reported when the configuration is loaded, not while serving.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The scheme needs a key, and none is set.
    #[error("the scheme {0} needs a key")]
    Missing(&'static str),
    /// The manifest names a header that HTTP does not allow, or that belongs to the connection.
    #[error("the credential's header {0:?} cannot be used")]
    Header(String),
    /// The key does not have the form that the scheme needs.
    #[error("the key is not of the form {0}")]
    Form(&'static str),
    /// The key holds line breaks or other control characters, often the newline at the end of the file it was read
    /// from.
    #[error("the key holds characters that cannot be sent")]
    Characters,
    /// The JSON of a key is neither a service account's nor a user's own.
    #[error("the key is JSON of a kind that is not supported: neither `service_account` nor `authorized_user`")]
    KeyKind,
    /// The private key of a service account cannot be used.
    #[error("the key's `private_key` is not an RSA key in PKCS#8")]
    PrivateKey,
    /// No trusted source names the token endpoint.
    #[error("the source of its access tokens is not configured")]
    NoTokenUrl,
    /// The url of the token endpoint is invalid.
    #[error("the url of its token endpoint is not an http or https url")]
    TokenUrl,
    /// The scheme sends an access token, and there is none yet.
    #[error("there is no access token")]
    NoToken,
    /// The credential does not fit into the address.
    #[error("the credential doesn't fit into the address")]
    Address,
}

/// The inputs of an authentication scheme.
#[derive(Clone, Copy, Debug, Default)]
pub struct Means<'a> {
    /// The key; only the scheme `open` works without one.
    pub secret: Option<&'a Secret>,
    /// The provider's region, for signatures that are valid in one region only.
    pub region: &'a str,
    /// Url of the token endpoint, as the operator configured it.
    pub token_url: Option<&'a str>,
    /// Url of the token endpoint, as an adapter suggests it, if its suggestions are trusted.
    pub suggested_token_url: Option<&'a str>,
}

/// A scheme and its key, ready to be applied. A header or query parameter is rendered in advance if possible.
#[derive(Clone)]
pub struct Credential {
    form: Form,
    /// Hides the values that no answer may repeat.
    redactor: Redactor,
}

#[derive(Clone)]
enum Form {
    Open,
    Header(HeaderName, HeaderValue),
    /// `name=value`, percent-encoded.
    Query(Box<str>),
    Signed(Box<Signer>),
    Tokens(Tokens),
}

impl Credential {
    /// Prepares a credential.
    pub fn new(scheme: &AuthScheme, means: Means<'_>) -> Result<Self, CredentialError> {
        let name = scheme_name(scheme);
        let key = || match means.secret.map(Secret::expose) {
            None | Some("") => Err(CredentialError::Missing(name)),
            Some(key) => Ok(key),
        };
        let form = match scheme {
            AuthScheme::Open => Form::Open,
            AuthScheme::Bearer => Form::Header(header::AUTHORIZATION, sensitive("Bearer ", key()?)?),
            AuthScheme::Header(place) => Form::Header(header_name(&place.name)?, sensitive(&place.value, key()?)?),
            AuthScheme::Query(parameter) => Form::Query(query_pair(parameter, key()?)),
            AuthScheme::AwsSigv4(service) => Form::Signed(Box::new(Signer::new(key()?, means.region, service)?)),
            AuthScheme::Oauth2ClientCredentials(oauth) => {
                let url = means.token_url.or(means.suggested_token_url).ok_or(CredentialError::NoTokenUrl)?;
                Form::Tokens(Tokens::new(Grant::client(key()?, &oauth.scopes)?, url)?)
            }
            AuthScheme::ServiceAccount(oauth) => {
                let places = Places { set: means.token_url, suggested: means.suggested_token_url };
                let (grant, url) = account::open(key()?, &oauth.scopes, places)?;
                Form::Tokens(Tokens::new(grant, &url)?)
            }
        };
        let redactor = match (&form, means.secret) {
            // These schemes do not send the key itself.
            (Form::Signed(signer), _) => signer.redactor(),
            (Form::Tokens(_), _) | (_, None) => Redactor::default(),
            (_, Some(key)) => Redactor::of([key.expose()]),
        };
        Ok(Self { form, redactor })
    }

    /// The credential of the scheme `open`: nothing is sent.
    pub fn open() -> Self {
        Self { form: Form::Open, redactor: Redactor::default() }
    }

    /// A credential in the `authorization` header.
    fn authorization(value: HeaderValue, redactor: Redactor) -> Self {
        Self { form: Form::Header(header::AUTHORIZATION, value), redactor }
    }

    /// Whether the whole body has to be known before the request is sent, since it is signed.
    pub fn needs_body(&self) -> bool {
        matches!(self.form, Form::Signed(_))
    }

    /// The redactor that hides the credential in answers.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Removes the credential's secret values, beyond the key as it is configured, from a text.
    pub fn redact(&self, text: &mut String) {
        match &self.form {
            Form::Signed(signer) => signer.redact(text),
            Form::Tokens(tokens) => tokens.redact(text),
            Form::Open | Form::Header(..) | Form::Query(_) => {}
        }
        self.redactor.redact(text);
    }

    /// The access tokens, for schemes that send tokens instead of the key.
    pub(super) fn tokens(&self) -> Option<&Tokens> {
        match &self.form {
            Form::Tokens(tokens) => Some(tokens),
            Form::Open | Form::Header(..) | Form::Query(_) | Form::Signed(_) => None,
        }
    }

    /// Adds the credential to a request that is otherwise finished, and replaces anything in its place.
    pub fn apply(
        &self,
        method: &Method,
        uri: Uri,
        headers: &mut HeaderMap,
        body: &Chunks,
    ) -> Result<Uri, CredentialError> {
        match &self.form {
            Form::Open => Ok(uri),
            Form::Header(name, value) => {
                headers.insert(name.clone(), value.clone());
                Ok(uri)
            }
            Form::Query(pair) => with_query(uri, pair),
            Form::Signed(signer) => {
                signer.sign(Message { method, uri: &uri, body }, headers, SystemTime::now())?;
                Ok(uri)
            }
            Form::Tokens(_) => Err(CredentialError::NoToken),
        }
    }
}

/// Prints the place of the credential, never its value.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Open => f.write_str("Credential(open)"),
            Form::Header(name, _) => write!(f, "Credential({name}: [secret])"),
            Form::Query(_) => f.write_str("Credential(query: [secret])"),
            Form::Signed(_) => f.write_str("Credential(signature: [secret])"),
            Form::Tokens(tokens) => write!(f, "Credential({tokens:?}: [secret])"),
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
    format!("{}={}", encode_segment(parameter), encode_segment(key)).into()
}

fn with_query(uri: Uri, pair: &str) -> Result<Uri, CredentialError> {
    let mut parts = uri.into_parts();
    let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str);
    let separator = if path.contains('?') { '&' } else { '?' };
    let joined = Bytes::from(format!("{path}{separator}{pair}"));
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(joined).map_err(|_| CredentialError::Address)?);
    Uri::from_parts(parts).map_err(|_| CredentialError::Address)
}

#[cfg(test)]
mod tests {
    use weir_types::contract::about::Oauth;
    use weir_types::contract::types::Header;

    use super::*;

    fn with(scheme: &AuthScheme, secret: Option<&Secret>) -> Result<Credential, CredentialError> {
        Credential::new(scheme, Means { secret, region: "r-1", ..Means::default() })
    }

    fn applied(scheme: &AuthScheme, uri: &str) -> (String, HeaderMap) {
        let credential = with(scheme, Some(&Secret::new("s3cret/+key"))).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer forged"));
        headers.insert("x-key", HeaderValue::from_static("forged"));
        let uri = credential.apply(&Method::GET, uri.parse().unwrap(), &mut headers, &Chunks::empty()).unwrap();
        (uri.to_string(), headers)
    }

    #[test]
    fn each_scheme_puts_the_key_in_its_place_and_replaces_other_values() {
        let (_, headers) = applied(&AuthScheme::Bearer, "https://h/v1/x");
        assert_eq!(headers["authorization"], "Bearer s3cret/+key");
        assert!(headers["authorization"].is_sensitive());
        let place = Header { name: "X-Key".into(), value: "Key ".into() };
        let (uri, headers) = applied(&AuthScheme::Header(place), "https://h/v1/x");
        assert_eq!((headers["x-key"].to_str().unwrap(), uri.as_str()), ("Key s3cret/+key", "https://h/v1/x"));
        let scheme = AuthScheme::Query("key".into());
        assert_eq!(applied(&scheme, "https://h/v1/x").0, "https://h/v1/x?key=s3cret%2F%2Bkey");
        assert_eq!(applied(&scheme, "https://h/v1/x?a=b").0, "https://h/v1/x?a=b&key=s3cret%2F%2Bkey");
        assert_eq!(applied(&AuthScheme::Open, "https://h/v1/x").0, "https://h/v1/x");
    }

    #[test]
    fn c_69_a_missing_key_is_an_error_at_load() {
        for secret in [None, Some(Secret::new(""))] {
            let error = with(&AuthScheme::Bearer, secret.as_ref()).unwrap_err();
            assert_eq!(error, CredentialError::Missing("bearer"));
            assert!(with(&AuthScheme::Open, secret.as_ref()).is_ok());
        }
    }

    #[test]
    fn c_70_neither_credential_nor_error_shows_the_key() {
        let secret = Secret::new("s3cret");
        for scheme in [AuthScheme::Bearer, AuthScheme::Query("key".into())] {
            let shown = format!("{:?}", with(&scheme, Some(&secret)).unwrap());
            assert!(shown.contains("[secret]") && !shown.contains("s3cret"), "{shown}");
        }
        let error = with(&AuthScheme::Bearer, Some(&Secret::new("s3cret\n"))).unwrap_err();
        assert_eq!(error, CredentialError::Characters);
        assert!(!format!("{error} {error:?} {secret:?}").contains("s3cret"));
    }

    #[test]
    fn c_70_secret_parts_of_a_signers_key_are_removed_from_texts() {
        let key = Secret::new("AKIDEXAMPLE:s3cret-of-signer:t0ken-of-session");
        let credential = with(&AuthScheme::AwsSigv4("s".into()), Some(&key)).unwrap();
        let mut text = "s3cret-of-signer and t0ken-of-session".to_owned();
        credential.redact(&mut text);
        assert_eq!(text, "[key] and [key]");
        assert!(!format!("{credential:?}").contains("AKID"));
    }

    #[test]
    fn tokens_are_fetched_only_from_an_endpoint_that_is_named() {
        let oauth = || Oauth { token_url: "https://tokens.evil".into(), scopes: Vec::new() };
        let secret = Secret::new("id:s3cret");
        let scheme = AuthScheme::Oauth2ClientCredentials(oauth());
        assert_eq!(with(&scheme, Some(&secret)).unwrap_err(), CredentialError::NoTokenUrl);
        let means = |url| Means { secret: Some(&secret), token_url: url, ..Means::default() };
        assert_eq!(Credential::new(&scheme, means(Some("tokens"))).unwrap_err(), CredentialError::TokenUrl);
        let shown = format!("{:?}", Credential::new(&scheme, means(Some("https://tokens.test/x"))).unwrap());
        assert_eq!(shown, "Credential(Tokens(https://tokens.test): [secret])");
    }

    #[test]
    fn unusable_headers_are_reported_at_load() {
        let secret = Secret::new("k");
        for name in ["host", "content-length", "bad name"] {
            let place = Header { name: name.into(), value: String::new() };
            let error = with(&AuthScheme::Header(place), Some(&secret)).unwrap_err();
            assert_eq!(error, CredentialError::Header(name.into()));
        }
    }
}
