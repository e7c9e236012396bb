//! The same verdict in every dialect, streamed or whole, in both lanes, wherever a secret stands.

use serde_json::{Value, json};
use weir_tests::Request;

use super::{gateway, guard, secret, upstream};

/// The dialects, each with the adapter that its format is native to.
pub(super) const DIALECTS: [(&str, Dialect); 7] = [
    ("openai", Dialect::Chat),
    ("openai", Dialect::Responses),
    ("anthropic", Dialect::Messages),
    ("gemini", Dialect::Gemini),
    ("bedrock", Dialect::Converse),
    ("cohere", Dialect::Cohere),
    ("ollama", Dialect::Ollama),
];
pub(super) const ADAPTERS: [&str; 6] = ["openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Chat,
    Responses,
    Messages,
    Gemini,
    Converse,
    Cohere,
    Ollama,
}

/// Where a text stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A message of the user's.
    User,
    /// The system's text; `instructions` of Responses.
    System,
    /// The arguments of a tool call in the history, with an escape in the middle of the text.
    Arguments,
    /// The result of a tool call.
    Result,
    /// The description of a tool.
    Tool,
    /// The name of a file.
    File,
    /// Thinking in the history.
    Thinking,
}

const PLACES: [Place; 7] =
    [Place::User, Place::System, Place::Arguments, Place::Result, Place::Tool, Place::File, Place::Thinking];

/// A guard that refuses a text.
pub(super) struct Refusal {
    pub(super) guard: &'static str,
    options: &'static str,
    pub(super) text: String,
    /// The annotation.
    pub(super) label: &'static str,
    /// A part of the message.
    message: &'static str,
}

impl Refusal {
    /// Each of the guards that search texts.
    pub(super) fn of_each() -> [Self; 3] {
        [
            Self {
                guard: "secrets",
                options: "{}",
                text: secret(),
                label: "aws-access-key=1",
                message: "remove it and send",
            },
            Self {
                guard: "pii",
                options: "{}",
                text: "jane.doe@example.org".to_owned(),
                label: "email=1",
                message: "personal data",
            },
            Self {
                guard: "regex",
                options: "{ patterns = [{ name = \"project\", pattern = \"(?i)blue-?bird [0-9]{4}\" }] }",
                text: "BlueBird 2041".to_owned(),
                label: "project=1",
                message: "not allowed here",
            },
        ]
    }

    /// The guard's configuration.
    pub(super) fn guard(&self) -> String {
        guard(self.guard, &format!("options = {}", self.options))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_a_text_is_refused_by_each_guard_in_every_dialect_place_and_lane() {
    let mut upstream = upstream().await;
    for refusal in Refusal::of_each() {
        let gateway = gateway(&upstream, &ADAPTERS, &refusal.guard()).await;
        let (guard, text) = (refusal.guard, &refusal.text);
        let mut seen = 0;
        for (adapter, dialect) in DIALECTS {
            for place in PLACES {
                for stream in [false, true] {
                    for model in
                        [adapter.to_owned(), format!("{adapter}-t"), "openai-t".to_owned(), "anthropic".to_owned()]
                    {
                        let Some(body) = dialect.body(&model, place, text, stream) else { continue };
                        let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                        let case = format!("{guard}, {dialect:?}, {place:?}, {model}, {stream}: {}", reply.text());
                        assert_eq!(reply.status(), 400, "{case}");
                        let noted = format!("{guard}=deny;{}", refusal.label);
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                        assert!(reply.text().contains(refusal.message), "{case}");
                        assert!(!reply.text().contains(text), "{case}");
                        assert!(upstream.unseen().is_none(), "{case}");
                        seen += 1;
                    }
                }
            }
        }
        // Each dialect lacks one or two of the places.
        assert!(seen >= 7 * 5 * 2 * 4, "{seen}");
        let series = format!("weir_guard_verdicts_total{{guard=\"{guard}\",mode=\"enforce\",verdict=\"deny\"}}");
        gateway.until_metric(&series, f64::from(seen)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shape_of_a_request_is_judged_alike_in_every_dialect_place_and_lane() {
    let mut upstream = upstream().await;
    let options = "options = { max_characters = 150 }";
    let gateway = gateway(&upstream, &ADAPTERS, &guard("prompt-shape", options)).await;
    for (adapter, dialect) in DIALECTS {
        for place in [Place::User, Place::System, Place::Arguments, Place::Result] {
            for stream in [false, true] {
                for model in [adapter.to_owned(), format!("{adapter}-t"), "anthropic".to_owned()] {
                    for (text, limit) in [("x".repeat(200), ";limit=max_characters"), ("x".repeat(20), "")] {
                        let Some(body) = dialect.body(&model, place, &text, stream) else { continue };
                        let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                        let case = format!("{dialect:?}, {place:?}, {model}, {stream}: {}", reply.text());
                        let verdict = if limit.is_empty() { "allow" } else { "deny" };
                        let noted = format!("prompt-shape={verdict}{limit}");
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                        // What passes may fail later: the provider answers in one format only.
                        assert!(upstream.unseen().is_none() || verdict == "allow", "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_relayed_byte_for_byte() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", "")).await;
    for (adapter, dialect) in DIALECTS {
        for place in PLACES {
            let Some(body) = dialect.body(adapter, place, "nothing to hide", false) else { continue };
            let sent = format!(" {body}\n");
            let reply = gateway.ask(&dialect.request_of(adapter, &sent, false)).await;
            let case = format!("{dialect:?}, {place:?}: {}", reply.text());
            assert_eq!(reply.header("x-weir-guards"), Some("secrets=allow"), "{case}");
            assert_eq!(reply.header("x-weir-lane"), Some("relay"), "{case}");
            assert_eq!(upstream.request().await.text(), sent, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_is_translated_and_reaches_the_provider_masked() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", "options = { action = \"mask\" }")).await;
    for (adapter, dialect) in DIALECTS {
        for place in PLACES {
            for model in [adapter, "openai"] {
                let Some(body) = dialect.body(model, place, &secret(), false) else { continue };
                let reply = gateway.ask(&dialect.request(model, &body, false)).await;
                let case = format!("{dialect:?}, {place:?}, {model}: {}", reply.text());
                if reply.header("x-weir-guards") == Some("secrets=deny;aws-access-key=1") {
                    assert_eq!((place, reply.status()), (Place::Thinking, 400), "only signed thinking stays: {case}");
                    continue;
                }
                assert_eq!(reply.header("x-weir-guards"), Some("secrets=replace;aws-access-key=1"), "{case}");
                // Some places exist in some formats only: then nothing was sent, or the text was left out.
                let Some(request) = upstream.unseen() else {
                    assert_eq!(reply.status(), 400, "{case}");
                    continue;
                };
                assert_eq!(reply.header("x-weir-lane"), Some("translate"), "{case}");
                assert!(!request.text().contains(&secret()), "{case}: {}", request.text());
                if matches!(place, Place::User | Place::System | Place::Arguments | Place::Result) {
                    assert!(request.text().contains("[aws-access-key]"), "{case}: {}", request.text());
                }
            }
        }
    }
}

impl Dialect {
    pub(super) fn request(self, model: &str, body: &Value, stream: bool) -> Request {
        self.request_of(model, &body.to_string(), stream)
    }

    /// A plain request.
    pub(super) fn ask(self, model: &str, stream: bool) -> Value {
        self.says(model, "Hi", stream)
    }

    /// A request with this text.
    pub(super) fn says(self, model: &str, text: &str, stream: bool) -> Value {
        let mut body = self.body(model, Place::User, text, stream).unwrap_or_default();
        if stream && self == Self::Chat {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    pub(super) fn request_of(self, model: &str, body: &str, stream: bool) -> Request {
        match self {
            Self::Chat => Request::post("/v1/chat/completions", body),
            Self::Responses => Request::post("/v1/responses", body),
            Self::Messages => Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01"),
            Self::Gemini => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                Request::post(&format!("/v1beta/models/{model}:{method}"), body)
            }
            Self::Converse => {
                let method = if stream { "converse-stream" } else { "converse" };
                Request::post(&format!("/model/{model}/{method}"), body)
            }
            Self::Cohere => Request::post("/v2/chat", body),
            Self::Ollama => Request::post("/api/chat", body),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a request of each format")]
    /// A request with the text in this place; `None` where the format has no such place.
    fn body(self, model: &str, place: Place, text: &str, stream: bool) -> Option<Value> {
        let at_place = |at: Place, usual: &str| if place == at { text.to_owned() } else { usual.to_owned() };
        let (user, system) = (at_place(Place::User, "Hi"), at_place(Place::System, "Be brief."));
        let (result, note) = (at_place(Place::Result, "42"), at_place(Place::Tool, "Looks it up."));
        // As JSON may spell it: the first letter escaped.
        let value = at_place(Place::Arguments, "x");
        let arguments = format!(r#"{{"q":"\u{:04x}{}"}}"#, u32::from(value.chars().next()?), &value[1..]);
        let given: Value = serde_json::from_str(&arguments).ok()?;
        let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}});
        let thinking = (place == Place::Thinking).then_some(text);
        let file = (place == Place::File).then_some(text);
        Some(match self {
            Self::Chat => {
                if thinking.is_some() {
                    return None;
                }
                let mut content = vec![json!({"type": "text", "text": user})];
                content.extend(file.map(|name| json!({"type": "file", "file": {"filename": name, "file_data": PDF}})));
                json!({"model": model, "stream": stream, "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": content},
                    {"role": "assistant", "content": null, "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
                    {"role": "tool", "tool_call_id": "call_1", "content": result}],
                    "tools": [{"type": "function", "function":
                        {"name": "f", "description": note, "parameters": schema}}]})
            }
            Self::Responses => {
                let mut content = vec![json!({"type": "input_text", "text": user})];
                content.extend(file.map(|name| json!({"type": "input_file", "filename": name, "file_data": PDF})));
                let mut input = vec![json!({"role": "user", "content": content})];
                input.extend(thinking.map(|text| {
                    json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text}]})
                }));
                input.push(json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": arguments}));
                input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": result}));
                json!({"model": model, "stream": stream, "instructions": system, "input": input,
                    "tools": [{"type": "function", "name": "f", "description": note, "parameters": schema}]})
            }
            Self::Messages => {
                let mut content = vec![json!({"type": "text", "text": user})];
                content.extend(file.map(|name| {
                    json!({"type": "document", "title": name,
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}})
                }));
                let mut turn = Vec::new();
                turn.extend(thinking.map(|text| json!({"type": "thinking", "thinking": text, "signature": "c2ln"})));
                turn.push(json!({"type": "tool_use", "id": "call_1", "name": "f", "input": given}));
                json!({"model": model, "stream": stream, "max_tokens": 64, "system": system, "messages": [
                    {"role": "user", "content": content},
                    {"role": "assistant", "content": turn},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "call_1", "content": result}]}],
                    "tools": [{"name": "f", "description": note, "input_schema": schema}]})
            }
            Self::Gemini => {
                if file.is_some() {
                    return None;
                }
                let mut turn = Vec::new();
                turn.extend(thinking.map(|text| json!({"text": text, "thought": true})));
                turn.push(json!({"functionCall": {"name": "f", "args": given}}));
                json!({"systemInstruction": {"parts": [{"text": system}]}, "contents": [
                    {"role": "user", "parts": [{"text": user}]},
                    {"role": "model", "parts": turn},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": result}}}]}],
                    "tools": [{"functionDeclarations": [{"name": "f", "description": note, "parameters": schema}]}]})
            }
            Self::Converse => {
                let mut content = vec![json!({"text": user})];
                content.extend(
                    file.map(
                        |name| json!({"document": {"name": name, "format": "pdf", "source": {"bytes": "JVBERi0="}}}),
                    ),
                );
                let mut turn = Vec::new();
                turn.extend(
                    thinking.map(
                        |text| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": "c2ln"}}}),
                    ),
                );
                turn.push(json!({"toolUse": {"toolUseId": "call_1", "name": "f", "input": given}}));
                json!({"system": [{"text": system}], "messages": [
                    {"role": "user", "content": content},
                    {"role": "assistant", "content": turn},
                    {"role": "user", "content": [
                        {"toolResult": {"toolUseId": "call_1", "content": [{"text": result}]}}]}],
                    "toolConfig": {"tools": [{"toolSpec":
                        {"name": "f", "description": note, "inputSchema": {"json": schema}}}]}})
            }
            Self::Cohere => {
                if file.is_some() {
                    return None;
                }
                let call =
                    json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}});
                let mut turn = json!({"role": "assistant", "tool_calls": [call]});
                if let Some(text) = thinking {
                    turn["content"] = json!([{"type": "thinking", "thinking": text}]);
                }
                json!({"model": model, "stream": stream, "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                    turn,
                    {"role": "tool", "tool_call_id": "call_1", "content": result}],
                    "tools": [{"type": "function", "function":
                        {"name": "f", "description": note, "parameters": schema}}]})
            }
            Self::Ollama => {
                if file.is_some() {
                    return None;
                }
                let mut turn = json!({"role": "assistant", "content": "",
                    "tool_calls": [{"function": {"name": "f", "arguments": given}}]});
                if let Some(text) = thinking {
                    turn["thinking"] = json!(text);
                }
                json!({"model": model, "stream": stream, "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                    turn,
                    {"role": "tool", "tool_name": "f", "content": result}],
                    "tools": [{"type": "function", "function":
                        {"name": "f", "description": note, "parameters": schema}}]})
            }
        })
    }
}

/// A small file as a data URL.
const PDF: &str = "data:application/pdf;base64,JVBERi0=";
