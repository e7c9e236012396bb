//! Answers of values that no provider gives, and requests of values that bring members.

use weir_sdk::adapter::ChatAnswer;
use weir_sdk::types::{
    Candidate, CandidateLogprobs, ChatEvent, ChatResponse, Embedding, EmbeddingsResponse, Extension, Finish,
    FinishReason, Opaque, Part, PartDelta, PartKind, PartStart, PartStop, RerankDocument, RerankResponse, RerankResult,
    TextPart, ToolCall, ToolKind, ToolStart, Unit, UnitCount, Usage, Vector,
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
        extensions: members(),
        ..Usage::default()
    }
}

/// A text that ends a line, a quotation and a stream.
const WILD: &str = "\u{1b}[2J\r\n\r\ndata: [DONE]\r\n\r\n\"}\0";

/// The formats of clients whose members are told.
const FORMATS: [&str; 6] =
    ["openai.chat", "anthropic.messages", "gemini.generate", "openai.embeddings", "cohere.embed", "cohere.rerank"];

/// Members of each format that are no JSON, or bring another one.
fn members() -> Vec<Extension> {
    let each = |format: &&str| {
        [("wild", WILD), ("more", "1,\"id\":\"forged\"")].map(|(key, json)| Extension {
            format: (*format).to_owned(),
            key: key.to_owned(),
            json: json.to_owned(),
        })
    };
    FORMATS.iter().flat_map(each).collect()
}

/// The same as values that only one format has.
fn opaque() -> Vec<Opaque> {
    let each = |format: &&str| Opaque {
        format: (*format).to_owned(),
        kind: "wild".to_owned(),
        json: "{\"type\":\"wild\"}, ]".to_owned(),
    };
    FORMATS.iter().map(each).collect()
}

/// A member of a request that brings another model.
pub(crate) fn request() -> Vec<Extension> {
    let json = "\"low\",\"model\":\"another\"".to_owned();
    vec![Extension { format: "openai.chat".to_owned(), key: "verbosity".to_owned(), json }]
}

pub(crate) fn chat() -> ChatAnswer {
    let call = ToolCall { extensions: members(), ..ToolCall::new(WILD, WILD, "{\"a\":") };
    let text = TextPart { extensions: members(), ..TextPart::new(WILD) };
    let wild = opaque().into_iter().map(Part::Opaque);
    let said = [Part::Text(text), Part::ToolCall(call.clone()), Part::ToolCall(call)];
    let parts: Vec<Part> = said.into_iter().chain(wild).collect();
    let candidate = |index| Candidate {
        index,
        parts: parts.clone(),
        finish: Some(Finish::new(FinishReason::Complete, WILD)),
        logprobs: Some("{\"content\":".to_owned()),
        extensions: members(),
    };
    let response = ChatResponse {
        id: WILD.to_owned(),
        model: Some(WILD.to_owned()),
        created_ms: Some(f64::NAN),
        candidates: vec![candidate(0), candidate(0), candidate(u32::MAX)],
        usage: Some(usage()),
        extensions: members(),
        ..ChatResponse::default()
    };
    ChatAnswer { response, losses: Vec::new() }
}

/// The same in events.
pub(crate) fn events() -> Vec<ChatEvent> {
    let (id, name) = (WILD.to_owned(), WILD.to_owned());
    let call = ToolStart { id, name, kind: ToolKind::Function, signature: None };
    let mut events = vec![
        ChatEvent::Usage(usage()),
        ChatEvent::PartStart(PartStart { candidate: 0, part: 1, kind: PartKind::ToolCall(call) }),
        ChatEvent::Delta(PartDelta { candidate: 0, part: 1, text: WILD.to_owned() }),
        ChatEvent::PartStop(PartStop { candidate: 0, part: 1, extensions: members() }),
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: "{\"content\":".to_owned() }),
    ];
    for (part, opaque) in (2..).zip(opaque()) {
        events.push(ChatEvent::Opaque(opaque.clone()));
        events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind: PartKind::Opaque(opaque) }));
        events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: members() }));
    }
    events.push(ChatEvent::Usage(usage()));
    events
}

pub(crate) fn embeddings() -> EmbeddingsResponse {
    let vector = || Vector::Floats(vec![f64::NAN, f64::INFINITY, -0.0, f64::MAX]);
    let embeddings = [0, 0, u32::MAX].map(|index| Embedding { index, vector: vector() });
    EmbeddingsResponse {
        id: Some(WILD.to_owned()),
        model: Some(WILD.to_owned()),
        embeddings: embeddings.into(),
        usage: Some(usage()),
        extensions: members(),
    }
}

pub(crate) fn rerank() -> RerankResponse {
    let results = [(0, f64::NAN), (0, f64::INFINITY), (u32::MAX, -1.0)];
    let document = Some(RerankDocument::Json("{\"text\":".to_owned()));
    RerankResponse {
        id: Some(WILD.to_owned()),
        model: Some(WILD.to_owned()),
        results: results.map(|(index, score)| RerankResult { index, score, document: document.clone() }).into(),
        usage: Some(usage()),
        extensions: members(),
    }
}
