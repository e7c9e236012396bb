//! The adapter's manifest.

mod accepts;
mod faces;
mod format;

use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, AuthScheme, Capabilities, Manifest, Operation, Suggestions, strings};

use crate::{Bedrock, FAMILY};

/// The operation of `InvokeModel`, which is only relayed.
const INVOKE: &str = "invoke";

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["aws-sigv4", "bearer"],
      "description": "How requests are authenticated: by a signature (the default; the key is ACCESS_KEY_ID:SECRET_ACCESS_KEY, with :SESSION_TOKEN where there is one), or by a key of the service's own as a bearer token."
    },
    "region": {
      "type": "string",
      "description": "Where the service is: eu-west-1. By default what the url says, else AWS_REGION, else us-east-1."
    },
    "base_model": {
      "type": "string",
      "description": "The id of the model behind an inference profile or a deployment whose name does not show it: anthropic.claude-sonnet-4-5."
    },
    "anthropic_beta": {
      "type": "array",
      "items": {"type": "string"},
      "description": "Features of Claude on trial that translated requests turn on."
    },
    "normalize": {
      "type": "boolean",
      "description": "Whether Titan is to make its vectors one long; the service does so by default."
    }
  }
}"#;

impl About for Bedrock {
    fn describe() -> Manifest {
        Manifest {
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            suggests: Suggestions::new(
                "https://bedrock-runtime.{region}.amazonaws.com/",
                // The service's usual variable holds a bearer token, and a suggestion can only use the first scheme.
                [],
                ["*.anthropic.claude-*", "anthropic.claude-*", "amazon.*", "*.amazon.nova-*"],
            ),
            formats: format::all(),
            faces: faces::all(),
            accepts: accepts::all(),
            auth: vec![Auth::new("aws-sigv4", AuthScheme::AwsSigv4("bedrock".into())), Auth::bearer()],
            capabilities: Capabilities {
                operations: vec![
                    Operation::Chat,
                    Operation::CountTokens,
                    Operation::Embeddings,
                    Operation::Other(INVOKE.into()),
                ],
                media: strings(["image", "audio", "video", "document"]),
                tools: true,
                counts_tokens: true,
            },
            ..Manifest::new("bedrock", env!("CARGO_PKG_VERSION"), "Amazon Bedrock")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Bedrock>();
    }

    #[test]
    fn no_credential_is_forwarded() {
        for one in Bedrock::describe().accepts {
            let secret = |name: &String| ["authorization", "x-amz-*", "x-amz-security-token"].contains(&name.as_str());
            assert!(!one.request_headers.iter().any(secret));
        }
    }

    #[test]
    fn every_face_has_an_acceptance() {
        let manifest = Bedrock::describe();
        for face in &manifest.faces {
            let accepted =
                |one: &&weir_sdk::manifest::Acceptance| one.format == face.format && one.operation == face.operation;
            assert_eq!(manifest.accepts.iter().filter(accepted).count(), 1, "{}", face.path);
        }
    }
}
