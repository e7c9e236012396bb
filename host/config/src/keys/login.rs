//! `login` of `[admin]`: a login of people at an identity provider, for everything under `/admin`.

use super::ClaimRule;
use crate::Secret;
use crate::section::section;

section! {
    /// A login at an identity provider (OpenID Connect, authorization code with PKCE) for everything under `/admin`,
    /// beside the tokens: the dashboard shows a button for it. Off without this table. With it, `/admin` needs a login
    /// or a token from this machine, too.
    LOGIN = "login = { ... }";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AdminLogin {
        /// What the button says.
        name: String = "Sign in with your organisation".to_owned(),
        /// The provider, exactly as its discovery document names itself.
        issuer: String => required "the provider's issuer, such as \"https://login.example.com\"",
        /// Weir's id as a client of the provider.
        client_id: String => required "the id that the provider has given Weir",
        /// Its secret. Public clients have none: PKCE protects them alone.
        client_secret: Option<Secret>,
        /// Where the provider sends browsers back: the address of this Weir as they know it, with the path
        /// `/admin/login/callback`.
        redirect_uri: String => required "\"https://WEIR/admin/login/callback\", as the provider knows it",
        /// Scopes that are asked for besides `openid`.
        scopes: Vec<String>,
        /// Rules for claims: a person with a claim that fits one of them may see everything.
        read: Vec<ClaimRule>,
        /// Rules for claims: a person with a claim that fits one of them may change everything.
        write: Vec<ClaimRule>,
        /// Claims that name teams: a person may see everything of these.
        team_read: Vec<ClaimRule>,
        /// Claims that name teams: a person may change everything of these.
        team_write: Vec<ClaimRule>,
        /// Whether addresses may begin with `http:`, for a provider on this machine.
        allow_http: bool,
    }
}
