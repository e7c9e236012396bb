//! Renders the request for the service.

use std::borrow::Cow;

use weir_sdk::json::{Object, object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::tier;
use weir_sdk::turns::Conversation;
use weir_sdk::turns::media::shown_by_users;
use weir_sdk::types::{ChatRequest, Context, Error, Framing, Header, HttpRequest, MediaPart, RenderedRequest};

use super::config::Config;
use super::contents;
use super::tools::{self, Choice};
use crate::generation::Generation;
use crate::read::SIGNATURE;
use crate::{FORMAT, path};
use weir_sdk::names::Names;

/// The context of rendering: the model as the target names it, and the options.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a model, none a state")]
pub(super) struct Target<'a> {
    pub(super) ctx: &'a Context,
    pub(super) model: &'a str,
    pub(super) generation: Generation,
    /// Whether schemas go to the older members, which support less.
    pub(super) old_schemas: bool,
    /// Whether an answer may have a JSON format although functions are declared.
    pub(super) json_with_functions: bool,
    /// Whether penalties other than 0 are taken.
    pub(super) penalties: bool,
    /// Whether the model takes system text; to others the user's first turn says it.
    pub(super) system: bool,
}

impl<'a> Target<'a> {
    fn of(ctx: &'a Context, request: &'a ChatRequest) -> Self {
        let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
        let generation = Generation::of(model);
        let allows = |option| ctx.option_bool(option) == Some(true);
        Self {
            ctx,
            model,
            generation,
            old_schemas: ctx.option_str("schemas").as_deref() == Some("openapi"),
            json_with_functions: generation.third || allows("json_with_functions"),
            penalties: model.contains("gemini-2.0") || allows("penalties"),
            system: !["gemma-2", "gemma-3"].iter().any(|old| model.contains(old)),
        }
    }
}

/// Renders a request for an answer.
pub(super) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let target = Target::of(ctx, request);
    let mut losses = Losses::default();
    let request = &*shown(target, request, &mut losses);
    let prompt = Prompt::read(target, request, &mut losses)?;
    let mut body = String::with_capacity(prompt.conversation.turns.len() + 1024);
    object(&mut body, |o| prompt.write(o, request, &mut losses));
    let method = if request.stream { "streamGenerateContent" } else { "generateContent" };
    let mut http = HttpRequest::post(path::method(target.model, method), body);
    if request.stream {
        http.query.push(Header::new("alt", "sse"));
    }
    // A server that does not support `alt` sends a list.
    let framing = request.stream.then_some(Framing::JsonArray);
    Ok(RenderedRequest { framing, ..prompt.rendered(http, losses) })
}

/// Renders a request for a token count.
pub(crate) fn write_count(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let target = Target::of(ctx, request);
    let mut losses = Losses::default();
    let request = &*shown(target, request, &mut losses);
    let prompt = Prompt::read(target, request, &mut losses)?;
    let mut body = String::with_capacity(prompt.conversation.turns.len() + 1024);
    object(&mut body, |o| {
        o.object("generateContentRequest", |o| {
            o.str("model", &path::resource(target.model));
            prompt.write(o, request, &mut losses);
        });
    });
    let http = HttpRequest::post(path::method(target.model, "countTokens"), body);
    Ok(prompt.rendered(http, losses))
}

/// The request whose users show the images that the model has made, where the signatures of these are gone: models of
/// the third generation refuse them in the model's turns ("Image part is missing a `thought_signature`").
fn shown<'r>(target: Target<'_>, request: &'r ChatRequest, losses: &mut Losses) -> Cow<'r, ChatRequest> {
    if !target.generation.third {
        return Cow::Borrowed(request);
    }
    let is_signed = |media: &MediaPart| extension(&media.extensions, FORMAT, SIGNATURE).is_some();
    match shown_by_users(&request.messages, is_signed, losses) {
        Some(messages) => Cow::Owned(ChatRequest { messages, ..request.clone() }),
        None => Cow::Borrowed(request),
    }
}

/// Decisions made before anything is written.
struct Prompt {
    conversation: Conversation,
    tools: Vec<String>,
    choice: Option<Choice>,
    config: Config,
    names: Names,
}

impl Prompt {
    fn read(target: Target<'_>, request: &ChatRequest, losses: &mut Losses) -> Result<Self, Error> {
        let mut names = crate::names::names();
        let tools = tools::write(target, request, &mut names, losses)?;
        let conversation = contents::write(target, request, &mut names, losses)?;
        let choice = tools::choice(request, &mut names, losses);
        let config = Config::read(target, request, losses)?;
        Ok(Self { conversation, tools, choice, config, names })
    }

    fn write(&self, o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
        if !self.conversation.system.is_empty() {
            o.object("systemInstruction", |o| o.raw("parts", &format!("[{}]", self.conversation.system)));
        }
        o.value("contents").push_str(&self.conversation.turns);
        if !self.tools.is_empty() {
            o.array("tools", |a| self.tools.iter().for_each(|tool| a.raw(tool)));
        }
        tools::write_choice(o, self.choice.as_ref(), request);
        if !self.config.json.is_empty() {
            o.raw("generationConfig", &format!("{{{}}}", self.config.json));
        }
        let whole = |key: &str| !key.contains('.');
        for own in request.extensions.iter().filter(|own| own.format == FORMAT && own.json != "null" && whole(&own.key))
        {
            o.raw(&own.key, &own.json);
        }
        losses.foreign("", &request.extensions, FORMAT);
        labels(o, request, losses);
    }

    fn rendered(&self, http: HttpRequest, losses: Losses) -> RenderedRequest {
        RenderedRequest { losses: losses.into_losses(), memo: self.names.to_memo(), ..RenderedRequest::new(http) }
    }
}

fn labels(o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    const NONE: &str = "the format has no place for it";
    match request.service_tier.as_deref() {
        // Groq's name says what is done without one.
        None | Some("auto" | "on_demand") => {}
        Some(tier @ ("flex" | "priority")) => o.str("serviceTier", tier),
        Some(tier) if tier::is_usual(tier) => o.str("serviceTier", "standard"),
        Some(_) => losses.dropped("service_tier", "there is no tier of this name"),
    }
    losses.dropped_if(request.end_user.is_some(), "user", NONE);
    losses.dropped_if(request.metadata.as_deref().is_some_and(|json| json != "{}"), "metadata", NONE);
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "prompts are cached by their content");
    losses.dropped_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls", NONE);
}
