//! Recorded exchanges in the layout of `../shared/fixtures`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_sdk::types::{Body, ErrorKind, Header, HttpResponse};

/// One exchange.
#[derive(Debug)]
pub struct Recording {
    /// Its name.
    pub id: String,
    /// The operation: `chat`, `responses`, `embeddings`, …
    pub operation: String,
    /// The answer's status.
    pub status: u16,
    value: Value,
}

impl Recording {
    fn load(path: &Path) -> Self {
        let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Self {
            id: value["id"].as_str().unwrap().to_owned(),
            operation: value["operation"].as_str().unwrap_or("chat").to_owned(),
            status: value["response"]["status"].as_u64().unwrap() as u16,
            value,
        }
    }

    /// The request's JSON.
    pub fn request_body(&self) -> Option<&Value> {
        self.value["request"].get("body").filter(|body| body.is_object())
    }

    /// The JSON of a whole answer.
    pub fn response_body(&self) -> Option<&Value> {
        self.value["response"].get("body").filter(|body| !body.is_null())
    }

    /// The text of a streamed answer.
    pub fn stream(&self) -> Option<&str> {
        let sse = self.value["framing"].as_str().is_none_or(|framing| framing == "sse");
        self.value["response"].get("body_text").and_then(Value::as_str).filter(|_| sse)
    }

    /// The kind of error, if the recording names it.
    pub fn kind(&self) -> Option<ErrorKind> {
        let word = self.value.get("kind")?.as_str()?;
        let named = |kind: &ErrorKind| {
            let name = format!("{kind:?}");
            name.rsplit(':').next().is_some_and(|name| name.eq_ignore_ascii_case(&word.replace('-', "")))
        };
        let kind = ErrorKind::ALL.into_iter().find(named);
        assert!(kind.is_some(), "{}: `{word}` is no kind of error", self.id);
        kind
    }

    /// Whether it is a successful answer to a request in one of OpenAI's formats.
    pub fn is_answer(&self) -> bool {
        self.status < 400 && self.is_compatible()
    }

    /// Whether it was sent to an endpoint that OpenAI has too.
    pub fn is_compatible(&self) -> bool {
        self.operation == "responses" || self.is_openai_shaped()
    }

    /// Whether an answer with a success status is an error.
    pub fn fails(&self) -> bool {
        let is_error = |value: &Value| value.get("error").is_some_and(|error| !error.is_null());
        let choices = self.response_body().and_then(|body| body["choices"].as_array());
        self.response_body().is_some_and(is_error) || choices.is_some_and(|choices| choices.iter().any(is_error))
    }

    /// Whether it was sent to an endpoint with OpenAI's shape.
    pub fn is_openai_shaped(&self) -> bool {
        let path = self.value["request"]["path_and_query"].as_str().unwrap_or_default();
        path.contains("chat/completions")
    }

    /// The answer as an adapter gets it.
    pub fn response(&self) -> HttpResponse {
        let body = match self.response_body() {
            Some(body) => body.to_string(),
            None => self.value["response"]["body_text"].as_str().unwrap_or_default().to_owned(),
        };
        let headers = self.value["response"]["headers"].as_object();
        let header = |(name, value): (&String, &Value)| Header::new(name.as_str(), value.as_str().unwrap_or_default());
        let headers = headers.map(|headers| headers.iter().map(header).collect()).unwrap_or_default();
        HttpResponse { status: self.status, headers, body: Body::Text(body) }
    }
}

fn root() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no recordings at {}", root.display());
    None
}

fn folder(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// OpenAI's recordings of one operation, and the handwritten ones.
pub fn openai(operation: &str) -> Vec<Recording> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/openai/fixtures");
    let mut paths = root().map(|root| folder(&root.join("openai").join(operation))).unwrap_or_default();
    paths.extend(folder(&own));
    let recordings = paths.iter().map(|path| Recording::load(path));
    recordings.filter(|recording| recording.operation == operation).collect()
}

/// One provider's recordings of these operations.
pub fn of(provider: &str, operations: &[&str]) -> Vec<Recording> {
    let Some(root) = root() else { return Vec::new() };
    let folders = operations.iter().map(|operation| root.join(provider).join(operation));
    folders.flat_map(|path| folder(&path)).map(|path| Recording::load(&path)).collect()
}

/// The handwritten recordings in an adapter's folder; there is at least one.
pub fn own(path: &str) -> Vec<Recording> {
    let own: Vec<Recording> = folder(Path::new(path)).iter().map(|path| Recording::load(path)).collect();
    assert!(!own.is_empty(), "no recordings at {path}");
    own
}

/// All providers' recordings of these operations.
pub fn all(operations: &[&str]) -> Vec<Recording> {
    let Some(root) = root() else { return Vec::new() };
    let providers = folder(&root).into_iter().filter(|path| path.is_dir());
    let folders = providers.flat_map(|provider| operations.iter().map(move |operation| provider.join(operation)));
    folders.flat_map(|path| folder(&path)).map(|path| Recording::load(&path)).collect()
}
