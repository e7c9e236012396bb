//! Approximate size of a call's input in bytes: its texts, and a constant for each value in a list, because many small
//! values cost as much work as a large one.

use super::guard::Asked;
use weir_types::contract::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Extension,
    Frame, HttpRequest, HttpResponse, MediaPart, MediaSource, Message, ModelsRequest, ModelsResponse, Part,
    RerankDocument, RerankRequest, RerankResponse, ResultPart, Tool, Vector,
};

/// Values with an approximate size.
pub(super) trait Weigh {
    /// Approximate size in bytes.
    fn weigh(&self) -> usize;
}

/// Size of a value in a list besides its text, in bytes.
const VALUE: usize = 64;

impl<T: Weigh> Weigh for [T] {
    fn weigh(&self) -> usize {
        self.iter().map(Weigh::weigh).sum::<usize>() + self.len() * VALUE
    }
}

impl Weigh for Body {
    fn weigh(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl Weigh for Asked {
    fn weigh(&self) -> usize {
        match self {
            Self::Withheld => 0,
            Self::Chat(request) => request.weigh(),
            Self::Embeddings(request) => request.weigh(),
            Self::Rerank(request) => request.weigh(),
            Self::Other(json) => json.len(),
        }
    }
}

impl Weigh for HttpRequest {
    fn weigh(&self) -> usize {
        self.body.weigh()
    }
}

impl Weigh for HttpResponse {
    fn weigh(&self) -> usize {
        self.body.weigh()
    }
}

impl Weigh for Frame {
    fn weigh(&self) -> usize {
        self.data.len()
    }
}

impl Weigh for Extension {
    fn weigh(&self) -> usize {
        self.json.len()
    }
}

impl Weigh for MediaPart {
    fn weigh(&self) -> usize {
        match &self.source {
            MediaSource::Url(text)
            | MediaSource::Base64(text)
            | MediaSource::Text(text)
            | MediaSource::FileId(text) => text.len(),
        }
    }
}

impl Weigh for ResultPart {
    fn weigh(&self) -> usize {
        match self {
            Self::Text(part) => part.text.len(),
            Self::Media(part) => part.weigh(),
            Self::Json(json) => json.len(),
            Self::Opaque(part) => part.json.len(),
        }
    }
}

impl Weigh for Part {
    fn weigh(&self) -> usize {
        match self {
            Self::Text(part) => part.text.len(),
            Self::Media(part) => part.weigh(),
            Self::ToolCall(part) => part.arguments.len(),
            Self::ToolResult(part) => part.content.weigh(),
            Self::Reasoning(part) => {
                let secret = part.encrypted.as_ref().map_or(0, |s| s.value.len());
                part.text.as_ref().map_or(0, String::len) + secret
            }
            Self::Refusal(text) => text.len(),
            Self::Opaque(part) => part.json.len(),
        }
    }
}

impl Weigh for Message {
    fn weigh(&self) -> usize {
        self.parts.weigh()
    }
}

impl Weigh for Tool {
    fn weigh(&self) -> usize {
        match self {
            Self::Function(tool) => tool.parameters.as_ref().map_or(0, String::len),
            Self::Opaque(tool) => tool.json.len(),
        }
    }
}

impl Weigh for ChatRequest {
    fn weigh(&self) -> usize {
        self.messages.weigh() + self.tools.weigh() + self.extensions.weigh()
    }
}

impl Weigh for ChatResponse {
    fn weigh(&self) -> usize {
        self.candidates.iter().map(|c| c.parts.weigh() + c.logprobs.as_ref().map_or(0, String::len)).sum()
    }
}

impl Weigh for ChatEvent {
    fn weigh(&self) -> usize {
        match self {
            Self::Delta(delta) => delta.text.len(),
            Self::Argument(piece) => piece.text.len() + piece.json.len() + piece.path.len(),
            Self::Logprobs(logprobs) => logprobs.json.len(),
            Self::Opaque(event) => event.json.len(),
            _ => 0,
        }
    }
}

impl Weigh for EmbeddingsRequest {
    fn weigh(&self) -> usize {
        let input = |input: &EmbeddingInput| match input {
            EmbeddingInput::Text(text) => text.len(),
            EmbeddingInput::Tokens(tokens) => tokens.len() * 4,
            EmbeddingInput::Media(part) => part.weigh(),
        };
        self.inputs.iter().map(input).sum::<usize>() + self.inputs.len() * VALUE
    }
}

impl Weigh for EmbeddingsResponse {
    fn weigh(&self) -> usize {
        let vector = |vector: &Vector| match vector {
            Vector::Floats(floats) => floats.len() * 8,
            Vector::Base64(text) => text.len(),
            Vector::Opaque(value) => value.json.len(),
        };
        self.embeddings.iter().map(|e| vector(&e.vector)).sum::<usize>() + self.embeddings.len() * VALUE
    }
}

impl Weigh for RerankDocument {
    fn weigh(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
        }
    }
}

impl Weigh for RerankRequest {
    fn weigh(&self) -> usize {
        self.documents.weigh()
    }
}

impl Weigh for RerankResponse {
    fn weigh(&self) -> usize {
        let documents = self.results.iter().filter_map(|r| r.document.as_ref()).map(Weigh::weigh);
        documents.sum::<usize>() + self.results.len() * VALUE
    }
}

impl Weigh for ModelsRequest {
    fn weigh(&self) -> usize {
        0
    }
}

impl Weigh for ModelsResponse {
    fn weigh(&self) -> usize {
        self.models.len() * 64
    }
}
