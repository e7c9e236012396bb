//! How the host reads the answers of compatible providers while their bytes go through untouched.

use crate::compat::quirks::Quirks;
use crate::manifest::{Bucket, FrameTest, Merge, Tap, UnitPlace, UsagePlace, strings};
use crate::types::Unit;

/// How the relay lane reads the provider's answers: the format's tap with the provider's deviations.
pub(super) fn tap_of(quirks: &Quirks) -> Tap {
    let mut tap = chat_tap();
    for place in &mut tap.usage {
        place.includes.retain(|bucket| !quirks.apart.contains(bucket));
        let others: &[&str] = match place.bucket {
            Bucket::CacheRead => {
                &["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens", SINGULAR]
            }
            Bucket::CacheWrite => &["cache_creation_input_tokens"],
            Bucket::Reasoning => &["reasoning_tokens"],
            _ => &[],
        };
        place.pointers.extend(others.iter().map(|name| format!("/usage/{name}")));
        let aside = (!quirks.usage_in.is_empty()).then(|| format!("/{}", quirks.usage_in));
        let places = aside.as_deref().into_iter().chain([IN_CHOICE]);
        let others: Vec<String> =
            places.flat_map(|at| place.pointers.iter().map(move |pointer| format!("{at}{pointer}"))).collect();
        place.pointers.extend(others);
    }
    if !quirks.priced_by.is_empty() {
        tap.service_tier = vec![format!("/usage/{}", quirks.priced_by)];
    }
    tap
}

/// Where some servers send the usage of a stream: in the choice of its last chunk.
const IN_CHOICE: &str = "/choices/*";

/// Cached tokens under Mistral's second spelling of the input's details.
const SINGULAR: &str = "prompt_token_details/cached_tokens";

/// The buckets that the sums of input and output include.
const INPUT_PARTS: [Bucket; 4] = [Bucket::CacheRead, Bucket::CacheWrite, Bucket::InputAudio, Bucket::InputImage];
const OUTPUT_PARTS: [Bucket; 3] = [Bucket::Reasoning, Bucket::OutputAudio, Bucket::OutputImage];

/// How answers are read while their bytes go through untouched.
pub fn chat_tap() -> Tap {
    let content = [
        "/choices/*/delta/content",
        "/choices/*/delta/tool_calls",
        "/choices/*/delta/reasoning_content",
        "/choices/*/delta/reasoning",
        "/choices/*/delta/refusal",
        "/choices/*/message",
    ];
    Tap {
        usage: vec![
            place(Bucket::Input, "/usage/prompt_tokens", &INPUT_PARTS),
            place(Bucket::InputAudio, "/usage/prompt_tokens_details/audio_tokens", &[]),
            place(Bucket::InputImage, "/usage/prompt_tokens_details/image_tokens", &[]),
            place(Bucket::CacheRead, "/usage/prompt_tokens_details/cached_tokens", &[]),
            place(Bucket::CacheWrite, "/usage/prompt_tokens_details/cache_write_tokens", &[]),
            place(Bucket::Output, "/usage/completion_tokens", &OUTPUT_PARTS),
            place(Bucket::OutputAudio, "/usage/completion_tokens_details/audio_tokens", &[]),
            place(Bucket::OutputImage, "/usage/completion_tokens_details/image_tokens", &[]),
            place(Bucket::Reasoning, "/usage/completion_tokens_details/reasoning_tokens", &[]),
        ],
        units: vec![UnitPlace::number(Unit::Search, "/usage/num_search_queries")],
        service_tier: strings(["/service_tier"]),
        finish: strings(["/choices/*/finish_reason"]),
        model: strings(["/model"]),
        content: content.map(FrameTest::present).into(),
        end: vec![FrameTest::Data("[DONE]".to_owned())],
        failure: vec![FrameTest::present("/error"), FrameTest::equals("/object", "error")],
        ..Tap::default()
    }
}

/// How the relay lane reads legacy completions.
pub fn completions_tap() -> Tap {
    Tap { content: vec![FrameTest::present("/choices/*/text")], ..chat_tap() }
}

/// How the relay lane reads Responses: whole answers, and events that contain one.
pub fn responses_tap() -> Tap {
    let both = |bucket, pointer: &str, includes: &[Bucket]| UsagePlace {
        pointers: vec![format!("/usage/{pointer}"), format!("/response/usage/{pointer}")],
        ..place(bucket, "", includes)
    };
    let of_type =
        |kinds: &[&str]| -> Vec<FrameTest> { kinds.iter().map(|kind| FrameTest::equals("/type", kind)).collect() };
    let mut failure = of_type(&["response.failed", "error"]);
    let states = |at: &'static str| ["queued", "in_progress"].map(|word| FrameTest::equals(at, word));
    failure.push(FrameTest::present("/error"));
    Tap {
        usage: vec![
            both(Bucket::Input, "input_tokens", &[Bucket::CacheRead, Bucket::CacheWrite]),
            both(Bucket::CacheRead, "input_tokens_details/cached_tokens", &[]),
            both(Bucket::CacheWrite, "input_tokens_details/cache_write_tokens", &[]),
            both(Bucket::Output, "output_tokens", &[Bucket::Reasoning]),
            both(Bucket::Reasoning, "output_tokens_details/reasoning_tokens", &[]),
        ],
        units: ["", "/response"].into_iter().flat_map(response_units).collect(),
        under_way: ["/status", "/response/status"].into_iter().flat_map(states).collect(),
        service_tier: strings(["/service_tier", "/response/service_tier"]),
        finish: vec!["/status".to_owned(), "/response/status".to_owned()],
        model: vec!["/model".to_owned(), "/response/model".to_owned()],
        content: content_of(of_type(&[
            "response.output_text.delta",
            "response.refusal.delta",
            "response.reasoning_summary_text.delta",
            "response.reasoning_text.delta",
            "response.function_call_arguments.delta",
            "response.custom_tool_call_input.delta",
            "response.output_item.added",
        ])),
        end: of_type(&["response.completed", "response.incomplete"]),
        failure,
        ..Tap::default()
    }
}

/// How the relay lane reads a provider's Responses: with the searches that the provider runs itself, which are known by
/// their names here.
pub(super) fn responses_tap_of(quirks: &Quirks) -> Tap {
    let mut tap = responses_tap();
    for name in quirks.own_searches {
        let test = |at| FrameTest::equals(format!("{at}/output/*/name"), name);
        tap.units.extend(["", "/response"].map(|at| UnitPlace::matches(Unit::Search, test(at))));
    }
    tap
}

/// The items of an answer that are billed by the piece. Of web searches those are whose action is a search.
fn response_units(at: &str) -> [UnitPlace; 4] {
    let items = |unit, kind| UnitPlace::matches(unit, FrameTest::equals(format!("{at}/output/*/type"), kind));
    [
        UnitPlace::matches(Unit::Search, FrameTest::equals(format!("{at}/output/*/action/type"), "search")),
        items(Unit::FileSearch, "file_search_call"),
        items(Unit::ToolRun, "code_interpreter_call"),
        items(Unit::Image, "image_generation_call"),
    ]
}

/// The tests of events, with the places of their content.
fn content_of(mut tests: Vec<FrameTest>) -> Vec<FrameTest> {
    tests.push(FrameTest::present("/delta"));
    tests
}

/// How the relay lane reads embeddings; some servers only count the total.
pub fn embeddings_tap() -> Tap {
    let input = UsagePlace {
        pointers: vec!["/usage/prompt_tokens".to_owned(), "/usage/total_tokens".to_owned()],
        ..place(Bucket::Input, "", &[])
    };
    Tap {
        usage: vec![input],
        finish: Vec::new(),
        model: vec!["/model".to_owned()],
        content: Vec::new(),
        end: Vec::new(),
        failure: vec![FrameTest::present("/error")],
        ..Tap::default()
    }
}

/// How the relay lane reads reranking, whose answers have the same members.
pub fn rerank_tap() -> Tap {
    embeddings_tap()
}

/// The place of a bucket's count. Of several counts the largest holds: those of a stream are totals, and what was told
/// as used is not taken back by a later, smaller one.
pub fn place(bucket: Bucket, pointer: &str, includes: &[Bucket]) -> UsagePlace {
    let place = UsagePlace::new(bucket, vec![pointer.to_owned()]);
    UsagePlace { merge: Merge::Max, includes: includes.to_vec(), ..place }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(quirks: &Quirks, bucket: Bucket) -> Vec<String> {
        let mut usage = tap_of(quirks).usage.into_iter();
        usage.find(|place| place.bucket == bucket).map(|place| place.pointers).unwrap_or_default()
    }

    #[test]
    fn a_count_that_falls_does_not_replace_the_larger_one() {
        let taps = [tap_of(&Quirks::COMPATIBLE), completions_tap(), responses_tap(), embeddings_tap()];
        assert!(taps.iter().flat_map(|tap| &tap.usage).all(|place| place.merge == Merge::Max));
    }

    #[test]
    fn usage_is_read_wherever_a_server_sends_it() {
        let aside = Quirks { usage_in: "x_groq", ..Quirks::COMPATIBLE };
        let input = ["", "/x_groq", "/choices/*"].map(|at| format!("{at}/usage/prompt_tokens"));
        assert_eq!(pointers(&aside, Bucket::Input), input);
        let thinking = pointers(&Quirks::COMPATIBLE, Bucket::Reasoning);
        let beside = ["/usage/reasoning_tokens", "/choices/*/usage/reasoning_tokens"];
        assert!(beside.iter().all(|at| thinking.iter().any(|pointer| pointer == at)), "{thinking:?}");
    }
}
