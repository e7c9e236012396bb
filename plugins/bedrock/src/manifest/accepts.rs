//! The requests that the service takes unchanged.

use weir_sdk::manifest::{Acceptance, Operation, strings};

use super::INVOKE as OPERATION;
use crate::{FORMAT, INVOKE};

pub(super) fn all() -> Vec<Acceptance> {
    let streamed = |path: &str| Some(format!("model/{{model}}/{path}"));
    vec![
        Acceptance { stream_path: streamed("converse-stream"), ..post(FORMAT, Operation::Chat, "converse") },
        post(FORMAT, Operation::CountTokens, "count-tokens"),
        Acceptance {
            stream_path: streamed("invoke-with-response-stream"),
            request_headers: strings(["accept", "x-amzn-bedrock-*"]),
            ..post(INVOKE, Operation::Other(OPERATION.into()), "invoke")
        },
    ]
}

fn post(format: &str, operation: Operation, path: &str) -> Acceptance {
    Acceptance {
        request_headers: strings(["accept"]),
        response_headers: strings(["x-amzn-*", "retry-after"]),
        preferred: true,
        ..Acceptance::new(format, operation, "POST", format!("model/{{model}}/{path}"))
    }
}
