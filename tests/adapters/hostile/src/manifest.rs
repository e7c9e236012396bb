//! The adapter's manifest, which is harmless.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    AnswerFraming, Auth, ErrorFormat, Face, Format, Isolation, Manifest, ModelPlace, Operation, StreamFlag,
};
use weir_sdk::types::{Framing, Header};

use crate::{FORMAT, Hostile};

const ERROR: &str = r#"{"hostile":{{kind}},"message":{{message}},"code":{{code}}}"#;

impl About for Hostile {
    fn describe() -> Manifest {
        Manifest {
            isolation: Isolation::Fresh,
            takes_blobs: false,
            formats: vec![Format { errors: Some(errors()), ..Format::new(FORMAT) }],
            faces: vec![
                face(),
                Face::get(FORMAT, Operation::Models, "/hostile-models"),
                of(Operation::Embeddings, "/hostile-embeddings/{model}"),
                of(Operation::Rerank, "/hostile-rerank/{model}"),
                of(Operation::CountTokens, "/hostile-count/{model}"),
            ],
            auth: vec![Auth::bearer()],
            ..Manifest::new("hostile", env!("CARGO_PKG_VERSION"), "Does whatever an adapter should not")
        }
    }
}

fn errors() -> ErrorFormat {
    ErrorFormat::new(ERROR, |_| ("error", 500))
}

fn face() -> Face {
    Face {
        credentials: Vec::new(),
        model: vec![ModelPlace::Path],
        stream: StreamFlag::Query(Header::new("stream", "1")),
        framings: AnswerFraming::always(Framing::Ndjson),
        ..Face::post(FORMAT, Operation::Chat, "/hostile/{model}")
    }
}

fn of(operation: Operation, path: &str) -> Face {
    Face { credentials: Vec::new(), model: vec![ModelPlace::Path], ..Face::post(FORMAT, operation, path) }
}
