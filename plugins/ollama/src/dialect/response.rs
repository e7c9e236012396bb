//! Writes a whole answer.

use weir_sdk::json::{Object, RawValue, array, object, parse};
use weir_sdk::ledger::Ledger;
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Extension, MediaKind, MediaPart, MediaSource, Part, RenderedResponse, ToolCall,
};
use weir_sdk::wire;

use super::{GENERATES, head};
use crate::body::NO_PLACE;
use crate::tools::{Written, lose};
use crate::{finish, is_own, usage};

wire! {
    /// Log probabilities in the unified shape.
    struct Logprobs<'a> {
        "content" => content: &'a RawValue,
    }
}

/// Renders an answer's first candidate; the format has room for one (C-80).
pub(super) fn write(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut ledger = Ledger::default();
    ledger.dropped_if(response.candidates.len() > 1, "candidates", "the format has room for the first one only");
    let candidate = response.candidates.first();
    let mut collected = Collected { generates: ctx.memo == GENERATES, ..Collected::default() };
    for part in candidate.iter().flat_map(|candidate| &candidate.parts) {
        collected.part(part, &mut ledger);
    }
    let mut body = String::with_capacity(collected.content.len() + collected.thinking.len() + 512);
    object(&mut body, |o| {
        head(o, ctx, response.model.as_deref(), response.created_ms);
        members(o, &response.extensions, &mut ledger, "");
        if collected.generates {
            collected.write_generated(o, &mut ledger);
        } else {
            o.object("message", |o| collected.write(o, &mut ledger));
        }
        write_logprobs(o, candidate.and_then(|candidate| candidate.logprobs.as_deref()), &mut ledger);
        o.bool("done", true);
        write_end(o, candidate, response, &mut ledger);
    });
    ledger.dropped_if(response.service_tier.is_some(), "service_tier", NO_PLACE);
    RenderedResponse { losses: ledger.into_losses(), ..RenderedResponse::json(body) }
}

fn write_end(o: &mut Object<'_>, candidate: Option<&Candidate>, response: &ChatResponse, ledger: &mut Ledger) {
    o.str("done_reason", finish::write(candidate.and_then(|candidate| candidate.finish.as_ref()), ledger));
    if let Some(candidate) = candidate {
        members(o, &candidate.extensions, ledger, "candidates[0].");
    }
    if let Some(known) = &response.usage {
        usage::write(o, known);
        lose(&known.extensions, "usage.", ledger);
    }
}

/// Writes members of this family, and reports others as lost.
pub(super) fn members(o: &mut Object<'_>, all: &[Extension], ledger: &mut Ledger, place: &str) {
    let own = all.iter().filter(|extension| is_own(extension) && extension.json != "null");
    own.for_each(|extension| o.raw(&extension.key, &extension.json));
    lose(all, place, ledger);
}

/// Writes log probabilities; both shapes are lists of the same entries.
pub(super) fn write_logprobs(o: &mut Object<'_>, json: Option<&str>, ledger: &mut Ledger) {
    let Some(json) = json else { return };
    match parse::<Logprobs<'_>>(json).ok().and_then(|logprobs| logprobs.content) {
        Some(content) => o.raw("logprobs", content.get()),
        None => ledger.dropped("logprobs", "they cannot be read"),
    }
}

/// The content of an answer, by kind.
#[derive(Debug, Default)]
struct Collected<'a> {
    content: String,
    thinking: String,
    /// The image of a generated answer, which has room for one.
    image: Option<&'a str>,
    generates: bool,
    calls: Vec<&'a ToolCall>,
}

impl<'a> Collected<'a> {
    fn part(&mut self, part: &'a Part, ledger: &mut Ledger) {
        match part {
            Part::Text(text) => {
                self.content.push_str(&text.text);
                ledger.dropped_if(!text.citations.is_empty(), "citations", NO_PLACE);
                lose(&text.extensions, "content.", ledger);
                ledger.dropped_if(text.signature.is_some(), "signature", NO_PLACE);
            }
            Part::Refusal(words) => {
                self.content.push_str(words);
                ledger.approximated("refusal", "told as text");
            }
            Part::Reasoning(thought) => {
                self.thinking.push_str(thought.text.as_deref().unwrap_or_default());
                let sealed = thought.signature.is_some() || thought.encrypted.is_some();
                ledger.dropped_if(sealed, "signature", NO_PLACE);
                lose(&thought.extensions, "thinking.", ledger);
            }
            Part::ToolCall(call) => {
                ledger.dropped_if(call.signature.is_some(), "signature", NO_PLACE);
                self.calls.push(call);
            }
            Part::Media(media) if self.generates && self.image.is_none() => self.image = image(media, ledger),
            Part::Media(_) => lose_image(self.generates, ledger),
            Part::Opaque(opaque) => ledger.dropped(opaque.kind.as_str(), "it belongs to another format"),
            Part::ToolResult(_) => ledger.dropped("tool_result", "answers of this format hold none"),
        }
    }

    fn write(&self, o: &mut Object<'_>, ledger: &mut Ledger) {
        o.str("role", "assistant");
        o.str("content", &self.content);
        o.opt_str("thinking", Some(self.thinking.as_str()).filter(|text| !text.is_empty()));
        self.write_calls(o, ledger);
    }

    /// Writes the members of `/api/generate`, which has the text under another name.
    fn write_generated(&self, o: &mut Object<'_>, ledger: &mut Ledger) {
        o.str("response", &self.content);
        o.opt_str("thinking", Some(self.thinking.as_str()).filter(|text| !text.is_empty()));
        o.opt_str("image", self.image);
        self.write_calls(o, ledger);
    }

    fn write_calls(&self, o: &mut Object<'_>, ledger: &mut Ledger) {
        if self.calls.is_empty() {
            return;
        }
        array(o.value("tool_calls"), |a| {
            for (at, call) in (0..).zip(&self.calls) {
                let field = format!("tool_calls[{at}]");
                a.object(|o| Written::call(call, Some(at)).write(o, &field, ledger));
            }
        });
    }
}

/// Reports an image as lost: the format's own clients accept none in a message, and one with a generated text.
pub(super) fn lose_image(generates: bool, ledger: &mut Ledger) {
    let why = if generates { "an answer has room for one image" } else { "clients take no images in a message" };
    ledger.dropped("content.media", why);
}

/// The bytes of an image; other media have no place in an answer.
pub(super) fn image<'a>(media: &'a MediaPart, ledger: &mut Ledger) -> Option<&'a str> {
    match &media.source {
        MediaSource::Base64(data) if media.kind == MediaKind::Image => Some(data),
        _ => {
            ledger.dropped("content.media", "only the bytes of images have a place in an answer");
            None
        }
    }
}
