//! May this request be served now? Limits and the queue stand here.

use crate::config::Config;
use crate::fault::Fault;
use crate::identify::Caller;

/// What a request asks for, as far as limits care.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The model as the client named it; none for operations without one.
    pub model: Option<&'a str>,
    /// The limit of output tokens that the request sets.
    pub output_limit: Option<u64>,
    /// Length of the request's body in bytes.
    pub body_len: usize,
}

/// Leave to go on, held until the exchange has ended.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    _private: (),
}

impl Permit {
    /// Leave that no limit has to give: for requests that are the gateway's own.
    pub fn free() -> Self {
        Self { _private: () }
    }
}

/// Asks for leave. There are no limits yet: it is always given.
pub fn admit(_config: &Config, _caller: &Caller, _demand: &Demand<'_>) -> Result<Permit, Fault> {
    Ok(Permit::free())
}
