//! The adapter's manifest.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, Capabilities, Format, Manifest, Operation, Suggestions, strings};

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
            settings: SETTINGS.into(),
            suggests: Suggestions {
                url: Some("https://api.replicate.com/v1/".into()),
                key_variables: strings(["REPLICATE_API_TOKEN", "REPLICATE_API_KEY"]),
                // Owners' names follow no pattern.
                models: Vec::new(),
                origins: strings(ORIGINS),
            },
            formats: vec![Format::new(FORMAT)],
            auth: vec![Auth::bearer()],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::Models],
                media: strings(["image"]),
                tools: false,
                counts_tokens: false,
            },
            ..Manifest::new("replicate", env!("CARGO_PKG_VERSION"), "Replicate's predictions")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Replicate>();
    }
}
