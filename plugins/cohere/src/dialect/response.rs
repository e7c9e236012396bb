//! Writes a whole answer.

use weir_sdk::json::{Object, item, object, quote, raw_item};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Finish, FinishReason, Part, ReasoningPart, RenderedResponse, TextPart,
};

use crate::write::{self, PartPath, marked, own, tool_call};
use crate::{CITATIONS, FORMAT, PLAN, citation, finish, logprobs, usage};

/// Renders the answer's first candidate; the format has room for one (C-80).
pub(super) fn write(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    losses.dropped_if(response.candidates.len() > 1, "candidates", "the format has room for the first one only");
    let candidate = response.candidates.first();
    let message = candidate.map(|first| Message::of(first, &mut losses)).unwrap_or_default();
    let mut body = String::with_capacity(message.content.len() + message.calls.len() + 512);
    object(&mut body, |o| {
        o.str("id", if response.id.is_empty() { &ctx.request_id } else { &response.id });
        let finish = candidate.and_then(|first| first.finish.as_ref());
        o.str("finish_reason", reason(finish, !message.calls.is_empty(), &mut losses));
        o.object("message", |o| message.write(o, candidate));
        if let Some(known) = &response.usage {
            usage::write(o, known, &mut losses);
        }
        if let Some(json) = candidate.and_then(|first| first.logprobs.as_deref()) {
            o.array("logprobs", |a| logprobs::from_chat(json).iter().for_each(|item| a.raw(item)));
        }
        write::extensions(o, &response.extensions, &mut losses, "");
    });
    losses.dropped_if(response.service_tier.is_some(), "service_tier", "the format has no place for it");
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) }
}

/// The format's word for the finish reason.
pub(super) fn reason(finish: Option<&Finish>, calls: bool, losses: &mut Losses) -> &'static str {
    let reason = finish.map_or(FinishReason::Complete, |finish| finish.reason);
    let (word, nearly) = finish::word(reason, calls);
    if nearly {
        let raw = finish.and_then(|finish| finish.raw.as_deref()).unwrap_or("no reason given");
        losses.approximated("finish_reason", raw);
    }
    let sequence = finish.is_some_and(|finish| finish.stop_sequence.is_some());
    losses.dropped_if(sequence, "stop_sequence", "the format does not say which one it was");
    word
}

/// The parts of an answer, each list without its brackets.
#[derive(Debug, Default)]
struct Message {
    content: String,
    items: u32,
    plan: String,
    calls: String,
    citations: String,
}

impl Message {
    fn of(candidate: &Candidate, losses: &mut Losses) -> Self {
        let mut message = Self::default();
        for (at, part) in candidate.parts.iter().enumerate() {
            message.part(part, losses, PartPath { message: None, part: at });
        }
        losses.foreign("message.", &candidate.extensions, FORMAT);
        message
    }

    fn part(&mut self, part: &Part, losses: &mut Losses, place: PartPath) {
        match part {
            Part::Text(text) => self.text(text, losses, place),
            Part::Refusal(words) => {
                losses.approximated(place.field("refusal"), "written as text");
                self.text(&TextPart::new(words), losses, place);
            }
            Part::Reasoning(thought) => self.thought(thought, losses, place),
            Part::ToolCall(call) => {
                item(&mut self.calls, |o| tool_call(o, call, &call.name, losses, place));
            }
            Part::Opaque(opaque) if opaque.format == FORMAT => {
                raw_item(&mut self.content, &opaque.json);
                self.items += 1;
            }
            Part::Opaque(opaque) => losses.dropped(place.field(&opaque.kind), "it belongs to another format"),
            Part::Media(_) => losses.dropped(place.field(""), "answers of this format hold no media"),
            Part::ToolResult(_) => losses.dropped(place.field(""), "answers of this format hold no tool results"),
        }
    }

    fn item(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        item(&mut self.content, members);
        self.items += 1;
    }

    fn text(&mut self, text: &TextPart, losses: &mut Losses, place: PartPath) {
        losses.dropped_if(text.signature.is_some(), &place.field("signature"), "the format has no place for it");
        for one in text.citations.iter().filter(|one| !citation::is_further(one)) {
            if let Some(json) = citation::write(one, self.items, &text.text, losses, place) {
                raw_item(&mut self.citations, &json);
            }
        }
        if !text.text.is_empty() {
            self.item(|o| {
                o.str("type", "text");
                o.str("text", &text.text);
                write::extensions(o, &text.extensions, losses, &place.members());
            });
        }
    }

    fn thought(&mut self, thought: &ReasoningPart, losses: &mut Losses, place: PartPath) {
        let opaque = thought.signature.is_some() || thought.encrypted.is_some();
        losses.dropped_if(opaque, &place.field("signature"), "the format has no place for it");
        let Some(text) = thought.text.as_deref().filter(|text| !text.is_empty()) else { return };
        if marked(&thought.extensions, PLAN) {
            return self.plan.push_str(text);
        }
        self.item(|o| {
            o.str("type", "thinking");
            o.str("thinking", text);
            write::extensions(o, &thought.extensions, losses, &place.members());
        });
    }

    fn write(&self, o: &mut Object<'_>, candidate: Option<&Candidate>) {
        let kept = candidate.map(|first| first.extensions.as_slice()).unwrap_or_default();
        o.str("role", "assistant");
        if !self.content.is_empty() {
            o.raw("content", &format!("[{}]", self.content));
        } else if self.calls.is_empty() {
            // Clients access the first item without checking that there is one.
            o.raw("content", r#"[{"type":"text","text":""}]"#);
        }
        if !self.plan.is_empty() {
            quote(o.value("tool_plan"), &self.plan);
        }
        if !self.calls.is_empty() {
            o.raw("tool_calls", &format!("[{}]", self.calls));
        }
        let further = extension(kept, FORMAT, CITATIONS);
        let further = further.and_then(|json| json.trim().strip_prefix('[')?.strip_suffix(']')).unwrap_or_default();
        if !self.citations.is_empty() || !further.is_empty() {
            let comma = if self.citations.is_empty() || further.is_empty() { "" } else { "," };
            o.raw(CITATIONS, &format!("[{}{comma}{further}]", self.citations));
        }
        own(kept, FORMAT).filter(|own| own.key != CITATIONS).for_each(|own| o.raw(&own.key, &own.json));
    }
}
