//! How a provider's key is sent.

use crate::manifest::{Auth, AuthScheme, Oauth};
use crate::types::Header;

/// A way to send the key.
#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    /// `authorization: Bearer KEY`.
    Bearer,
    /// A header of this name that holds the key alone.
    Header(&'static str),
    /// A query parameter.
    Query(&'static str),
    /// No key.
    Open,
    /// Client credentials of `OAuth2`: the scheme's name, the token endpoint, and the scopes.
    ClientCredentials(&'static str, &'static str, &'static str),
}

impl Scheme {
    /// The scheme as the manifest declares it.
    pub fn auth(self) -> Auth {
        let (name, scheme) = match self {
            Self::Bearer => ("bearer", AuthScheme::Bearer),
            Self::Header(name) => (name, AuthScheme::Header(Header::new(name, ""))),
            Self::Query(name) => (name, AuthScheme::Query(name.to_owned())),
            Self::Open => ("open", AuthScheme::Open),
            Self::ClientCredentials(name, url, scope) => {
                let oauth = Oauth { token_url: url.to_owned(), scopes: vec![scope.to_owned()] };
                (name, AuthScheme::Oauth2ClientCredentials(oauth))
            }
        };
        Auth { name: name.to_owned(), scheme }
    }
}
