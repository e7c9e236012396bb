//! The requests that the server takes unchanged.
//!
//! The server also has OpenAI's formats, below `/v1`, but its answers deviate: recent servers give every streamed call
//! the number 0 (C-04), and ignore the choice between tools. So those requests are translated to the server's own
//! format here; to relay them, configure an OpenAI-compatible provider with that url.

use weir_sdk::manifest::{Acceptance, Operation, strings};

use crate::{CHAT, EMBED, EMBEDDINGS, GENERATE, MODELS};

pub(super) fn all() -> Vec<Acceptance> {
    let post = |format: &str, operation, path: &str| accepted(format, operation, "POST", path);
    let preferred = |one: Acceptance| Acceptance { preferred: true, ..one };
    vec![
        preferred(post(CHAT, Operation::Chat, "api/chat")),
        post(GENERATE, Operation::Chat, "api/generate"),
        preferred(post(EMBED, Operation::Embeddings, "api/embed")),
        post(EMBEDDINGS, Operation::Embeddings, "api/embeddings"),
        accepted(MODELS, Operation::Models, "GET", "api/tags"),
        post(MODELS, Operation::Models, "api/show"),
    ]
}

fn accepted(format: &str, operation: Operation, method: &str, path: &str) -> Acceptance {
    Acceptance {
        response_headers: strings(["retry-after", "x-request-id"]),
        ..Acceptance::new(format, operation, method, path)
    }
}
