//! Failures and the side at fault.

use std::time::Duration;

use crate::contract::types::{Error, ErrorKind, LossKind};

/// The side where a failure happened, as the client sees it in `x-weir-error-source` and the operator in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's request is wrong.
    Client,
    /// Weir's configuration, limits or state caused it.
    Gateway,
    /// An adapter trapped, exceeded its limits or returned nonsense.
    Adapter,
    /// The provider, or the network between Weir and the provider.
    Upstream,
}

impl Side {
    /// The side's name in headers and labels. A client's mistake reads `gateway`, since the gateway found it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client | Self::Gateway => "gateway",
            Self::Adapter => "adapter",
            Self::Upstream => "upstream",
        }
    }
}

/// The name of an error kind in metrics and logs.
pub fn error_kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => "invalid_request",
        ErrorKind::Authentication => "authentication",
        ErrorKind::Permission => "permission",
        ErrorKind::NotFound => "not_found",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::ContextLength => "context_length",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Quota => "quota",
        ErrorKind::ContentFiltered => "content_filtered",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Upstream => "upstream",
        ErrorKind::Internal => "internal",
    }
}

/// How an exchange with a provider failed without a proper answer; the retry policy decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportFailure {
    /// The request never reached the provider.
    Unreachable,
    /// A time limit expired.
    Slow,
    /// The connection closed or was reset.
    Gone,
    /// The provider refused the gateway's credential.
    Credential,
    /// The answer is malformed or exceeds a limit.
    Garbled,
}

/// A failure on its way to the client.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", error.message)]
pub struct Fault {
    /// The error that the client receives.
    pub error: Error,
    /// The side at fault.
    pub side: Side,
    /// How the exchange with the provider failed, if it ended without a proper answer.
    pub transport: Option<TransportFailure>,
}

impl Fault {
    /// A failure of this kind, without status, code, parameter and `Retry-After`.
    pub fn new(side: Side, kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            error: Error { kind, message, status: None, code: None, param: None, retry_after_ms: None },
            side,
            transport: None,
        }
    }

    /// The client's request is wrong (`invalid-request`).
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Side::Client, ErrorKind::InvalidRequest, message)
    }

    /// The requested model, object or path does not exist (`not-found`).
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Side::Client, ErrorKind::NotFound, message)
    }

    /// An adapter failed; status 502 in every format.
    pub fn adapter(message: impl Into<String>) -> Self {
        Self::new(Side::Adapter, ErrorKind::Internal, message).with_status(502).with_code("adapter_error")
    }

    /// Weir itself failed; status 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Side::Gateway, ErrorKind::Internal, message).with_status(500)
    }

    /// Weir is overloaded; status 503 with a `Retry-After`.
    pub fn overloaded(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Side::Gateway, ErrorKind::Overloaded, message).with_status(503).with_retry_after(retry_after)
    }

    /// An error that an adapter's function returned on purpose, blamed on `side`.
    pub fn from_error(side: Side, error: Error) -> Self {
        Self { error, side, transport: None }
    }

    /// Sets how the exchange with the provider failed.
    #[must_use]
    pub fn with_transport(mut self, failure: TransportFailure) -> Self {
        self.transport = Some(failure);
        self
    }

    /// Sets the HTTP status, in place of the usual one of the error's kind.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.error.status = Some(status);
        self
    }

    /// Sets the machine-readable code (`docs/errors.md`).
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.error.code = Some(code.to_owned());
        self
    }

    /// Sets the field of the request that is at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.error.param = Some(param.into());
        self
    }

    /// Sets `Retry-After`.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.error.retry_after_ms = Some(u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
        self
    }
}
/// The name of a kind of loss in headers, logs and metrics.
pub fn loss_kind(kind: LossKind) -> &'static str {
    match kind {
        LossKind::Dropped => "dropped",
        LossKind::Clamped => "clamped",
        LossKind::Approximated => "approximated",
    }
}
