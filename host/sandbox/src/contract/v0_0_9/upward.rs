//! From 0.0.9 to the newest version: nothing is lost.

use super::about::exports::weir::adapter::about as old_about;
use super::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat as OldParsedChat;
use super::types as old;
use crate::contract::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat;
use crate::contract::provider_chat::exports::weir::adapter::provider_chat::{ChatAnswer, ChatOutcome};
use weir_types::contract::about::{
    AnswerFraming, Auth, AuthScheme, BodyKind, Capabilities, CredentialPlace, ErrorFormat, ErrorSpelling, Face, Format,
    FrameTemplate, Isolation, Manifest, ModelPlace, ModelPointer, Operation, StreamFlag, StreamPointer, Suggestions,
};
use weir_types::contract::types::{
    Body, Candidate, CandidateFinish, ChatEvent, ChatRequest, ChatResponse, Decoded, Encoded, Error, ErrorKind, Finish,
    FinishReason, Frame, Framing, Header, HttpRequest, HttpResponse, Loss, LossKind, Message, Part, PartDelta,
    PartKind, PartStart, PartStop, RenderedRequest, RenderedResponse, ResponseStart, Role, Sampling, TextPart, Usage,
};

fn all<T, U: From<T>>(list: Vec<T>) -> Vec<U> {
    list.into_iter().map(U::from).collect()
}

impl From<old::Header> for Header {
    fn from(header: old::Header) -> Self {
        Self { name: header.name, value: header.value }
    }
}

impl From<old::HttpRequest> for HttpRequest {
    fn from(request: old::HttpRequest) -> Self {
        let old::HttpRequest { method, path, query, headers, body } = request;
        Self { method, path, query: all(query), headers: all(headers), body: Body::Text(body) }
    }
}

impl From<old::HttpResponse> for HttpResponse {
    fn from(response: old::HttpResponse) -> Self {
        let old::HttpResponse { status, headers, body } = response;
        Self { status, headers: all(headers), body: Body::Text(body) }
    }
}

impl From<old::Framing> for Framing {
    fn from(framing: old::Framing) -> Self {
        match framing {
            old::Framing::Sse => Self::Sse,
            old::Framing::Ndjson => Self::Ndjson,
        }
    }
}

impl From<old::Frame> for Frame {
    fn from(frame: old::Frame) -> Self {
        Self { event: frame.event, data: frame.data }
    }
}

impl From<old::Loss> for Loss {
    fn from(loss: old::Loss) -> Self {
        Self { field: loss.field, kind: LossKind::Dropped, note: loss.note }
    }
}

impl From<old::ErrorKind> for ErrorKind {
    fn from(kind: old::ErrorKind) -> Self {
        match kind {
            old::ErrorKind::InvalidRequest => Self::InvalidRequest,
            old::ErrorKind::RateLimited => Self::RateLimited,
            old::ErrorKind::Unsupported => Self::Unsupported,
            old::ErrorKind::Upstream => Self::Upstream,
        }
    }
}

impl From<old::Error> for Error {
    fn from(error: old::Error) -> Self {
        let old::Error { kind, message, status } = error;
        Self { kind: kind.into(), message, status, code: None, param: None, retry_after_ms: None }
    }
}

impl From<old::Role> for Role {
    fn from(role: old::Role) -> Self {
        match role {
            old::Role::System => Self::System,
            old::Role::User => Self::User,
            old::Role::Assistant => Self::Assistant,
        }
    }
}

impl From<old::Message> for Message {
    fn from(message: old::Message) -> Self {
        Self { role: message.role.into(), name: None, parts: vec![text(message.text)], extensions: Vec::new() }
    }
}

fn text(text: String) -> Part {
    Part::Text(TextPart { text, citations: Vec::new(), signature: None, cache: None, extensions: Vec::new() })
}

impl From<old::ChatRequest> for ChatRequest {
    fn from(request: old::ChatRequest) -> Self {
        Self {
            model: request.model,
            messages: all(request.messages),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            output: None,
            sampling: Sampling {
                temperature: request.temperature,
                top_p: None,
                top_k: None,
                seed: None,
                stop: Vec::new(),
                frequency_penalty: None,
                presence_penalty: None,
                candidates: None,
                logprobs: None,
                top_logprobs: None,
            },
            max_output_tokens: request.max_tokens,
            reasoning: None,
            stream: request.stream,
            end_user: None,
            metadata: None,
            service_tier: None,
            cache_key: None,
            extensions: Vec::new(),
        }
    }
}

impl From<OldParsedChat> for ParsedChat {
    fn from(parsed: OldParsedChat) -> Self {
        Self { request: parsed.request.into(), losses: all(parsed.losses), memo: parsed.memo }
    }
}

impl From<old::FinishReason> for Finish {
    fn from(reason: old::FinishReason) -> Self {
        let reason = match reason {
            old::FinishReason::Complete => FinishReason::Complete,
            old::FinishReason::Length => FinishReason::Length,
            old::FinishReason::ContentFilter => FinishReason::ContentFilter,
            old::FinishReason::Other => FinishReason::Other,
        };
        Self { reason, raw: None, stop_sequence: None }
    }
}

impl From<old::Usage> for Usage {
    fn from(usage: old::Usage) -> Self {
        let (input, output) = (Some(usage.input), Some(usage.output));
        Self { input, cache_read: None, cache_write: None, output, reasoning: None, extensions: Vec::new() }
    }
}

impl From<old::ChatResponse> for ChatResponse {
    fn from(response: old::ChatResponse) -> Self {
        let candidate = Candidate {
            index: 0,
            parts: vec![text(response.text)],
            finish: Some(response.finish.into()),
            logprobs: None,
            extensions: Vec::new(),
        };
        Self {
            id: response.id,
            model: response.model,
            created_ms: None,
            candidates: vec![candidate],
            usage: response.usage.map(Usage::from),
            service_tier: None,
            extensions: Vec::new(),
        }
    }
}

impl From<old::ChatResponse> for ChatOutcome {
    fn from(response: old::ChatResponse) -> Self {
        Self::Complete(ChatAnswer { response: response.into(), losses: Vec::new() })
    }
}

impl From<old::ChatEvent> for ChatEvent {
    fn from(event: old::ChatEvent) -> Self {
        match event {
            old::ChatEvent::Start(old::ResponseStart { id, model }) => {
                Self::Start(ResponseStart { id, model, created_ms: None, service_tier: None, extensions: Vec::new() })
            }
            old::ChatEvent::PartStart(old::PartStart { part, kind }) => {
                let kind = match kind {
                    old::PartKind::Text => PartKind::Text,
                    old::PartKind::Reasoning => PartKind::Reasoning,
                };
                Self::PartStart(PartStart { candidate: 0, part, kind })
            }
            old::ChatEvent::Delta(old::PartDelta { part, text }) => Self::Delta(PartDelta { candidate: 0, part, text }),
            old::ChatEvent::PartStop(part) => Self::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }),
            old::ChatEvent::Finish(reason) => Self::Finish(CandidateFinish { candidate: 0, finish: reason.into() }),
            old::ChatEvent::Usage(usage) => Self::Usage(usage.into()),
            old::ChatEvent::Failure(error) => Self::Failure(error.into()),
        }
    }
}

impl From<old::Decoded> for Decoded {
    fn from(decoded: old::Decoded) -> Self {
        Self { events: all(decoded.events), losses: all(decoded.losses) }
    }
}

impl From<old::Encoded> for Encoded {
    fn from(encoded: old::Encoded) -> Self {
        Self { frames: all(encoded.frames), losses: all(encoded.losses) }
    }
}

impl From<old::RenderedRequest> for RenderedRequest {
    fn from(rendered: old::RenderedRequest) -> Self {
        let old::RenderedRequest { request, losses, memo } = rendered;
        Self { request: request.into(), losses: all(losses), memo, framing: None }
    }
}

impl From<old::RenderedResponse> for RenderedResponse {
    fn from(rendered: old::RenderedResponse) -> Self {
        Self { response: rendered.response.into(), losses: all(rendered.losses) }
    }
}

impl From<old_about::Manifest> for Manifest {
    fn from(old: old_about::Manifest) -> Self {
        let face = old.face.map(|face| face_of(face, &old.format, &old.key_header));
        let format = Format { id: old.format.clone(), errors: Some(errors(old.error_body, &old.spellings)), tap: None };
        Self {
            name: old.name,
            version: old.version,
            contract: old.contract,
            description: old.description,
            family: old.format,
            settings: String::new(),
            isolation: Isolation::Fresh,
            takes_blobs: false,
            suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
            formats: vec![format],
            faces: face.into_iter().collect(),
            accepts: Vec::new(),
            auth: vec![Auth { name: "key".into(), scheme: AuthScheme::Header(bare(old.key_header)) }],
            capabilities: Capabilities {
                operations: vec![Operation::Chat],
                media: Vec::new(),
                tools: false,
                counts_tokens: false,
            },
        }
    }
}

fn bare(name: String) -> Header {
    Header { name, value: String::new() }
}

fn face_of(face: old_about::Face, format: &str, key_header: &str) -> Face {
    Face {
        format: format.into(),
        operation: Operation::Chat,
        method: "POST".into(),
        path: face.path,
        prefixes: Vec::new(),
        when: None,
        credentials: vec![CredentialPlace::Header(bare(key_header.into()))],
        model: vec![ModelPlace::Pointer(ModelPointer { pointer: face.model, prefix: String::new() })],
        stream: StreamFlag::Pointer(StreamPointer { pointer: face.stream, fallback: false }),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: Vec::new(),
        framings: vec![AnswerFraming { framing: face.framing.into(), when: None }],
    }
}

/// Kinds that came later are spelled as the nearest one that was there.
fn errors(body: String, spellings: &[old_about::ErrorSpelling]) -> ErrorFormat {
    let spelled = |kind: &ErrorKind| {
        let nearest = old::ErrorKind::from(*kind);
        let spelling = spellings.iter().find(|spelling| spelling.kind == nearest)?;
        Some(ErrorSpelling { kind: *kind, name: spelling.name.clone(), code: None, status: spelling.status })
    };
    ErrorFormat {
        stream_failure: Some(FrameTemplate { event: None, data: body.clone() }),
        body,
        spellings: ErrorKind::ALL.iter().filter_map(spelled).collect(),
        headers: Vec::new(),
        keep_alive: None,
        request_id_header: None,
        rate_limit_headers: Vec::new(),
    }
}
