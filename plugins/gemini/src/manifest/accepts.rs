//! The requests that the service takes unchanged.

use weir_sdk::manifest::{Acceptance, Operation, strings};

use crate::{BATCH_EMBED, EMBED, FORMAT};

pub(super) fn all() -> Vec<Acceptance> {
    let chat = Acceptance {
        stream_path: Some("models/{model}:streamGenerateContent".into()),
        ..post(FORMAT, Operation::Chat, "generateContent")
    };
    vec![
        chat,
        post(FORMAT, Operation::CountTokens, "countTokens"),
        Acceptance { preferred: false, ..post(EMBED, Operation::Embeddings, "embedContent") },
        post(BATCH_EMBED, Operation::Embeddings, "batchEmbedContents"),
        get("models"),
        get("models/{model}"),
    ]
}

/// An acceptance. The client decides with `alt` whether a stream is framed as SSE, so that this value passes and no
/// framing is fixed. Other encodings, masks of fields and callbacks do not: the answer has to tell what it used.
fn post(format: &str, operation: Operation, method: &str) -> Acceptance {
    Acceptance {
        query_forwarded: strings(["alt=sse", "$alt=sse", "prettyPrint"]),
        request_headers: strings(["x-goog-api-client", "x-goog-request-params", "x-server-timeout"]),
        response_headers: strings(["x-gemini-*", "server-timing", "retry-after", "x-request-id"]),
        preferred: true,
        ..Acceptance::new(format, operation, "POST", format!("models/{{model}}:{method}"))
    }
}

fn get(path: &str) -> Acceptance {
    Acceptance {
        method: "GET".into(),
        path: path.into(),
        query_forwarded: strings(["alt", "$alt", "prettyPrint", "fields", "pageSize", "pageToken"]),
        ..post(FORMAT, Operation::Models, "")
    }
}
