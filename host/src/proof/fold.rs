//! A stream's events as the answer that they add up to, and with neighbouring pieces joined.

use serde_json::Value;

use crate::contract::types::{
    Candidate, ChatEvent, ChatResponse, Error, Part, PartDelta, PartKind, ReasoningPart, TextPart, ToolCall, Usage,
};

/// What a stream said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folded {
    /// All of it.
    pub(super) response: ChatResponse,
    /// The failure that it ended with.
    pub(super) failure: Option<Error>,
}

/// Adds up a stream's events. Those that no part was begun for are passed over: `story` speaks of them.
pub(super) fn fold(events: &[ChatEvent]) -> Folded {
    let mut fold = Fold { response: empty(), failure: None, parts: Vec::new() };
    for event in events {
        fold.take(event);
    }
    fold.response.candidates.sort_by_key(|candidate| candidate.index);
    Folded { response: fold.response, failure: fold.failure }
}

/// The same events, each run of text for one part as one.
pub(super) fn joined(events: &[ChatEvent]) -> Vec<ChatEvent> {
    let mut out: Vec<ChatEvent> = Vec::with_capacity(events.len());
    for event in events {
        if let (ChatEvent::Delta(more), Some(ChatEvent::Delta(last))) = (event, out.last_mut())
            && (more.candidate, more.part) == (last.candidate, last.part)
        {
            last.text.push_str(&more.text);
            continue;
        }
        // A piece without text says nothing.
        if !matches!(event, ChatEvent::Delta(PartDelta { text, .. }) if text.is_empty()) {
            out.push(event.clone());
        }
    }
    out
}

fn empty() -> ChatResponse {
    ChatResponse {
        id: String::new(),
        model: None,
        created_ms: None,
        candidates: Vec::new(),
        usage: None,
        service_tier: None,
        extensions: Vec::new(),
    }
}

struct Fold {
    response: ChatResponse,
    failure: Option<Error>,
    /// Candidate and number of each part, and its place among the candidate's parts; the latest last.
    parts: Vec<((u32, u32), usize)>,
}

impl Fold {
    fn take(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Start(start) => {
                let response = &mut self.response;
                response.id.clone_from(&start.id);
                response.model.clone_from(&start.model);
                response.created_ms = start.created_ms;
                response.service_tier.clone_from(&start.service_tier);
                response.extensions.extend(start.extensions.iter().cloned());
            }
            ChatEvent::PartStart(start) => {
                let parts = &mut self.candidate(start.candidate).parts;
                let at = parts.len();
                parts.push(begun(&start.kind));
                self.parts.push(((start.candidate, start.part), at));
            }
            ChatEvent::Logprobs(logprobs) => {
                let known = &mut self.candidate(logprobs.candidate).logprobs;
                *known = Some(added(known.as_deref(), &logprobs.json));
            }
            ChatEvent::Finish(finish) => {
                self.candidate(finish.candidate).finish.get_or_insert_with(|| finish.finish.clone());
            }
            ChatEvent::Usage(usage) => merge(&mut self.response.usage, usage),
            ChatEvent::Failure(error) => self.failure = Some(error.clone()),
            ChatEvent::Opaque(_) => {}
            _ => self.within(event),
        }
    }

    /// What belongs to a part that has begun.
    fn within(&mut self, event: &ChatEvent) {
        let place = match event {
            ChatEvent::Delta(delta) => (delta.candidate, delta.part),
            ChatEvent::Signature(signature) => (signature.candidate, signature.part),
            ChatEvent::Citation(citation) => (citation.candidate, citation.part),
            ChatEvent::PartStop(stop) => (stop.candidate, stop.part),
            _ => return,
        };
        let Some(&(_, at)) = self.parts.iter().rev().find(|(known, _)| *known == place) else { return };
        if let Some(part) = self.candidate(place.0).parts.get_mut(at) {
            add(part, event);
        }
    }

    fn candidate(&mut self, index: u32) -> &mut Candidate {
        let all = &mut self.response.candidates;
        let known = all.iter().position(|candidate| candidate.index == index);
        let at = known.unwrap_or_else(|| {
            all.push(Candidate { index, parts: Vec::new(), finish: None, logprobs: None, extensions: Vec::new() });
            all.len() - 1
        });
        &mut all[at]
    }
}

fn begun(kind: &PartKind) -> Part {
    let extensions = Vec::new();
    match kind {
        PartKind::Text => {
            let (text, citations) = (String::new(), Vec::new());
            Part::Text(TextPart { text, citations, signature: None, cache: None, extensions })
        }
        PartKind::Reasoning => {
            Part::Reasoning(ReasoningPart { id: None, text: None, signature: None, encrypted: None, extensions })
        }
        PartKind::Refusal => Part::Refusal(String::new()),
        PartKind::ToolCall(start) => Part::ToolCall(ToolCall {
            id: start.id.clone(),
            name: start.name.clone(),
            kind: start.kind,
            arguments: String::new(),
            signature: start.signature.clone(),
            cache: None,
            extensions,
        }),
        PartKind::Opaque(opaque) => Part::Opaque(opaque.clone()),
        PartKind::Media(media) => Part::Media(media.clone()),
    }
}

fn add(part: &mut Part, event: &ChatEvent) {
    match (part, event) {
        (Part::Text(text), ChatEvent::Delta(delta)) => text.text.push_str(&delta.text),
        (Part::Reasoning(thought), ChatEvent::Delta(delta)) => {
            thought.text.get_or_insert_default().push_str(&delta.text);
        }
        (Part::Refusal(words), ChatEvent::Delta(delta)) => words.push_str(&delta.text),
        (Part::ToolCall(call), ChatEvent::Delta(delta)) => call.arguments.push_str(&delta.text),
        (Part::Reasoning(thought), ChatEvent::Signature(signed)) => {
            let place = if signed.encrypted { &mut thought.encrypted } else { &mut thought.signature };
            *place = Some(signed.signature.clone());
        }
        (Part::Text(text), ChatEvent::Signature(signed)) => text.signature = Some(signed.signature.clone()),
        (Part::ToolCall(call), ChatEvent::Signature(signed)) => call.signature = Some(signed.signature.clone()),
        (Part::Text(text), ChatEvent::Citation(cited)) => text.citations.push(cited.citation.clone()),
        (
            Part::Text(TextPart { extensions, .. })
            | Part::Reasoning(ReasoningPart { extensions, .. })
            | Part::ToolCall(ToolCall { extensions, .. }),
            ChatEvent::PartStop(stop),
        ) => {
            extensions.extend(stop.extensions.iter().cloned());
        }
        _ => {}
    }
}

/// A later count replaces the values that it names.
fn merge(known: &mut Option<Usage>, later: &Usage) {
    let Some(known) = known else {
        *known = Some(later.clone());
        return;
    };
    known.input = later.input.or(known.input);
    known.cache_read = later.cache_read.or(known.cache_read);
    known.cache_write = later.cache_write.or(known.cache_write);
    known.output = later.output.or(known.output);
    known.reasoning = later.reasoning.or(known.reasoning);
    if !later.extensions.is_empty() {
        known.extensions.clone_from(&later.extensions);
    }
}

/// Lists of the same name, one behind the other.
fn added(known: Option<&str>, more: &str) -> String {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let (Some(Value::Object(mut all)), Some(Value::Object(later))) = (known.and_then(parse), parse(more)) else {
        return more.to_owned();
    };
    for (name, value) in later {
        match (all.get_mut(&name), value) {
            (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
            (_, value) => _ = all.insert(name, value),
        }
    }
    Value::Object(all).to_string()
}
