//! Messages: what is said, and what tools gave back.

use super::{IDS, Writer};
use crate::calls::loses_failure;
use crate::compat::content::{BREAKPOINT, STORE};
use crate::compat::responses::{FORMAT, noted, write, write_members};
use crate::json::{self, Array, Object};
use crate::losses::extension;
use crate::types::{
    CacheHint, Extension, MediaPart, MediaSource, Message, Part, ResultPart, Role, TextPart, ToolResult,
};

impl Writer<'_> {
    /// Writes the instructions, a separate parameter if the client sent them as one; returns how many messages they
    /// were.
    pub(super) fn instructions(&mut self, o: &mut Object<'_>, messages: &[Message]) -> usize {
        let Some(first) = messages.first() else { return 0 };
        match (noted(&first.extensions, "instructions"), first.parts.as_slice()) {
            (Some(_), [Part::Text(text)]) => {
                o.str("instructions", &text.text);
                self.lost_text("messages[0].content[0]", text);
                1
            }
            _ => 0,
        }
    }

    pub(super) fn message(&mut self, a: &mut Array<'_>, field: &str, message: &Message) {
        for (at, part) in message.parts.iter().enumerate() {
            if let Part::ToolResult(result) = part {
                a.object(|o| self.result(o, &format!("{field}.content[{at}]"), result));
            }
        }
        match &message.role {
            Role::Assistant => self.assistant(a, field, message),
            Role::System => self.speaker(a, field, "system", message),
            Role::Developer => self.speaker(a, field, "developer", message),
            Role::User | Role::Tool => self.speaker(a, field, "user", message),
            Role::Other(_) => {
                self.losses.approximated(format!("{field}.role"), "said by the user");
                self.speaker(a, field, "user", message);
            }
        }
    }

    fn speaker(&mut self, a: &mut Array<'_>, field: &str, role: &str, message: &Message) {
        self.lost_of_message(field, message);
        if message.parts.iter().all(|part| matches!(part, Part::ToolResult(_))) && !message.parts.is_empty() {
            return;
        }
        a.object(|o| {
            o.str("role", role);
            if let [Part::Text(text)] = message.parts.as_slice()
                && is_bare(text)
            {
                o.str("content", &text.text);
                self.lost_text(&format!("{field}.content[0]"), text);
            } else if message.parts.is_empty() {
                o.str("content", "");
            } else {
                o.array("content", |a| self.content(a, field, &message.parts));
            }
            write_members(o, &message.extensions);
        });
    }

    fn content(&mut self, a: &mut Array<'_>, field: &str, parts: &[Part]) {
        for (at, part) in parts.iter().enumerate() {
            let field = format!("{field}.content[{at}]");
            match part {
                Part::Text(text) => self.text_part(a, &field, text),
                Part::Media(media) => self.media(a, &field, media),
                Part::Refusal(words) => self.text_part(a, &field, &TextPart::new(words)),
                Part::Opaque(opaque) if opaque.format == FORMAT => a.raw(&opaque.json),
                Part::Opaque(_) => self.losses.dropped(field, "it belongs to another format"),
                Part::Reasoning(_) => self.losses.dropped(field, "only the assistant thinks"),
                Part::ToolCall(_) => self.refuse(field, "only the assistant calls tools"),
                Part::ToolResult(_) => {}
            }
        }
    }

    fn text_part(&mut self, a: &mut Array<'_>, field: &str, text: &TextPart) {
        self.lost_text(field, text);
        a.object(|o| {
            o.str("type", "input_text");
            o.str("text", &text.text);
            write_members(o, &text.extensions);
        });
    }

    pub(super) fn media(&mut self, a: &mut Array<'_>, field: &str, media: &MediaPart) {
        self.lost_cache(is_hinted(media.cache.as_ref(), &media.extensions), field);
        self.losses.foreign(&format!("{field}."), &media.extensions, FORMAT);
        if let MediaSource::Text(text) = &media.source {
            // With its title in front, as in Chat.
            self.losses.approximated(field, "a text document is sent as text");
            let texts = media.name.iter().chain([text]);
            return texts.for_each(|text| self.text_part(a, field, &TextPart::new(text)));
        }
        let ours = media.extensions.iter().any(|extension| extension.key == STORE);
        if matches!(media.source, MediaSource::FileId(_)) && !ours {
            return self.refuse(field.to_owned(), "a file of one provider's store is unknown to another");
        }
        let mut written = false;
        let mut out = String::new();
        json::object(&mut out, |o| written = write::media(o, self.ctx, media));
        if written {
            a.raw(&out);
        } else {
            self.refuse(field.to_owned(), "this provider does not take such media");
        }
    }

    fn result(&mut self, o: &mut Object<'_>, field: &str, result: &ToolResult) {
        let custom = noted(&result.extensions, "custom").is_some();
        o.str("type", if custom { "custom_tool_call_output" } else { "function_call_output" });
        o.str("call_id", &IDS.fit(&result.call_id));
        match result.content.as_slice() {
            [] => o.str("output", ""),
            [ResultPart::Text(text)] if is_bare(text) => {
                self.lost_text(&format!("{field}.content[0]"), text);
                o.str("output", &text.text);
            }
            [ResultPart::Json(json)] => o.str("output", json),
            parts => o.array("output", |a| {
                for (at, part) in parts.iter().enumerate() {
                    let field = format!("{field}.content[{at}]");
                    match part {
                        ResultPart::Text(text) => self.text_part(a, &field, text),
                        ResultPart::Json(json) => self.text_part(a, &field, &TextPart::new(json)),
                        ResultPart::Media(media) => self.media(a, &field, media),
                        ResultPart::Opaque(opaque) if opaque.format == FORMAT => a.raw(&opaque.json),
                        ResultPart::Opaque(_) => self.refuse(field, "this part belongs to another format"),
                    }
                }
            }),
        }
        self.lost_cache(result.cache.is_some(), field);
        self.losses.dropped_if(loses_failure(result), &format!("{field}.is_error"), "there is no place for it");
        self.losses.foreign(&format!("{field}."), &result.extensions, FORMAT);
        write_members(o, &result.extensions);
    }

    pub(super) fn lost_of_message(&mut self, field: &str, message: &Message) {
        self.losses.foreign(&format!("{field}."), &message.extensions, FORMAT);
        self.losses.dropped_if(message.name.is_some(), &format!("{field}.name"), "messages have no names here");
    }

    /// Reports what a text has beside its words, unless it is the assistant's.
    fn lost_text(&mut self, field: &str, text: &TextPart) {
        self.lost_citations(!text.citations.is_empty(), field);
        self.lost_beside(field, text);
    }

    pub(super) fn lost_citations(&mut self, lost: bool, field: &str) {
        if lost {
            self.losses.dropped(format!("{field}.citations"), "there is no place for them");
        }
    }

    pub(super) fn lost_beside(&mut self, field: &str, text: &TextPart) {
        self.lost_cache(is_hinted(text.cache.as_ref(), &text.extensions), field);
        self.losses.foreign(&format!("{field}."), &text.extensions, FORMAT);
    }

    pub(super) fn lost_cache(&mut self, hinted: bool, field: &str) {
        self.losses.dropped_if(hinted, &format!("{field}.cache_control"), "caching is the provider's own affair");
    }
}

/// Whether a part has a hint for the cache, and none in this format's own member.
fn is_hinted(hint: Option<&CacheHint>, extensions: &[Extension]) -> bool {
    hint.is_some() && extension(extensions, FORMAT, BREAKPOINT).is_none()
}

/// Whether a text has no members of this format, so that it needs no object.
fn is_bare(text: &TextPart) -> bool {
    text.extensions.iter().all(|own| own.format != FORMAT || own.json == "null")
}
