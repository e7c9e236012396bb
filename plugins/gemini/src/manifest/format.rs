//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{ErrorFormat, Format, FrameTest, Merge, Tap, UnitPlace, strings};
use weir_sdk::types::{ErrorKind, Unit};

use super::usage;
use crate::{BATCH_EMBED, EMBED, FORMAT};

const ERROR: &str = r#"{"error":{"code":{{status}},"message":{{message}},"status":{{kind}}}}"#;

/// The format's name of an error kind, and its status.
pub(crate) const fn spelling(kind: ErrorKind) -> (&'static str, u16) {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            ("INVALID_ARGUMENT", 400)
        }
        ErrorKind::Authentication => ("UNAUTHENTICATED", 401),
        ErrorKind::Permission => ("PERMISSION_DENIED", 403),
        ErrorKind::NotFound => ("NOT_FOUND", 404),
        ErrorKind::TooLarge => ("INVALID_ARGUMENT", 413),
        ErrorKind::RateLimited | ErrorKind::Quota => ("RESOURCE_EXHAUSTED", 429),
        ErrorKind::Internal => ("INTERNAL", 500),
        ErrorKind::Upstream => ("INTERNAL", 502),
        ErrorKind::Overloaded => ("UNAVAILABLE", 503),
        ErrorKind::Timeout => ("DEADLINE_EXCEEDED", 504),
    }
}

pub(super) fn all() -> Vec<Format> {
    [FORMAT, EMBED, BATCH_EMBED]
        .into_iter()
        .map(|id| Format { errors: Some(errors()), tap: Some(tap()), ..Format::new(id) })
        .collect()
}

pub(super) fn errors() -> ErrorFormat {
    ErrorFormat::new(ERROR, spelling)
}

/// The tap. Counts grow from frame to frame, and the last one is final.
fn tap() -> Tap {
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    Tap {
        usage: usage::places("candidates", Merge::Last),
        finish: strings(["/candidates/*/finishReason", "/promptFeedback/blockReason"]),
        model: strings(["/modelVersion"]),
        content: vec![present("/candidates/*/content/parts")],
        end: vec![present("/candidates/*/finishReason"), present("/promptFeedback/blockReason")],
        failure: vec![present("/error")],
        units: vec![UnitPlace::matches(Unit::Search, present("/candidates/*/groundingMetadata/webSearchQueries/*"))],
        service_tier: strings(["/usageMetadata/serviceTier", "/usageMetadata/trafficType"]),
        ..Tap::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_is_spelled_with_a_name_of_the_format() {
        for kind in ErrorKind::ALL {
            let (name, status) = spelling(kind);
            assert!(name.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'), "{kind:?}");
            assert!((400..600).contains(&status), "{kind:?}");
        }
    }
}
