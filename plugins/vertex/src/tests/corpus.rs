//! Every recording of the service: rendered requests equal the recorded ones, and parsed answers have the recorded
//! content.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use weir_adapter_anthropic::Anthropic;
use weir_adapter_gemini::Gemini;
use weir_sdk::adapter::{DialectChat, DialectCountTokens, ProviderCountTokens, ProviderEmbeddings, ProviderErrors};
use weir_sdk::testing::meaning;
use weir_sdk::testing::recordings::{files, shared};
use weir_sdk::types::{
    ChatEvent, ChatRequest, Context, EmbeddingInput, EmbeddingsRequest, ErrorKind, HttpRequest, Vector,
};

use super::story::Story;
use super::{answered, body, context, decoded, fields, frames, http, rendered};
use crate::Vertex;

/// Requests that are not rendered as they were recorded, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("vertex-chat-0fc47fdbf37a", "the recording of a mistake: no role has this name"),
    ("vertex-chat-d9474ce9a700", "the recording of a mistake: 1000 is no temperature, and is clamped"),
];

struct Recording(Value);

impl Recording {
    fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    /// The path without its query.
    fn path(&self) -> &str {
        let path = self.0["request"]["path_and_query"].as_str().unwrap();
        path.split('?').next().unwrap().trim_start_matches('/')
    }

    /// Project, location and version of the path, as options; and ids, if the recorded client sent any.
    fn context(&self) -> Context {
        let words: Vec<&str> = self.path().split('/').collect();
        let options = [("version", words[0]), ("project", words[2]), ("location", words[4])];
        let quoted = options.map(|(key, value)| (key, format!("\"{value}\"")));
        let mut options: Vec<(&str, &str)> = quoted.iter().map(|(key, json)| (*key, json.as_str())).collect();
        let turns = self.body()["contents"].as_array().into_iter().flatten();
        let mut parts = turns.flat_map(|turn| turn["parts"].as_array().into_iter().flatten());
        if parts.any(|part| ["functionCall", "function_call"].iter().any(|call| part[call]["id"].is_string())) {
            options.push(("call_ids", "true"));
        }
        context(self.model(), &options)
    }

    fn model(&self) -> &str {
        self.path().rsplit('/').next().unwrap().split(':').next().unwrap()
    }

    fn is_claude(&self) -> bool {
        self.path().contains("/anthropic/")
    }

    fn body(&self) -> &Value {
        &self.0["request"]["body"]
    }

    fn status(&self) -> u16 {
        self.0["response"]["status"].as_u64().unwrap() as u16
    }

    fn answer(&self) -> String {
        let response = &self.0["response"];
        response["body_text"].as_str().map_or_else(|| response["body"].to_string(), str::to_owned)
    }

    fn is_stream(&self) -> bool {
        self.0["response"]["body_text"].is_string()
    }

    /// The recorded request, as a client of the model's own format would have sent it.
    fn client(&self) -> HttpRequest {
        if self.is_claude() {
            let mut body = self.body().clone();
            body["model"] = json!(self.model());
            return HttpRequest::post("/v1/messages", body.to_string());
        }
        let method = self.path().rsplit(':').next().unwrap();
        HttpRequest::post(format!("/v1beta/models/{}:{method}", self.model()), self.body().to_string())
    }

    fn parsed(&self) -> ChatRequest {
        let ctx = Context { model: self.model().into(), ..Context::default() };
        let parsed = if self.is_claude() {
            <Anthropic as DialectChat>::parse_request(&ctx, self.client())
        } else {
            <Gemini as DialectChat>::parse_request(&ctx, self.client())
        };
        parsed.unwrap().request
    }

    /// The content of a recorded answer, streamed or not, read from its JSON alone.
    fn story(&self) -> Story {
        let mut story = Story::default();
        let values: Vec<Value> = if self.is_stream() {
            frames(&self.answer()).iter().map(|frame| serde_json::from_str(&frame.data).unwrap()).collect()
        } else {
            vec![self.0["response"]["body"].clone()]
        };
        for value in &values {
            if self.is_claude() {
                story.claude(value);
            } else {
                story.gemini(value);
            }
        }
        story
    }
}

/// The recordings of an operation: handwritten ones, and shared ones if their folder exists; otherwise a message is
/// printed.
fn recordings(operation: &str) -> Vec<Recording> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut all = files(&[own, shared("fixtures/vertex").join(operation)]);
    all.retain(|one| one["operation"] == operation);
    all.into_iter().map(Recording).collect()
}

/// One spelling for values that both formats allow in several.
fn plain(value: &Value) -> Value {
    const SILENT: [&str; 4] = ["{}", "[]", "null", r#""""#];
    const TYPES: [&str; 7] = ["", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"];
    match value {
        Value::Object(members) => {
            let camel = |key: &str| {
                let mut words = key.split('_').map(str::to_owned);
                let first = words.next().unwrap_or_default();
                words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
            };
            let mut members: Map<String, Value> = members.iter().map(|(k, v)| (camel(k), plain(v))).collect();
            // The results of functions need no role, nor does system text.
            members.retain(|key, value| !SILENT.contains(&value.to_string().as_str()) && key != "role");
            for (key, usual) in [("type", "OBJECT"), ("type", "object"), ("responseMimeType", "text/plain")] {
                if members.len() == 1 && members.get(key) == Some(&json!(usual)) {
                    members.clear();
                }
            }
            for name in ["type", "thinkingLevel"] {
                match members.get_mut(name) {
                    Some(Value::String(kind)) => *kind = kind.to_uppercase(),
                    Some(kind) if kind.is_number() => *kind = json!(TYPES[kind.as_f64().unwrap() as usize]),
                    _ => {}
                }
            }
            Value::Object(members)
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(plain).collect();
            list.retain(|value| *value != json!({}));
            if let [one] = list.as_slice() { one.clone() } else { Value::Array(list) }
        }
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

/// A request with adjacent turns of the same role joined.
fn merged(body: &Value) -> Value {
    let mut body = body.clone();
    let Some(turns) = body.get_mut("contents").and_then(Value::as_array_mut) else { return plain(&body) };
    let mut merged: Vec<Value> = Vec::new();
    for turn in std::mem::take(turns) {
        let role = |turn: &Value| turn["role"].as_str().unwrap_or("user").to_owned();
        match merged.last_mut().filter(|last| role(last) == role(&turn)) {
            Some(last) => {
                let parts = turn["parts"].as_array().cloned().unwrap_or_default();
                last["parts"].as_array_mut().unwrap().extend(parts);
            }
            None => merged.push(turn),
        }
    }
    *turns = merged;
    plain(&body)
}

#[test]
fn recorded_requests_are_rendered_as_they_were() {
    for one in recordings("chat") {
        if EXCEPTIONS.iter().any(|(id, _)| *id == one.id()) {
            continue;
        }
        let rendered = rendered(&one.context(), one.parsed()).unwrap();
        assert_eq!(rendered.request.path, one.path(), "{}", one.id());
        meaning::assert_alike(&merged(&body(&rendered)), &merged(one.body()), one.id(), &[]);
        assert!(rendered.losses.is_empty(), "{}: {:?}", one.id(), fields(&rendered.losses));
    }
}

#[test]
fn recorded_answers_keep_their_content() {
    for one in recordings("chat").iter().filter(|one| one.status() == 200 && !one.is_stream()) {
        let response = answered(&one.context(), &one.answer()).unwrap();
        assert_eq!(Story::of_response(&response), one.story().settled(), "{}", one.id());
        assert!(response.candidates[0].finish.is_some(), "{}", one.id());
    }
}

#[test]
fn c08_recorded_streams_keep_their_content_however_they_are_cut() {
    for one in recordings("chat").iter().filter(|one| one.status() == 200 && one.is_stream()) {
        let frames = frames(&one.answer());
        let events = decoded(&one.context(), &frames, 1);
        for group in [2, 3, 7, usize::MAX] {
            assert_eq!(decoded(&one.context(), &frames, group), events, "{} in groups of {group}", one.id());
        }
        assert_eq!(Story::of_events(&events), one.story().settled(), "{}", one.id());
        assert!(events.iter().any(|event| matches!(event, ChatEvent::Finish(_))), "{}", one.id());
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::Failure(_))), "{}", one.id());
    }
}

#[test]
fn c83_recorded_errors_are_understood() {
    for one in recordings("chat").iter().filter(|one| one.status() >= 400) {
        let text = one.answer();
        let error = Vertex::parse_error(&one.context(), http(one.status(), &text));
        let expected = match one.status() {
            404 => ErrorKind::NotFound,
            429 => ErrorKind::RateLimited,
            _ if text.contains("input token count") => ErrorKind::ContextLength,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!((error.kind, error.status), (expected, Some(one.status())), "{}", one.id());
        assert!(!error.message.is_empty());
    }
}

#[test]
fn c59_recorded_counts_come_back() {
    for one in recordings("count_tokens") {
        let ctx = Context { model: one.model().into(), ..Context::default() };
        let parsed = <Gemini as DialectCountTokens>::parse_request(&ctx, one.client()).unwrap();
        let rendered = <Vertex as ProviderCountTokens>::render_request(&one.context(), parsed.request).unwrap();
        assert_eq!(rendered.request.path, one.path(), "{}", one.id());
        meaning::assert_alike(&merged(&body(&rendered)), &merged(one.body()), one.id(), &[]);
        let count = <Vertex as ProviderCountTokens>::parse_response(&one.context(), http(200, one.answer())).unwrap();
        let recorded = &one.0["response"]["body"];
        let expected = recorded["totalTokens"].as_u64().or(recorded["input_tokens"].as_u64());
        assert_eq!(Some(u64::from(count.input)), expected, "{}", one.id());
    }
}

#[test]
fn c93_recorded_embeddings_come_back() {
    for one in recordings("embeddings") {
        let recorded = one.body();
        let instances = recorded["instances"].as_array().unwrap();
        let text = |instance: &Value| EmbeddingInput::Text(instance["content"].as_str().unwrap().into());
        let request = EmbeddingsRequest {
            model: one.model().into(),
            inputs: instances.iter().map(text).collect(),
            single: instances.len() == 1,
            dimensions: recorded["parameters"]["outputDimensionality"].as_u64().map(|number| number as u32),
            encoding: None,
            task: instances[0]["task_type"].as_str().map(str::to_owned),
            title: None,
            end_user: None,
            extensions: Vec::new(),
        };
        let rendered = <Vertex as ProviderEmbeddings>::render_request(&one.context(), request).unwrap();
        assert_eq!((rendered.request.path.as_str(), &body(&rendered)), (one.path(), recorded), "{}", one.id());
        let response = http(one.status(), one.answer());
        let vectors = <Vertex as ProviderEmbeddings>::parse_response(&one.context(), response).unwrap();
        for (prediction, embedding) in
            one.0["response"]["body"]["predictions"].as_array().unwrap().iter().zip(&vectors.embeddings)
        {
            let Vector::Floats(floats) = &embedding.vector else { panic!("numbers are wanted") };
            assert_eq!(json!(floats), prediction["embeddings"]["values"], "{}", one.id());
        }
        assert_eq!(vectors.embeddings.len(), instances.len());
    }
}
