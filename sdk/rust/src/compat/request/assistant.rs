//! The assistant's messages: its words, calls, refusal and thinking.

use super::content::{Numbered, Piece};
use super::messages::Lifted;
use super::{Writer, hint_on_message};
use crate::compat::quirks::Thinking;
use crate::compat::responses::only_begins_item;
use crate::compat::wire::FORMAT;
use crate::compat::{custom, reasoning};
use crate::json::{self, Array};
use crate::losses::extension;
use crate::types::{Extension, Message, Part, ReasoningPart, ToolCall, ToolKind};

/// The parts of an assistant's message, by where they are written.
#[derive(Default)]
struct Turn<'m> {
    pieces: Vec<Numbered<'m>>,
    calls: Vec<&'m ToolCall>,
    refusals: Vec<&'m str>,
    /// The id of earlier audio, as JSON.
    audio: Option<&'m str>,
    thoughts: Vec<&'m ReasoningPart>,
}

impl Writer<'_> {
    pub(super) fn assistant<'m>(
        &mut self,
        a: &mut Array<'_>,
        field: &str,
        message: &'m Message,
        last: bool,
        lifted: &mut Lifted<'m>,
    ) {
        let Turn { mut pieces, calls, refusals, audio, thoughts } = self.turn(field, message, lifted);
        if matches!(self.quirks.thinking, Thinking::Parts | Thinking::Summaries) {
            let reported =
                thoughts.iter().filter(|thought| self.is_written(thought)).map(|thought| (0, Piece::Thought(thought)));
            pieces.splice(0..0, reported);
        }
        let called = !calls.is_empty() || !refusals.is_empty() || audio.is_some();
        if pieces.is_empty() && !called && self.leaves_nothing(message, &thoughts) {
            // A message of nothing would be a turn that never was, which Mistral refuses (C-33).
            if !thoughts.is_empty() {
                self.lose_thinking(field);
            }
            return;
        }
        let silent = pieces.is_empty() && called;
        a.object(|o| {
            o.str("role", "assistant");
            self.name(o, field, message);
            let marked = extension(&message.extensions, FORMAT, "prefix").is_some();
            if self.quirks.prefix && last && calls.is_empty() && !marked {
                o.bool("prefix", true);
            }
            if silent {
                o.null("content");
            } else {
                self.content(o, field, &pieces, hint_on_message(&message.extensions));
            }
            if !refusals.is_empty() {
                o.str("refusal", &refusals.join("\n"));
            }
            if let Some(id) = audio {
                o.object("audio", |o| o.raw("id", id));
            }
            self.thoughts(o, field, &thoughts);
            let silent = extension(&message.extensions, FORMAT, "reasoning_content").is_some();
            if silent && self.quirks.thinking == Thinking::Content {
                o.str("reasoning_content", "");
            }
            self.text_signature(o, field, &pieces);
            if !calls.is_empty() {
                o.array("tool_calls", |a| calls.iter().for_each(|call| self.tool_call(a, field, call)));
            }
            self.message_extensions(o, field, message);
        });
    }

    /// Sorts the parts of an assistant's message. Media that only a user may send is lifted.
    fn turn<'m>(&mut self, field: &str, message: &'m Message, lifted: &mut Lifted<'m>) -> Turn<'m> {
        let mut turn = Turn::default();
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                // It stands where a refusal follows, and would be empty content beside that.
                Part::Text(text) if only_begins_item(text) => {
                    self.losses.foreign(&format!("{field}.content[{at}]."), &text.extensions, FORMAT);
                }
                Part::Text(text) => turn.pieces.push((at, Piece::Text(text))),
                Part::ToolCall(call) => turn.calls.push(call),
                Part::Refusal(words) if self.takes("refusal") => turn.refusals.push(words),
                Part::Refusal(words) => {
                    self.losses.approximated(format!("{field}.refusal"), "sent as text");
                    turn.pieces.push((at, Piece::Words(words)));
                }
                Part::Reasoning(thought) => turn.thoughts.push(thought),
                Part::Media(media) => match extension(&media.extensions, FORMAT, "id") {
                    Some(id) if self.takes("audio") => turn.audio = Some(id),
                    Some(_) => self.losses.dropped(format!("{field}.audio"), "the provider has no earlier audio"),
                    None => lifted.push((format!("{field}.content[{at}]"), media)),
                },
                Part::Opaque(opaque) if opaque.format == FORMAT => turn.pieces.push((at, Piece::Raw(&opaque.json))),
                Part::Opaque(opaque) => self.losses.dropped(format!("{field}.content[{at}]"), &opaque.kind),
                Part::ToolResult(_) => {}
            }
        }
        turn
    }

    /// Whether nothing is written of a message without content: it had parts, and neither thinking nor members of its
    /// own stay.
    fn leaves_nothing(&self, message: &Message, thoughts: &[&ReasoningPart]) -> bool {
        let is_written = |own: &Extension| own.format == FORMAT && self.takes(&own.key);
        let is_bare = !message.extensions.iter().any(is_written);
        is_bare && !message.parts.is_empty() && !self.shows(thoughts)
    }

    fn tool_call(&mut self, a: &mut Array<'_>, field: &str, call: &ToolCall) {
        a.object(|o| {
            o.str("id", &self.quirks.tool_ids.fit(&call.id));
            match call.kind {
                ToolKind::Function => {
                    o.str("type", "function");
                    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
                    o.object("function", |o| {
                        o.str("name", &call.name);
                        o.str("arguments", arguments);
                    });
                }
                ToolKind::Custom if !self.takes_custom() => {
                    self.losses.approximated(format!("{field}.tool_calls[].input"), "the text becomes an argument");
                    let mut arguments = String::new();
                    json::object(&mut arguments, |o| o.str(custom::INPUT, &call.arguments));
                    o.str("type", "function");
                    o.object("function", |o| {
                        o.str("name", &call.name);
                        o.str("arguments", &arguments);
                    });
                }
                ToolKind::Custom => {
                    o.str("type", "custom");
                    o.object("custom", |o| {
                        o.str("name", &call.name);
                        o.str("input", &call.arguments);
                    });
                }
            }
            if let Some(signature) = &call.signature {
                if self.quirks.keeps(&signature.issuer) {
                    reasoning::write_extra(o, signature);
                } else {
                    self.losses.dropped(format!("{field}.tool_calls[].signature"), "it returns to its issuer only");
                }
            }
            let place = format!("{field}.tool_calls[].");
            self.cache(o, place.trim_end_matches('.'), call.cache.as_ref(), &call.extensions);
            self.message_members(o, &place, &call.extensions, &[]);
        });
    }
}
