//! Calls of a stream, one after the other: clients add arguments to the call that started last.

use weir_sdk::types::{PartDelta, ToolStart};

use super::{ChatEncoder, Kind, Open, frames};

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
        if self.open.iter().any(|open| open.kind == Kind::Call) {
            self.waiting.push_back(Waiting { part, call, arguments: String::new(), ended: false });
            return None;
        }
        self.frames.push(frames::tool_call_start(self.calls, &call));
        self.calls += 1;
        Some(self.calls - 1)
    }

    /// Adds to the arguments of a call.
    pub(super) fn arguments(&mut self, delta: &PartDelta, index: Option<u32>) {
        if let Some(index) = index {
            self.frames.push(frames::tool_call_delta(index, &delta.text));
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.part == delta.part) {
            waiting.arguments.push_str(&delta.text);
        }
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
        if open.kind == Kind::Call {
            self.go_on();
        }
    }

    /// Writes the calls that wait, up to the first that has not ended.
    fn go_on(&mut self) {
        while let Some(next) = self.waiting.pop_front() {
            let index = Some(self.calls);
            self.frames.push(frames::tool_call_start(self.calls, &next.call));
            if !next.arguments.is_empty() {
                self.frames.push(frames::tool_call_delta(self.calls, &next.arguments));
            }
            self.calls += 1;
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
