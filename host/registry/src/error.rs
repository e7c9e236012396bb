//! What can go wrong with a registry.

use weir_sandbox::digest::Digest;
use weir_upstream::HttpClientError;
use weir_upstream::http_client::{BodyError, reason};

/// Why an adapter cannot be fetched or pushed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no HTTP client.
    #[error(transparent)]
    Client(#[from] HttpClientError),
    /// The registry cannot be reached.
    #[error("the registry cannot be asked: {}", reason(.0))]
    Send(#[from] reqwest::Error),
    /// An answer is too large or breaks off.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The registry refuses the request.
    #[error("the registry answers {0}{1}")]
    Status(u16, String),
    /// The registry asks for a login, and there is none, or it is wrong.
    #[error("the registry asks for a login: set WEIR_REGISTRY_USER and WEIR_REGISTRY_PASSWORD ({0})")]
    Login(String),
    /// There is no such artifact.
    #[error("the registry has no {0}")]
    Missing(String),
    /// An address that the registry names may not be used.
    #[error("the registry leads to {0}, which is not an address that may be followed")]
    Address(String),
    /// The registry's answer does not have the digest that it must have.
    #[error("the registry sends other bytes than were asked for: {what} must be {expected}, and is {found}")]
    Digest {
        /// What was fetched.
        what: &'static str,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes that came.
        found: Digest,
    },
    /// The manifest is not that of an adapter.
    #[error("this is not an adapter: {0}")]
    NoAdapter(String),
    /// A part is larger than Weir takes.
    #[error("{what} has {size} bytes, and {limit} are the most")]
    TooLarge {
        /// The part.
        what: &'static str,
        /// Its announced size.
        size: u64,
        /// The most bytes.
        limit: usize,
    },
}
