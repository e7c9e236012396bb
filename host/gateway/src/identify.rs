//! Who is asking: the client's key, read from where the face says that it may stand, or from a header that the operator
//! names for all formats.

pub mod local;
mod wrong_keys;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use http::Uri;

use crate::limit;
use local::NotLocal;
use weir_config::{Client, Config, Priority};
use weir_translate::dialect::faces::{Face, Head};
use weir_types::contract::about::CredentialPlace;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
pub use wrong_keys::WrongKeys;

/// Keyed anew in each process, so that nobody chooses who looks like another.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A caller whose credential has been looked at.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Tells callers apart for isolation and limits; empty for the anonymous one. Never the credential itself.
    pub tenant: Arc<str>,
    /// Who it is; none for the anonymous one.
    pub client: Option<Arc<Client>>,
    /// Where the request came from; none where that is not a matter of addresses.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// Whoever asks without a key.
    pub fn anonymous(address: Option<IpAddr>) -> Self {
        Self { tenant: Arc::from(""), client: None, address }
    }

    /// A number that tells callers apart: by who they are, or else by where they come from.
    pub fn number(&self) -> u64 {
        match (&self.client, self.address) {
            (None, Some(address)) => HASHER.hash_one(address),
            _ => HASHER.hash_one(&*self.tenant),
        }
    }

    /// Whether it may use a model, by the name that it said.
    pub fn may_use(&self, model: &str) -> bool {
        self.client.as_ref().is_none_or(|client| client.may_use(model))
    }

    /// Whether its requests may choose where they go.
    pub fn may_choose(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.may_choose)
    }

    /// Whether its requests that are about no model may say whose they are. That is no choice where everybody has it.
    pub fn may_name_provider(&self) -> bool {
        self.client.as_ref().is_none_or(|client| client.may_choose)
    }

    /// Whose turn it is where requests wait: the client's, or that of the address that no key tells apart.
    pub fn turn(&self) -> Arc<str> {
        match (&self.client, self.address) {
            (None, Some(address)) => limit::address_name(address),
            _ => Arc::clone(&self.tenant),
        }
    }

    /// When it is its turn.
    pub fn priority(&self) -> Priority {
        self.client.as_ref().map_or(Priority::Normal, |client| client.priority)
    }
}

/// Where a request came from, and where it means to go.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The other end of its connection; none where that is not a matter of addresses.
    pub address: Option<IpAddr>,
    /// Its target, which may name a host.
    pub uri: &'a Uri,
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It brings no key.
    #[error("the request brings no API key")]
    NoKey,
    /// No client has its key.
    #[error("the API key is not known here")]
    WrongKey,
    /// There are no keys, and it comes from elsewhere.
    #[error(
        "no client keys are configured here, so only this machine itself is served: add `[[clients]]`, or set \
         `server.anonymous`"
    )]
    Elsewhere,
    /// There are no keys, and it is not this machine's own though it comes over loopback.
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

/// Finds out who is asking.
///
/// # Errors
///
/// Where a key is needed and there is none, or none that is known; where none is needed, but the request is not this
/// machine's own.
pub fn identify(config: &Config, face: &Face, head: &Head<'_>, origin: Origin<'_>) -> Result<Caller, Denied> {
    let address = origin.address;
    if config.clients.is_empty() {
        if config.server.anonymous {
            return Ok(Caller::anonymous(address));
        }
        if address.is_some_and(|address| !address.to_canonical().is_loopback()) {
            return Err(Denied::Elsewhere);
        }
        // Without an address it came through a socket that no browser and no other machine reaches.
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

/// Everything that may be a key.
fn presented(config: &Config, face: &Face, head: &Head<'_>) -> Vec<String> {
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

/// A value without what stands in front of the key. Schemes are written in any case (RFC 9110, section 11.1).
fn without(value: &str, front: &str) -> Option<String> {
    let (start, rest) = value.split_at_checked(front.len())?;
    start.eq_ignore_ascii_case(front).then(|| rest.to_owned())
}
