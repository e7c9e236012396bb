//! Renders the conversation: system text in front, then turns that alternate.

mod parts;

use std::ops::Range;

use weir_sdk::calls::with_distinct_ids;
use weir_sdk::claude::blank_end;
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::turns::media::shown_by_users;
use weir_sdk::turns::{Conversation, GO_ON, Speaker, Turn, Turns, parts_of};
use weir_sdk::types::{ChatRequest, Context, Error, Message, Part};

use crate::generation::Generation;
use crate::{FORMAT, OWN_END, signature, write};

struct Writer<'a> {
    ctx: &'a Context,
    generation: Generation,
    names: &'a mut Names,
    losses: &'a mut Losses,
    turns: Turns,
    /// Turns of the system that wait for the end of the user's turn before them.
    held: Vec<Held>,
    /// Whether the model's last turn ends with the result of a tool that the service ran.
    has_served: bool,
    /// The parts of the current message from the first to the last of those that only the service can have made.
    between_own: Range<usize>,
    /// The text at the end that the model goes on from, if its end has to be trimmed: its message and part.
    blank_end: Option<(usize, usize)>,
}

/// A turn of the system amid the conversation, of message number `at`.
struct Held {
    at: usize,
    turn: Turn,
    /// Whether the loss of its place is reported.
    is_moved: bool,
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
    let distinct = with_distinct_ids(&request.messages);
    let messages = distinct.as_deref().unwrap_or(&request.messages);
    let moved = if is_own { None } else { shown_by_users(messages, |_| false, losses) };
    let messages = moved.as_deref().unwrap_or(messages);
    let blank_end = if is_own || !generation.goes_on { None } else { blank_end(messages) };
    let (held, has_served, between_own) = (Vec::new(), false, 0..0);
    let mut writer =
        Writer { ctx, generation, names, losses, turns: turns(), held, has_served, between_own, blank_end };
    for (at, message) in messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    writer.release();
    if !is_own {
        writer.answerable(messages.len());
    }
    let unsigned = !is_own && writer.turns.ends_unsigned();
    let mut conversation = writer.turns.finish().with_a_turn(turns(), messages, losses);
    conversation.unsigned_calls |= unsigned;
    Ok(conversation)
}

impl Writer<'_> {
    fn message(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut turn = Turn::of(message, at, FORMAT, self.losses);
        if turn.speaker == Speaker::System {
            return self.system(at, message, turn);
        }
        let is_models = turn.speaker == Speaker::Assistant;
        self.between_own = if is_models { between_own(&message.parts) } else { 0..0 };
        for (part, place) in parts_of(message, at) {
            self.part(&mut turn, part, place)?;
        }
        if turn.is_empty() {
            return Ok(());
        }
        if turn.speaker == Speaker::Assistant {
            self.release();
            self.has_served = message.parts.last().is_some_and(is_served);
        } else {
            self.overtake();
        }
        self.turns.add(turn);
        Ok(())
    }

    /// Lets the user speak last, for models that do not go on from their own turn.
    fn answerable(&mut self, messages: usize) {
        if self.generation.goes_on || !self.turns.ends_with_model() {
            return;
        }
        let place = format!("messages[{}]", messages.saturating_sub(1));
        self.losses.approximated(place, "the model does not continue its turn: the user asks for it");
        let mut turn = Turn::new(Speaker::User);
        write::block(&mut turn.others, |o| {
            o.str("type", "text");
            o.str("text", GO_ON);
        });
        self.turns.add(turn);
    }

    /// Adds the held turns: the model speaks next, or the conversation ends.
    fn release(&mut self) {
        self.held.drain(..).for_each(|held| self.turns.add(held.turn));
    }

    /// Reports the held turns that get behind another turn of the user's.
    fn overtake(&mut self) {
        for held in &mut self.held {
            if !std::mem::replace(&mut held.is_moved, true) {
                self.losses.approximated(format!("messages[{}]", held.at), "moved behind the user's turn");
            }
        }
    }

    /// Writes system text, which goes to the front; only newer models take it within the conversation: behind a user's
    /// turn or the result of a tool that the service ran, and only before a turn of the model's or at the end. One
    /// without text, which only has settings, may have any place after the first turn.
    fn system(&mut self, at: usize, message: &Message, mut turn: Turn) -> Result<(), Error> {
        let before = self.turns.speaker();
        let only_settings = message.parts.iter().all(is_blank);
        let has_place = match before {
            Some(Speaker::User | Speaker::System) => true,
            Some(Speaker::Assistant) => self.has_served || only_settings,
            None => false,
        };
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
        if in_place && only_settings && self.held.is_empty() {
            self.turns.add(turn);
        } else if in_place {
            self.held.push(Held { at, turn, is_moved: false });
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

/// Whether a part is the result of a tool that the service ran.
fn is_served(part: &Part) -> bool {
    matches!(part, Part::Opaque(opaque) if opaque.format == FORMAT && opaque.kind.ends_with("_tool_result"))
}

/// The parts from the first to the last of those that only the service can have made: thinking that it signed, uses of
/// its own tools with their results, and texts with its citations.
fn between_own(parts: &[Part]) -> Range<usize> {
    let own = |part: &Part| match part {
        Part::Reasoning(thought) => {
            signature::own(thought.signature.as_ref()).or(signature::own(thought.encrypted.as_ref())).is_some()
        }
        Part::Opaque(opaque) => opaque.format == FORMAT,
        Part::Text(text) => text.citations.iter().any(|it| it.source.as_ref().is_some_and(|own| own.format == FORMAT)),
        _ => false,
    };
    parts.iter().position(own).unwrap_or(0)..parts.iter().rposition(own).unwrap_or(0)
}
