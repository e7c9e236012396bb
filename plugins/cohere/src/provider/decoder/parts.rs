//! The parts of a streamed answer: those that have started, and their numbers on the wire.

use weir_sdk::adapter::Result;
use weir_sdk::json::{RawValue, Str};
use weir_sdk::names::Names;
use weir_sdk::types::{ChatEvent, Error, PartCitation, PartDelta, PartKind, PartStart, PartStop, ToolKind, ToolStart};

use crate::citation::{self, Target};
use crate::read;
use crate::wire::{Item, ToolCall};

/// Most parts that may be open at once.
const OPEN_LIMIT: usize = 256;

/// A part's number on the wire. Content and calls have separate numbers; the plan has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Text(u32),
    Thinking(u32),
    Plan,
    Call(u32),
}

impl Wire {
    fn is_content(self, index: u32) -> bool {
        self == Self::Text(index) || self == Self::Thinking(index)
    }
}

/// The open parts: the number on the wire, the number as a part, and whether a delta has arrived.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    open: Vec<(Wire, u32, bool)>,
    next: u32,
    called: bool,
    /// A text that the service has ended. It is stopped when the next part starts, since its citations may arrive late.
    text: Option<u32>,
}

impl Parts {
    /// Whether a tool was called.
    pub(crate) fn called(&self) -> bool {
        self.called
    }

    fn begin(&mut self, wire: Wire, kind: PartKind, events: &mut Vec<ChatEvent>) -> Result<u32> {
        if self.open.len() >= OPEN_LIMIT {
            return Err(Error::unreadable("too many parts are open at once"));
        }
        if let Some(part) = self.text.take() {
            self.stop(part, events);
        }
        let part = self.next;
        self.next += 1;
        self.open.push((wire, part, false));
        events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind }));
        Ok(part)
    }

    fn stop(&mut self, part: u32, events: &mut Vec<ChatEvent>) {
        if let Some(at) = self.open.iter().position(|(_, known, _)| *known == part) {
            self.open.remove(at);
            events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }));
        }
    }

    fn delta(&mut self, part: u32, text: String, events: &mut Vec<ChatEvent>) {
        if text.is_empty() {
            return;
        }
        if let Some((.., some)) = self.open.iter_mut().find(|(_, known, _)| *known == part) {
            *some = true;
        }
        events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text }));
    }

    /// Starts or extends content. A delta without a start begins its part (C-06); one of another kind than the part's
    /// begins a new one.
    pub(crate) fn content(
        &mut self,
        index: u32,
        item: Item<'_>,
        begins: bool,
        events: &mut Vec<ChatEvent>,
    ) -> Result<()> {
        let thinks = item.kind.as_deref() == Some("thinking") || item.thinking.as_ref().is_some_and(|t| !t.is_empty());
        let words = item.thinking.filter(|text| !text.is_empty()).or(item.text);
        let text = words.map(Str::into_string).unwrap_or_default();
        let open = self.open.iter().rev().find(|(wire, ..)| wire.is_content(index)).copied();
        let part = match open {
            Some((wire, part, _)) if !begins && (text.is_empty() || (wire == Wire::Thinking(index)) == thinks) => part,
            other => {
                if let Some((_, part, _)) = other {
                    self.stop(part, events);
                }
                if text.is_empty() && !begins {
                    return Ok(());
                }
                let (wire, kind) = if thinks {
                    (Wire::Thinking(index), PartKind::Reasoning)
                } else {
                    (Wire::Text(index), PartKind::Text)
                };
                self.begin(wire, kind, events)?
            }
        };
        self.delta(part, text, events);
        Ok(())
    }

    pub(crate) fn content_end(&mut self, index: u32, events: &mut Vec<ChatEvent>) {
        match self.open.iter().rev().find(|(wire, ..)| wire.is_content(index)).copied() {
            Some((Wire::Text(_), part, _)) => self.text = Some(part),
            Some((_, part, _)) => self.stop(part, events),
            None => {}
        }
    }

    pub(crate) fn plan(&mut self, text: String, events: &mut Vec<ChatEvent>) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let open = self.open.iter().find(|(wire, ..)| *wire == Wire::Plan).map(|(_, part, _)| *part);
        let part = match open {
            Some(part) => part,
            None => self.begin(Wire::Plan, PartKind::Reasoning, events)?,
        };
        self.delta(part, text, events);
        Ok(())
    }

    /// Starts a call, with the arguments that are already there.
    pub(crate) fn call(
        &mut self,
        index: u32,
        call: ToolCall<'_>,
        names: &Names,
        events: &mut Vec<ChatEvent>,
    ) -> Result<()> {
        self.call_end(index, events);
        if let Some((_, plan, _)) = self.open.iter().find(|(wire, ..)| *wire == Wire::Plan).copied() {
            self.stop(plan, events);
        }
        let function = call.function.unwrap_or_default();
        let name = function.name.map(Str::into_string).unwrap_or_default();
        let id = call.id.map(Str::into_string).unwrap_or_default();
        let start = ToolStart { id, name: names.restore(name), kind: ToolKind::Function, signature: None };
        self.called = true;
        let part = self.begin(Wire::Call(index), PartKind::ToolCall(start), events)?;
        self.delta(part, read::arguments(function.arguments), events);
        Ok(())
    }

    /// Extends the arguments of the call with this number, or of the one that started last (C-03).
    pub(crate) fn arguments(&mut self, index: u32, text: &str, events: &mut Vec<ChatEvent>) {
        let numbered = self.open.iter().rev().find(|(wire, ..)| *wire == Wire::Call(index));
        let last = || self.open.iter().rev().find(|(wire, ..)| matches!(wire, Wire::Call(_)));
        if let Some((_, part, _)) = numbered.or_else(last).copied() {
            self.delta(part, text.to_owned(), events);
        }
    }

    /// Ends a call; one without arguments gets empty ones (C-05).
    pub(crate) fn call_end(&mut self, index: u32, events: &mut Vec<ChatEvent>) {
        if let Some((_, part, some)) = self.open.iter().rev().find(|(wire, ..)| *wire == Wire::Call(index)).copied() {
            if !some {
                self.delta(part, "{}".into(), events);
            }
            self.stop(part, events);
        }
    }

    /// Adds a citation to its text: the one with the number that it names, else the last.
    pub(crate) fn citation(&mut self, raw: &RawValue, events: &mut Vec<ChatEvent>) {
        let (target, citations) = citation::read(raw);
        let text = |wire: Wire| match (wire, target) {
            (Wire::Text(index), Target::At(wanted)) => index == wanted,
            (Wire::Text(_), Target::AnyText) => true,
            _ => false,
        };
        if let Some((_, part, _)) = self.open.iter().rev().find(|(wire, ..)| text(*wire)) {
            let event = |citation| ChatEvent::Citation(PartCitation { candidate: 0, part: *part, citation });
            events.extend(citations.into_iter().map(event));
        } else if let Some(opaque) = citations.into_iter().find_map(|first| first.source) {
            let kind = "citation-start".into();
            events.push(ChatEvent::Opaque(weir_sdk::types::Opaque { kind, ..opaque }));
        }
    }

    /// Ends all open parts.
    pub(crate) fn close(&mut self, events: &mut Vec<ChatEvent>) {
        while let Some((wire, part, _)) = self.open.first().copied() {
            match wire {
                Wire::Call(index) => self.call_end(index, events),
                _ => self.stop(part, events),
            }
        }
    }
}
