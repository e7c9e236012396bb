//! Parses a client's request.

use weir_sdk::json::{Str, parse};
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    Blob, ChatRequest, Context, Error, HttpRequest, Loss, Message, OutputFormat, Part, Role, TextPart,
};

use super::names::{Shape, names};
use super::turns::Turns;
use super::{config, tools};
use crate::path;
use crate::provider::config::{FORMATS, OLD_SCHEMA};
use crate::read::{self, Ids};
use crate::wire::{self, extensions, is_noted};

/// Parses a request for an answer.
pub(crate) fn read(ctx: &Context, request: &HttpRequest) -> Result<(ChatRequest, Vec<Loss>), Error> {
    let body: wire::Request<'_> = parse(request.body.as_text()?).map_err(|error| unreadable(&error))?;
    let stream = path::method_of(&request.path) == "streamGenerateContent";
    unified(ctx, request, body, stream)
}

/// Parses a request for a token count, which is a complete request or only its contents.
pub(crate) fn read_count(ctx: &Context, request: &HttpRequest) -> Result<(ChatRequest, Vec<Loss>), Error> {
    let text = request.body.as_text()?;
    let outer: wire::CountRequest<'_> = parse(text).map_err(|error| unreadable(&error))?;
    let body = match outer.request {
        Some(inner) => inner,
        None => parse(text).map_err(|error| unreadable(&error))?,
    };
    unified(ctx, request, body, false)
}

pub(crate) fn unreadable(error: &impl std::fmt::Display) -> Error {
    Error::invalid(format!("the body cannot be read: {error}"))
}

/// The model: the host's, else the one in the path, else the one in the body.
pub(crate) fn model(ctx: &Context, request: &HttpRequest, named: Option<Str<'_>>) -> Result<String, Error> {
    if !ctx.model.is_empty() {
        return Ok(ctx.model.clone());
    }
    let named = || named.map(|name| path::name(&name).to_owned());
    path::model(&request.path).or_else(named).ok_or_else(|| Error::invalid("the model is missing").at("model"))
}

fn unified(
    ctx: &Context,
    request: &HttpRequest,
    body: wire::Request<'_>,
    stream: bool,
) -> Result<(ChatRequest, Vec<Loss>), Error> {
    let contents = body.contents.ok_or_else(|| Error::invalid("contents is not specified").at("contents"))?.0;
    let mut losses = Losses::default();
    let entries = body.tools.unwrap_or_default().0;
    let one_entry = tools::are_in_first(&entries);
    let (messages, starts) = messages(body.system, contents, &ctx.blobs, &mut losses)?;
    let mut chat = ChatRequest {
        model: model(ctx, request, body.model)?,
        messages,
        tools: tools::read(entries)?,
        stream,
        service_tier: body.service_tier.map(Str::into_string),
        extensions: extensions("", body.rest),
        ..ChatRequest::default()
    };
    tools::read_config(body.tool_config.unwrap_or_default(), &mut chat);
    config::read(body.config.unwrap_or_default(), &mut chat);
    let old_schema = is_noted(&chat.extensions, OLD_SCHEMA);
    let schema = matches!(chat.output, Some(OutputFormat::Schema(_))).then_some(old_schema);
    let system = chat.messages.len() > starts.len();
    let formats = is_noted(&chat.extensions, FORMATS);
    chat.extensions.push(names(Shape { system, starts: &starts, one_entry, schema, formats }));
    Ok((chat, losses.into_losses()))
}

/// The messages; and, of those that are no system text, the numbers of the contents that they began with.
fn messages(
    system: Option<wire::System<'_>>,
    contents: Vec<wire::Content<'_>>,
    blobs: &[Blob],
    losses: &mut Losses,
) -> Result<(Vec<Message>, Vec<usize>), Error> {
    let mut messages = Vec::with_capacity(contents.len() + 1);
    if let Some(wire::System(content)) = system {
        let mut ids = Ids::new(String::new());
        let parts = parts(content.parts, &mut ids, blobs).map_err(|error| within(error, "systemInstruction"))?;
        if parts.iter().any(|part| !matches!(part, Part::Text(TextPart { text, .. }) if text.is_empty())) {
            messages.push(Message::new(Role::System, parts));
        }
    }
    let (mut calls, mut turns) = (Calls::default(), Turns::default());
    for (at, content) in contents.into_iter().enumerate() {
        let mut ids = Ids::new(format!("call_{at}_"));
        let mut parts =
            parts(content.parts, &mut ids, blobs).map_err(|error| within(error, &format!("contents[{at}]")))?;
        calls.answer(&mut parts, &mut ids);
        let role = role(content.role.as_deref(), at, losses);
        turns.add(at, Message { extensions: extensions("", content.rest), ..Message::new(role, parts) });
    }
    let (spoken, starts) = turns.finish();
    messages.extend(spoken);
    Ok((messages, starts))
}

/// The role of a turn; without one it is the user's.
fn role(name: Option<&str>, at: usize, losses: &mut Losses) -> Role {
    match name {
        None | Some("user" | "") => Role::User,
        Some("model") => Role::Assistant,
        Some("function" | "tool") => Role::Tool,
        Some("system") => Role::System,
        Some(other) => {
            losses.approximated(format!("contents[{at}].role"), "it is not a role of this format");
            Role::Other(other.to_owned())
        }
    }
}

fn parts(list: Option<wire::Many<wire::Part<'_>>>, ids: &mut Ids, blobs: &[Blob]) -> Result<Vec<Part>, Error> {
    let list = list.unwrap_or_default().0.into_iter().enumerate();
    list.map(|(at, wire)| read::part(wire, ids, blobs).map_err(|error| within(error, &format!("parts[{at}]"))))
        .collect()
}

pub(super) fn within(error: Error, place: &str) -> Error {
    let param = match &error.param {
        Some(param) => format!("{place}.{param}"),
        None => place.to_owned(),
    };
    Error { param: Some(param), ..error }
}

/// Calls of the history without a result so far: a result without an id belongs to the first of its name.
#[derive(Debug, Default)]
struct Calls(Vec<(String, String)>);

impl Calls {
    fn answer(&mut self, parts: &mut [Part], ids: &mut Ids) {
        for part in parts {
            match part {
                Part::ToolCall(call) => self.0.push((call.id.clone(), call.name.clone())),
                Part::ToolResult(result) => {
                    let name = result.name.as_deref();
                    let waits = |(id, called): &(String, String)| match result.call_id.as_str() {
                        "" => Some(called.as_str()) == name,
                        given => given == id,
                    };
                    let found = self.0.iter().position(waits).map(|at| self.0.remove(at).0);
                    if result.call_id.is_empty() {
                        result.call_id = found.unwrap_or_else(|| ids.next(None).0);
                    }
                }
                _ => {}
            }
        }
    }
}
