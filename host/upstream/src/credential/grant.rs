//! OAuth grants: a client's id and secret (RFC 6749, section 4.4), a signed assertion (RFC 7523, section 2.1), or a
//! refresh token (RFC 6749, section 6).

use std::fmt::Write as _;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{Redactor, encode_segment};
use super::account::Account;
use super::{Credential, CredentialError};
use weir_config::secret::Secret;

/// The form of a client's key.
const CLIENT_FORM: &str = "CLIENT_ID:CLIENT_SECRET";
const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant with which a token is requested.
pub(super) enum Grant {
    /// A client that authenticates in a header.
    Client { proof: Credential, secret: Secret, scopes: Box<str> },
    /// A service account that signs an assertion.
    Account(Box<Account>),
    /// A user, represented by a refresh token.
    User { client_id: Box<str>, client_secret: Secret, refresh_token: Secret },
}

/// One request for a token.
pub(super) struct Claim {
    /// The client's authentication, if it belongs in a header.
    pub(super) client: Option<Credential>,
    /// The body: `application/x-www-form-urlencoded`.
    pub(super) form: String,
}

impl Grant {
    /// Parses `CLIENT_ID:CLIENT_SECRET`. Both go into a header, which every server must support.
    pub(super) fn client(key: &str, scopes: &[String]) -> Result<Self, CredentialError> {
        let (id, secret) = key.split_once(':').ok_or(CredentialError::Form(CLIENT_FORM))?;
        let (id, secret) = (id.trim(), Secret::new(secret.trim()));
        if id.is_empty() || secret.expose().is_empty() {
            return Err(CredentialError::Form(CLIENT_FORM));
        }
        let pair = Secret::new(format!("{}:{}", encode_segment(id), encode_segment(secret.expose())));
        let pair = Secret::new(STANDARD.encode(pair.expose()));
        let proof = super::sensitive("Basic ", pair.expose())?;
        let redactor = Redactor::of([pair.expose(), secret.expose()]);
        Ok(Self::Client { proof: Credential::authorization(proof, redactor), secret, scopes: scopes.join(" ").into() })
    }

    /// Builds the next request for a token.
    pub(super) fn claim(&self, now: SystemTime) -> Result<Claim, CredentialError> {
        let form = match self {
            Self::Client { scopes, .. } if scopes.is_empty() => form(&[("grant_type", "client_credentials")]),
            Self::Client { scopes, .. } => form(&[("grant_type", "client_credentials"), ("scope", scopes)]),
            Self::Account(account) => form(&[("grant_type", ASSERTION), ("assertion", &account.assertion(now)?)]),
            Self::User { client_id, client_secret, refresh_token } => form(&[
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("refresh_token", refresh_token.expose()),
            ]),
        };
        let client = match self {
            Self::Client { proof, .. } => Some(proof.clone()),
            Self::Account(_) | Self::User { .. } => None,
        };
        Ok(Claim { client, form })
    }

    /// Removes the grant's secrets from a text. An account's private key is never sent, so no text can repeat it.
    pub(super) fn redact(&self, text: &mut String) {
        match self {
            Self::Client { secret, .. } => secret.redact(text),
            Self::Account(_) => {}
            Self::User { client_secret, refresh_token, .. } => {
                client_secret.redact(text);
                refresh_token.redact(text);
            }
        }
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(String::new(), |mut form, (name, value)| {
        let separator = if form.is_empty() { "" } else { "&" };
        let _infallible = write!(form, "{separator}{name}={}", encode_segment(value));
        form
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(grant: &Grant) -> Claim {
        grant.claim(SystemTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_client_proves_itself_in_a_header_and_names_its_scopes() {
        let grant = Grant::client("my id:s3cret:+1", &["a/.default".into(), "b".into()]).unwrap();
        let asked = claim(&grant);
        assert_eq!(asked.form, "grant_type=client_credentials&scope=a%2F.default%20b");
        let mut headers = http::HeaderMap::new();
        let uri = "https://h/".parse().unwrap();
        asked.client.unwrap().apply(&http::Method::POST, uri, &mut headers, &crate::Chunks::empty()).unwrap();
        // `my%20id:s3cret%3A%2B1`
        assert_eq!(headers["authorization"], "Basic bXklMjBpZDpzM2NyZXQlM0ElMkIx");
        let plain = Grant::client("id:s3cret", &[]).unwrap();
        assert_eq!(claim(&plain).form, "grant_type=client_credentials");
    }

    #[test]
    fn keys_of_another_form_are_refused() {
        for key in ["only-s3cret", ":s3cret", "id:", "id: "] {
            assert_eq!(Grant::client(key, &[]).err(), Some(CredentialError::Form(CLIENT_FORM)));
        }
    }

    #[test]
    fn a_refresh_token_goes_with_its_client() {
        let grant = Grant::User {
            client_id: "id".into(),
            client_secret: Secret::new("s3cret-of-client"),
            refresh_token: Secret::new("1//s3cret-refresh"),
        };
        let expected =
            "grant_type=refresh_token&client_id=id&client_secret=s3cret-of-client&refresh_token=1%2F%2Fs3cret-refresh";
        assert_eq!(claim(&grant).form, expected);
        let mut text = "s3cret-of-client 1//s3cret-refresh".to_owned();
        grant.redact(&mut text);
        assert_eq!(text, "[key] [key]");
    }
}
