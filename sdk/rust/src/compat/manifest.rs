//! The manifest of a compatible provider, made of its quirks.

use crate::compat::quirks::{Quirks, has_member};
use crate::compat::{completions, embeddings, models, responses, wire};
use crate::manifest::{
    Acceptance, Bucket, Capabilities, Exclusion, Format, FrameTest, Isolation, Manifest, Merge, Operation,
    PointerEquals, Suggestions, Tap, UsagePlace, UsageRequest,
};
use crate::types::Header;

/// The manifest. Whoever has faces, or more operations, adds them to it.
pub fn describe(quirks: &Quirks) -> Manifest {
    let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Manifest {
        name: quirks.name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        contract: "0.1.0".to_owned(),
        description: quirks.description.to_owned(),
        family: "openai".to_owned(),
        settings: quirks.settings.to_owned(),
        isolation: Isolation::Fresh,
        takes_blobs: true,
        suggests: Suggestions {
            url: quirks.url.map(str::to_owned),
            key_variables: strings(quirks.key_variables),
            models: strings(quirks.models),
            origins: Vec::new(),
        },
        formats: formats(quirks),
        faces: Vec::new(),
        accepts: accepts(quirks),
        auth: quirks.auth.iter().map(|scheme| scheme.auth()).collect(),
        capabilities: capabilities(quirks),
    }
}

fn formats(quirks: &Quirks) -> Vec<Format> {
    let format = |id: &str, tap: Option<Tap>| Format { id: id.to_owned(), errors: None, tap };
    let mut formats = vec![format(wire::FORMAT, Some(chat_tap()))];
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
    formats
}

fn capabilities(quirks: &Quirks) -> Capabilities {
    let mut operations = vec![Operation::Chat];
    let optional = [(quirks.paths.embeddings, Operation::Embeddings), (quirks.paths.models, Operation::Models)];
    operations.extend(optional.into_iter().filter(|(path, _)| !path.is_empty()).map(|(_, operation)| operation));
    let takes = quirks.media;
    let media = [("image", takes.images), ("audio", takes.audio), ("video", takes.video), ("document", takes.files)];
    Capabilities {
        operations,
        media: media.iter().filter(|(_, taken)| *taken).map(|(name, _)| (*name).to_owned()).collect(),
        tools: true,
        counts_tokens: false,
    }
}

/// What the provider takes as it is.
fn accepts(quirks: &Quirks) -> Vec<Acceptance> {
    let mut accepts = vec![Acceptance {
        exclusions: exclusions(quirks),
        ask_usage: quirks.stream_usage.then(ask_usage),
        preferred: true,
        ..acceptance(wire::FORMAT, Operation::Chat, "POST", quirks.paths.chat)
    }];
    if !quirks.paths.completions.is_empty() {
        accepts.push(Acceptance {
            ask_usage: quirks.stream_usage.then(ask_usage),
            ..acceptance(completions::FORMAT, Operation::Chat, "POST", quirks.paths.completions)
        });
    }
    if !quirks.paths.responses.is_empty() {
        accepts.push(acceptance(responses::FORMAT, Operation::Chat, "POST", quirks.paths.responses));
    }
    if !quirks.paths.embeddings.is_empty() {
        accepts.push(acceptance(embeddings::FORMAT, Operation::Embeddings, "POST", quirks.paths.embeddings));
    }
    if !quirks.paths.models.is_empty() {
        accepts.push(acceptance(models::FORMAT, Operation::Models, "GET", quirks.paths.models));
        let one = format!("{}/{{model}}", quirks.paths.models);
        accepts.push(acceptance(models::FORMAT, Operation::Models, "GET", &one));
    }
    for acceptance in &mut accepts {
        acceptance.set_headers = option_headers(quirks);
    }
    accepts
}

/// Headers that hold what an option says.
pub fn option_headers(quirks: &Quirks) -> Vec<Header> {
    let header = |(name, option): &(&str, &str)| Header::new(*name, format!("{{option.{option}}}"));
    quirks.option_headers.iter().map(header).collect()
}

/// An acceptance with OpenAI's headers and nothing else.
pub fn acceptance(format: &str, operation: Operation, method: &str, path: &str) -> Acceptance {
    let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Acceptance {
        format: format.to_owned(),
        operation,
        method: method.to_owned(),
        path: path.to_owned(),
        stream_path: None,
        query: Vec::new(),
        query_forwarded: Vec::new(),
        request_headers: strings(&["openai-beta", "idempotency-key", "x-client-request-id"]),
        set_headers: Vec::new(),
        response_headers: strings(&RESPONSE_HEADERS),
        exclusions: Vec::new(),
        ask_usage: None,
        preferred: false,
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

/// Requests that cannot go through as they are: the same data by which they are translated.
fn exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let exclusion = |member: &str, reason: &str| Exclusion { test: has_member(member), reason: reason.to_owned() };
    let mut exclusions: Vec<Exclusion> = quirks.drops.iter().map(|drop| exclusion(drop.member, drop.reason)).collect();
    exclusions.extend(quirks.renames.iter().map(|rename| exclusion(rename.from, "it has another name here")));
    exclusions.extend(quirks.clamps.iter().map(|clamp| exclusion(clamp.member, "its range is narrower here")));
    if quirks.max_tokens == "max_tokens" {
        exclusions.push(exclusion("max_completion_tokens", "it is called max_tokens here"));
    }
    if quirks.seed != "seed" {
        exclusions.push(exclusion("seed", "it has another name here"));
    }
    let equals = |pointer: &str, json: &str, reason: &str| Exclusion {
        test: FrameTest::Equals(PointerEquals { pointer: pointer.to_owned(), json: json.to_owned() }),
        reason: reason.to_owned(),
    };
    if !quirks.developer_role {
        exclusions.push(equals("/messages/*/role", "\"developer\"", "the role is not known here"));
    }
    if quirks.tool_required != "required" {
        exclusions.push(equals("/tool_choice", "\"required\"", "it has another word here"));
    }
    if !quirks.json_schema {
        exclusions.push(equals("/response_format/type", "\"json_schema\"", "schemas are not taken"));
    }
    if !quirks.allowed_tools {
        exclusions.push(equals("/tool_choice/type", "\"allowed_tools\"", "the list of tools is narrowed instead"));
    }
    exclusions
}

/// How answers are read while their bytes go through untouched.
pub fn chat_tap() -> Tap {
    let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
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
            place(Bucket::Input, "/usage/prompt_tokens", &[Bucket::CacheRead, Bucket::CacheWrite]),
            place(Bucket::CacheRead, "/usage/prompt_tokens_details/cached_tokens", &[]),
            place(Bucket::CacheWrite, "/usage/prompt_tokens_details/cache_write_tokens", &[]),
            place(Bucket::Output, "/usage/completion_tokens", &[Bucket::Reasoning]),
            place(Bucket::Reasoning, "/usage/completion_tokens_details/reasoning_tokens", &[]),
        ],
        finish: strings(&["/choices/*/finish_reason"]),
        model: strings(&["/model"]),
        content: content.iter().map(|pointer| FrameTest::Present((*pointer).to_owned())).collect(),
        end: vec![FrameTest::Data("[DONE]".to_owned())],
        failure: vec![FrameTest::Present("/error".to_owned())],
    }
}

/// The same for legacy completions.
pub fn completions_tap() -> Tap {
    Tap { content: vec![FrameTest::Present("/choices/*/text".to_owned())], ..chat_tap() }
}

/// The same for Responses: whole answers, and the events that hold one.
pub fn responses_tap() -> Tap {
    let both = |bucket, pointer: &str, includes: &[Bucket]| UsagePlace {
        pointers: vec![format!("/usage/{pointer}"), format!("/response/usage/{pointer}")],
        ..place(bucket, "", includes)
    };
    let of_type = |kinds: &[&str]| -> Vec<FrameTest> {
        let test = |kind: &&str| PointerEquals { pointer: "/type".to_owned(), json: format!("\"{kind}\"") };
        kinds.iter().map(|kind| FrameTest::Equals(test(kind))).collect()
    };
    let mut failure = of_type(&["response.failed", "error"]);
    failure.push(FrameTest::Present("/error".to_owned()));
    Tap {
        usage: vec![
            both(Bucket::Input, "input_tokens", &[Bucket::CacheRead, Bucket::CacheWrite]),
            both(Bucket::CacheRead, "input_tokens_details/cached_tokens", &[]),
            both(Bucket::CacheWrite, "input_tokens_details/cache_write_tokens", &[]),
            both(Bucket::Output, "output_tokens", &[Bucket::Reasoning]),
            both(Bucket::Reasoning, "output_tokens_details/reasoning_tokens", &[]),
        ],
        finish: vec!["/status".to_owned(), "/response/status".to_owned()],
        model: vec!["/model".to_owned(), "/response/model".to_owned()],
        content: of_type(&[
            "response.output_text.delta",
            "response.refusal.delta",
            "response.reasoning_summary_text.delta",
            "response.reasoning_text.delta",
            "response.function_call_arguments.delta",
            "response.custom_tool_call_input.delta",
            "response.output_item.added",
        ]),
        end: of_type(&["response.completed", "response.incomplete"]),
        failure,
    }
}

/// The same for embeddings.
pub fn embeddings_tap() -> Tap {
    Tap {
        usage: vec![place(Bucket::Input, "/usage/prompt_tokens", &[])],
        finish: Vec::new(),
        model: vec!["/model".to_owned()],
        content: Vec::new(),
        end: Vec::new(),
        failure: vec![FrameTest::Present("/error".to_owned())],
    }
}

/// The place of a bucket's figure; later figures replace earlier ones.
pub fn place(bucket: Bucket, pointer: &str, includes: &[Bucket]) -> UsagePlace {
    UsagePlace { bucket, pointers: vec![pointer.to_owned()], merge: Merge::Last, includes: includes.to_vec() }
}
