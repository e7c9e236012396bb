//! Writes the conversation: system text in front, then turns of the user and the model.

mod parts;

use weir_sdk::json::object;
use weir_sdk::ledger::Ledger;
use weir_sdk::types::{ChatRequest, Error, Message, Part, Role, ToolCall};

use super::request::Target;
use crate::write::{self, Place};
use crate::{FORMAT, signature};
use weir_sdk::names::Names;

/// The conversation, written.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Parts of system text, without brackets.
    pub(super) system: String,
    /// The turns, an array.
    pub(super) contents: String,
}

/// Who speaks, in this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Model,
}

/// The parts of one message or of a turn, as lists without brackets. Results of functions come before all else (C-38).
#[derive(Debug, Default)]
struct Parts {
    results: String,
    others: String,
    /// A call has been written, signed or not: the first of a turn is the one that needs a signature.
    called: bool,
    /// Members of the turn that only this format has.
    members: Vec<(String, String)>,
}

struct Writer<'a> {
    target: Target<'a>,
    names: &'a mut Names,
    ledger: &'a mut Ledger,
    conversation: Conversation,
    /// The turn that is being put together.
    turn: Option<(Speaker, Parts)>,
    /// The calls so far, for the names of their results.
    calls: Vec<&'a ToolCall>,
    /// From here on the model answers the last words of the user's: its calls must be signed.
    current: usize,
}

/// Writes all messages.
pub(super) fn write<'a>(
    target: Target<'a>,
    request: &'a ChatRequest,
    names: &'a mut Names,
    ledger: &'a mut Ledger,
) -> Result<Conversation, Error> {
    let conversation = Conversation { contents: String::from("["), ..Conversation::default() };
    let current = request.messages.iter().rposition(is_user_words).unwrap_or(0);
    let mut writer = Writer { target, names, ledger, conversation, turn: None, calls: Vec::new(), current };
    for (at, message) in request.messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    writer.flush();
    writer.conversation.contents.push(']');
    Ok(writer.conversation)
}

fn is_user_words(message: &Message) -> bool {
    let words = |part: &Part| matches!(part, Part::Text(_) | Part::Media(_));
    matches!(message.role, Role::User) && message.parts.iter().any(words)
}

impl<'a> Writer<'a> {
    fn message(&mut self, at: usize, message: &'a Message) -> Result<(), Error> {
        if message.name.is_some() {
            self.ledger.dropped(format!("messages[{at}].name"), "turns have no names here");
        }
        if !message.extensions.is_empty() {
            self.ledger.foreign(&format!("messages[{at}]."), &message.extensions, FORMAT);
        }
        let speaker = match &message.role {
            Role::System | Role::Developer => return self.system(at, message),
            Role::Assistant => Speaker::Model,
            Role::User | Role::Tool => Speaker::User,
            Role::Other(_) => {
                self.ledger.approximated(format!("messages[{at}].role"), "sent as the user's");
                Speaker::User
            }
        };
        let mut parts = Parts::default();
        for (number, part) in message.parts.iter().enumerate() {
            self.part(&mut parts, speaker, part, Place { message: Some(at), part: number })?;
        }
        let own = message.extensions.iter().filter(|own| own.format == FORMAT && own.json != "null");
        parts.members = own.map(|own| (own.key.clone(), own.json.clone())).collect();
        self.append(speaker, parts);
        Ok(())
    }

    /// System text goes to the front, in order.
    fn system(&mut self, at: usize, message: &Message) -> Result<(), Error> {
        let mut parts = String::new();
        for (number, part) in message.parts.iter().enumerate() {
            let place = Place { message: Some(at), part: number };
            match part {
                Part::Text(text) if text.text.is_empty() => {}
                Part::Text(text) => {
                    self.lose_cache(text.cache.is_some(), place);
                    write::foreign(&text.extensions, self.ledger, place);
                    write::item(&mut parts, |o| {
                        write::text(o, &text.text, false, signature::own(text.signature.as_ref()));
                        write::members(o, &text.extensions, "");
                    });
                }
                Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_item(&mut parts, &opaque.json),
                _ => return Err(Error::unsupported(place.field(""), "system text can only be text")),
            }
        }
        if !parts.is_empty() && self.turn.is_some() {
            self.ledger.approximated(format!("messages[{at}]"), "moved to the system text in front");
        }
        write::raw_item(&mut self.conversation.system, &parts);
        Ok(())
    }

    /// Adds a message to the turn of the same speaker, or begins a new one.
    fn append(&mut self, speaker: Speaker, parts: Parts) {
        if parts.results.is_empty() && parts.others.is_empty() {
            return;
        }
        match &mut self.turn {
            Some((current, turn)) if *current == speaker => {
                write::raw_item(&mut turn.results, &parts.results);
                write::raw_item(&mut turn.others, &parts.others);
                turn.members.extend(parts.members);
            }
            _ => {
                self.flush();
                self.turn = Some((speaker, parts));
            }
        }
    }

    fn flush(&mut self) {
        let Some((speaker, parts)) = self.turn.take() else { return };
        let out = &mut self.conversation.contents;
        if !out.ends_with('[') {
            out.push(',');
        }
        object(out, |o| {
            o.str("role", if speaker == Speaker::User { "user" } else { "model" });
            let list = o.value("parts");
            list.push('[');
            list.push_str(&parts.results);
            if !parts.results.is_empty() && !parts.others.is_empty() {
                list.push(',');
            }
            list.push_str(&parts.others);
            list.push(']');
            parts.members.iter().for_each(|(key, json)| o.raw(key, json));
        });
    }

    fn lose_cache(&mut self, hinted: bool, place: Place) {
        self.lose_cache_at(hinted, || place.field("cache_control"));
    }

    fn lose_cache_at(&mut self, hinted: bool, field: impl FnOnce() -> String) {
        if hinted {
            self.ledger.dropped(field(), "prompts are cached by their content");
        }
    }
}
