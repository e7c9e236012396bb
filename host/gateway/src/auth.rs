//! Identifies the caller by its key, from the places that the face declares or from headers that the operator names
//! for all formats.

mod ephemeral;
mod kept;
pub mod local;
mod revalidate;
mod stored;
mod stored_keys;
mod tokens;
mod wrong_keys;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, Uri};

use crate::rate_limit;
use crate::rate_limit::{Estimate, Scope, Take};
pub(crate) use ephemeral::OwnSeal;
pub use kept::KeptCaller;
use local::NotLocal;
pub use stored::StoredCaller;
use stored_keys::CredentialLookup;
pub use stored_keys::StoredKeys;
pub use tokens::Tokens;
use weir_config::{Client, Config, KeyHash, Priority};
use weir_identity::ephemeral::EphemeralKeyError;
use weir_identity::jwt::Refusal;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_types::contract::about::CredentialPlace;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
pub use wrong_keys::WrongKeys;

/// The hash has a new key in each process, so that a client cannot forge a collision.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The caller of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Identifies the caller for isolation and limits; empty if anonymous. Never the credential itself.
    pub tenant: Arc<str>,
    /// The configured client; `None` if anonymous, or known by the store or a token.
    pub client: Option<Arc<Client>>,
    /// The owner of a key in the store, or of a token.
    pub stored: Option<Arc<StoredCaller>>,
    /// The hash of the key that it has shown, to look it up again; `None` without a key.
    pub(crate) shown: Option<KeyHash>,
    /// The caller's address; `None` without a network connection.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// A caller without a key.
    pub fn anonymous(address: Option<IpAddr>) -> Self {
        Self { tenant: Arc::from(""), client: None, stored: None, shown: None, address }
    }

    /// A caller that the store identifies, by the key with this hash, or by a token.
    fn stored(caller: StoredCaller, shown: Option<KeyHash>, address: Option<IpAddr>) -> Self {
        Self { tenant: caller.tenant(), client: None, stored: Some(Arc::new(caller)), shown, address }
    }

    /// Whether the caller has shown no key.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.client.is_none() && self.stored.is_none()
    }

    /// A number that identifies the caller, by its client or else by its address.
    pub fn number(&self) -> u64 {
        match (self.is_anonymous(), self.address) {
            (true, Some(address)) => HASHER.hash_one(address),
            _ => HASHER.hash_one(&*self.tenant),
        }
    }

    /// Whether the caller may use a model, in the client's spelling.
    pub fn may_use(&self, model: &str) -> bool {
        match (&self.client, &self.stored) {
            (Some(client), _) => client.may_use(model),
            (None, Some(stored)) => stored.may_use(model),
            (None, None) => true,
        }
    }

    /// Whether the caller may use a model whose name its request sends on unchanged: a name that an alias of this
    /// caller gives to another model is refused.
    pub(crate) fn may_name(&self, model: &str) -> bool {
        self.may_use(model) && self.stored.as_ref().is_none_or(|stored| stored.model(model) == model)
    }

    /// Whether the caller may use every model.
    pub(crate) fn may_use_all(&self) -> bool {
        self.may_use("")
    }

    /// Whether the caller may use an operation, in a request with or without a model's name.
    pub fn may_do(&self, operation: &str, names_a_model: bool) -> bool {
        match (&self.client, &self.stored) {
            (Some(client), _) => client.may_do(operation, names_a_model),
            (None, Some(stored)) => stored.may_do(operation, names_a_model),
            (None, None) => true,
        }
    }

    /// Whether the caller may use an operation that shows what other callers made.
    pub fn may_list(&self, operation: &str) -> bool {
        match (&self.client, &self.stored) {
            (Some(client), _) => client.may_list(operation),
            (None, Some(stored)) => stored.may_list(operation),
            (None, None) => true,
        }
    }

    /// Whether the caller is restricted to a part of the account.
    pub fn is_restricted(&self) -> bool {
        match (&self.client, &self.stored) {
            (Some(client), _) => client.is_restricted(),
            (None, Some(stored)) => stored.is_restricted(),
            (None, None) => false,
        }
    }

    /// The caller's team and organisation.
    pub(crate) fn groups(&self) -> [Option<&str>; 2] {
        match (&self.client, &self.stored) {
            (Some(client), _) => [client.team.as_deref(), client.organisation.as_deref()],
            (None, Some(stored)) => [stored.team(), stored.organisation()],
            (None, None) => [None, None],
        }
    }

    /// The caller as messages name it.
    pub fn title(&self) -> String {
        match &self.stored {
            Some(stored) => stored.title(),
            None => format!("client `{}`", self.tenant),
        }
    }

    /// The label in metrics: the client's name, or the team of a key in the store; empty if anonymous.
    pub fn label(&self) -> &str {
        match (&self.client, &self.stored) {
            (Some(client), _) => &client.name,
            (None, Some(stored)) => stored.label(),
            (None, None) => "",
        }
    }

    /// The amounts that a request takes under the caller's own limits.
    pub fn takes(&self, estimate: Estimate) -> Vec<Take> {
        match (&self.client, &self.stored) {
            (Some(client), _) => rate_limit::takes(Scope::Client, &client.name, &client.limits, estimate),
            (None, Some(stored)) => stored.takes(estimate),
            (None, None) => Vec::new(),
        }
    }

    /// Whether the caller's requests may choose their target.
    pub fn may_choose(&self) -> bool {
        match (&self.client, &self.stored) {
            (Some(client), _) => client.may_choose,
            (None, Some(stored)) => stored.may_choose(),
            (None, None) => false,
        }
    }

    /// Whether a request without a model may name its provider. Anonymous callers may, too.
    pub(crate) fn may_name_provider(&self) -> bool {
        self.may_choose() || self.is_anonymous()
    }

    /// The name under which the caller's requests take turns in a queue: the client's or, if anonymous, the
    /// address's.
    pub fn turn(&self) -> Arc<str> {
        match (self.is_anonymous(), self.address) {
            (true, Some(address)) => rate_limit::address_name(address),
            _ => Arc::clone(&self.tenant),
        }
    }

    /// The caller's priority in queues.
    pub fn priority(&self) -> Priority {
        match (&self.client, &self.stored) {
            (Some(client), _) => client.priority,
            (None, Some(stored)) => stored.priority(),
            (None, None) => Priority::Normal,
        }
    }
}

/// Where a request came from, and where it is addressed to.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The peer's address; `None` if it is not known.
    pub address: Option<IpAddr>,
    /// The request's target, which may contain a host.
    pub uri: &'a Uri,
}

/// Why a caller is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerDenied {
    /// The request has no key.
    #[error("the request has no API key: send it as `authorization: Bearer KEY`, or as the format's own clients do")]
    NoKey,
    /// No client has this key.
    #[error("the API key is not known here")]
    WrongKey,
    /// No keys are configured, and the request comes from another machine.
    #[error(
        "no client keys are configured here, so only this machine itself is served: add `[[clients]]`, or set \
         `server.anonymous`"
    )]
    Elsewhere,
    /// No keys are configured, and the request comes over loopback without being this machine's own.
    #[error(
        "{0}; no client keys are configured here, so only this machine itself is served, under a loopback name such as \
         localhost: add `[[clients]]`, or set `server.anonymous`"
    )]
    NotLocal(NotLocal),
    /// A key of the store is refused.
    #[error("{0}")]
    Stored(weir_identity::KeyDenied),
    /// The key may be one of the store, which cannot be read yet.
    #[error("callers cannot be checked yet: the store with the keys cannot be read at present, and the log says why")]
    Unread,
    /// A token is refused.
    #[error("{0}")]
    Token(Refusal),
    /// An ephemeral key is refused.
    #[error("{0}")]
    Ephemeral(EphemeralKeyError),
}

impl CallerDenied {
    /// Whether the caller may be guessing keys, so that it is slowed down.
    pub(crate) fn is_a_guess(&self) -> bool {
        use weir_identity::KeyDenied::{Mistyped, Unknown};
        match self {
            Self::WrongKey | Self::Stored(Unknown | Mistyped(_)) => true,
            Self::Token(refusal) => refusal.status() == 401 && !matches!(refusal, Refusal::Expired(_)),
            Self::Ephemeral(error) => *error == EphemeralKeyError::Unknown,
            _ => false,
        }
    }

    /// The more helpful of two refusals, of a token and of a credential beside it: that of a key which is known or may
    /// be, unless the token may be right and is to be tried again.
    fn beside(self, other: Self) -> Self {
        let may_be_right = match &self {
            Self::Token(refusal) => refusal.status() == 503,
            denied => *denied == Self::Unread,
        };
        if may_be_right || other.is_a_guess() { self } else { other }
    }
}

impl From<weir_identity::KeyDenied> for CallerDenied {
    fn from(denied: weir_identity::KeyDenied) -> Self {
        if denied == weir_identity::KeyDenied::Unknown { Self::WrongKey } else { Self::Stored(denied) }
    }
}

impl From<Refusal> for CallerDenied {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal)
    }
}

/// How long a client should wait before it repeats a request whose credential cannot be checked at present.
const CHECK_AGAIN: Duration = Duration::from_secs(2);

impl From<CallerDenied> for Fault {
    fn from(denied: CallerDenied) -> Self {
        let (side, kind, status, code) = match &denied {
            CallerDenied::NoKey | CallerDenied::WrongKey => {
                (Side::Client, ErrorKind::Authentication, 401, Some("invalid_api_key"))
            }
            CallerDenied::Elsewhere => (Side::Gateway, ErrorKind::Authentication, 401, None),
            CallerDenied::NotLocal(reason) => (Side::Client, ErrorKind::Permission, 403, Some(reason.code())),
            CallerDenied::Stored(denied) => {
                (Side::Client, refused(denied.status()), denied.status(), Some(denied.code()))
            }
            CallerDenied::Unread => {
                return Self::overloaded(denied.to_string(), CHECK_AGAIN).with_code("store_unavailable");
            }
            CallerDenied::Token(refusal) if refusal.status() == 503 => {
                return Self::overloaded(denied.to_string(), CHECK_AGAIN).with_code(refusal.code());
            }
            CallerDenied::Token(refusal) => {
                (Side::Client, refused(refusal.status()), refusal.status(), Some(refusal.code()))
            }
            CallerDenied::Ephemeral(error) => (Side::Client, ErrorKind::Authentication, 401, Some(error.code())),
        };
        let fault = Self::new(side, kind, denied.to_string()).with_status(status);
        match code {
            Some(code) => fault.with_code(code),
            None => fault,
        }
    }
}

fn refused(status: u16) -> ErrorKind {
    if status == 403 { ErrorKind::Permission } else { ErrorKind::Authentication }
}

/// Identifies the caller: by a key of the configuration, a key of the store, or a token.
///
/// # Errors
///
/// Fails if a key is required and missing or refused, or if there are no keys and the request is not this machine's
/// own.
pub async fn identify(
    config: &Config,
    stored: &StoredKeys,
    endpoint: &Endpoint,
    head: &Head<'_>,
    origin: Origin<'_>,
) -> Result<Caller, CallerDenied> {
    let address = origin.address;
    if config.clients.is_empty() && !stored.is_keyed() {
        return local::caller(config, head, origin);
    }
    let keys = presented(config, endpoint, head);
    let configured = |key: &String| {
        let shown = KeyHash::of(key);
        Some((config.clients.find_by_hash(&shown)?, shown))
    };
    if let Some((client, shown)) = keys.iter().find_map(configured) {
        let (tenant, client) = (Arc::clone(&client.name), Some(Arc::clone(client)));
        return Ok(Caller { tenant, client, stored: None, shown: Some(shown), address });
    }
    let (mut denied, tokens) = match stored.look_up(&keys) {
        CredentialLookup::Caller(caller, shown) => return Ok(Caller::stored(*caller, Some(shown), address)),
        CredentialLookup::Refused(denied, tokens) => (denied, tokens),
        CredentialLookup::Nothing if config.server.anonymous => return Ok(Caller::anonymous(address)),
        CredentialLookup::Nothing if stored.is_unread() && config.clients.is_empty() => {
            return Err(CallerDenied::Unread);
        }
        CredentialLookup::Nothing => return Err(CallerDenied::NoKey),
    };
    for token in tokens {
        match Box::pin(stored.find_by_token(token.expose())).await {
            Ok(caller) => return Ok(Caller::stored(caller, None, address)),
            Err(of_token) => denied = of_token.beside(denied),
        }
    }
    Err(denied)
}

/// All values that may be keys.
fn presented(config: &Config, endpoint: &Endpoint, head: &Head<'_>) -> Vec<String> {
    let usual = endpoint.face.credentials.iter().filter_map(|place| match place {
        CredentialPlace::Header(header) => {
            let value = head.headers.get(header.name.as_str())?.to_str().ok()?;
            without(value, &header.value)
        }
        CredentialPlace::Query(name) => head.query(name),
        CredentialPlace::Subprotocol(front) => subprotocol(head.headers, front),
    });
    let named = config.server.key_headers.iter().filter_map(|name| {
        let value = head.headers.get(name.as_str())?.to_str().ok()?;
        without(value, "Bearer ").or_else(|| Some(value.to_owned()))
    });
    usual.chain(named).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect()
}

/// The credential among the subprotocols that a handshake offers.
fn subprotocol(headers: &HeaderMap, front: &str) -> Option<String> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|offer| offer.split(',')).find_map(|protocol| Some(protocol.trim().strip_prefix(front)?.to_owned()))
}

/// A value without its prefix. Schemes are case-insensitive (RFC 9110, section 11.1).
fn without(value: &str, front: &str) -> Option<String> {
    let (start, rest) = value.split_at_checked(front.len())?;
    start.eq_ignore_ascii_case(front).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests;
