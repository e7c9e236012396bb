//! Renders a conversation as one prompt.

use weir_sdk::compat::media;
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Context, Error, MediaKind, MediaPart, MediaSource, Message, Part, Role};

use crate::FORMAT;
use crate::inputs::Turns;

/// A collected conversation.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    pub(crate) system: String,
    turns: Vec<(Speaker, String)>,
    /// Addresses of images, including data URLs.
    pub(crate) images: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Assistant,
}

impl Prompt {
    /// Collects the conversation. Tools and their results have no place in it.
    pub(crate) fn read(ctx: &Context, request: &ChatRequest, losses: &mut Losses) -> Result<Self, Error> {
        let mut prompt = Self::default();
        for (at, message) in request.messages.iter().enumerate() {
            let field = format!("messages[{at}]");
            let text = prompt.message(ctx, message, &field, losses)?;
            losses.dropped_if(message.name.is_some(), &format!("{field}.name"), "turns have no names here");
            losses.foreign(&format!("{field}."), &message.extensions, FORMAT);
            let speaker = match message.role {
                Role::System | Role::Developer => {
                    losses_of_moved(&prompt, &field, losses);
                    append(&mut prompt.system, &text);
                    continue;
                }
                Role::Assistant => Speaker::Assistant,
                Role::User | Role::Tool | Role::Other(_) => Speaker::User,
            };
            match prompt.turns.last_mut() {
                _ if text.is_empty() => {}
                Some((last, known)) if *last == speaker => append(known, &text),
                _ => prompt.turns.push((speaker, text)),
            }
        }
        Ok(prompt)
    }

    fn message(&mut self, ctx: &Context, message: &Message, field: &str, losses: &mut Losses) -> Result<String, Error> {
        let mut out = String::new();
        for (at, part) in message.parts.iter().enumerate() {
            let place = format!("{field}.content[{at}]");
            match part {
                Part::Text(text) => {
                    losses.dropped_if(text.cache.is_some(), &format!("{place}.cache_control"), "nothing is cached");
                    losses.foreign(&format!("{place}."), &text.extensions, FORMAT);
                    append(&mut out, &text.text);
                }
                Part::Refusal(text) => append(&mut out, text),
                Part::Media(medium) => {
                    losses.dropped_if(medium.cache.is_some(), &format!("{place}.cache_control"), "nothing is cached");
                    self.images.push(image(ctx, medium, field)?);
                }
                Part::Reasoning(_) => losses.dropped(format!("{field}.reasoning"), "it returns only to its issuer"),
                Part::ToolCall(_) | Part::ToolResult(_) => {
                    return Err(Error::unsupported(field, "models of this provider know no tools"));
                }
                Part::Opaque(opaque) => {
                    let message = format!("a part of type `{}` cannot be said in a prompt", opaque.kind);
                    return Err(Error::unsupported(field, message));
                }
            }
        }
        Ok(out)
    }

    /// The prompt: a single turn unchanged, several in the model's own notation if the first and the last are the
    /// user's.
    pub(crate) fn text(&self, turns: Turns, losses: &mut Losses) -> String {
        if let [(Speaker::User, only)] = self.turns.as_slice() {
            return only.clone();
        }
        let ends = [self.turns.first(), self.turns.last()];
        let inner = ends.iter().all(|end| matches!(end, Some((Speaker::User, _))));
        match turns {
            Turns::Llama2 if inner => self.joined(" [/INST] ", " [INST] "),
            Turns::Llama3 if inner => self.joined(
                "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
                "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
            ),
            _ => {
                losses.approximated("messages", "turns become one prompt");
                self.transcript()
            }
        }
    }

    /// Turns, with a separator before each but the first.
    fn joined(&self, assistant: &str, user: &str) -> String {
        let mut out = String::new();
        for (at, (speaker, text)) in self.turns.iter().enumerate() {
            match speaker {
                _ if at == 0 => {}
                Speaker::Assistant => out.push_str(assistant),
                Speaker::User => out.push_str(user),
            }
            out.push_str(text);
        }
        out
    }

    /// A transcript for the model to continue.
    fn transcript(&self) -> String {
        let mut out = String::new();
        for (speaker, text) in &self.turns {
            let name = if *speaker == Speaker::User { "User" } else { "Assistant" };
            append(&mut out, &format!("{name}: {text}"));
        }
        if !matches!(self.turns.last(), Some((Speaker::Assistant, _))) {
            append(&mut out, "Assistant:");
        }
        out
    }
}

fn losses_of_moved(prompt: &Prompt, field: &str, losses: &mut Losses) {
    if !prompt.turns.is_empty() {
        losses.approximated(field, "moved to the system prompt in front");
    }
}

/// Adds a paragraph.
pub(crate) fn append(out: &mut String, text: &str) {
    if !out.is_empty() && !text.is_empty() {
        out.push_str("\n\n");
    }
    out.push_str(text);
}

fn image(ctx: &Context, medium: &MediaPart, field: &str) -> Result<String, Error> {
    if medium.kind != MediaKind::Image {
        return Err(Error::unsupported(field, "models of this provider take texts and images only"));
    }
    match &medium.source {
        MediaSource::Url(url) => Ok(url.clone()),
        MediaSource::Base64(data) => Ok(media::to_data_url(&media::mime(ctx, medium), data)),
        MediaSource::FileId(_) | MediaSource::Text(_) => {
            Err(Error::unsupported(field, "the image's bytes or its address must stand in the request"))
        }
    }
}
