//! What a provider's answer says of itself, for the span of the attempt that got it. It is known where an adapter reads
//! the answer; a relayed one is not read for it.

use opentelemetry::{Array, StringValue, Value};

use super::messages::finish_reason;
use super::{Attribute, Span};
use weir_types::contract::types::{ChatEvent, ChatResponse, Finish};

/// The most bytes of an id or of a model's name. A longer one is left out: spans wait in memory.
const NAME: usize = 256;
/// The most answers to one request whose reasons are kept.
const CANDIDATES: usize = 32;

/// An answer's id, its model and why each of its candidates ended, as far as it says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerFacts {
    id: Option<String>,
    model: Option<String>,
    /// By the candidates' numbers.
    reasons: Vec<(u32, &'static str)>,
}

impl AnswerFacts {
    /// The facts of a whole answer, as the provider's adapter read it.
    pub(crate) fn of(answer: &ChatResponse) -> Self {
        let mut facts =
            Self { id: short(&answer.id), model: answer.model.as_deref().and_then(short), reasons: Vec::new() };
        for candidate in &answer.candidates {
            if let Some(finish) = &candidate.finish {
                facts.ends(candidate.index, finish);
            }
        }
        facts
    }

    /// Takes what an event of a stream says.
    pub(crate) fn see(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Start(start) => {
                self.id = short(&start.id);
                self.model = start.model.as_deref().and_then(short);
            }
            ChatEvent::Finish(end) => self.ends(end.candidate, &end.finish),
            _ => {}
        }
    }

    fn ends(&mut self, candidate: u32, finish: &Finish) {
        let at = self.reasons.partition_point(|(known, _)| *known < candidate);
        if self.reasons.get(at).is_none_or(|(known, _)| *known != candidate) && self.reasons.len() < CANDIDATES {
            self.reasons.insert(at, (candidate, finish_reason(finish.reason)));
        }
    }
}

/// A name that is there and no longer than one is.
fn short(name: &str) -> Option<String> {
    (1..=NAME).contains(&name.len()).then(|| name.to_owned())
}

impl Span {
    /// Sets what an answer says of itself.
    pub(crate) fn set_answer(&self, facts: AnswerFacts) {
        for (attribute, name) in [(Attribute::ResponseId, facts.id), (Attribute::ResponseModel, facts.model)] {
            if let Some(name) = name {
                self.set(attribute, name);
            }
        }
        if !facts.reasons.is_empty() {
            let reasons: Vec<StringValue> = facts.reasons.iter().map(|(_, reason)| (*reason).into()).collect();
            self.set(Attribute::FinishReasons, Value::Array(Array::String(reasons)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{CandidateFinish, FinishReason, ResponseStart};

    fn start(id: &str, model: Option<&str>) -> ChatEvent {
        let model = model.map(str::to_owned);
        ChatEvent::Start(ResponseStart {
            id: id.into(),
            model,
            created_ms: None,
            service_tier: None,
            extensions: vec![],
        })
    }

    fn end(candidate: u32, reason: FinishReason) -> ChatEvent {
        ChatEvent::Finish(CandidateFinish { candidate, finish: Finish { reason, raw: None, stop_sequence: None } })
    }

    fn seen(events: &[ChatEvent]) -> AnswerFacts {
        let mut facts = AnswerFacts::default();
        for event in events {
            facts.see(event);
        }
        facts
    }

    #[test]
    fn a_stream_says_who_answered_and_why_each_candidate_ended() {
        let facts = seen(&[
            start("msg_1", Some("model-1")),
            end(1, FinishReason::ToolCalls),
            end(0, FinishReason::Length),
            end(1, FinishReason::Complete),
        ]);
        assert_eq!((facts.id.as_deref(), facts.model.as_deref()), (Some("msg_1"), Some("model-1")));
        assert_eq!(facts.reasons, [(0, "length"), (1, "tool_call")], "in order, and the first one counts");
    }

    #[test]
    fn what_is_missing_or_too_long_is_left_out() {
        let long = "x".repeat(NAME + 1);
        for name in ["", &long] {
            assert_eq!(seen(&[start(name, Some(name))]), AnswerFacts::default());
        }
        assert_eq!(seen(&[start("a", None)]).model, None);
        let many: Vec<ChatEvent> = (0..1000).map(|candidate| end(candidate, FinishReason::Complete)).collect();
        assert_eq!(seen(&many).reasons.len(), CANDIDATES);
    }
}
