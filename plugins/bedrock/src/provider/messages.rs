//! Writes the conversation: system text in front, then turns that alternate.

mod parts;

use weir_sdk::json::object;
use weir_sdk::ledger::Ledger;
use weir_sdk::names::Names;
use weir_sdk::types::{ChatRequest, Context, Error, Message, Part, Role};

use crate::FORMAT;
use crate::model::Model;
use crate::wire::is_noted;
use crate::write::media::MediaWriter;
use crate::write::{self, Place};

/// Key of the note on system text that stands amid the conversation in a request of this format.
pub(crate) const IN_PLACE: &str = "role";

/// The conversation, written.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Blocks of system text, without brackets.
    pub(super) system: String,
    /// The turns, an array.
    pub(super) messages: String,
    /// The history ends with results of calls that came without the thinking that led to them.
    pub(super) unsigned_calls: bool,
    /// Names of the tools that the history holds calls of, as they are sent.
    pub(super) called: Vec<String>,
    /// The history holds calls or results.
    pub(super) has_tools: bool,
}

/// Who speaks, in this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Assistant,
    System,
}

impl Speaker {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }
}

/// The blocks of one message or of a turn, as lists without brackets. Tool results come before all else (C-38).
#[derive(Debug, Default)]
struct Blocks {
    results: String,
    others: String,
    /// The first block is thinking.
    thinking_first: bool,
    /// There are calls among the blocks.
    calls: bool,
    /// Members of the message that only this format has.
    members: Vec<(String, String)>,
}

struct Writer<'a> {
    model: Model,
    names: &'a mut Names,
    ledger: &'a mut Ledger,
    media: MediaWriter<'a>,
    conversation: Conversation,
    /// The turn that is being put together.
    turn: Option<(Speaker, Blocks)>,
    /// Whether the last of the assistant's turns lacks thinking in front of its calls.
    unsigned: bool,
}

/// Writes all messages.
pub(super) fn write(
    ctx: &Context,
    request: &ChatRequest,
    model: Model,
    names: &mut Names,
    ledger: &mut Ledger,
) -> Result<Conversation, Error> {
    let conversation = Conversation { messages: String::from("["), ..Conversation::default() };
    let media = MediaWriter::new(&ctx.blobs);
    let mut writer = Writer { model, names, ledger, media, conversation, turn: None, unsigned: false };
    for (at, message) in request.messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    writer.flush();
    writer.conversation.messages.push(']');
    Ok(writer.conversation)
}

impl Writer<'_> {
    fn message(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        if message.name.is_some() {
            self.ledger.dropped(format!("messages[{at}].name"), "turns have no names here");
        }
        if !message.extensions.is_empty() {
            self.ledger.foreign(&format!("messages[{at}]."), &message.extensions, FORMAT);
        }
        let speaker = match &message.role {
            Role::System | Role::Developer => return self.system(at, message),
            Role::Assistant => Speaker::Assistant,
            Role::User | Role::Tool => Speaker::User,
            Role::Other(_) => {
                self.ledger.approximated(format!("messages[{at}].role"), "sent as the user's");
                Speaker::User
            }
        };
        let mut blocks = Blocks::default();
        for (number, part) in message.parts.iter().enumerate() {
            self.part(&mut blocks, speaker, part, Place { message: Some(at), part: number })?;
        }
        let own = message.extensions.iter().filter(|own| own.format == FORMAT && own.json != "null");
        blocks.members = own.map(|own| (own.key.clone(), own.json.clone())).collect();
        self.append(speaker, blocks);
        Ok(())
    }

    /// System text goes to the front, unless a client of this format put it elsewhere.
    fn system(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut blocks = Blocks::default();
        for (number, part) in message.parts.iter().enumerate() {
            let place = Place { message: Some(at), part: number };
            match part {
                Part::Text(_) => self.part(&mut blocks, Speaker::System, part, place)?,
                Part::Opaque(opaque) if opaque.format == FORMAT => {
                    write::raw_item(&mut blocks.others, &opaque.json);
                }
                Part::Media(media) if media.extensions.iter().any(|own| own.key == crate::read::GUARD) => {
                    self.part(&mut blocks, Speaker::System, part, place)?;
                }
                _ => return Err(Error::unsupported(place.field(""), "system text can only be text")),
            }
        }
        if is_noted(&message.extensions, IN_PLACE) {
            self.append(Speaker::System, blocks);
        } else if !blocks.others.is_empty() {
            if self.turn.is_some() {
                self.ledger.approximated(format!("messages[{at}]"), "moved to the system text in front");
            }
            write::raw_item(&mut self.conversation.system, &blocks.others);
        }
        Ok(())
    }

    /// Adds a message to the turn of the same speaker, or begins a new one.
    fn append(&mut self, speaker: Speaker, blocks: Blocks) {
        if blocks.results.is_empty() && blocks.others.is_empty() {
            return;
        }
        match &mut self.turn {
            // A client of this format knows what its model takes.
            Some((current, turn)) if *current == speaker && !self.model.is_unjudged() => {
                join(&mut turn.results, &blocks.results);
                join(&mut turn.others, &blocks.others);
                turn.calls |= blocks.calls;
                let known = |key: &str| turn.members.iter().any(|(known, _)| known == key);
                let new: Vec<_> = blocks.members.into_iter().filter(|(key, _)| !known(key)).collect();
                turn.members.extend(new);
            }
            _ => {
                self.flush();
                self.turn = Some((speaker, blocks));
            }
        }
    }

    fn flush(&mut self) {
        let Some((speaker, blocks)) = self.turn.take() else { return };
        match speaker {
            Speaker::Assistant => self.unsigned = blocks.calls && !blocks.thinking_first,
            Speaker::User => self.conversation.unsigned_calls = self.unsigned && !blocks.results.is_empty(),
            Speaker::System => {}
        }
        let out = &mut self.conversation.messages;
        if !out.ends_with('[') {
            out.push(',');
        }
        object(out, |o| {
            o.str("role", speaker.name());
            let content = o.value("content");
            content.push('[');
            content.push_str(&blocks.results);
            if !blocks.results.is_empty() && !blocks.others.is_empty() {
                content.push(',');
            }
            content.push_str(&blocks.others);
            content.push(']');
            blocks.members.iter().for_each(|(key, json)| o.raw(key, json));
        });
    }
}

fn join(list: &mut String, more: &str) {
    if !more.is_empty() {
        write::raw_item(list, more);
    }
}
