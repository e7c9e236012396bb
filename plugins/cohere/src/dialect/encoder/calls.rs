//! Calls of a stream, one after the other: clients add arguments to the call that started last.

use weir_sdk::json::escape;
use weir_sdk::types::{PartDelta, ToolKind, ToolStart};

use super::{ChatEncoder, Kind, Open, frames};

/// What surrounds free text in the arguments, which are an object here.
const FREE_START: &str = "{\"input\":\"";
pub(super) const FREE_END: &str = "\"}";

/// A call that began before the one ahead of it had ended.
#[derive(Debug)]
pub(super) struct Waiting {
    part: u32,
    call: ToolStart,
    arguments: String,
    ended: bool,
}

impl ChatEncoder {
    /// Starts a call, unless another one is being written; returns its number.
    pub(super) fn call(&mut self, part: u32, call: ToolStart) -> Option<u32> {
        if self.open.iter().any(|open| matches!(open.kind, Kind::Call { .. })) {
            self.waiting.push_back(Waiting { part, call, arguments: String::new(), ended: false });
            return None;
        }
        Some(self.started(&call))
    }

    /// Writes the start of a call, whose number is the next.
    fn started(&mut self, call: &ToolStart) -> u32 {
        let index = self.calls;
        self.calls += 1;
        self.frames.push(frames::tool_call_start(index, call));
        if call.kind == ToolKind::Custom {
            self.frames.push(frames::tool_call_delta(index, FREE_START));
        }
        index
    }

    /// Adds to the arguments of a call.
    pub(super) fn arguments(&mut self, delta: &PartDelta, index: Option<u32>, free: bool) {
        if let Some(index) = index {
            self.piece(index, &delta.text, free);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.part == delta.part) {
            waiting.arguments.push_str(&delta.text);
        }
    }

    fn piece(&mut self, index: u32, text: &str, free: bool) {
        if !free {
            return self.frames.push(frames::tool_call_delta(index, text));
        }
        let mut escaped = String::with_capacity(text.len() + 8);
        escape(&mut escaped, text);
        self.frames.push(frames::tool_call_delta(index, &escaped));
    }

    /// Ends a part, and lets the calls that waited for it go on.
    pub(super) fn stop(&mut self, part: u32) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.part == part) {
            waiting.ended = true;
            return;
        }
        let Some(at) = self.open.iter().position(|open| open.part == part) else { return };
        let open = self.open.remove(at);
        self.end(&open);
        if matches!(open.kind, Kind::Call { .. }) {
            self.go_on();
        }
    }

    /// Writes the calls that wait, up to the first that has not ended.
    fn go_on(&mut self) {
        while let Some(next) = self.waiting.pop_front() {
            let number = self.started(&next.call);
            if !next.arguments.is_empty() {
                self.piece(number, &next.arguments, next.call.kind == ToolKind::Custom);
            }
            let index = Some(number);
            let Some(at) = self.open.iter().position(|open| open.part == next.part) else { continue };
            if next.ended {
                let open = Open { index, ..self.open.remove(at) };
                self.end(&open);
                continue;
            }
            if let Some(open) = self.open.get_mut(at) {
                open.index = index;
            }
            return;
        }
    }
}
