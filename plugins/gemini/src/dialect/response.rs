//! Writes a whole answer.

use std::borrow::Cow;

use weir_sdk::compat::responses::only_begins_item;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Extension, Finish, FinishReason, Part, ReasoningPart, RenderedResponse, Signature,
};

use crate::grounding::{Sources, Spot};
use crate::provider::response::{FEEDBACK, GROUNDING};
use crate::signature::wrap;
use crate::write::{self, PartPath};
use crate::{FORMAT, finish, logprobs, usage};

/// Renders an answer with all of its candidates.
pub(super) fn write(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    let mut body = String::with_capacity(1024);
    object(&mut body, |o| {
        if !is_refused(response) {
            o.array("candidates", |a| {
                for candidate in &response.candidates {
                    a.object(|o| write_candidate(o, candidate, &mut losses));
                }
            });
        }
        write::members(o, &response.extensions, "");
        losses.foreign("", &response.extensions, FORMAT);
        let unknown = weir_sdk::types::Usage::default();
        let known = response.usage.as_ref().unwrap_or(&unknown);
        losses.foreign("usage.", &known.extensions, FORMAT);
        usage::write(o, known, ctx.input_tokens, response.service_tier.as_deref(), &mut losses);
        tail(o, ctx, response.model.as_deref(), &response.id);
    });
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) }
}

/// Whether this format's service refused the prompt; such an answer has no candidates.
fn is_refused(response: &ChatResponse) -> bool {
    let empty = |candidate: &Candidate| candidate.parts.is_empty() && candidate.extensions.is_empty();
    let refused = extension(&response.extensions, FORMAT, FEEDBACK).is_some_and(|json| json.contains("lockReason"));
    refused && response.candidates.iter().all(empty)
}

/// Writes the last members of every answer.
pub(super) fn tail(o: &mut Object<'_>, ctx: &Context, model: Option<&str>, id: &str) {
    o.str("modelVersion", if ctx.model.is_empty() { model.unwrap_or_default() } else { &ctx.model });
    o.str("responseId", if id.is_empty() { &ctx.request_id } else { id });
}

fn write_candidate(o: &mut Object<'_>, candidate: &Candidate, losses: &mut Losses) {
    let refusal = candidate.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let mut sources = Sources::default();
    o.object("content", |o| {
        o.raw("parts", &format!("[{}]", content(&candidate.parts, &mut sources, losses)));
        write::members(o, &candidate.extensions, "content");
        o.str("role", "model");
    });
    o.str("finishReason", &word(candidate.finish.as_ref(), refusal, losses));
    o.num("index", candidate.index);
    write_logprobs(o, candidate.logprobs.as_deref(), losses);
    write::members(o, &candidate.extensions, "");
    if extension(&candidate.extensions, FORMAT, GROUNDING).is_none() {
        sources.write(o);
        sources.lose(candidate.index, losses);
    }
    losses.foreign(&format!("candidates[{}].", candidate.index), &candidate.extensions, FORMAT);
}

/// The word for the finish reason; an approximation is reported.
pub(super) fn word(finish: Option<&Finish>, refusal: bool, losses: &mut Losses) -> String {
    let complete = Finish { reason: FinishReason::Complete, raw: None, stop_sequence: None };
    let finish = finish.unwrap_or(&complete);
    let (word, nearly) = finish::word(finish, refusal);
    if nearly {
        losses.approximated("finish_reason", finish.raw.as_deref().unwrap_or("no reason given"));
    }
    losses.dropped_if(finish.stop_sequence.is_some(), "stop_sequence", "there is no place for it");
    word.to_owned()
}

pub(super) fn write_logprobs(o: &mut Object<'_>, json: Option<&str>, losses: &mut Losses) {
    let Some(json) = json else { return };
    match logprobs::write(json) {
        Some(result) => o.raw("logprobsResult", &result),
        None => losses.dropped("logprobs", "they cannot be read"),
    }
}

/// Writes the parts and collects their citations, which count only what is written.
fn content(parts: &[Part], sources: &mut Sources, losses: &mut Losses) -> String {
    let (mut out, mut written) = (String::new(), 0);
    for (at, part) in parts.iter().enumerate() {
        if let Part::Text(text) = part {
            let place = Spot { part: written, before: 0 };
            text.citations.iter().for_each(|citation| sources.add(place, &text.text, citation));
        }
        written += write_part(&mut out, part, PartPath { message: None, part: at }, losses);
    }
    out
}

/// Writes a part, also one of a stream that comes whole. Returns how many items it became.
pub(super) fn write_part(out: &mut String, part: &Part, place: PartPath, losses: &mut Losses) -> usize {
    match part {
        Part::Text(text) => {
            losses.foreign_at(place, &text.extensions, FORMAT);
            if only_begins_item(text) {
                return 0;
            }
            write::item(out, |o| {
                write::text(o, &text.text, false, signed(text.signature.as_ref()).as_deref());
                write::members(o, &text.extensions, "");
            });
        }
        Part::Refusal(words) => write::item(out, |o| write::text(o, words, false, None)),
        Part::Reasoning(thought) => return reasoning(out, thought, place, losses),
        Part::ToolCall(call) => {
            losses.foreign_at(place, &call.extensions, FORMAT);
            let signature = signed(call.signature.as_ref());
            write::item(out, |o| write::call(o, call, &call.name, signature.as_deref(), losses, place));
        }
        Part::Media(media) => {
            losses.foreign_at(place, &media.extensions, FORMAT);
            let mime = write::mime_of(media, &[]);
            write::item(out, |o| write::media(o, media, mime.as_deref()));
        }
        Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_item(out, &opaque.json),
        Part::Opaque(opaque) => {
            losses.dropped(place.field(&opaque.kind), "it belongs to another format");
            return 0;
        }
        Part::ToolResult(_) => {
            losses.dropped(place.field(""), "answers of this format hold no tool results");
            return 0;
        }
    }
    1
}

fn signed(signature: Option<&Signature>) -> Option<Cow<'_, str>> {
    signature.map(|signature| wrap(signature, false, None).into())
}

/// Writes thinking with its signature; encrypted thinking is a separate part, unless there is nothing else. Returns the
/// number of items.
fn reasoning(out: &mut String, thought: &ReasoningPart, place: PartPath, losses: &mut Losses) -> usize {
    losses.foreign_at(place, &thought.extensions, FORMAT);
    let id = thought.id.as_deref();
    let signature = thought.signature.as_ref().map(|value| wrap(value, false, id));
    let encrypted = thought.encrypted.as_ref().map(|value| wrap(value, true, id));
    let mut item = |text: &str, signature: Option<&str>, extensions: &[Extension]| {
        write::item(out, |o| {
            write::text(o, text, true, signature);
            write::members(o, extensions, "");
        });
    };
    let text = thought.text.as_deref();
    let speaks = text.is_some_and(|text| !text.is_empty()) || signature.is_some();
    if speaks {
        item(text.unwrap_or_default(), signature.as_deref(), &thought.extensions);
    }
    if encrypted.is_some() {
        item("", encrypted.as_deref(), &[]);
    }
    usize::from(speaks) + usize::from(encrypted.is_some())
}
