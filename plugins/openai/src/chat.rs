//! `openai.chat`, the dialect's side.

pub(crate) mod encoder;
pub(crate) mod request;
pub(crate) mod response;

use std::borrow::Cow;

use weir_sdk::compat::reasoning;
use weir_sdk::compat::response::SOURCE;
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::json::{self, Object};
use weir_sdk::types::{Citation, Context, Error, Extension, FinishReason, ReasoningPart};

use crate::manifest;

/// The facts about a request that its answer needs, as a memo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memo {
    /// `stream_options.include_usage` (C-58).
    pub(crate) usage: bool,
    /// Whether the client declared `functions`, so that it expects `function_call`.
    pub(crate) legacy: bool,
}

impl Memo {
    pub(crate) fn read(memo: &str) -> Self {
        // The names of tools follow, as a list.
        let facts = memo.split('[').next().unwrap_or_default();
        Self { usage: facts.contains('u'), legacy: facts.contains('f') }
    }

    pub(crate) fn write(self) -> String {
        let mut memo = String::new();
        memo.extend(self.usage.then_some('u'));
        memo.extend(self.legacy.then_some('f'));
        memo
    }
}

/// The id of an answer: the provider's, or one made from the request's id.
pub(crate) fn answer_id<'a>(ctx: &Context, id: &'a str) -> Cow<'a, str> {
    if id.is_empty() { Cow::Owned(format!("chatcmpl-{}", ctx.request_id)) } else { Cow::Borrowed(id) }
}

/// The model as the client named it, else as the answer names it.
pub(crate) fn answer_model<'a>(ctx: &'a Context, model: Option<&'a str>) -> &'a str {
    if ctx.model.is_empty() { model.unwrap_or_default() } else { &ctx.model }
}

/// The word for a finish reason, and whether it has the same meaning (C-15).
pub(crate) fn finish_word(reason: FinishReason, called: bool, legacy: bool) -> (&'static str, bool) {
    let calls = if legacy { "function_call" } else { "tool_calls" };
    match reason {
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::Other | FinishReason::Paused if called => {
            (calls, true)
        }
        FinishReason::Complete | FinishReason::StopSequence => ("stop", true),
        FinishReason::Length | FinishReason::ContextLength => ("length", true),
        FinishReason::ToolCalls => (calls, true),
        FinishReason::ContentFilter | FinishReason::Refusal => ("content_filter", true),
        // Neither word is right; "length" at least does not look complete.
        FinishReason::Failed => ("length", false),
        FinishReason::Paused | FinishReason::MalformedToolCall | FinishReason::Other => ("stop", false),
    }
}

/// Writes the format's own members among the extensions.
pub(crate) fn write_extensions(o: &mut Object<'_>, extensions: &[Extension], skipped: &[&str]) {
    let ours = extensions.iter().filter(|e| e.format == FORMAT && e.json != "null");
    ours.filter(|e| !skipped.contains(&e.key.as_str())).for_each(|e| o.raw(&e.key, &e.json));
}

/// Whether a citation is also in a member of this format's answer, so that it needs no annotation.
pub(crate) fn is_member(citation: &Citation) -> bool {
    citation.source.as_ref().is_some_and(|source| source.format == FORMAT && source.kind == SOURCE)
}

/// A citation as an entry of `annotations`; `None` if the format has no place for it. Its text begins at `base` and has
/// `length` characters so far.
pub(crate) fn annotation(citation: &Citation, base: u32, length: u32) -> Option<String> {
    if let Some(source) = citation.source.as_ref().filter(|source| source.format == FORMAT) {
        return Some(source.json.clone());
    }
    let url = citation.url.as_deref()?;
    let (start, end) = citation.range(length);
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.str("type", "url_citation");
        o.object("url_citation", |o| {
            o.num("start_index", base.saturating_add(start));
            o.num("end_index", base.saturating_add(end));
            o.str("title", citation.title.as_deref().unwrap_or_default());
            o.str("url", url);
        });
    });
    Some(out)
}

/// Writes thinking as `reasoning_content`, and as `reasoning_details` if it has values to send back.
pub(crate) fn write_thoughts(o: &mut Object<'_>, thoughts: &[&ReasoningPart]) {
    let text: String = thoughts.iter().filter_map(|thought| thought.text.as_deref()).collect();
    if !text.is_empty() {
        o.str("reasoning_content", &text);
    }
    if thoughts.iter().any(|thought| reasoning::is_opaque(thought)) {
        o.array("reasoning_details", |a| {
            (0..).zip(thoughts).for_each(|(index, thought)| reasoning::write_details(a, thought, index));
        });
    }
}

/// An error as a body, or as the last frame of a stream.
pub(crate) fn write_error(error: &Error) -> String {
    let (name, _) = manifest::spelling(error.kind);
    let code = manifest::code(error);
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.object("error", |o| {
            o.str("message", &error.message);
            o.str("type", name);
            for (key, value) in [("param", error.param.as_deref()), ("code", code)] {
                match value {
                    Some(value) => o.str(key, value),
                    None => o.null(key),
                }
            }
        });
    });
    out
}
