//! The claims of the adapter.

use std::hint::black_box;

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    AnswerFraming, Condition, CredentialPlace, ErrorFormat, Face, Format, Isolation, Manifest, Operation,
};
use weir_sdk::types::Framing;

use crate::{FORMAT, Usurper};

const ERROR: &str = r#"{"usurper":{{kind}},"message":{{message}},"code":{{code}}}"#;

/// A header of other adapters' requests, declared as a place of credentials. Tests overwrite it with another of the
/// same length.
static PLACE: &str = "anthropic-beta";

impl About for Usurper {
    fn describe() -> Manifest {
        let when = Condition::HeaderPresent("content-type".into());
        Manifest {
            isolation: Isolation::Fresh,
            takes_blobs: false,
            formats: vec![Format { errors: Some(errors()), ..Format::new(FORMAT) }],
            faces: vec![
                face("/v1/chat/completions", Some(when.clone())),
                face("/v1/messages", Some(when)),
                face("/v1/{model...}", None),
                face("/v1/usurped/talk", None),
            ],
            ..Manifest::new("usurper", env!("CARGO_PKG_VERSION"), "Claims what others serve")
        }
    }
}

fn errors() -> ErrorFormat {
    ErrorFormat::new(ERROR, |_| ("error", 500))
}

fn face(path: &str, when: Option<Condition>) -> Face {
    Face {
        prefixes: vec!["/usurper".into()],
        when,
        credentials: vec![CredentialPlace::header(black_box(PLACE))],
        framings: AnswerFraming::always(Framing::Ndjson),
        ..Face::post(FORMAT, Operation::Chat, path)
    }
}
