//! Messages of every role.

use weir_sdk::adapter::Result;
use weir_sdk::compat::content::{cache_hint, read_image, read_part};
use weir_sdk::compat::wire::{Content, ContentPart, FORMAT, Function};
use weir_sdk::compat::{reasoning, response};
use weir_sdk::json::{self, RawValue, Rest, Str};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    CacheHint, Error, Extension, MediaKind, MediaPart, MediaSource, Message, Part, ResultPart, Role, TextPart,
    ToolCall, ToolResult,
};

use super::{mark, thinking_blocks};

/// Reads all messages.
pub(super) fn read(wires: Vec<super::Message<'_>>) -> Result<Vec<Message>> {
    let mut legacy = Legacy::default();
    let mut messages = Vec::with_capacity(wires.len());
    for (at, wire) in wires.into_iter().enumerate() {
        let field = || format!("messages[{at}]");
        let role = wire.role.as_deref().ok_or_else(|| Error::invalid("a message has no role").at(field()))?;
        messages.push(match role {
            "tool" => tool(wire).map_err(|error| error.at(field()))?,
            "function" => legacy.result(wire),
            "assistant" => assistant(wire, &mut legacy),
            _ => speaker(wire),
        });
    }
    Ok(messages)
}

fn role(role: &str) -> Role {
    match role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => Role::Other(other.to_owned()),
    }
}

/// Parses a message with nothing but content.
fn speaker(wire: super::Message<'_>) -> Message {
    let role = role(wire.role.as_deref().unwrap_or_default());
    let mut parts = content(wire.content);
    let mut kept = extensions(FORMAT, wire.rest);
    if let Some(control) = wire.cache_control {
        hint_last(&mut parts, cache_hint(Some(*control), &Rest::default()), &mut kept);
    }
    Message { role, name: wire.name.map(Str::into_string), parts, extensions: kept }
}

/// Parses content into parts; an empty string gives none (C-42).
fn content(content: Option<Content<'_>>) -> Vec<Part> {
    match content {
        Some(Content::Parts(parts)) => parts.into_iter().map(read_part).collect(),
        Some(Content::Text(text)) if text.is_empty() => Vec::new(),
        Some(content) => vec![Part::text(content.into_text())],
        None => Vec::new(),
    }
}

/// Moves a hint on a message to its last part; a note records its place.
fn hint_last(parts: &mut [Part], hint: Option<CacheHint>, kept: &mut Vec<Extension>) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.cache = hint,
        Some(Part::Media(media)) => media.cache = hint,
        Some(Part::ToolCall(call)) => call.cache = hint,
        _ => return,
    }
    mark(kept, "cache_control");
}

fn assistant(mut wire: super::Message<'_>, legacy: &mut Legacy) -> Message {
    let mut details = wire.reasoning_details.unwrap_or_default().0;
    if details.is_empty() {
        details = thinking_blocks::take(&mut wire.rest);
    }
    // Some servers require thinking with calls, even if it is empty.
    let silent = matches!(&wire.reasoning_content, Some(Content::Text(text)) if text.is_empty());
    let plain = [wire.reasoning_content, wire.reasoning];
    let thoughts = reasoning::read(details, plain, reasoning::UNKNOWN);
    let silent = silent && thoughts.is_empty();
    let mut parts: Vec<Part> = thoughts.into_iter().map(Part::Reasoning).collect();
    parts.extend(content(wire.content));
    if let Some(signature) = wire.extra_content.and_then(|raw| reasoning::read_extra(raw.get())) {
        match parts.iter_mut().rev().find(|part| matches!(part, Part::Text(_))) {
            Some(Part::Text(text)) => text.signature = Some(signature),
            _ => parts.push(Part::Text(TextPart { signature: Some(signature), ..TextPart::new("") })),
        }
    }
    parts.extend(images(&mut wire.rest));
    parts.extend(wire.refusal.filter(|words| !words.is_empty()).map(|words| Part::Refusal(words.into_string())));
    parts.extend(wire.audio.and_then(audio).map(Part::Media));
    let calls = wire.tool_calls.unwrap_or_default().0;
    parts.extend(calls.into_iter().filter_map(response::read_call).map(Part::ToolCall));
    parts.extend(wire.function_call.and_then(|function| legacy.call(*function)).map(Part::ToolCall));
    let mut kept = extensions(FORMAT, wire.rest);
    if let Some(control) = wire.cache_control {
        hint_last(&mut parts, cache_hint(Some(*control), &Rest::default()), &mut kept);
    }
    if silent {
        mark(&mut kept, "reasoning_content");
    }
    Message { role: Role::Assistant, name: wire.name.map(Str::into_string), parts, extensions: kept }
}

/// Images of an earlier answer, in the spelling of routers, in which answers are written here as well. A list with
/// anything else stays a member.
fn images(rest: &mut Rest<'_>) -> Vec<Part> {
    let Some(list) = rest.get("images").and_then(json::list) else { return Vec::new() };
    let image = |raw: &RawValue| {
        let mut part: ContentPart<'_> = json::parse(raw.get()).ok()?;
        part.rest.take("index");
        Some(read_image(part)).filter(|part| matches!(part, Part::Media(_)))
    };
    let Some(images) = list.into_iter().map(image).collect() else { return Vec::new() };
    rest.take("images");
    images
}

/// Audio of an earlier answer, by its id.
fn audio(raw: &RawValue) -> Option<MediaPart> {
    let id = Rest::parse(raw.get()).ok()?.value("id")?;
    let text = json::text(id)?;
    let mut media = MediaPart::new(MediaKind::Audio, MediaSource::FileId(text.into_string()));
    media.extensions.push(Extension { format: FORMAT.to_owned(), key: "id".to_owned(), json: id.get().to_owned() });
    Some(media)
}

fn tool(wire: super::Message<'_>) -> Result<Message> {
    let id = wire.tool_call_id.ok_or_else(|| Error::invalid("a tool message has no `tool_call_id`"))?;
    let mut result = ToolResult::new(id);
    result.name = wire.name.map(Str::into_string);
    result.content = result_content(wire.content);
    result.cache = cache_hint(wire.cache_control.map(|hint| *hint), &wire.rest);
    result.extensions = extensions(FORMAT, wire.rest);
    Ok(Message::new(Role::Tool, vec![Part::ToolResult(result)]))
}

fn result_content(wire: Option<Content<'_>>) -> Vec<ResultPart> {
    let part = |part| match part {
        Part::Text(text) => ResultPart::Text(text),
        Part::Media(media) => ResultPart::Media(media),
        Part::Opaque(opaque) => ResultPart::Opaque(opaque),
        Part::Refusal(words) => ResultPart::Text(TextPart::new(words)),
        Part::Reasoning(thought) => ResultPart::Text(TextPart::new(thought.text.unwrap_or_default())),
        Part::ToolCall(_) | Part::ToolResult(_) => ResultPart::Text(TextPart::new("")),
    };
    content(wire).into_iter().map(part).collect()
}

/// `function_call` and messages of role `function`, which have no ids: a result belongs to the oldest call of its name
/// without a result.
#[derive(Default)]
struct Legacy {
    calls: u32,
    open: Vec<(String, String)>,
}

impl Legacy {
    fn call(&mut self, function: Function<'_>) -> Option<ToolCall> {
        let name = function.name?.into_string();
        let id = self.next_id();
        self.open.push((name.clone(), id.clone()));
        Some(ToolCall::new(id, name, function.arguments.map(Content::into_text).unwrap_or_default()))
    }

    fn result(&mut self, wire: super::Message<'_>) -> Message {
        let name = wire.name.map(Str::into_string).unwrap_or_default();
        let id = match self.open.iter().position(|(open, _)| *open == name) {
            Some(at) => self.open.remove(at).1,
            None => self.next_id(),
        };
        let mut result = ToolResult::new(id);
        result.name = Some(name);
        result.content = result_content(wire.content);
        result.extensions = extensions(FORMAT, wire.rest);
        Message::new(Role::Tool, vec![Part::ToolResult(result)])
    }

    fn next_id(&mut self) -> String {
        self.calls += 1;
        format!("call_function_{}", self.calls)
    }
}
