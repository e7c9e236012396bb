//! The adapter's manifest.

mod accepts;
mod faces;
mod format;

use weir_sdk::adapter::About;
use weir_sdk::manifest::{Auth, AuthScheme, Capabilities, Manifest, Operation, Suggestions, strings};

use crate::{FAMILY, Ollama};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["open", "bearer"],
      "description": "How requests are authenticated: not at all (the default, for a server of one's own), or by a bearer token, as the service at ollama.com requires."
    }
  }
}"#;

impl About for Ollama {
    fn describe() -> Manifest {
        Manifest {
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            suggests: Suggestions::new(
                "http://localhost:11434/",
                ["OLLAMA_API_KEY"],
                // Its models are also served by others.
                [],
            ),
            formats: format::all(),
            faces: faces::all(),
            accepts: accepts::all(),
            auth: vec![Auth::new("open", AuthScheme::Open), Auth::bearer()],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::Embeddings, Operation::Models],
                media: strings(["image"]),
                tools: true,
                counts_tokens: false,
            },
            ..Manifest::new("ollama", env!("CARGO_PKG_VERSION"), "Ollama's own API")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::manifest::StreamFlag;
    use weir_sdk::testing;

    #[test]
    fn the_manifest_holds() {
        testing::manifest::check::<Ollama>();
    }

    #[test]
    fn every_format_with_a_face_is_declared_and_accepted_under_the_faces_path() {
        let manifest = Ollama::describe();
        for face in &manifest.faces {
            let format = manifest.formats.iter().find(|format| format.id == face.format).unwrap();
            assert!(format.errors.is_some() && format.tap.is_some(), "{}", face.format);
            let taken = |path: &str| manifest.accepts.iter().any(|one| one.format == face.format && one.path == path);
            let constant = matches!(face.path.as_str(), "/" | "/api/version" | "/api/ps");
            assert!(constant || taken(&face.path[1..]), "{}", face.path);
        }
    }

    #[test]
    fn answers_are_streamed_unless_the_client_says_otherwise() {
        for face in Ollama::describe().faces.iter().filter(|face| face.operation == Operation::Chat) {
            assert!(matches!(&face.stream, StreamFlag::Pointer(flag) if flag.fallback), "{}", face.path);
            assert_eq!(face.framings.len(), 1);
        }
    }
}
