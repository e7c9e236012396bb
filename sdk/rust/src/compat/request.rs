//! Renders requests: from the unified model to the provider's format.

mod assistant;
mod content;
mod media;
mod messages;
mod order;
mod thinking;
mod tool_results;
mod tools;

pub use thinking::SWITCHED;

use crate::compat::content::BREAKPOINT;
use crate::compat::names::Renamed;
use crate::compat::quirks::{Cache, Quirks};
use crate::compat::wire::FORMAT;
use crate::compat::{breakpoints, end_user, responses, seed, shared};
use crate::json::{self, Object, Rest};
use crate::losses::{Losses, asks_nothing, extension};
use crate::path::encoded;
use crate::schema::choices;
use crate::tier;
use crate::types::{
    CacheHint, ChatRequest, Context, Error, Extension, HttpRequest, OutputFormat, RenderedRequest, Sampling,
};

/// Writes a chat request.
pub fn render(quirks: &Quirks, ctx: &Context, mut request: ChatRequest) -> Result<RenderedRequest, Error> {
    let from_responses = responses::noted(&request.extensions, "dialect").is_some();
    let losses = Losses::default();
    let mut writer = Writer { quirks, ctx, losses, refused: None, thinking_lost: false, from_responses };
    shared::to_chat(&mut request.extensions);
    choices::say(&mut request, &mut writer.losses);
    (quirks.prepare)(ctx, &mut request, &mut writer.losses)?;
    breakpoints::to_chat(&mut request.messages);
    let renamed = Renamed::apply(&mut request, &quirks.tool_names);
    let body = writer.body(&request);
    if let Some(error) = writer.refused {
        return Err(error);
    }
    let http = quirks.address(ctx, HttpRequest::post("", body), |paths| paths.chat);
    Ok(RenderedRequest { losses: writer.losses.into_losses(), memo: renamed.to_memo(), ..RenderedRequest::new(http) })
}

/// Fills a path's placeholders: `{model}` and `{option.NAME}`.
pub fn path(template: &str, ctx: &Context) -> String {
    let mut path = String::with_capacity(template.len() + ctx.model.len());
    let mut left = template;
    while let Some((before, (placeholder, after))) =
        left.split_once('{').and_then(|(a, b)| Some((a, b.split_once('}')?)))
    {
        path.push_str(before);
        match placeholder.strip_prefix("option.") {
            Some(name) => path.push_str(&escape(&ctx.option_str(name).unwrap_or_default())),
            None if placeholder == "model" => path.push_str(&escape(&ctx.model)),
            None => {}
        }
        left = after;
    }
    path.push_str(left);
    path
}

/// Percent-encodes each segment of a path.
pub fn escape_path(text: &str) -> String {
    let segments: Vec<String> = text.split('/').map(escape).collect();
    segments.join("/")
}

/// Percent-encodes characters that are not allowed in a path segment.
fn escape(text: &str) -> String {
    encoded(text, b":@")
}

/// Renders one request and collects the losses, or the reason to refuse it.
struct Writer<'q> {
    quirks: &'q Quirks,
    ctx: &'q Context,
    losses: Losses,
    refused: Option<Error>,
    thinking_lost: bool,
    /// Whether the client speaks Responses.
    from_responses: bool,
}

impl Writer<'_> {
    fn body(&mut self, request: &ChatRequest) -> String {
        let mut out = String::with_capacity(1024);
        json::object(&mut out, |o| {
            o.str("model", if self.ctx.model.is_empty() { &request.model } else { &self.ctx.model });
            self.messages(o, &request.messages);
            self.tools(o, request);
            self.output(o, request.output.as_ref());
            self.sampling(o, &request.sampling);
            self.num(o, self.quirks.max_tokens, request.max_output_tokens.map(f64::from));
            self.effort(o, request.reasoning.as_ref());
            self.stream(o, request);
            self.end_user(o, request);
            self.raw(o, "metadata", request.metadata.as_deref());
            let tier = tier::compatible(request.service_tier.as_deref(), tier::NOT_IN_CHAT, &mut self.losses);
            // The tier that a provider takes by itself.
            let place = tier.and_then(|tier| self.place_unless(o, "service_tier", tier == "auto"));
            if let (Some(place), Some(tier)) = (place, tier) {
                json::quote(place, tier);
            }
            self.str(o, "prompt_cache_key", request.cache_key.as_deref());
            self.extensions(o, "", &request.extensions, &["stream_options"]);
        });
        out
    }

    fn sampling(&mut self, o: &mut Object<'_>, sampling: &Sampling) {
        self.num(o, "temperature", sampling.temperature);
        self.num(o, "top_p", sampling.top_p);
        self.num(o, "top_k", sampling.top_k.map(f64::from));
        self.num(o, "frequency_penalty", sampling.frequency_penalty);
        self.num(o, "presence_penalty", sampling.presence_penalty);
        self.num(o, "n", sampling.candidates.map(f64::from));
        let asks = sampling.logprobs == Some(true);
        // The number alone asks for nothing, and servers refuse it. Responses' clients may send it.
        let top = sampling.top_logprobs.filter(|_| asks);
        if self.quirks.logprobs_number {
            self.num(o, "logprobs", asks.then(|| f64::from(top.unwrap_or(1))));
        } else {
            let place = sampling.logprobs.and_then(|_| self.place_unless(o, "logprobs", !asks));
            if let Some(place) = place {
                place.push_str(if asks { "true" } else { "false" });
            }
            self.num(o, "top_logprobs", top.map(f64::from));
        }
        let seed = seed::fit(self.quirks, sampling.seed.as_deref(), &mut self.losses);
        self.raw(o, self.quirks.seed, seed);
        self.stop(o, &sampling.stop);
    }

    fn stop(&mut self, o: &mut Object<'_>, stop: &[String]) {
        let taken = stop.get(..self.quirks.max_stop).unwrap_or(stop);
        if taken.len() < stop.len() {
            self.losses.clamped("stop", "too many stop sequences; the first ones are sent");
        }
        if let Some(place) = self.place(o, "stop", !taken.is_empty()) {
            json::array(place, |a| taken.iter().for_each(|text| a.str(text)));
        }
    }

    fn output(&mut self, o: &mut Object<'_>, output: Option<&OutputFormat>) {
        let Some(output) = output else { return };
        let schema = match output {
            OutputFormat::Schema(schema) if self.quirks.json_schema => Some(schema),
            OutputFormat::Schema(_) => {
                self.losses.approximated("response_format", "schemas are not taken: any JSON object is asked for");
                None
            }
            OutputFormat::Opaque(opaque) if opaque.format != FORMAT => {
                self.losses.dropped("response_format", "it belongs to another format");
                return;
            }
            _ => None,
        };
        let Some(place) = self.place(o, "response_format", true) else { return };
        match (output, schema) {
            (OutputFormat::Opaque(opaque), _) => place.push_str(&opaque.json),
            (OutputFormat::Plain, _) => place.push_str(r#"{"type":"text"}"#),
            (_, None) => place.push_str(r#"{"type":"json_object"}"#),
            (_, Some(schema)) => json::object(place, |o| {
                o.str("type", "json_schema");
                o.object("json_schema", |o| {
                    o.str("name", schema.name.as_deref().unwrap_or("response"));
                    o.opt_str("description", schema.description.as_deref());
                    o.raw("schema", &schema.schema);
                    o.opt_bool("strict", schema.strict);
                });
            }),
        }
    }

    /// Asks for usage in every stream: the host meters it, and removes it if the client did not ask (C-57).
    fn stream(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        if !request.stream {
            return;
        }
        o.bool("stream", true);
        let mut others = extension(&request.extensions, FORMAT, "stream_options")
            .and_then(|json| Rest::parse(json).ok())
            .unwrap_or_default();
        if self.quirks.stream_usage {
            others.take("include_usage");
        } else if others.0.is_empty() {
            return;
        }
        if let Some(place) = self.place(o, "stream_options", true) {
            json::object(place, |o| {
                if self.quirks.stream_usage {
                    o.bool("include_usage", true);
                }
                others.0.iter().for_each(|(name, value)| o.raw(name, value.get()));
            });
        }
    }

    fn end_user(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        let Some(user) = &request.end_user else { return };
        let Some(place) = self.place(o, end_user::member(&request.extensions, FORMAT), true) else { return };
        json::quote(place, &end_user::fit(self.quirks, user, &mut self.losses));
    }

    /// Writes the format's own members and reports the others; `skipped` ones are written elsewhere.
    fn extensions(&mut self, o: &mut Object<'_>, place: &str, extensions: &[Extension], skipped: &[&str]) {
        self.losses.foreign(place, extensions, FORMAT);
        let ours = extensions.iter().filter(|extension| extension.format == FORMAT && extension.json != "null");
        for extension in ours.filter(|extension| !skipped.contains(&extension.key.as_str())) {
            if place.is_empty() {
                if let Some(place) = self.place_unless(o, &extension.key, asks_nothing(extension)) {
                    place.push_str(&extension.json);
                }
            } else {
                o.raw(&extension.key, &extension.json);
            }
        }
    }

    /// Writes the format's own members of a message, a part or a call, if the provider takes them; an empty one that it
    /// does not take is no loss.
    fn message_members(&mut self, o: &mut Object<'_>, place: &str, extensions: &[Extension], skipped: &[&str]) {
        let refused = |own: &&Extension| own.format == FORMAT && !self.takes(&own.key) && !skipped.contains(&&*own.key);
        let refused: Vec<&Extension> = extensions.iter().filter(refused).collect();
        for own in refused.iter().filter(|own| !matches!(own.json.as_str(), "null" | "[]" | "{}" | "\"\"")) {
            self.losses.dropped(format!("{place}{}", own.key), "the provider refuses messages with this member");
        }
        let refused: Vec<&str> = refused.iter().map(|own| own.key.as_str()).chain(skipped.iter().copied()).collect();
        self.extensions(o, place, extensions, &refused);
    }

    /// Whether messages may have this member at the provider.
    fn takes(&self, member: &str) -> bool {
        self.quirks.message_members.is_none_or(|members| members.contains(&member))
    }

    /// Writes a cache hint in the provider's syntax.
    fn cache(&mut self, o: &mut Object<'_>, field: &str, hint: Option<&CacheHint>, extensions: &[Extension]) {
        let Some(hint) = hint else { return };
        if extension(extensions, FORMAT, BREAKPOINT).is_some() {
            return;
        }
        match self.quirks.cache {
            Cache::None => self.lose_cache(field),
            Cache::Control => o.object("cache_control", |o| {
                o.str("type", "ephemeral");
                o.opt_str("ttl", hint.ttl.as_deref());
            }),
        }
    }

    fn lose_cache(&mut self, field: &str) {
        self.losses.dropped(format!("{field}.cache_control"), "caching is the provider's own affair");
    }

    /// The place for a member at the top of the request, under the provider's name; `None` if the provider does not
    /// take it.
    fn place<'o>(&mut self, o: &'o mut Object<'_>, member: &str, present: bool) -> Option<&'o mut String> {
        if !present {
            return None;
        }
        self.place_unless(o, member, false)
    }

    /// The place of a member. Where the provider has none, nothing is lost by a value that asks for nothing (`idle`).
    fn place_unless<'o>(&mut self, o: &'o mut Object<'_>, member: &str, idle: bool) -> Option<&'o mut String> {
        match self.quirks.spelling(member) {
            Ok(spelling) => Some(o.value(spelling)),
            Err(reason) => {
                self.losses.dropped_if(!idle, member, reason);
                None
            }
        }
    }

    fn num(&mut self, o: &mut Object<'_>, member: &str, value: Option<f64>) {
        let Some(value) = value else { return };
        let allowed = self.quirks.clamp(member, value);
        if allowed.to_bits() != value.to_bits() {
            self.losses.clamped(member, "out of the provider's range");
        }
        if let Some(place) = self.place_unless(o, member, is_default(member, value)) {
            json::number(place, allowed);
        }
    }

    fn str(&mut self, o: &mut Object<'_>, member: &str, value: Option<&str>) {
        if let (Some(place), Some(value)) = (self.place(o, member, value.is_some()), value) {
            json::quote(place, value);
        }
    }

    fn bool(&mut self, o: &mut Object<'_>, member: &str, value: Option<bool>) {
        self.raw(o, member, value.map(|value| if value { "true" } else { "false" }));
    }

    fn raw(&mut self, o: &mut Object<'_>, member: &str, value: Option<&str>) {
        if let (Some(place), Some(value)) = (self.place(o, member, value.is_some()), value) {
            place.push_str(value);
        }
    }

    /// Refuses the request because of a value that must not be lost; the first reason becomes the error.
    fn refuse(&mut self, field: String, message: &str) {
        if self.refused.is_none() {
            self.refused = Some(Error::unsupported(field, message));
        }
    }
}

/// Whether a number is what providers take where it is not said.
fn is_default(member: &str, value: f64) -> bool {
    match member {
        "frequency_penalty" | "presence_penalty" => value == 0.0,
        "n" => value <= 1.0,
        _ => false,
    }
}

/// Whether the cache hint of a message's last part is on the message itself; the dialect leaves a note of that.
fn hint_on_message(extensions: &[Extension]) -> bool {
    extension(extensions, FORMAT, "cache_control").is_some()
}

#[cfg(test)]
mod tests;
