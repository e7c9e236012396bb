//! Sends requests to providers.
//!
//! [`Upstreams`] is the one client that all providers share. A request goes to an [`Address`], which only a [`Base`]
//! (the parsed `url` of a provider) can create, so that neither path nor credential can go anywhere else. A `url` of
//! `replay:DIR` answers from recordings through the same types, transparently for callers.
//!
//! A request that a gRPC method takes has a body of JSON here, and so has its answer: `grpc` makes the call of it.
//!
//! Dropping the future of [`Upstreams::send`], or the [`UpstreamBody`] later, cancels the exchange with the provider.

pub mod admin;
mod answer_body;
pub mod body;
pub mod chunks;
pub mod client;
mod collector;
mod connection;
pub mod credential;
pub mod deadline;
pub mod decode;
mod decoded_body;
mod dial;
mod document_client;
pub mod error;
mod grpc;
mod hand_over;
pub mod headers;
pub mod http_client;
pub mod media;
mod multiplexed;
mod observer;
pub mod origin;
pub mod outbound;
pub mod pass;
mod pool;
mod redactor;
mod refusal;
pub mod rendered;
pub mod replay;
mod session;
pub mod settings;
mod stream;
mod stream_redactor;
mod tls;
mod upload;
mod webhook;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use weir_buffers::Held;

pub use admin::{AdminClient, AdminError};
pub use body::UpstreamBody;
pub use chunks::Chunks;
pub use client::Upstreams;
pub use collector::Collector;
pub use credential::{Credential, CredentialError, Means};
pub use deadline::Timeouts;
pub use decode::{Bound as DecodeBound, CodedBody, Coding, DecodeError, Decoder, Filled};
pub use decoded_body::Decoded;
pub use document_client::{DocumentClient, DocumentError};
pub use error::{UpstreamError, UpstreamErrorKind};
pub use hand_over::HandOver;
pub use headers::HeaderRules;
pub use http_client::{HttpClientError, NotPublic, PublicClient};
pub use media::{Fetched, MediaClient, MediaError, MediaRules};
pub use observer::BodyObserver;
pub use origin::{Address, AllowedOrigin, Base, OriginError, PathError, UrlError, encode_segment};
pub use outbound::{BadProxy, OutboundProxy};
pub use redactor::{Redactor, Scope as VeilScope};
pub use session::{MessageRedactor, SessionAnswer, SessionIo, UpstreamSession};
pub use settings::Settings;
pub use tls::config as tls_config;
pub use upload::{Upload, UploadError};
pub use webhook::{WebhookClient, WebhookError, WebhookSetupError};

/// One request to a provider, complete except for the credential. A clone shares the body.
#[derive(Clone, Debug)]
pub struct UpstreamRequest<'a> {
    /// The HTTP method.
    pub method: Method,
    /// Where it goes: from [`Base::join`] or [`Base::follow`].
    pub address: Address,
    /// All headers except the credential, `host` and those that HTTP itself needs, which are set here. Headers that
    /// must never go upstream (a client's credentials, hop-by-hop) are removed here once more.
    pub headers: HeaderMap,
    /// The body; its length, if it is known, becomes `content-length`.
    pub body: Chunks,
    /// The limits of this exchange.
    pub timeouts: Timeouts,
    /// Applied last, and only if the address may receive it.
    pub credential: Option<&'a Credential>,
    /// Whether a streamed answer is requested. Only used to choose a recording, and for calls of gRPC.
    pub stream: bool,
    /// The model as the provider names it, or an empty text. Only used to choose a recording.
    pub model: &'a str,
    /// The gRPC method that takes the request, whose body is then JSON. None for a plain HTTP request.
    pub grpc: Option<GrpcCall>,
    /// Where it is noted that a connection has the request.
    pub hand_over: Option<HandOver>,
}

/// What a call of a gRPC method takes besides its request.
#[derive(Clone, Debug)]
pub struct GrpcCall {
    /// Knows the path, and the form of its messages.
    pub method: Arc<weir_transcoding::Method>,
    /// Beside this the bytes of a whole answer are held while its messages arrive.
    pub held: Arc<Held>,
}

/// The head of a provider's answer and the body that follows.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// The status. A 500 of the provider is an answer, not an error of this crate.
    pub status: StatusCode,
    /// The headers as they arrived, with the credential hidden in them.
    pub headers: HeaderMap,
    /// The body, still to be read, with the credential hidden in it. Boxed, since answers go from hand to hand.
    pub body: Box<UpstreamBody>,
}
