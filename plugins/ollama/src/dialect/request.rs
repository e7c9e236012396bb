//! Parses a client's request for an answer.

use weir_sdk::json::{RawValue, Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{ChatRequest, Context, Error, HttpRequest, Message, Part, Role};

use super::history::History;
use super::names;
use crate::{CHAT, GENERATE, body, options, think, tools, wire};

/// Whether a request is for `/api/generate`: by its face, else by its path.
pub(crate) fn generates(ctx: &Context, request: &HttpRequest) -> bool {
    ctx.format == GENERATE || ctx.format != CHAT && request.path.ends_with("/generate")
}

/// Parses a request. Without a `stream` member it is streamed.
pub(super) fn read(ctx: &Context, request: &HttpRequest, generates: bool) -> Result<ChatRequest, Error> {
    let mut body: wire::Request<'_> = parse(request.body.as_text()?).map_err(|error| unreadable(&error))?;
    let format = if generates { GENERATE } else { CHAT };
    let mut chat = ChatRequest {
        model: model(ctx, body.model.take())?,
        stream: body.stream.unwrap_or(true),
        reasoning: body.think.and_then(think::read),
        output: body.format.and_then(body::output),
        ..ChatRequest::default()
    };
    options::read(format, body.options.take().unwrap_or_default(), &mut chat);
    chat.sampling.logprobs = body.logprobs;
    chat.sampling.top_logprobs = body.top_logprobs.map(|count| count.0);
    for (at, tool) in body.tools.take().unwrap_or_default().into_iter().enumerate() {
        chat.tools.push(tools::read(tool, at)?);
    }
    let mut rest = std::mem::take(&mut body.rest);
    chat.messages = if generates {
        rest.0.retain(|(key, raw)| !is_without_effect(key, raw));
        prompt(ctx, body)
    } else {
        conversation(ctx, body)?
    };
    chat.extensions.extend(extensions(format, rest));
    let system = chat.messages.first().is_some_and(|first| first.role == Role::System);
    chat.extensions.push(if generates { names::of_prompt(system) } else { names::of_chat() });
    Ok(chat)
}

/// The model: the one in the body, else the host's.
pub(crate) fn model(ctx: &Context, named: Option<Str<'_>>) -> Result<String, Error> {
    let named = named.map(Str::into_string).filter(|name| !name.is_empty());
    let model = named.unwrap_or_else(|| ctx.model.clone());
    if model.is_empty() { Err(Error::invalid("model is required").at("model")) } else { Ok(model) }
}

pub(crate) fn unreadable(error: &impl std::fmt::Display) -> Error {
    Error::invalid(format!("the body cannot be read: {error}"))
}

/// Whether a member of `/api/generate` is empty; clients send such members.
fn is_without_effect(key: &str, raw: &RawValue) -> bool {
    body::ONLY_GENERATE.contains(&key) && matches!(raw.get(), "\"\"" | "[]" | "false")
}

fn conversation(ctx: &Context, body: wire::Request<'_>) -> Result<Vec<Message>, Error> {
    let mut history = History::new(&ctx.blobs);
    let messages = body.messages.unwrap_or_default().0;
    messages.into_iter().enumerate().map(|(at, message)| history.message(message, at)).collect()
}

/// The messages of a prompt: the prompt is the user's, after the system text. A request without either loads or unloads
/// the model, and has no messages.
fn prompt(ctx: &Context, body: wire::Request<'_>) -> Vec<Message> {
    let mut messages = Vec::new();
    if let Some(system) = body.system.filter(|text| !text.is_empty()) {
        messages.push(Message::new(Role::System, vec![Part::text(system)]));
    }
    let images = body.images.filter(|images| !images.is_empty());
    let words = body.prompt.filter(|text| !text.is_empty());
    if images.is_some() || words.is_some() {
        let parts = body::parts(images, words, &ctx.blobs);
        messages.push(Message::new(Role::User, parts));
    }
    messages
}
