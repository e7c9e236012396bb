//! The adapter's manifest.
//!
//! No requests of clients are accepted unchanged, so every request is translated, Gemini's own too: one address serves
//! two formats, the model's name decides which, and a manifest can only exclude members of bodies. Claude's bodies
//! differ anyway.

mod accepts;

use weir_adapter_gemini::user_project;
use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, AuthScheme, Capabilities, Format, Manifest, Oauth, Operation, Suggestions, strings};

use crate::Vertex;

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["service-account", "bearer", "x-goog-api-key"],
      "description": "How Weir proves who it is: by a service account's key (the default), by a ready access token, or by an API key (express mode)."
    },
    "project": {
      "type": "string",
      "description": "The project that requests are made in. Without it the url holds everything in front of publishers/."
    },
    "location": {
      "type": "string",
      "description": "The location of the models, global by default. It fills the suggested url as well, which global needs to have written out: https://aiplatform.googleapis.com/."
    },
    "user_project": {
      "type": "string",
      "description": "The project whose quota requests take and which pays, sent as the header x-goog-user-project; by default the credential's own."
    },
    "version": {
      "enum": ["v1", "v1beta1"],
      "description": "The version of the API; v1 by default."
    },
    "publisher": {
      "enum": ["google", "anthropic"],
      "description": "The format of models whose names do not show it; by default Anthropic's for names with claude in them, else Google's."
    },
    "call_ids": {
      "type": "boolean",
      "description": "Whether tool calls and their results carry ids to Gemini, which older endpoints refuse; by default they do not."
    },
    "labels": {
      "type": "boolean",
      "description": "Whether a client's metadata become labels on the bill; by default they do not leave Weir."
    },
    "schemas": {
      "enum": ["json-schema", "openapi"],
      "description": "Where requests to Gemini put schemas: in the members that take JSON Schema (the default), or in the older ones, which take a subset of OpenAPI's."
    },
    "fetches_urls": {
      "type": "boolean",
      "description": "Whether Gemini may be asked to fetch images and files from any https url; true by default."
    },
    "max_tokens": {
      "type": "integer",
      "minimum": 1,
      "description": "The limit of Claude's output tokens where a client names none; 4096 by default."
    },
    "beta": {
      "type": "array",
      "items": {"type": "string"},
      "description": "Beta features of Claude's that requests turn on, beside those that a client names."
    }
  }
}"#;

impl About for Vertex {
    fn describe() -> Manifest {
        Manifest {
            // Each side uses its own family; signatures name their issuer.
            family: "gemini".into(),
            settings: SETTINGS.into(),
            suggests: Suggestions::new(
                "https://{option.location}-aiplatform.googleapis.com/",
                // A key alone does not identify the project.
                [],
                [],
            ),
            formats: [weir_adapter_gemini::FORMAT, weir_adapter_anthropic::FORMAT, accepts::FORMAT]
                .map(Format::new)
                .into(),
            accepts: accepts::all().into_iter().map(user_project::accepted).collect(),
            auth: auth(),
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::CountTokens, Operation::Embeddings, Operation::Models],
                media: strings(["image", "audio", "video", "document"]),
                tools: true,
                counts_tokens: true,
            },
            ..Manifest::new("vertex", env!("CARGO_PKG_VERSION"), "Gemini and Claude on Google Vertex AI")
        }
    }
}

fn auth() -> Vec<Auth> {
    let oauth = Oauth {
        token_url: "https://oauth2.googleapis.com/token".into(),
        scopes: vec!["https://www.googleapis.com/auth/cloud-platform".into()],
    };
    vec![
        Auth::new("service-account", AuthScheme::ServiceAccount(oauth)),
        Auth::bearer(),
        Auth::header("x-goog-api-key"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Vertex>();
    }

    #[test]
    fn nothing_in_a_clients_format_is_relayed() {
        let foreign = [weir_adapter_gemini::FORMAT, weir_adapter_anthropic::FORMAT];
        assert!(Vertex::describe().accepts.iter().all(|accepted| !foreign.contains(&accepted.format.as_str())));
    }
}
