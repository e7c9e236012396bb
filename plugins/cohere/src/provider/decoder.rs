//! Parses a streamed answer.
//!
//! The start is reported together with the event after it, because only that shows whether the model thinks or plans.

pub(crate) mod parts;

use parts::Parts;
use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::{Str, parse};
use weir_sdk::names::Names;
use weir_sdk::types::{CandidateFinish, CandidateLogprobs, ChatEvent, Context, Decoded, Error, Frame, ResponseStart};

use crate::wire::{DeltaMessage, Event};
use crate::write::mark;
use crate::{PLAN, error, finish, legacy, logprobs, read, usage};

/// Parses frames of this format.
#[derive(Debug)]
pub struct ChatDecoder {
    names: Names,
    start: Option<ResponseStart>,
    parts: Parts,
    /// Whether a finish reason, the end, or an error has arrived: nothing is missing.
    ended: bool,
    events: Vec<ChatEvent>,
}

impl Decoder for ChatDecoder {
    fn new(ctx: Context) -> Self {
        let names = super::names().with_memo(&ctx.memo);
        Self { names, start: None, parts: Parts::default(), ended: false, events: Vec::new() }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        self.events.reserve(frames.len() + 1);
        for frame in &frames {
            self.frame(frame)?;
        }
        Ok(self.decoded())
    }

    /// Fails without an end: the answer was cut off, even if its bytes ended in an orderly way (C-19, C-91).
    fn finish(&mut self) -> Result<Decoded> {
        if !self.ended {
            self.fail(Error::unreadable("the answer ended before it was complete"));
        }
        Ok(self.decoded())
    }
}

impl ChatDecoder {
    fn decoded(&mut self) -> Decoded {
        Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() }
    }

    fn frame(&mut self, frame: &Frame) -> Result<()> {
        let data = frame.data.trim();
        if data.is_empty() || data == "[DONE]" || self.ended {
            return Ok(());
        }
        let event: Event<'_> =
            parse(data).map_err(|error| Error::unreadable(format!("a frame cannot be read: {error}")))?;
        let kind = event.kind.as_deref().or(frame.event.as_deref()).unwrap_or_default().to_owned();
        match kind.as_str() {
            "message-start" => {
                let id = event.id.map(Str::into_string).unwrap_or_default();
                let empty =
                    ResponseStart { id, model: None, created_ms: None, service_tier: None, extensions: Vec::new() };
                self.start = Some(empty);
                return Ok(());
            }
            "message-end" => self.end(event),
            "content-start" | "content-delta" | "content-end" | "tool-plan-delta" | "tool-call-start"
            | "tool-call-delta" | "tool-call-end" | "citation-start" | "citation-end" => self.part(&kind, event)?,
            _ => self.other(&kind, &event, data)?,
        }
        Ok(())
    }

    /// Reports the start, unless that has been done.
    fn begin(&mut self, plans: bool) {
        if let Some(mut start) = self.start.take() {
            if plans {
                start.extensions.push(mark(PLAN, "null"));
            }
            self.events.push(ChatEvent::Start(start));
        }
    }

    fn part(&mut self, kind: &str, event: Event<'_>) -> Result<()> {
        self.begin(kind == "tool-plan-delta");
        let index = event.index.map_or(0, |index| index.0);
        let message = event.delta.and_then(|delta| delta.message).unwrap_or_default();
        let DeltaMessage { content, tool_plan, tool_calls, citations, .. } = message;
        let content = content.and_then(|one| one.0);
        let call = tool_calls.and_then(|one| one.0);
        let (parts, events) = (&mut self.parts, &mut self.events);
        match kind {
            "content-start" => parts.content(index, content.unwrap_or_default(), true, events)?,
            "content-delta" => {
                if let Some(item) = event.logprobs {
                    let json = logprobs::to_chat(&[item]);
                    events.push(ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json }));
                }
                parts.content(index, content.unwrap_or_default(), false, events)?;
            }
            "content-end" => parts.content_end(index, events),
            "tool-plan-delta" => parts.plan(tool_plan.map(Str::into_string).unwrap_or_default(), events)?,
            "tool-call-start" => parts.call(index, call.unwrap_or_default(), &self.names, events)?,
            "tool-call-delta" => {
                let function = call.and_then(|call| call.function);
                parts.arguments(index, &read::arguments(function.and_then(|function| function.arguments)), events);
            }
            "tool-call-end" => parts.call_end(index, events),
            "citation-start" => {
                if let Some(raw) = citations.and_then(|one| one.0) {
                    parts.citation(raw, events);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, event: Event<'_>) {
        self.begin(false);
        let delta = event.delta.unwrap_or_default();
        let message = delta.error.and_then(error::words);
        if let Some(usage) = delta.usage {
            self.events.push(ChatEvent::Usage(usage::read(usage)));
        }
        let reason = delta.finish_reason.map(Str::into_string);
        let failed = reason.as_deref().and_then(|raw| finish::failure(raw, message.clone()));
        if let Some(error) = failed.or_else(|| message.map(|message| error::of_message(Some(message)))) {
            return self.fail(error);
        }
        self.ended = true;
        self.parts.close(&mut self.events);
        if let Some(raw) = reason {
            let finish = finish::read(&raw, self.parts.called());
            self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
        }
    }

    /// Parses frames of the older API and errors, and passes on unknown frames.
    fn other(&mut self, kind: &str, event: &Event<'_>, data: &str) -> Result<()> {
        if kind.is_empty() && legacy::is_event(data) {
            self.begin(false);
            self.ended = legacy::event(data, &mut self.parts, &self.names, &mut self.events)?;
            return Ok(());
        }
        let spoken = event.message.is_some_and(|raw| raw.get().starts_with('"'));
        if kind == "error" || spoken {
            self.fail(error::from_json(data, None));
        } else if !kind.is_empty() {
            self.begin(false);
            let opaque = weir_sdk::types::Opaque { format: crate::FORMAT.into(), kind: kind.into(), json: data.into() };
            self.events.push(ChatEvent::Opaque(opaque));
        }
        Ok(())
    }

    fn fail(&mut self, error: Error) {
        self.ended = true;
        self.begin(false);
        self.events.push(ChatEvent::Failure(error));
    }
}
