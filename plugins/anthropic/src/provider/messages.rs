//! Renders the conversation: system text in front, then turns that alternate.

mod parts;

use std::ops::Range;

use weir_sdk::claude::blank_end;
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::turns::{Conversation, Speaker, Turn, Turns, parts_of};
use weir_sdk::types::{ChatRequest, Context, Error, Message, Part};

use crate::generation::Generation;
use crate::{FORMAT, OWN_END, signature, write};

struct Writer<'a> {
    ctx: &'a Context,
    generation: Generation,
    names: &'a mut Names,
    losses: &'a mut Losses,
    turns: Turns,
    /// The parts of the current message from its first to its last thinking that the service signed.
    between_thinking: Range<usize>,
    /// The text at the end that the model goes on from, if its end has to be trimmed: its message and part.
    blank_end: Option<(usize, usize)>,
}

/// Renders all messages.
pub(super) fn write(
    ctx: &Context,
    request: &ChatRequest,
    generation: Generation,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<Conversation, Error> {
    let turns = || Turns::new("content", "assistant");
    // A client of this format is responsible for the end of its history.
    let is_own = request.extensions.iter().any(|note| note.format == FORMAT && note.key == OWN_END);
    let blank_end = if is_own { None } else { blank_end(&request.messages) };
    let mut writer = Writer { ctx, generation, names, losses, turns: turns(), between_thinking: 0..0, blank_end };
    for (at, message) in request.messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    Ok(writer.turns.finish().with_a_turn(turns(), &request.messages, losses))
}

impl Writer<'_> {
    fn message(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut turn = Turn::of(message, at, FORMAT, self.losses);
        if turn.speaker == Speaker::System {
            return self.system(at, message, turn);
        }
        self.between_thinking = between_thinking(&message.parts);
        for (part, place) in parts_of(message, at) {
            self.part(&mut turn, part, place)?;
        }
        self.turns.add(turn);
        Ok(())
    }

    /// Writes system text, which goes to the front; only newer models take it within the conversation, after a user's
    /// turn. One without text, which only has settings, may have any place after the first turn.
    fn system(&mut self, at: usize, message: &Message, mut turn: Turn) -> Result<(), Error> {
        let before = self.turns.speaker();
        let behind_user = matches!(before, Some(Speaker::User | Speaker::System));
        let has_place = behind_user || before.is_some() && message.parts.iter().all(is_blank);
        let in_place = self.generation.system_turns && has_place;
        for (part, place) in parts_of(message, at) {
            match part {
                Part::Text(text) if is_blank(part) => self.uncached(text, place),
                Part::Text(text) => write::block(&mut turn.others, |o| write::text(o, text, self.losses, place)),
                Part::Opaque(opaque) if opaque.format == FORMAT && in_place => {
                    write::raw_block(&mut turn.others, &opaque.json);
                }
                _ => return Err(Error::unsupported(place.field(""), "system text can only be text")),
            }
        }
        if in_place {
            self.turns.add(turn);
        } else {
            self.turns.add_system(&turn.others, at, self.losses);
            for own in write::own(&message.extensions) {
                self.losses.dropped(format!("messages[{at}].{}", own.key), "only a system turn in its place has it");
            }
        }
        Ok(())
    }
}

fn is_blank(part: &Part) -> bool {
    matches!(part, Part::Text(text) if text.text.trim().is_empty())
}

/// The parts from the first to the last thinking that the service signed.
fn between_thinking(parts: &[Part]) -> Range<usize> {
    let own = |part: &Part| match part {
        Part::Reasoning(thought) => {
            signature::own(thought.signature.as_ref()).or(signature::own(thought.encrypted.as_ref())).is_some()
        }
        _ => false,
    };
    parts.iter().position(own).unwrap_or(0)..parts.iter().rposition(own).unwrap_or(0)
}
