//! Renders streamed answers: from events of the unified model to those of Responses.
//!
//! Sequence numbers only grow, items keep their ids, each item is added and done once, and the last event has the whole
//! answer.

mod item;
mod items;
mod late;
mod thinking;

use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::compat::logprobs;
use weir_sdk::compat::responses::{FORMAT, THINKING_PART, THINKING_TEXT};
use weir_sdk::json::{self, Object, Rest};
use weir_sdk::losses::{Losses, is_note};
use weir_sdk::tier;
use weir_sdk::types::{
    ChatEvent, Context, Encoded, Error, Extension, Finish, FinishReason, Frame, Opaque, ResponseStart, Usage,
};

use self::item::Item;
use self::items::Unopened;
use super::{Frame as Answer, failure, status, write_response};
use crate::free_text::{FreeText, Restorer};

/// Renders the events of one answer.
#[derive(Debug)]
pub struct EventEncoder {
    ctx: Context,
    free_text: Restorer,
    sequence: u32,
    start: Option<ResponseStart>,
    items: Vec<Item>,
    /// The text that no item has yet.
    unopened: Option<Unopened>,
    /// Finished items and their indices.
    done: Vec<(u32, String)>,
    /// The provider's id and phase for the next item.
    hint: Option<(String, Option<String>)>,
    /// Announced items that only this format has, with their indices.
    announced: Vec<(String, u32)>,
    next: u32,
    refused: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
    /// Log probabilities whose text has not arrived, as the inside of a list.
    logprobs: String,
    /// Whether some of them came with thinking or with a call, to which all of them may belong.
    is_unsure: bool,
    /// Members that arrived at the end, as an object.
    news: Option<String>,
    ended: bool,
    frames: Vec<Frame>,
    losses: Losses,
}

impl Encoder for EventEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            free_text: Restorer::new(FreeText::of_responses(&ctx.memo)),
            ctx,
            sequence: 0,
            start: None,
            items: Vec::new(),
            unopened: None,
            done: Vec::new(),
            hint: None,
            announced: Vec::new(),
            next: 0,
            refused: false,
            finish: None,
            usage: None,
            logprobs: String::new(),
            is_unsure: false,
            news: None,
            ended: false,
            frames: Vec::new(),
            losses: Losses::default(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        for event in self.free_text.restore(events) {
            if !self.ended {
                self.event(event);
            }
        }
        Ok(self.take())
    }

    /// Writes the last event: usage may arrive after the finish, so it is delayed until here.
    fn finish(&mut self) -> Result<Encoded> {
        if !self.ended {
            self.begin();
            let finish = self.finish.take();
            let reason = finish.as_ref().map_or(FinishReason::Other, |finish| finish.reason);
            let (status, incomplete, same) = status(reason, self.refused);
            self.close_all(if incomplete.is_some() { "incomplete" } else { "completed" });
            let late = std::mem::take(&mut self.logprobs);
            self.place_late(&late);
            if !same {
                let raw = finish.and_then(|finish| finish.raw).unwrap_or_else(|| "no reason given".to_owned());
                self.losses.approximated("status", &raw);
            }
            self.last(status, incomplete, failure(reason).as_ref());
        }
        Ok(self.take())
    }
}

impl EventEncoder {
    fn take(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    /// Writes one event.
    fn emit(&mut self, kind: &str, members: impl FnOnce(&mut Object<'_>)) {
        let mut data = String::with_capacity(160);
        let sequence = self.sequence;
        self.sequence += 1;
        json::object(&mut data, |o| {
            o.str("type", kind);
            o.num("sequence_number", sequence);
            members(o);
        });
        self.frames.push(Frame { event: Some(kind.to_owned()), data });
    }

    fn event(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Start(mut start) => {
                self.losses.foreign("", &start.extensions, FORMAT);
                let tier = tier::answered(start.service_tier.as_deref(), tier::RESPONSES, &mut self.losses);
                start.service_tier = tier.map(str::to_owned);
                self.start = Some(start);
                self.begin();
            }
            ChatEvent::PartStart(start) if start.candidate == 0 => self.part_start(start),
            ChatEvent::Delta(delta) if delta.candidate == 0 => self.delta(delta.part, &delta.text),
            ChatEvent::Signature(event) if event.candidate == 0 => self.signature(event),
            ChatEvent::Citation(event) if event.candidate == 0 => self.citation(event),
            ChatEvent::PartStop(stop) if stop.candidate == 0 => self.part_stop(stop),
            ChatEvent::Finish(event) if event.candidate == 0 => self.finish = Some(event.finish),
            ChatEvent::PartStart(_) => self.losses.dropped("choices", "an answer is one here: the first"),
            ChatEvent::Usage(tokens) => self.usage(tokens),
            ChatEvent::Failure(error) => self.failure(&error),
            ChatEvent::Opaque(opaque) => self.opaque(&opaque),
            ChatEvent::Logprobs(event) if event.candidate == 0 => logprobs::add_tokens(&event.json, &mut self.logprobs),
            _ => {}
        }
    }

    /// Writes the first two events, once.
    fn begin(&mut self) {
        if self.sequence > 0 {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let answer = self.answer("in_progress", None, None);
            self.emit(kind, |o| o.raw("response", &answer));
        }
    }

    /// The response object in its current state.
    fn answer(&self, status: &'static str, incomplete: Option<&'static str>, error: Option<&Error>) -> String {
        let empty: &[Extension] = &[];
        let start = self.start.as_ref();
        let frame = Answer {
            id: start.map(|start| start.id.clone()).unwrap_or_default(),
            model: start.and_then(|start| start.model.as_deref()),
            created_ms: start.and_then(|start| start.created_ms),
            tier: start.and_then(|start| start.service_tier.as_deref()),
            status,
            incomplete,
            error,
            usage: self.usage.as_ref(),
            extensions: start.map_or(empty, |start| &start.extensions),
            news: self.news.as_deref(),
        };
        let mut out = String::with_capacity(512);
        let mut output: Vec<&(u32, String)> = self.done.iter().collect();
        output.sort_by_key(|(at, _)| *at);
        let output: Vec<&str> = output.into_iter().map(|(_, item)| item.as_str()).collect();
        json::object(&mut out, |o| write_response(o, &self.ctx, &frame, &output));
        out
    }

    fn last(&mut self, status: &'static str, incomplete: Option<&'static str>, error: Option<&Error>) {
        self.ended = true;
        let answer = self.answer(status, incomplete, error);
        // Clients wait for one of three last events; none of them is of an answer that pauses.
        let kind = if status == "in_progress" { "completed" } else { status };
        self.emit(&format!("response.{kind}"), |o| o.raw("response", &answer));
    }

    /// Ends a failed stream in the one way that every client of this format understands (C-19, C-21).
    fn failure(&mut self, error: &Error) {
        self.begin();
        self.last("failed", None, Some(error));
    }

    /// Later figures replace earlier ones.
    fn usage(&mut self, tokens: Usage) {
        self.losses.foreign("usage.", &tokens.extensions, FORMAT);
        self.usage.get_or_insert_default().update(tokens);
    }

    /// Takes an event that only this format has: notes are recorded, others are passed on with a new sequence number.
    fn opaque(&mut self, opaque: &Opaque) {
        if opaque.format != FORMAT {
            let lost = !is_note(opaque);
            return self.losses.dropped_if(lost, &opaque.kind, "only its own format has such events");
        }
        self.open_text();
        if let Some((id, phase)) = opaque.kind.strip_prefix("item=").and_then(|note| note.split_once('\t')) {
            self.close_message();
            self.hint = Some((id.to_owned(), (phase != "null").then(|| phase.to_owned())));
        } else if let Some(news) = opaque.kind.strip_prefix("end=") {
            self.news = Some(news.to_owned());
        } else if opaque.kind == THINKING_TEXT {
            self.thinking_is_text();
        } else if opaque.kind == THINKING_PART {
            self.next_thought();
        } else if !is_note(opaque) {
            self.begin();
            self.pass(&opaque.kind, &opaque.json);
        }
    }

    fn pass(&mut self, kind: &str, json: &str) {
        let Ok(mut wire) = Rest::parse(json) else { return };
        wire.take("type");
        wire.take("sequence_number");
        if kind == "response.output_item.added" {
            self.close_message();
            let at = wire.get("output_index").and_then(|raw| raw.get().parse::<u32>().ok()).unwrap_or(self.next);
            let id = wire.get("item").and_then(|raw| Rest::parse(raw.get()).ok()).and_then(|mut item| item.str("id"));
            self.announced.push((id.map(json::Str::into_string).unwrap_or_default(), at));
            self.next = self.next.max(at.saturating_add(1));
        }
        self.emit(kind, |o| wire.0.iter().for_each(|(key, value)| o.raw(key, value.get())));
    }
}

#[cfg(test)]
mod tests;
