//! Open blocks of a stream.

use weir_sdk::adapter::Result;
use weir_sdk::calls::object_text;
use weir_sdk::json::{Rest, Str, array, object};
use weir_sdk::names::Names;
use weir_sdk::types::{ChatEvent, Error, PartDelta, PartKind, PartStart, ToolKind, ToolStart};

use crate::read;
use crate::wire;

/// A block that has begun.
#[derive(Debug)]
pub(super) struct Open {
    /// Its number on the wire.
    pub(super) index: u32,
    /// Its number as a part.
    pub(super) part: u32,
    pub(super) kind: Kind,
}

/// The content of a block.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Thinking,
    /// A call; `has_input` tells whether any of its arguments have arrived.
    Call {
        start: ToolStart,
        has_input: bool,
    },
    /// A call that represents the answer.
    Answer {
        has_input: bool,
    },
    /// A call of one of the service's own tools: its members without the input, and the input so far.
    ServerCall {
        members: Vec<(String, String)>,
        input: String,
    },
    /// The result of such a tool: its members without the content, and the content so far.
    ServerResult {
        members: Vec<(String, String)>,
        content: Vec<String>,
    },
    /// An image: its format, and its bytes so far, or its place in the cloud's store.
    Image {
        format: Option<String>,
        bytes: String,
        stored: Option<String>,
        /// Why there are none.
        error: Option<String>,
    },
}

impl Open {
    /// Starts a block that has a start event; `None` if it has no known content.
    pub(super) fn begin(index: u32, part: u32, start: wire::Start<'_>, names: &Names) -> Result<Option<Self>> {
        let kind = if let Some(call) = start.tool_use {
            call_kind(call, names)?
        } else if let Some(raw) = start.tool_result {
            let members = Rest::parse(raw.get()).unwrap_or_default();
            Kind::ServerResult { members: owned(&members), content: Vec::new() }
        } else if let Some(image) = start.image {
            let format = image.format.map(Str::into_string);
            Kind::Image { format, bytes: String::new(), stored: None, error: None }
        } else {
            return Ok(None);
        };
        Ok(Some(Self { index, part, kind }))
    }

    /// Adds a delta to a started block: a call's arguments, a tool's result, an image's bytes.
    pub(super) fn more(&mut self, delta: wire::Delta<'_>) -> Option<ChatEvent> {
        let piece = delta.tool_use.and_then(|call| call.input).unwrap_or_default();
        match &mut self.kind {
            Kind::Call { has_input, .. } | Kind::Answer { has_input } if !piece.is_empty() => {
                *has_input = true;
                let text = piece.into_string();
                return Some(ChatEvent::Delta(PartDelta { candidate: 0, part: self.part, text }));
            }
            Kind::ServerCall { input, .. } => input.push_str(&piece),
            Kind::ServerResult { content, .. } => {
                content.extend(delta.tool_result.iter().flatten().map(|piece| piece.get().to_owned()));
            }
            Kind::Image { bytes, stored, error, .. } => {
                let image = delta.image.unwrap_or_default();
                *error = image.error.map(|error| error.get().to_owned()).or(error.take());
                let source = image.source.unwrap_or_default();
                bytes.push_str(&source.bytes.unwrap_or_default());
                *stored = source.s3.map(|place| place.get().to_owned()).or(stored.take());
            }
            _ => {}
        }
        None
    }

    /// Ends the block; returns the remaining event. A call without arguments gets an empty object (C-05).
    pub(super) fn end(self) -> Option<ChatEvent> {
        let part = self.part;
        let whole = |kind| Some(ChatEvent::PartStart(PartStart { candidate: 0, part, kind }));
        match self.kind {
            Kind::Call { has_input: false, .. } | Kind::Answer { has_input: false } => {
                Some(ChatEvent::Delta(PartDelta { candidate: 0, part, text: "{}".into() }))
            }
            Kind::ServerCall { members, input } => {
                let input = object_text(&input).unwrap_or("{}");
                let json = with(&members, "input", input);
                whole(PartKind::Opaque(read::opaque("toolUse", &json)))
            }
            Kind::ServerResult { members, content } => {
                let mut list = String::new();
                array(&mut list, |a| content.iter().for_each(|piece| a.raw(piece)));
                whole(PartKind::Opaque(read::opaque("toolResult", &with(&members, "content", &list))))
            }
            Kind::Image { format, bytes, stored: None, error: Some(error) } if bytes.is_empty() => {
                whole(PartKind::Opaque(read::opaque("image", &read::failure(format.as_deref(), &error))))
            }
            Kind::Image { format, bytes, stored, .. } => {
                whole(PartKind::Media(read::image_made(format.as_deref(), bytes, stored.as_deref())))
            }
            _ => None,
        }
    }
}

fn call_kind(call: wire::ToolUse<'_>, names: &Names) -> Result<Kind> {
    let id = call.id.ok_or_else(|| Error::unreadable("a tool call has no id"))?;
    let name = call.name.ok_or_else(|| Error::unreadable("a tool call has no name"))?;
    if let Some(kind) = call.kind.filter(|kind| &**kind != "tool_use") {
        let mut json = String::new();
        object(&mut json, |o| {
            o.str("toolUseId", &id);
            o.str("name", &name);
            o.str("type", &kind);
        });
        let members = Rest::parse(&json).unwrap_or_default();
        return Ok(Kind::ServerCall { members: owned(&members), input: String::new() });
    }
    let name = names.restore(name.into_string());
    if name.is_empty() {
        return Ok(Kind::Answer { has_input: false });
    }
    let start = ToolStart { id: id.into_string(), name, kind: ToolKind::Function, signature: None };
    Ok(Kind::Call { start, has_input: false })
}

fn owned(members: &Rest<'_>) -> Vec<(String, String)> {
    members.0.iter().map(|(key, raw)| (key.to_string(), raw.get().to_owned())).collect()
}

fn with(members: &[(String, String)], key: &str, json: &str) -> String {
    let mut out = String::new();
    object(&mut out, |o| {
        for (key, json) in members {
            o.raw(key, json);
        }
        o.raw(key, json);
    });
    out
}
