//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{Bucket, ErrorFormat, Format, FrameTest, PointerEquals, Tap, UsagePlace, strings};
use weir_sdk::types::ErrorKind;

use crate::{CHAT, EMBED, EMBEDDINGS, GENERATE, MODELS};

/// An error is only a message, with a status.
const ERROR: &str = r#"{"error":{{message}}}"#;

/// The status of an error kind.
const fn status(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            400
        }
        ErrorKind::Authentication => 401,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::TooLarge => 413,
        ErrorKind::RateLimited | ErrorKind::Quota => 429,
        ErrorKind::Internal => 500,
        ErrorKind::Upstream => 502,
        ErrorKind::Overloaded => 503,
        ErrorKind::Timeout => 504,
    }
}

pub(super) fn all() -> Vec<Format> {
    let answers = [CHAT, GENERATE].map(|id| (id, tap()));
    let others = [EMBED, EMBEDDINGS, MODELS].map(|id| (id, embeddings_tap()));
    answers
        .into_iter()
        .chain(others)
        .map(|(id, tap)| Format { errors: Some(errors()), tap: Some(tap), ..Format::new(id) })
        .collect()
}

fn errors() -> ErrorFormat {
    // No keep-alive: an empty line would be one more piece of the answer.
    ErrorFormat::new(ERROR, |kind| ("", status(kind)))
}

/// The tap: counts are in the last line, or in the whole answer.
fn tap() -> Tap {
    let place = |bucket: Bucket, pointer: &str| UsagePlace::new(bucket, strings([pointer]));
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    Tap {
        usage: vec![place(Bucket::Input, "/prompt_eval_count"), place(Bucket::Output, "/eval_count")],
        finish: strings(["/done_reason"]),
        model: strings(["/model"]),
        content: vec![
            present("/message/content"),
            present("/message/thinking"),
            present("/message/tool_calls"),
            present("/message/images"),
            present("/response"),
            present("/thinking"),
        ],
        end: vec![FrameTest::Equals(PointerEquals { pointer: "/done".into(), json: "true".into() })],
        failure: vec![present("/error")],
        ..Tap::default()
    }
}

/// The tap of answers without content of their own: the digits of vectors, and what is said of models, are no output to
/// be weighed. `/api/embeddings` tells no count.
fn embeddings_tap() -> Tap {
    Tap {
        usage: vec![UsagePlace::new(Bucket::Input, strings(["/prompt_eval_count"]))],
        model: strings(["/model"]),
        failure: vec![FrameTest::present("/error")],
        ..Tap::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_with_words_are_weighed() {
        for format in all() {
            let tap = format.tap.unwrap();
            let has_words = [CHAT, GENERATE].contains(&format.id.as_str());
            assert_eq!(!tap.content.is_empty(), has_words, "{}", format.id);
            assert!(tap.usage.iter().any(|place| place.bucket == Bucket::Input), "{}", format.id);
        }
    }

    #[test]
    fn every_kind_of_error_has_a_status() {
        for spelling in errors().spellings {
            assert!((400..600).contains(&spelling.status), "{:?}", spelling.kind);
        }
    }
}
