//! Renders messages. One message of the unified model may become several, since tool results are separate messages
//! here.

use super::{Writer, hint_on_message};
use crate::compat::quirks::{Cache, Thinking};
use crate::compat::wire::FORMAT;
use crate::compat::{custom, reasoning};
use crate::json::{self, Array, Object};
use crate::losses::extension;
use crate::types::{
    Extension, MediaPart, MediaSource, Message, Part, ReasoningPart, ResultPart, Role, TextPart, ToolCall, ToolKind,
    ToolResult,
};

/// A medium that its message cannot contain, to be sent in a separate user message (C-43), and its original place.
pub(super) type Lifted<'m> = Vec<(String, &'m MediaPart)>;

/// A piece of a message, with the number of its part.
pub(super) type Numbered<'m> = (usize, Piece<'m>);

/// A piece of content.
#[derive(Clone, Copy)]
pub(super) enum Piece<'m> {
    Text(&'m TextPart),
    Media(&'m MediaPart),
    Raw(&'m str),
    Words(&'m str),
    Thought(&'m ReasoningPart),
}

/// The parts of an assistant's message, by where they are written.
#[derive(Default)]
struct Turn<'m> {
    pieces: Vec<Numbered<'m>>,
    calls: Vec<&'m ToolCall>,
    refusal: Option<&'m String>,
    /// The id of earlier audio, as JSON.
    audio: Option<&'m str>,
    thoughts: Vec<&'m ReasoningPart>,
}

impl Writer<'_> {
    pub(super) fn messages(&mut self, o: &mut Object<'_>, messages: &[Message]) {
        o.array("messages", |a| {
            let mut lifted = Lifted::new();
            for (at, message) in messages.iter().enumerate() {
                let field = format!("messages[{at}]");
                let results = tool_results(message);
                for (part, result) in &results {
                    self.tool_message(a, &format!("{field}.content[{part}]"), result, &mut lifted);
                }
                if !results.is_empty() && results.len() == message.parts.len() {
                    self.losses.foreign(&format!("{field}."), &message.extensions, FORMAT);
                    continue;
                }
                self.lifted(a, &mut lifted);
                match &message.role {
                    Role::Assistant => self.assistant(a, &field, message, at + 1 == messages.len(), &mut lifted),
                    Role::System | Role::Developer => self.system(a, &field, message),
                    Role::User | Role::Tool => self.speaker(a, &field, "user", message),
                    Role::Other(role) => self.speaker(a, &field, role, message),
                }
            }
            self.lifted(a, &mut lifted);
        });
    }

    fn system(&mut self, a: &mut Array<'_>, field: &str, message: &Message) {
        let developer = matches!(message.role, Role::Developer) && self.quirks.developer_role;
        let role = if developer { "developer" } else { "system" };
        if self.quirks.text_lists || message.parts.len() < 2 {
            return self.speaker(a, field, role, message);
        }
        // One message for each block: joining blocks would put words together that their author did not.
        for (at, part) in message.parts.iter().enumerate() {
            let one = Message { parts: vec![part.clone()], ..message.clone() };
            self.speaker_from(a, field, role, &one, at);
        }
    }

    /// Writes a message of a role that has only content.
    fn speaker(&mut self, a: &mut Array<'_>, field: &str, role: &str, message: &Message) {
        self.speaker_from(a, field, role, message, 0);
    }

    /// Writes such a message; `first` is the number of its first part.
    fn speaker_from(&mut self, a: &mut Array<'_>, field: &str, role: &str, message: &Message, first: usize) {
        let mut pieces = Vec::with_capacity(message.parts.len());
        for (at, part) in (first..).zip(&message.parts) {
            match part {
                Part::Text(text) => pieces.push((at, Piece::Text(text))),
                Part::Media(media) => pieces.push((at, Piece::Media(media))),
                Part::Refusal(words) => pieces.push((at, Piece::Words(words))),
                Part::Opaque(opaque) if opaque.format == FORMAT => pieces.push((at, Piece::Raw(&opaque.json))),
                Part::Opaque(opaque) => self.losses.dropped(format!("{field}.content[{at}]"), &opaque.kind),
                Part::Reasoning(_) => self.lose_thinking(field),
                Part::ToolCall(_) => self.refuse(format!("{field}.content[{at}]"), "only the assistant calls tools"),
                Part::ToolResult(_) => {}
            }
        }
        let foreign = |part: &Part| matches!(part, Part::Opaque(opaque) if opaque.format != FORMAT);
        if pieces.is_empty() && message.parts.iter().any(foreign) {
            self.refuse(format!("{field}.content"), "nothing in it is known to this provider");
        }
        a.object(|o| {
            o.str("role", role);
            self.name(o, field, message);
            self.content(o, field, &pieces, hint_on_message(&message.extensions));
            self.message_extensions(o, field, message);
        });
    }

    fn name(&mut self, o: &mut Object<'_>, field: &str, message: &Message) {
        if self.quirks.speaker_names {
            o.opt_str("name", message.name.as_deref());
        } else {
            self.losses.dropped_if(message.name.is_some(), &format!("{field}.name"), "speakers have no names here");
        }
    }

    /// Sorts the parts of an assistant's message. Media that only a user may send is lifted.
    fn turn<'m>(&mut self, field: &str, message: &'m Message, lifted: &mut Lifted<'m>) -> Turn<'m> {
        let mut turn = Turn::default();
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text(text) => turn.pieces.push((at, Piece::Text(text))),
                Part::ToolCall(call) => turn.calls.push(call),
                Part::Refusal(words) if self.takes("refusal") => turn.refusal = Some(words),
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

    fn assistant<'m>(
        &mut self,
        a: &mut Array<'_>,
        field: &str,
        message: &'m Message,
        last: bool,
        lifted: &mut Lifted<'m>,
    ) {
        let Turn { mut pieces, calls, refusal, audio, thoughts } = self.turn(field, message, lifted);
        if matches!(self.quirks.thinking, Thinking::Parts | Thinking::Summaries) {
            let reported =
                thoughts.iter().filter(|thought| self.is_written(thought)).map(|thought| (0, Piece::Thought(thought)));
            pieces.splice(0..0, reported);
        }
        let called = !calls.is_empty() || refusal.is_some() || audio.is_some();
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
            o.opt_str("refusal", refusal.map(String::as_str));
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

    /// Whether nothing is written of a message without content: it had parts, and neither thinking nor members of its
    /// own stay.
    fn leaves_nothing(&self, message: &Message, thoughts: &[&ReasoningPart]) -> bool {
        let is_written = |own: &Extension| own.format == FORMAT && self.takes(&own.key);
        let is_bare = !message.extensions.iter().any(is_written);
        is_bare && !message.parts.is_empty() && !self.shows(thoughts)
    }

    fn message_extensions(&mut self, o: &mut Object<'_>, field: &str, message: &Message) {
        if hint_on_message(&message.extensions) {
            let hint = message.parts.iter().rev().find_map(|part| match part {
                Part::Text(text) => text.cache.as_ref(),
                Part::Media(media) => media.cache.as_ref(),
                _ => None,
            });
            self.cache(o, field, hint, &[]);
        }
        self.message_members(o, &format!("{field}."), &message.extensions, &[]);
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

    fn tool_message<'m>(&mut self, a: &mut Array<'_>, field: &str, result: &'m ToolResult, lifted: &mut Lifted<'m>) {
        let mut pieces = Vec::with_capacity(result.content.len());
        for (at, part) in result.content.iter().enumerate() {
            match part {
                ResultPart::Text(text) => pieces.push((at, Piece::Text(text))),
                ResultPart::Json(json) => pieces.push((at, Piece::Words(json))),
                ResultPart::Media(media @ MediaPart { source: MediaSource::Text(text), .. }) => {
                    self.result_text(&mut pieces, &format!("{field}.content[{at}]"), (at, media), text);
                }
                ResultPart::Media(media) if self.quirks.media.in_tools => pieces.push((at, Piece::Media(media))),
                ResultPart::Media(media) => {
                    pieces.push((at, Piece::Words("[see the next user message]")));
                    self.losses.approximated(format!("{field}.content[{at}]"), "moved to a user message of its own");
                    lifted.push((format!("{field}.content[{at}]"), media));
                }
                ResultPart::Opaque(opaque) if opaque.format == FORMAT => pieces.push((at, Piece::Raw(&opaque.json))),
                ResultPart::Opaque(_) => {
                    self.refuse(
                        format!("{field}.content[{at}]"),
                        "this part of a tool's result belongs to another format",
                    );
                }
            }
        }
        if result.is_error == Some(true) {
            self.losses.dropped(format!("{field}.is_error"), "there is no place for it");
        }
        a.object(|o| {
            o.str("role", "tool");
            o.str("tool_call_id", &self.quirks.tool_ids.fit(&result.call_id));
            o.opt_str("name", result.name.as_deref());
            self.content(o, field, &pieces, false);
            self.cache(o, field, result.cache.as_ref(), &result.extensions);
            self.message_members(o, &format!("{field}."), &result.extensions, &[]);
        });
    }

    /// Adds a text document of a tool's result. It stays in the result: other media are moved because a tool's message
    /// cannot contain them, but texts it can.
    fn result_text<'m>(
        &mut self,
        pieces: &mut Vec<Numbered<'m>>,
        field: &str,
        (at, media): (usize, &'m MediaPart),
        text: &'m str,
    ) {
        if media.cache.is_some() && self.quirks.cache != Cache::None && self.quirks.text_lists {
            return pieces.push((at, Piece::Media(media)));
        }
        self.losses.approximated(field, "a text document is sent as text");
        if media.cache.is_some() {
            self.lose_cache(field);
        }
        self.losses.foreign(&format!("{field}."), &media.extensions, FORMAT);
        pieces.extend(media.name.iter().map(|name| (at, Piece::Words(name))));
        pieces.push((at, Piece::Words(text)));
    }

    /// Writes content as one string if that loses nothing, else as a list.
    fn content(&mut self, o: &mut Object<'_>, field: &str, pieces: &[Numbered<'_>], hinted: bool) {
        let words: Option<Vec<&str>> = pieces.iter().map(|(_, piece)| self.plain(piece, hinted)).collect();
        match words.as_deref() {
            Some([]) => return o.str("content", ""),
            Some([one]) => {
                self.lost_of_plain(field, pieces, hinted);
                return o.str("content", one);
            }
            Some(several) if !self.quirks.text_lists => {
                self.lost_of_plain(field, pieces, hinted);
                self.losses.approximated(format!("{field}.content"), "several texts are joined");
                return o.str("content", &several.join("\n"));
            }
            _ => {}
        }
        o.array("content", |a| {
            for (at, piece) in pieces {
                self.piece(a, &format!("{field}.content[{at}]"), piece, hinted);
            }
        });
    }

    /// The text of a piece that has nothing but text.
    fn plain<'m>(&self, piece: &Piece<'m>, hinted: bool) -> Option<&'m str> {
        match piece {
            Piece::Text(text) => {
                let cached = text.cache.is_some() && !hinted && self.quirks.cache != Cache::None;
                (!cached && text.extensions.iter().all(|e| e.format != FORMAT)).then_some(&text.text)
            }
            Piece::Words(words) => Some(words),
            _ => None,
        }
    }

    /// Reports the losses of texts that are written as a string.
    fn lost_of_plain(&mut self, field: &str, pieces: &[Numbered<'_>], hinted: bool) {
        for (at, piece) in pieces {
            let Piece::Text(text) = piece else { continue };
            if text.cache.is_some() && !hinted {
                self.lose_cache(&format!("{field}.content[{at}]"));
            }
            if !text.citations.is_empty() {
                self.lose_citations(&format!("{field}.content[{at}]"));
            }
            if !text.extensions.is_empty() {
                self.losses.foreign(&format!("{field}.content[{at}]."), &text.extensions, FORMAT);
            }
        }
    }

    fn piece(&mut self, a: &mut Array<'_>, field: &str, piece: &Piece<'_>, hinted: bool) {
        match piece {
            Piece::Raw(json) => a.raw(json),
            Piece::Words(words) => a.object(|o| {
                o.str("type", "text");
                o.str("text", words);
            }),
            Piece::Thought(thought) => self.thought_part(a, thought),
            Piece::Text(text) => a.object(|o| {
                o.str("type", "text");
                o.str("text", &text.text);
                if !text.citations.is_empty() {
                    self.lose_citations(field);
                }
                if !hinted {
                    self.cache(o, field, text.cache.as_ref(), &text.extensions);
                }
                self.message_members(o, &format!("{field}."), &text.extensions, &[]);
            }),
            Piece::Media(media) => self.media(a, field, media),
        }
    }

    fn lose_citations(&mut self, field: &str) {
        self.losses.dropped(format!("{field}.citations"), "a history has no place for them");
    }

    pub(super) fn lose_thinking(&mut self, field: &str) {
        // Reported once a request: a long history would fill the list with the same line.
        if !std::mem::replace(&mut self.thinking_lost, true) {
            self.losses.dropped(format!("{field}.reasoning_content"), "thinking has no place in this history");
        }
    }
}

/// The tool results in a message.
fn tool_results(message: &Message) -> Vec<(usize, &ToolResult)> {
    let result = |part: &'_ Part| matches!(part, Part::ToolResult(_));
    if !message.parts.iter().any(result) {
        return Vec::new();
    }
    let results = message.parts.iter().enumerate().filter_map(|(at, part)| match part {
        Part::ToolResult(result) => Some((at, result)),
        _ => None,
    });
    results.collect()
}
