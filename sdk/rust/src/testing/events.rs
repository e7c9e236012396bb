//! Events of streams in short: one candidate, one function `f`.

use crate::types::{
    CandidateFinish, ChatEvent, Finish, FinishReason, PartDelta, PartKind, PartSignature, PartStart, PartStop,
    ResponseStart, Signature, ToolKind, ToolStart, Usage,
};

/// A part begins.
pub fn start(part: u32, kind: PartKind) -> ChatEvent {
    ChatEvent::PartStart(PartStart { candidate: 0, part, kind })
}

/// A call of the function `f`.
pub fn call(id: &str) -> PartKind {
    signed_call(id, None)
}

/// A call of the function `f` with its signature.
pub fn signed_call(id: &str, signature: Option<Signature>) -> PartKind {
    PartKind::ToolCall(ToolStart { id: id.into(), name: "f".into(), kind: ToolKind::Function, signature })
}

/// More text of a part.
pub fn delta(part: u32, text: &str) -> ChatEvent {
    ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() })
}

/// A part's signature.
pub fn sign(part: u32, issuer: &str, value: &str, encrypted: bool) -> ChatEvent {
    let signature = Signature { issuer: issuer.into(), value: value.into() };
    ChatEvent::Signature(PartSignature { candidate: 0, part, signature, encrypted })
}

/// A part ends.
pub fn stop(part: u32) -> ChatEvent {
    ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() })
}

/// The candidate ends, for a reason without a provider's name for it.
pub fn finish(reason: FinishReason) -> ChatEvent {
    ChatEvent::Finish(CandidateFinish { candidate: 0, finish: Finish { reason, raw: None, stop_sequence: None } })
}

/// A stream that no format but the unified model writes: signed thinking of another provider, then text and two calls
/// whose pieces are mixed, 2 tokens in and 3 out. `empty` are the arguments of the second call, which ends first.
pub fn mixed_stream(begin: ResponseStart, empty: &str) -> Vec<ChatEvent> {
    vec![
        ChatEvent::Start(begin),
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        sign(0, "anthropic", "s", false),
        stop(0),
        start(1, PartKind::Text),
        delta(1, "a"),
        start(2, call("c1")),
        start(3, call("c2")),
        delta(3, empty),
        stop(3),
        delta(2, "{\"x\":"),
        delta(1, "b"),
        delta(2, "1}"),
        stop(2),
        stop(1),
        ChatEvent::Usage(Usage { input: Some(2), output: Some(3), ..Usage::default() }),
        finish(FinishReason::ToolCalls),
    ]
}
