//! The choice of the lane, relay or translate. The gateway and the dry run share it.

use crate::accept::Acceptance;
use crate::dialect::exclusion::Excluded;
use crate::dialect::request_peek::RequestPeek;
use weir_types::contract::about::Operation;

/// The lane of a request.
#[derive(Debug, Clone, Copy)]
pub enum Lane<'a> {
    /// The provider accepts the request unchanged.
    Relay(&'a Acceptance),
    /// The request is translated.
    Translate(Cause<'a>),
}

/// Why a request is translated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause<'a> {
    /// The operator configured it.
    Wanted,
    /// Streams shall be resumable, which requires translation.
    Resumable,
    /// The opaque values of other issuers must be removed.
    Stripped,
    /// The provider does not accept the request's format.
    Foreign,
    /// Only the path names the model, and the provider looks for it in the body.
    Unnamed,
    /// It takes the format, but not with this in it.
    Excluded(Excluded<'a>),
}

/// The settings that decide besides the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct LaneSettings {
    /// Whether requests are translated even if they could be relayed.
    pub translate: bool,
    /// Whether another target may continue a stream that breaks.
    pub resume: bool,
    /// Whether the opaque values of other issuers must be removed.
    pub strip: bool,
}

impl<'a> Lane<'a> {
    /// Chooses the lane. `accepted` is the provider's acceptance of the request's format, if there is one.
    pub fn of(
        peek: &'a RequestPeek,
        operation: &Operation,
        accepted: Option<&'a Acceptance>,
        LaneSettings { translate, resume, strip }: LaneSettings,
    ) -> Self {
        let cause = if translate {
            Cause::Wanted
        } else if strip {
            Cause::Stripped
        } else if resume && peek.stream && *operation == Operation::Chat {
            Cause::Resumable
        } else if let Some(acceptance) = accepted {
            if peek.leaves_model_to_path() && !acceptance.names_model() {
                return Self::Translate(Cause::Unnamed);
            }
            match peek.excluded(acceptance) {
                None => return Self::Relay(acceptance),
                Some(excluded) => Cause::Excluded(excluded),
            }
        } else {
            Cause::Foreign
        };
        Self::Translate(cause)
    }

    /// The lane's name in headers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relay(_) => "relay",
            Self::Translate(_) => "translate",
        }
    }
}

impl Cause<'_> {
    /// The reason in words.
    pub fn text(self, provider: &str, format: &str) -> String {
        match self {
            Self::Wanted => "it was asked for".to_owned(),
            Self::Resumable => "`resume` is on for this model, so its streams are always translated".to_owned(),
            Self::Stripped => "values that others issued are taken out".to_owned(),
            Self::Foreign => format!("{provider} does not take {format} as it is"),
            Self::Unnamed => format!("only the path names the model, and {provider} looks for it in the body"),
            Self::Excluded(excluded) => excluded.to_string(),
        }
    }
}
