//! Validates the events of a stream, whatever the format: an encoder gets a well-formed sequence even if the
//! decoder's is not.
//!
//! The rules: each part starts and stops once; parts are numbered without gaps in the order in which they begin;
//! there is one start, and one finish for each candidate; the finish reason is tool calls if there was a tool call;
//! nothing follows a failure; what is to be JSON is JSON.
//!
//! Finishes are held back until the stream ends. Some providers send one after each parallel call and continue; the
//! events that follow still belong to the answer.

mod excess;
mod reason;

use super::stated_json;
use excess::{Excess, MAX_CANDIDATES, MAX_PARTS};
use reason::{outranks, with_calls};
use weir_types::contract::types::{
    CandidateFinish, CandidateLogprobs, ChatEvent, ChatResponse, Error, Finish, FinishReason, Loss, LossKind, Part,
    PartCitation, PartDelta, PartKind, PartSignature, PartStart, PartStop, ResponseStart, ToolCall, ToolStart,
};

/// The state of one stream.
#[derive(Debug)]
pub struct EventValidator {
    request_id: String,
    started: bool,
    failed: bool,
    candidates: Vec<Candidate>,
    /// Of what the answer has more than may be.
    excess: Option<Excess>,
    losses: Vec<Loss>,
    /// Whether the encoder takes pieces of arguments by their place.
    takes_arguments: bool,
}

#[derive(Debug)]
struct Candidate {
    number: u32,
    next: u32,
    parts: Vec<OpenPart>,
    called: bool,
    /// The finish so far, sent at the end of the stream.
    finish: Option<Finish>,
}

/// An open part, with the decoder's number and with the number in the output.
#[derive(Debug)]
struct OpenPart {
    theirs: u32,
    ours: u32,
}

impl EventValidator {
    /// A validator for a new stream; `request_id` serves as the answer's id if the upstream sends none.
    pub fn new(request_id: &str) -> Self {
        Self {
            request_id: request_id.to_owned(),
            started: false,
            failed: false,
            candidates: Vec::new(),
            excess: None,
            losses: Vec::new(),
            takes_arguments: false,
        }
    }

    /// For an encoder of the decoder's family, which takes pieces of arguments by their place. Any other gets deltas.
    #[must_use]
    pub fn with_arguments(self, takes_arguments: bool) -> Self {
        Self { takes_arguments, ..self }
    }

    /// Whether a failure has been passed on.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether any candidate has a finish, be it passed on or held back.
    pub fn has_finish(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.finish.is_some())
    }

    /// Takes the losses: finish reasons that the validator had to invent, and values that were no JSON.
    pub fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// Checks the events of one read, and returns the events to encode.
    pub fn push(&mut self, mut events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.failed {
            return Vec::new();
        }
        events.retain_mut(|event| stated_json::clean_event(event, &mut self.losses));
        // Events are large. Most go on as they are, and are not moved.
        let Some(at) = events.iter_mut().position(|event| !self.passes(event)) else { return events };
        for event in events.split_off(at) {
            if self.failed {
                break;
            }
            self.judge(event, &mut events);
        }
        events
    }

    /// The upstream ended in an orderly way: closes open parts and finishes every candidate.
    pub fn end(&mut self) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        if self.failed {
            return out;
        }
        if let Some(excess) = self.excess {
            return self.fail(excess.into());
        }
        self.start(&mut out);
        if self.candidates.is_empty() {
            self.candidate(0);
        }
        self.candidates.sort_by_key(|candidate| candidate.number);
        for candidate in &mut self.candidates {
            if candidate.finish.is_none() {
                let note = Some("the upstream ended without a finish reason".to_owned());
                self.losses.push(Loss { field: "finish_reason".into(), kind: LossKind::Approximated, note });
            }
            candidate.end(&mut out);
        }
        out
    }

    /// Another target continues the stream: closes open parts, and numbers the new parts after the old ones.
    pub fn resume(&mut self) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        for candidate in &mut self.candidates {
            candidate.close_all(&mut out);
        }
        out
    }

    /// The upstream broke: passes one failure on. Finishes are sent before it only if all candidates have one.
    pub fn fail(&mut self, error: Error) -> Vec<ChatEvent> {
        let mut out = Vec::new();
        if std::mem::replace(&mut self.failed, true) {
            return out;
        }
        if self.candidates.iter().all(|candidate| candidate.finish.is_some()) {
            self.candidates.iter_mut().for_each(|candidate| candidate.end(&mut out));
        }
        out.push(ChatEvent::Failure(error));
        out
    }

    /// Checks an event where it is. Returns `false` if it cannot go on alone, or not at all; nothing has changed then.
    fn passes(&mut self, event: &mut ChatEvent) -> bool {
        match event {
            _ if self.excess.is_some() => false,
            ChatEvent::Start(start) => self.begins(start),
            _ if !self.started => false,
            ChatEvent::PartStart(start) => {
                let candidate = self.candidate(start.candidate);
                let (opens, is_full) = (candidate.opens(start), candidate.parts.len() > MAX_PARTS);
                self.excess = self.excess.or(is_full.then_some(Excess::Parts));
                opens
            }
            ChatEvent::Delta(delta) => self.candidate(delta.candidate).renumbers(&mut delta.part),
            ChatEvent::Argument(piece) => {
                self.takes_arguments && self.candidate(piece.candidate).renumbers(&mut piece.part)
            }
            ChatEvent::Signature(signature) => self.candidate(signature.candidate).renumbers(&mut signature.part),
            ChatEvent::Citation(citation) => self.candidate(citation.candidate).renumbers(&mut citation.part),
            ChatEvent::PartStop(stop) => self.candidate(stop.candidate).closes(stop),
            ChatEvent::Finish(_) | ChatEvent::Failure(_) => false,
            ChatEvent::Usage(_) | ChatEvent::Logprobs(_) | ChatEvent::Opaque(_) => true,
        }
    }

    fn judge(&mut self, mut event: ChatEvent, out: &mut Vec<ChatEvent>) {
        match event {
            ChatEvent::Start(_) => {}
            ChatEvent::Failure(error) => return out.append(&mut self.fail(error)),
            _ => self.start(out),
        }
        if let Some(excess) = self.excess {
            return out.append(&mut self.fail(excess.into()));
        }
        if self.passes(&mut event) {
            return out.push(event);
        }
        match event {
            ChatEvent::Delta(mut delta) => {
                delta.part = self.candidate(delta.candidate).part(delta.part, out);
                out.push(ChatEvent::Delta(delta));
            }
            ChatEvent::Argument(mut piece) => {
                piece.part = self.candidate(piece.candidate).part(piece.part, out);
                if self.takes_arguments {
                    out.push(ChatEvent::Argument(piece));
                } else if !piece.text.is_empty() {
                    out.push(ChatEvent::Delta(piece.into()));
                }
            }
            ChatEvent::Signature(mut signature) => {
                let candidate = self.candidate(signature.candidate);
                signature.part = candidate.part_of(signature.part, &PartKind::Reasoning, out);
                out.push(ChatEvent::Signature(signature));
            }
            ChatEvent::Citation(mut citation) => {
                citation.part = self.candidate(citation.candidate).part(citation.part, out);
                out.push(ChatEvent::Citation(citation));
            }
            ChatEvent::Finish(finish) => self.candidate(finish.candidate).finish(finish.finish),
            // A second start, of which the pipeline takes the model, and the stop of a part that is not open.
            _ => {}
        }
        let is_full = self.candidates.iter().any(|candidate| candidate.parts.len() > MAX_PARTS);
        self.excess = self.excess.or(is_full.then_some(Excess::Parts));
    }

    /// Whether this is the first start; without an id it gets one.
    fn begins(&mut self, start: &mut ResponseStart) -> bool {
        if std::mem::replace(&mut self.started, true) {
            return false;
        }
        if start.id.is_empty() {
            start.id.clone_from(&self.request_id);
        }
        true
    }

    fn start(&mut self, out: &mut Vec<ChatEvent>) {
        if !self.started {
            let id = self.request_id.clone();
            let start = ResponseStart { id, model: None, created_ms: None, service_tier: None, extensions: Vec::new() };
            self.started = true;
            out.push(ChatEvent::Start(start));
        }
    }

    fn candidate(&mut self, number: u32) -> &mut Candidate {
        let known = self.candidates.iter().position(|candidate| candidate.number == number);
        let at = known.unwrap_or_else(|| {
            self.candidates.push(Candidate { number, next: 0, parts: Vec::new(), called: false, finish: None });
            self.candidates.len() - 1
        });
        if at >= MAX_CANDIDATES {
            self.excess.get_or_insert(Excess::Candidates);
        }
        &mut self.candidates[at]
    }
}

impl Candidate {
    /// Opens and numbers a part, unless it is open.
    fn opens(&mut self, start: &mut PartStart) -> bool {
        if self.parts.iter().any(|part| part.theirs == start.part) {
            return false;
        }
        self.called |= matches!(start.kind, PartKind::ToolCall(_));
        let ours = self.next;
        self.next += 1;
        self.parts.push(OpenPart { theirs: start.part, ours });
        start.part = ours;
        true
    }

    /// Replaces the number of a part by the output's, if it is open.
    fn renumbers(&self, part: &mut u32) -> bool {
        let open = self.parts.iter().find(|open| open.theirs == *part);
        open.map(|open| *part = open.ours).is_some()
    }

    /// The output's number of a part; starts the part as text if it has not been started.
    fn part(&mut self, theirs: u32, out: &mut Vec<ChatEvent>) -> u32 {
        self.part_of(theirs, &PartKind::Text, out)
    }

    fn part_of(&mut self, theirs: u32, kind: &PartKind, out: &mut Vec<ChatEvent>) -> u32 {
        if let Some(part) = self.parts.iter().find(|part| part.theirs == theirs) {
            return part.ours;
        }
        let ours = self.next;
        let mut start = PartStart { candidate: self.number, part: theirs, kind: kind.clone() };
        if self.opens(&mut start) {
            out.push(ChatEvent::PartStart(start));
        }
        ours
    }

    /// Closes a part and gives its stop the output's number, if it is open.
    fn closes(&mut self, stop: &mut PartStop) -> bool {
        let Some(at) = self.parts.iter().position(|part| part.theirs == stop.part) else { return false };
        stop.part = self.parts.remove(at).ours;
        true
    }

    fn close_all(&mut self, out: &mut Vec<ChatEvent>) {
        for part in self.parts.drain(..) {
            let stop = PartStop { candidate: self.number, part: part.ours, extensions: Vec::new() };
            out.push(ChatEvent::PartStop(stop));
        }
    }

    /// Keeps a finish until the stream ends.
    fn finish(&mut self, finish: Finish) {
        if self.finish.as_ref().is_none_or(|known| outranks(finish.reason, known.reason)) {
            self.finish = Some(finish);
        }
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) {
        self.close_all(out);
        let made_up = || Finish { reason: FinishReason::Complete, raw: None, stop_sequence: None };
        let mut finish = self.finish.take().unwrap_or_else(made_up);
        if self.called {
            finish.reason = with_calls(finish.reason);
        }
        out.push(ChatEvent::Finish(CandidateFinish { candidate: self.number, finish }));
    }
}

/// Applies the same rules to a whole answer: every candidate has a finish, and tool calls outrank its reason.
pub fn settle(response: &mut ChatResponse, request_id: &str) -> Vec<Loss> {
    let mut losses = Vec::new();
    if response.id.is_empty() {
        request_id.clone_into(&mut response.id);
    }
    for candidate in &mut response.candidates {
        let finish = candidate.finish.get_or_insert_with(|| {
            let note = Some("the upstream gave no finish reason".to_owned());
            losses.push(Loss { field: "finish_reason".into(), kind: LossKind::Approximated, note });
            Finish { reason: FinishReason::Complete, raw: None, stop_sequence: None }
        });
        if candidate.parts.iter().any(|part| matches!(part, Part::ToolCall(_))) {
            finish.reason = with_calls(finish.reason);
        }
    }
    losses
}

/// Converts a whole answer to the events of an equivalent stream.
pub fn unfold(response: ChatResponse) -> Vec<ChatEvent> {
    let ChatResponse { id, model, created_ms, candidates, usage, service_tier, extensions } = response;
    let mut events = vec![ChatEvent::Start(ResponseStart { id, model, created_ms, service_tier, extensions })];
    for answer in candidates {
        let candidate = answer.index;
        for (part, number) in answer.parts.into_iter().zip(0..) {
            unfold_part(candidate, number, part, &mut events);
        }
        if let Some(json) = answer.logprobs {
            events.push(ChatEvent::Logprobs(CandidateLogprobs { candidate, json }));
        }
        if let Some(finish) = answer.finish {
            events.push(ChatEvent::Finish(CandidateFinish { candidate, finish }));
        }
    }
    events.extend(usage.map(ChatEvent::Usage));
    events
}

fn unfold_part(candidate: u32, number: u32, part: Part, events: &mut Vec<ChatEvent>) {
    let delta = |text: String| ChatEvent::Delta(PartDelta { candidate, part: number, text });
    let sign =
        |signature, encrypted| ChatEvent::Signature(PartSignature { candidate, part: number, signature, encrypted });
    let (kind, inside, extensions) = match part {
        Part::Text(text) => {
            let cited = text.citations.into_iter();
            let mut inside = vec![delta(text.text)];
            inside
                .extend(cited.map(|citation| ChatEvent::Citation(PartCitation { candidate, part: number, citation })));
            inside.extend(text.signature.map(|signature| sign(signature, false)));
            (PartKind::Text, inside, text.extensions)
        }
        Part::Reasoning(reasoning) => {
            let mut inside: Vec<_> = reasoning.text.map(delta).into_iter().collect();
            inside.extend(reasoning.signature.map(|signature| sign(signature, false)));
            inside.extend(reasoning.encrypted.map(|signature| sign(signature, true)));
            (PartKind::Reasoning, inside, reasoning.extensions)
        }
        Part::Refusal(text) => (PartKind::Refusal, vec![delta(text)], Vec::new()),
        Part::ToolCall(call) => {
            let ToolCall { id, name, kind, arguments, signature, extensions, .. } = call;
            (PartKind::ToolCall(ToolStart { id, name, kind, signature }), vec![delta(arguments)], extensions)
        }
        Part::Media(media) => (PartKind::Media(media), Vec::new(), Vec::new()),
        Part::Opaque(opaque) => (PartKind::Opaque(opaque), Vec::new(), Vec::new()),
        // Tool results occur in requests only.
        Part::ToolResult(_) => return,
    };
    events.push(ChatEvent::PartStart(PartStart { candidate, part: number, kind }));
    events.extend(inside);
    events.push(ChatEvent::PartStop(PartStop { candidate, part: number, extensions }));
}

#[cfg(test)]
mod tests;
