//! Turns that alternate, built from messages of any role.
//!
//! Some formats have a list in which the user and the model take turns, and a separate place for the system text. The
//! unified model has messages in any order. [`Turns`] joins adjacent messages of one speaker to one turn and puts tool
//! results at its beginning, because such services expect them directly after the calls (C-38).

pub mod alternating;
pub mod media;
#[cfg(test)]
mod tests;

use crate::json::{object, raw_item};
use crate::losses::{Losses, PartPath};
use crate::types::{Error, Message, Opaque, Part, Role};

/// What the user says behind the model's last turn, where the model does not go on from that itself.
pub const GO_ON: &str = "Continue.";

/// The speaker of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The user, and tool results.
    User,
    /// The model.
    Assistant,
    /// The system, and developers.
    System,
}

/// A turn, or one message's contribution to it. Its lists have no brackets; [`item`](crate::json::item) appends to
/// them.
#[derive(Debug)]
pub struct Turn {
    /// Whose turn it is in a format that has two speakers.
    pub speaker: Speaker,
    /// Tool results, which come before all other blocks.
    pub results: String,
    /// All other blocks.
    pub others: String,
    /// Whether there are tool calls among the blocks.
    pub calls: bool,
    /// Whether the first block is thinking.
    pub thinking_first: bool,
    /// Members that only this format has: name and JSON.
    members: Vec<(String, String)>,
}

/// A rendered conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Blocks of system text, without brackets.
    pub system: String,
    /// The turns, a JSON array.
    pub turns: String,
    /// Whether the history ends with results of calls that came without their thinking.
    pub unsigned_calls: bool,
    /// Whether there are turns of the model's that only part results from what follows them.
    pub parted: bool,
}

impl Conversation {
    /// Lets the user say the system text if there is no other message, in one of these `turns`: services that take
    /// turns refuse a request without one, where OpenAI's model answers system text alone.
    #[must_use]
    pub fn with_a_turn(self, mut turns: Turns, messages: &[Message], losses: &mut Losses) -> Self {
        if self.turns != "[]" || self.system.is_empty() {
            return self;
        }
        let is_system = |message: &Message| matches!(message.role, Role::System | Role::Developer);
        let at = messages.iter().position(is_system).unwrap_or_default();
        losses.approximated(format!("messages[{at}]"), "the model does not answer system text alone: the user says it");
        let mut turn = Turn::new(Speaker::User);
        turn.others = self.system;
        turns.add(turn);
        turns.finish()
    }
}

/// What shares a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// All that one speaker says, until the other one speaks.
    All,
    /// The same, but results are a turn of their own. If there is a block, a turn of the model's with it stands behind.
    AllButResults(Option<&'static str>),
    /// One message.
    Message,
}

/// Renders turns. A turn is written when the next one begins, because more messages may join it until then.
#[derive(Debug)]
pub struct Turns {
    content: &'static str,
    assistant: &'static str,
    sharing: Sharing,
    conversation: Conversation,
    /// The turn that may still grow.
    last: Option<Turn>,
    /// Whether the loop of calls and results that may still go on has calls, and no turn of it begins with thinking.
    unsigned: bool,
    /// Whether the model has had a turn since the user last spoke, other than with results.
    looping: bool,
}

/// The parts of message number `at`, each with its place.
pub fn parts_of(message: &Message, at: usize) -> impl Iterator<Item = (&Part, PartPath)> {
    message.parts.iter().enumerate().map(move |(number, part)| (part, PartPath { message: Some(at), part: number }))
}

/// The error for a tool result in a part of another format.
pub fn refused_result(part: &Opaque, place: PartPath) -> Error {
    let message = format!("a tool result of type `{}` cannot be expressed in this format", part.kind);
    Error::unsupported(place.field(""), message)
}

/// Parses the role of turn number `at`, for dialects that name the model `assistant`.
pub fn role(name: Option<&str>, at: usize) -> Result<Role, Error> {
    match name {
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("system") => Ok(Role::System),
        _ => {
            let field = format!("messages[{at}].role");
            Err(Error::invalid(format!("{field}: must be `user`, `assistant` or `system`")).at(field))
        }
    }
}

impl Speaker {
    /// The speaker of a message. A message of an unknown role becomes the user's, which is reported as a loss.
    fn of(role: &Role, at: usize, losses: &mut Losses) -> Self {
        match role {
            Role::System | Role::Developer => Self::System,
            Role::Assistant => Self::Assistant,
            Role::User | Role::Tool => Self::User,
            Role::Other(_) => {
                losses.approximated(format!("messages[{at}].role"), "sent as the user's");
                Self::User
            }
        }
    }
}

impl Conversation {
    /// The bytes of its JSON.
    pub fn size(&self) -> usize {
        self.system.len() + self.turns.len()
    }
}

impl Turn {
    /// An empty turn.
    pub fn new(speaker: Speaker) -> Self {
        let (results, others) = (String::new(), String::new());
        Self { speaker, results, others, calls: false, thinking_first: false, members: Vec::new() }
    }

    /// The turn of message number `at`, without its parts. The message's name and the extensions of other formats are
    /// lost; those of `format` become members of the turn.
    pub fn of(message: &Message, at: usize, format: &str, losses: &mut Losses) -> Self {
        if message.name.is_some() {
            losses.dropped(format!("messages[{at}].name"), "turns have no names here");
        }
        if !message.extensions.is_empty() {
            losses.foreign(&format!("messages[{at}]."), &message.extensions, format);
        }
        let own = message.extensions.iter().filter(|own| own.format == format && own.json != "null");
        let members = own.map(|own| (own.key.clone(), own.json.clone())).collect();
        Self { members, ..Self::new(Speaker::of(&message.role, at, losses)) }
    }

    /// Leaves out a part of another format if it is the model's: the conversation goes on without it. Anything else of
    /// another format is an error, since the model would answer without what the client sent.
    pub fn refuse(&self, part: &Opaque, place: PartPath, losses: &mut Losses) -> Result<(), Error> {
        if self.speaker == Speaker::Assistant {
            losses.dropped(place.field(&part.kind), "it belongs to another format");
            return Ok(());
        }
        let message = format!("`{}` cannot be expressed in this format", part.kind);
        Err(Error::unsupported(place.field(""), message))
    }

    /// Whether there is nothing to write. A system turn's members have a meaning without any blocks.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.others.is_empty() && !self.has_settings()
    }

    /// Whether members say something about this turn of the system, and about no neighbour's blocks.
    fn has_settings(&self) -> bool {
        self.speaker == Speaker::System && !self.members.is_empty()
    }

    fn takes(&self, next: &Self) -> bool {
        self.speaker == next.speaker && !self.has_settings() && !next.has_settings()
    }

    /// Adds the next message of the same speaker. Of two members with one name, the first stays.
    fn join(&mut self, next: Self) {
        raw_item(&mut self.results, &next.results);
        raw_item(&mut self.others, &next.others);
        self.calls |= next.calls;
        for (key, json) in next.members {
            if !self.members.iter().any(|(known, _)| *known == key) {
                self.members.push((key, json));
            }
        }
    }
}

impl Turns {
    /// Starts without turns. `content` is the format's name for a turn's list of blocks, `assistant` its name for the
    /// model.
    pub fn new(content: &'static str, assistant: &'static str) -> Self {
        let mut conversation = Conversation { turns: String::with_capacity(1024), ..Conversation::default() };
        conversation.turns.push('[');
        let sharing = Sharing::All;
        Self { content, assistant, sharing, conversation, last: None, unsigned: false, looping: false }
    }

    /// Sets whether each message stays a separate turn.
    #[must_use]
    pub fn apart(self, apart: bool) -> Self {
        if apart { Self { sharing: Sharing::Message, ..self } } else { self }
    }

    /// Makes results a turn of their own, and all other blocks of their turn the next one.
    #[must_use]
    pub fn results_apart(self) -> Self {
        Self { sharing: Sharing::AllButResults(None), ..self }
    }

    /// The same, and parts both by a turn of the model's that has this block: for services that would join them again.
    #[must_use]
    pub fn results_parted_by(self, block: &'static str) -> Self {
        Self { sharing: Sharing::AllButResults(Some(block)), ..self }
    }

    /// The speaker of the last turn.
    pub fn speaker(&self) -> Option<Speaker> {
        self.last.as_ref().map(|turn| turn.speaker)
    }

    /// Whether the last turn has calls, which wait for their results.
    pub fn ends_with_calls(&self) -> bool {
        self.last.as_ref().is_some_and(|turn| turn.calls)
    }

    /// Adds a message's turn: to the last turn if the speaker is the same, or as the next one. A turn without blocks is
    /// left out.
    pub fn add(&mut self, turn: Turn) {
        if turn.is_empty() {
            return;
        }
        match &mut self.last {
            Some(last) if self.sharing != Sharing::Message && last.takes(&turn) => last.join(turn),
            _ => {
                self.flush();
                self.last = Some(turn);
            }
        }
    }

    /// Adds blocks of message number `at` to the system text, which comes before all turns.
    pub fn add_system(&mut self, blocks: &str, at: usize, losses: &mut Losses) {
        if !blocks.is_empty() && self.last.is_some() {
            losses.approximated(format!("messages[{at}]"), "moved to the system text in front");
        }
        raw_item(&mut self.conversation.system, blocks);
    }

    /// Whether the last turn is one of the model's that it goes on from: one without calls, which wait for their
    /// results.
    pub fn ends_with_model(&self) -> bool {
        self.speaker() == Some(Speaker::Assistant) && !self.ends_with_calls()
    }

    /// Whether that turn came without its thinking.
    pub fn ends_unsigned(&self) -> bool {
        self.ends_with_model() && self.last.as_ref().is_some_and(|turn| !turn.thinking_first)
    }

    /// Returns the whole conversation.
    pub fn finish(mut self) -> Conversation {
        self.flush();
        self.conversation.turns.push(']');
        self.conversation
    }

    fn flush(&mut self) {
        let Some(turn) = self.last.take() else { return };
        match turn.speaker {
            // Services take a whole loop of calls and results as one turn of the model, which thinks once before it.
            Speaker::Assistant => {
                let unsigned = turn.calls && !turn.thinking_first;
                self.unsigned = unsigned && (self.unsigned || !self.looping);
                self.looping = true;
            }
            Speaker::User => {
                self.looping &= !turn.results.is_empty();
                self.conversation.unsigned_calls = self.unsigned && self.looping;
            }
            Speaker::System => {}
        }
        self.write(&turn);
    }

    fn write(&mut self, turn: &Turn) {
        match self.sharing {
            Sharing::AllButResults(between) if !turn.results.is_empty() && !turn.others.is_empty() => {
                self.write_blocks(turn.speaker, [&turn.results, ""], &[]);
                if let Some(block) = between {
                    self.write_blocks(Speaker::Assistant, ["", block], &[]);
                    self.conversation.parted = true;
                }
                self.write_blocks(turn.speaker, ["", &turn.others], &turn.members);
            }
            _ => self.write_blocks(turn.speaker, [&turn.results, &turn.others], &turn.members),
        }
    }

    fn write_blocks(&mut self, speaker: Speaker, lists: [&str; 2], members: &[(String, String)]) {
        let role = match speaker {
            Speaker::User => "user",
            Speaker::Assistant => self.assistant,
            Speaker::System => "system",
        };
        let out = &mut self.conversation.turns;
        out.reserve(lists[0].len() + lists[1].len() + 64);
        if !out.ends_with('[') {
            out.push(',');
        }
        object(out, |o| {
            o.str("role", role);
            let content = o.value(self.content);
            content.push('[');
            content.push_str(lists[0]);
            if lists.iter().all(|list| !list.is_empty()) {
                content.push(',');
            }
            content.push_str(lists[1]);
            content.push(']');
            for (key, json) in members {
                o.raw(key, json);
            }
        });
    }
}
