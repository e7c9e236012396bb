//! Renders the conversation of `/api/chat`.
//!
//! A message has one text here. Several texts of the user or the system become separate messages, in order; those of
//! the assistant are joined. Each tool result is a message, before the rest of its message (C-41).

use weir_sdk::adapter::Result;
use weir_sdk::calls::loses_failure;
use weir_sdk::json::Array;
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    CacheHint, Error, MediaKind, MediaPart, MediaSource, Message, Part, ReasoningPart, ResultPart, Role, TextPart,
    ToolCall, ToolResult,
};

use crate::tools::{NO_ID, Written, lose, members};
use crate::{dialect, is_noted};

const ISSUER: &str = "it returns to its issuer only";

/// Renders messages one by one.
#[derive(Debug)]
pub(super) struct Writer<'a, 'l> {
    losses: &'l mut Losses,
    /// The calls so far, for the names of their results.
    calls: Vec<&'a ToolCall>,
    /// Whether the loss of signatures was reported.
    signature_lost: bool,
}

/// A message under construction.
#[derive(Debug, Default)]
struct Turn<'a> {
    content: Option<&'a str>,
    images: Vec<&'a str>,
}

impl<'a, 'l> Writer<'a, 'l> {
    pub(super) fn new(losses: &'l mut Losses) -> Self {
        Self { losses, calls: Vec::new(), signature_lost: false }
    }

    /// Renders a message as one or more.
    pub(super) fn message(&mut self, a: &mut Array<'_>, at: usize, message: &'a Message) -> Result<()> {
        let field = format!("messages[{at}]");
        if message.name.is_some() {
            self.losses.dropped(format!("{field}.name"), "speakers have no names here");
        }
        lose(&message.extensions, &format!("{field}."), self.losses);
        let mut results = 0;
        for (part, result) in message.parts.iter().enumerate() {
            if let Part::ToolResult(result) = result {
                self.result(a, &format!("{field}.content[{part}]"), result)?;
                results += 1;
            }
        }
        if results > 0 && results == message.parts.len() {
            return Ok(());
        }
        match &message.role {
            Role::Assistant => self.assistant(a, &field, message),
            Role::System | Role::Developer => self.speaker(a, "system", &field, message),
            Role::User | Role::Tool => self.speaker(a, "user", &field, message),
            Role::Other(role) => self.speaker(a, role, &field, message),
        }
    }

    fn speaker(&mut self, a: &mut Array<'_>, role: &str, field: &str, message: &'a Message) -> Result<()> {
        let mut turns = vec![Turn::default()];
        for (at, part) in message.parts.iter().enumerate() {
            let place = || format!("{field}.content[{at}]");
            match part {
                Part::Text(text) => say(&mut turns, self.text(text, place)),
                Part::Refusal(words) => say(&mut turns, self.refusal(words, place)),
                Part::Media(media) => self.media(&mut turns, media, place())?,
                Part::Reasoning(_) => self.losses.dropped(place(), "only the assistant thinks"),
                Part::ToolCall(_) => return Err(Error::unsupported(place(), "only the assistant calls tools")),
                Part::Opaque(opaque) => self.losses.dropped(place(), &opaque.kind),
                Part::ToolResult(_) => {}
            }
        }
        let is_empty = turns.iter().all(|turn| turn.content.is_none() && turn.images.is_empty());
        if is_empty && message.parts.iter().any(|part| matches!(part, Part::Opaque(_))) {
            return Err(Error::unsupported(format!("{field}.content"), "nothing in it is known to this provider"));
        }
        for turn in &turns {
            a.object(|o| {
                o.str("role", role);
                o.str("content", turn.content.unwrap_or_default());
                if !turn.images.is_empty() {
                    o.array("images", |a| turn.images.iter().for_each(|data| a.str(data)));
                }
                members(o, &message.extensions, "");
            });
        }
        Ok(())
    }

    fn assistant(&mut self, a: &mut Array<'_>, field: &str, message: &'a Message) -> Result<()> {
        let mut turns = vec![Turn::default()];
        let (mut content, mut thinking) = (String::new(), String::new());
        let mut calls = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            let place = || format!("{field}.content[{at}]");
            match part {
                Part::Text(text) => content.push_str(self.text(text, place)),
                Part::Refusal(words) => content.push_str(self.refusal(words, place)),
                Part::Reasoning(thought) => thinking.push_str(self.thought(thought, place)),
                Part::ToolCall(call) => calls.push(call),
                Part::Media(media) => self.media(&mut turns, media, place())?,
                Part::Opaque(opaque) => self.losses.dropped(place(), &opaque.kind),
                Part::ToolResult(_) => {}
            }
        }
        // A text document has become a turn's content.
        turns.iter().filter_map(|turn| turn.content).for_each(|text| content.push_str(text));
        let images: Vec<&str> = turns.iter().flat_map(|turn| turn.images.iter().copied()).collect();
        a.object(|o| {
            o.str("role", "assistant");
            o.str("content", &content);
            o.opt_str("thinking", Some(thinking.as_str()).filter(|text| !text.is_empty()));
            if !images.is_empty() {
                o.array("images", |a| images.iter().for_each(|data| a.str(data)));
            }
            if !calls.is_empty() {
                o.array("tool_calls", |a| calls.iter().for_each(|call| self.call(a, field, call)));
            }
            members(o, &message.extensions, "");
        });
        self.calls.extend(calls);
        Ok(())
    }

    fn call(&mut self, a: &mut Array<'_>, field: &str, call: &ToolCall) {
        self.lose_signature(call.signature.is_some(), || format!("{field}.tool_calls[].signature"));
        self.lose_cache(call.cache.as_ref(), || format!("{field}.tool_calls[]"));
        let place = format!("{field}.tool_calls[]");
        a.object(|o| Written::call(call, None).write(o, &place, self.losses));
    }

    /// Renders a tool's result, with the tool's name, and with its call's id if that was given.
    fn result(&mut self, a: &mut Array<'_>, field: &str, result: &'a ToolResult) -> Result<()> {
        let mut texts: Vec<&str> = Vec::with_capacity(result.content.len());
        let mut turns = vec![Turn::default()];
        for (at, part) in result.content.iter().enumerate() {
            let place = || format!("{field}.content[{at}]");
            match part {
                ResultPart::Text(text) => texts.push(self.text(text, place)),
                ResultPart::Json(json) => texts.push(json),
                ResultPart::Media(media) => self.media(&mut turns, media, place())?,
                ResultPart::Opaque(_) => {
                    return Err(Error::unsupported(place(), "this part of a result belongs to another format"));
                }
            }
        }
        texts.extend(turns.iter().filter_map(|turn| turn.content));
        let images: Vec<&str> = turns.iter().flat_map(|turn| turn.images.iter().copied()).collect();
        if texts.len() > 1 {
            self.losses.approximated(format!("{field}.content"), "several texts are joined");
        }
        self.losses.dropped_if(loses_failure(result), &format!("{field}.is_error"), "there is no place for it");
        self.lose_cache(result.cache.as_ref(), || field.to_owned());
        lose(&result.extensions, &format!("{field}."), self.losses);
        let called = self.calls.iter().rev().find(|call| call.id == result.call_id);
        let name = result.name.as_deref().or(called.map(|call| call.name.as_str()));
        let name = name.filter(|_| !is_noted(&result.extensions, dialect::NO_NAME));
        let id = Some(result.call_id.as_str()).filter(|id| !id.is_empty() && !is_noted(&result.extensions, NO_ID));
        a.object(|o| {
            o.str("role", "tool");
            o.str("content", &texts.join("\n"));
            if !images.is_empty() {
                o.array("images", |a| images.iter().for_each(|data| a.str(data)));
            }
            o.opt_str("tool_name", name);
            o.opt_str("tool_call_id", id);
            members(o, &result.extensions, "");
        });
        Ok(())
    }

    fn text(&mut self, text: &'a TextPart, place: impl Fn() -> String) -> &'a str {
        self.lose_cache(text.cache.as_ref(), &place);
        self.lose_signature(text.signature.is_some(), &place);
        if !text.citations.is_empty() {
            self.losses.dropped(format!("{}.citations", place()), "a history has no place for them");
        }
        if !text.extensions.is_empty() {
            lose(&text.extensions, &format!("{}.", place()), self.losses);
        }
        &text.text
    }

    fn refusal(&mut self, words: &'a str, place: impl Fn() -> String) -> &'a str {
        self.losses.approximated(format!("{}.refusal", place()), "sent as text");
        words
    }

    /// The readable text of thinking; signatures and encrypted thinking return to their issuer only.
    fn thought(&mut self, thought: &'a ReasoningPart, place: impl Fn() -> String) -> &'a str {
        let sealed = thought.signature.is_some() || thought.encrypted.is_some();
        self.lose_signature(sealed, &place);
        if !thought.extensions.is_empty() {
            lose(&thought.extensions, &format!("{}.", place()), self.losses);
        }
        thought.text.as_deref().unwrap_or_default()
    }

    /// Adds an image by its bytes, or a text document.
    fn media(&mut self, turns: &mut Vec<Turn<'a>>, media: &'a MediaPart, place: String) -> Result<()> {
        self.lose_cache(media.cache.as_ref(), || place.clone());
        lose(&media.extensions, &format!("{place}."), self.losses);
        let graded = media.detail.as_deref().is_some_and(|detail| detail != "auto");
        self.losses.dropped_if(graded, &format!("{place}.detail"), "there is one level here");
        match (&media.source, media.kind) {
            (MediaSource::Base64(data), MediaKind::Image) => {
                if let Some(turn) = turns.last_mut() {
                    turn.images.push(data);
                }
                Ok(())
            }
            (MediaSource::Text(text), _) => {
                self.losses.approximated(place, "a text document is sent as text");
                if let Some(name) = &media.name {
                    say(turns, name);
                }
                say(turns, text);
                Ok(())
            }
            // The host may fetch them.
            (MediaSource::Url(_), MediaKind::Image) => Err(Error::needs_bytes(place)),
            (MediaSource::FileId(_), _) => {
                Err(Error::unsupported(place, "a file of another provider's store cannot be read here"))
            }
            _ => Err(Error::unsupported(place, "only images have a place in this format")),
        }
    }

    fn lose_cache(&mut self, hint: Option<&CacheHint>, place: impl FnOnce() -> String) {
        if hint.is_some() {
            self.losses.dropped(format!("{}.cache_control", place()), "the server caches by itself");
        }
    }

    fn lose_signature(&mut self, signed: bool, place: impl FnOnce() -> String) {
        if signed && !std::mem::replace(&mut self.signature_lost, true) {
            self.losses.dropped(place(), ISSUER);
        }
    }
}

/// Puts text into the current message, or begins the next one if that has a text.
fn say<'a>(turns: &mut Vec<Turn<'a>>, words: &'a str) {
    match turns.last_mut() {
        Some(turn) if turn.content.is_none() => turn.content = Some(words),
        _ => turns.push(Turn { content: Some(words), images: Vec::new() }),
    }
}
