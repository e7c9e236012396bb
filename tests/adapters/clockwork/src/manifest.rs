//! The adapter's manifest.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{AnswerFraming, ErrorFormat, Face, Format, Isolation, Manifest, Operation};
use weir_sdk::types::Framing;

use crate::{Clockwork, FORMAT};

const ERROR: &str = r#"{"clockwork":{{kind}},"message":{{message}},"code":{{code}}}"#;

impl About for Clockwork {
    fn describe() -> Manifest {
        Manifest {
            isolation: Isolation::Fresh,
            takes_blobs: false,
            formats: vec![Format { errors: Some(errors()), ..Format::new(FORMAT) }],
            faces: vec![face()],
            ..Manifest::new("clockwork", env!("CARGO_PKG_VERSION"), "Reports what its host lets it use")
        }
    }
}

fn errors() -> ErrorFormat {
    ErrorFormat::new(ERROR, |_| ("error", 500))
}

fn face() -> Face {
    Face { framings: AnswerFraming::always(Framing::Ndjson), ..Face::post(FORMAT, Operation::Chat, "/clockwork/ask") }
}
