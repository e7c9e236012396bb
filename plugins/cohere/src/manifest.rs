//! The adapter's manifest.

mod accepts;
mod faces;
mod format;
mod relayed;

use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, AuthScheme, Capabilities, Manifest, Operation, Suggestions, strings};

use crate::{Cohere, FAMILY};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["bearer", "open"],
      "description": "How the key is sent: as a bearer token (the default), or not at all."
    },
    "input_type": {
      "type": "string",
      "description": "What texts are embedded for where the client does not say; search_document by default."
    }
  }
}"#;

impl About for Cohere {
    fn describe() -> Manifest {
        Manifest {
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            suggests: Suggestions::new(
                "https://api.cohere.com/",
                ["CO_API_KEY", "COHERE_API_KEY"],
                ["command-*", "c4ai-*", "embed-english-*", "embed-multilingual-*", "embed-v*", "rerank-*"],
            ),
            formats: format::all(),
            faces: faces::all(),
            accepts: accepts::all(),
            auth: vec![Auth::bearer(), Auth::new("open", AuthScheme::Open)],
            capabilities: Capabilities {
                operations: vec![
                    Operation::Chat,
                    Operation::Embeddings,
                    Operation::Rerank,
                    Operation::Models,
                    Operation::CountTokens,
                ],
                media: strings(["image"]),
                tools: true,
                counts_tokens: true,
            },
            ..Manifest::new("cohere", env!("CARGO_PKG_VERSION"), "Cohere's chat, embeddings and reranking")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Cohere>();
    }
}
