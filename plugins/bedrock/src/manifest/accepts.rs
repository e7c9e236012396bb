//! What the service takes as it is.

use weir_sdk::manifest::{Acceptance, Operation};

use super::{INVOKE as OPERATION, strings};
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
        format: format.into(),
        operation,
        method: "POST".into(),
        path: format!("model/{{model}}/{path}"),
        stream_path: None,
        query: Vec::new(),
        query_forwarded: Vec::new(),
        request_headers: strings(["accept"]),
        set_headers: Vec::new(),
        response_headers: strings(["x-amzn-*", "retry-after"]),
        exclusions: Vec::new(),
        ask_usage: None,
        preferred: true,
    }
}
