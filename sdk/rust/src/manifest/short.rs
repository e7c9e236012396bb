//! Short ways to make what a manifest holds. What is left out stands at its most common value; an adapter overrides it
//! with `..` behind its own.

use super::{
    Acceptance, AnswerFraming, BodyKind, CredentialPlace, Exclusion, Face, Feature, FrameTest, Merge, ModelPlace,
    ModelPointer, Operation, PointerBound, PointerEquals, PointerValues, StreamFlag, StreamPointer, UnitPlace,
    UnitSource, UsagePlace,
};
use crate::types::{Framing, Header, Unit};

/// Owned texts.
pub fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    owned(&texts)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// What requests may need, and the tests that show it.
pub fn features<const N: usize>(tests: [(&str, Vec<FrameTest>); N]) -> Vec<Feature> {
    tests.into_iter().map(|(name, tests)| Feature { name: name.to_owned(), tests }).collect()
}

impl Face {
    /// Requests with a JSON body that names its model as `model`. Answers are not streamed, and the client's key is a bearer
    /// token.
    pub fn post(format: &str, operation: Operation, path: impl Into<String>) -> Self {
        Self {
            format: format.to_owned(),
            operation,
            method: "POST".to_owned(),
            path: path.into(),
            prefixes: Vec::new(),
            when: None,
            credentials: vec![CredentialPlace::bearer()],
            model: vec![ModelPlace::pointer("/model")],
            stream: StreamFlag::Constant(false),
            body: BodyKind::Json,
            output_limit: Vec::new(),
            end_user: Vec::new(),
            object_ids: Vec::new(),
            features: Vec::new(),
            request_headers: Vec::new(),
            framings: Vec::new(),
        }
    }

    /// Requests without a body. Their model, if there is one, stands in the path.
    pub fn get(format: &str, operation: Operation, path: impl Into<String>) -> Self {
        let path = path.into();
        let model = if path.contains("{model") { vec![ModelPlace::Path] } else { Vec::new() };
        Self { method: "GET".to_owned(), model, body: BodyKind::Empty, ..Self::post(format, operation, path) }
    }
}

impl Acceptance {
    /// Requests that go to `path` as they are. No query and no headers go along or come back, and translated requests go
    /// elsewhere.
    pub fn new(format: &str, operation: Operation, method: &str, path: impl Into<String>) -> Self {
        Self {
            format: format.to_owned(),
            operation,
            method: method.to_owned(),
            path: path.into(),
            stream_path: None,
            query: Vec::new(),
            query_forwarded: Vec::new(),
            request_headers: Vec::new(),
            set_headers: Vec::new(),
            response_headers: Vec::new(),
            exclusions: Vec::new(),
            ask_usage: None,
            transport: None,
            preferred: false,
        }
    }
}

impl Exclusion {
    /// Requests of which the test holds are translated.
    pub fn new(test: FrameTest, reason: &str) -> Self {
        Self { test, reason: reason.to_owned() }
    }
}

impl UnitPlace {
    /// The number at this pointer; later numbers replace earlier ones.
    pub fn number(unit: Unit, pointer: &str) -> Self {
        Self { unit, source: UnitSource::Number(vec![pointer.to_owned()]), merge: Merge::Last }
    }

    /// The number of values of which the test holds; the greatest number of an answer's frames counts.
    pub fn matches(unit: Unit, test: FrameTest) -> Self {
        Self { unit, source: UnitSource::Matches(test), merge: Merge::Max }
    }
}

impl UsagePlace {
    /// The same figures, counted only where the member of the same object has this text.
    #[must_use]
    pub fn beside(self, member: &str, text: &str) -> Self {
        let beside = PointerEquals { pointer: format!("/{member}"), json: format!("\"{text}\"") };
        Self { beside: Some(beside), ..self }
    }
}

impl FrameTest {
    /// A value stands at the pointer, and it is none of these. Each is JSON.
    pub fn other_than<const N: usize>(pointer: impl Into<String>, json: [&str; N]) -> Self {
        Self::OtherThan(PointerValues { pointer: pointer.into(), json: strings(json) })
    }

    /// A number greater than this stands at the pointer.
    pub fn above(pointer: impl Into<String>, bound: f64) -> Self {
        Self::Above(PointerBound { pointer: pointer.into(), bound })
    }

    /// A number less than this stands at the pointer.
    pub fn below(pointer: impl Into<String>, bound: f64) -> Self {
        Self::Below(PointerBound { pointer: pointer.into(), bound })
    }

    /// Something stands at the pointer.
    pub fn present(pointer: impl Into<String>) -> Self {
        Self::Present(pointer.into())
    }

    /// This string stands at the pointer. It is written as it is, so it needs no escapes.
    pub fn equals(pointer: impl Into<String>, text: &str) -> Self {
        Self::Equals(PointerEquals { pointer: pointer.into(), json: format!("\"{text}\"") })
    }
}

impl ModelPlace {
    /// The model's name stands at the pointer.
    pub fn pointer(pointer: &str) -> Self {
        Self::Pointer(ModelPointer { pointer: pointer.to_owned(), prefix: String::new() })
    }
}

impl StreamFlag {
    /// A member `stream` asks for a stream; without it the answer is streamed if `fallback` says so.
    pub fn member(fallback: bool) -> Self {
        Self::Pointer(StreamPointer { pointer: "/stream".to_owned(), fallback })
    }
}

impl AnswerFraming {
    /// All streams have this framing.
    pub fn always(framing: Framing) -> Vec<Self> {
        vec![Self { framing, when: None }]
    }
}

impl CredentialPlace {
    /// A header holds nothing but the key.
    pub fn header(name: &str) -> Self {
        Self::Header(Header::new(name, ""))
    }

    /// The key is a bearer token.
    pub fn bearer() -> Self {
        Self::Header(Header::new("authorization", "Bearer "))
    }
}
