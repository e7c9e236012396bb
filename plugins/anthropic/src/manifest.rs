//! The adapter's manifest.

mod accepts;
mod faces;
mod format;

pub(crate) use format::spelling;
use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    Auth, AuthScheme, CONTRACT, Capabilities, Isolation, Manifest, Operation, Suggestions, strings,
};
use weir_sdk::types::Header;

use crate::{Anthropic, FAMILY};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["x-api-key", "bearer"],
      "description": "How the key is sent: in the header x-api-key (the default), or as a bearer token."
    },
    "max_tokens": {
      "type": "integer",
      "minimum": 1,
      "description": "The limit of output tokens where a client of another format names none; 4096 by default."
    },
    "version": {
      "type": "string",
      "description": "The header anthropic-version of translated requests; 2023-06-01 by default."
    },
    "beta": {
      "type": "array",
      "items": {"type": "string"},
      "description": "Beta features that translated requests turn on, beside those that a client names."
    }
  }
}"#;

impl About for Anthropic {
    fn describe() -> Manifest {
        Manifest {
            name: "anthropic".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT.into(),
            description: "Anthropic's Messages API".into(),
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            isolation: Isolation::Tenant,
            takes_blobs: true,
            suggests: Suggestions {
                url: Some("https://api.anthropic.com/v1/".into()),
                key_variables: strings(["ANTHROPIC_API_KEY"]),
                models: strings(["claude-*"]),
                origins: Vec::new(),
            },
            formats: vec![format::messages()],
            faces: faces::all(),
            accepts: accepts::all(),
            auth: vec![
                Auth { name: "x-api-key".into(), scheme: AuthScheme::Header(Header::new("x-api-key", "")) },
                Auth { name: "bearer".into(), scheme: AuthScheme::Bearer },
            ],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::CountTokens, Operation::Models],
                media: strings(["image", "document"]),
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
        assert_eq!(schema["properties"].as_object().unwrap().len(), 4);
    }

    #[test]
    fn the_manifest_is_always_the_same() {
        assert_eq!(Anthropic::describe(), Anthropic::describe());
    }
}
