//! A login at an identity provider for the admin side (OpenID Connect, authorization code with PKCE), as pure
//! functions: the caller sends what they return.

mod grant_rules;
mod login;
mod login_cookie;
#[cfg(test)]
mod tests;
mod token_answer;

pub use crate::jwt::{BadEndpoint, Discovery, DiscoveryError, Endpoint, discovery_address};
pub use grant_rules::GrantRules;
pub use login::{CallbackError, ClientSettings, Exchange, LoginStart, PendingLogin, callback};
pub use login_cookie::LoginCookies;
pub use token_answer::{AnswerError, LoggedIn, read_answer};
