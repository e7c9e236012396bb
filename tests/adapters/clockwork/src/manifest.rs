//! The adapter's manifest.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    AnswerFraming, BodyKind, CONTRACT, Capabilities, CredentialPlace, ErrorFormat, ErrorSpelling, Face, Format,
    FrameTemplate, Isolation, Manifest, ModelPlace, ModelPointer, Operation, StreamFlag, Suggestions,
};
use weir_sdk::types::{ErrorKind, Framing, Header};

use crate::{Clockwork, FORMAT};

const ERROR: &str = r#"{"clockwork":{{kind}},"message":{{message}},"code":{{code}}}"#;

impl About for Clockwork {
    fn describe() -> Manifest {
        Manifest {
            name: "clockwork".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT.into(),
            description: "Reports what its host lets it use".into(),
            family: "clockwork".into(),
            settings: String::new(),
            isolation: Isolation::Fresh,
            takes_blobs: false,
            suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
            formats: vec![Format { id: FORMAT.into(), errors: Some(errors()), tap: None, session: None }],
            faces: vec![face()],
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

fn errors() -> ErrorFormat {
    let kinds = [
        ErrorKind::InvalidRequest,
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::TooLarge,
        ErrorKind::ContextLength,
        ErrorKind::RateLimited,
        ErrorKind::Quota,
        ErrorKind::ContentFiltered,
        ErrorKind::Overloaded,
        ErrorKind::Timeout,
        ErrorKind::Unsupported,
        ErrorKind::Upstream,
        ErrorKind::Internal,
    ];
    let spelling = |kind| ErrorSpelling { kind, name: "error".into(), code: None, status: 500 };
    ErrorFormat {
        body: ERROR.into(),
        spellings: kinds.map(spelling).into(),
        headers: Vec::new(),
        stream_failure: Some(FrameTemplate { event: None, data: ERROR.into() }),
        keep_alive: None,
        request_id_header: None,
        rate_limit_headers: Vec::new(),
    }
}

fn face() -> Face {
    Face {
        format: FORMAT.into(),
        operation: Operation::Chat,
        method: "POST".into(),
        path: "/clockwork/ask".into(),
        prefixes: Vec::new(),
        when: None,
        credentials: vec![CredentialPlace::Header(Header::new("authorization", "Bearer "))],
        model: vec![ModelPlace::Pointer(ModelPointer { pointer: "/model".into(), prefix: String::new() })],
        stream: StreamFlag::Constant(false),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: Vec::new(),
        framings: vec![AnswerFraming { framing: Framing::Ndjson, when: None }],
    }
}
