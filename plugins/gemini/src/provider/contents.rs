//! Renders the conversation: system text in front, then turns of the user and the model.

mod parts;

use weir_sdk::losses::{Losses, PartPath};
use weir_sdk::names::Names;
use weir_sdk::turns::{Conversation, GO_ON, Speaker, Turn, Turns, parts_of};
use weir_sdk::types::{ChatRequest, Citation, Error, Message, Part, Role, TextPart, ToolCall};

use super::request::Target;
use crate::{FORMAT, signature, write};

struct Writer<'a> {
    target: Target<'a>,
    names: &'a mut Names,
    losses: &'a mut Losses,
    turns: Turns,
    /// Whether the user has said nothing since the last turn, in a message that says so.
    silent: bool,
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
    // Newer models take a turn that has anything beside results for the model's, and refuse it at the end.
    let turns = Turns::new("parts", "model").results_apart();
    let current = request.messages.iter().rposition(is_user_words).unwrap_or(0);
    let mut writer = Writer { target, names, losses, turns, silent: false, calls: Vec::new(), current };
    let mut messages: Vec<_> = request.messages.iter().enumerate().collect();
    if !target.system {
        // The system text leads the user's first turn, wherever it was. The sort is stable.
        messages.sort_by_key(|(_, message)| !is_system(message));
    }
    for (at, message) in messages {
        writer.message(at, message)?;
    }
    writer.answerable(request.messages.len());
    let conversation = writer.turns.finish();
    let mut conversation = conversation.with_a_turn(Turns::new("parts", "model"), &request.messages, writer.losses);
    if conversation.turns == "[]" {
        // An empty text is a part in the sense of the format, so the service may judge it; a turn without parts is
        // none.
        if request.messages.iter().any(is_user_words) {
            let mut turns = Turns::new("parts", "model");
            turns.add(silence());
            conversation.turns = turns.finish().turns;
            return Ok(conversation);
        }
        return Err(Error::invalid("there is no message with anything that the model could answer").at("messages"));
    }
    Ok(conversation)
}

/// The turn of a user who says nothing.
fn silence() -> Turn {
    let mut turn = Turn::new(Speaker::User);
    write::item(&mut turn.others, |o| write::text(o, "", false, None));
    turn
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Whether a message starts a turn. Source: the service's documentation of thought signatures: the latest message of
/// the user with standard content, which is not the response of a function.
fn is_user_words(message: &Message) -> bool {
    let words = |part: &Part| matches!(part, Part::Text(_) | Part::Media(_));
    let result = |part: &Part| matches!(part, Part::ToolResult(_));
    matches!(message.role, Role::User) && message.parts.iter().any(words) && !message.parts.iter().any(result)
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
        match turn.speaker {
            Speaker::User => self.silent = turn.is_empty(),
            _ if turn.is_empty() => return Ok(()),
            _ => {
                // The service refuses calls that no turn of the user's is before.
                self.silent |= turn.calls && self.turns.speaker().is_none();
                self.say_nothing();
            }
        }
        self.turns.add(turn);
        Ok(())
    }

    /// Writes the turn of a user who said nothing before the model's, as an empty text: agents with instructions alone
    /// begin with one.
    fn say_nothing(&mut self) {
        if std::mem::take(&mut self.silent) && self.turns.speaker() != Some(Speaker::User) {
            self.turns.add(silence());
        }
    }

    /// Lets the user speak last, for models that do not continue their own turn. Calls must wait for their results.
    fn answerable(&mut self, messages: usize) {
        if self.target.generation.prefill || !self.turns.ends_with_model() {
            return;
        }
        let place = format!("messages[{}]", messages.saturating_sub(1));
        self.losses.approximated(place, "the model does not continue its turn: the user asks for it");
        let mut turn = Turn::new(Speaker::User);
        write::item(&mut turn.others, |o| write::text(o, GO_ON, false, None));
        self.turns.add(turn);
    }

    /// Writes system text, which goes to the front, in order.
    fn system(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut parts = String::new();
        for (part, place) in parts_of(message, at) {
            match part {
                Part::Text(text) if text.text.is_empty() => {}
                Part::Text(text) => {
                    self.lose_cache(text.cache.is_some(), place);
                    self.lose_citations(text, place);
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

    /// Reports the citations of a text that are not this format's own: a conversation's content has no place for them.
    fn lose_citations(&mut self, text: &TextPart, place: PartPath) {
        let foreign = |citation: &Citation| citation.source.as_ref().is_none_or(|source| source.format != FORMAT);
        let cited = text.citations.iter().any(foreign);
        self.losses.dropped_if(cited, &place.field("citations"), "a history has no place for them");
    }

    fn lose_cache(&mut self, hinted: bool, place: PartPath) {
        self.lose_cache_at(hinted, || place.field("cache_control"));
    }

    fn lose_cache_at(&mut self, hinted: bool, field: impl FnOnce() -> String) {
        if hinted {
            self.losses.dropped(field(), "prompts are cached by their content");
        }
    }
}
