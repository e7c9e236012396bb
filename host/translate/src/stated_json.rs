//! Values that the contract calls JSON, in what adapters and guards return. They are written into a request or an
//! answer as they are: one that is no complete value would end the text around it, or bring members of its own.

use serde_json::value::RawValue;

use super::bounds;
use weir_types::contract::types::{
    Candidate, ChatEvent, ChatRequest, ChatResponse, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Extension,
    Loss, LossKind, MediaPart, ModelsResponse, Opaque, OutputFormat, Part, PartKind, RerankDocument, RerankRequest,
    RerankResponse, ResultPart, TextPart, Tool, ToolChoice, Usage, Vector,
};

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn are_json(extensions: &[Extension]) -> bool {
    extensions.iter().all(|one| is_json(&one.json))
}

/// Whether all values of a chat request are JSON that have to be.
pub fn chat_is_sound(chat: &ChatRequest) -> bool {
    let is_tool = |tool: &Tool| match tool {
        Tool::Function(tool) => tool.parameters.as_deref().is_none_or(is_json) && are_json(&tool.extensions),
        Tool::Opaque(tool) => is_json(&tool.json),
    };
    let output = match &chat.output {
        Some(OutputFormat::Schema(schema)) => is_json(&schema.schema),
        Some(OutputFormat::Opaque(output)) => is_json(&output.json),
        Some(OutputFormat::Plain | OutputFormat::Json) | None => true,
    };
    let choice = match &chat.tool_choice {
        Some(ToolChoice::Opaque(choice)) => is_json(&choice.json),
        _ => true,
    };
    let is_number =
        |text: &str| text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && is_json(text);
    are_json(&chat.extensions)
        && chat.messages.iter().all(|message| are_json(&message.extensions) && message.parts.iter().all(is_part))
        && chat.tools.iter().all(is_tool)
        && (output && choice)
        && chat.sampling.seed.as_deref().is_none_or(is_number)
        && chat.reasoning.as_ref().is_none_or(|reasoning| are_json(&reasoning.extensions))
        && chat.metadata.as_deref().is_none_or(is_json)
}

/// The same of a request for embeddings.
pub fn embeddings_are_sound(request: &EmbeddingsRequest) -> bool {
    let is_input = |input: &EmbeddingInput| match input {
        EmbeddingInput::Media(media) => are_json(&media.extensions),
        _ => true,
    };
    are_json(&request.extensions) && request.inputs.iter().all(is_input)
}

/// The same of a request for an order of documents.
pub fn rerank_is_sound(request: &RerankRequest) -> bool {
    are_json(&request.extensions) && request.documents.iter().all(is_document)
}

fn is_document(document: &RerankDocument) -> bool {
    match document {
        RerankDocument::Json(json) => is_json(json),
        RerankDocument::Text(_) => true,
    }
}

fn is_part(part: &Part) -> bool {
    let is_result = |piece: &ResultPart| match piece {
        ResultPart::Text(text) => is_text(text),
        ResultPart::Media(media) => are_json(&media.extensions),
        ResultPart::Json(json) => is_json(json),
        ResultPart::Opaque(opaque) => is_json(&opaque.json),
    };
    match part {
        Part::Text(text) => is_text(text),
        Part::Media(media) => are_json(&media.extensions),
        Part::ToolCall(call) => are_json(&call.extensions),
        Part::ToolResult(result) => are_json(&result.extensions) && result.content.iter().all(is_result),
        Part::Reasoning(reasoning) => are_json(&reasoning.extensions),
        Part::Opaque(opaque) => is_json(&opaque.json),
        Part::Refusal(_) => true,
    }
}

fn is_text(text: &TextPart) -> bool {
    let mut sources = text.citations.iter().filter_map(|citation| citation.source.as_ref());
    are_json(&text.extensions) && sources.all(|source| is_json(&source.json))
}

/// Leaves out of a whole answer what is no JSON, and reports it.
pub(crate) fn clean_chat(chat: &mut ChatResponse, losses: &mut Vec<Loss>) {
    Sieve(losses).chat(chat);
}

/// The same of an answer of vectors.
pub(crate) fn clean_embeddings(answer: &mut EmbeddingsResponse, losses: &mut Vec<Loss>) {
    Sieve(losses).embeddings(answer);
}

/// The same of an order of documents.
pub(crate) fn clean_rerank(answer: &mut RerankResponse, losses: &mut Vec<Loss>) {
    Sieve(losses).rerank(answer);
}

/// The same of a list of models.
pub(crate) fn clean_models(answer: &mut ModelsResponse, losses: &mut Vec<Loss>) {
    let mut sieve = Sieve(losses);
    answer.models.iter_mut().for_each(|model| sieve.extensions(&mut model.extensions));
}

/// Leaves out of a stream's event what is no JSON. Returns whether the event has anything left.
pub(crate) fn clean_event(event: &mut ChatEvent, losses: &mut Vec<Loss>) -> bool {
    let mut sieve = Sieve(losses);
    match event {
        ChatEvent::Start(start) => sieve.extensions(&mut start.extensions),
        ChatEvent::PartStart(start) => match &mut start.kind {
            PartKind::Opaque(opaque) => return sieve.opaque(opaque),
            PartKind::Media(media) => sieve.media(media),
            PartKind::Text | PartKind::Reasoning | PartKind::Refusal | PartKind::ToolCall(_) => {}
        },
        ChatEvent::PartStop(stop) => sieve.extensions(&mut stop.extensions),
        ChatEvent::Citation(citation) => sieve.source(&mut citation.citation.source),
        ChatEvent::Usage(usage) => sieve.usage(usage),
        ChatEvent::Logprobs(logprobs) => return sieve.passes(&logprobs.json, LOGPROBS),
        ChatEvent::Opaque(opaque) => return sieve.opaque(opaque),
        ChatEvent::Delta(_)
        | ChatEvent::Argument(_)
        | ChatEvent::Signature(_)
        | ChatEvent::Finish(_)
        | ChatEvent::Failure(_) => {}
    }
    true
}

/// What losses of figures of tokens are called.
pub const LOGPROBS: &str = "logprobs";

/// Where it is reported what was left out.
struct Sieve<'a>(&'a mut Vec<Loss>);

impl Sieve<'_> {
    /// Whether a value is JSON. One that is none is reported.
    fn passes(&mut self, json: &str, field: &str) -> bool {
        let passes = is_json(json);
        if !passes {
            let note = Some("the adapter's value is not JSON".to_owned());
            bounds::note(self.0, vec![Loss { field: field.to_owned(), kind: LossKind::Dropped, note }]);
        }
        passes
    }

    fn extensions(&mut self, all: &mut Vec<Extension>) {
        all.retain(|one| self.passes(&one.json, &one.key));
    }

    fn opaque(&mut self, opaque: &Opaque) -> bool {
        self.passes(&opaque.json, &opaque.kind)
    }

    fn source(&mut self, source: &mut Option<Opaque>) {
        if source.as_ref().is_some_and(|source| !self.opaque(source)) {
            *source = None;
        }
    }

    fn media(&mut self, media: &mut MediaPart) {
        self.extensions(&mut media.extensions);
    }

    fn usage(&mut self, usage: &mut Usage) {
        self.extensions(&mut usage.extensions);
    }

    fn chat(&mut self, chat: &mut ChatResponse) {
        self.extensions(&mut chat.extensions);
        chat.usage.iter_mut().for_each(|usage| self.usage(usage));
        chat.candidates.iter_mut().for_each(|candidate| self.candidate(candidate));
    }

    fn candidate(&mut self, candidate: &mut Candidate) {
        self.extensions(&mut candidate.extensions);
        if candidate.logprobs.as_ref().is_some_and(|logprobs| !self.passes(logprobs, LOGPROBS)) {
            candidate.logprobs = None;
        }
        candidate.parts.retain_mut(|part| self.part(part));
    }

    /// Returns whether the part has anything left.
    fn part(&mut self, part: &mut Part) -> bool {
        match part {
            Part::Text(text) => {
                text.citations.iter_mut().for_each(|citation| self.source(&mut citation.source));
                self.extensions(&mut text.extensions);
            }
            Part::Media(media) => self.media(media),
            Part::ToolCall(call) => self.extensions(&mut call.extensions),
            Part::Reasoning(reasoning) => self.extensions(&mut reasoning.extensions),
            Part::Opaque(opaque) => return self.opaque(opaque),
            // Results of tools stand in requests only, and have no place in an answer.
            Part::ToolResult(_) | Part::Refusal(_) => {}
        }
        true
    }

    fn embeddings(&mut self, answer: &mut EmbeddingsResponse) {
        self.extensions(&mut answer.extensions);
        answer.usage.iter_mut().for_each(|usage| self.usage(usage));
        answer.embeddings.retain(|one| match &one.vector {
            Vector::Opaque(vector) => self.opaque(vector),
            Vector::Floats(_) | Vector::Base64(_) => true,
        });
    }

    fn rerank(&mut self, answer: &mut RerankResponse) {
        self.extensions(&mut answer.extensions);
        answer.usage.iter_mut().for_each(|usage| self.usage(usage));
        for result in &mut answer.results {
            if let Some(RerankDocument::Json(json)) = &result.document
                && !self.passes(json, "document")
            {
                result.document = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{CandidateLogprobs, Message, PartStart, ResponseStart, Role};

    /// Values that are none, or more than one.
    const ODD: [&str; 8] = ["", "}", "1,\"model\":2", "\"a", "{\"a\":1}]", "nul", "[1,]", "\"a\nb\""];
    const WELL: [&str; 5] = ["{\"a\":[1,-2.5e9,\"\\ud83d\"]}", " null ", "\"x\"", "0", "{\n}"];

    fn extension(json: &str) -> Extension {
        Extension { format: "f".into(), key: "k".into(), json: json.into() }
    }

    fn opaque(json: &str) -> Opaque {
        Opaque { format: "f".into(), kind: "o".into(), json: json.into() }
    }

    /// What is left of events, and the fields that were lost.
    fn cleaned(mut events: Vec<ChatEvent>) -> (Vec<ChatEvent>, Vec<String>) {
        let mut losses = Vec::new();
        events.retain_mut(|event| clean_event(event, &mut losses));
        (events, losses.into_iter().map(|loss| loss.field).collect())
    }

    fn events(json: &str) -> Vec<ChatEvent> {
        let extensions = vec![extension(json)];
        let start = ResponseStart { id: "r".into(), model: None, created_ms: None, service_tier: None, extensions };
        let kind = PartKind::Opaque(opaque(json));
        vec![
            ChatEvent::Start(start),
            ChatEvent::PartStart(PartStart { candidate: 0, part: 0, kind }),
            ChatEvent::Usage(Usage { extensions: vec![extension(json)], ..Usage::default() }),
            ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: json.into() }),
            ChatEvent::Opaque(opaque(json)),
        ]
    }

    #[test]
    fn what_is_no_json_is_left_out_of_events_and_reported() {
        for json in WELL {
            assert_eq!(cleaned(events(json)), (events(json), Vec::new()), "{json}");
        }
        for json in ODD {
            let (left, lost) = cleaned(events(json));
            assert_eq!(lost, ["k", "o", "k", "logprobs", "o"], "{json}");
            assert_eq!(left.len(), 2, "{json}: {left:?}");
            assert!(!format!("{left:?}").contains("Extension"), "{json}: {left:?}");
        }
    }

    #[test]
    fn losses_of_what_is_no_json_are_bounded() {
        let mut losses = Vec::new();
        for _ in 0..10_000 {
            assert!(!clean_event(&mut ChatEvent::Opaque(opaque("}")), &mut losses));
        }
        assert!(losses.len() < 1_000);
    }

    #[test]
    fn a_request_is_sound_if_each_of_its_values_is() {
        let changes: [fn(&mut ChatRequest, &str); 6] = [
            |chat, json| chat.extensions.push(extension(json)),
            |chat, json| chat.messages[0].extensions.push(extension(json)),
            |chat, json| chat.messages[0].parts.push(Part::Opaque(opaque(json))),
            |chat, json| chat.tools.push(Tool::Opaque(opaque(json))),
            |chat, json| chat.tool_choice = Some(ToolChoice::Opaque(opaque(json))),
            |chat, json| chat.metadata = Some(json.into()),
        ];
        let plain = || ChatRequest::plain("m", vec![Message::plain(Role::User, Vec::new())]);
        assert!(chat_is_sound(&plain()));
        for change in changes {
            for (values, is_sound) in [(&WELL[..], true), (&ODD[..], false)] {
                for json in values {
                    let mut chat = plain();
                    change(&mut chat, json);
                    assert_eq!(chat_is_sound(&chat), is_sound, "{json}: {chat:?}");
                }
            }
        }
        for (seed, is_sound) in [("7", true), ("-18446744073709551616", true), ("1,\"model\":2", false), ("", false)] {
            let mut chat = plain();
            chat.sampling.seed = Some(seed.into());
            assert_eq!(chat_is_sound(&chat), is_sound, "{seed}");
        }
    }
}
