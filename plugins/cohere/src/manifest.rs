//! The adapter's manifest.

mod accepts;
mod faces;
mod format;
mod relayed;

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    Auth, AuthScheme, CONTRACT, Capabilities, Isolation, Manifest, Operation, Suggestions, strings,
};

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
            name: "cohere".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT.into(),
            description: "Cohere's chat, embeddings and reranking".into(),
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            isolation: Isolation::Tenant,
            takes_blobs: true,
            suggests: Suggestions {
                url: Some("https://api.cohere.com/".into()),
                key_variables: strings(["CO_API_KEY", "COHERE_API_KEY"]),
                models: strings([
                    "command-*",
                    "c4ai-*",
                    "embed-english-*",
                    "embed-multilingual-*",
                    "embed-v*",
                    "rerank-*",
                ]),
                origins: Vec::new(),
            },
            formats: format::all(),
            faces: faces::all(),
            accepts: accepts::all(),
            auth: vec![
                Auth { name: "bearer".into(), scheme: AuthScheme::Bearer },
                Auth { name: "open".into(), scheme: AuthScheme::Open },
            ],
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_a_schema() {
        let schema: serde_json::Value = serde_json::from_str(SETTINGS).unwrap();
        assert_eq!(schema["properties"].as_object().unwrap().len(), 2);
    }

    #[test]
    fn whatever_has_a_face_or_is_accepted_is_declared() {
        let manifest = Cohere::describe();
        assert_eq!(manifest, Cohere::describe());
        let declared = |id: &str| manifest.formats.iter().any(|format| format.id == id);
        assert!(manifest.faces.iter().all(|face| declared(&face.format)));
        assert!(manifest.accepts.iter().all(|acceptance| declared(&acceptance.format)));
    }
}
