//! The calls of a candidate: a piece that arrives, their starts and their ends.

use super::{Candidate, Exchange};
use crate::compat::decoder::calls::{Call, CallPiece, Stage};
use crate::compat::{response, wire};
use crate::types::{ChatEvent, PartDelta, PartKind, PartStop, ToolKind, ToolStart};

impl Candidate {
    pub(super) fn call(&mut self, exchange: &mut Exchange<'_>, wire: wire::ToolCall<'_>) {
        let piece = CallPiece::new(wire);
        let Some(at) = Call::find(&self.calls, &piece).or_else(|| {
            piece.opens().then(|| {
                self.calls.push(Call::default());
                self.calls.len() - 1
            })
        }) else {
            exchange.losses.dropped("choices[].delta.tool_calls", "arguments came before any call");
            return;
        };
        if self.calls.iter().enumerate().any(|(other, call)| call.stage == Stage::Held && other != at) {
            self.release(exchange);
        }
        let taken = |id: &str| self.calls.iter().enumerate().any(|(other, call)| other != at && call.id == id);
        let fresh = piece.id.as_deref().is_some_and(|id| !taken(id));
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.part.is_some() && call.stage != Stage::Stopped {
            let (part, index) = (call.part.unwrap_or_default(), self.index);
            if let Some(text) = call.add(piece) {
                exchange.events.push(ChatEvent::Delta(PartDelta { candidate: index, part, text }));
            }
            return;
        }
        if call.stage == Stage::Stopped {
            return;
        }
        if call.id.is_empty() && fresh {
            call.id = piece.id.clone().unwrap_or_default();
        }
        call.learn(piece);
        if call.name.is_empty() || call.stage == Stage::Held {
            return;
        }
        self.start_call(exchange, at);
    }

    /// Starts the call whose name might have gone on, because something else follows.
    pub(super) fn release(&mut self, exchange: &mut Exchange<'_>) {
        if let Some(at) = self.calls.iter().position(|call| call.stage == Stage::Held) {
            self.start_call(exchange, at);
        }
    }

    fn start_call(&mut self, exchange: &mut Exchange<'_>, at: usize) {
        let index = self.index;
        let Exchange { ctx, renamed, events, .. } = exchange;
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.id.is_empty() {
            call.id = response::made_id(ctx, index, at as u32);
        }
        call.stage = Stage::Open;
        let kind = if call.custom { ToolKind::Custom } else { ToolKind::Function };
        let (name, signature) = (renamed.original(&call.name).to_owned(), call.signature.take());
        let start = ToolStart { id: call.id.clone(), name, kind, signature };
        let text = std::mem::take(&mut call.waiting);
        self.stop_words(events);
        self.settle(events);
        let part = self.start(events, PartKind::ToolCall(start));
        if let Some(call) = self.calls.get_mut(at) {
            call.part = Some(part);
        }
        if !text.is_empty() {
            events.push(ChatEvent::Delta(PartDelta { candidate: self.index, part, text }));
        }
    }

    /// Stops the calls whose arguments are complete, so that the next part need not wait for them.
    pub(super) fn settle(&mut self, events: &mut Vec<ChatEvent>) {
        for at in 0..self.calls.len() {
            if self.calls.get(at).is_some_and(|call| call.json.complete) {
                self.stop_call(events, at);
            }
        }
    }

    /// Gives an empty object to a function that was called without arguments, as in a whole answer (C-05). A call that
    /// was cut off stays as it is: it must not become one that can be run.
    pub(super) fn fill_call(&self, events: &mut Vec<ChatEvent>, at: usize) {
        let is_empty = |call: &&Call| !call.custom && call.stage != Stage::Stopped && !call.spoke;
        let Some(part) = self.calls.get(at).filter(is_empty).and_then(|call| call.part) else { return };
        events.push(ChatEvent::Delta(PartDelta { candidate: self.index, part, text: "{}".to_owned() }));
    }

    pub(super) fn stop_call(&mut self, events: &mut Vec<ChatEvent>, at: usize) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let Some(part) = call.part.filter(|_| call.stage != Stage::Stopped) else { return };
        call.stage = Stage::Stopped;
        let extensions = std::mem::take(&mut call.extensions);
        events.push(ChatEvent::PartStop(PartStop { candidate: self.index, part, extensions }));
    }
}
