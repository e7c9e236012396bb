//! Converts answers of the unified model to the shape of `same`.

use serde_json::{Value, json};
use weir_sdk::types::{ChatEvent, ChatResponse, FinishReason, Part, PartKind, Usage};

/// Text, thinking, calls and finish of one candidate.
#[derive(Debug, Default, Clone)]
struct ReadCandidate {
    index: u32,
    text: String,
    thought: String,
    refusal: String,
    calls: Vec<(String, String)>,
    finish: Option<FinishReason>,
}

impl ReadCandidate {
    fn value(&self) -> Value {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let call = |(name, arguments): &(String, String)| {
            let arguments = if arguments.is_empty() { "{}" } else { arguments };
            json!({"name": name, "arguments": arguments})
        };
        json!({
            "text": self.text,
            "thought": some(&self.thought),
            "refusal": some(&self.refusal),
            "finish": self.finish.map_or("stop", word),
            "calls": self.calls.iter().map(call).collect::<Vec<_>>(),
        })
    }
}

/// The word of OpenAI's format for a reason.
pub fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextLength => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Failed => "error",
        _ => "stop",
    }
}

/// Converts a whole answer.
pub fn answer(response: &ChatResponse) -> Value {
    let candidates = response.candidates.iter().map(|candidate| {
        let mut read = ReadCandidate { index: candidate.index, ..ReadCandidate::default() };
        for part in &candidate.parts {
            match part {
                Part::Text(text) => read.text.push_str(&text.text),
                Part::Reasoning(thought) => read.thought.push_str(thought.text.as_deref().unwrap_or_default()),
                Part::Refusal(words) => read.refusal.push_str(words),
                Part::ToolCall(call) => read.calls.push((call.name.clone(), call.arguments.clone())),
                _ => {}
            }
        }
        read.finish = candidate.finish.as_ref().map(|finish| finish.reason);
        read
    });
    essence(&candidates.collect::<Vec<_>>(), response.usage.as_ref(), false)
}

/// Converts a stream's events.
pub fn stream(events: &[ChatEvent]) -> Value {
    let mut candidates: Vec<ReadCandidate> = Vec::new();
    let mut kinds: Vec<((u32, u32), PartKind, usize)> = Vec::new();
    let (mut usage, mut failed) = (None, false);
    for event in events {
        match event {
            ChatEvent::PartStart(start) => {
                let one = of(&mut candidates, start.candidate);
                if let PartKind::ToolCall(call) = &start.kind {
                    one.calls.push((call.name.clone(), String::new()));
                }
                kinds.push(((start.candidate, start.part), start.kind.clone(), one.calls.len()));
            }
            ChatEvent::Delta(delta) => {
                let at = (delta.candidate, delta.part);
                let (_, kind, calls) = kinds.iter().find(|(place, ..)| *place == at).unwrap();
                let one = of(&mut candidates, delta.candidate);
                match kind {
                    PartKind::Text => one.text.push_str(&delta.text),
                    PartKind::Reasoning => one.thought.push_str(&delta.text),
                    PartKind::Refusal => one.refusal.push_str(&delta.text),
                    _ => one.calls[calls - 1].1.push_str(&delta.text),
                }
            }
            ChatEvent::Finish(finish) => of(&mut candidates, finish.candidate).finish = Some(finish.finish.reason),
            ChatEvent::Usage(reported) => usage = Some(reported.clone()),
            ChatEvent::Failure(_) => failed = true,
            _ => {}
        }
    }
    candidates.sort_by_key(|one| one.index);
    essence(&candidates, usage.as_ref(), failed)
}

fn of(candidates: &mut Vec<ReadCandidate>, index: u32) -> &mut ReadCandidate {
    let at = candidates.iter().position(|one| one.index == index).unwrap_or_else(|| {
        candidates.push(ReadCandidate { index, ..ReadCandidate::default() });
        candidates.len() - 1
    });
    &mut candidates[at]
}

fn essence(candidates: &[ReadCandidate], usage: Option<&Usage>, failed: bool) -> Value {
    let tokens = |usage: &Usage| {
        json!({
            "input": usage.input_total(),
            "cached": usage.cache_read.unwrap_or(0),
            "output": usage.output_total(),
            "reasoning": usage.reasoning.unwrap_or(0),
        })
    };
    json!({
        "choices": candidates.iter().map(ReadCandidate::value).collect::<Vec<_>>(),
        "usage": usage.filter(|_| !failed).map(tokens),
        "error": failed,
    })
}
