//! The platform's own paths, which identify a recorded exchange with it: for each publisher those that take its bodies.
//!
//! They have a separate format that no client uses: the platform's variants of Gemini's and of Claude's bodies. So
//! nothing is relayed by them.

use weir_sdk::manifest::{Acceptance, Operation};

/// The format of the platform's bodies, for any publisher.
pub(super) const FORMAT: &str = "vertex";

const GEMINI: &str = "publishers/google/models/{model}";
const CLAUDE: &str = "publishers/anthropic/models/{model}";

pub(super) fn all() -> Vec<Acceptance> {
    let streamed = |stream: String, whole| Acceptance { stream_path: Some(stream), ..whole };
    let chat = |path: &str| {
        let whole = post(Operation::Chat, format!("{path}:generateContent"));
        streamed(format!("{path}:streamGenerateContent"), whole)
    };
    vec![
        chat(GEMINI),
        // A Gemini model that an operator has tuned.
        chat("endpoints/{model}"),
        streamed(format!("{CLAUDE}:streamRawPredict"), post(Operation::Chat, format!("{CLAUDE}:rawPredict"))),
        post(Operation::CountTokens, format!("{GEMINI}:countTokens")),
        post(Operation::CountTokens, "publishers/anthropic/models/count-tokens:rawPredict"),
        post(Operation::Embeddings, format!("{GEMINI}:predict")),
        post(Operation::Embeddings, format!("{GEMINI}:embedContent")),
        get("publishers/google/models"),
        get("publishers/anthropic/models"),
    ]
}

fn post(operation: Operation, path: impl Into<String>) -> Acceptance {
    Acceptance::new(FORMAT, operation, "POST", path)
}

fn get(path: &str) -> Acceptance {
    Acceptance::new(FORMAT, Operation::Models, "GET", path)
}
