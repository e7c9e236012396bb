//! Recorded exchanges, for tests that replay them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::types::{Body, Header, HttpRequest, HttpResponse};

/// A recorded exchange.
#[derive(Debug)]
pub struct Recording {
    /// The file's name for it, which messages and exceptions cite.
    pub id: String,
    /// The request, as the file has it.
    pub request: Value,
    /// The answer, as the file has it.
    pub response: Value,
}

impl Recording {
    /// The recording of a file's JSON.
    pub fn of(file: &Value) -> Self {
        let id = file["id"].as_str().unwrap().to_owned();
        Self { id, request: file["request"].clone(), response: file["response"].clone() }
    }

    /// The request's path and query.
    pub fn path(&self) -> &str {
        self.request["path_and_query"].as_str().unwrap()
    }

    /// The request's body.
    pub fn body(&self) -> &Value {
        &self.request["body"]
    }

    /// The model that the request's body names; empty if it names none.
    pub fn model(&self) -> &str {
        self.body()["model"].as_str().unwrap_or_default()
    }

    /// The answer's status; 0 if there was none.
    pub fn status(&self) -> u16 {
        self.response["status"].as_u64().unwrap_or(0) as u16
    }

    /// The answer's whole body.
    pub fn answer(&self) -> String {
        match &self.response["body"] {
            Value::Null => self.response["body_text"].as_str().unwrap_or_default().to_owned(),
            body => body.to_string(),
        }
    }

    /// The request as a dialect gets it, without its query.
    pub fn http_request(&self) -> HttpRequest {
        let path = self.path().split('?').next().unwrap_or_default();
        HttpRequest { headers: headers(&self.request), ..HttpRequest::post(path, self.body().to_string()) }
    }

    /// The answer as a provider's side gets it.
    pub fn http_response(&self) -> HttpResponse {
        HttpResponse { status: self.status(), headers: headers(&self.response), body: Body::Text(self.answer()) }
    }
}

fn headers(of: &Value) -> Vec<Header> {
    let headers = of["headers"].as_object().into_iter().flatten();
    headers.map(|(name, value)| Header::new(name, value.as_str().unwrap_or_default())).collect()
}

/// A path below the folder of recordings and specifications that several repositories share.
pub fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

/// The id of a file's recording.
pub fn id(recording: &Value) -> &str {
    recording["id"].as_str().unwrap()
}

/// The files of these folders, ordered by their ids. A folder that does not exist is named in a message.
pub fn files(folders: &[PathBuf]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for folder in folders {
        let Ok(files) = std::fs::read_dir(folder) else {
            println!("skipped: there are no recordings in {}", folder.display());
            continue;
        };
        let read = |path: PathBuf| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        all.extend(files.map(|file| read(file.unwrap().path())));
    }
    all.sort_by_key(|one| one["id"].to_string());
    all
}

/// Fails if the values differ, with the lines around the first difference.
#[track_caller]
pub fn assert_same(id: &str, came: &Value, became: &Value) {
    if came == became {
        return;
    }
    let lines = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let (came, became) = (lines(came), lines(became));
    let at = came.lines().zip(became.lines()).position(|(came, became)| came != became).unwrap_or(0);
    let some = |text: &str| text.lines().skip(at.saturating_sub(3)).take(8).collect::<Vec<_>>().join("\n");
    panic!("{id}: what came:\n{}\nand what became of it:\n{}", some(&came), some(&became));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_recording_is_a_request_and_an_answer() {
        let one = Recording::of(&json!({
            "id": "a",
            "request": {"path_and_query": "/x?y=1", "headers": {"k": "v"}, "body": {"model": "m"}},
            "response": {"status": 429, "body": null, "body_text": "slow down"}
        }));
        let (request, response) = (one.http_request(), one.http_response());
        assert_eq!((request.path.as_str(), one.model()), ("/x", "m"));
        assert_eq!(request.headers, [Header::new("k", "v")]);
        assert_eq!((response.status, response.body), (429, Body::Text("slow down".into())));
    }

    #[test]
    #[should_panic(expected = "\"b\": 3")]
    fn a_difference_is_shown() {
        assert_same("one", &json!({"a": 1, "b": 2}), &json!({"a": 1, "b": 3}));
    }
}
