//! A request in each format, with a text in one of its places.

use serde_json::{Value, json};

use super::everywhere::Dialect;

/// A small file as a data URL.
const PDF: &str = "data:application/pdf;base64,JVBERi0=";

/// Where a text stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestPlace {
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

pub(crate) const PLACES: [RequestPlace; 7] = [
    RequestPlace::User,
    RequestPlace::System,
    RequestPlace::Arguments,
    RequestPlace::Result,
    RequestPlace::Tool,
    RequestPlace::File,
    RequestPlace::Thinking,
];

/// The texts of a request. One of them is the text that a test looks for.
struct Texts<'a> {
    model: &'a str,
    stream: bool,
    user: String,
    system: String,
    /// The result of a tool call.
    result: String,
    /// The description of the tool.
    note: String,
    /// The arguments of a tool call, as text and as JSON.
    arguments: String,
    given: Value,
    /// The schema of the tool's arguments.
    schema: Value,
    thinking: Option<&'a str>,
    /// The name of a file.
    file: Option<&'a str>,
}

/// A request with the text in this place; `None` where the format has no such place.
pub(crate) fn body(dialect: Dialect, model: &str, place: RequestPlace, text: &str, stream: bool) -> Option<Value> {
    let texts = Texts::with(model, place, text, stream)?;
    match dialect {
        Dialect::Chat => texts.chat(),
        Dialect::Responses => Some(texts.responses()),
        Dialect::Messages => Some(texts.messages()),
        Dialect::Gemini => texts.gemini(),
        Dialect::Converse => Some(texts.converse()),
        Dialect::Cohere => texts.cohere(),
        Dialect::Ollama => texts.ollama(),
    }
}

impl<'a> Texts<'a> {
    fn with(model: &'a str, place: RequestPlace, text: &'a str, stream: bool) -> Option<Self> {
        let at_place = |at: RequestPlace, usual: &str| if place == at { text.to_owned() } else { usual.to_owned() };
        // As JSON may spell it: the first letter escaped.
        let value = at_place(RequestPlace::Arguments, "x");
        let arguments = format!(r#"{{"q":"\u{:04x}{}"}}"#, u32::from(value.chars().next()?), &value[1..]);
        Some(Self {
            model,
            stream,
            user: at_place(RequestPlace::User, "Hi"),
            system: at_place(RequestPlace::System, "Be brief."),
            result: at_place(RequestPlace::Result, "42"),
            note: at_place(RequestPlace::Tool, "Looks it up."),
            given: serde_json::from_str(&arguments).ok()?,
            arguments,
            schema: json!({"type": "object", "properties": {"q": {"type": "string"}}}),
            thinking: (place == RequestPlace::Thinking).then_some(text),
            file: (place == RequestPlace::File).then_some(text),
        })
    }

    fn chat(&self) -> Option<Value> {
        let Self { model, stream, user, system, result, note, arguments, schema, thinking, file, .. } = self;
        if thinking.is_some() {
            return None;
        }
        let mut content = vec![json!({"type": "text", "text": user})];
        content.extend(file.map(|name| json!({"type": "file", "file": {"filename": name, "file_data": PDF}})));
        Some(json!({"model": model, "stream": stream, "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": content},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": result}],
            "tools": [{"type": "function", "function":
                {"name": "f", "description": note, "parameters": schema}}]}))
    }

    fn responses(&self) -> Value {
        let Self { model, stream, user, system, result, note, arguments, schema, thinking, file, .. } = self;
        let mut content = vec![json!({"type": "input_text", "text": user})];
        content.extend(file.map(|name| json!({"type": "input_file", "filename": name, "file_data": PDF})));
        let mut input = vec![json!({"role": "user", "content": content})];
        input.extend(thinking.map(
            |text| json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text}]}),
        ));
        input.push(json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": arguments}));
        input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": result}));
        json!({"model": model, "stream": stream, "instructions": system, "input": input,
            "tools": [{"type": "function", "name": "f", "description": note, "parameters": schema}]})
    }

    fn messages(&self) -> Value {
        let Self { model, stream, user, system, result, note, given, schema, thinking, file, .. } = self;
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

    fn gemini(&self) -> Option<Value> {
        let Self { user, system, result, note, given, schema, thinking, file, .. } = self;
        if file.is_some() {
            return None;
        }
        let mut turn = Vec::new();
        turn.extend(thinking.map(|text| json!({"text": text, "thought": true})));
        turn.push(json!({"functionCall": {"name": "f", "args": given}}));
        Some(json!({"systemInstruction": {"parts": [{"text": system}]}, "contents": [
            {"role": "user", "parts": [{"text": user}]},
            {"role": "model", "parts": turn},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": result}}}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "description": note, "parameters": schema}]}]}))
    }

    fn converse(&self) -> Value {
        let Self { user, system, result, note, given, schema, thinking, file, .. } = self;
        let mut content = vec![json!({"text": user})];
        content.extend(
            file.map(|name| json!({"document": {"name": name, "format": "pdf", "source": {"bytes": "JVBERi0="}}})),
        );
        let mut turn = Vec::new();
        turn.extend(
            thinking.map(|text| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": "c2ln"}}})),
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

    fn cohere(&self) -> Option<Value> {
        let Self { model, stream, user, system, result, note, arguments, schema, thinking, file, .. } = self;
        if file.is_some() {
            return None;
        }
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let mut turn = json!({"role": "assistant", "tool_calls": [call]});
        if let Some(text) = thinking {
            turn["content"] = json!([{"type": "thinking", "thinking": text}]);
        }
        Some(json!({"model": model, "stream": stream, "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
            turn,
            {"role": "tool", "tool_call_id": "call_1", "content": result}],
            "tools": [{"type": "function", "function":
                {"name": "f", "description": note, "parameters": schema}}]}))
    }

    fn ollama(&self) -> Option<Value> {
        let Self { model, stream, user, system, result, note, given, schema, thinking, file, .. } = self;
        if file.is_some() {
            return None;
        }
        let mut turn = json!({"role": "assistant", "content": "",
            "tool_calls": [{"function": {"name": "f", "arguments": given}}]});
        if let Some(text) = thinking {
            turn["thinking"] = json!(text);
        }
        Some(json!({"model": model, "stream": stream, "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
            turn,
            {"role": "tool", "tool_name": "f", "content": result}],
            "tools": [{"type": "function", "function":
                {"name": "f", "description": note, "parameters": schema}}]}))
    }
}
