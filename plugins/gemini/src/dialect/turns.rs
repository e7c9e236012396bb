//! Joins adjacent turns of the model to one message. The official clients keep each piece of a streamed answer as a
//! turn of its own and send all of them back; other formats want one message, with whole texts and all calls.

use weir_sdk::types::{Message, Part, ReasoningPart, Role, TextPart};

use crate::FAMILY;
use crate::read::UNSIGNED;
use crate::wire::{is_noted, note};

/// The messages of a request.
#[derive(Debug, Default)]
pub(super) struct Turns {
    messages: Vec<Message>,
    /// The number of the content that each message began with.
    starts: Vec<usize>,
}

impl Turns {
    /// Adds the message of the content with this number.
    pub(super) fn add(&mut self, at: usize, message: Message) {
        match self.messages.last_mut() {
            Some(last) if last.role == Role::Assistant && message.role == Role::Assistant => join(last, message),
            _ => {
                self.messages.push(message);
                self.starts.push(at);
            }
        }
    }

    /// The messages, and the number of the content that each began with.
    pub(super) fn finish(mut self) -> (Vec<Message>, Vec<usize>) {
        self.messages.iter_mut().filter(|message| message.role == Role::Assistant).for_each(gather);
        (self.messages, self.starts)
    }
}

/// Adds the next turn to a message. Of two members with one name, the first stays.
fn join(message: &mut Message, next: Message) {
    for part in next.parts {
        match (message.parts.last_mut(), part) {
            (_, Part::Text(text)) if is_plain(&text) && text.text.is_empty() => {}
            (Some(Part::Text(known)), Part::Text(text)) if is_plain(known) && is_plain(&text) => {
                known.text.push_str(&text.text);
            }
            (_, part) => message.parts.push(part),
        }
    }
    for own in next.extensions {
        if !message.extensions.iter().any(|known| known.key == own.key) {
            message.extensions.push(own);
        }
    }
}

/// Whether a text has no members that would be lost in a longer one.
fn is_plain(text: &TextPart) -> bool {
    text.signature.is_none() && text.extensions.is_empty()
}

/// Returns the words of another issuer's thinking to its signature, which came behind them: the issuer takes back only
/// both together.
fn gather(message: &mut Message) {
    if !message.parts.iter().any(|part| matches!(part, Part::Reasoning(thought) if is_bare(thought))) {
        return;
    }
    let mut parts: Vec<Part> = Vec::with_capacity(message.parts.len());
    for mut part in message.parts.drain(..) {
        if let Part::Reasoning(thought) = &mut part
            && is_bare(thought)
        {
            let pieces = parts.iter().rev().take_while(|part| words(part).is_some()).count();
            let pieces = parts.split_off(parts.len() - pieces);
            // A service of this format still gets them, as the client sent them.
            thought.extensions.extend((!pieces.is_empty()).then(|| note(UNSIGNED)));
            thought.text = Some(pieces.iter().filter_map(words).collect());
        }
        parts.push(part);
    }
    message.parts = parts;
}

/// Whether thinking is nothing but another issuer's signature.
fn is_bare(thought: &ReasoningPart) -> bool {
    let foreign = thought.signature.as_ref().is_some_and(|signature| signature.issuer != FAMILY);
    foreign && thought.text.as_deref().is_none_or(str::is_empty)
}

/// The words of thinking without a signature.
fn words(part: &Part) -> Option<&str> {
    let Part::Reasoning(thought) = part else { return None };
    let only_noted = thought.extensions.len() == 1 && is_noted(&thought.extensions, UNSIGNED);
    thought.text.as_deref().filter(|_| only_noted)
}
