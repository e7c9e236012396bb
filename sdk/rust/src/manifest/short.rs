//! Short constructors for a manifest. Fields without an argument get their most common value; an adapter overrides them
//! with `..` after its own.

use super::{
    Acceptance, AnswerFraming, Auth, AuthScheme, BodyKind, Bucket, CONTRACT, Capabilities, CredentialPlace,
    ErrorFormat, ErrorSpelling, Exclusion, Face, Feature, Format, FrameTemplate, FrameTest, Isolation, Manifest, Merge,
    ModelPlace, ModelPointer, Operation, PointerBound, PointerEquals, PointerValues, StreamFlag, StreamPointer,
    Suggestions, UnitPlace, UnitSource, UsagePlace,
};
use crate::types::{ErrorKind, Framing, Header, Unit};

/// Owned texts.
pub fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    owned(&texts)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Features that requests may need, and the tests that detect them.
pub fn features<const N: usize>(tests: [(&str, Vec<FrameTest>); N]) -> Vec<Feature> {
    tests.into_iter().map(|(name, tests)| Feature { name: name.to_owned(), tests }).collect()
}

impl Manifest {
    /// The manifest of an adapter for chat without tools or media, which keeps nothing between requests and is a family
    /// of its own. It has no options, formats, faces or ways to authenticate. `version` is the adapter's:
    /// `env!("CARGO_PKG_VERSION")`.
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            contract: CONTRACT.to_owned(),
            description: description.to_owned(),
            family: name.to_owned(),
            settings: String::new(),
            isolation: Isolation::Tenant,
            takes_blobs: true,
            suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
            formats: Vec::new(),
            faces: Vec::new(),
            accepts: Vec::new(),
            auth: Vec::new(),
            capabilities: Capabilities {
                operations: vec![Operation::Chat],
                media: Vec::new(),
                tools: false,
                counts_tokens: false,
            },
        }
    }
}

impl Suggestions {
    /// Suggests an address, the variables that usually hold a key, and patterns of models' names. Answers name no other
    /// origins.
    pub fn new<const K: usize, const M: usize>(url: &str, key_variables: [&str; K], models: [&str; M]) -> Self {
        Self {
            url: Some(url.to_owned()),
            key_variables: strings(key_variables),
            models: strings(models),
            origins: Vec::new(),
        }
    }
}

impl Auth {
    /// A scheme under the name that the option `auth` has for it.
    pub fn new(name: &str, scheme: AuthScheme) -> Self {
        Self { name: name.to_owned(), scheme }
    }

    /// The key as a bearer token, named `bearer`.
    pub fn bearer() -> Self {
        Self::new("bearer", AuthScheme::Bearer)
    }

    /// The key alone in a header, which is the scheme's name too.
    pub fn header(name: &str) -> Self {
        Self::new(name, AuthScheme::Header(Header::new(name, "")))
    }
}

impl Format {
    /// A format without errors of its own and without a tap: clients cannot use it.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), errors: None, tap: None, session: None }
    }
}

impl ErrorFormat {
    /// Errors with this template of a body, which also ends a broken stream. `spelling` gives the format's name of an
    /// error kind, and its status; no kind has a code.
    pub fn new(body: &str, spelling: impl Fn(ErrorKind) -> (&'static str, u16)) -> Self {
        let spelled = |kind: ErrorKind| {
            let (name, status) = spelling(kind);
            ErrorSpelling { kind, name: name.to_owned(), code: None, status }
        };
        Self {
            body: body.to_owned(),
            spellings: ErrorKind::ALL.into_iter().map(spelled).collect(),
            headers: Vec::new(),
            stream_failure: Some(FrameTemplate { event: None, data: body.to_owned() }),
            keep_alive: None,
            request_id_header: None,
            rate_limit_headers: Vec::new(),
        }
    }
}

impl Face {
    /// A face for requests with a JSON body that has the model's name as `model`. Answers are not streamed, and the
    /// client's key is a bearer token.
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
            candidates: Vec::new(),
            service_tier: Vec::new(),
            end_user: Vec::new(),
            object_ids: Vec::new(),
            features: Vec::new(),
            request_headers: Vec::new(),
            framings: Vec::new(),
        }
    }

    /// A face for requests without a body. The model, if there is one, is in the path.
    pub fn get(format: &str, operation: Operation, path: impl Into<String>) -> Self {
        let path = path.into();
        let model = if path.contains("{model") { vec![ModelPlace::Path] } else { Vec::new() };
        Self { method: "GET".to_owned(), model, body: BodyKind::Empty, ..Self::post(format, operation, path) }
    }
}

impl Acceptance {
    /// An acceptance of requests that go to `path` unchanged. No query and no headers are passed on, and translated
    /// requests use another path.
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
    /// The counts at these pointers; a later one replaces an earlier one.
    pub fn new(bucket: Bucket, pointers: Vec<String>) -> Self {
        Self { bucket, pointers, merge: Merge::Last, includes: Vec::new(), beside: None, headers: Vec::new() }
    }

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

    /// True if this string is at the pointer. It is inserted as it is, so it must need no escapes.
    pub fn equals(pointer: impl Into<String>, text: &str) -> Self {
        Self::Equals(PointerEquals { pointer: pointer.into(), json: format!("\"{text}\"") })
    }
}

impl ModelPlace {
    /// The model's name is at the pointer.
    pub fn pointer(pointer: &str) -> Self {
        Self::Pointer(ModelPointer { pointer: pointer.to_owned(), prefix: String::new() })
    }
}

impl StreamFlag {
    /// The member `stream` decides whether the answer is streamed; without it, `fallback` does.
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
    /// A header whose value is the key alone.
    pub fn header(name: &str) -> Self {
        Self::Header(Header::new(name, ""))
    }

    /// The key as a bearer token.
    pub fn bearer() -> Self {
        Self::Header(Header::new("authorization", "Bearer "))
    }
}
