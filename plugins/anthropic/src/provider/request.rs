//! Renders the request for the service.

use std::borrow::Cow;

use weir_sdk::claude::{StrictSchemas, breakpoints};
use weir_sdk::json::{Object, Str, object, parse};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::sampling;
use weir_sdk::schema::choices;
use weir_sdk::tier;
use weir_sdk::tools::{is_choice_lost, is_forced};
use weir_sdk::turns::Conversation;
use weir_sdk::types::{ChatRequest, Context, Error, Header, HttpRequest, RenderedRequest, Sampling};

use super::messages;
use super::thinking::{self, Thinking};
use super::{schema, tools};
use crate::generation::Generation;
use crate::{ACCOUNT, BETA, FORMAT, MCP_SERVERS, OWN_BREAKPOINTS, wire, write};
use weir_sdk::names::{IdRule, Names};

/// `max_tokens` if neither the client nor the configuration sets it.
const DEFAULT_MAX_TOKENS: u32 = 4096;
/// The version of the API that this adapter is written for.
pub(crate) const VERSION: &str = "2023-06-01";

/// Renders a request for an answer.
pub(super) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let mut losses = Losses::default();
    let request = &*bounded(choices::said(request, &mut losses), &mut losses);
    let prompt = Prompt::read(ctx, request, &mut losses)?;
    let mut body = String::with_capacity(prompt.conversation.size() + 1024);
    object(&mut body, |o| {
        prompt.write(o, ctx, request, &mut losses);
        o.num("max_tokens", prompt.thinking.max_tokens);
        sampling(o, &request.sampling, &prompt, &mut losses);
        labels(o, request, &mut losses);
        if request.stream {
            o.bool("stream", true);
        }
    });
    Ok(finished(ctx, request, "messages", body, &prompt, losses))
}

/// Renders a request for a token count.
pub(crate) fn write_count(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let mut losses = Losses::default();
    let request = &*bounded(Cow::Borrowed(request), &mut losses);
    let prompt = Prompt::read(ctx, request, &mut losses)?;
    let mut body = String::with_capacity(prompt.conversation.size() + 1024);
    object(&mut body, |o| prompt.write(o, ctx, request, &mut losses));
    Ok(finished(ctx, request, "messages/count_tokens", body, &prompt, losses))
}

/// The request with as many breakpoints for the cache as the service takes. A client of this format is responsible for
/// its own.
fn bounded<'r>(request: Cow<'r, ChatRequest>, losses: &mut Losses) -> Cow<'r, ChatRequest> {
    let is_own = extension(&request.extensions, FORMAT, OWN_BREAKPOINTS).is_some();
    if is_own { request } else { breakpoints::bounded(request, losses) }
}

/// Decisions made before anything is written.
struct Prompt {
    generation: Generation,
    conversation: Conversation,
    thinking: Thinking,
    tools: Vec<String>,
    choice: Option<String>,
    format: Option<String>,
    names: Names,
}

impl Prompt {
    fn read(ctx: &Context, request: &ChatRequest, losses: &mut Losses) -> Result<Self, Error> {
        let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
        let generation = Generation::of(model);
        let mut names = crate::names::names();
        let mut strict = StrictSchemas::new(generation.schemas, true);
        let mut tools = tools::write(request, &mut strict, &mut names, losses)?;
        let conversation = messages::write(ctx, request, generation, &mut names, losses)?;
        losses.dropped_if(tools.is_empty() && is_choice_lost(request), "tool_choice", "there are no tools");
        let mut choice = if tools.is_empty() { None } else { tools::choice(request, generation, &mut names, losses) };
        let mut answer = schema::decide(request, &mut strict, &mut names, losses);
        let wants_call = request.tool_choice.as_ref().is_some_and(is_forced);
        let mut forced = wants_call && generation.forces && !tools.is_empty();
        if let Some((tool, only)) = answer.tool.take() {
            tools.push(tool);
            choice = Some(only);
            forced = true;
        }
        let default = ctx.option("max_tokens").and_then(|json| json.parse().ok()).unwrap_or(DEFAULT_MAX_TOKENS);
        let limits = thinking::Limits { max_tokens: request.max_output_tokens, default, forced };
        let thinking = thinking::decide(request, generation, limits, conversation.unsigned_calls, losses);
        Ok(Self { generation, conversation, thinking, tools, choice, format: answer.format, names })
    }

    /// Writes everything that counts as input: the conversation, the tools and the thinking.
    fn write(&self, o: &mut Object<'_>, ctx: &Context, request: &ChatRequest, losses: &mut Losses) {
        o.str("model", if ctx.model.is_empty() { &request.model } else { &ctx.model });
        let account = extension(&request.extensions, FORMAT, ACCOUNT);
        if account.is_some() || !self.conversation.system.is_empty() {
            let system = o.value("system");
            system.push('[');
            system.push_str(account.unwrap_or_default());
            if account.is_some() && !self.conversation.system.is_empty() {
                system.push(',');
            }
            system.push_str(&self.conversation.system);
            system.push(']');
        }
        o.raw("messages", &self.conversation.turns);
        if !self.tools.is_empty() {
            o.array("tools", |a| self.tools.iter().for_each(|tool| a.raw(tool)));
        }
        o.opt_raw(MCP_SERVERS, tools::servers(request));
        o.opt_raw("tool_choice", self.choice.as_deref());
        o.opt_raw("thinking", self.thinking.json.as_deref());
        self.output(o, request);
        for own in write::own(&request.extensions).filter(|own| !APART.contains(&own.key.as_str())) {
            o.raw(&own.key, &own.json);
        }
        losses.foreign("", &request.extensions, FORMAT);
    }

    /// Writes `output_config`: the effort, the format of the answer, and further members of a client of this format.
    /// The answer's format goes back to its old place if it came from there.
    fn output(&self, o: &mut Object<'_>, request: &ChatRequest) {
        let rest = extension(&request.extensions, FORMAT, "output_config");
        let old_place = extension(&request.extensions, FORMAT, "output_format").is_some();
        if let Some(format) = self.format.as_deref().filter(|_| old_place) {
            o.raw("output_format", format);
        }
        let format = self.format.as_deref().filter(|_| !old_place);
        if self.thinking.effort.is_none() && format.is_none() && rest.is_none() {
            return;
        }
        o.object("output_config", |o| {
            o.opt_str("effort", self.thinking.effort);
            o.opt_raw("format", format);
            if let Some(rest) = rest.and_then(|json| parse::<wire::Unnamed<'_>>(json).ok()) {
                rest.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
            }
        });
    }
}

/// Extensions that are not written as members of the body.
const APART: [&str; 4] = [ACCOUNT, BETA, "output_config", "metadata"];

/// Writes the sampling parameters that the model takes, with and without thinking.
fn sampling(o: &mut Object<'_>, wanted: &Sampling, prompt: &Prompt, losses: &mut Losses) {
    let generation = prompt.generation;
    if generation.samples {
        let thinks = prompt.thinking.thinks;
        let temperature = sampling::temperature(wanted, thinks, losses);
        o.opt_num("temperature", temperature);
        let instead = temperature.is_some() && !generation.samples_both;
        o.opt_num("top_p", sampling::top_p(wanted, instead, thinks, losses));
        losses.dropped_if(thinks && wanted.top_k.is_some(), "top_k", "it cannot stand beside thinking");
        o.opt_num("top_k", wanted.top_k.filter(|_| !thinks));
    } else {
        sampling::refuse_both(wanted, "the model takes none", losses);
        losses.dropped_if(wanted.top_k.is_some(), "top_k", "the model takes none");
    }
    o.opt_strs("stop_sequences", &sampling::stop(wanted, losses));
    sampling::refuse_others(wanted, losses);
}

/// Writes `metadata` and `service_tier`.
fn labels(o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let own = extension(&request.extensions, FORMAT, "metadata");
    if request.end_user.is_some() || own.is_some() {
        o.object("metadata", |o| {
            o.opt_str("user_id", request.end_user.as_deref().map(|user| end_user(user, losses)).as_deref());
            if let Some(rest) = own.and_then(|json| parse::<wire::Unnamed<'_>>(json).ok()) {
                rest.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
            }
        });
    }
    match request.service_tier.as_deref() {
        None => {}
        Some("auto") => o.str("service_tier", "auto"),
        Some(tier) if tier::is_usual(tier) => o.str("service_tier", "standard_only"),
        Some(_) => losses.dropped("service_tier", "there is no tier of this name"),
    }
    losses.dropped_if(request.metadata.as_deref().is_some_and(|json| json != "{}"), "metadata", "only an end user");
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "prompts are cached by their content");
}

/// The end user's name. The service refuses addresses and phone numbers ("appears to contain an email address. Please
/// send a uuid or hash value instead"), so one of these becomes a hash, the same one in each request.
fn end_user<'u>(user: &'u str, losses: &mut Losses) -> Cow<'u, str> {
    if !has_address(user) && !is_phone(user) {
        return Cow::Borrowed(user);
    }
    losses.approximated("user", "a hash of it, since the service takes no addresses and phone numbers");
    Cow::Owned(format!("user_{}", HASH.fit(user)))
}

/// A rule that no name fits, so that each becomes a hash.
const HASH: IdRule = IdRule { max: usize::MAX, also: Some(""), exact: true };

/// Whether a name contains an e-mail address.
fn has_address(user: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    user.match_indices('@').any(|(at, _)| {
        let (name, host) = (&user[..at], &user[at + 1..]);
        let host = host.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '-').next().unwrap_or_default();
        let domain = host.rsplit_once('.').is_some_and(|(name, top)| !name.is_empty() && top.len() >= 2);
        name.ends_with(is_word) && domain
    })
}

/// Whether a name is a phone number.
fn is_phone(user: &str) -> bool {
    let number = user.trim().strip_prefix('+').unwrap_or(user.trim());
    let digits = number.chars().filter(char::is_ascii_digit).count();
    digits >= 7 && number.chars().all(|c| c.is_ascii_digit() || " ()-.".contains(c))
}

fn finished(
    ctx: &Context,
    request: &ChatRequest,
    path: &str,
    body: String,
    prompt: &Prompt,
    losses: Losses,
) -> RenderedRequest {
    let mut http = HttpRequest::post(path, body);
    http.headers = headers(ctx, extension(&request.extensions, FORMAT, BETA));
    RenderedRequest { losses: losses.into_losses(), memo: prompt.names.to_memo(), ..RenderedRequest::new(http) }
}

/// The version header, and the beta features of the client and of the configuration.
pub(crate) fn headers(ctx: &Context, beta: Option<&str>) -> Vec<Header> {
    let version = ctx.option_str("version").unwrap_or_else(|| VERSION.to_owned());
    let mut headers = vec![Header::new("anthropic-version", version)];
    let client = beta.and_then(|json| parse::<Str<'_>>(json).ok()).map(Str::into_string).unwrap_or_default();
    let configured: Vec<Str<'_>> = ctx.option("beta").and_then(|json| parse(json).ok()).unwrap_or_default();
    let mut features: Vec<&str> = client.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for name in &configured {
        if !features.contains(&&**name) {
            features.push(name);
        }
    }
    if !features.is_empty() {
        headers.push(Header::new(BETA, features.join(",")));
    }
    headers
}
