//! Results of tools, each a message of its own.

use super::Writer;
use super::content::{Numbered, Piece};
use super::messages::Lifted;
use crate::calls::loses_failure;
use crate::compat::quirks::Cache;
use crate::compat::wire::FORMAT;
use crate::json::Array;
use crate::types::{MediaPart, MediaSource, Message, Part, ResultPart, ToolResult};

impl Writer<'_> {
    pub(super) fn tool_message<'m>(
        &mut self,
        a: &mut Array<'_>,
        field: &str,
        result: &'m ToolResult,
        lifted: &mut Lifted<'m>,
    ) {
        let mut pieces = Vec::with_capacity(result.content.len());
        for (at, part) in result.content.iter().enumerate() {
            match part {
                ResultPart::Text(text) => pieces.push((at, Piece::Text(text))),
                ResultPart::Json(json) => pieces.push((at, Piece::Words(json))),
                ResultPart::Media(media @ MediaPart { source: MediaSource::Text(text), .. }) => {
                    self.result_text(&mut pieces, &format!("{field}.content[{at}]"), (at, media), text);
                }
                ResultPart::Media(media) if self.quirks.media.in_tools => pieces.push((at, Piece::Media(media))),
                ResultPart::Media(media) => {
                    pieces.push((at, Piece::Words("[see the next user message]")));
                    self.losses.approximated(format!("{field}.content[{at}]"), "moved to a user message of its own");
                    lifted.push((format!("{field}.content[{at}]"), media));
                }
                ResultPart::Opaque(opaque) if opaque.format == FORMAT => pieces.push((at, Piece::Raw(&opaque.json))),
                ResultPart::Opaque(_) => {
                    self.refuse(
                        format!("{field}.content[{at}]"),
                        "this part of a tool's result belongs to another format",
                    );
                }
            }
        }
        if loses_failure(result) {
            self.losses.dropped(format!("{field}.is_error"), "there is no place for it");
        }
        a.object(|o| {
            o.str("role", "tool");
            o.str("tool_call_id", &self.quirks.tool_ids.fit(&result.call_id));
            o.opt_str("name", result.name.as_deref());
            self.content(o, field, &pieces, false);
            self.cache(o, field, result.cache.as_ref(), &result.extensions);
            self.message_members(o, &format!("{field}."), &result.extensions, &[]);
        });
    }

    /// Adds a text document of a tool's result. It stays in the result: other media are moved because a tool's message
    /// cannot contain them, but texts it can.
    fn result_text<'m>(
        &mut self,
        pieces: &mut Vec<Numbered<'m>>,
        field: &str,
        (at, media): (usize, &'m MediaPart),
        text: &'m str,
    ) {
        if media.cache.is_some() && self.quirks.cache != Cache::None && self.quirks.text_lists {
            return pieces.push((at, Piece::Media(media)));
        }
        self.losses.approximated(field, "a text document is sent as text");
        if media.cache.is_some() {
            self.lose_cache(field);
        }
        self.losses.foreign(&format!("{field}."), &media.extensions, FORMAT);
        pieces.extend(media.name.iter().map(|name| (at, Piece::Words(name))));
        pieces.push((at, Piece::Words(text)));
    }
}

/// The tool results in a message.
pub(super) fn tool_results(message: &Message) -> Vec<(usize, &ToolResult)> {
    let result = |part: &'_ Part| matches!(part, Part::ToolResult(_));
    if !message.parts.iter().any(result) {
        return Vec::new();
    }
    let results = message.parts.iter().enumerate().filter_map(|(at, part)| match part {
        Part::ToolResult(result) => Some((at, result)),
        _ => None,
    });
    results.collect()
}
