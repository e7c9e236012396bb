//! The assistant's messages: its texts, calls and thinking as items.

use super::{IDS, Writer};
use crate::compat::quirks::Thinking;
use crate::compat::responses::{ANYBODY, FORMAT, image, noted, write};
use crate::json::Array;
use crate::types::{MediaPart, Message, Part};

impl Writer<'_> {
    pub(super) fn assistant(&mut self, a: &mut Array<'_>, field: &str, message: &Message) {
        self.lost_of_message(field, message);
        let mut parts = Vec::with_capacity(message.parts.len());
        let mut lifted = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            let field = format!("{field}.content[{at}]");
            match part {
                Part::Text(text) if text.text.is_empty() && text.citations.is_empty() && !write::is_item(text) => {}
                Part::Reasoning(thought) => {
                    let ours = thought.encrypted.as_ref().is_some_and(|value| self.quirks.keeps(&value.issuer));
                    let bare = thought.encrypted.is_none() && thought.signature.is_none();
                    // Without its encrypted form, the provider knows thinking by an id or not at all (C-33). Open
                    // models take it as plain text.
                    let open = self.quirks.thinking != Thinking::None;
                    let noted = |kind| noted(&thought.extensions, kind).is_some();
                    let known = noted("summary") || (thought.id.is_some() && noted("content"));
                    if ours || (bare && (open || known)) {
                        parts.push(part);
                    } else {
                        self.losses.dropped(field, "thinking returns to its issuer only");
                    }
                }
                Part::Opaque(opaque) if opaque.format != FORMAT => {
                    self.losses.dropped(field, "it belongs to another format");
                }
                Part::Media(media) if media.extensions.iter().any(|e| e.key == "id") => {
                    self.losses.dropped(field, "audio of an earlier answer has no place here");
                }
                Part::Media(media) if image::is_item(media) => parts.push(part),
                Part::Media(media) => lifted.push((field, media)),
                Part::ToolCall(call) => {
                    self.lost_cache(call.cache.is_some(), &field);
                    self.losses.foreign(&format!("{field}."), &call.extensions, FORMAT);
                    self.losses.dropped_if(
                        call.signature.is_some(),
                        &format!("{field}.signature"),
                        "it returns to its issuer only",
                    );
                    parts.push(part);
                }
                Part::ToolResult(_) => {}
                Part::Text(text) => {
                    self.lost_citations(!text.citations.iter().all(write::is_annotation), &field);
                    self.lost_beside(&field, text);
                    parts.push(part);
                }
                _ => parts.push(part),
            }
        }
        let fitted: Vec<Part> = parts.iter().map(|part| fit(part)).collect();
        let fitted: Vec<&Part> = fitted.iter().collect();
        write::assistant(a, &fitted, &mut self.ids);
        self.lifted(a, &lifted);
    }

    /// Writes media of the assistant, which only users may send here, as a message of the user, as in Chat.
    fn lifted(&mut self, a: &mut Array<'_>, lifted: &[(String, &MediaPart)]) {
        if lifted.is_empty() {
            return;
        }
        a.object(|o| {
            o.str("role", "user");
            o.array("content", |a| {
                for (field, media) in lifted {
                    self.losses.approximated(field, "moved to a user message of its own");
                    self.media(a, field, media);
                }
            });
        });
    }
}

/// The part as the API takes it: with an allowed id, and with its own opaque value unchanged.
fn fit(part: &Part) -> Part {
    match part {
        Part::ToolCall(call) if !IDS.fits(&call.id) => {
            let mut call = call.clone();
            call.id = IDS.fit(&call.id);
            Part::ToolCall(call)
        }
        Part::Reasoning(thought) => {
            let mut thought = thought.clone();
            if let Some(value) = &mut thought.encrypted {
                ANYBODY.clone_into(&mut value.issuer);
            }
            Part::Reasoning(thought)
        }
        part => part.clone(),
    }
}
