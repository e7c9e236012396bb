//! A whole answer retold: its texts replaced by those of events, part by part.

use weir_types::contract::types::{ChatEvent, ChatResponse, Finish, Part};

/// Puts the texts that these events have for each part in place of the answer's. The events are those of
/// [`unfold`](crate::event_validator::unfold), changed.
pub fn retell(response: &mut ChatResponse, events: &[ChatEvent]) {
    for candidate in &mut response.candidates {
        for (part, number) in candidate.parts.iter_mut().zip(0..) {
            set_text(part, text_of(events, candidate.index, number), signatures_of(events, candidate.index, number));
        }
        candidate.logprobs = None;
    }
}

/// Takes everything out of an answer but its end.
pub fn refuse(response: &mut ChatResponse, finish: &Finish) {
    for candidate in &mut response.candidates {
        candidate.parts.clear();
        candidate.logprobs = None;
        candidate.extensions.clear();
        candidate.finish = Some(finish.clone());
    }
    response.extensions.clear();
}

fn text_of(events: &[ChatEvent], candidate: u32, part: u32) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ChatEvent::Delta(delta) if (delta.candidate, delta.part) == (candidate, part) => Some(delta.text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Whether the events have a signature of the part.
fn signatures_of(events: &[ChatEvent], candidate: u32, part: u32) -> bool {
    events.iter().any(|event| {
        matches!(event, ChatEvent::Signature(one) if (one.candidate, one.part) == (candidate, part) && !one.encrypted)
    })
}

fn set_text(part: &mut Part, replacement: String, is_signed: bool) {
    match part {
        Part::Text(text) => {
            if text.text != replacement {
                text.citations.clear();
            }
            text.text = replacement;
            text.signature.take_if(|_| !is_signed);
        }
        Part::Reasoning(reasoning) => {
            if reasoning.text.is_some() {
                reasoning.text = Some(replacement);
            }
            reasoning.signature.take_if(|_| !is_signed);
        }
        Part::Refusal(text) => *text = replacement,
        Part::ToolCall(call) => call.arguments = replacement,
        Part::Media(_) | Part::ToolResult(_) | Part::Opaque(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_validator::unfold;
    use weir_types::contract::types::{Candidate, FinishReason, ReasoningPart, TextPart};

    fn answer() -> ChatResponse {
        let thinking = ReasoningPart {
            id: None,
            text: Some("a".into()),
            signature: None,
            encrypted: None,
            extensions: Vec::new(),
        };
        let parts = vec![Part::Reasoning(thinking), Part::Text(TextPart::plain("b"))];
        let finish = Some(Finish { reason: FinishReason::Complete, raw: None, stop_sequence: None });
        let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
        ChatResponse {
            id: "1".into(),
            model: None,
            created_ms: None,
            candidates: vec![candidate],
            usage: None,
            service_tier: None,
            extensions: Vec::new(),
        }
    }

    #[test]
    fn unchanged_events_tell_the_same_and_changed_ones_another_text() {
        let mut changed = answer();
        retell(&mut changed, &unfold(answer()));
        assert_eq!(changed, answer());
        let mut events = unfold(answer());
        for event in &mut events {
            if let ChatEvent::Delta(delta) = event {
                delta.text.push('!');
            }
        }
        retell(&mut changed, &events);
        assert!(matches!(&changed.candidates[0].parts[1], Part::Text(text) if text.text == "b!"));
        assert!(matches!(&changed.candidates[0].parts[0], Part::Reasoning(part) if part.text.as_deref() == Some("a!")));
    }

    #[test]
    fn a_refused_answer_has_nothing_left_but_its_end() {
        let mut refused = answer();
        let finish = Finish { reason: FinishReason::ContentFilter, raw: None, stop_sequence: None };
        refuse(&mut refused, &finish);
        assert!(refused.candidates[0].parts.is_empty());
        assert_eq!(refused.candidates[0].finish, Some(finish));
    }
}
