//! Logins of people at an identity provider, for `/admin`: the address that a browser is sent to, and the callback by
//! which it returns. `weir_identity::oidc` checks the callback; the requests to the provider are made here.

mod documents;
mod used_once;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::claim_rules::claim_rules;
use documents::{Documents, ProviderDocuments};
use used_once::UsedOnce;
use weir_config::{AdminLogin, Outbound, Secret};
use weir_identity::document::{Grant, Login};
use weir_identity::jwt::{self, BadEndpoint, ClaimPathError, Endpoint};
use weir_identity::oidc::{
    AnswerError, CallbackError, ClientSettings, GrantRules, LoginCookies, LoginStart, PendingLogin, callback,
    read_answer,
};
use weir_upstream::{DocumentClient, DocumentError, HttpClientError};

/// The path of the callback, which every `redirect_uri` ends with.
pub(crate) const CALLBACK: &str = "/admin/login/callback";
/// The most codes that are exchanged at the same time: ending a login needs no token.
const AT_ONCE: usize = 8;
/// The largest answer of the token endpoint, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Why the settings of a login cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoginSettingsError {
    /// The provider's address.
    #[error("`issuer`: {0}")]
    Issuer(#[source] BadEndpoint),
    /// The callback's address.
    #[error("`redirect_uri`: {0}")]
    Redirect(#[source] BadEndpoint),
    /// The callback's address leads elsewhere.
    #[error("`redirect_uri` must end with `{CALLBACK}`")]
    Callback,
    /// A rule names no place of a claim.
    #[error("`{list}`: {source}")]
    Claim {
        /// The rule's list.
        list: &'static str,
        /// What is wrong with it.
        source: ClaimPathError,
    },
    /// A rule would do nothing, or something else than it says.
    #[error("`{list}`: {problem}")]
    Rule {
        /// The rule's list.
        list: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Why there is no login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The configuration has none, or not this one any more.
    #[error("no login is configured")]
    Off,
    /// A setting cannot be used.
    #[error("[admin.login] {0}")]
    Settings(#[from] LoginSettingsError),
    /// Too many logins are under way.
    #[error("too many logins are under way: try again")]
    Busy,
    /// There are no random numbers or no HTTP client.
    #[error("a login cannot begin: {0}")]
    Local(String),
    /// The provider does not answer as it should.
    #[error("the identity provider cannot be used: {0}")]
    Provider(String),
    /// The callback belongs to none of the browser's logins, or is a refusal.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The provider refuses the code of the callback.
    #[error("the identity provider refuses the code: the answer has status {0}")]
    Code(u16),
    /// What the provider gave for the code is refused.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl LoginError {
    /// A word for the page that the browser is sent to. It says nothing that came from outside.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Off | Self::Settings(_) | Self::Local(_) | Self::Provider(_) => "unavailable",
            Self::Busy => "busy",
            Self::Callback(CallbackError::Late | CallbackError::State) => "expired",
            Self::Callback(_) | Self::Code(_) | Self::Answer(_) => "refused",
        }
    }

    /// Whether it is because of what the browser brought.
    pub(crate) fn is_of_browser(&self) -> bool {
        matches!(self, Self::Callback(_) | Self::Code(_) | Self::Answer(_))
    }
}

/// Who logged in, as long as a session lasts. What the person may do by the claims was decided at the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// The account at the provider.
    pub(crate) login: Login,
    /// What the claims of the login give.
    pub(crate) grants: Vec<Grant>,
    /// What that was decided by.
    pub(crate) basis: Arc<Basis>,
}

/// The settings that decide what people may do. A session does not outlast them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    issuer: String,
    client_id: String,
    rules: GrantRules,
}

impl Basis {
    /// The basis of a configured login.
    ///
    /// # Errors
    ///
    /// Names the first rule that cannot be used.
    pub(crate) fn of(login: &AdminLogin) -> Result<Self, LoginSettingsError> {
        Ok(Self { issuer: login.issuer.clone(), client_id: login.client_id.clone(), rules: rules(login)? })
    }
}

/// All that logins share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Logins(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    outbound: Option<Outbound>,
    client: OnceLock<DocumentClient>,
    cookies: OnceLock<LoginCookies>,
    documents: Documents,
    used: UsedOnce,
    places: Semaphore,
}

impl Logins {
    /// No login has begun. The provider is reached as others are, through a proxy where there is one.
    pub(crate) fn new(outbound: Option<Outbound>) -> Self {
        let (client, cookies) = (OnceLock::new(), OnceLock::new());
        let (documents, used) = (Documents::default(), UsedOnce::default());
        Self(Arc::new(Shared { outbound, client, cookies, documents, used, places: Semaphore::new(AT_ONCE) }))
    }

    /// Begins a login: where the browser is sent, and the cookie that is kept for it.
    pub(crate) async fn begin(&self, login: &AdminLogin) -> Result<(String, Secret), LoginError> {
        let known = self.0.documents.get(self.client()?, login).await?;
        let pending = PendingLogin::begin(Timestamp::now()).map_err(|error| LoginError::Local(error.to_string()))?;
        let start = pending.start(&known.discovery, &settings(login));
        let LoginStart { address, pending } =
            start.ok_or_else(|| LoginError::Provider("it has no page for logins".to_owned()))?;
        Ok((address, self.cookies()?.text(&pending)))
    }

    /// The login that a browser's cookie is of, if one began here.
    pub(crate) fn pending(&self, cookie: &str) -> Option<PendingLogin> {
        self.0.cookies.get()?.read(cookie)
    }

    /// Ends a login: checks what the browser brought back, exchanges the code, and reads who logged in. Each login ends
    /// once, whatever comes of it.
    pub(crate) async fn finish(
        &self,
        login: &AdminLogin,
        query: &str,
        pending: &PendingLogin,
    ) -> Result<Person, LoginError> {
        let basis = Basis::of(login)?;
        let known = self.0.documents.get(self.client()?, login).await?;
        let code = callback(query, pending, &known.discovery, Timestamp::now())?;
        let _place = self.0.places.try_acquire().map_err(|_| LoginError::Busy)?;
        if !self.0.used.take(pending.state.expose()) {
            return Err(CallbackError::State.into());
        }
        let answer = self.exchange(&code, pending, &known, login).await?;
        let read = |known: &ProviderDocuments| {
            read_answer(&answer, pending, &known.discovery, &settings(login), &known.keys, Timestamp::now())
        };
        let logged_in = match read(&known) {
            // The provider may have changed its keys since they were fetched.
            Err(AnswerError::Token(jwt::Refusal::Signature)) => {
                let newer = self.0.documents.newer(self.client()?, login, &known).await?;
                read(&newer)?
            }
            read => read?,
        };
        let grants = basis.rules.grants(&logged_in.claims);
        Ok(Person { login: logged_in.login, grants, basis: Arc::new(basis) })
    }

    async fn exchange(
        &self,
        code: &Secret,
        pending: &PendingLogin,
        known: &ProviderDocuments,
        login: &AdminLogin,
    ) -> Result<Vec<u8>, LoginError> {
        let exchange = pending.exchange(code, &known.discovery, &settings(login));
        let exchange =
            exchange.ok_or_else(|| LoginError::Provider("it has no endpoint that gives tokens".to_owned()))?;
        let authorization = exchange.authorization.as_ref();
        let answer = self.client()?.post_form(&exchange.address, &exchange.body, authorization, MAX_ANSWER_BYTES).await;
        answer.map_err(|error| failed(&error))
    }

    fn client(&self) -> Result<&DocumentClient, LoginError> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let made = DocumentClient::new(self.0.outbound.as_ref());
        let made = made.map_err(|error: HttpClientError| LoginError::Local(error.to_string()))?;
        Ok(self.0.client.get_or_init(|| made))
    }

    fn cookies(&self) -> Result<&LoginCookies, LoginError> {
        if let Some(cookies) = self.0.cookies.get() {
            return Ok(cookies);
        }
        let made = LoginCookies::new().map_err(|error| LoginError::Local(error.to_string()))?;
        Ok(self.0.cookies.get_or_init(|| made))
    }
}

/// Why a code was not exchanged: it is refused, or the provider cannot answer now.
fn failed(error: &DocumentError) -> LoginError {
    match error {
        DocumentError::Status(status) if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) => {
            LoginError::Code(status.as_u16())
        }
        error => LoginError::Provider(error.to_string()),
    }
}

fn settings(login: &AdminLogin) -> ClientSettings {
    ClientSettings {
        client_id: login.client_id.clone(),
        client_secret: login.client_secret.clone(),
        redirect_uri: login.redirect_uri.clone(),
        scopes: login.scopes.clone(),
    }
}

fn rules(login: &AdminLogin) -> Result<GrantRules, LoginSettingsError> {
    let list = |list, rules| claim_rules(rules).map_err(|source| LoginSettingsError::Claim { list, source });
    let rules = GrantRules {
        read: list("read", &login.read)?,
        write: list("write", &login.write)?,
        team_read: list("team_read", &login.team_read)?,
        team_write: list("team_write", &login.team_write)?,
    };
    match rules.problem() {
        Some((list, problem)) => Err(LoginSettingsError::Rule { list, problem }),
        None => Ok(rules),
    }
}

/// Checks the settings of a login.
///
/// # Errors
///
/// Names the first setting that cannot be used.
pub(crate) fn check(login: &AdminLogin) -> Result<(), LoginSettingsError> {
    Endpoint::parse(&login.issuer, login.allow_http).map_err(LoginSettingsError::Issuer)?;
    let is_here = ["http://127.0.0.1", "http://[::1]", "http://localhost"]
        .iter()
        .any(|start| login.redirect_uri.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/'])));
    Endpoint::parse(&login.redirect_uri, login.allow_http || is_here).map_err(LoginSettingsError::Redirect)?;
    if !login.redirect_uri.ends_with(CALLBACK) {
        return Err(LoginSettingsError::Callback);
    }
    rules(login).map(drop)
}

/// Whether the callback's address, and so the browser's way to this Weir, is encrypted.
pub(crate) fn is_secure(login: &AdminLogin) -> bool {
    login.redirect_uri.starts_with("https://")
}
