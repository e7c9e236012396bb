//! Sends requests to providers.
//!
//! [`Upstreams`] is the one client that all providers share. A request goes to an [`Address`], which only a [`Base`]
//! (the parsed `url` of a provider) can make, so that neither path nor credential can end up anywhere else. A `url` of
//! `replay:DIR` answers from recordings through the same types: nothing above this module knows the difference.
//!
//! Dropping the future of [`Upstreams::send`], or the [`UpstreamBody`] later, cancels the exchange with the provider.

pub mod body;
pub mod chunks;
pub mod client;
mod collector;
pub mod credential;
pub mod deadline;
pub mod decode;
mod dial;
pub mod error;
pub mod headers;
pub mod media;
pub mod origin;
pub mod pass;
pub mod rendered;
pub mod replay;
mod screen;
mod veil;

use http::{HeaderMap, Method, StatusCode};

pub use body::UpstreamBody;
pub use chunks::Chunks;
pub use client::{Settings, Upstreams};
pub use collector::Collector;
pub use credential::{Credential, CredentialError, Means};
pub use deadline::Timeouts;
pub use decode::{Bound as DecodeBound, Coding, Decoded, Decoder};
pub use error::{UpstreamError, UpstreamErrorKind};
pub use headers::{HeaderRules, is_answerable};
pub use media::{Fetched, MediaClient, MediaError, MediaRules};
pub use origin::{Address, AllowedOrigin, Base, OriginError, encode_segment};
pub use veil::{Scope as VeilScope, Veil};

/// One request to a provider, ready but for the credential. A clone shares the body.
#[derive(Clone, Debug)]
pub struct UpstreamRequest<'a> {
    /// The method.
    pub method: Method,
    /// Where it goes: from [`Base::join`] or [`Base::follow`].
    pub address: Address,
    /// All headers but the credential, `host` and what HTTP itself needs: those are set here. Names that must never
    /// go upstream (credentials of the client's, hop-by-hop) are removed here once more.
    pub headers: HeaderMap,
    /// The body; its length becomes `content-length`.
    pub body: Chunks,
    /// The limits of this exchange.
    pub timeouts: Timeouts,
    /// Applied last, and only where the address may receive it.
    pub credential: Option<&'a Credential>,
    /// Whether a streamed answer is asked for. Used to choose a recording; the network doesn't look at it.
    pub stream: bool,
    /// The model as the provider names it, or an empty text. Used to choose a recording.
    pub model: &'a str,
}

/// The head of a provider's answer and the body that follows.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// The status, whatever it is: a 500 of the provider's is an answer, not an error of this module.
    pub status: StatusCode,
    /// The headers as they came, the credential hidden in them.
    pub headers: HeaderMap,
    /// The body, still to come; the credential is hidden in it.
    pub body: UpstreamBody,
}
