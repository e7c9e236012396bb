//! Identifies the caller by its key, from the places that the face declares or from headers that the operator names
//! for all formats.

pub mod local;
mod wrong_keys;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use http::Uri;

use crate::rate_limit;
use local::NotLocal;
use weir_config::{Client, Config, Priority};
use weir_translate::dialect::faces::{Endpoint, Head};
use weir_types::contract::about::CredentialPlace;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
pub use wrong_keys::WrongKeys;

/// Keyed anew in each process, so that a client cannot forge a collision.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The caller of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Identifies the caller for isolation and limits; empty if anonymous. Never the credential itself.
    pub tenant: Arc<str>,
    /// The configured client; `None` if anonymous.
    pub client: Option<Arc<Client>>,
    /// The caller's address; `None` without a network connection.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// A caller without a key.
    pub fn anonymous(address: Option<IpAddr>) -> Self {
        Self { tenant: Arc::from(""), client: None, address }
    }

    /// A number that identifies the caller, by its client or else by its address.
    pub fn number(&self) -> u64 {
        match (&self.client, self.address) {
            (None, Some(address)) => HASHER.hash_one(address),
            _ => HASHER.hash_one(&*self.tenant),
        }
    }

    /// Whether the caller may use a model, in the client's spelling.
    pub fn may_use(&self, model: &str) -> bool {
        self.client.as_ref().is_none_or(|client| client.may_use(model))
    }

    /// Whether the caller's requests may choose their target.
    pub fn may_choose(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.may_choose)
    }

    /// Whether a request without a model may name its provider. Anonymous callers may, too.
    pub fn may_name_provider(&self) -> bool {
        self.client.as_ref().is_none_or(|client| client.may_choose)
    }

    /// The name under which the caller's requests take turns in a queue: the client's or, if anonymous, the
    /// address's.
    pub fn turn(&self) -> Arc<str> {
        match (&self.client, self.address) {
            (None, Some(address)) => rate_limit::address_name(address),
            _ => Arc::clone(&self.tenant),
        }
    }

    /// The caller's priority in queues.
    pub fn priority(&self) -> Priority {
        self.client.as_ref().map_or(Priority::Normal, |client| client.priority)
    }
}

/// Where a request came from, and where it is addressed to.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The peer's address; `None` without a network connection.
    pub address: Option<IpAddr>,
    /// The request's target, which may contain a host.
    pub uri: &'a Uri,
}

/// Why a caller is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request has no key.
    #[error("the request brings no API key")]
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
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        let (side, kind, status, code) = match &denied {
            Denied::NoKey | Denied::WrongKey => (Side::Client, ErrorKind::Authentication, 401, Some("invalid_api_key")),
            Denied::Elsewhere => (Side::Gateway, ErrorKind::Authentication, 401, None),
            Denied::NotLocal(reason) => (Side::Client, ErrorKind::Permission, 403, Some(reason.code())),
        };
        let fault = Self::new(side, kind, denied.to_string()).with_status(status);
        match code {
            Some(code) => fault.with_code(code),
            None => fault,
        }
    }
}

/// Identifies the caller.
///
/// # Errors
///
/// Fails if a key is required and missing or unknown, or if no keys are configured and the request is not this
/// machine's own.
pub fn identify(config: &Config, face: &Endpoint, head: &Head<'_>, origin: Origin<'_>) -> Result<Caller, Denied> {
    let address = origin.address;
    if config.clients.is_empty() {
        if config.server.anonymous {
            return Ok(Caller::anonymous(address));
        }
        if address.is_some_and(|address| !address.to_canonical().is_loopback()) {
            return Err(Denied::Elsewhere);
        }
        // Without an address there was no network connection: neither a browser nor another machine is the sender.
        return match address.map(|_| local::check(origin.uri, head.headers)) {
            None | Some(Ok(())) => Ok(Caller::anonymous(address)),
            Some(Err(reason)) => Err(Denied::NotLocal(reason)),
        };
    }
    let keys = presented(config, face, head);
    if let Some(client) = keys.iter().find_map(|key| config.clients.find(key)) {
        return Ok(Caller { tenant: Arc::clone(&client.name), client: Some(Arc::clone(client)), address });
    }
    match (config.server.anonymous, keys.is_empty()) {
        (true, true) => Ok(Caller::anonymous(address)),
        (_, true) => Err(Denied::NoKey),
        (_, false) => Err(Denied::WrongKey),
    }
}

/// All values that may be keys.
fn presented(config: &Config, face: &Endpoint, head: &Head<'_>) -> Vec<String> {
    let usual = face.claim.credentials.iter().filter_map(|place| match place {
        CredentialPlace::Header(header) => {
            let value = head.headers.get(header.name.as_str())?.to_str().ok()?;
            without(value, &header.value)
        }
        CredentialPlace::Query(name) => head.query(name),
        CredentialPlace::Subprotocol(_) => None,
    });
    let named = config.server.key_headers.iter().filter_map(|name| {
        let value = head.headers.get(name.as_str())?.to_str().ok()?;
        without(value, "Bearer ").or_else(|| Some(value.to_owned()))
    });
    usual.chain(named).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect()
}

/// A value without its prefix. Schemes are case-insensitive (RFC 9110, section 11.1).
fn without(value: &str, front: &str) -> Option<String> {
    let (start, rest) = value.split_at_checked(front.len())?;
    start.eq_ignore_ascii_case(front).then(|| rest.to_owned())
}
