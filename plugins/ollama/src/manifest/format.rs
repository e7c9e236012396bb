//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{
    Bucket, ErrorFormat, ErrorSpelling, Format, FrameTemplate, FrameTest, Merge, PointerEquals, Tap, UsagePlace,
    strings,
};
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
    [CHAT, GENERATE, EMBED, EMBEDDINGS, MODELS]
        .into_iter()
        .map(|id| Format { id: id.into(), errors: Some(errors()), tap: Some(tap()), session: None })
        .collect()
}

fn errors() -> ErrorFormat {
    let spelled = |kind: ErrorKind| ErrorSpelling { kind, name: String::new(), code: None, status: status(kind) };
    ErrorFormat {
        body: ERROR.into(),
        spellings: ErrorKind::ALL.into_iter().map(spelled).collect(),
        headers: Vec::new(),
        stream_failure: Some(FrameTemplate { event: None, data: ERROR.into() }),
        // An empty line would be one more piece of the answer.
        keep_alive: None,
        request_id_header: None,
        rate_limit_headers: Vec::new(),
    }
}

/// The tap: counts are in the last line, or in the whole answer.
fn tap() -> Tap {
    let place = |bucket: Bucket, pointer: &str| UsagePlace {
        bucket,
        pointers: strings([pointer]),
        merge: Merge::Last,
        includes: Vec::new(),
        beside: None,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_a_status() {
        for spelling in errors().spellings {
            assert!((400..600).contains(&spelling.status), "{:?}", spelling.kind);
        }
        assert_eq!(errors().spellings.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn the_template_is_json_once_its_hole_is_filled() {
        let filled = ERROR.replace("{{message}}", "\"x\"");
        assert!(serde_json::from_str::<serde_json::Value>(&filled).is_ok());
    }
}
