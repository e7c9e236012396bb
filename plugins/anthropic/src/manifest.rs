//! The adapter's manifest.

mod accepts;
mod batches;
mod faces;
mod format;

pub(crate) use format::spelling;
use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, Capabilities, Manifest, Operation, Suggestions, strings};

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
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            suggests: Suggestions::new("https://api.anthropic.com/v1/", ["ANTHROPIC_API_KEY"], ["claude-*"]),
            formats: vec![format::messages(), batches::format()],
            faces: faces::all().into_iter().chain(batches::faces()).collect(),
            accepts: accepts::all().into_iter().chain(batches::accepts()).collect(),
            auth: vec![Auth::header("x-api-key"), Auth::bearer()],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::CountTokens, Operation::Models],
                media: strings(["image", "document"]),
                tools: true,
                counts_tokens: true,
            },
            ..Manifest::new("anthropic", env!("CARGO_PKG_VERSION"), "Anthropic's Messages API")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Anthropic>();
    }
}
