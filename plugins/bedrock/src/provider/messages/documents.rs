//! Places the documents of the user's turns: the service takes none without a text, and Claude none beside results of
//! tools.
//!
//! A turn is all that the user and the tools say until the model speaks again, in one message or in several.

use std::borrow::Cow;
use std::ops::Range;

use weir_sdk::losses::{Losses, PartPath};
use weir_sdk::types::{MediaKind, Message, Part, ResultPart, Role, TextPart};

use crate::model::Model;
use crate::write::media::MediaWriter;

/// The text that stands beside a document without one.
const TEXT: &str = ".";

/// A message's and a part's number.
type At = (usize, usize);

/// The messages as the service takes their documents.
pub(super) fn placed<'m>(
    messages: &'m [Message],
    model: Model,
    media: &MediaWriter<'_>,
    losses: &mut Losses,
) -> Cow<'m, [Message]> {
    let mut placed = Cow::Borrowed(messages);
    if model.is_unjudged() || !messages.iter().any(has_document) {
        return placed;
    }
    for turn in turns(messages) {
        let found = Found::read(messages, turn, media);
        let Some(&last) = found.documents.last() else { continue };
        match found.result {
            Some(result) if model.is_checked_claude() => {
                into_result(placed.to_mut(), &found.documents, result, losses);
            }
            _ if found.text => {}
            _ => add_text(placed.to_mut(), last, model, losses),
        }
    }
    placed
}

fn has_document(message: &Message) -> bool {
    message.parts.iter().any(|part| matches!(part, Part::Media(media) if media.kind == MediaKind::Document))
}

/// The user's turns.
fn turns(messages: &[Message]) -> Vec<Range<usize>> {
    let (mut turns, mut from) = (Vec::new(), 0);
    for (at, message) in messages.iter().enumerate() {
        if message.role == Role::Assistant && !message.parts.iter().all(is_blank) {
            turns.push(from..at);
            from = at + 1;
        }
    }
    turns.push(from..messages.len());
    turns
}

fn is_blank(part: &Part) -> bool {
    matches!(part, Part::Text(text) if text.text.trim().is_empty())
}

/// What a turn holds.
#[derive(Default)]
struct Found {
    documents: Vec<At>,
    text: bool,
    /// The last result of a tool.
    result: Option<At>,
}

impl Found {
    fn read(messages: &[Message], turn: Range<usize>, media: &MediaWriter<'_>) -> Self {
        let mut found = Self::default();
        for (at, message) in messages.iter().enumerate().take(turn.end).skip(turn.start) {
            if matches!(message.role, Role::System | Role::Developer) {
                continue;
            }
            for (number, part) in message.parts.iter().enumerate() {
                match part {
                    Part::Text(_) => found.text |= !is_blank(part),
                    Part::Media(one) if media.is_document(one) => found.documents.push((at, number)),
                    Part::ToolResult(_) => found.result = Some((at, number)),
                    _ => {}
                }
            }
        }
        found
    }
}

/// Moves documents into a tool's result.
fn into_result(messages: &mut [Message], documents: &[At], (message, part): At, losses: &mut Losses) {
    let mut moved = Vec::with_capacity(documents.len());
    for &(at, number) in documents {
        let Some(place) = messages[at].parts.get_mut(number) else { continue };
        // The empty text is not written, and leaves the other parts their numbers.
        if let Part::Media(media) = std::mem::replace(place, Part::text("")) {
            let place = PartPath { message: Some(at), part: number };
            losses.approximated(place.field(""), "it stands within a tool's result, as the model takes none beside it");
            moved.push(ResultPart::Media(media));
        }
    }
    if let Some(Part::ToolResult(result)) = messages[message].parts.get_mut(part) {
        result.content.append(&mut moved);
    }
}

/// Adds a text to the message with a document, before its last cache point.
fn add_text(messages: &mut [Message], (at, number): At, model: Model, losses: &mut Losses) {
    let parts = &mut messages[at].parts;
    let cache = match parts.last_mut() {
        Some(Part::Media(last)) if model.caches => last.cache.take(),
        _ => None,
    };
    parts.push(Part::Text(TextPart { cache, ..TextPart::new(TEXT) }));
    let place = PartPath { message: Some(at), part: number };
    losses.approximated(place.field(""), "with a text, without which the service takes no document");
}
