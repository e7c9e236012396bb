//! The format's data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::manifest::{
    Bucket, ErrorFormat, Format, FrameTemplate, FrameTest, Merge, PointerEquals, PointerValues, Tap, UnitPlace,
    UnitSource, UsagePlace, strings,
};
use weir_sdk::types::{ErrorKind, Header, Unit};

use crate::FORMAT;
use crate::compaction::{ITERATIONS, KIND};
use crate::usage::{NO_REGION, REGION};

const ERROR: &str = r#"{"type":"error","error":{"type":{{kind}},"message":{{message}}},"request_id":{{request_id}}}"#;

/// The format's name of an error kind, and its status.
pub(crate) const fn spelling(kind: ErrorKind) -> (&'static str, u16) {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            ("invalid_request_error", 400)
        }
        ErrorKind::Authentication => ("authentication_error", 401),
        ErrorKind::Quota => ("billing_error", 402),
        ErrorKind::Permission => ("permission_error", 403),
        ErrorKind::NotFound => ("not_found_error", 404),
        ErrorKind::TooLarge => ("request_too_large", 413),
        ErrorKind::RateLimited => ("rate_limit_error", 429),
        ErrorKind::Internal => ("api_error", 500),
        ErrorKind::Upstream => ("api_error", 502),
        ErrorKind::Timeout => ("timeout_error", 504),
        ErrorKind::Overloaded => ("overloaded_error", 529),
    }
}

pub(super) fn messages() -> Format {
    Format { errors: Some(errors()), tap: Some(tap()), ..Format::new(FORMAT) }
}

pub(super) fn errors() -> ErrorFormat {
    let limit = |(what, placeholder): (&str, &str)| {
        Header::new(format!("anthropic-ratelimit-{{{{scope}}}}-{what}"), format!("{{{{{placeholder}}}}}"))
    };
    ErrorFormat {
        stream_failure: Some(FrameTemplate { event: Some("error".into()), data: ERROR.into() }),
        keep_alive: Some(FrameTemplate { event: Some("ping".into()), data: r#"{"type":"ping"}"#.into() }),
        request_id_header: Some("request-id".into()),
        rate_limit_headers: [("limit", "limit"), ("remaining", "remaining"), ("reset", "reset-at")].map(limit).into(),
        ..ErrorFormat::new(ERROR, spelling)
    }
}

/// The tap. A stream has usage at the beginning and, cumulative, at the end; a whole answer has it once. The figures
/// never decrease, so the greatest one is the last; but the input may begin as an estimate, or with the cached part in
/// it.
fn tap() -> Tap {
    Tap {
        finish: strings(["/stop_reason", "/delta/stop_reason"]),
        // Where another model goes on with a stream, a block names it.
        model: strings(["/message/model", "/model", "/content_block/to/model"]),
        content: vec![
            FrameTest::Event("content_block_delta".into()),
            kind("content_block_delta"),
            FrameTest::Present("/delta/text".into()),
            FrameTest::Present("/delta/thinking".into()),
            FrameTest::Present("/delta/partial_json".into()),
            FrameTest::Present("/content_block".into()),
        ],
        end: vec![FrameTest::Event("message_stop".into()), kind("message_stop")],
        failure: vec![FrameTest::Event("error".into()), kind("error")],
        batch: both("service_tier").iter().map(|at| FrameTest::equals(at, "batch")).collect(),
        // Fast answers have a price of their own, whatever the tier.
        service_tier: ["/usage/speed", "/message/usage/speed", "/usage/service_tier", "/message/usage/service_tier"]
            .map(str::to_owned)
            .into(),
        ..usage(&both)
    }
}

/// The places of usage, where a member of it stands at these pointers. The last one is that in a whole answer.
pub(super) fn usage(at: &dyn Fn(&str) -> Vec<String>) -> Tap {
    let place = |bucket: Bucket, member: &str, includes: Vec<Bucket>| UsagePlace {
        merge: Merge::Max,
        includes,
        ..UsagePlace::new(bucket, at(member))
    };
    // What the provider's summaries used, which its other counts leave out.
    let compacted = |bucket: Bucket, member: &str| UsagePlace {
        merge: Merge::Sum,
        beside: Some(PointerEquals { pointer: "/type".into(), json: text(KIND) }),
        ..UsagePlace::new(bucket, at(&format!("{ITERATIONS}/*/{member}")).pop().into_iter().collect())
    };
    let units = |unit, member: &str| UnitPlace { unit, source: UnitSource::Number(at(member)), merge: Merge::Max };
    Tap {
        usage: vec![
            UsagePlace { merge: Merge::Last, ..place(Bucket::Input, "input_tokens", Vec::new()) },
            place(Bucket::CacheRead, "cache_read_input_tokens", Vec::new()),
            place(Bucket::CacheWrite, "cache_creation_input_tokens", vec![Bucket::CacheWriteHour]),
            place(Bucket::CacheWriteHour, "cache_creation/ephemeral_1h_input_tokens", Vec::new()),
            place(Bucket::Output, "output_tokens", vec![Bucket::Reasoning]),
            place(Bucket::Reasoning, "output_tokens_details/thinking_tokens", Vec::new()),
            compacted(Bucket::Input, "input_tokens"),
            compacted(Bucket::CacheRead, "cache_read_input_tokens"),
            compacted(Bucket::CacheWrite, "cache_creation_input_tokens"),
            compacted(Bucket::Output, "output_tokens"),
        ],
        units: vec![
            units(Unit::Search, "server_tool_use/web_search_requests"),
            units(Unit::ToolRun, "server_tool_use/web_fetch_requests"),
        ],
        region: at(REGION).into_iter().map(|pointer| PointerValues { pointer, json: vec![text(NO_REGION)] }).collect(),
        ..Tap::default()
    }
}

/// A plain word as JSON.
fn text(word: &str) -> String {
    format!("\"{word}\"")
}

/// Where a member of the usage stands: in the head of a stream, and in a whole answer or at a stream's end.
fn both(member: &str) -> Vec<String> {
    ["/message/usage/", "/usage/"].map(|at| format!("{at}{member}")).into()
}

/// Frames whose data says what they are; some servers name no events.
pub(super) fn kind(name: &str) -> FrameTest {
    FrameTest::Equals(PointerEquals { pointer: "/type".into(), json: text(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_is_spelled_with_a_name_of_the_format() {
        let names = [
            "invalid_request_error",
            "authentication_error",
            "billing_error",
            "permission_error",
            "not_found_error",
            "request_too_large",
            "rate_limit_error",
            "timeout_error",
            "api_error",
            "overloaded_error",
        ];
        for kind in ErrorKind::ALL {
            let (name, status) = spelling(kind);
            assert!(names.contains(&name) && (400..600).contains(&status), "{kind:?}");
        }
    }

    #[test]
    fn limits_are_reported_in_the_formats_headers() {
        let limits = errors().rate_limit_headers;
        assert_eq!(limits[0], Header::new("anthropic-ratelimit-{{scope}}-limit", "{{limit}}"));
    }
}
