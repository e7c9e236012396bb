//! Parses answers of the older API (`/v1/chat`, `/v1/generate`), which private deployments still send; Weir does not
//! request them.

use weir_sdk::json::{Number, RawValue, Rest, Str, parse};
use weir_sdk::names::Names;
use weir_sdk::types::{
    Candidate, CandidateFinish, ChatEvent, ChatResponse, Citation, Error, Part, PartCitation, ResponseStart, TextPart,
    ToolCall, Usage,
};

use crate::provider::decoder::parts::Parts;
use crate::wire::{self, Answer, Item};
use crate::{finish, usage};

weir_sdk::wire! {
    /// `{"start": 0, "end": 7, "text": "...", "document_ids": [...]}`.
    struct OldCitation<'a> {
        "start" => start: Number,
        "end" => end: Number,
        "text" => text: Str<'a>,
        "document_ids" => document_ids: Vec<Str<'a>>,
    }
}

/// Parses a whole answer; an error if it has none of the older shapes either.
pub(crate) fn read(answer: Answer<'_>) -> Result<ChatResponse, Error> {
    let Answer { mut rest, id, finish_reason, model, .. } = answer;
    let id = ["response_id", "generation_id"].iter().find_map(|key| rest.str(key)).or(id);
    let usage = meta(&mut rest);
    let generations = rest.list("generations").unwrap_or_default();
    let mut candidates = Vec::with_capacity(1);
    for (index, raw) in (0..).zip(generations) {
        candidates.push(candidate(index, Rest::parse(raw.get()).unwrap_or_default(), None)?);
    }
    if candidates.is_empty() {
        candidates.push(candidate(0, rest, finish_reason)?);
    }
    Ok(ChatResponse {
        id: id.map(Str::into_string).unwrap_or_default(),
        model: model.map(Str::into_string),
        candidates,
        usage,
        ..ChatResponse::default()
    })
}

fn candidate(index: u32, mut rest: Rest<'_>, reason: Option<Str<'_>>) -> Result<Candidate, Error> {
    let text = rest.str("text").ok_or_else(|| Error::unreadable("the answer has no message"))?;
    let citations = rest.list("citations").unwrap_or_default();
    let mut parts = Vec::new();
    if !text.is_empty() {
        let citations = citations.into_iter().flat_map(citations_of).collect();
        parts.push(Part::Text(TextPart { citations, ..TextPart::new(text) }));
    }
    let calls = rest.list("tool_calls").unwrap_or_default();
    parts.extend(calls.iter().enumerate().map(|(at, raw)| Part::ToolCall(call(at, raw))));
    let reason = reason.or_else(|| rest.str("finish_reason")).map(Str::into_string);
    if let Some(error) = reason.as_deref().and_then(|raw| finish::failure(raw, None)) {
        return Err(error);
    }
    let finish = reason.map(|raw| finish::read(&raw, !calls.is_empty()));
    Ok(Candidate { index, parts, finish, logprobs: None, extensions: Vec::new() })
}

/// Takes usage from `meta`, and drops the rest of it.
fn meta(rest: &mut Rest<'_>) -> Option<Usage> {
    let meta: wire::Usage<'_> = parse(rest.take("meta")?.get()).ok()?;
    Some(usage::read(wire::Usage { rest: Rest::default(), ..meta }))
}

/// One citation for each of its documents.
fn citations_of(raw: &RawValue) -> Vec<Citation> {
    let read: OldCitation<'_> = parse(raw.get()).unwrap_or_default();
    let place = |number: Option<Number>| number.map(|number| number.0.max(0.0) as u32);
    let one = Citation {
        url: None,
        title: None,
        quote: read.text.map(Str::into_string),
        start: place(read.start),
        end: place(read.end),
        source: None,
    };
    match read.document_ids.unwrap_or_default() {
        none if none.is_empty() => vec![one],
        ids => ids.into_iter().map(|id| Citation { title: Some(id.into_string()), ..one.clone() }).collect(),
    }
}

/// Parses a call. Calls had no ids, and their arguments were called parameters.
fn call(at: usize, raw: &RawValue) -> ToolCall {
    let mut read = Rest::parse(raw.get()).unwrap_or_default();
    let name = read.str("name").map(Str::into_string).unwrap_or_default();
    let parameters = read.value("parameters").map_or("{}", RawValue::get);
    ToolCall::new(format!("call_{at}_{name}"), name, parameters)
}

/// Whether a frame has the older stream's shape.
pub(crate) fn is_event(data: &str) -> bool {
    Rest::parse(data).is_ok_and(|rest| rest.get("event_type").is_some() || rest.get("is_finished").is_some())
}

/// Parses a frame of the older stream; returns whether it was the last.
pub(crate) fn event(data: &str, parts: &mut Parts, names: &Names, events: &mut Vec<ChatEvent>) -> Result<bool, Error> {
    let mut rest = Rest::parse(data).map_err(|error| Error::unreadable(error.to_string()))?;
    let kind = rest.str("event_type").unwrap_or_default();
    match &*kind {
        "stream-start" => {
            let id = rest.str("generation_id").map(Str::into_string).unwrap_or_default();
            events.push(ChatEvent::Start(ResponseStart { id, ..ResponseStart::default() }));
        }
        "citation-generation" => {
            for raw in rest.list("citations").unwrap_or_default() {
                let event = |citation| ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation });
                events.extend(citations_of(raw).into_iter().map(event));
            }
        }
        "tool-calls-generation" => {
            for (index, raw) in (0..).zip(rest.list("tool_calls").unwrap_or_default()) {
                let call = call(index as usize, raw);
                parts.call(index, wire::ToolCall::default(), names, events)?;
                if let Some(ChatEvent::PartStart(start)) = events.last_mut() {
                    let tool = weir_sdk::types::ToolStart {
                        id: call.id,
                        name: names.restore(call.name),
                        kind: call.kind,
                        signature: None,
                    };
                    start.kind = weir_sdk::types::PartKind::ToolCall(tool);
                }
                parts.arguments(index, &call.arguments, events);
                parts.call_end(index, events);
            }
        }
        "stream-end" => {
            end(rest, parts, events);
            return Ok(true);
        }
        _ => {
            if let Some(text) = rest.str("text") {
                parts.content(0, Item { text: Some(text), ..Item::default() }, false, events)?;
            }
        }
    }
    Ok(false)
}

fn end(mut rest: Rest<'_>, parts: &mut Parts, events: &mut Vec<ChatEvent>) {
    let mut response = rest.object("response").unwrap_or_default();
    events.extend(meta(&mut response).map(ChatEvent::Usage));
    let reason = rest.str("finish_reason").or_else(|| response.str("finish_reason"));
    let reason = reason.map_or_else(|| "COMPLETE".to_owned(), Str::into_string);
    if let Some(error) = finish::failure(&reason, None) {
        return events.push(ChatEvent::Failure(error));
    }
    parts.close(events);
    let finish = finish::read(&reason, parts.called());
    events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
}
