//! Renders messages. One message of the unified model may become several, since tool results are separate messages
//! here.

use super::content::Piece;
use super::tool_results::tool_results;
use super::{Writer, hint_on_message, order};
use crate::compat::wire::FORMAT;
use crate::json::{Array, Object};
use crate::types::{MediaPart, Message, Part, Role};

/// A medium that its message cannot contain, to be sent in a separate user message (C-43), and its original place.
pub(super) type Lifted<'m> = Vec<(String, &'m MediaPart)>;

impl Writer<'_> {
    pub(super) fn messages(&mut self, o: &mut Object<'_>, messages: &[Message]) {
        o.array("messages", |a| {
            let (mut lifted, mut latest) = (Lifted::new(), 0);
            for at in order::sent(messages) {
                let Some(message) = messages.get(at) else { continue };
                let field = format!("messages[{at}]");
                if at < latest {
                    self.losses.approximated(&field, "moved behind the results of the calls before it");
                }
                latest = latest.max(at);
                let results = tool_results(message);
                for (part, result) in &results {
                    self.tool_message(a, &format!("{field}.content[{part}]"), result, &mut lifted);
                }
                if !results.is_empty() && results.len() == message.parts.len() {
                    self.losses.foreign(&format!("{field}."), &message.extensions, FORMAT);
                    continue;
                }
                self.lifted(a, &mut lifted);
                match &message.role {
                    Role::Assistant => self.assistant(a, &field, message, at + 1 == messages.len(), &mut lifted),
                    Role::System | Role::Developer => self.system(a, &field, message),
                    Role::User | Role::Tool => self.speaker(a, &field, "user", message),
                    Role::Other(role) => self.speaker(a, &field, role, message),
                }
            }
            self.lifted(a, &mut lifted);
        });
    }

    fn system(&mut self, a: &mut Array<'_>, field: &str, message: &Message) {
        let developer = matches!(message.role, Role::Developer) && self.quirks.developer_role;
        let role = if developer { "developer" } else { "system" };
        if self.quirks.text_lists || message.parts.len() < 2 {
            return self.speaker(a, field, role, message);
        }
        // One message for each block: joining blocks would put words together that their author did not.
        for (at, part) in message.parts.iter().enumerate() {
            let one = Message { parts: vec![part.clone()], ..message.clone() };
            self.speaker_from(a, field, role, &one, at);
        }
    }

    /// Writes a message of a role that has only content.
    fn speaker(&mut self, a: &mut Array<'_>, field: &str, role: &str, message: &Message) {
        self.speaker_from(a, field, role, message, 0);
    }

    /// Writes such a message; `first` is the number of its first part.
    fn speaker_from(&mut self, a: &mut Array<'_>, field: &str, role: &str, message: &Message, first: usize) {
        let mut pieces = Vec::with_capacity(message.parts.len());
        for (at, part) in (first..).zip(&message.parts) {
            match part {
                Part::Text(text) => pieces.push((at, Piece::Text(text))),
                Part::Media(media) => pieces.push((at, Piece::Media(media))),
                Part::Refusal(words) => pieces.push((at, Piece::Words(words))),
                Part::Opaque(opaque) if opaque.format == FORMAT => pieces.push((at, Piece::Raw(&opaque.json))),
                Part::Opaque(opaque) => self.losses.dropped(format!("{field}.content[{at}]"), &opaque.kind),
                Part::Reasoning(_) => self.lose_thinking(field),
                Part::ToolCall(_) => self.refuse(format!("{field}.content[{at}]"), "only the assistant calls tools"),
                Part::ToolResult(_) => {}
            }
        }
        let foreign = |part: &Part| matches!(part, Part::Opaque(opaque) if opaque.format != FORMAT);
        if pieces.is_empty() && message.parts.iter().any(foreign) {
            self.refuse(format!("{field}.content"), "nothing in it is known to this provider");
        }
        a.object(|o| {
            o.str("role", role);
            self.name(o, field, message);
            let hinted = hint_on_message(&message.extensions);
            if role == "user" {
                self.content_of_user(o, field, &pieces, hinted);
            } else {
                self.content(o, field, &pieces, hinted);
            }
            self.message_extensions(o, field, message);
        });
    }

    pub(super) fn name(&mut self, o: &mut Object<'_>, field: &str, message: &Message) {
        if self.quirks.speaker_names {
            o.opt_str("name", message.name.as_deref());
        } else {
            self.losses.dropped_if(message.name.is_some(), &format!("{field}.name"), "speakers have no names here");
        }
    }

    pub(super) fn message_extensions(&mut self, o: &mut Object<'_>, field: &str, message: &Message) {
        if hint_on_message(&message.extensions) {
            let hint = message.parts.iter().rev().find_map(|part| match part {
                Part::Text(text) => text.cache.as_ref(),
                Part::Media(media) => media.cache.as_ref(),
                _ => None,
            });
            self.cache(o, field, hint, &[]);
        }
        self.message_members(o, &format!("{field}."), &message.extensions, &[]);
    }

    pub(super) fn lose_thinking(&mut self, field: &str) {
        // Reported once a request: a long history would fill the list with the same line.
        if !std::mem::replace(&mut self.thinking_lost, true) {
            self.losses.dropped(format!("{field}.reasoning_content"), "thinking has no place in this history");
        }
    }
}
