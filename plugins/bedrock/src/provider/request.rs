//! Renders the request for the service.

use std::borrow::Cow;

use weir_sdk::claude::{StrictSchemas, breakpoints};
use weir_sdk::json::{Object, RawValue, Rest, Str, object, text};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::names::{IdRule, Names};
use weir_sdk::schema::answer::{Means, is_held};
use weir_sdk::schema::choices;
use weir_sdk::tier;
use weir_sdk::tools::is_choice_lost;
use weir_sdk::turns::Conversation;
use weir_sdk::types::{ChatRequest, Context, Error, Framing, HttpRequest, RenderedRequest};

use super::additional::{Additional, is_additional};
use super::thinking::{self, Limits, Thinking};
use super::{betas, messages};
use super::{sampling, schema, tools};
use crate::model::{Model, without_area};
use crate::wire::{OWN_REQUEST, is_noted};
use crate::{FORMAT, path, write};

/// Extensions that are not written as members of the body.
const APART: [&str; 2] = [OUTPUT, INFERENCE];
/// Keys of a client's further members in these objects.
pub(crate) const OUTPUT: &str = "outputConfig";
pub(crate) const INFERENCE: &str = "inferenceConfig";

/// Renders a request for an answer.
pub(super) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let mut losses = Losses::default();
    let request = &*marked(ctx, choices::said(request, &mut losses), &mut losses);
    let prompt = Prompt::read(ctx, request, &mut losses)?;
    let mut body = String::with_capacity(prompt.conversation.turns.len() + 1024);
    object(&mut body, |o| {
        prompt.write(o);
        sampling::write(o, request, prompt.model, &prompt.thinking, &mut losses);
        prompt.additional.write(o, request);
        prompt.write_output(o, request);
        labels(o, request, &mut losses);
        let apart = |key: &str| APART.contains(&key);
        for own in request.extensions.iter().filter(|own| !apart(&own.key) && !is_additional(own)) {
            write::member(o, own);
        }
    });
    for own in request.extensions.iter().filter(|own| !betas::is_header(own)) {
        losses.foreign("", std::slice::from_ref(own), FORMAT);
    }
    let streams = request.stream && prompt.streams(&mut losses);
    let operation = if streams { "converse-stream" } else { "converse" };
    let framing = streams.then_some(Framing::EventStream);
    let path = path::operation(target(ctx, request), operation);
    Ok(RenderedRequest { framing, ..prompt.finished(path, body, losses) })
}

/// The request with as many cache points as the model takes, and with the one that Anthropic sets itself. A client of
/// this format is responsible for its own.
fn marked<'r>(ctx: &Context, request: Cow<'r, ChatRequest>, losses: &mut Losses) -> Cow<'r, ChatRequest> {
    if is_noted(&request.extensions, OWN_REQUEST) || !Model::of_target(ctx, &request.model).caches {
        return request;
    }
    breakpoints::bounded(breakpoints::automatic(request), losses)
}

/// The id that the target has for the model.
fn target<'a>(ctx: &'a Context, request: &'a ChatRequest) -> &'a str {
    if ctx.model.is_empty() { &request.model } else { &ctx.model }
}

/// Renders a request for a token count, which contains little more than the prompt. The service counts for a model
/// only, not for the profiles by which it is invoked.
pub(crate) fn write_count(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let mut losses = Losses::default();
    let request = &*marked(ctx, Cow::Borrowed(request), &mut losses);
    let prompt = Prompt::read(ctx, request, &mut losses)?;
    let mut body = String::with_capacity(prompt.conversation.turns.len() + 1024);
    object(&mut body, |o| {
        o.object("input", |o| {
            o.object("converse", |o| {
                prompt.write(o);
                prompt.additional.write(o, request);
            });
        });
    });
    let base = ctx.option_str("base_model");
    let model = without_area(base.as_deref().unwrap_or(target(ctx, request)));
    Ok(prompt.finished(path::operation(model, "count-tokens"), body, losses))
}

/// Decisions made before anything is written.
struct Prompt {
    model: Model,
    conversation: Conversation,
    tools: Vec<String>,
    choice: Option<String>,
    format: Option<String>,
    additional: Additional,
    thinking: Thinking,
    names: Names,
}

impl Prompt {
    fn read(ctx: &Context, request: &ChatRequest, losses: &mut Losses) -> Result<Self, Error> {
        let model = Model::of_target(ctx, &request.model);
        let model = if is_noted(&request.extensions, OWN_REQUEST) { model.unjudged() } else { model };
        let mut names = Names::new(IdRule::NAME);
        let mut strict = StrictSchemas::new(model.features.schemas, model.is_checked_claude());
        let mut tools = tools::write(request, model, &mut strict, &mut names, losses)?;
        let (conversation, called) = messages::write(ctx, request, model, &mut names, losses)?;
        let mut additional = Additional::read(request);
        let interleaved = betas::add(ctx, request, model, &mut additional, losses);
        losses.dropped_if(tools.is_empty() && is_choice_lost(request), "tool_choice", "there are no tools");
        let (mut choice, mut forced) = (None, false);
        if !tools.is_empty() {
            let chosen = tools::choice(request, model, called.any, &mut names, losses);
            (choice, forced) = (chosen.json, chosen.forced);
            if let Some(json) = chosen.additional {
                additional.add("tool_choice", json);
            }
            if chosen.hidden {
                tools.clear();
            }
        } else if called.any {
            tools = tools::remembered(&called.names, losses);
        }
        let means =
            Means { schemas: is_held(request, &mut strict), by_tool: tools.is_empty() && model.answers_by_tool() };
        let mut answer = schema::decide(request, model, means, &mut names, losses);
        if let Some((tool, only)) = answer.tool.take() {
            tools.push(tool);
            choice = Some(only);
            forced = true;
        }
        let limits = Limits { forced, unsigned_calls: conversation.unsigned_calls, interleaved };
        let thinking = thinking::decide(request, model, limits, &mut additional, losses);
        sampling::top_k(&mut additional, request, model, thinking.beside, losses);
        Ok(Self { model, conversation, tools, choice, format: answer.format, additional, thinking, names })
    }

    /// Writes the conversation.
    fn write(&self, o: &mut Object<'_>) {
        o.value("messages").push_str(&self.conversation.turns);
        if !self.conversation.system.is_empty() {
            o.raw("system", &format!("[{}]", self.conversation.system));
        }
        if !self.tools.is_empty() {
            o.object("toolConfig", |o| {
                o.raw("tools", &write::list(&self.tools));
                o.opt_raw("toolChoice", self.choice.as_deref());
            });
        }
    }

    /// Writes `outputConfig`: the format of the answer, the effort, and further members of a client of this format.
    fn write_output(&self, o: &mut Object<'_>, request: &ChatRequest) {
        let rest = extension(&request.extensions, FORMAT, OUTPUT);
        let effort = self.thinking.effort.as_deref();
        if self.format.is_none() && effort.is_none() && rest.is_none() {
            return;
        }
        o.object("outputConfig", |o| {
            o.opt_raw("textFormat", self.format.as_deref());
            o.opt_str("effort", effort);
            if let Some(rest) = rest.and_then(|json| Rest::parse(json).ok()) {
                rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
            }
        });
    }

    /// Whether the answer can be streamed. The host makes a stream of an answer that cannot.
    fn streams(&self, losses: &mut Losses) -> bool {
        let streams = self.tools.is_empty() || self.model.features.streams_tools;
        if !streams {
            losses.approximated("stream", "the answer comes at once, for the model streams none with tools");
        }
        streams
    }

    fn finished(self, path: String, body: String, losses: Losses) -> RenderedRequest {
        let http = HttpRequest::post(path, body);
        RenderedRequest { losses: losses.into_losses(), memo: self.names.to_memo(), ..RenderedRequest::new(http) }
    }
}

/// Writes `requestMetadata` and `serviceTier`.
fn labels(o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    if let Some(json) = request.metadata.as_deref().filter(|json| *json != "{}") {
        if are_labels(json) {
            o.raw("requestMetadata", json);
        } else {
            losses.dropped("metadata", "labels are up to 16 short texts of certain characters");
        }
    }
    match request.service_tier.as_deref() {
        None | Some("auto") => {}
        Some(tier @ ("priority" | "flex" | "reserved")) => {
            o.object("serviceTier", |o| o.str("type", tier));
        }
        Some(tier) if tier::is_usual(tier) => o.object("serviceTier", |o| o.str("type", "default")),
        Some(_) => losses.dropped("service_tier", "there is no tier of this name"),
    }
    losses.dropped_if(request.end_user.is_some(), "user", "the format has no place for it");
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "prompts are cached by their content");
}

/// Whether the service accepts these labels. Source: the patterns of its model.
fn are_labels(json: &str) -> bool {
    let taken = |text: &Str<'_>| {
        let one = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
        text.len() <= 256 && text.chars().all(one)
    };
    let Ok(labels) = Rest::parse(json) else { return false };
    let each =
        |(key, raw): &(Str<'_>, &RawValue)| !key.is_empty() && taken(key) && text(raw).as_ref().is_some_and(taken);
    labels.0.len() <= 16 && labels.0.iter().all(each)
}
