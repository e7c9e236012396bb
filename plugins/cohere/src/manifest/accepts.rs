//! The requests that the service takes unchanged.

use weir_sdk::compat::rerank::FORMAT as SHARED_RERANK;
use weir_sdk::manifest::{Acceptance, Operation, strings};

use super::relayed;
use crate::{FORMAT, embeddings, rerank};

pub(super) fn all() -> Vec<Acceptance> {
    let query = strings(["page_size", "page_token", "endpoint", "default_only"]);
    let mut all = vec![
        acceptance(FORMAT, Operation::Chat, "POST", "v2/chat"),
        acceptance(embeddings::FORMAT, Operation::Embeddings, "POST", "v2/embed"),
        older(acceptance(embeddings::OLD, Operation::Embeddings, "POST", "v1/embed")),
        acceptance(rerank::FORMAT, Operation::Rerank, "POST", "v2/rerank"),
        older(acceptance(SHARED_RERANK, Operation::Rerank, "POST", "v1/rerank")),
        Acceptance { query_forwarded: query, ..acceptance(FORMAT, Operation::Models, "GET", "v1/models") },
        acceptance(FORMAT, Operation::Models, "GET", "v1/models/{model}"),
    ];
    all.extend(relayed::accepts());
    all
}

/// An acceptance of the older API, which translated requests do not use.
fn older(acceptance: Acceptance) -> Acceptance {
    Acceptance { preferred: false, ..acceptance }
}

pub(super) fn acceptance(format: &str, operation: Operation, method: &str, path: &str) -> Acceptance {
    Acceptance {
        request_headers: strings(["x-client-name"]),
        response_headers: strings([
            "x-debug-trace-id",
            "x-endpoint-monthly-call-limit",
            "x-trial-endpoint-call-*",
            "x-api-warning",
            "num_chars",
            "num_tokens",
            "retry-after",
        ]),
        preferred: true,
        ..Acceptance::new(format, operation, method, path)
    }
}
