//! Recorded exchanges, as `../shared/fixtures` keeps them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_sdk::types::{Body, Header, HttpResponse};

/// One exchange.
pub(crate) struct Recording {
    pub(crate) id: String,
    pub(crate) status: u16,
    value: Value,
}

impl Recording {
    fn load(path: &Path) -> Self {
        let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Self {
            id: value["id"].as_str().unwrap().to_owned(),
            status: value["response"]["status"].as_u64().unwrap() as u16,
            value,
        }
    }

    pub(crate) fn request_body(&self) -> Option<&Value> {
        self.value["request"].get("body").filter(|body| body.is_object())
    }

    pub(crate) fn response_body(&self) -> Option<&Value> {
        self.value["response"].get("body").filter(|body| !body.is_null())
    }

    /// The text of a streamed answer.
    pub(crate) fn stream(&self) -> Option<&str> {
        let sse = self.value["framing"].as_str() == Some("sse");
        self.value["response"].get("body_text").and_then(Value::as_str).filter(|_| sse)
    }

    /// Whether it went to an endpoint of OpenAI's shape.
    pub(crate) fn is_openai_shaped(&self) -> bool {
        let path = self.value["request"]["path_and_query"].as_str().unwrap_or_default();
        path.contains("chat/completions")
    }

    pub(crate) fn response(&self) -> HttpResponse {
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

/// OpenAI's recordings of one operation.
pub(crate) fn openai(operation: &str) -> Vec<Recording> {
    let Some(root) = root() else { return Vec::new() };
    folder(&root.join("openai").join(operation)).iter().map(|path| Recording::load(path)).collect()
}

/// Everybody's recordings of these operations.
pub(crate) fn all(operations: &[&str]) -> Vec<Recording> {
    let Some(root) = root() else { return Vec::new() };
    let providers = folder(&root).into_iter().filter(|path| path.is_dir());
    let folders = providers.flat_map(|provider| operations.iter().map(move |operation| provider.join(operation)));
    folders.flat_map(|path| folder(&path)).map(|path| Recording::load(&path)).collect()
}
