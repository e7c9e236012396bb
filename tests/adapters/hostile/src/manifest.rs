//! The adapter's manifest, which is harmless.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    AnswerFraming, Auth, AuthScheme, BodyKind, CONTRACT, Capabilities, ErrorFormat, ErrorSpelling, Face, Format,
    FrameTemplate, Isolation, Manifest, ModelPlace, Operation, StreamFlag, Suggestions,
};
use weir_sdk::types::{ErrorKind, Framing, Header};

use crate::{FORMAT, Hostile};

const ERROR: &str = r#"{"hostile":{{kind}},"message":{{message}},"code":{{code}}}"#;

impl About for Hostile {
    fn describe() -> Manifest {
        Manifest {
            name: "hostile".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT.into(),
            description: "Does whatever an adapter should not".into(),
            family: "hostile".into(),
            settings: String::new(),
            isolation: Isolation::Fresh,
            takes_blobs: false,
            suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
            formats: vec![Format { id: FORMAT.into(), errors: Some(errors()), tap: None, session: None }],
            faces: vec![face()],
            accepts: Vec::new(),
            auth: vec![Auth { name: "bearer".into(), scheme: AuthScheme::Bearer }],
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
        path: "/hostile/{model}".into(),
        prefixes: Vec::new(),
        when: None,
        credentials: Vec::new(),
        model: vec![ModelPlace::Path],
        stream: StreamFlag::Query(Header::new("stream", "1")),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: Vec::new(),
        framings: vec![AnswerFraming { framing: Framing::Ndjson, when: None }],
    }
}
