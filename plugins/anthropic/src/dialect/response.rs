//! Renders a whole answer.

use std::borrow::Cow;

use weir_sdk::finish::Seen;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Finish, FinishReason, Part, ReasoningPart, RenderedResponse, Signature, Usage,
};

use crate::finish;
use crate::names::fitting_name;
use crate::signature::{self, Use, wrap};
use crate::write::{self, PartPath};
use crate::{FORMAT, usage};

/// Renders the answer's first candidate; the format has room for one.
pub(crate) fn write(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    losses.dropped_if(response.candidates.len() > 1, "candidates", "the format has room for the first one only");
    let candidate = response.candidates.first();
    let explained = extension(&response.extensions, FORMAT, finish::DETAILS).is_some();
    let (content, seen) = candidate.map(|first| content(&first.parts, explained, &mut losses)).unwrap_or_default();
    let mut body = String::with_capacity(content.len() + 512);
    object(&mut body, |o| {
        head(o, ctx, &response.id, response.model.as_deref());
        o.raw("content", &format!("[{content}]"));
        stop(o, candidate.and_then(|first| first.finish.as_ref()), seen, &mut losses);
        own_members(o, response, candidate, &mut losses);
        o.object("usage", |o| counts(o, ctx, response, &mut losses));
    });
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) }
}

/// Writes the first members of every message.
pub(crate) fn head(o: &mut Object<'_>, ctx: &Context, id: &str, model: Option<&str>) {
    o.str("id", &if id.is_empty() { Cow::Owned(format!("msg_{}", ctx.request_id)) } else { Cow::Borrowed(id) });
    o.str("type", "message");
    o.str("role", "assistant");
    o.str("model", if ctx.model.is_empty() { model.unwrap_or_default() } else { &ctx.model });
}

/// Writes `stop_reason` and `stop_sequence`.
pub(crate) fn stop(o: &mut Object<'_>, finish: Option<&Finish>, seen: Seen, losses: &mut Losses) {
    let reason = finish.map_or(FinishReason::Complete, |finish| finish.reason);
    let raw = finish.and_then(|finish| finish.raw.as_deref());
    let (word, nearly) = finish::word(reason, raw, seen);
    if nearly {
        losses.approximated("stop_reason", raw.unwrap_or("no reason given"));
    }
    o.str("stop_reason", word);
    match finish.and_then(|finish| finish.stop_sequence.as_deref()) {
        Some(sequence) => o.str("stop_sequence", sequence),
        None => o.null("stop_sequence"),
    }
}

fn own_members(o: &mut Object<'_>, response: &ChatResponse, candidate: Option<&Candidate>, losses: &mut Losses) {
    for own in write::own(&response.extensions) {
        o.raw(&own.key, &own.json);
    }
    losses.foreign("", &response.extensions, FORMAT);
    if let Some(candidate) = candidate {
        losses.foreign("candidates[0].", &candidate.extensions, FORMAT);
        losses.dropped_if(candidate.logprobs.is_some(), "logprobs", "the format has no place for them");
    }
}

fn counts(o: &mut Object<'_>, ctx: &Context, response: &ChatResponse, losses: &mut Losses) {
    let unknown = Usage::default();
    let known = response.usage.as_ref().unwrap_or(&unknown);
    usage::write(o, known, ctx.input_tokens.unwrap_or(0));
    for own in write::own(&known.extensions) {
        o.raw(&own.key, &own.json);
    }
    losses.foreign("usage.", &known.extensions, FORMAT);
    usage::write_tier(o, response.service_tier.as_deref(), losses);
}

/// Writes the content. `explained` tells whether a refusal has its words in a member of this format.
fn content(parts: &[Part], explained: bool, losses: &mut Losses) -> (String, Seen) {
    let (mut out, mut seen) = (String::new(), Seen::default());
    for (at, part) in parts.iter().enumerate() {
        let place = PartPath { message: None, part: at };
        match part {
            Part::Text(text) => {
                if !text.text.is_empty() {
                    write::block(&mut out, |o| write::text(o, text, losses, place));
                }
                carry(&mut out, text.signature.as_ref(), Use::Previous, None);
            }
            Part::Refusal(_) if explained => {}
            Part::Refusal(words) => {
                seen.refusal = true;
                plain(&mut out, words);
            }
            Part::Reasoning(thought) => reasoning(&mut out, thought, losses, place),
            Part::ToolCall(call) => {
                seen.call = true;
                carry(&mut out, call.signature.as_ref(), Use::NextCall, Some(&call.id));
                let name = fitting_name(&call.name);
                write::block(&mut out, |o| write::tool_call(o, call, &name, losses, place));
            }
            Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_block(&mut out, &opaque.json),
            Part::Opaque(opaque) => losses.dropped(place.field(&opaque.kind), "it belongs to another format"),
            Part::Media(_) => losses.dropped(place.field(""), "answers of this format hold no media"),
            Part::ToolResult(_) => losses.dropped(place.field(""), "answers of this format hold no tool results"),
        }
    }
    (out, seen)
}

fn plain(out: &mut String, words: &str) {
    if !words.is_empty() {
        write::block(out, |o| {
            o.str("type", "text");
            o.str("text", words);
        });
    }
}

/// Writes a block that only carries a signature to the client and back.
fn carry(out: &mut String, signature: Option<&Signature>, purpose: Use, id: Option<&str>) {
    if let Some(signature) = signature {
        write::block(out, |o| write::redacted(o, &wrap(signature, purpose, id)));
    }
}

/// Writes a reasoning part: readable thinking becomes a thinking block, signed by either of its values; other thinking
/// becomes a redacted one.
fn reasoning(out: &mut String, part: &ReasoningPart, losses: &mut Losses, place: PartPath) {
    let id = part.id.as_deref();
    let own = |o: &mut Object<'_>, losses: &mut Losses| write::extensions(o, &part.extensions, losses, place);
    let encrypted = part.encrypted.as_ref().map(|value| wrap(value, Use::Encrypted, id));
    let signature = part.signature.as_ref().map(|value| wrap(value, Use::Thinking, id));
    let text = part.text.as_deref().unwrap_or_default();
    if text.is_empty() && signature.is_none() {
        if let Some(data) = encrypted {
            write::block(out, |o| {
                write::redacted(o, &data);
                own(o, losses);
            });
        }
        return;
    }
    let (vouches, further) = match (signature, encrypted) {
        (Some(signature), encrypted) => (signature, encrypted),
        // An encrypted value of this family gets a separate block; others go with their text.
        (None, Some(data)) if signature::own(part.encrypted.as_ref()).is_some() => (String::new(), Some(data)),
        (None, encrypted) => (encrypted.unwrap_or_default(), None),
    };
    write::block(out, |o| {
        write::thinking(o, text, &vouches);
        own(o, losses);
    });
    if let Some(data) = further {
        write::block(out, |o| write::redacted(o, &data));
    }
}
