//! Writes a whole answer.

use weir_sdk::compat::logprobs::whole_tokens;
use weir_sdk::json::{Object, array, object};
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Extension, MediaKind, MediaPart, MediaSource, Part, RenderedResponse, ToolCall,
};

use super::{GENERATES, head};
use crate::body::NO_PLACE;
use crate::tools::{Written, lose};
use crate::{finish, is_own, usage};

/// Renders an answer's first candidate; the format has room for one (C-80).
pub(super) fn write(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    losses.dropped_if(response.candidates.len() > 1, "candidates", "the format has room for the first one only");
    let candidate = response.candidates.first();
    let mut collected = Collected { generates: ctx.memo == GENERATES, ..Collected::default() };
    for part in candidate.iter().flat_map(|candidate| &candidate.parts) {
        collected.part(part, &mut losses);
    }
    let mut body = String::with_capacity(collected.content.len() + collected.thinking.len() + 512);
    object(&mut body, |o| {
        head(o, ctx, response.model.as_deref(), response.created_ms);
        members(o, &response.extensions, &mut losses, "");
        if collected.generates {
            collected.write_generated(o, &mut losses);
        } else {
            o.object("message", |o| collected.write(o, &mut losses));
        }
        write_logprobs(o, candidate.and_then(|candidate| candidate.logprobs.as_deref()), &mut losses);
        o.bool("done", true);
        write_end(o, candidate, response, &mut losses);
    });
    losses.dropped_if(response.service_tier.is_some(), "service_tier", NO_PLACE);
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) }
}

fn write_end(o: &mut Object<'_>, candidate: Option<&Candidate>, response: &ChatResponse, losses: &mut Losses) {
    o.str("done_reason", finish::write(candidate.and_then(|candidate| candidate.finish.as_ref()), losses));
    if let Some(candidate) = candidate {
        members(o, &candidate.extensions, losses, "candidates[0].");
    }
    if let Some(known) = &response.usage {
        usage::write(o, known);
        lose(&known.extensions, "usage.", losses);
    }
}

/// Writes members of this family, and reports others as lost.
pub(super) fn members(o: &mut Object<'_>, all: &[Extension], losses: &mut Losses, place: &str) {
    let own = all.iter().filter(|extension| is_own(extension) && extension.json != "null");
    own.for_each(|extension| o.raw(&extension.key, &extension.json));
    lose(all, place, losses);
}

/// Writes log probabilities; both shapes are lists of the same entries, of which some servers leave out members.
pub(super) fn write_logprobs(o: &mut Object<'_>, json: Option<&str>, losses: &mut Losses) {
    let Some(json) = json else { return };
    match whole_tokens(json) {
        Some(content) => o.raw("logprobs", &content),
        None => losses.dropped("logprobs", "they cannot be read"),
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
    fn part(&mut self, part: &'a Part, losses: &mut Losses) {
        match part {
            Part::Text(text) => {
                self.content.push_str(&text.text);
                losses.dropped_if(!text.citations.is_empty(), "citations", NO_PLACE);
                lose(&text.extensions, "content.", losses);
                losses.dropped_if(text.signature.is_some(), "signature", NO_PLACE);
            }
            Part::Refusal(words) => {
                self.content.push_str(words);
                losses.approximated("refusal", "sent as text");
            }
            Part::Reasoning(thought) => {
                self.thinking.push_str(thought.text.as_deref().unwrap_or_default());
                let sealed = thought.signature.is_some() || thought.encrypted.is_some();
                losses.dropped_if(sealed, "signature", NO_PLACE);
                lose(&thought.extensions, "thinking.", losses);
            }
            Part::ToolCall(call) => {
                losses.dropped_if(call.signature.is_some(), "signature", NO_PLACE);
                self.calls.push(call);
            }
            Part::Media(media) if self.generates && self.image.is_none() => self.image = image(media, losses),
            Part::Media(_) => lose_image(self.generates, losses),
            Part::Opaque(opaque) => losses.dropped(opaque.kind.as_str(), "it belongs to another format"),
            Part::ToolResult(_) => losses.dropped("tool_result", "answers of this format hold none"),
        }
    }

    fn write(&self, o: &mut Object<'_>, losses: &mut Losses) {
        o.str("role", "assistant");
        o.str("content", &self.content);
        o.opt_str("thinking", Some(self.thinking.as_str()).filter(|text| !text.is_empty()));
        self.write_calls(o, losses);
    }

    /// Writes the members of `/api/generate`, which has the text under another name.
    fn write_generated(&self, o: &mut Object<'_>, losses: &mut Losses) {
        o.str("response", &self.content);
        o.opt_str("thinking", Some(self.thinking.as_str()).filter(|text| !text.is_empty()));
        o.opt_str("image", self.image);
        self.write_calls(o, losses);
    }

    fn write_calls(&self, o: &mut Object<'_>, losses: &mut Losses) {
        if self.calls.is_empty() {
            return;
        }
        array(o.value("tool_calls"), |a| {
            for (at, call) in (0..).zip(&self.calls) {
                let field = format!("tool_calls[{at}]");
                a.object(|o| Written::call(call, Some(at)).write(o, &field, losses));
            }
        });
    }
}

/// Reports an image as lost: the format's own clients accept none in a message, and one with a generated text.
pub(super) fn lose_image(generates: bool, losses: &mut Losses) {
    let why = if generates { "an answer has room for one image" } else { "clients take no images in a message" };
    losses.dropped("content.media", why);
}

/// The bytes of an image; other media have no place in an answer.
pub(super) fn image<'a>(media: &'a MediaPart, losses: &mut Losses) -> Option<&'a str> {
    match &media.source {
        MediaSource::Base64(data) if media.kind == MediaKind::Image => Some(data),
        _ => {
            losses.dropped("content.media", "only the bytes of images have a place in an answer");
            None
        }
    }
}
