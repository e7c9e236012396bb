//! Builds the manifest of a compatible provider from its quirks.

use crate::compat::quirks::{Clamp, Effort, Paths, Quirks, Thinking, Vectors};
use crate::compat::{completions, embeddings, models, rerank, responses, wire};
use crate::manifest::{
    Acceptance, Bucket, Capabilities, Exclusion, FixedQuery, Format, FrameTest, Manifest, Merge, Operation,
    PointerEquals, Suggestions, Tap, UnitPlace, UsagePlace, UsageRequest, strings,
};
use crate::types::{Header, Unit};

/// The manifest. Adapters with faces or more operations add them to it.
pub fn describe(quirks: &Quirks) -> Manifest {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Manifest {
        family: "openai".to_owned(),
        settings: quirks.settings.to_owned(),
        suggests: Suggestions {
            url: quirks.url.map(str::to_owned),
            key_variables: owned(quirks.key_variables),
            models: owned(quirks.models),
            origins: Vec::new(),
        },
        formats: formats(quirks),
        accepts: accepts(quirks),
        auth: quirks.auth.iter().map(|scheme| scheme.auth()).collect(),
        capabilities: capabilities(quirks),
        ..Manifest::new(quirks.name, env!("CARGO_PKG_VERSION"), quirks.description)
    }
}

fn formats(quirks: &Quirks) -> Vec<Format> {
    let format = |id: &str, tap: Option<Tap>| Format { tap, ..Format::new(id) };
    let mut formats = vec![format(wire::FORMAT, Some(tap_of(quirks)))];
    if !quirks.paths.completions.is_empty() {
        formats.push(format(completions::FORMAT, Some(completions_tap())));
    }
    if !quirks.paths.responses.is_empty() {
        formats.push(format(responses::FORMAT, Some(responses_tap())));
    }
    if !quirks.paths.embeddings.is_empty() {
        formats.push(format(embeddings::FORMAT, Some(embeddings_tap())));
    }
    if !quirks.paths.models.is_empty() {
        formats.push(format(models::FORMAT, None));
    }
    if !quirks.paths.rerank.is_empty() {
        formats.push(format(rerank::FORMAT, Some(rerank_tap())));
    }
    formats
}

fn capabilities(quirks: &Quirks) -> Capabilities {
    let mut operations = vec![Operation::Chat];
    let paths = quirks.paths;
    let optional = [
        (paths.embeddings, Operation::Embeddings),
        (paths.models, Operation::Models),
        (paths.rerank, Operation::Rerank),
    ];
    operations.extend(optional.into_iter().filter(|(path, _)| !path.is_empty()).map(|(_, operation)| operation));
    let takes = quirks.media;
    let media = [("image", takes.images), ("audio", takes.audio), ("video", takes.video), ("document", takes.files)];
    Capabilities {
        operations,
        media: media.iter().filter(|(_, taken)| *taken).map(|(name, _)| (*name).to_owned()).collect(),
        tools: quirks.tools,
        counts_tokens: false,
    }
}

/// The formats that the provider takes unchanged: first the paths that depend on an option, then the usual ones.
fn accepts(quirks: &Quirks) -> Vec<Acceptance> {
    let mut accepts = Vec::new();
    for variant in quirks.variants {
        let at = accepts.len();
        accepts.extend(accepts_at(quirks, variant.paths));
        for acceptance in accepts.iter_mut().skip(at).filter(|_| !variant.query.is_empty()) {
            let value = format!("{{option.{}}}", variant.option);
            acceptance.query.push(FixedQuery { name: variant.query.to_owned(), value, stream: None });
        }
    }
    accepts.extend(accepts_at(quirks, quirks.paths));
    accepts
}

fn accepts_at(quirks: &Quirks, paths: Paths) -> Vec<Acceptance> {
    let mut accepts = vec![Acceptance {
        exclusions: exclusions(quirks),
        ask_usage: (quirks.stream_usage && !quirks.tells_usage).then(ask_usage),
        preferred: true,
        ..acceptance(wire::FORMAT, Operation::Chat, "POST", paths.chat)
    }];
    if !paths.completions.is_empty() {
        accepts.push(Acceptance {
            ask_usage: (quirks.stream_usage && !quirks.tells_usage).then(ask_usage),
            ..acceptance(completions::FORMAT, Operation::Chat, "POST", paths.completions)
        });
    }
    if !paths.responses.is_empty() {
        accepts.push(acceptance(responses::FORMAT, Operation::Chat, "POST", paths.responses));
    }
    if !paths.embeddings.is_empty() && quirks.vectors == Vectors::Floats {
        accepts.push(Acceptance {
            exclusions: embedding_exclusions(quirks),
            ..acceptance(embeddings::FORMAT, Operation::Embeddings, "POST", paths.embeddings)
        });
    }
    if !paths.rerank.is_empty() {
        accepts.push(acceptance(rerank::FORMAT, Operation::Rerank, "POST", paths.rerank));
    }
    if !paths.models.is_empty() {
        accepts.push(acceptance(models::FORMAT, Operation::Models, "GET", paths.models));
        let one = format!("{}/{{model}}", paths.models);
        accepts.push(acceptance(models::FORMAT, Operation::Models, "GET", &one));
    }
    for acceptance in &mut accepts {
        acceptance.set_headers = option_headers(quirks);
    }
    accepts
}

/// Headers whose values come from options.
pub fn option_headers(quirks: &Quirks) -> Vec<Header> {
    let header = |(name, option): &(&str, &str)| Header::new(*name, format!("{{option.{option}}}"));
    quirks.option_headers.iter().map(header).collect()
}

/// An acceptance with OpenAI's headers and nothing else.
pub fn acceptance(format: &str, operation: Operation, method: &str, path: &str) -> Acceptance {
    Acceptance {
        request_headers: strings(["openai-beta", "idempotency-key", "x-client-request-id"]),
        response_headers: strings(RESPONSE_HEADERS),
        ..Acceptance::new(format, operation, method, path)
    }
}

const RESPONSE_HEADERS: [&str; 8] = [
    "x-request-id",
    "request-id",
    "openai-*",
    "x-ratelimit-*",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "content-language",
];

/// `stream_options.include_usage`, and the chunk that comes only because of it (C-57).
pub fn ask_usage() -> UsageRequest {
    UsageRequest {
        pointer: "/stream_options/include_usage".to_owned(),
        json: "true".to_owned(),
        withheld: FrameTest::Equals(PointerEquals { pointer: "/choices".to_owned(), json: "[]".to_owned() }),
    }
}

fn exclusion(member: &str, reason: &str) -> Exclusion {
    Exclusion { test: FrameTest::Present(format!("/{member}")), reason: reason.to_owned() }
}

/// Exclusions for embeddings, from the members that they share with chat.
fn embedding_exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let differs = |member: &&&str| quirks.spelling(member) != Ok(**member);
    let members = ["dimensions", "encoding_format", "user"];
    members
        .iter()
        .filter(differs)
        .map(|member| exclusion(member, "it is not taken, or has another name here"))
        .collect()
}

/// Requests that must be translated. They come from the same data as the translation.
fn exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let mut exclusions: Vec<Exclusion> = quirks.drops.iter().map(|drop| exclusion(drop.member, drop.reason)).collect();
    exclusions.extend(quirks.renames.iter().map(|rename| exclusion(rename.from, "it has another name here")));
    exclusions.extend(quirks.clamps.iter().flat_map(beyond));
    if quirks.max_tokens == "max_tokens" {
        exclusions.push(exclusion("max_completion_tokens", "it is called max_tokens here"));
    }
    if quirks.seed != "seed" {
        exclusions.push(exclusion("seed", "it has another name here"));
    }
    let equals = |pointer: &str, word: &str, reason: &str| Exclusion {
        test: FrameTest::equals(pointer, word),
        reason: reason.to_owned(),
    };
    if !quirks.developer_role {
        exclusions.push(equals("/messages/*/role", "developer", "the role is not known here"));
    }
    if quirks.tool_required != "required" {
        exclusions.push(equals("/tool_choice", "required", "it has another word here"));
    }
    if !quirks.json_schema {
        exclusions.push(equals("/response_format/type", "json_schema", "schemas are not taken"));
    }
    exclusions.extend(more_exclusions(quirks));
    exclusions.extend(quirks.message_members.into_iter().flat_map(refused_members));
    if !quirks.allowed_tools {
        exclusions.push(equals("/tool_choice/type", "allowed_tools", "the list of tools is narrowed instead"));
    }
    exclusions
}

/// Members that only some providers take in messages, their parts and their calls.
const MESSAGE_MEMBERS: [&str; 10] = [
    "refusal",
    "audio",
    "function_call",
    "annotations",
    "cache_control",
    "extra_content",
    "content/*/refusal",
    "content/*/cache_control",
    "content/*/prompt_cache_breakpoint",
    "tool_calls/*/extra_content",
];

/// Those that a provider refuses. An empty value, which libraries write for what they do not use, forces no translation.
fn refused_members(taken: &[&str]) -> Vec<Exclusion> {
    let refused = MESSAGE_MEMBERS.iter().filter(|member| !taken.contains(member));
    refused.map(|member| exclusion(&format!("messages/*/{member}"), "messages have no such member here")).collect()
}

/// Values beyond what is taken.
fn beyond(clamp: &Clamp) -> [Exclusion; 2] {
    let pointer = format!("/{}", clamp.member);
    let reason = format!("this provider takes {} to {}", clamp.min, clamp.max);
    [FrameTest::below(&pointer, clamp.min), FrameTest::above(&pointer, clamp.max)]
        .map(|test| Exclusion::new(test, &reason))
}

/// Those of what is rare: levels of effort, names, ids, and how thinking stands in the history.
fn more_exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let here = |there: bool, member: &str, reason: &str| there.then(|| exclusion(member, reason));
    let thinking = quirks.thinking;
    // A provider without a place for thinking may still accept it: the bytes pass through.
    let other = |spellings: &[Thinking]| thinking != Thinking::None && !spellings.contains(&thinking);
    let history = "thinking in the history has another place here";
    let several = [
        here(quirks.max_stop < 4, &format!("stop/{}", quirks.max_stop), "fewer stop sequences are taken"),
        here(!quirks.speaker_names, "messages/*/name", "speakers have no names here"),
        here(!quirks.tools, "tools", "there are no tools here"),
        here(quirks.tool_ids.exact, "messages/*/tool_call_id", "ids of calls have another shape here"),
        here(quirks.logprobs_number, "top_logprobs", "it has another place here"),
        here(quirks.effort == Effort::None, "reasoning_effort", "thinking cannot be steered here"),
        here(other(&[Thinking::Content]), "messages/*/reasoning_content", history),
        here(other(&[Thinking::Reasoning, Thinking::Details]), "messages/*/reasoning", history),
        here(other(&[Thinking::Details]), "messages/*/reasoning_details", history),
    ];
    let flags = ["true", "false"].into_iter().filter(|_| quirks.logprobs_number).map(|json| Exclusion {
        test: FrameTest::Equals(PointerEquals { pointer: "/logprobs".to_owned(), json: json.to_owned() }),
        reason: "it is a number here".to_owned(),
    });
    let levels = ["none", "minimal", "low", "medium", "high", "xhigh"];
    let unknown = levels.iter().filter(|level| !quirks.efforts.contains(level)).map(|level| Exclusion {
        test: FrameTest::equals("/reasoning_effort", level),
        reason: "this level is not known here".to_owned(),
    });
    several.into_iter().flatten().chain(flags).chain(unknown).collect()
}

/// How the relay lane reads the provider's answers: the format's tap with the provider's deviations.
fn tap_of(quirks: &Quirks) -> Tap {
    let mut tap = chat_tap();
    for place in &mut tap.usage {
        place.includes.retain(|bucket| !quirks.apart.contains(bucket));
        let others: &[&str] = match place.bucket {
            Bucket::CacheRead => {
                &["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens", SINGULAR]
            }
            Bucket::CacheWrite => &["cache_creation_input_tokens"],
            _ => &[],
        };
        place.pointers.extend(others.iter().map(|name| format!("/usage/{name}")));
        if !quirks.usage_in.is_empty() {
            let aside = |pointer: &String| format!("/{}{pointer}", quirks.usage_in);
            let aside: Vec<String> = place.pointers.iter().map(aside).collect();
            place.pointers.extend(aside);
        }
    }
    if !quirks.priced_by.is_empty() {
        tap.service_tier = vec![format!("/usage/{}", quirks.priced_by)];
    }
    tap
}

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

/// These tests, and where their events hold what is said.
fn content_of(mut tests: Vec<FrameTest>) -> Vec<FrameTest> {
    tests.push(FrameTest::present("/delta"));
    tests
}

/// How the relay lane reads embeddings; some servers only count the total.
pub fn embeddings_tap() -> Tap {
    let input = UsagePlace {
        pointers: vec!["/usage/prompt_tokens".to_owned(), "/usage/total_tokens".to_owned()],
        merge: Merge::Max,
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

/// The place of a bucket's count; later counts replace earlier ones.
pub fn place(bucket: Bucket, pointer: &str, includes: &[Bucket]) -> UsagePlace {
    UsagePlace { includes: includes.to_vec(), ..UsagePlace::new(bucket, vec![pointer.to_owned()]) }
}
