//! The adapter's manifest.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    Auth, AuthScheme, CONTRACT, Capabilities, Format, Isolation, Manifest, Operation, Suggestions, strings,
};

use crate::{FORMAT, Replicate};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["bearer"],
      "description": "How the token is sent."
    },
    "stream": {
      "enum": ["events", "poll"],
      "description": "How streamed answers are had: from the service's stream, whose origin has to be approved (the default), or whole, by looking at the prediction until it is made."
    },
    "wait_seconds": {
      "type": "integer",
      "minimum": 1,
      "maximum": 60,
      "description": "How long the service may hold back the answer to a request that is not streamed; a minute by default."
    },
    "inputs": {
      "type": "object",
      "additionalProperties": {"type": "string"},
      "description": "What the model calls its inputs, where that is not known: system, max_tokens, image, images, temperature, top_p, top_k, presence_penalty, frequency_penalty, stop, seed, effort, budget, thinking. An empty name says that there is none."
    },
    "input": {
      "type": "object",
      "description": "Further inputs that every prediction gets, such as prompt_template."
    },
    "collection": {
      "type": "string",
      "description": "Which collection's models are listed, language-models by default; empty for all public models."
    }
  }
}"#;

/// The origins of streams.
const ORIGINS: [&str; 4] = [
    "https://stream.replicate.com",
    "https://streaming.api.replicate.com",
    "https://streaming-api.svc.us.c.replicate.net",
    "https://streaming-api.svc.rno2.c.replicate.net",
];

impl About for Replicate {
    fn describe() -> Manifest {
        Manifest {
            name: "replicate".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT.into(),
            description: "Replicate's predictions".into(),
            family: "replicate".into(),
            settings: SETTINGS.into(),
            isolation: Isolation::Tenant,
            takes_blobs: true,
            suggests: Suggestions {
                url: Some("https://api.replicate.com/v1/".into()),
                key_variables: strings(["REPLICATE_API_TOKEN", "REPLICATE_API_KEY"]),
                // Owners' names follow no pattern.
                models: Vec::new(),
                origins: strings(ORIGINS),
            },
            formats: vec![Format { id: FORMAT.into(), errors: None, tap: None, session: None }],
            faces: Vec::new(),
            accepts: Vec::new(),
            auth: vec![Auth { name: "bearer".into(), scheme: AuthScheme::Bearer }],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::Models],
                media: strings(["image"]),
                tools: false,
                counts_tokens: false,
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
        assert_eq!(schema["properties"].as_object().unwrap().len(), 6);
    }
}
