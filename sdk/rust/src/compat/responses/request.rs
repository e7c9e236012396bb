//! Renders requests: from the unified model to Responses.

mod assistant;
mod messages;
mod thinking;
mod tools;

use super::{FORMAT, inner, namespace, noted, write};
use crate::compat::names::{IdRule, Renamed};
use crate::compat::quirks::Quirks;
use crate::compat::{breakpoints, end_user, shared};
use crate::json::{self, Object};
use crate::losses::{Losses, extension};
use crate::schema::choices;
use crate::tier;
use crate::types::{ChatRequest, Context, Error, HttpRequest, OutputFormat, RenderedRequest};

/// The API's rule for ids of calls.
const IDS: IdRule = IdRule { max: 64, also: None, exact: false };

/// The least limit of output tokens that the API accepts (C-48).
const MIN_OUTPUT_TOKENS: u32 = 16;

/// The key of the note on a request for a model that never thinks: OpenAI refuses to be asked for the encrypted
/// thinking of such a model ("Encrypted content is not supported with this model"). A provider's [`Quirks::prepare`]
/// adds it.
pub const SILENT: &str = "silent";

/// The key of the note on members that change nothing in other formats, with an object of these members: this format
/// gets them back.
pub const USUAL: &str = "usual";

/// Writes a request.
pub fn render(quirks: &Quirks, ctx: &Context, mut request: ChatRequest) -> Result<RenderedRequest, Error> {
    namespace::gather(&mut request);
    shared::to_responses(&mut request.extensions);
    let ids = write::Ids::of_request();
    let mut writer = Writer { quirks, ctx, ids, losses: Losses::default(), refused: None };
    choices::say(&mut request, &mut writer.losses);
    (quirks.prepare)(ctx, &mut request, &mut writer.losses)?;
    breakpoints::to_responses(&mut request.messages);
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
        let tier = tier::compatible(request.service_tier.as_deref(), tier::NOT_IN_RESPONSES, &mut self.losses);
        o.opt_str("service_tier", tier);
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

#[cfg(test)]
mod tests;
