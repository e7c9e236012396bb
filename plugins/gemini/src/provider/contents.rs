//! Renders the conversation: system text in front, then turns of the user and the model.

mod parts;

use weir_sdk::losses::{Losses, Place};
use weir_sdk::names::Names;
use weir_sdk::turns::{Conversation, Speaker, Turn, Turns, parts_of};
use weir_sdk::types::{ChatRequest, Error, Message, Part, Role, ToolCall};

use super::request::Target;
use crate::{FORMAT, signature, write};

struct Writer<'a> {
    target: Target<'a>,
    names: &'a mut Names,
    losses: &'a mut Losses,
    turns: Turns,
    /// The calls so far, for the names of their results.
    calls: Vec<&'a ToolCall>,
    /// The start of the current turn, in which the model's calls must be signed.
    current: usize,
}

/// Writes all messages.
pub(super) fn write<'a>(
    target: Target<'a>,
    request: &'a ChatRequest,
    names: &'a mut Names,
    losses: &'a mut Losses,
) -> Result<Conversation, Error> {
    let turns = Turns::new("parts", "model");
    let current = request.messages.iter().rposition(is_user_words).unwrap_or(0);
    let mut writer = Writer { target, names, losses, turns, calls: Vec::new(), current };
    let mut messages: Vec<_> = request.messages.iter().enumerate().collect();
    if !target.system {
        // The system text leads the user's first turn, wherever it was. The sort is stable.
        messages.sort_by_key(|(_, message)| !matches!(message.role, Role::System | Role::Developer));
    }
    for (at, message) in messages {
        writer.message(at, message)?;
    }
    Ok(writer.turns.finish())
}

fn is_user_words(message: &Message) -> bool {
    let words = |part: &Part| matches!(part, Part::Text(_) | Part::Media(_));
    matches!(message.role, Role::User) && message.parts.iter().any(words)
}

impl<'a> Writer<'a> {
    fn message(&mut self, at: usize, message: &'a Message) -> Result<(), Error> {
        let mut turn = Turn::of(message, at, FORMAT, self.losses);
        if turn.speaker == Speaker::System {
            return self.system(at, message);
        }
        for (part, place) in parts_of(message, at) {
            self.part(&mut turn, part, place)?;
        }
        self.turns.add(turn);
        Ok(())
    }

    /// Writes system text, which goes to the front, in order.
    fn system(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut parts = String::new();
        for (part, place) in parts_of(message, at) {
            match part {
                Part::Text(text) if text.text.is_empty() => {}
                Part::Text(text) => {
                    self.lose_cache(text.cache.is_some(), place);
                    self.losses.foreign_at(place, &text.extensions, FORMAT);
                    write::item(&mut parts, |o| {
                        write::text(o, &text.text, false, signature::own(text.signature.as_ref()));
                        write::members(o, &text.extensions, "");
                    });
                }
                Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_item(&mut parts, &opaque.json),
                _ => return Err(Error::unsupported(place.field(""), "system text can only be text")),
            }
        }
        if self.target.system {
            self.turns.add_system(&parts, at, self.losses);
        } else {
            self.lead(parts, at);
        }
        Ok(())
    }

    /// Lets the user say system text, for models that have no place for it.
    fn lead(&mut self, parts: String, at: usize) {
        if !parts.is_empty() {
            self.losses.approximated(format!("messages[{at}]"), "the model takes no system text: the user says it");
        }
        let mut turn = Turn::new(Speaker::User);
        turn.others = parts;
        self.turns.add(turn);
    }

    fn lose_cache(&mut self, hinted: bool, place: Place) {
        self.lose_cache_at(hinted, || place.field("cache_control"));
    }

    fn lose_cache_at(&mut self, hinted: bool, field: impl FnOnce() -> String) {
        if hinted {
            self.losses.dropped(field(), "prompts are cached by their content");
        }
    }
}
