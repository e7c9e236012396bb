//! Which way a request goes to a target: as it is, or translated. One decision for those who send and for those who explain.

use crate::accept::Acceptance;
use crate::dialect::reading::{Excluded, Reading};
use weir_types::contract::about::Operation;

/// The way that a request goes.
#[derive(Debug, Clone, Copy)]
pub enum Lane<'a> {
    /// The provider takes it as it is.
    Relay(&'a Acceptance),
    /// It is translated.
    Translate(Cause<'a>),
}

/// Why a request is translated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause<'a> {
    /// The operator wants it so.
    Wanted,
    /// Only a stream that is understood can be gone on with.
    Resumable,
    /// Values that others issued are taken out.
    Stripped,
    /// The provider does not take the format as it is.
    Foreign,
    /// It takes the format, but not with this in it.
    Excluded(Excluded<'a>),
}

/// What decides besides the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// Whether even what could be relayed is translated.
    pub translate: bool,
    /// Whether a stream that breaks is gone on with elsewhere.
    pub resume: bool,
    /// Whether values that others issued are to be taken out.
    pub strip: bool,
}

impl<'a> Lane<'a> {
    /// Decides. `accepted` is how the provider takes the request's format, if it does.
    pub fn of(
        reading: &'a Reading,
        operation: &Operation,
        accepted: Option<&'a Acceptance>,
        Wishes { translate, resume, strip }: Wishes,
    ) -> Self {
        let cause = if translate {
            Cause::Wanted
        } else if strip {
            Cause::Stripped
        } else if resume && reading.stream && *operation == Operation::Chat {
            Cause::Resumable
        } else if let Some(acceptance) = accepted {
            match reading.excluded(acceptance) {
                None => return Self::Relay(acceptance),
                Some(excluded) => Cause::Excluded(excluded),
            }
        } else {
            Cause::Foreign
        };
        Self::Translate(cause)
    }

    /// As headers and logs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relay(_) => "relay",
            Self::Translate(_) => "translate",
        }
    }
}

impl Cause<'_> {
    /// For people.
    pub fn told(self, provider: &str, format: &str) -> String {
        match self {
            Self::Wanted => "it was asked for".to_owned(),
            Self::Resumable => {
                "a stream that is gone on with elsewhere, should it break, is always translated".to_owned()
            }
            Self::Stripped => "values that others issued are taken out".to_owned(),
            Self::Foreign => format!("{provider} does not take {format} as it is"),
            Self::Excluded(excluded) => excluded.to_string(),
        }
    }
}
