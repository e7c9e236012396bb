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

/// The member of a stream's last event with the service's own counts.
const METRICS: &str = "/amazon-bedrock-invocationMetrics";
/// Where the vendors' answers have counts, whole or in events: Claude, Nova, Titan, Llama, and those that write as
/// OpenAI does.
const INPUT: [&str; 7] = [
    "/usage/input_tokens",
    "/message/usage/input_tokens",
    "/usage/inputTokens",
    "/metadata/usage/inputTokens",
    "/inputTextTokenCount",
    "/prompt_token_count",
    "/usage/prompt_tokens",
];
const CACHE_READ: [&str; 4] = [
    "/usage/cache_read_input_tokens",
    "/message/usage/cache_read_input_tokens",
    "/usage/cacheReadInputTokenCount",
    "/metadata/usage/cacheReadInputTokenCount",
];
const CACHE_WRITE: [&str; 4] = [
    "/usage/cache_creation_input_tokens",
    "/message/usage/cache_creation_input_tokens",
    "/usage/cacheWriteInputTokenCount",
    "/metadata/usage/cacheWriteInputTokenCount",
];
const OUTPUT: [&str; 8] = [
    "/usage/output_tokens",
    "/message/usage/output_tokens",
    "/usage/outputTokens",
    "/metadata/usage/outputTokens",
    "/results/*/tokenCount",
    "/totalOutputTextTokenCount",
    "/generation_token_count",
    "/usage/completion_tokens",
];
/// Where the vendors' events have what the model says.
const TEXTS: [&str; 13] = [
    "/delta/text",
    "/delta/thinking",
    "/delta/partial_json",
    "/contentBlockDelta/delta/text",
    "/contentBlockDelta/delta/toolUse/input",
    "/contentBlockDelta/delta/reasoningContent/reasoningText/text",
    "/choices/*/delta/content",
    "/choices/*/delta/tool_calls",
    "/outputs/*/text",
    "/outputText",
    "/generation",
    "/completion",
    "/generations/*/text",
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

/// The tap of `InvokeModel`, whose bodies differ for each vendor. The service counts tokens for all of them: in headers
/// of whole answers, and in a stream's last event. The vendors' own figures tell more: Claude's which input is cached
/// for an hour. Of figures that differ, the greatest counts.
fn invoke() -> Tap {
    let counted = |bucket, header: &str, metric: &str, members: &[&str]| {
        let metric = format!("{METRICS}/{metric}");
        let pointers: Vec<&str> = [metric.as_str()].into_iter().chain(members.iter().copied()).collect();
        let header = format!("x-amzn-bedrock-{header}-token-count");
        UsagePlace { headers: vec![header], ..usage(bucket, &pointers) }
    };
    // What Claude's summaries used, which its other counts leave out. Source: the user guide of Bedrock, on compaction.
    let compacted = |bucket, member: &str| UsagePlace {
        merge: Merge::Sum,
        ..usage(bucket, &[&format!("/usage/iterations/*/{member}")]).beside("type", "compaction")
    };
    let cached =
        ["/usage/cache_creation/ephemeral_1h_input_tokens", "/message/usage/cache_creation/ephemeral_1h_input_tokens"];
    Tap {
        usage: vec![
            counted(Bucket::Input, "input", "inputTokenCount", &INPUT),
            counted(Bucket::CacheRead, "cache-read-input", "cacheReadInputTokenCount", &CACHE_READ),
            UsagePlace {
                includes: vec![Bucket::CacheWriteHour],
                ..counted(Bucket::CacheWrite, "cache-write-input", "cacheWriteInputTokenCount", &CACHE_WRITE)
            },
            usage(Bucket::CacheWriteHour, &cached),
            counted(Bucket::Output, "output", "outputTokenCount", &OUTPUT),
            compacted(Bucket::Input, "input_tokens"),
            compacted(Bucket::CacheRead, "cache_read_input_tokens"),
            compacted(Bucket::CacheWrite, "cache_creation_input_tokens"),
            compacted(Bucket::Output, "output_tokens"),
        ],
        finish: strings([
            "/stop_reason",
            "/delta/stop_reason",
            "/stopReason",
            "/messageStop/stopReason",
            "/completionReason",
            "/choices/*/finish_reason",
            "/generations/*/finish_reason",
        ]),
        model: strings(["/model", "/message/model"]),
        service_tier_headers: strings(["x-amzn-bedrock-service-tier"]),
        content: vec![FrameTest::Event("chunk".into())].into_iter().chain(TEXTS.map(FrameTest::present)).collect(),
        end: vec![FrameTest::present(METRICS)],
        failure: exceptions(),
        wrapped: Some("/bytes".into()),
        ..Tap::default()
    }
}

fn usage(bucket: Bucket, pointers: &[&str]) -> UsagePlace {
    let pointers = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    UsagePlace { merge: Merge::Max, ..UsagePlace::new(bucket, pointers) }
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
