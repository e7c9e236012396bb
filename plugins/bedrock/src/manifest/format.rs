//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{Bucket, ErrorFormat, Format, FrameTemplate, FrameTest, Merge, Tap, UsagePlace, strings};
use weir_sdk::types::{ErrorKind, Header};

use crate::{FORMAT, INVOKE};

const ERROR: &str = r#"{"message":{{message}}}"#;
/// The exceptions that may end a stream.
const EXCEPTIONS: [&str; 6] = [
    "internalServerException",
    "modelStreamErrorException",
    "modelTimeoutException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
];

/// The format's name of an error kind, and its status.
pub(crate) const fn spelling(kind: ErrorKind) -> (&'static str, u16) {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            ("ValidationException", 400)
        }
        ErrorKind::Quota => ("ServiceQuotaExceededException", 400),
        ErrorKind::Authentication => ("UnrecognizedClientException", 403),
        ErrorKind::Permission => ("AccessDeniedException", 403),
        ErrorKind::NotFound => ("ResourceNotFoundException", 404),
        ErrorKind::Timeout => ("ModelTimeoutException", 408),
        ErrorKind::TooLarge => ("ValidationException", 413),
        ErrorKind::Upstream => ("InternalServerException", 502),
        ErrorKind::RateLimited => ("ThrottlingException", 429),
        ErrorKind::Internal => ("InternalServerException", 500),
        ErrorKind::Overloaded => ("ServiceUnavailableException", 503),
    }
}

pub(super) fn all() -> Vec<Format> {
    vec![
        Format { errors: Some(errors()), tap: Some(converse()), ..Format::new(FORMAT) },
        Format { errors: Some(errors()), tap: Some(invoke()), ..Format::new(INVOKE) },
    ]
}

fn errors() -> ErrorFormat {
    ErrorFormat {
        headers: vec![Header::new("x-amzn-errortype", "{{kind}}")],
        stream_failure: Some(FrameTemplate { event: Some("internalServerException".into()), data: ERROR.into() }),
        request_id_header: Some("x-amzn-requestid".into()),
        ..ErrorFormat::new(ERROR, spelling)
    }
}

/// The tap of Converse: usage and tier are at the same places in whole answers and in a stream's last event.
fn converse() -> Tap {
    let place = |bucket: Bucket, member: &str| usage(bucket, &[&format!("/usage/{member}")]);
    Tap {
        usage: vec![
            place(Bucket::Input, "inputTokens"),
            place(Bucket::CacheRead, "cacheReadInputTokens"),
            UsagePlace { includes: vec![Bucket::CacheWriteHour], ..place(Bucket::CacheWrite, "cacheWriteInputTokens") },
            place(Bucket::CacheWriteHour, "cacheDetails/*/inputTokens").beside("ttl", "1h"),
            place(Bucket::Output, "outputTokens"),
        ],
        finish: strings(["/stopReason"]),
        model: Vec::new(),
        service_tier: strings(["/serviceTier/type"]),
        content: vec![
            FrameTest::Event("contentBlockDelta".into()),
            FrameTest::Present("/delta/text".into()),
            FrameTest::Present("/delta/toolUse/input".into()),
            FrameTest::Present("/delta/reasoningContent/text".into()),
            FrameTest::Present("/start/toolUse".into()),
        ],
        end: vec![FrameTest::Event("metadata".into())],
        failure: exceptions(),
        ..Tap::default()
    }
}

/// The tap of `InvokeModel`, whose bodies differ for each vendor: Claude's, Nova's and Titan's have usage in whole
/// answers. In a stream they are base64 within its events, and are not searched.
fn invoke() -> Tap {
    Tap {
        usage: vec![
            usage(Bucket::Input, &["/usage/input_tokens", "/usage/inputTokens", "/inputTextTokenCount"]),
            usage(Bucket::CacheRead, &["/usage/cache_read_input_tokens", "/usage/cacheReadInputTokenCount"]),
            usage(Bucket::CacheWrite, &["/usage/cache_creation_input_tokens", "/usage/cacheWriteInputTokenCount"]),
            usage(Bucket::Output, &["/usage/output_tokens", "/usage/outputTokens"]),
        ],
        finish: strings(["/stop_reason", "/stopReason"]),
        model: strings(["/model"]),
        content: vec![FrameTest::Event("chunk".into())],
        end: Vec::new(),
        failure: exceptions(),
        ..Tap::default()
    }
}

fn usage(bucket: Bucket, pointers: &[&str]) -> UsagePlace {
    let pointers = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    UsagePlace { bucket, pointers, merge: Merge::Max, includes: Vec::new(), beside: None }
}

fn exceptions() -> Vec<FrameTest> {
    EXCEPTIONS.iter().map(|name| FrameTest::Event((*name).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_is_spelled_with_a_name_of_the_service() {
        for kind in ErrorKind::ALL {
            let (name, status) = spelling(kind);
            assert!(name.ends_with("Exception") && (400..600).contains(&status), "{kind:?}");
        }
        assert_eq!(errors().headers[0], Header::new("x-amzn-errortype", "{{kind}}"));
    }
}
