//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{Bucket, ErrorFormat, Format, FrameTest, Merge, Tap, UnitPlace, strings};
use weir_sdk::types::{ErrorKind, Unit};

use super::usage;
use crate::usage::PROMPT_DETAILS;
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

const OUTPUT: [Bucket; 4] = [Bucket::Output, Bucket::OutputAudio, Bucket::OutputImage, Bucket::Reasoning];

pub(super) fn all() -> Vec<Format> {
    [(FORMAT, tap()), (EMBED, embeddings_tap()), (BATCH_EMBED, embeddings_tap())]
        .into_iter()
        .map(|(id, tap)| Format { errors: Some(errors()), tap: Some(tap), ..Format::new(id) })
        .collect()
}

pub(super) fn errors() -> ErrorFormat {
    ErrorFormat::new(ERROR, spelling)
}

/// The tap. Counts grow from frame to frame, and the last one is final. Of output the largest holds, should a later one
/// be smaller; prompts are not counted to their end at first, and may be a few tokens fewer then.
fn tap() -> Tap {
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    let mut usage = usage::places("candidates", Merge::Last);
    for place in usage.iter_mut().filter(|place| OUTPUT.contains(&place.bucket)) {
        place.merge = Merge::Max;
    }
    Tap {
        usage,
        finish: strings(["/candidates/*/finishReason", "/promptFeedback/blockReason"]),
        model: strings(["/modelVersion"]),
        content: vec![present("/candidates/*/content/parts")],
        end: ["/candidates/*/finishReason", "/promptFeedback/blockReason", "/promptFeedback/blockReasonMessage"]
            .map(present)
            .into(),
        failure: vec![present("/error")],
        units: vec![UnitPlace::matches(Unit::Search, present("/candidates/*/groundingMetadata/webSearchQueries/*"))],
        service_tier: strings(["/usageMetadata/serviceTier", "/usageMetadata/trafficType"]),
        ..Tap::default()
    }
}

/// The tap of embeddings. An answer that is all vectors has no content to weigh: their digits are no output.
fn embeddings_tap() -> Tap {
    let mut usage = usage::places("candidates", Merge::Last);
    usage.retain(|place| matches!(place.bucket, Bucket::Input | Bucket::InputAudio | Bucket::InputImage));
    let [usual, other] = PROMPT_DETAILS;
    for place in &mut usage {
        place.includes.retain(|bucket| *bucket != Bucket::CacheRead);
        let others: Vec<String> =
            place.pointers.iter().filter(|at| at.contains(usual)).map(|at| at.replace(usual, other)).collect();
        place.pointers.extend(others);
    }
    Tap { usage, finish: Vec::new(), content: Vec::new(), end: Vec::new(), units: Vec::new(), ..tap() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_not_weighed_as_content() {
        for format in all() {
            let tap = format.tap.unwrap();
            let is_chat = format.id == FORMAT;
            assert_eq!(!tap.content.is_empty(), is_chat, "{}", format.id);
            assert_eq!(tap.usage.iter().any(|place| place.bucket == Bucket::Output), is_chat, "{}", format.id);
            assert!(tap.usage.iter().any(|place| place.bucket == Bucket::Input), "{}", format.id);
        }
    }

    #[test]
    fn images_and_sound_of_vectors_are_told_apart_under_either_name() {
        let usage = embeddings_tap().usage;
        let parts: Vec<_> = usage.iter().filter(|place| place.beside.is_some()).collect();
        assert!(parts.iter().any(|place| place.bucket == Bucket::InputImage));
        for place in parts {
            let expected = PROMPT_DETAILS.map(|name| format!("/usageMetadata/{name}/*/tokenCount"));
            assert_eq!(place.pointers, expected);
        }
    }

    #[test]
    fn output_that_was_told_is_not_taken_back() {
        for place in tap().usage {
            let expected = if OUTPUT.contains(&place.bucket) { Merge::Max } else { Merge::Last };
            assert_eq!(place.merge, expected, "{:?}", place.pointers);
        }
    }

    #[test]
    fn every_kind_of_error_is_spelled_with_a_name_of_the_format() {
        for kind in ErrorKind::ALL {
            let (name, status) = spelling(kind);
            assert!(name.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'), "{kind:?}");
            assert!((400..600).contains(&status), "{kind:?}");
        }
    }
}
