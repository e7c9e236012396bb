//! One fixture as it stands in its file (`docs/fixtures.md`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A recorded exchange and what is expected of it.
#[derive(Debug)]
pub struct Fixture {
    /// The file's name without its ending, or the fixture's id.
    pub name: String,
    /// The file, where it may be written again.
    pub file: Option<std::path::PathBuf>,
    /// The text that it was read from.
    pub text: String,
    pub(super) says: Says,
}

/// The members. Those that only people and other tools read are passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Says {
    pub(super) id: Option<String>,
    pub(super) format: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) model: Option<String>,
    pub(super) streaming: Option<bool>,
    pub(super) framing: Option<String>,
    #[serde(default)]
    pub(super) options: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) memo: String,
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) features: Vec<String>,
    pub(super) request: Option<Asked>,
    pub(super) client: Option<Asked>,
    pub(super) response: Option<Answered>,
    pub(super) expect: Option<Expected>,
}

/// A request.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path_and_query: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Box<RawValue>>,
}

/// A response.
#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    body: Option<Box<RawValue>>,
    body_text: Option<String>,
    body_base64: Option<String>,
    chunks: Option<Vec<Chunk>>,
}

#[derive(Debug, Deserialize)]
struct Chunk {
    text: Option<String>,
    base64: Option<String>,
}

/// What must come of it.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) request: Option<Value>,
    pub(super) upstream: Option<Value>,
    pub(super) answer: Option<Value>,
    pub(super) error: Option<Value>,
    pub(super) events: Option<Value>,
    pub(super) follow_up: Option<Value>,
    pub(super) client: Option<Value>,
    pub(super) losses: Option<Value>,
}

impl Fixture {
    /// Reads a fixture; the name is for messages and stands for its id.
    pub fn parse(name: &str, text: String) -> Result<Self, String> {
        let says: Says = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if says.request.is_none() && says.client.is_none() && says.expect.is_none() {
            return Err("it has neither `request` nor `client` nor `expect`".to_owned());
        }
        if let Some(response) = &says.response {
            response.bytes()?;
        }
        Ok(Self { name: name.to_owned(), file: None, text, says })
    }

    /// Its id; its name where it has none.
    pub fn id(&self) -> &str {
        self.says.id.as_deref().unwrap_or(&self.name)
    }

    /// Whether it says what is expected.
    pub fn expects(&self) -> bool {
        self.says.expect.is_some()
    }

    pub(super) fn has(&self, feature: &str) -> bool {
        self.says.features.iter().any(|one| one == feature)
    }
}

impl Answered {
    /// The body, as it was sent.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        let decode = |base64: &str| STANDARD.decode(base64).map_err(|_| "the base64 is not valid".to_owned());
        if let Some(chunks) = &self.chunks {
            let pieces = chunks.iter().map(|chunk| match (&chunk.text, &chunk.base64) {
                (Some(text), None) => Ok(text.clone().into_bytes()),
                (None, Some(base64)) => decode(base64),
                _ => Err("a chunk has either `text` or `base64`".to_owned()),
            });
            return pieces.collect::<Result<Vec<_>, _>>().map(|pieces| pieces.concat());
        }
        match (&self.body, &self.body_text, &self.body_base64) {
            (Some(body), None, None) => Ok(body.get().as_bytes().to_vec()),
            (None, Some(text), None) => Ok(text.clone().into_bytes()),
            (None, None, Some(base64)) => decode(base64),
            (None, None, None) => Ok(Vec::new()),
            _ => Err("`response` may have one of `body`, `body_text`, `body_base64` and `chunks`".to_owned()),
        }
    }

    /// The content type, without its parameters.
    pub(super) fn kind(&self) -> &str {
        let found = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        found.map(|(_, value)| value.split(';').next().unwrap_or_default().trim()).unwrap_or_default()
    }
}
