//! Renders whole answers: from the unified model to `chat.completion`.

use std::borrow::Cow;
use std::fmt;

use weir_sdk::compat::media::{mime, to_data_url};
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::compat::{reasoning, spoken, usage};
use weir_sdk::json::{self, Array, Object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::tier;
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Extension, FinishReason, MediaKind, MediaPart, MediaSource, Part, ReasoningPart,
    RenderedResponse, TextPart, ToolCall, ToolKind,
};

use crate::free_text::FreeText;

use super::{Memo, annotation, answer_id, answer_model, finish_word, is_member, write_extensions, write_thoughts};

/// Renders a whole answer.
pub(crate) fn render(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    let (memo, free_text) = (Memo::read(&ctx.memo), FreeText::of_chat(&ctx.memo));
    let mut out = String::with_capacity(size(response));
    json::object(&mut out, |o| {
        o.str("id", &answer_id(ctx, &response.id));
        o.str("object", "chat.completion");
        o.num("created", (response.created_ms.unwrap_or(ctx.now_ms) / 1000.0).floor());
        o.str("model", answer_model(ctx, response.model.as_deref()));
        o.array("choices", |a| {
            for candidate in &response.candidates {
                a.object(|o| Writer { ctx, memo, free_text: &free_text, losses: &mut losses }.choice(o, candidate));
            }
        });
        if let Some(tokens) = &response.usage {
            losses.foreign("usage.", &tokens.extensions, FORMAT);
            usage::write(o, tokens);
        }
        o.opt_str("service_tier", tier::answered(response.service_tier.as_deref(), tier::CHAT, &mut losses));
        losses.foreign("", &response.extensions, FORMAT);
        write_extensions(o, &response.extensions, &[]);
    });
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(out) }
}

/// The bytes of most answers with texts of this length, with room for their escapes.
fn size(response: &ChatResponse) -> usize {
    let parts = response.candidates.iter().flat_map(|candidate| &candidate.parts);
    let text: usize = parts.map(|part| if let Part::Text(text) = part { text.text.len() } else { 0 }).sum();
    text + text / 16 + 1024
}

/// Writes a part as a chunk of content. The order of chunks is the meaning of one that refers to sources.
fn chunk(a: &mut Array<'_>, part: &Part) {
    match part {
        Part::Opaque(opaque) => a.raw(&opaque.json),
        Part::Text(text) if !text.text.is_empty() => a.object(|o| {
            o.str("type", "text");
            o.str("text", &text.text);
        }),
        _ => {}
    }
}

struct Writer<'w> {
    ctx: &'w Context,
    memo: Memo,
    /// The client's tools for free text.
    free_text: &'w FreeText,
    losses: &'w mut Losses,
}

/// The path of a candidate, with which its fields' paths begin. Few answers lose a field, so it is not a text.
#[derive(Clone, Copy)]
struct CandidatePath(u32);

impl fmt::Display for CandidatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "choices[{}].", self.0)
    }
}

/// A message's parts, sorted by their member.
#[derive(Default)]
struct Sorted<'p> {
    texts: Vec<&'p TextPart>,
    /// Texts and parts of this format only, in their order; empty if there are texts only.
    content: Vec<&'p Part>,
    thoughts: Vec<&'p ReasoningPart>,
    calls: Vec<&'p ToolCall>,
    refusal: String,
    media: Vec<&'p MediaPart>,
    /// What the audio says.
    transcript: String,
}

impl Writer<'_> {
    fn choice(&mut self, o: &mut Object<'_>, candidate: &Candidate) {
        let path = CandidatePath(candidate.index);
        let parts = self.free_text.restored(&candidate.parts);
        let sorted = self.sort(path, &parts);
        let called = !sorted.calls.is_empty();
        o.num("index", candidate.index);
        o.object("message", |o| {
            self.message(o, path, &sorted);
            let rest = extension(&candidate.extensions, FORMAT, "message");
            if let Some(rest) = rest.and_then(|json| json.trim().strip_prefix('{')?.strip_suffix('}')) {
                o.members(rest);
            }
        });
        match &candidate.logprobs {
            Some(json) => o.raw("logprobs", json),
            None => o.null("logprobs"),
        }
        let reason = candidate.finish.as_ref().map_or(FinishReason::Other, |finish| finish.reason);
        let (word, same) = finish_word(reason, called, self.memo.legacy);
        o.str("finish_reason", word);
        if !same {
            let raw = candidate.finish.as_ref().and_then(|finish| finish.raw.as_deref()).unwrap_or("no reason given");
            self.losses.approximated(format!("{path}finish_reason"), raw);
        }
        if !candidate.extensions.is_empty() {
            self.losses.foreign(&path.to_string(), &candidate.extensions, FORMAT);
        }
        write_extensions(o, &candidate.extensions, &["message"]);
    }

    fn sort<'p>(&mut self, path: CandidatePath, parts: &'p [Part]) -> Sorted<'p> {
        let mut sorted = Sorted::default();
        let is_own = |part: &Part| matches!(part, Part::Opaque(opaque) if opaque.format == FORMAT);
        let is_sound = |part: &Part| matches!(part, Part::Media(media) if media.kind == MediaKind::Audio);
        let speaks = parts.iter().any(is_sound);
        let is_said = |part: &Part| matches!(part, Part::Text(text) if speaks && spoken::is_spoken(text));
        if parts.iter().any(is_own) {
            let is_content = |part: &&Part| is_own(part) || matches!(part, Part::Text(_)) && !is_said(part);
            sorted.content.extend(parts.iter().filter(is_content));
        }
        for part in parts {
            match part {
                Part::Text(text) if is_said(part) => sorted.transcript.push_str(&text.text),
                Part::Text(text) => {
                    self.lose_members(path, &text.extensions);
                    sorted.texts.push(text);
                }
                Part::Reasoning(thought) => {
                    self.lose_members(path, &thought.extensions);
                    sorted.thoughts.push(thought);
                }
                Part::ToolCall(call) => sorted.calls.push(call),
                Part::Refusal(words) => sorted.refusal.push_str(words),
                Part::Media(media) => sorted.media.push(media),
                Part::Opaque(opaque) if opaque.format == FORMAT => {}
                Part::Opaque(opaque) => {
                    self.losses.dropped(format!("{path}message.{}", opaque.kind), "only its own format has it");
                }
                Part::ToolResult(_) => self.losses.dropped(format!("{path}message.tool_result"), "answers have none"),
            }
        }
        sorted
    }

    /// Reports the members of a part that only other formats have.
    fn lose_members(&mut self, path: CandidatePath, members: &[Extension]) {
        if !members.is_empty() {
            self.losses.foreign(&format!("{path}message."), members, FORMAT);
        }
    }

    fn message(&mut self, o: &mut Object<'_>, path: CandidatePath, sorted: &Sorted<'_>) {
        o.str("role", "assistant");
        let audio = sorted.media.iter().any(|media| media.kind == MediaKind::Audio);
        let silent = !sorted.calls.is_empty() || !sorted.refusal.is_empty() || audio;
        let text = match sorted.texts.as_slice() {
            [one] => Cow::Borrowed(one.text.as_str()),
            several => Cow::Owned(several.iter().map(|text| text.text.as_str()).collect()),
        };
        if !sorted.content.is_empty() {
            o.array("content", |a| sorted.content.iter().for_each(|part| chunk(a, part)));
        } else if text.is_empty() && silent {
            o.null("content");
        } else {
            o.str("content", &text);
        }
        o.opt_str("refusal", Some(sorted.refusal.as_str()).filter(|words| !words.is_empty()));
        if sorted.refusal.is_empty() {
            o.null("refusal");
        }
        write_thoughts(o, &sorted.thoughts);
        self.annotations(o, path, &sorted.texts);
        if let Some(signature) = sorted.texts.iter().rev().find_map(|text| text.signature.as_ref()) {
            reasoning::write_extra(o, signature);
        }
        self.media(o, path, &sorted.media, &sorted.transcript);
        self.calls(o, path, &sorted.calls);
    }

    fn annotations(&mut self, o: &mut Object<'_>, path: CandidatePath, texts: &[&TextPart]) {
        if texts.iter().all(|text| text.citations.iter().all(is_member)) {
            return;
        }
        let mut base = 0u32;
        let mut entries = Vec::new();
        for text in texts {
            let length = text.text.chars().count() as u32;
            for citation in text.citations.iter().filter(|citation| !is_member(citation)) {
                match annotation(citation, base, length) {
                    Some(entry) => entries.push(entry),
                    None => {
                        self.losses.dropped(format!("{path}message.citations"), "only citations of pages have a place");
                    }
                }
            }
            base = base.saturating_add(length);
        }
        if !entries.is_empty() {
            o.array("annotations", |a| entries.iter().for_each(|entry| a.raw(entry)));
        }
    }

    fn calls(&mut self, o: &mut Object<'_>, path: CandidatePath, calls: &[&ToolCall]) {
        if self.memo.legacy {
            if let Some(call) = calls.first() {
                o.object("function_call", |o| {
                    o.str("name", &call.name);
                    o.str("arguments", arguments(call));
                });
            }
            let more = calls.len() > 1;
            return self.losses.dropped_if(more, "tool_calls", "a client of `functions` takes one call at a time");
        }
        if !calls.is_empty() {
            o.array("tool_calls", |a| calls.iter().for_each(|call| a.object(|o| write_call(o, call))));
        }
        for call in calls.iter().filter(|call| !call.extensions.is_empty()) {
            self.losses.foreign(&format!("{path}message.tool_calls[]."), &call.extensions, FORMAT);
        }
    }

    fn media(&mut self, o: &mut Object<'_>, path: CandidatePath, media: &[&MediaPart], transcript: &str) {
        let (mut images, mut speaks) = (Vec::new(), false);
        for medium in media {
            match (medium.kind, &medium.source) {
                (MediaKind::Audio, MediaSource::Base64(data)) if !speaks => {
                    speaks = true;
                    self.audio(o, medium, data, transcript);
                }
                (MediaKind::Image, MediaSource::Base64(data)) => {
                    images.push((to_data_url(&mime(self.ctx, medium), data), medium));
                }
                (MediaKind::Image, MediaSource::Url(url)) => images.push((url.clone(), medium)),
                _ => self.losses.dropped(format!("{path}message.media"), "there is no place for it"),
            }
            self.losses.foreign(&format!("{path}message.media."), &reasoning::beside_signature(medium), FORMAT);
        }
        if !images.is_empty() {
            o.array("images", |a| images.iter().for_each(|(url, it)| a.object(|o| write_image(o, url, it))));
        }
    }

    fn audio(&self, o: &mut Object<'_>, medium: &MediaPart, data: &str, transcript: &str) {
        o.object("audio", |o| {
            if extension(&medium.extensions, FORMAT, "id").is_none() {
                o.str("id", &format!("audio_{}", self.ctx.request_id));
                o.num("expires_at", self.ctx.now_seconds());
            }
            if extension(&medium.extensions, FORMAT, "transcript").is_none() {
                o.str("transcript", transcript);
            }
            o.str("data", data);
            write_extensions(o, &medium.extensions, &[]);
        });
    }
}

/// The arguments of a call; a function without any has an empty object (C-05).
fn arguments(call: &ToolCall) -> &str {
    let empty = call.kind == ToolKind::Function && call.arguments.trim().is_empty();
    if empty { "{}" } else { &call.arguments }
}

fn write_call(o: &mut Object<'_>, call: &ToolCall) {
    o.str("id", &call.id);
    let (kind, text) = match call.kind {
        ToolKind::Function => ("function", "arguments"),
        ToolKind::Custom => ("custom", "input"),
    };
    o.str("type", kind);
    o.object(kind, |o| {
        o.str("name", &call.name);
        o.str(text, arguments(call));
    });
    if let Some(signature) = &call.signature {
        reasoning::write_extra(o, signature);
    }
    write_extensions(o, &call.extensions, &[]);
}

/// An image that the model generated, in the spelling of routers, with the signature that its issuer wants back.
pub(super) fn write_image(o: &mut Object<'_>, url: &str, image: &MediaPart) {
    o.str("type", "image_url");
    o.object("image_url", |o| o.str("url", url));
    if let Some(signature) = reasoning::of_image(image) {
        reasoning::write_extra(o, &signature);
    }
}

#[cfg(test)]
mod tests;
