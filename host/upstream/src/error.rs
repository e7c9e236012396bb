//! Failures between the gateway and a provider, grouped by how a caller can react.

use std::error::Error;
use std::io;
use std::sync::Arc;

use hyper_util::client::legacy;

use super::answer_body::BodyFailure;
use super::connection::Failure;
use super::dial::DialError;
use super::refusal;
use weir_buffers::Full;

/// Maximum length of a detail, in characters. Details are texts of libraries, never of the provider.
const DETAIL_LIMIT: usize = 200;

/// The kind of a failed exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamErrorKind {
    /// No connection: the name does not resolve, or the other side refuses.
    Connect,
    /// No connection (TLS included) in time.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// No answer in time.
    FirstByteTimeout,
    /// The answer began and then stopped for too long.
    IdleTimeout,
    /// The exchange as a whole took too long.
    TotalTimeout,
    /// The provider did not take the request: its HTTP/2 connection ends, or has no room, and says so.
    Refused,
    /// The connection was closed before the answer began.
    Reset,
    /// The connection was closed in the middle of the answer.
    Cut,
    /// The answer is not valid HTTP.
    Protocol,
    /// The answer is not what a gRPC method answers with.
    Grpc,
    /// The answer is larger than its limit.
    BodyTooLarge,
    /// Too many bytes are held already for this answer to be collected.
    NoRoom(Full),
    /// The answer's content-encoding is unknown or broken.
    Encoding,
    /// The answer repeats the gateway's credential where it cannot be hidden.
    KeyShown,
    /// The request cannot be sent: a header or an address that HTTP does not allow.
    Request,
    /// No access token: the endpoint cannot be reached, or is failing.
    Token,
    /// The token endpoint refuses the credential.
    TokenRefused,
}

impl UpstreamErrorKind {
    /// A short name for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Protocol => "protocol",
            Self::Grpc => "grpc",
            Self::BodyTooLarge => "body_too_large",
            Self::NoRoom(_) => "no_room",
            Self::Encoding => "encoding",
            Self::KeyShown => "key_shown",
            Self::Request => "request",
            Self::Token => "token",
            Self::TokenRefused => "token_refused",
        }
    }

    /// Whether a timeout expired.
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout)
    }

    /// Whether the provider certainly never received the request, so that it is safe to send it again.
    pub fn is_unsent(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::ConnectTimeout
                | Self::Tls
                | Self::Refused
                | Self::Request
                | Self::Token
                | Self::TokenRefused
        )
    }

    fn text(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::ConnectTimeout => "no connection in time",
            Self::Tls => "the TLS handshake failed",
            Self::FirstByteTimeout => "no answer in time",
            Self::IdleTimeout => "the answer stopped coming",
            Self::TotalTimeout => "the exchange took too long",
            Self::Refused => "the provider did not take the request",
            Self::Reset => "the connection was closed before an answer",
            Self::Cut => "the connection was closed in the middle of the answer",
            Self::Protocol => "the answer is not valid HTTP",
            Self::Grpc => "the answer is not that of a gRPC method",
            Self::BodyTooLarge => "the answer is larger than allowed",
            Self::NoRoom(_) => "too many bytes are held for the answer to be collected",
            Self::Encoding => "the answer's content-encoding cannot be decoded",
            Self::KeyShown => "the answer repeats the gateway's key",
            Self::Request => "the request cannot be sent",
            Self::Token => "there is no access token to be had",
            Self::TokenRefused => "the token endpoint refuses the credential",
        }
    }
}

/// A failed exchange. Names the origin, never the path, the query, a header or a body.
#[derive(Clone, Debug, thiserror::Error)]
#[error("upstream {origin}: {}{}{}", kind.text(), if detail.is_some() { ": " } else { "" }, detail.as_deref().unwrap_or(""))]
pub struct UpstreamError {
    /// The kind of failure.
    pub kind: UpstreamErrorKind,
    /// Scheme, host and port of the provider or of its token endpoint, or `replay:DIR`.
    pub origin: Arc<str>,
    /// The underlying library's error, or the code of a refused token.
    pub detail: Option<Box<str>>,
}

impl UpstreamError {
    /// A failure without further detail.
    pub fn new(kind: UpstreamErrorKind, origin: &Arc<str>) -> Self {
        Self { kind, origin: origin.clone(), detail: None }
    }

    /// A failure with the underlying error as its detail.
    pub(super) fn because(kind: UpstreamErrorKind, origin: &Arc<str>, cause: &(dyn Error + 'static)) -> Self {
        let detail: String = innermost(cause).to_string().chars().take(DETAIL_LIMIT).collect();
        Self { kind, origin: origin.clone(), detail: Some(detail.into()) }
    }

    /// A failure before the answer's head.
    pub(super) fn of_request(failure: &Failure, origin: &Arc<str>) -> Self {
        let kind = match failure {
            Failure::Dial(DialError::TimedOut) => UpstreamErrorKind::ConnectTimeout,
            Failure::Dial(DialError::Tls(_)) => UpstreamErrorKind::Tls,
            Failure::Dial(DialError::Connect(_)) => UpstreamErrorKind::Connect,
            Failure::Exchange(error) if refusal::is_untaken(error) => UpstreamErrorKind::Refused,
            Failure::Exchange(error) => exchange_kind(error, UpstreamErrorKind::Reset),
            Failure::Closed => UpstreamErrorKind::Reset,
        };
        Self::because(kind, origin, failure)
    }

    /// A failure of a client of [`super::http_client`]; `gone` is what a closed connection means at this point.
    pub(super) fn of_call(error: &reqwest::Error, origin: &Arc<str>, gone: UpstreamErrorKind) -> Self {
        let kind = if error.is_connect() { call_dial_kind(error) } else { exchange_kind(error, gone) };
        Self::because(kind, origin, error)
    }

    /// A failure after the answer's head.
    pub(super) fn of_body(failure: &BodyFailure, origin: &Arc<str>) -> Self {
        let kind = match failure {
            BodyFailure::Unfinished => UpstreamErrorKind::Cut,
            BodyFailure::Connection(error) => exchange_kind(error, UpstreamErrorKind::Cut),
        };
        Self::because(kind, origin, failure)
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}

/// The connector passes TCP's errors on as they are and wraps those of TLS in an `io::Error`.
fn call_dial_kind(error: &reqwest::Error) -> UpstreamErrorKind {
    let cause = chain(error).skip_while(|cause| !cause.is::<legacy::Error>()).nth(1);
    match cause {
        _ if error.is_timeout() => UpstreamErrorKind::ConnectTimeout,
        Some(cause) if cause.is::<io::Error>() => UpstreamErrorKind::Tls,
        _ => UpstreamErrorKind::Connect,
    }
}

/// Classifies a failed exchange; `gone` is the kind of a connection closed at this point.
fn exchange_kind(error: &(dyn Error + 'static), gone: UpstreamErrorKind) -> UpstreamErrorKind {
    let is_gone = chain(error).any(|cause| {
        if let Some(cause) = cause.downcast_ref::<hyper::Error>() {
            // The last one is a connection of HTTP/2 that answers no pings any more.
            return cause.is_incomplete_message() || cause.is_canceled() || cause.is_closed() || cause.is_timeout();
        }
        // It names no source.
        if let Some(cause) = cause.downcast_ref::<h2::Error>() {
            return cause.is_io();
        }
        cause.downcast_ref::<io::Error>().is_some_and(|cause| {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
            matches!(cause.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
        })
    });
    if is_gone { gone } else { UpstreamErrorKind::Protocol }
}
