//! Renders the conversation: system text in front, then turns that alternate.

mod documents;
mod parts;

use weir_sdk::calls::with_distinct_ids;
use weir_sdk::claude::blank_end;
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::turns::media::shown_by_users;
use weir_sdk::turns::{Conversation, GO_ON, Speaker, Turn, Turns, parts_of};
use weir_sdk::types::{ChatRequest, Context, Error, Message, Part};

use crate::model::Model;
use crate::wire::is_noted;
use crate::write::media::MediaWriter;
use crate::{FORMAT, write};

/// Key of the note on system text within the conversation of a request in this format.
pub(crate) const IN_PLACE: &str = "role";

/// A block that says nothing, where the service wants one.
const FILLER: &str = r#"{"text":"."}"#;

/// The tools that the history has calls of.
#[derive(Debug, Default)]
pub(super) struct Called {
    /// Their names, as they are sent.
    pub(super) names: Vec<String>,
    /// Whether the history has calls or results.
    pub(super) any: bool,
}

struct Writer<'a> {
    model: Model,
    names: &'a mut Names,
    losses: &'a mut Losses,
    media: MediaWriter<'a>,
    turns: Turns,
    called: Called,
    /// The text at the end that Claude goes on from, if its end has to be trimmed: its message and part.
    blank_end: Option<(usize, usize)>,
}

/// Writes all messages.
pub(super) fn write(
    ctx: &Context,
    request: &ChatRequest,
    model: Model,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<(Conversation, Called), Error> {
    let media = MediaWriter::new(&ctx.blobs).for_model(model);
    // A client of this format is responsible for its model's rules.
    let turns = Turns::new("content", "assistant").apart(model.is_unjudged());
    let turns = if model.features.results_alone { turns.results_parted_by(FILLER) } else { turns };
    let distinct = if model.is_unjudged() { None } else { with_distinct_ids(&request.messages) };
    let messages = distinct.as_deref().unwrap_or(&request.messages);
    let moved = if model.is_unjudged() { None } else { shown_by_users(messages, |_| false, losses) };
    let messages = documents::placed(moved.as_deref().unwrap_or(messages), model, &media, losses);
    let blank_end = if model.is_checked_claude() && model.goes_on() { blank_end(&messages) } else { None };
    let mut writer = Writer { model, names, losses, media, turns, called: Called::default(), blank_end };
    for (at, message) in messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    writer.answerable(messages.len());
    let unsigned = !model.is_unjudged() && writer.turns.ends_unsigned();
    let (mut conversation, called) = (writer.turns.finish(), writer.called);
    conversation.unsigned_calls |= unsigned;
    if !model.is_unjudged() {
        conversation = conversation.with_a_turn(Turns::new("content", "assistant"), &messages, losses);
    }
    if conversation.parted {
        losses.approximated("messages", "a turn of the model's stands between results of tools and what follows them");
    }
    Ok((conversation, called))
}

impl Writer<'_> {
    fn message(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut turn = Turn::of(message, at, FORMAT, self.losses);
        if turn.speaker == Speaker::System {
            return self.system(at, message, turn);
        }
        for (part, place) in parts_of(message, at) {
            self.part(&mut turn, part, place)?;
        }
        if turn.speaker == Speaker::Assistant && !turn.is_empty() && self.turns.speaker().is_none() {
            self.let_user_begin(at);
        }
        self.turns.add(turn);
        Ok(())
    }

    /// Lets the user speak last, for models that do not go on from their own turn.
    fn answerable(&mut self, messages: usize) {
        if self.model.goes_on() || !self.turns.ends_with_model() {
            return;
        }
        let place = format!("messages[{}]", messages.saturating_sub(1));
        self.losses.approximated(place, "the model does not continue its turn: the user asks for it");
        let mut turn = Turn::new(Speaker::User);
        write::item(&mut turn.others, |o| o.str("text", GO_ON));
        self.turns.add(turn);
    }

    /// Writes a turn of the user's before a first turn of the model's, such as its greeting, for models that take none:
    /// "A conversation must start with a user message."
    fn let_user_begin(&mut self, at: usize) {
        if self.model.may_begin() {
            return;
        }
        self.losses.approximated(format!("messages[{at}]"), "a turn of the user's stands before it");
        let mut turn = Turn::new(Speaker::User);
        write::raw_item(&mut turn.others, FILLER);
        self.turns.add(turn);
    }

    /// Writes system text, which goes to the front, unless a client of this format put it elsewhere.
    fn system(&mut self, at: usize, message: &Message, mut turn: Turn) -> Result<(), Error> {
        for (part, place) in parts_of(message, at) {
            match part {
                Part::Text(_) => self.part(&mut turn, part, place)?,
                Part::Opaque(opaque) if opaque.format == FORMAT => {
                    write::raw_item(&mut turn.others, &opaque.json);
                }
                Part::Media(media) if media.extensions.iter().any(|own| own.key == crate::read::GUARD) => {
                    self.part(&mut turn, part, place)?;
                }
                _ => return Err(Error::unsupported(place.field(""), "system text can only be text")),
            }
        }
        if is_noted(&message.extensions, IN_PLACE) {
            self.turns.add(turn);
        } else {
            self.turns.add_system(&turn.others, at, self.losses);
        }
        Ok(())
    }
}
