//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{Bucket, ErrorFormat, Format, FrameTest, Merge, Tap, UnitPlace, UsagePlace, strings};
use weir_sdk::types::{ErrorKind, Unit};

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

/// The tap. Counts grow from frame to frame, and the last one is final. The prompt's count includes cached tokens;
/// tokens from the service's own tools have a separate count.
fn tap() -> Tap {
    let place = |bucket: Bucket, member: &str, includes: Vec<Bucket>| UsagePlace {
        bucket,
        pointers: vec![format!("/usageMetadata/{member}")],
        merge: Merge::Last,
        includes,
        beside: None,
    };
    let modality = |bucket, details: &str, name: &str| {
        place(bucket, &format!("{details}/*/tokenCount"), Vec::new()).beside("modality", name)
    };
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    Tap {
        usage: vec![
            place(Bucket::Input, "promptTokenCount", vec![Bucket::CacheRead, Bucket::InputAudio, Bucket::InputImage]),
            modality(Bucket::InputAudio, "promptTokensDetails", "AUDIO"),
            modality(Bucket::InputImage, "promptTokensDetails", "IMAGE"),
            modality(Bucket::InputImage, "promptTokensDetails", "VIDEO"),
            place(Bucket::Input, "toolUsePromptTokenCount", Vec::new()),
            place(Bucket::CacheRead, "cachedContentTokenCount", Vec::new()),
            place(Bucket::Output, "candidatesTokenCount", vec![Bucket::OutputAudio, Bucket::OutputImage]),
            modality(Bucket::OutputAudio, "candidatesTokensDetails", "AUDIO"),
            modality(Bucket::OutputImage, "candidatesTokensDetails", "IMAGE"),
            place(Bucket::Reasoning, "thoughtsTokenCount", Vec::new()),
        ],
        finish: strings(["/candidates/*/finishReason", "/promptFeedback/blockReason"]),
        model: strings(["/modelVersion"]),
        content: vec![present("/candidates/*/content/parts")],
        end: vec![present("/candidates/*/finishReason"), present("/promptFeedback/blockReason")],
        failure: vec![present("/error")],
        units: vec![UnitPlace::matches(Unit::Search, present("/candidates/*/groundingMetadata/webSearchQueries/*"))],
        service_tier: strings(["/usageMetadata/serviceTier"]),
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
