//! A whole answer as the events of a stream, and back: its texts replaced by those of the events, part by part.

use std::collections::HashMap;

use crate::event_validator::unfold;
use weir_types::contract::types::{Candidate, ChatEvent, ChatResponse, Extension, Finish, Part};

/// The events that an answer would be streamed as. Members of a candidate that only one format has, which streams do
/// not have, are in its head, so that all of them are seen.
pub fn to_events(response: &ChatResponse) -> Vec<ChatEvent> {
    let mut events = unfold(response.clone());
    if let Some(ChatEvent::Start(start)) = events.first_mut() {
        let all = response.candidates.iter().flat_map(|candidate| &candidate.extensions);
        start.extensions.extend(all.cloned());
    }
    events
}

/// Puts the texts that these events have for each part in place of the answer's, and takes out what they no longer
/// have. The events are those of [`to_events`], changed.
pub fn replace_texts(response: &mut ChatResponse, events: &[ChatEvent]) {
    let (places, mut heads, mut ends, mut counts) = (by_part(events), Vec::new(), HashMap::new(), Vec::new());
    for event in events {
        match event {
            ChatEvent::Start(start) => heads.push(start),
            ChatEvent::Finish(end) => _ = ends.entry(end.candidate).or_insert(&end.finish),
            ChatEvent::Usage(usage) => counts.push(usage),
            _ => {}
        }
    }
    let is_left = |one: &Extension| heads.iter().any(|start| start.extensions.contains(one));
    response.extensions.retain(is_left);
    for candidate in &mut response.candidates {
        candidate.extensions.retain(is_left);
        for (part, number) in candidate.parts.iter_mut().zip(0..) {
            let of_part = places.get(&(candidate.index, number)).map_or(&[][..], Vec::as_slice);
            set_text(part, text_of(of_part), is_signed(of_part));
            take_out(part, of_part);
        }
        candidate.logprobs = None;
        take_out_words(candidate, ends.get(&candidate.index).copied());
    }
    if let Some(usage) = &mut response.usage {
        usage.extensions.retain(|one| counts.iter().any(|told| told.extensions.contains(one)));
    }
}

/// The events of each part, by candidate and part: an answer may have thousands of parts.
fn by_part(events: &[ChatEvent]) -> HashMap<(u32, u32), Vec<&ChatEvent>> {
    let mut places: HashMap<_, Vec<&ChatEvent>> = HashMap::new();
    for event in events {
        let place = match event {
            ChatEvent::Delta(delta) => (delta.candidate, delta.part),
            ChatEvent::Citation(one) => (one.candidate, one.part),
            ChatEvent::Signature(one) => (one.candidate, one.part),
            ChatEvent::PartStop(stop) => (stop.candidate, stop.part),
            _ => continue,
        };
        places.entry(place).or_default().push(event);
    }
    places
}

/// Takes the words out of a candidate's end that its event does not have.
fn take_out_words(candidate: &mut Candidate, left: Option<&Finish>) {
    let Some(finish) = &mut candidate.finish else { return };
    finish.raw.take_if(|word| left.is_none_or(|left| left.raw.as_ref() != Some(word)));
    finish.stop_sequence.take_if(|word| left.is_none_or(|left| left.stop_sequence.as_ref() != Some(word)));
}

/// Takes the members and the citations out of a part that its events do not have.
fn take_out(part: &mut Part, events: &[&ChatEvent]) {
    let stop = |event: &ChatEvent, one: &Extension| matches!(event, ChatEvent::PartStop(stop) if stop.extensions.contains(one));
    let is_left = |one: &Extension| events.iter().any(|event| stop(event, one));
    match part {
        Part::Text(text) => {
            text.extensions.retain(is_left);
            let cited = |event: &&ChatEvent| match event {
                ChatEvent::Citation(one) => Some(one.citation.clone()),
                _ => None,
            };
            if !text.citations.is_empty() {
                text.citations = events.iter().filter_map(cited).collect();
            }
        }
        Part::Reasoning(reasoning) => reasoning.extensions.retain(is_left),
        Part::ToolCall(call) => call.extensions.retain(is_left),
        Part::Refusal(_) | Part::Media(_) | Part::ToolResult(_) | Part::Opaque(_) => {}
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
    // The usage stays, without what only one format says of it, which may be what is refused.
    response.usage.iter_mut().for_each(|usage| usage.extensions.clear());
}

/// The text that the events of a part have.
fn text_of(events: &[&ChatEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ChatEvent::Delta(delta) => Some(delta.text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Whether the events of a part have a signature.
fn is_signed(events: &[&ChatEvent]) -> bool {
    events.iter().any(|event| matches!(event, ChatEvent::Signature(one) if !one.encrypted))
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
    use weir_types::contract::types::{FinishReason, ReasoningPart, TextPart, Usage};

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
        replace_texts(&mut changed, &unfold(answer()));
        assert_eq!(changed, answer());
        let mut events = unfold(answer());
        for event in &mut events {
            if let ChatEvent::Delta(delta) = event {
                delta.text.push('!');
            }
        }
        replace_texts(&mut changed, &events);
        assert!(matches!(&changed.candidates[0].parts[1], Part::Text(text) if text.text == "b!"));
        assert!(matches!(&changed.candidates[0].parts[0], Part::Reasoning(part) if part.text.as_deref() == Some("a!")));
    }

    #[test]
    fn an_answer_of_very_many_parts_costs_as_much_as_its_parts() {
        let mut response = answer();
        response.candidates[0].parts =
            (0..100_000).map(|number| Part::Text(TextPart::plain(&number.to_string()))).collect();
        let events = to_events(&response);
        let whole = response.clone();
        // Comparing each part with each event would take many minutes.
        replace_texts(&mut response, &events);
        assert_eq!(response, whole);
        assert_eq!(crate::fold::fold(&events).response.candidates[0].parts.len(), 100_000);
    }

    #[test]
    fn members_that_the_events_no_longer_have_are_taken_out() {
        let member = |key: &str| Extension { format: "f".into(), key: key.into(), json: "1".into() };
        let mut response = answer();
        response.extensions = vec![member("a"), member("b")];
        response.candidates[0].extensions = vec![member("c"), member("d")];
        if let Part::Text(text) = &mut response.candidates[0].parts[1] {
            text.extensions = vec![member("e"), member("f")];
        }
        let mut events = to_events(&response);
        let mut kept = response.clone();
        replace_texts(&mut kept, &events);
        assert_eq!(kept, response);
        for event in &mut events {
            match event {
                ChatEvent::Start(start) => start.extensions.retain(|one| one.key != "a" && one.key != "c"),
                ChatEvent::PartStop(stop) => stop.extensions.retain(|one| one.key != "e"),
                _ => {}
            }
        }
        replace_texts(&mut response, &events);
        assert_eq!(response.extensions, [member("b")]);
        assert_eq!(response.candidates[0].extensions, [member("d")]);
        assert!(matches!(&response.candidates[0].parts[1], Part::Text(text) if text.extensions == [member("f")]));
    }

    #[test]
    fn a_refused_answer_has_nothing_left_but_its_end() {
        let mut refused = answer();
        let finish = Finish { reason: FinishReason::ContentFilter, raw: None, stop_sequence: None };
        let extensions = vec![Extension { format: "f".into(), key: "note".into(), json: "\"a\"".into() }];
        refused.usage = Some(Usage { output: Some(2), extensions, ..Usage::default() });
        refuse(&mut refused, &finish);
        assert!(refused.candidates[0].parts.is_empty());
        assert_eq!(refused.candidates[0].finish, Some(finish));
        assert_eq!(refused.usage, Some(Usage { output: Some(2), ..Usage::default() }));
    }

    #[test]
    fn words_of_the_end_and_details_of_the_usage_are_taken_out_with_their_events() {
        let member = |key: &str| Extension { format: "f".into(), key: key.into(), json: "1".into() };
        let mut response = answer();
        let words = Finish { reason: FinishReason::Complete, raw: Some("a".into()), stop_sequence: Some("b".into()) };
        response.candidates[0].finish = Some(words);
        response.usage =
            Some(Usage { output: Some(2), extensions: vec![member("a"), member("b")], ..Usage::default() });
        let mut events = to_events(&response);
        let mut kept = response.clone();
        replace_texts(&mut kept, &events);
        assert_eq!(kept, response);
        for event in &mut events {
            match event {
                ChatEvent::Finish(end) => end.finish.stop_sequence = None,
                ChatEvent::Usage(usage) => usage.extensions.retain(|one| one.key != "a"),
                _ => {}
            }
        }
        replace_texts(&mut response, &events);
        let finish = response.candidates[0].finish.as_ref().unwrap();
        assert_eq!((finish.raw.as_deref(), &finish.stop_sequence), (Some("a"), &None));
        let left = Usage { output: Some(2), extensions: vec![member("b")], ..Usage::default() };
        assert_eq!(response.usage, Some(left));
    }
}
