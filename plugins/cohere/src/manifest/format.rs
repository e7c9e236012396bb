//! The formats' data for the host: errors as templates, and the places of usage in answers.

use weir_sdk::compat::rerank::FORMAT as SHARED_RERANK;
use weir_sdk::manifest::{
    Bucket, ErrorFormat, Format, FrameTemplate, FrameTest, Merge, PointerEquals, Tap, UnitPlace, UnitSource,
    UsagePlace, strings,
};
use weir_sdk::types::{ErrorKind, Unit};

use super::relayed;
use crate::{FORMAT, embeddings, rerank};

const ERROR: &str = r#"{"id":{{request_id}},"message":{{message}}}"#;
const FAILURE: &str = r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":{{message}}}}"#;

pub(super) fn all() -> Vec<Format> {
    let format = |id: &str, tap: Tap| Format { errors: Some(errors()), tap: Some(tap), ..Format::new(id) };
    vec![
        format(FORMAT, chat_tap()),
        format(embeddings::FORMAT, embeddings_tap()),
        format(embeddings::OLD, embeddings_tap()),
        format(rerank::FORMAT, meta_tap(&[""])),
        format(SHARED_RERANK, shared_tap()),
        relayed::format(),
    ]
}

/// The status of an error kind; errors have no names.
const fn status(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::Unsupported => 400,
        ErrorKind::Authentication => 401,
        ErrorKind::Quota => 402,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::TooLarge => 413,
        ErrorKind::RateLimited => 429,
        ErrorKind::ContentFiltered => 498,
        ErrorKind::Internal => 500,
        ErrorKind::Upstream => 502,
        ErrorKind::Overloaded => 503,
        ErrorKind::Timeout => 504,
    }
}

pub(super) fn errors() -> ErrorFormat {
    ErrorFormat {
        stream_failure: Some(FrameTemplate { event: Some("message-end".into()), data: FAILURE.into() }),
        request_id_header: Some("x-debug-trace-id".into()),
        ..ErrorFormat::new(ERROR, |kind| ("", status(kind)))
    }
}

/// The tap of chat. Usage is in `usage` of a whole answer and in the `delta` of a stream's last frame. Billed tokens
/// never exceed the used ones, so the greater figure is the right one, even if only one of them is present.
fn chat_tap() -> Tap {
    let place = |bucket, members: &[&str], includes: Vec<Bucket>| {
        let pointers = members.iter().flat_map(|at| [format!("/usage/{at}"), format!("/delta/usage/{at}")]);
        UsagePlace { merge: Merge::Max, includes, ..UsagePlace::new(bucket, pointers.collect()) }
    };
    Tap {
        usage: vec![
            place(Bucket::Input, &["tokens/input_tokens", "billed_units/input_tokens"], vec![Bucket::CacheRead]),
            place(Bucket::CacheRead, &["cached_tokens"], Vec::new()),
            place(Bucket::Output, &["tokens/output_tokens", "billed_units/output_tokens"], vec![Bucket::Reasoning]),
            place(Bucket::Reasoning, &["tokens/reasoning_tokens"], Vec::new()),
        ],
        finish: strings(["/finish_reason", "/delta/finish_reason"]),
        model: Vec::new(),
        content: ["content-delta", "tool-plan-delta", "tool-call-start"]
            .map(kind)
            .into_iter()
            .chain(["content/text", "content/thinking", "tool_plan", "tool_calls"].map(content))
            .collect(),
        units: billed(&["/usage", "/delta/usage"]),
        end: vec![kind("message-end")],
        failure: ["ERROR", "TIMEOUT"].map(|word| equals("/delta/finish_reason", word)).into(),
        ..Tap::default()
    }
}

fn content(member: &str) -> FrameTest {
    FrameTest::Present(format!("/delta/message/{member}"))
}

/// The tap of embeddings. Of them the billed tokens are the usage, and no units beside it: images have tokens of their
/// own there (`image_tokens` of `ApiMetaBilledUnits`), at a price of their own, and older models bill them by the
/// piece.
fn embeddings_tap() -> Tap {
    let place = |bucket, member: &str| UsagePlace::new(bucket, vec![format!("/meta/billed_units/{member}")]);
    Tap {
        usage: vec![place(Bucket::Input, "input_tokens"), place(Bucket::InputImage, "image_tokens")],
        units: vec![UnitPlace::number(Unit::Image, "/meta/billed_units/images")],
        ..Tap::default()
    }
}

/// The tap of all other answers: they have billed tokens, and sometimes used ones, in the `meta` of these objects.
pub(super) fn meta_tap(places: &[&str]) -> Tap {
    let place = |bucket, member: &str| {
        let pointers = |at: &&str| ["tokens", "billed_units"].map(|kind| format!("{at}/meta/{kind}/{member}"));
        UsagePlace { merge: Merge::Max, ..UsagePlace::new(bucket, places.iter().flat_map(pointers).collect()) }
    };
    Tap {
        usage: vec![place(Bucket::Input, "input_tokens"), place(Bucket::Output, "output_tokens")],
        units: billed(&places.iter().map(|at| format!("{at}/meta")).collect::<Vec<_>>()),
        ..Tap::default()
    }
}

/// The places of what is billed: in the member `billed_units` of what stands at these pointers.
fn billed<S: std::fmt::Display>(places: &[S]) -> Vec<UnitPlace> {
    let unit = |unit, member: &str| {
        let pointers = places.iter().map(|at| format!("{at}/billed_units/{member}")).collect();
        UnitPlace { unit, source: UnitSource::Number(pointers), merge: Merge::Max }
    };
    vec![
        unit(Unit::BilledInput, "input_tokens"),
        unit(Unit::BilledOutput, "output_tokens"),
        unit(Unit::Search, "search_units"),
    ]
}

/// The tap of the shape that other servers share: their usage, or Cohere's.
fn shared_tap() -> Tap {
    let mut tap = meta_tap(&[""]);
    tap.usage.truncate(1);
    for place in &mut tap.usage {
        place.pointers.extend(strings(["/usage/prompt_tokens", "/usage/total_tokens"]));
    }
    Tap { model: strings(["/model"]), ..tap }
}

fn kind(name: &str) -> FrameTest {
    equals("/type", name)
}

pub(super) fn equals(pointer: &str, word: &str) -> FrameTest {
    FrameTest::Equals(PointerEquals { pointer: pointer.into(), json: format!("\"{word}\"") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_billed_apart_from_the_usage_of_vectors() {
        // Tokens of images have a price as a bucket only, and no bucket has one where tokens are billed apart.
        for id in [embeddings::FORMAT, embeddings::OLD] {
            let tap = all().into_iter().find(|format| format.id == id).and_then(|format| format.tap).unwrap();
            assert_eq!(tap.units.iter().map(|place| place.unit).collect::<Vec<_>>(), [Unit::Image], "{id}");
            let buckets: Vec<Bucket> = tap.usage.iter().map(|place| place.bucket).collect();
            assert_eq!(buckets, [Bucket::Input, Bucket::InputImage], "{id}");
        }
    }

    #[test]
    fn every_kind_of_error_has_a_status() {
        assert!(ErrorKind::ALL.into_iter().all(|kind| (400..600).contains(&status(kind))));
    }
}
