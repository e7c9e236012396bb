//! Tokens of identity providers (JWT): parsed within bounds, verified with the issuer's published keys, and mapped to a
//! team, models and tags.
//!
//! Signatures are verified by `ring`, which rustls brings in any case. The crate `jsonwebtoken` would need `aws-lc`,
//! which `deny.toml` bans, or the pure Rust `rsa`, which has an open advisory (RUSTSEC-2023-0071); and it neither
//! refuses doubled members nor bounds what it parses.

mod algorithm;
mod claims;
mod discovery;
mod endpoint;
mod fetch;
mod issuer;
mod key_set;
mod key_source;
mod mapping;
mod refusal;
mod signed;
mod strict_json;
#[cfg(test)]
pub(crate) mod test_keys;
#[cfg(test)]
mod tests;
mod token_cache;
mod verifier;

pub use algorithm::Algorithm;
pub(crate) use claims::{Claims, Expected};
pub use discovery::{Discovery, DiscoveryError, discovery_address};
pub use endpoint::{BadEndpoint, Endpoint};
pub use fetch::{Arrival, Fetch, FetchFailed, FetchJob};
pub use issuer::{BadIssuer, IssuerSettings};
pub use key_set::{KeySet, KeySetError};
pub use key_source::{KeySource, Need, Ticket, Timing};
pub use mapping::{ClaimPath, ClaimPathError, ClaimRule};
pub use refusal::{MalformedToken, Refusal};
pub(crate) use signed::SignedToken;
pub(crate) use strict_json::parse_object;
pub use verifier::{TokenIdentity, Verified, Verifier, Verify};

/// Whether a presented credential has the form of a token, so that it is verified instead of looked up: three parts
/// of which the first begins a JSON object.
pub fn looks_like_token(presented: &str) -> bool {
    presented.starts_with("eyJ") && presented.bytes().filter(|byte| *byte == b'.').count() == 2
}
