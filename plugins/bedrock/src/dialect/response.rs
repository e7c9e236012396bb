//! Writes a whole answer.

use weir_sdk::finish::Seen;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::tier;
use weir_sdk::types::{
    ChatResponse, Context, Extension, Finish, Part, ReasoningPart, RenderedResponse, Signature, TextPart, Usage,
};

use crate::names::ID;
use crate::read::UNSIGNED;
use crate::signature::{Use, bytes, is_bare, text};
use crate::wire::is_noted;
use crate::write::media::MediaWriter;
use crate::write::{self, PartPath};
use crate::{FORMAT, finish, usage};

/// The required member with the answer's latency in milliseconds, which an adapter cannot measure.
const METRICS: &str = "metrics";
const NO_METRICS: &str = r#"{"latencyMs":0}"#;

/// Renders the answer's first candidate; the format has room for one.
pub(super) fn write(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    losses.dropped_if(response.candidates.len() > 1, "candidates", "the format has room for the first one only");
    let candidate = response.candidates.first();
    let mut content = Content::default();
    if let Some(first) = candidate {
        content.parts(&first.parts, &mut losses);
        losses.foreign("candidates[0].", &first.extensions, FORMAT);
        losses.dropped_if(first.logprobs.is_some(), "logprobs", "the format has no place for them");
    }
    let mut body = String::with_capacity(content.blocks.len() + 256);
    object(&mut body, |o| {
        o.object("output", |o| {
            o.object("message", |o| {
                o.str("role", "assistant");
                o.raw("content", &format!("[{}]", content.blocks));
            });
        });
        stop(o, candidate.and_then(|first| first.finish.as_ref()), content.seen, &mut losses);
        counts(o, ctx, response.usage.as_ref());
        rest(o, &response.extensions);
        write_tier(o, response.service_tier.as_deref(), &mut losses);
    });
    losses.foreign("usage.", response.usage.as_ref().map_or(&[], |usage| &usage.extensions[..]), FORMAT);
    losses.foreign("", &response.extensions, FORMAT);
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) }
}

/// Writes the usage, with an estimate of the input if nothing is known.
pub(super) fn counts(o: &mut Object<'_>, ctx: &Context, known: Option<&Usage>) {
    let nothing = Usage::default();
    let known = known.unwrap_or(&nothing);
    o.object("usage", |o| usage::write(o, known, ctx.input_tokens.unwrap_or(0)));
}

/// Writes the metrics, and further members of this format's own answer.
pub(super) fn rest(o: &mut Object<'_>, all: &[Extension]) {
    if extension(all, FORMAT, METRICS).is_none() {
        o.raw(METRICS, NO_METRICS);
    }
    for own in all {
        write::member(o, own);
    }
}

/// Writes the service tier of an answer.
pub(super) fn write_tier(o: &mut Object<'_>, told: Option<&str>, losses: &mut Losses) {
    if let Some(tier) = tier::answered(told, &["default", "priority", "flex", "reserved"], losses) {
        o.object("serviceTier", |o| o.str("type", tier));
    }
}

/// Writes `stopReason`.
pub(super) fn stop(o: &mut Object<'_>, finish: Option<&Finish>, seen: Seen, losses: &mut Losses) {
    let (word, nearly) = finish::word(finish, seen);
    if nearly {
        let raw = finish.and_then(|finish| finish.raw.as_deref()).unwrap_or("no reason given");
        losses.approximated("stopReason", raw);
    }
    o.str("stopReason", word);
}

/// The blocks of an answer.
#[derive(Debug, Default)]
struct Content {
    blocks: String,
    seen: Seen,
}

impl Content {
    fn parts(&mut self, parts: &[Part], losses: &mut Losses) {
        for (at, part) in parts.iter().enumerate() {
            self.part(part, losses, PartPath { message: None, part: at });
        }
    }

    fn part(&mut self, part: &Part, losses: &mut Losses, place: PartPath) {
        let out = &mut self.blocks;
        match part {
            Part::Text(part) => {
                write::text(out, part, losses, place);
                carry(out, part.signature.as_ref(), Use::Previous, None);
            }
            Part::Refusal(words) => {
                self.seen.refusal = true;
                write::text(out, &TextPart::new(words), losses, place);
            }
            Part::Reasoning(thought) => reasoning(out, thought, losses, place),
            Part::ToolCall(call) => {
                self.seen.call = true;
                let id = ID.fit(&call.id);
                carry(out, call.signature.as_ref(), Use::NextCall, Some(&id));
                write::call(out, call, &id, &call.name, losses, place);
            }
            Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_item(out, &opaque.json),
            Part::Opaque(opaque) => losses.dropped(place.field(&opaque.kind), "it belongs to another format"),
            Part::Media(media) => {
                if MediaWriter::new(&[]).write(out, media, losses, place).is_err() {
                    losses.dropped(place.field(""), "the format has no place for such a medium");
                }
            }
            Part::ToolResult(_) => losses.dropped(place.field(""), "answers of this format hold no tool results"),
        }
    }
}

/// Writes a block that only carries a signature to the client and back.
fn carry(out: &mut String, signature: Option<&Signature>, purpose: Use, id: Option<&str>) {
    if let Some(signature) = signature {
        write::redacted(out, &bytes(signature, purpose, id));
    }
}

/// Writes a reasoning part: readable thinking is signed by either of its values; other thinking is a separate block.
fn reasoning(out: &mut String, part: &ReasoningPart, losses: &mut Losses, place: PartPath) {
    losses.foreign_at(place, &part.extensions, FORMAT);
    let id = part.id.as_deref();
    let words = part.text.as_deref().unwrap_or_default();
    let signature = part.signature.as_ref().map(|value| text(value, Use::Thinking, id));
    let mut encrypted = part.encrypted.as_ref();
    if !words.is_empty() || signature.is_some() || is_noted(&part.extensions, UNSIGNED) {
        let signature = signature.or_else(|| {
            // A foreign value goes with its text; one of this format gets a separate block.
            let foreign = encrypted.take_if(|value| !is_bare(value))?;
            Some(text(foreign, Use::Encrypted, id))
        });
        write::thinking(out, words, signature.as_deref(), &part.extensions);
    }
    if let Some(value) = encrypted {
        write::redacted(out, &bytes(value, Use::Encrypted, id));
    }
}
