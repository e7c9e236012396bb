//! Renders requests: from the unified model to Responses.

mod thinking;
mod tools;

use super::{ANYBODY, FORMAT, inner, namespace, noted, write};
use crate::compat::content::STORE;
use crate::compat::names::{IdRule, Renamed};
use crate::compat::quirks::{Quirks, Thinking};
use crate::compat::{end_user, shared};
use crate::json::{self, Array, Object};
use crate::losses::{Losses, extension};
use crate::tier;
use crate::types::{
    ChatRequest, Context, Error, HttpRequest, MediaPart, MediaSource, Message, OutputFormat, Part, RenderedRequest,
    ResultPart, Role, TextPart, ToolResult,
};

/// The API's rule for ids of calls.
const IDS: IdRule = IdRule { max: 64, also: None, exact: false };

/// The least limit of output tokens that the API accepts (C-48).
const MIN_OUTPUT_TOKENS: u32 = 16;

/// The key of the note on a request for a model that never thinks: OpenAI refuses to be asked for the encrypted thinking
/// of such a model ("Encrypted content is not supported with this model"). A provider's [`Quirks::prepare`] adds it.
pub const SILENT: &str = "silent";

/// The key of the note on members that change nothing in other formats, with an object of these members: this format gets
/// them back.
pub const USUAL: &str = "usual";

/// Writes a request.
pub fn render(quirks: &Quirks, ctx: &Context, mut request: ChatRequest) -> Result<RenderedRequest, Error> {
    namespace::gather(&mut request);
    shared::to_responses(&mut request.extensions);
    let ids = write::Ids::of_request();
    let mut writer = Writer { quirks, ctx, ids, losses: Losses::default(), refused: None };
    (quirks.prepare)(ctx, &mut request, &mut writer.losses)?;
    let renamed = Renamed::apply(&mut request, &quirks.tool_names);
    let mut body = String::with_capacity(1024);
    json::object(&mut body, |o| writer.body(o, &request));
    if let Some(error) = writer.refused {
        return Err(error);
    }
    let http = quirks.address(ctx, HttpRequest::post("", body), |paths| paths.responses);
    Ok(RenderedRequest { losses: writer.losses.into_losses(), memo: renamed.to_memo(), ..RenderedRequest::new(http) })
}

struct Writer<'q> {
    quirks: &'q Quirks,
    ctx: &'q Context,
    ids: write::Ids<'q>,
    losses: Losses,
    refused: Option<Error>,
}

impl Writer<'_> {
    fn body(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        o.str("model", if self.ctx.model.is_empty() { &request.model } else { &self.ctx.model });
        let reported = self.instructions(o, &request.messages);
        o.array("input", |a| {
            for (at, message) in request.messages.iter().enumerate().skip(reported) {
                self.message(a, &format!("messages[{at}]"), message);
            }
        });
        self.tools(o, request);
        self.text(o, request);
        self.reasoning(o, request);
        let sampling = &request.sampling;
        o.opt_num("temperature", sampling.temperature);
        o.opt_num("top_p", sampling.top_p);
        o.opt_num("top_logprobs", sampling.top_logprobs);
        self.lost_sampling(request);
        o.opt_num("max_output_tokens", request.max_output_tokens.map(|limit| self.limit(limit)));
        if request.stream {
            o.bool("stream", true);
        }
        if let Some(user) = &request.end_user {
            let user = end_user::fit(self.quirks, user, &mut self.losses);
            o.str(end_user::member(&request.extensions, FORMAT), &user);
        }
        o.opt_raw("metadata", request.metadata.as_deref());
        o.opt_str("service_tier", request.service_tier.as_deref().map(tier::compatible));
        o.opt_str("prompt_cache_key", request.cache_key.as_deref());
        if noted(&request.extensions, "dialect").is_none() {
            // Clients of stateless formats do not expect the provider to store anything, and can send thinking back
            // only if they get it.
            o.bool("store", false);
            include(o, request);
        }
        self.losses.foreign("", &request.extensions, FORMAT);
        let ours = request.extensions.iter().filter(|e| e.format == FORMAT && e.json != "null" && e.key != "text");
        ours.for_each(|e| o.raw(&e.key, &e.json));
        if let Some(usual) = noted(&request.extensions, USUAL).and_then(inner) {
            o.members(usual);
        }
    }

    fn limit(&mut self, limit: u32) -> u32 {
        if limit < MIN_OUTPUT_TOKENS {
            self.losses.clamped("max_output_tokens", "16 is the least");
        }
        limit.max(MIN_OUTPUT_TOKENS)
    }

    fn lost_sampling(&mut self, request: &ChatRequest) {
        let sampling = &request.sampling;
        for (lost, field) in [
            (!sampling.stop.is_empty(), "stop"),
            (sampling.top_k.is_some(), "top_k"),
            (sampling.seed.is_some(), "seed"),
            (sampling.frequency_penalty.is_some(), "frequency_penalty"),
            (sampling.presence_penalty.is_some(), "presence_penalty"),
            (sampling.candidates.is_some_and(|n| n > 1), "n"),
        ] {
            self.losses.dropped_if(lost, field, "Responses have no such parameter");
        }
    }

    fn message(&mut self, a: &mut Array<'_>, field: &str, message: &Message) {
        for (at, part) in message.parts.iter().enumerate() {
            if let Part::ToolResult(result) = part {
                a.object(|o| self.result(o, &format!("{field}.content[{at}]"), result));
            }
        }
        match &message.role {
            Role::Assistant => self.assistant(a, field, message),
            Role::System => self.speaker(a, field, "system", message),
            Role::Developer => self.speaker(a, field, "developer", message),
            Role::User | Role::Tool => self.speaker(a, field, "user", message),
            Role::Other(_) => {
                self.losses.approximated(format!("{field}.role"), "said by the user");
                self.speaker(a, field, "user", message);
            }
        }
    }

    fn lost_of_message(&mut self, field: &str, message: &Message) {
        self.losses.foreign(&format!("{field}."), &message.extensions, FORMAT);
        self.losses.dropped_if(message.name.is_some(), &format!("{field}.name"), "messages have no names here");
    }

    fn speaker(&mut self, a: &mut Array<'_>, field: &str, role: &str, message: &Message) {
        self.lost_of_message(field, message);
        if message.parts.iter().all(|part| matches!(part, Part::ToolResult(_))) && !message.parts.is_empty() {
            return;
        }
        a.object(|o| {
            o.str("role", role);
            if let [Part::Text(text)] = message.parts.as_slice()
                && text.extensions.iter().all(|extension| extension.format != FORMAT)
            {
                o.str("content", &text.text);
                self.lost_text(&format!("{field}.content[0]"), text);
            } else if message.parts.is_empty() {
                o.str("content", "");
            } else {
                o.array("content", |a| self.content(a, field, &message.parts));
            }
            super::write_members(o, &message.extensions);
        });
    }

    fn content(&mut self, a: &mut Array<'_>, field: &str, parts: &[Part]) {
        for (at, part) in parts.iter().enumerate() {
            let field = format!("{field}.content[{at}]");
            match part {
                Part::Text(text) => self.text_part(a, &field, text),
                Part::Media(media) => self.media(a, &field, media),
                Part::Refusal(words) => self.text_part(a, &field, &TextPart::new(words)),
                Part::Opaque(opaque) if opaque.format == FORMAT => a.raw(&opaque.json),
                Part::Opaque(_) => self.losses.dropped(field, "it belongs to another format"),
                Part::Reasoning(_) => self.losses.dropped(field, "only the assistant thinks"),
                Part::ToolCall(_) => self.refuse(field, "only the assistant calls tools"),
                Part::ToolResult(_) => {}
            }
        }
    }

    fn text_part(&mut self, a: &mut Array<'_>, field: &str, text: &TextPart) {
        self.lost_text(field, text);
        a.object(|o| {
            o.str("type", "input_text");
            o.str("text", &text.text);
            super::write_members(o, &text.extensions);
        });
    }

    /// Reports what a text has beside its words, unless it is the assistant's.
    fn lost_text(&mut self, field: &str, text: &TextPart) {
        self.lost_citations(!text.citations.is_empty(), field);
        self.lost_beside(field, text);
    }

    fn lost_citations(&mut self, lost: bool, field: &str) {
        if lost {
            self.losses.dropped(format!("{field}.citations"), "there is no place for them");
        }
    }

    fn lost_beside(&mut self, field: &str, text: &TextPart) {
        let hinted = text.cache.is_some() && text.extensions.iter().all(|e| e.key != "prompt_cache_breakpoint");
        self.lost_cache(hinted, field);
        self.losses.foreign(&format!("{field}."), &text.extensions, FORMAT);
    }

    fn lost_cache(&mut self, hinted: bool, field: &str) {
        self.losses.dropped_if(hinted, &format!("{field}.cache_control"), "caching is the provider's own affair");
    }

    /// Writes the instructions, a separate parameter if the client sent them as one; returns how many messages they
    /// were.
    fn instructions(&mut self, o: &mut Object<'_>, messages: &[Message]) -> usize {
        let Some(first) = messages.first() else { return 0 };
        match (noted(&first.extensions, "instructions"), first.parts.as_slice()) {
            (Some(_), [Part::Text(text)]) => {
                o.str("instructions", &text.text);
                self.lost_text("messages[0].content[0]", text);
                1
            }
            _ => 0,
        }
    }

    fn media(&mut self, a: &mut Array<'_>, field: &str, media: &MediaPart) {
        self.lost_cache(media.cache.is_some(), field);
        self.losses.foreign(&format!("{field}."), &media.extensions, FORMAT);
        if let MediaSource::Text(text) = &media.source {
            // With its title in front, as in Chat.
            self.losses.approximated(field, "a text document is sent as text");
            let texts = media.name.iter().chain([text]);
            return texts.for_each(|text| self.text_part(a, field, &TextPart::new(text)));
        }
        let ours = media.extensions.iter().any(|extension| extension.key == STORE);
        if matches!(media.source, MediaSource::FileId(_)) && !ours {
            return self.refuse(field.to_owned(), "a file of one provider's store is unknown to another");
        }
        let mut written = false;
        let mut out = String::new();
        json::object(&mut out, |o| written = write::media(o, self.ctx, media));
        if written {
            a.raw(&out);
        } else {
            self.refuse(field.to_owned(), "this provider does not take such media");
        }
    }

    fn assistant(&mut self, a: &mut Array<'_>, field: &str, message: &Message) {
        self.lost_of_message(field, message);
        let mut parts = Vec::with_capacity(message.parts.len());
        let mut lifted = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            let field = format!("{field}.content[{at}]");
            match part {
                Part::Text(text) if text.text.is_empty() && text.citations.is_empty() && !write::is_item(text) => {}
                Part::Reasoning(thought) => {
                    let ours = thought.encrypted.as_ref().is_some_and(|value| self.quirks.keeps(&value.issuer));
                    let bare = thought.encrypted.is_none() && thought.signature.is_none();
                    // Without its encrypted form, the provider knows thinking by an id or not at all (C-33). Open
                    // models take it as plain text.
                    let open = self.quirks.thinking != Thinking::None;
                    let noted = |kind| noted(&thought.extensions, kind).is_some();
                    let known = noted("summary") || (thought.id.is_some() && noted("content"));
                    if ours || (bare && (open || known)) {
                        parts.push(part);
                    } else {
                        self.losses.dropped(field, "thinking returns to its issuer only");
                    }
                }
                Part::Opaque(opaque) if opaque.format != FORMAT => {
                    self.losses.dropped(field, "it belongs to another format");
                }
                Part::Media(media) if media.extensions.iter().any(|e| e.key == "id") => {
                    self.losses.dropped(field, "audio of an earlier answer has no place here");
                }
                Part::Media(media) => lifted.push((field, media)),
                Part::ToolCall(call) => {
                    self.lost_cache(call.cache.is_some(), &field);
                    self.losses.foreign(&format!("{field}."), &call.extensions, FORMAT);
                    self.losses.dropped_if(
                        call.signature.is_some(),
                        &format!("{field}.signature"),
                        "it returns to its issuer only",
                    );
                    parts.push(part);
                }
                Part::ToolResult(_) => {}
                Part::Text(text) => {
                    self.lost_citations(!text.citations.iter().all(write::is_annotation), &field);
                    self.lost_beside(&field, text);
                    parts.push(part);
                }
                _ => parts.push(part),
            }
        }
        let fitted: Vec<Part> = parts.iter().map(|part| fit(part)).collect();
        let fitted: Vec<&Part> = fitted.iter().collect();
        write::assistant(a, &fitted, &mut self.ids);
        self.lifted(a, &lifted);
    }

    /// Writes media of the assistant, which only users may send here, as a message of the user, as in Chat.
    fn lifted(&mut self, a: &mut Array<'_>, lifted: &[(String, &MediaPart)]) {
        if lifted.is_empty() {
            return;
        }
        a.object(|o| {
            o.str("role", "user");
            o.array("content", |a| {
                for (field, media) in lifted {
                    self.losses.approximated(field, "moved to a user message of its own");
                    self.media(a, field, media);
                }
            });
        });
    }

    fn result(&mut self, o: &mut Object<'_>, field: &str, result: &ToolResult) {
        let custom = noted(&result.extensions, "custom").is_some();
        o.str("type", if custom { "custom_tool_call_output" } else { "function_call_output" });
        o.str("call_id", &IDS.fit(&result.call_id));
        match result.content.as_slice() {
            [] => o.str("output", ""),
            [ResultPart::Text(text)] => {
                self.lost_text(&format!("{field}.content[0]"), text);
                o.str("output", &text.text);
            }
            [ResultPart::Json(json)] => o.str("output", json),
            parts => o.array("output", |a| {
                for (at, part) in parts.iter().enumerate() {
                    let field = format!("{field}.content[{at}]");
                    match part {
                        ResultPart::Text(text) => self.text_part(a, &field, text),
                        ResultPart::Json(json) => self.text_part(a, &field, &TextPart::new(json)),
                        ResultPart::Media(media) => self.media(a, &field, media),
                        ResultPart::Opaque(opaque) if opaque.format == FORMAT => a.raw(&opaque.json),
                        ResultPart::Opaque(_) => self.refuse(field, "this part belongs to another format"),
                    }
                }
            }),
        }
        self.lost_cache(result.cache.is_some(), field);
        self.losses.dropped_if(result.is_error == Some(true), &format!("{field}.is_error"), "there is no place for it");
        self.losses.foreign(&format!("{field}."), &result.extensions, FORMAT);
        super::write_members(o, &result.extensions);
    }

    fn text(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        let rest = extension(&request.extensions, FORMAT, "text").and_then(inner);
        let foreign = matches!(&request.output, Some(OutputFormat::Opaque(opaque)) if opaque.format != FORMAT);
        self.losses.dropped_if(foreign, "response_format", "it belongs to another format");
        let output = request.output.as_ref().filter(|_| !foreign);
        if output.is_none() && rest.is_none() {
            return;
        }
        o.object("text", |o| {
            match output {
                None => {}
                Some(OutputFormat::Plain) => o.raw("format", r#"{"type":"text"}"#),
                Some(OutputFormat::Json) => o.raw("format", r#"{"type":"json_object"}"#),
                Some(OutputFormat::Opaque(opaque)) => o.raw("format", &opaque.json),
                Some(OutputFormat::Schema(schema)) => o.object("format", |o| {
                    o.str("type", "json_schema");
                    o.str("name", schema.name.as_deref().unwrap_or("response"));
                    o.opt_str("description", schema.description.as_deref());
                    o.raw("schema", &schema.schema);
                    o.opt_bool("strict", schema.strict);
                }),
            }
            if let Some(rest) = rest {
                o.members(rest);
            }
        });
    }

    /// Refuses the request because of a value that must not be lost; the first reason becomes the error.
    fn refuse(&mut self, field: String, message: &str) {
        if self.refused.is_none() {
            self.refused = Some(Error::unsupported(field, message));
        }
    }
}

/// Asks for what an answer has only if it is asked for.
fn include(o: &mut Object<'_>, request: &ChatRequest) {
    let thinks = noted(&request.extensions, SILENT).is_none();
    let wanted = [
        ("reasoning.encrypted_content", thinks),
        ("message.output_text.logprobs", request.sampling.logprobs == Some(true)),
    ];
    if wanted.iter().any(|(_, is_wanted)| *is_wanted) {
        o.array("include", |a| wanted.iter().filter(|(_, is_wanted)| *is_wanted).for_each(|(name, _)| a.str(name)));
    }
}

/// The part as the API takes it: with an allowed id, and with its own opaque value unchanged.
fn fit(part: &Part) -> Part {
    match part {
        Part::ToolCall(call) if !IDS.fits(&call.id) => {
            let mut call = call.clone();
            call.id = IDS.fit(&call.id);
            Part::ToolCall(call)
        }
        Part::Reasoning(thought) => {
            let mut thought = thought.clone();
            if let Some(value) = &mut thought.encrypted {
                ANYBODY.clone_into(&mut value.issuer);
            }
            Part::Reasoning(thought)
        }
        part => part.clone(),
    }
}

#[cfg(test)]
mod tests;
