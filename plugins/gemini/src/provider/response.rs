//! Reads a whole answer.

use weir_sdk::json::{RawValue, Str, parse};
use weir_sdk::types::{Candidate, ChatResponse, Context, Error, HttpResponse, Part, ReasoningPart};

use super::error;
use crate::grounding::Grounded;
use crate::read::{self, Ids};
use crate::wire::{self, extensions, own};
use crate::{finish, grounding, logprobs, usage};
use weir_sdk::names::Names;

/// Key of the extension with the reason why a prompt was refused, if it was.
pub(crate) const FEEDBACK: &str = "promptFeedback";
/// Key of the extension with the sources of an answer.
pub(crate) const GROUNDING: &str = "groundingMetadata";
/// Key of the extension with the sources that the model cites without a search, in either spelling.
pub(crate) const CITED: [&str; 2] = ["citationMetadata", "citation_metadata"];

/// Parses an answer. Some services send status 200 with an error in the body.
pub(super) fn read(ctx: &Context, response: &HttpResponse) -> Result<ChatResponse, Error> {
    let text = response.text()?;
    if let Some(error) = error::in_list(text) {
        return Err(error);
    }
    let answer: wire::Answer<'_> =
        parse(text).map_err(|error| Error::unreadable(format!("the answer cannot be read: {error}")))?;
    if let Some(raw) = answer.error {
        return Err(error::object(raw, None));
    }
    let id = answer.id.map(Str::into_string).unwrap_or_default();
    let made_from = if id.is_empty() { &ctx.request_id } else { &id };
    let names = crate::names::names().with_memo(&ctx.memo);
    let (usage, service_tier) = answer.usage.map(usage::read).map_or((None, None), |(usage, tier)| (Some(usage), tier));
    let all = answer.candidates.unwrap_or_default();
    let usage = usage.map(|usage| grounding::counted(usage, &all, &mut 0));
    let mut candidates = Vec::new();
    for (at, wire) in all.into_iter().enumerate() {
        candidates.push(candidate(wire, at as u32, made_from, &names)?);
    }
    let mut own_members = extensions("", answer.rest);
    if let Some(raw) = answer.feedback {
        own_members.push(own(FEEDBACK, raw.get()));
        candidates.extend(refused(raw).filter(|_| candidates.is_empty()));
    }
    if candidates.is_empty() {
        return Err(error::cut_off());
    }
    Ok(ChatResponse {
        id,
        model: answer.model.map(Str::into_string),
        created_ms: None,
        candidates,
        usage,
        service_tier,
        extensions: own_members,
    })
}

/// The empty candidate for a refused prompt (C-84).
fn refused(raw: &RawValue) -> Option<Candidate> {
    let finish = Some(finish::blocked(raw)?);
    Some(Candidate { index: 0, parts: Vec::new(), finish, logprobs: None, extensions: Vec::new() })
}

fn candidate(wire: wire::Candidate<'_>, at: u32, answer: &str, names: &Names) -> Result<Candidate, Error> {
    let index = wire.index.map_or(at, |index| index.0);
    let mut ids = Ids::of_answer(answer, index);
    let mut parts = Vec::new();
    let content = wire.content.unwrap_or_default();
    for wire in content.parts.unwrap_or_default().0 {
        match read::part_of_answer(wire, &mut ids).map_err(|error| unreadable(&error))? {
            // An empty text means nothing.
            Part::Text(text) if text.text.is_empty() && text.signature.is_none() && text.extensions.is_empty() => {}
            Part::ToolCall(mut call) => {
                call.name = names.restore(call.name);
                parts.push(Part::ToolCall(call));
            }
            part => parts.push(part),
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let mut own_members = extensions("", wire.rest);
    for raw in own_members.iter().filter(|own| CITED.contains(&own.key.as_str())) {
        if let Ok(raw) = parse::<&RawValue>(&raw.json) {
            cite(&mut parts, raw, grounding::read_cited);
        }
    }
    own_members.extend(extensions("content.", content.rest));
    if let Some(raw) = wire.grounding {
        own_members.push(own(GROUNDING, raw.get()));
        cite(&mut parts, raw, grounding::read);
    }
    let parts = joined(parts);
    Ok(Candidate {
        index,
        finish: wire.finish.map(|word| finish::read(&word, calls)),
        logprobs: wire.logprobs.and_then(logprobs::read),
        parts,
        extensions: own_members,
    })
}

/// Makes one of neighbouring texts, and of neighbouring thoughts, as a stream does: where the service splits a text
/// means nothing, and clients of other formats show each part as a paragraph or read the first alone. A signature ends
/// a part. Texts with sources stay as they are, since each source says in which part it is.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    if parts.iter().any(|part| matches!(part, Part::Text(text) if !text.citations.is_empty())) {
        return parts;
    }
    let mut out = Vec::<Part>::with_capacity(parts.len());
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) if before.signature.is_none() => {
                before.text.push_str(&text.text);
                before.signature = text.signature;
                before.extensions.extend(text.extensions);
            }
            (Some(Part::Reasoning(before)), Part::Reasoning(thought)) if is_unsigned(before) => {
                before.text = [before.text.take(), thought.text].into_iter().flatten().reduce(|all, next| all + &next);
                (before.signature, before.encrypted) = (thought.signature, thought.encrypted);
                before.extensions.extend(thought.extensions);
            }
            (_, part) => out.push(part),
        }
    }
    out
}

fn is_unsigned(thought: &ReasoningPart) -> bool {
    thought.signature.is_none() && thought.encrypted.is_none()
}

fn cite(parts: &mut [Part], raw: &RawValue, read: fn(&RawValue, &[Option<&str>]) -> Vec<Grounded>) {
    let texts: Vec<Option<&str>> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Some(text.text.as_str()),
            _ => None,
        })
        .collect();
    for grounded in read(raw, &texts) {
        if let Some(Part::Text(text)) = parts.get_mut(grounded.part) {
            text.citations.push(grounded.citation);
        }
    }
}

/// The same error, attributed to the provider.
pub(super) fn unreadable(error: &Error) -> Error {
    Error::unreadable(format!("the answer cannot be read: {}", error.message))
}
