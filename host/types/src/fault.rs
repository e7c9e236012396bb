//! Failures, and who is to blame for them.

use std::time::Duration;

use crate::contract::types::{Error, ErrorKind, LossKind};

/// Where a failure lay; told to the client in `x-weir-error-source` and to the operator in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's request is wrong.
    Client,
    /// Weir's configuration, limits or state.
    Gateway,
    /// An adapter trapped, ran out of its limits or made nonsense.
    Adapter,
    /// The provider, or the way to it.
    Upstream,
}

impl Side {
    /// As it stands in headers and labels. A client's mistake is found by the gateway.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client | Self::Gateway => "gateway",
            Self::Adapter => "adapter",
            Self::Upstream => "upstream",
        }
    }
}

/// What became of an exchange with a provider that gave no proper answer, for those who decide what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lapse {
    /// The provider never saw the request.
    Unreachable,
    /// It took too long.
    Slow,
    /// The connection went away.
    Gone,
    /// The gateway's credential was refused.
    Credential,
    /// What came makes no sense, or there is too much of it.
    Garbled,
}

/// A failure on its way to the client.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", error.message)]
pub struct Fault {
    /// What the client is told.
    pub error: Error,
    /// Who is to blame.
    pub side: Side,
    /// What became of the exchange with the provider, where there was one without a proper answer.
    pub lapse: Option<Lapse>,
}

impl Fault {
    /// A failure of this kind.
    pub fn new(side: Side, kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            error: Error { kind, message, status: None, code: None, param: None, retry_after_ms: None },
            side,
            lapse: None,
        }
    }

    /// The client's request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Side::Client, ErrorKind::InvalidRequest, message)
    }

    /// There is nothing of this name.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Side::Client, ErrorKind::NotFound, message)
    }

    /// An adapter failed; 502 in every format.
    pub fn adapter(message: impl Into<String>) -> Self {
        Self::new(Side::Adapter, ErrorKind::Internal, message).with_status(502).with_code("adapter_error")
    }

    /// Weir itself cannot go on.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Side::Gateway, ErrorKind::Internal, message).with_status(500)
    }

    /// Too much to do; try again after a while.
    pub fn overloaded(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Side::Gateway, ErrorKind::Overloaded, message).with_status(503).with_retry_after(retry_after)
    }

    /// An error that an adapter's function returned on purpose.
    pub fn from_error(side: Side, error: Error) -> Self {
        Self { error, side, lapse: None }
    }

    /// Says what became of the exchange with the provider.
    #[must_use]
    pub fn with_lapse(mut self, lapse: Lapse) -> Self {
        self.lapse = Some(lapse);
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.error.status = Some(status);
        self
    }

    /// Sets the code.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.error.code = Some(code.to_owned());
        self
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.error.param = Some(param.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.error.retry_after_ms = Some(u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
        self
    }
}
/// What a kind of loss is called.
pub fn loss_kind(kind: LossKind) -> &'static str {
    match kind {
        LossKind::Dropped => "dropped",
        LossKind::Clamped => "clamped",
        LossKind::Approximated => "approximated",
    }
}
