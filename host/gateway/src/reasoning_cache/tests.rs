use super::*;
use weir_types::contract::types::{
    Candidate, CandidateFinish, Finish, FinishReason, PartDelta, PartSignature, PartStart, TextPart, ToolCall,
    ToolKind, ToolStart,
};

fn source(tenant: &str, family: &str) -> Source {
    let issuer = Issuer { target: "p/m".into(), provider: "p".into(), key: 0 };
    Source { tenant: tenant.into(), family: family.into(), issuer }
}

fn signature(value: &str) -> Signature {
    Signature { issuer: "zeta".into(), value: value.into() }
}

fn thinking(text: &str, vouched: Option<&str>) -> Part {
    Part::Reasoning(ReasoningPart {
        id: None,
        text: Some(text.into()),
        signature: vouched.map(signature),
        encrypted: None,
        extensions: Vec::new(),
    })
}

fn call(id: &str, value: Option<&str>) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        kind: ToolKind::Function,
        arguments: "{}".into(),
        signature: value.map(signature),
        cache: None,
        extensions: Vec::new(),
    })
}

fn text(text: &str) -> Part {
    Part::Text(TextPart {
        text: text.into(),
        citations: Vec::new(),
        signature: None,
        cache: None,
        extensions: Vec::new(),
    })
}

fn answer(parts: Vec<Part>) -> ChatResponse {
    let candidate = Candidate { index: 0, parts, finish: None, logprobs: None, extensions: Vec::new() };
    ChatResponse {
        id: "a".into(),
        model: None,
        created_ms: None,
        candidates: vec![candidate],
        usage: None,
        service_tier: None,
        extensions: Vec::new(),
    }
}

fn request(parts: Vec<Part>) -> ChatRequest {
    ChatRequest::plain("m", vec![Message::plain(Role::Assistant, parts)])
}

fn restored(reasoning_cache: &ReasoningCache, tenant: &str, family: &str, parts: Vec<Part>) -> Vec<String> {
    let mut request = request(parts);
    reasoning_cache.restore(tenant, family, &mut request);
    request.messages.remove(0).parts.iter().map(shown).collect()
}

fn shown(part: &Part) -> String {
    let value = |signature: &Option<Signature>| signature.as_ref().map_or("-".to_owned(), |one| one.value.clone());
    match part {
        Part::Reasoning(part) => {
            format!("think {} {}", part.text.as_deref().unwrap_or("-"), value(&part.signature))
        }
        Part::ToolCall(call) => format!("call {} {}", call.id, value(&call.signature)),
        Part::Text(part) => format!("text {}", part.text),
        other => format!("{other:?}"),
    }
}

#[test]
fn c32_signed_thinking_returns_in_front_of_the_calls_of_its_turn() {
    let reasoning_cache = ReasoningCache::new(1 << 20);
    let parts = vec![thinking("hm", Some("S1")), text("I look."), call("c1", None), call("c2", Some("S2"))];
    reasoning_cache.keep(&source("t", "zeta"), &answer(parts));
    let sent = || vec![text("I look."), call("c1", None), call("c2", None)];
    let whole = ["think hm S1", "text I look.", "call c1 -", "call c2 S2"];
    assert_eq!(restored(&reasoning_cache, "t", "zeta", sent()), whole);
    // Reasoning that the client repeats without its value is the same reasoning.
    let repeated = vec![thinking("hm", None), text("I look."), call("c1", None), call("c2", None)];
    assert_eq!(restored(&reasoning_cache, "t", "zeta", repeated), whole);
    let bare = ["text I look.", "call c1 -", "call c2 -"];
    assert_eq!(restored(&reasoning_cache, "another", "zeta", sent()), bare, "another tenant");
    assert_eq!(restored(&reasoning_cache, "t", "eta", sent()), bare, "another family");
    // A cloud that serves another provider's models returns that provider's values.
    reasoning_cache.keep(&source("t", "cloud"), &answer(vec![thinking("hm", Some("S3")), call("c3", None)]));
    for family in ["cloud", "zeta"] {
        assert_eq!(
            restored(&reasoning_cache, "t", family, vec![call("c3", None)]),
            ["think hm S3", "call c3 -"],
            "{family}"
        );
    }
}

#[test]
fn c32_what_the_client_kept_itself_is_left_alone() {
    let reasoning_cache = ReasoningCache::new(1 << 20);
    reasoning_cache.keep(&source("t", "zeta"), &answer(vec![thinking("hm", Some("S1")), call("c1", Some("S2"))]));
    let sent = vec![thinking("own", Some("S9")), call("c1", Some("S8"))];
    assert_eq!(restored(&reasoning_cache, "t", "zeta", sent), ["think own S9", "call c1 S8"]);
}

#[test]
fn a_streamed_turn_is_kept_like_a_whole_one() {
    let reasoning_cache = Arc::new(ReasoningCache::new(1 << 20));
    let mut collector = ReasoningCollector::new(Arc::clone(&reasoning_cache), source("t", "zeta"));
    let start = |part, kind| ChatEvent::PartStart(PartStart { candidate: 0, part, kind });
    let delta = |part, text: &str| ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() });
    let sign = |part, value: &str| {
        ChatEvent::Signature(PartSignature { candidate: 0, part, signature: signature(value), encrypted: false })
    };
    let tool = ToolStart { id: "c1".into(), name: "look".into(), kind: ToolKind::Function, signature: None };
    let finish = Finish { reason: FinishReason::ToolCalls, raw: None, stop_sequence: None };
    let events = [
        start(0, PartKind::Reasoning),
        delta(0, "h"),
        delta(0, "m"),
        sign(0, "S1"),
        start(1, PartKind::ToolCall(tool)),
        delta(1, "{}"),
        sign(1, "S2"),
        ChatEvent::Finish(CandidateFinish { candidate: 0, finish }),
    ];
    for event in &events {
        collector.see(event);
    }
    assert_eq!(restored(&reasoning_cache, "t", "zeta", vec![call("c1", None)]), ["think hm S1", "call c1 S2"]);
}

#[test]
fn turns_without_signatures_are_not_kept() {
    let reasoning_cache = ReasoningCache::new(1 << 20);
    reasoning_cache.keep(&source("t", "zeta"), &answer(vec![thinking("hm", None), call("c1", None)]));
    assert!(reasoning_cache.turns.is_empty());
}

#[test]
fn memory_is_bounded_and_large_turns_are_not_kept() {
    let reasoning_cache = ReasoningCache::new(64 * 1024);
    for number in 0..2_000 {
        reasoning_cache.keep(&source("t", "zeta"), &answer(vec![call(&format!("c{number}"), Some(&"x".repeat(512)))]));
    }
    assert!(reasoning_cache.turns.weight() <= 64 * 1024, "{}", reasoning_cache.turns.weight());
    assert!(!reasoning_cache.turns.is_empty());
    let huge = "x".repeat(TURN_LIMIT + 1);
    let generous = ReasoningCache::new(16 << 20);
    generous.keep(&source("t", "zeta"), &answer(vec![thinking(&huge, Some("S")), call("big", None)]));
    assert!(generous.turns.is_empty());
}
