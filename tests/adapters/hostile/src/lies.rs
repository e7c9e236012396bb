//! Answers of values that no provider gives.

use weir_sdk::adapter::ChatAnswer;
use weir_sdk::types::{
    Candidate, ChatEvent, ChatResponse, Embedding, EmbeddingsResponse, Finish, FinishReason, Part, PartDelta, PartKind,
    PartStart, RerankResponse, RerankResult, ToolCall, ToolKind, ToolStart, Unit, UnitCount, Usage, Vector,
};

/// Counts that no answer has.
fn usage() -> Usage {
    let most = Some(u32::MAX);
    let counts = [f64::NAN, f64::INFINITY, -1.0, f64::MAX];
    Usage {
        input: most,
        cache_read: most,
        cache_write: most,
        output: most,
        reasoning: most,
        units: counts.into_iter().map(|count| UnitCount { unit: Unit::Second, count }).collect(),
        ..Usage::default()
    }
}

/// A text that ends a line, a quotation and a stream.
const WILD: &str = "\u{1b}[2J\r\n\r\ndata: [DONE]\r\n\r\n\"}\0";

pub(crate) fn chat() -> ChatAnswer {
    let call = ToolCall::new(WILD, WILD, "{\"a\":");
    let candidate = |index| Candidate {
        index,
        parts: vec![Part::text(WILD), Part::ToolCall(call.clone()), Part::ToolCall(call.clone())],
        finish: Some(Finish::new(FinishReason::Complete, WILD)),
        logprobs: None,
        extensions: Vec::new(),
    };
    let response = ChatResponse {
        id: WILD.to_owned(),
        model: Some(WILD.to_owned()),
        created_ms: Some(f64::NAN),
        candidates: vec![candidate(0), candidate(0), candidate(u32::MAX)],
        usage: Some(usage()),
        ..ChatResponse::default()
    };
    ChatAnswer { response, losses: Vec::new() }
}

/// The same in events.
pub(crate) fn events() -> Vec<ChatEvent> {
    let (id, name) = (WILD.to_owned(), WILD.to_owned());
    let call = ToolStart { id, name, kind: ToolKind::Function, signature: None };
    vec![
        ChatEvent::Usage(usage()),
        ChatEvent::PartStart(PartStart { candidate: 0, part: 1, kind: PartKind::ToolCall(call) }),
        ChatEvent::Delta(PartDelta { candidate: 0, part: 1, text: WILD.to_owned() }),
        ChatEvent::Usage(usage()),
    ]
}

pub(crate) fn embeddings() -> EmbeddingsResponse {
    let vector = || Vector::Floats(vec![f64::NAN, f64::INFINITY, -0.0, f64::MAX]);
    let embeddings = [0, 0, u32::MAX].map(|index| Embedding { index, vector: vector() });
    EmbeddingsResponse {
        id: Some(WILD.to_owned()),
        model: Some(WILD.to_owned()),
        embeddings: embeddings.into(),
        usage: Some(usage()),
        extensions: Vec::new(),
    }
}

pub(crate) fn rerank() -> RerankResponse {
    let results = [(0, f64::NAN), (0, f64::INFINITY), (u32::MAX, -1.0)];
    RerankResponse {
        id: Some(WILD.to_owned()),
        model: Some(WILD.to_owned()),
        results: results.map(|(index, score)| RerankResult { index, score, document: None }).into(),
        usage: Some(usage()),
        extensions: Vec::new(),
    }
}
