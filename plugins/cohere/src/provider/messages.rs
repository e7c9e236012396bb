//! Renders the conversation. One message of the unified model may become several: tool results are separate messages
//! here, and their images go to a user's message after them (C-43).

mod content;

use content::Content;
use weir_sdk::calls::loses_failure;
use weir_sdk::json::{item, object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::names::Names;
use weir_sdk::turns::refused_result;
use weir_sdk::types::{
    CacheHint, ChatRequest, Context, Error, MediaPart, Message, Part, ReasoningPart, ResultPart, Role, ToolResult,
};

use super::documents::is_document;
use crate::generation::never_thinks;
use crate::write::{PartPath, marked, own, tool_call};
use crate::{CITATIONS, FORMAT, PLAN, THINKING};

/// Replaces an image in a tool's result; the image follows in a separate message.
const POINTER: &str = "[see the next user message]";

struct Writer<'a> {
    ctx: &'a Context,
    names: &'a mut Names,
    losses: &'a mut Losses,
    /// Whether the model plans its calls instead of thinking.
    plans: bool,
    out: String,
    /// Images to be written in a user's message.
    lifted: Vec<(PartPath, &'a MediaPart)>,
}

/// Renders all messages, as an array.
pub(super) fn write<'a>(
    ctx: &'a Context,
    request: &'a ChatRequest,
    names: &'a mut Names,
    losses: &'a mut Losses,
) -> Result<String, Error> {
    let plans = never_thinks(super::model(ctx, &request.model));
    let mut writer = Writer { ctx, names, losses, plans, out: String::from("["), lifted: Vec::new() };
    for (at, message) in request.messages.iter().enumerate() {
        writer.message(at, message)?;
    }
    writer.lower()?;
    let mut out = writer.out;
    out.push(']');
    Ok(out)
}

impl<'a> Writer<'a> {
    fn message(&mut self, at: usize, message: &'a Message) -> Result<(), Error> {
        let field = format!("messages[{at}].");
        let results = message.parts.iter().enumerate().filter_map(|(number, part)| match part {
            Part::ToolResult(result) => Some((number, result)),
            _ => None,
        });
        let results: Vec<(usize, &ToolResult)> = results.collect();
        for (part, result) in &results {
            self.tool(PartPath { message: Some(at), part: *part }, result)?;
        }
        self.losses.dropped_if(message.name.is_some(), &format!("{field}name"), "turns have no names here");
        self.losses.foreign(&field, &message.extensions, FORMAT);
        if !results.is_empty() && results.len() == message.parts.len() {
            return Ok(());
        }
        self.lower()?;
        match &message.role {
            Role::Assistant => {
                self.assistant(at, message);
                Ok(())
            }
            Role::System | Role::Developer => self.speaker(at, "system", message),
            Role::User | Role::Tool => self.speaker(at, "user", message),
            Role::Other(_) => {
                self.losses.approximated(format!("{field}role"), "sent as the user's");
                self.speaker(at, "user", message)
            }
        }
    }

    /// Writes a message without calls or results.
    fn speaker(&mut self, at: usize, role: &str, message: &'a Message) -> Result<(), Error> {
        let mut content = Content::default();
        for (number, part) in message.parts.iter().enumerate() {
            let place = PartPath { message: Some(at), part: number };
            match part {
                Part::Text(text) => {
                    self.lose_cache(text.cache.as_ref(), || place.field("cache_control"));
                    content.text(text, self.losses, place);
                }
                Part::Media(media) if role == "system" => {
                    return Err(unsupported(place, &format!("system text cannot hold a medium ({:?})", media.kind)));
                }
                Part::Media(media) => self.media(&mut content, media, place)?,
                Part::Refusal(words) => content.words(words),
                Part::Opaque(opaque) if opaque.format == FORMAT => content.raw(&opaque.json),
                Part::Opaque(opaque) => {
                    return Err(unsupported(place, &format!("`{}` cannot be expressed in this format", opaque.kind)));
                }
                Part::Reasoning(_) => self.losses.dropped(place.field("reasoning"), "only the assistant thinks"),
                Part::ToolCall(_) => return Err(unsupported(place, "only the assistant calls tools")),
                Part::ToolResult(_) => {}
            }
        }
        let only_documents = |part: &Part| matches!(part, Part::Media(media) if is_document(media));
        if content.is_empty() && !message.parts.is_empty() && message.parts.iter().all(only_documents) {
            return Ok(());
        }
        object(self.next(), |o| {
            o.str("role", role);
            content.write(o);
            own(&message.extensions, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
        });
        Ok(())
    }

    fn assistant(&mut self, at: usize, message: &'a Message) {
        let calling = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let (mut content, mut plan, mut calls) = (Content::default(), String::new(), String::new());
        for (number, part) in message.parts.iter().enumerate() {
            let place = PartPath { message: Some(at), part: number };
            match part {
                Part::Text(text) => {
                    self.lose_cache(text.cache.as_ref(), || place.field("cache_control"));
                    content.text(text, self.losses, place);
                }
                Part::Reasoning(thought) => self.thought(&mut content, &mut plan, thought, calling, place),
                Part::ToolCall(call) => {
                    self.lose_cache(call.cache.as_ref(), || place.field("cache_control"));
                    let name = self.names.send(&call.name);
                    item(&mut calls, |o| tool_call(o, call, &name, self.losses, place));
                }
                Part::Refusal(words) => {
                    self.losses.approximated(place.field("refusal"), "sent as text");
                    content.words(words);
                }
                Part::Media(media) => {
                    self.losses.approximated(place.field(""), "moved to a user's message of its own");
                    self.lifted.push((place, media));
                }
                Part::Opaque(opaque) if opaque.format == FORMAT => content.raw(&opaque.json),
                Part::Opaque(opaque) => {
                    self.losses.dropped(place.field(&opaque.kind), "it belongs to another format");
                }
                Part::ToolResult(_) => {}
            }
        }
        if content.is_empty() && plan.is_empty() && calls.is_empty() {
            return;
        }
        let citations = content.citations(extension(&message.extensions, FORMAT, CITATIONS));
        object(self.next(), |o| {
            o.str("role", "assistant");
            if !content.is_empty() {
                content.write(o);
            }
            o.opt_str("tool_plan", Some(plan.as_str()).filter(|plan| !plan.is_empty()));
            if !calls.is_empty() {
                o.raw("tool_calls", &format!("[{calls}]"));
            }
            o.opt_raw("citations", citations.as_deref());
            let others = own(&message.extensions, FORMAT).filter(|own| own.key != CITATIONS);
            others.for_each(|own| o.raw(&own.key, &own.json));
        });
    }

    /// Adds thinking to its original place. Thinking of another format becomes what the model itself would have
    /// written: a plan before calls, or thinking.
    fn thought(
        &mut self,
        content: &mut Content,
        plan: &mut String,
        thought: &ReasoningPart,
        calls: bool,
        place: PartPath,
    ) {
        let opaque = thought.signature.is_some() || thought.encrypted.is_some();
        self.losses.dropped_if(opaque, &place.field("signature"), "it returns only to its issuer");
        self.losses.foreign(&place.members(), &thought.extensions, FORMAT);
        let Some(text) = thought.text.as_deref().filter(|text| !text.is_empty()) else { return };
        let planned = self.plans && !marked(&thought.extensions, THINKING);
        if marked(&thought.extensions, PLAN) || (planned && calls) {
            plan.push_str(text);
        } else if planned {
            self.losses.dropped(place.field("reasoning"), "the model does not think");
        } else {
            content.thinking(text, &thought.extensions);
        }
    }

    /// Writes a tool result as a message.
    fn tool(&mut self, place: PartPath, result: &'a ToolResult) -> Result<(), Error> {
        let mut content = Content::default();
        self.lose_cache(result.cache.as_ref(), || place.field("cache_control"));
        for (at, part) in result.content.iter().enumerate() {
            match part {
                ResultPart::Text(text) => {
                    self.lose_cache(text.cache.as_ref(), || place.field(&format!("content[{at}].cache_control")));
                    content.text(text, self.losses, place);
                }
                ResultPart::Json(json) => content.document(json),
                ResultPart::Media(media) if is_document(media) => {
                    self.losses.foreign(&place.field(&format!("content[{at}].")), &media.extensions, FORMAT);
                    content.text_document(media);
                }
                ResultPart::Media(media) => {
                    content.words(POINTER);
                    self.losses.approximated(place.field(""), "moved to a user's message of its own");
                    self.lifted.push((place, media));
                }
                ResultPart::Opaque(opaque) if opaque.format == FORMAT => content.raw(&opaque.json),
                ResultPart::Opaque(opaque) => return Err(refused_result(opaque, place)),
            }
        }
        let failed = loses_failure(result);
        self.losses.dropped_if(failed, &place.field("is_error"), "the format has no place for it");
        self.losses.foreign(&place.members(), &result.extensions, FORMAT);
        object(self.next(), |o| {
            o.str("role", "tool");
            o.str("tool_call_id", &result.call_id);
            content.write(o);
            own(&result.extensions, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
        });
        Ok(())
    }

    /// Writes the images that their own messages cannot contain.
    fn lower(&mut self) -> Result<(), Error> {
        if self.lifted.is_empty() {
            return Ok(());
        }
        let mut content = Content::default();
        for (place, media) in std::mem::take(&mut self.lifted) {
            self.media(&mut content, media, place)?;
        }
        object(self.next(), |o| {
            o.str("role", "user");
            content.write(o);
        });
        Ok(())
    }

    /// Adds a user's medium: images go to the content, texts beside the messages; others are refused.
    fn media(&mut self, content: &mut Content, media: &MediaPart, place: PartPath) -> Result<(), Error> {
        self.lose_cache(media.cache.as_ref(), || place.field("cache_control"));
        self.losses.foreign(&place.members(), &media.extensions, FORMAT);
        if is_document(media) {
            return Ok(());
        }
        content.image(self.ctx, media, self.losses, place).map_err(|message| unsupported(place, message))
    }

    fn lose_cache(&mut self, hint: Option<&CacheHint>, field: impl FnOnce() -> String) {
        if hint.is_some() {
            self.losses.dropped(field(), "prompts are cached by their content");
        }
    }

    /// The buffer for the next message.
    fn next(&mut self) -> &mut String {
        if !self.out.ends_with('[') {
            self.out.push(',');
        }
        &mut self.out
    }
}

fn unsupported(place: PartPath, message: &str) -> Error {
    Error::unsupported(place.field(""), message)
}
