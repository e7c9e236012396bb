//! Whether a decoder's events are a story that needs no mending. The referee mends what it can in production; an adapter
//! that counts on that has a mistake which a client of another format would notice.

use crate::contract::types::{ChatEvent, FinishReason, Part, PartKind, ToolKind};

use super::fold::{Folded, fold};

/// What is wrong with a stream's events: the number of the event, and why. An event past the last one stands for the end.
pub(super) fn flaw(events: &[ChatEvent], is_cut: bool) -> Option<(usize, String)> {
    let mut story = Story::default();
    for (number, event) in events.iter().enumerate() {
        if let Some(flaw) = story.take(event) {
            return Some((number, flaw));
        }
    }
    let has_ended = story.failed || story.finished.len() >= story.candidates.len().max(1);
    if !has_ended && !is_cut {
        return Some((events.len(), "the stream ends without a finish".to_owned()));
    }
    let Folded { response, failure } = fold(events);
    if failure.is_some() || is_cut {
        return None;
    }
    response.candidates.iter().find_map(|candidate| {
        let finish = candidate.finish.as_ref().map(|finish| finish.reason);
        let flaw = arguments(&candidate.parts, finish)?;
        Some((events.len(), flaw))
    })
}

/// Whether the arguments of a function's call are JSON, unless the answer stopped in the middle of them.
pub(super) fn arguments(parts: &[Part], finish: Option<FinishReason>) -> Option<String> {
    let whole = matches!(
        finish,
        Some(FinishReason::Complete | FinishReason::ToolCalls | FinishReason::StopSequence | FinishReason::Paused)
    );
    parts.iter().filter(|_| whole).find_map(|part| match part {
        Part::ToolCall(call) if call.kind == ToolKind::Function && !call.arguments.is_empty() => {
            let error = serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).err()?;
            Some(format!("the arguments of the call of `{}` are no JSON ({error}): {}", call.name, call.arguments))
        }
        _ => None,
    })
}

#[derive(Default)]
struct Story {
    started: bool,
    failed: bool,
    candidates: Vec<u32>,
    finished: Vec<u32>,
    /// Parts that have begun, whether a tool's call, and whether they have stopped.
    parts: Vec<Told>,
}

struct Told {
    candidate: u32,
    part: u32,
    has_stopped: bool,
}

impl Story {
    fn take(&mut self, event: &ChatEvent) -> Option<String> {
        if self.failed {
            return Some("an event follows the failure".to_owned());
        }
        match event {
            ChatEvent::Start(_) if std::mem::replace(&mut self.started, true) => {
                Some("the answer starts a second time".to_owned())
            }
            ChatEvent::PartStart(start) => self.begin(start.candidate, start.part, &start.kind),
            ChatEvent::Delta(delta) => self.go_on(delta.candidate, delta.part, "text comes for"),
            ChatEvent::Citation(cited) => self.go_on(cited.candidate, cited.part, "a citation comes for"),
            // A signature may come for a part of its own.
            ChatEvent::Signature(signed) => {
                self.is_over(signed.candidate, signed.part).then(|| stopped("a signature comes for", signed.part))
            }
            ChatEvent::PartStop(stop) => {
                let flaw = self.go_on(stop.candidate, stop.part, "a stop comes for");
                let open =
                    self.parts.iter_mut().rev().find(|told| (told.candidate, told.part) == (stop.candidate, stop.part));
                if let Some(told) = open {
                    told.has_stopped = true;
                }
                flaw
            }
            ChatEvent::Finish(finish) => {
                if self.finished.contains(&finish.candidate) {
                    return Some(format!("candidate {} finishes a second time", finish.candidate));
                }
                self.note(finish.candidate);
                self.finished.push(finish.candidate);
                None
            }
            ChatEvent::Failure(_) => {
                self.failed = true;
                None
            }
            _ => None,
        }
    }

    fn note(&mut self, candidate: u32) {
        if !self.candidates.contains(&candidate) {
            self.candidates.push(candidate);
        }
    }

    fn begin(&mut self, candidate: u32, part: u32, kind: &PartKind) -> Option<String> {
        self.note(candidate);
        if self.finished.contains(&candidate) {
            return Some(format!("part {part} begins after the finish"));
        }
        let is_open = |told: &Told| (told.candidate, told.part) == (candidate, part) && !told.has_stopped;
        if self.parts.iter().any(is_open) {
            return Some(format!("part {part} begins a second time"));
        }
        if let PartKind::ToolCall(call) = kind
            && call.name.is_empty()
        {
            return Some(format!("part {part} is a call of a tool without a name"));
        }
        self.parts.push(Told { candidate, part, has_stopped: false });
        None
    }

    fn is_over(&self, candidate: u32, part: u32) -> bool {
        let last = self.parts.iter().rev().find(|told| (told.candidate, told.part) == (candidate, part));
        last.is_some_and(|told| told.has_stopped)
    }

    fn go_on(&self, candidate: u32, part: u32, what: &str) -> Option<String> {
        let last = self.parts.iter().rev().find(|told| (told.candidate, told.part) == (candidate, part));
        match last {
            None => Some(format!("{what} part {part}, which has not begun")),
            Some(told) if told.has_stopped => Some(stopped(what, part)),
            Some(_) => None,
        }
    }
}

fn stopped(what: &str, part: u32) -> String {
    format!("{what} part {part}, which has stopped")
}
