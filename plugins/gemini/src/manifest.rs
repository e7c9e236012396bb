//! The adapter's manifest.

mod accepts;
mod batches;
mod faces;
mod format;
mod live;
mod usage;

pub(crate) use format::spelling;
use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, AuthScheme, Capabilities, Manifest, Operation, Suggestions, strings};

use crate::{FAMILY, Gemini, user_project};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["x-goog-api-key", "query", "bearer"],
      "description": "How the key is sent: in the header x-goog-api-key (the default), as the query parameter key, or as a bearer token."
    },
    "schemas": {
      "enum": ["json-schema", "openapi"],
      "description": "Where translated requests put schemas: in the members that take JSON Schema (the default), or in the older ones, which take a subset of OpenAPI's."
    },
    "fetches_urls": {
      "type": "boolean",
      "description": "Whether the service fetches images and files from any https url; by default only from where it always does."
    },
    "json_with_functions": {
      "type": "boolean",
      "description": "Whether all models take a JSON format of the answer beside functions; by default only those from Gemini 3 on."
    },
    "penalties": {
      "type": "boolean",
      "description": "Whether all models take penalties for frequency and presence; by default only those of Gemini 2.0."
    },
    "user_project": {
      "type": "string",
      "description": "The project whose quota requests take and which pays, sent as the header x-goog-user-project; by default the credential's own."
    }
  }
}"#;

impl About for Gemini {
    fn describe() -> Manifest {
        Manifest {
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            suggests: Suggestions::new(
                "https://generativelanguage.googleapis.com/v1beta/",
                ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
                ["gemini-*", "gemma-*"],
            ),
            formats: format::all().into_iter().chain(batches::formats()).chain([live::format()]).collect(),
            faces: faces::all().into_iter().chain(batches::faces()).chain(live::faces()).collect(),
            accepts: accepts::all()
                .into_iter()
                .chain(batches::accepts())
                .chain([live::accepts()])
                .map(user_project::accepted)
                .collect(),
            auth: vec![
                Auth::header("x-goog-api-key"),
                Auth::new("query", AuthScheme::Query("key".into())),
                Auth::bearer(),
            ],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::CountTokens, Operation::Embeddings, Operation::Models],
                media: strings(["image", "audio", "video", "document"]),
                tools: true,
                counts_tokens: true,
            },
            ..Manifest::new("gemini", env!("CARGO_PKG_VERSION"), "Google's Gemini API")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Gemini>();
    }

    #[test]
    fn each_operation_of_a_format_is_accepted_once_where_it_is_relayed() {
        let accepts = Gemini::describe().accepts;
        for one in accepts.iter().filter(|one| one.operation != Operation::Models) {
            let same = accepts.iter().filter(|other| other.format == one.format && other.operation == one.operation);
            assert_eq!(same.count(), 1, "{} {:?}", one.format, one.operation);
        }
    }

    #[test]
    fn every_version_of_the_api_is_served() {
        let faces = Gemini::describe().faces;
        for version in ["v1", "v1beta", "v1alpha"] {
            let of = |method: &str| format!("/{version}/models/{{model...}}:{method}");
            for method in
                ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"]
            {
                assert!(faces.iter().any(|face| face.path == of(method)), "{version} {method}");
            }
            for method in ["batchGenerateContent", "asyncBatchEmbedContent"] {
                assert!(faces.iter().any(|face| face.path == of(method)), "{version} {method}");
            }
            for path in ["models", "models/{model...}"] {
                let is_served = |path: String| faces.iter().any(|face| face.path == path);
                assert!(is_served(format!("/{version}/{path}")) && is_served(format!("/genai/{version}/{path}")));
            }
        }
    }

    #[test]
    fn no_credential_is_forwarded() {
        for one in Gemini::describe().accepts {
            assert!(!one.query_forwarded.iter().any(|name| name == "key" || name == "*"));
            assert!(!one.request_headers.iter().any(|name| name == "x-goog-api-key" || name == "x-goog-*"));
        }
    }

    #[test]
    fn nothing_that_a_client_asks_with_hides_what_an_answer_used() {
        for one in Gemini::describe().accepts.iter().filter(|one| one.method == "POST") {
            let hides = ["alt", "$alt", "fields", "$fields", "callback"];
            assert!(!one.query_forwarded.iter().any(|name| hides.contains(&name.as_str())), "{}", one.path);
            assert!(!one.request_headers.iter().any(|name| name == "x-goog-fieldmask"), "{}", one.path);
        }
    }
}
