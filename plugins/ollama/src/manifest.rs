//! The adapter's manifest.

mod accepts;
mod faces;
mod format;

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    Auth, AuthScheme, CONTRACT, Capabilities, Isolation, Manifest, Operation, Suggestions, strings,
};

use crate::{FAMILY, Ollama};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {
      "enum": ["open", "bearer"],
      "description": "How the server is told who asks: not at all (the default, for a server of one's own), or by a bearer token, as the service at ollama.com wants it."
    }
  }
}"#;

impl About for Ollama {
    fn describe() -> Manifest {
        let auth = |name: &str, scheme| Auth { name: name.into(), scheme };
        Manifest {
            name: "ollama".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT.into(),
            description: "Ollama's own API".into(),
            family: FAMILY.into(),
            settings: SETTINGS.into(),
            isolation: Isolation::Tenant,
            takes_blobs: true,
            suggests: Suggestions {
                url: Some("http://localhost:11434/".into()),
                key_variables: strings(["OLLAMA_API_KEY"]),
                // Its models are also served by others.
                models: Vec::new(),
                origins: Vec::new(),
            },
            formats: format::all(),
            faces: faces::all(),
            accepts: accepts::all(),
            auth: vec![auth("open", AuthScheme::Open), auth("bearer", AuthScheme::Bearer)],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::Embeddings, Operation::Models],
                media: strings(["image"]),
                tools: true,
                counts_tokens: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::manifest::StreamFlag;

    #[test]
    fn the_settings_are_a_schema_that_names_every_scheme() {
        let schema: serde_json::Value = serde_json::from_str(SETTINGS).unwrap();
        let names: Vec<String> = Ollama::describe().auth.into_iter().map(|auth| auth.name).collect();
        assert_eq!(schema["properties"]["auth"]["enum"], serde_json::json!(names));
    }

    #[test]
    fn the_manifest_is_always_the_same() {
        assert_eq!(Ollama::describe(), Ollama::describe());
    }

    #[test]
    fn every_format_with_a_face_is_declared_and_accepted_under_the_faces_path() {
        let manifest = Ollama::describe();
        for face in &manifest.faces {
            let format = manifest.formats.iter().find(|format| format.id == face.format).unwrap();
            assert!(format.errors.is_some() && format.tap.is_some(), "{}", face.format);
            let taken = |path: &str| manifest.accepts.iter().any(|one| one.format == face.format && one.path == path);
            let constant = matches!(face.path.as_str(), "/" | "/api/version");
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
