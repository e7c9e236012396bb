//! Parses the conversation of `/api/chat`.
//!
//! For a long time calls had no ids, and results name their tool or just follow in order. Each call gets an id that is
//! the same whenever the same conversation comes, and each result the id of its call.

use weir_sdk::json::Str;
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    Blob, Error, Extension, Message, Part, ReasoningPart, ResultPart, Role, TextPart, ToolCall, ToolResult,
};

use crate::body;
use crate::tools::{self, Ids, NO_ID};
use crate::{CHAT, is_noted, own, wire};

/// A call without a result so far.
#[derive(Debug)]
struct Pending {
    id: String,
    /// Whether the client sent the id.
    is_given: bool,
    name: String,
}

/// The calls and results of the conversation so far.
#[derive(Debug)]
pub(super) struct History<'a> {
    blobs: &'a [Blob],
    pending: Vec<Pending>,
}

impl<'a> History<'a> {
    pub(super) fn new(blobs: &'a [Blob]) -> Self {
        Self { blobs, pending: Vec::new() }
    }

    /// Parses the message of this index.
    pub(super) fn message(&mut self, wire: wire::Message<'_>, at: usize) -> Result<Message, Error> {
        let role = match wire.role.as_deref() {
            Some("system") => Role::System,
            Some("user") => Role::User,
            Some("assistant") => return self.assistant(wire, at),
            Some("tool") => return Ok(self.tool(wire, at)),
            Some("") | None => return Err(missing(at, "role")),
            Some(other) => Role::Other(other.to_owned()),
        };
        let parts = body::parts(wire.images, wire.content, self.blobs);
        let name = wire.name.map(Str::into_string);
        Ok(Message { name, extensions: extensions(CHAT, wire.rest), ..Message::new(role, parts) })
    }

    fn assistant(&mut self, wire: wire::Message<'_>, at: usize) -> Result<Message, Error> {
        let mut parts = Vec::new();
        let thinking = wire.thinking.filter(|text| !text.is_empty());
        parts.extend(thinking.map(|text| Part::Reasoning(ReasoningPart::new(text))));
        let content = wire.content.filter(|text| !text.is_empty());
        parts.extend(content.map(Part::text));
        parts.extend(wire.images.unwrap_or_default().iter().map(|data| body::image(data, self.blobs)));
        self.pending.clear();
        let mut ids = Ids::new(format!("call_{at}_"));
        for call in wire.tool_calls.unwrap_or_default().0 {
            let call = read_call(call, &mut ids).ok_or_else(|| missing(at, "tool_calls[].function.name"))?;
            let is_given = !is_noted(&call.extensions, NO_ID);
            self.pending.push(Pending { id: call.id.clone(), is_given, name: call.name.clone() });
            parts.push(Part::ToolCall(call));
        }
        let name = wire.name.map(Str::into_string);
        Ok(Message { name, extensions: extensions(CHAT, wire.rest), ..Message::new(Role::Assistant, parts) })
    }

    fn tool(&mut self, wire: wire::Message<'_>, at: usize) -> Message {
        let name = wire.tool_name.or(wire.name).filter(|name| !name.is_empty()).map(Str::into_string);
        let given = wire.tool_call_id.filter(|id| !id.is_empty()).map(Str::into_string);
        let mut extensions = extensions(CHAT, wire.rest);
        let (call_id, called) = self.answered(given.as_deref(), name.as_deref(), at);
        if given.is_none_or(|given| given != call_id) {
            extensions.push(note(NO_ID));
        }
        let text = wire.content.map(Str::into_string).unwrap_or_default();
        let mut content = vec![ResultPart::Text(TextPart::new(text))];
        for image in wire.images.unwrap_or_default() {
            if let Part::Media(media) = body::image(&image, self.blobs) {
                content.push(ResultPart::Media(media));
            }
        }
        if name.is_none() {
            extensions.push(note(NO_NAME));
        }
        let result = ToolResult { name: name.or(called), content, extensions, ..ToolResult::new(call_id) };
        Message::new(Role::Tool, vec![Part::ToolResult(result)])
    }

    /// The id and name of the call that a result belongs to: the one with its id, else the first with its name, else
    /// the first.
    ///
    /// Ids are ignored if no call has one: some clients send the ids of results only.
    fn answered(&mut self, given: Option<&str>, name: Option<&str>, at: usize) -> (String, Option<String>) {
        let by_id = given.filter(|_| self.pending.iter().any(|call| call.is_given));
        let of_id = |call: &Pending| by_id.is_some_and(|id| call.id == id);
        let of_name = |call: &Pending| by_id.is_none() && name.is_some_and(|name| call.name == name);
        let found = self.pending.iter().position(of_id).or_else(|| self.pending.iter().position(of_name));
        let in_order = || (by_id.is_none() && !self.pending.is_empty()).then_some(0);
        match (found.or_else(in_order).map(|at| self.pending.remove(at)), given) {
            (Some(call), _) => (call.id, Some(call.name)),
            (None, Some(id)) => (id.to_owned(), None),
            (None, None) => (format!("call_{at}"), None),
        }
    }
}

/// Key of the note on a result without its tool's name.
pub(crate) const NO_NAME: &str = "tool_name";

/// Parses a call; `None` if it has no name.
pub(crate) fn read_call(wire: wire::ToolCall<'_>, ids: &mut Ids) -> Option<ToolCall> {
    let function = wire.function?;
    let name = function.name.filter(|name| !name.is_empty())?.into_string();
    let (id, given) = ids.next(wire.id);
    let mut own_members = extensions(CHAT, wire.rest);
    own_members.extend(tools::within("function.", function.rest));
    if !given {
        own_members.push(note(NO_ID));
    }
    let arguments = tools::arguments(function.arguments);
    Some(ToolCall { extensions: own_members, ..ToolCall::new(id, name, arguments) })
}

/// A note for this family.
fn note(key: &str) -> Extension {
    own(CHAT, key, "null")
}

fn missing(at: usize, member: &str) -> Error {
    let field = format!("messages[{at}].{member}");
    Error::invalid(format!("{field} is missing")).at(field)
}
