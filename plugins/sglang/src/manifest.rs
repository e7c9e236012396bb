//! The manifest: each operation is a method of the service.

use weir_sdk::adapter::About;
use weir_sdk::compat::Provider as _;
use weir_sdk::compat::manifest::describe;
use weir_sdk::manifest::{
    Acceptance, Auth, AuthScheme, Format, GrpcMethod, Manifest, Operation, Suggestions, Transport, strings,
};

use crate::{Json, Sglang};

/// The methods' descriptors, made from `proto/sglang.proto` by a test.
pub(crate) const DESCRIPTORS: &str = include_str!("../proto/sglang.descriptors");

impl About for Sglang {
    fn describe() -> Manifest {
        let paths = Json::QUIRKS.paths;
        Manifest {
            // A value that is lifted out of the JSON would be in base64 once more.
            takes_blobs: false,
            suggests: Suggestions {
                models: Vec::new(),
                ..Suggestions::new("http://127.0.0.1:40000/", ["SGLANG_API_KEY"], [])
            },
            family: "sglang".to_owned(),
            formats: ["sglang.chat", "sglang.embeddings", "sglang.rerank", "sglang.models"].map(Format::new).into(),
            accepts: vec![
                Acceptance { preferred: true, ..call("sglang.chat", Operation::Chat, paths.chat, true) },
                call("sglang.embeddings", Operation::Embeddings, paths.embeddings, false),
                call("sglang.rerank", Operation::Rerank, paths.rerank, false),
                call("sglang.models", Operation::Models, paths.models, false),
            ],
            auth: vec![Auth::new("open", AuthScheme::Open), Auth::bearer()],
            ..describe(Json::QUIRKS)
        }
    }
}

/// The operation as a call of the method with this path.
fn call(format: &str, operation: Operation, path: &str, stream: bool) -> Acceptance {
    let (service, method) = path.split_once('/').unwrap_or_default();
    let method = GrpcMethod {
        service: service.to_owned(),
        method: method.to_owned(),
        stream,
        descriptors: DESCRIPTORS.trim().to_owned(),
    };
    Acceptance {
        response_headers: strings(["x-request-id"]),
        transport: Some(Transport::Grpc(method)),
        ..Acceptance::new(format, operation, "POST", path)
    }
}
