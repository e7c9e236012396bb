//! Calls of tools that take free text. Providers that have functions only call a function with one argument in their
//! place; a client gets the call that it declared.

use std::borrow::Cow;

use weir_sdk::compat::custom::{self, KIND};
use weir_sdk::compat::responses::write::call_status;
use weir_sdk::compat::responses::{self, namespace};
use weir_sdk::json::{self, RawValue, Rest, Str};
use weir_sdk::types::{ChatEvent, Extension, Part, PartDelta, PartKind, PartStop, Tool, ToolCall, ToolKind};

use crate::responses::tool_lists;

/// The names of a request's tools for free text as JSON, for a memo; empty if there are none.
pub(crate) fn memo(tools: &[Tool]) -> String {
    let lowered = tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) if custom::is_lowered(function) => Some(&function.name),
        _ => None,
    });
    let mut names = lowered.peekable();
    let mut out = String::new();
    if names.peek().is_some() {
        json::array(&mut out, |a| names.for_each(|name| a.str(name)));
    }
    out
}

/// The tools for free text of one request.
#[derive(Debug, Default)]
pub(crate) struct FreeText {
    names: Vec<String>,
    /// Whether a call says of itself that it was cut off.
    has_status: bool,
}

impl FreeText {
    /// Those that a memo of Chat's names at its end.
    pub(crate) fn of_chat(memo: &str) -> Self {
        let list = memo.find('[').and_then(|at| memo.get(at..));
        let names: Vec<Str<'_>> = list.and_then(|list| json::parse(list).ok()).unwrap_or_default();
        Self { names: names.into_iter().map(Str::into_string).collect(), has_status: false }
    }

    /// Those of the tools in a memo of Responses'.
    pub(crate) fn of_responses(memo: &str) -> Self {
        let mut names = Vec::new();
        for list in tool_lists(memo, "\"custom\"") {
            add_names(json::parse(list).unwrap_or_default(), None, &mut names);
        }
        Self { names, has_status: true }
    }

    /// The parts of an answer, with calls of these tools as the client expects them.
    pub(crate) fn restored<'p>(&self, parts: &'p [Part]) -> Cow<'p, [Part]> {
        let is_lowered = |part: &Part| matches!(part, Part::ToolCall(call) if call.kind == ToolKind::Function && self.has(&call.name));
        if !parts.iter().any(is_lowered) {
            return Cow::Borrowed(parts);
        }
        let mut parts = parts.to_vec();
        for part in parts.iter_mut().filter(|part| is_lowered(part)) {
            if let Part::ToolCall(call) = part {
                call.extensions.extend(self.status(call));
                call.kind = ToolKind::Custom;
                call.arguments = custom::text(&call.arguments);
            }
        }
        Cow::Owned(parts)
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The status of a call that must not be run: the text alone would not show that it was cut off.
    fn status(&self, call: &ToolCall) -> Option<Extension> {
        let status = call_status(call);
        let is_told = self.has_status && status != "completed";
        let (format, key) = (responses::FORMAT.to_owned(), "status".to_owned());
        is_told.then(|| Extension { format, key, json: format!("\"{status}\"") })
    }
}

/// Adds the names of tools for free text; those of a group have the names of its [`namespace::spread`].
fn add_names(tools: Vec<&RawValue>, group: Option<&str>, names: &mut Vec<String>) {
    for raw in tools {
        let mut tool = Rest::parse(raw.get()).unwrap_or_default();
        let kind = tool.str("type");
        let Some(name) = tool.str("name") else { continue };
        match (kind.as_deref(), group) {
            (Some(KIND), Some(group)) => names.push(namespace::joined(group, &name)),
            (Some(KIND), None) => names.push(name.into_string()),
            (Some(namespace::GROUP), None) => add_names(tool.list("tools").unwrap_or_default(), Some(&name), names),
            _ => {}
        }
    }
}

/// Restores the calls of a stream: their text is known when their arguments are complete.
#[derive(Debug, Default)]
pub(crate) struct Restorer {
    tools: FreeText,
    /// Candidate and part of each open call, and its arguments.
    open: Vec<(u32, u32, String)>,
}

impl Restorer {
    pub(crate) fn new(tools: FreeText) -> Self {
        Self { tools, open: Vec::new() }
    }

    /// The events with the calls restored; the same events if the client declared no such tools.
    pub(crate) fn restore(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.tools.names.is_empty() {
            return events;
        }
        events.into_iter().flat_map(|event| self.take(event)).flatten().collect()
    }

    /// The events in place of one.
    fn take(&mut self, mut event: ChatEvent) -> [Option<ChatEvent>; 2] {
        match &mut event {
            ChatEvent::PartStart(start) => {
                if let PartKind::ToolCall(call) = &mut start.kind
                    && call.kind == ToolKind::Function
                    && self.tools.has(&call.name)
                {
                    call.kind = ToolKind::Custom;
                    self.open.push((start.candidate, start.part, String::new()));
                }
            }
            ChatEvent::Delta(PartDelta { candidate, part, text }) => {
                if let Some((_, _, arguments)) = self.find(*candidate, *part) {
                    arguments.push_str(text);
                    return [None, None];
                }
            }
            ChatEvent::PartStop(PartStop { candidate, part, extensions }) => {
                let (candidate, part) = (*candidate, *part);
                if let Some(at) = self.open.iter().position(|open| (open.0, open.1) == (candidate, part)) {
                    let call = ToolCall::new("", "", self.open.remove(at).2);
                    extensions.extend(self.tools.status(&call));
                    let text = custom::text(&call.arguments);
                    return [Some(ChatEvent::Delta(PartDelta { candidate, part, text })), Some(event)];
                }
            }
            _ => {}
        }
        [Some(event), None]
    }

    fn find(&mut self, candidate: u32, part: u32) -> Option<&mut (u32, u32, String)> {
        self.open.iter_mut().find(|open| (open.0, open.1) == (candidate, part))
    }
}

#[cfg(test)]
mod tests {
    use weir_sdk::adapter::{Encoder, ParsedChat};
    use weir_sdk::testing::events::{delta, finish, start, stop};
    use weir_sdk::types::{
        Body, Candidate, ChatResponse, Context, Finish, FinishReason, HttpRequest, RenderedResponse, ToolCall,
        ToolStart,
    };

    use super::*;
    use crate::{chat, responses};

    fn chat_request() -> ParsedChat {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"a"}],"stream_options":{"include_usage":false},
            "tools":[{"type":"custom","custom":{"name":"run_u"}},{"type":"function","function":{"name":"f"}}]}"#;
        chat::request::parse(&Context::default(), &HttpRequest::post("v1/chat/completions", body.to_owned())).unwrap()
    }

    fn responses_request() -> ParsedChat {
        let body = r#"{"model":"m","input":"a","tools":[{"type":"custom","name":"run_u"},
            {"type":"function","name":"f","parameters":{}}]}"#;
        responses::request::parse(&Context::default(), &HttpRequest::post("v1/responses", body.to_owned())).unwrap()
    }

    fn call() -> ToolCall {
        ToolCall::new("c", "run_u", r#"{"input":"ls\n"}"#)
    }

    fn answer() -> ChatResponse {
        let finish = Some(Finish::new(FinishReason::ToolCalls, "x"));
        let parts = vec![Part::ToolCall(call()), Part::ToolCall(ToolCall::new("d", "f", "{}"))];
        let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
        ChatResponse { candidates: vec![candidate], ..ChatResponse::default() }
    }

    fn events() -> Vec<ChatEvent> {
        let begin = |name: &str| {
            let (id, name) = ("c".to_owned(), name.to_owned());
            PartKind::ToolCall(ToolStart { id, name, kind: ToolKind::Function, signature: None })
        };
        vec![
            start(0, begin("run_u")),
            delta(0, "{\"input\":\"l"),
            start(1, begin("f")),
            delta(1, "{}"),
            delta(0, "s\\n\"}"),
            stop(1),
            stop(0),
            finish(FinishReason::ToolCalls),
        ]
    }

    fn value(answer: RenderedResponse) -> serde_json::Value {
        let Body::Text(body) = answer.response.body else { panic!("text") };
        serde_json::from_str(&body).unwrap()
    }

    fn streamed<E: Encoder>(ctx: Context) -> Vec<serde_json::Value> {
        frames::<E>(ctx, events())
    }

    fn frames<E: Encoder>(ctx: Context, events: Vec<ChatEvent>) -> Vec<serde_json::Value> {
        let mut encoder = E::new(ctx);
        let mut frames = encoder.push(events).unwrap().frames;
        frames.extend(encoder.finish().unwrap().frames);
        frames.iter().filter_map(|frame| serde_json::from_str(&frame.data).ok()).collect()
    }

    #[test]
    fn chat_clients_get_calls_of_the_kind_that_they_declared() {
        let memo = chat_request().memo;
        assert!(!chat::Memo::read(&memo).usage, "{memo}");
        let ctx = Context { memo, ..Context::default() };
        let whole = value(chat::response::render(&ctx, &answer()));
        let calls = &whole["choices"][0]["message"]["tool_calls"];
        assert_eq!(calls[0]["custom"], serde_json::json!({"name": "run_u", "input": "ls\n"}));
        assert_eq!(calls[1]["type"], "function");
        let chunks = streamed::<chat::encoder::ChatEncoder>(ctx);
        let pieces = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]);
        let input: String = pieces.filter_map(|call| call["custom"]["input"].as_str()).collect();
        assert_eq!(input, "ls\n");
    }

    #[test]
    fn responses_clients_get_calls_of_the_kind_that_they_declared() {
        let ctx = Context { memo: responses_request().memo, ..Context::default() };
        let whole = value(responses::response::render(&ctx, &answer()));
        let last = streamed::<responses::encoder::EventEncoder>(ctx).pop().unwrap();
        for output in [&whole["output"], &last["response"]["output"]] {
            assert_eq!((&output[0]["type"], &output[0]["input"]), (&"custom_tool_call".into(), &"ls\n".into()));
            assert_eq!(output[1]["type"], "function_call");
        }
    }

    #[test]
    fn a_call_that_is_cut_off_shows_its_text_so_far() {
        let begin = ToolStart { id: "c".into(), name: "run_u".into(), kind: ToolKind::Function, signature: None };
        let cut = r#"{"input":"ls \n -"#;
        let events = || {
            let begin = PartKind::ToolCall(begin.clone());
            vec![start(0, begin), delta(0, cut), stop(0), finish(FinishReason::Length)]
        };
        let ctx = Context { memo: responses_request().memo, ..Context::default() };
        let last = frames::<responses::encoder::EventEncoder>(ctx.clone(), events()).pop().unwrap();
        let parts = vec![Part::ToolCall(ToolCall::new("c", "run_u", cut))];
        let finish = Some(Finish::new(FinishReason::Length, "x"));
        let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
        let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
        let whole = value(responses::response::render(&ctx, &answer));
        for output in [&whole["output"], &last["response"]["output"]] {
            assert_eq!(
                (&output[0]["input"], &output[0]["status"]),
                (&"ls \n -".into(), &"incomplete".into()),
                "{output}"
            );
        }
    }
}
