//! Parses a client's request.

use weir_sdk::claude::breakpoints;
use weir_sdk::json::{Either, Number, RawValue, Str, object, parse, quote};
use weir_sdk::losses::{extensions, remainder};
use weir_sdk::model::header;
use weir_sdk::thinking::EFFORT_ONLY;
use weir_sdk::turns::role;
use weir_sdk::types::{
    ChatRequest, Error, Extension, FunctionTool, HttpRequest, JsonSchema, Message, Opaque, OutputFormat, Part,
    ReasoningMode, ReasoningRequest, Role, Sampling, Tool, ToolChoice,
};

use super::names::names;
use crate::wire::{self, Block};
use crate::{ACCOUNT, BETA, FORMAT, MCP_SERVERS, OWN_BREAKPOINTS, OWN_END, TYPED, read};

/// How the text begins that Claude Code puts in front of the system's for the accounts of Anthropic's service.
const ACCOUNT_TEXT: &str = "x-anthropic-billing-header:";

/// Parses a request for an answer, or for a token count.
pub(crate) fn read(request: &HttpRequest) -> Result<ChatRequest, Error> {
    let mut body: wire::Request<'_> =
        parse(request.body.as_text()?).map_err(|error| Error::invalid(format!("the body cannot be read: {error}")))?;
    let model = body.model.ok_or_else(|| Error::invalid("model: field required").at("model"))?;
    let turns = body.messages.ok_or_else(|| Error::invalid("messages: field required").at("messages"))?;
    let servers = body.rest.take(MCP_SERVERS);
    let mut own = extensions(FORMAT, body.rest);
    own.extend(beta(request));
    let (choice, parallel) = body.tool_choice.map_or(Ok((None, None)), tool_choice)?;
    let (reasoning, output) = thinking_and_output(body.thinking, body.output_config, body.output_format, &mut own)?;
    let end_user = body.metadata.and_then(|metadata| labels(metadata, &mut own));
    let n_turns = turns.0.len();
    let mut messages = messages(body.system, turns.0)?;
    own.extend(account(&mut messages));
    let effort = reasoning.as_ref().is_some_and(|reasoning| reasoning.effort.is_some());
    own.push(names(messages.len() > n_turns, effort));
    own.extend(has_rules(&messages).then(note));
    let mut request = ChatRequest {
        model: model.into_string(),
        messages,
        tools: tools(body.tools.unwrap_or_default().0, servers)?,
        tool_choice: choice,
        parallel_tool_calls: parallel,
        output,
        sampling: Sampling {
            temperature: number(body.temperature),
            top_p: set(body.top_p),
            top_k: set(body.top_k).map(|count| count as u32),
            stop: body.stop_sequences.unwrap_or_default().into_iter().map(Str::into_string).collect(),
            ..Sampling::default()
        },
        max_output_tokens: body.max_tokens.map(|count| count.0),
        reasoning,
        stream: body.stream.unwrap_or(false),
        end_user,
        service_tier: body.service_tier.map(Str::into_string),
        extensions: own,
        ..ChatRequest::default()
    };
    if breakpoints::are_too_many(&request) {
        request.extensions.push(self::own(OWN_BREAKPOINTS, "null"));
    }
    Ok(request)
}

fn number(number: Option<Number>) -> Option<f64> {
    number.map(|number| number.0)
}

/// A limit of the choice among tokens. Some clients write -1 for none, and the service takes it so; elsewhere it would
/// be refused, or be the narrowest choice.
fn set(limit: Option<Number>) -> Option<f64> {
    number(limit).filter(|limit| *limit >= 0.0)
}

fn own(key: &str, json: impl Into<String>) -> Extension {
    Extension { format: FORMAT.into(), key: key.into(), json: json.into() }
}

/// Whether the service has rules for a history that other formats do not know: for its end, if that is the model's, and
/// for media that the model shows.
fn has_rules(messages: &[Message]) -> bool {
    let is_models = |message: &&Message| message.role == Role::Assistant;
    let shows = |message: &Message| message.parts.iter().any(|part| matches!(part, Part::Media(_)));
    let last = messages.iter().rev().find(|message| !matches!(message.role, Role::System | Role::Developer));
    last.is_some_and(|last| is_models(&last)) || messages.iter().filter(is_models).any(shows)
}

/// The note on a history that the client is responsible for.
fn note() -> Extension {
    own(OWN_END, "null")
}

fn beta(request: &HttpRequest) -> Option<Extension> {
    let value = header(&request.headers, BETA).filter(|value| !value.is_empty())?;
    let mut json = String::new();
    quote(&mut json, value);
    Some(own(BETA, json))
}

fn labels(metadata: wire::Metadata<'_>, own: &mut Vec<Extension>) -> Option<String> {
    own.extend(remainder(FORMAT, "metadata", &metadata.rest));
    metadata.user_id.map(Str::into_string)
}

fn messages(system: Option<Either<'_, Block<'_>>>, turns: Vec<wire::Message<'_>>) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::with_capacity(turns.len() + 1);
    if let Some(system) = system {
        let parts = read::content(system).map_err(|error| prefixed(error, "system"))?;
        let empty = parts.iter().all(|part| matches!(part, Part::Text(text) if text.text.is_empty()));
        if !empty {
            messages.push(Message::new(Role::System, parts));
        }
    }
    for (at, turn) in turns.into_iter().enumerate() {
        let role = role(turn.role.as_deref(), at)?;
        let content = turn.content.ok_or_else(|| {
            Error::invalid(format!("messages[{at}].content: field required")).at(format!("messages[{at}].content"))
        })?;
        let mut parts = read::content(content).map_err(|error| prefixed(error, &format!("messages[{at}]")))?;
        parts.iter_mut().for_each(read::summary);
        messages.push(Message { extensions: extensions(FORMAT, turn.rest), ..Message::new(role, parts) });
    }
    Ok(messages)
}

/// Takes the system's text for the service's own accounts out of a conversation. It is no part of what is asked, and
/// changes with each request, so that no other provider would find in its cache what comes after it.
fn account(messages: &mut Vec<Message>) -> Option<Extension> {
    let first = messages.first_mut().filter(|message| message.role == Role::System)?;
    let is_account = |part: &Part| match part {
        Part::Text(text) => text.text.starts_with(ACCOUNT_TEXT) && text.cache.is_none() && text.extensions.is_empty(),
        _ => false,
    };
    first.parts.first().filter(|part| is_account(part))?;
    let Part::Text(text) = first.parts.remove(0) else { return None };
    if first.parts.is_empty() {
        messages.remove(0);
    }
    let mut json = String::new();
    object(&mut json, |o| {
        o.str("type", "text");
        o.str("text", &text.text);
    });
    Some(own(ACCOUNT, json))
}

fn prefixed(error: Error, place: &str) -> Error {
    let param = match &error.param {
        Some(param) => format!("{place}.{param}"),
        None => place.to_owned(),
    };
    Error { message: format!("{param}: {}", error.message), param: Some(param), ..error }
}

fn tools(blocks: Vec<Block<'_>>, servers: Option<&RawValue>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::with_capacity(blocks.len());
    for (at, block) in blocks.into_iter().enumerate() {
        tools.push(tool(block).map_err(|error| prefixed(error, &format!("tools[{at}]")))?);
    }
    let servers = servers.filter(|raw| !matches!(raw.get(), "null" | "[]"));
    tools.extend(servers.map(|raw| Tool::Opaque(opaque(MCP_SERVERS, raw))));
    Ok(tools)
}

fn tool(mut block: Block<'_>) -> Result<Tool, Error> {
    if !matches!(block.kind(), "" | "custom") {
        return Ok(Tool::Opaque(read::opaque(&block)));
    }
    let typed = (block.kind() == "custom").then(|| own(TYPED, "null"));
    let name = block.take_str("name")?.ok_or_else(|| Error::invalid("field required").at("name"))?;
    let parameters = block.rest.take("input_schema").map(|schema| schema.get().to_owned());
    let strict = block.take("strict")?;
    let cache = read::cache(&mut block)?;
    let description = block.description.take().map(Str::into_string);
    let extensions = extensions(FORMAT, block.rest).into_iter().chain(typed).collect();
    Ok(Tool::Function(FunctionTool { name, description, parameters, strict, cache, extensions }))
}

fn tool_choice(raw: &RawValue) -> Result<(Option<ToolChoice>, Option<bool>), Error> {
    let read: wire::ToolChoice<'_> = member("tool_choice", raw)?;
    let parallel = read.disable_parallel.map(|disabled| !disabled);
    let kind = read.kind.as_deref().unwrap_or_default();
    let choice = match (kind, read.name) {
        ("auto", _) => ToolChoice::Automatic,
        ("none", _) => ToolChoice::Disabled,
        ("any", _) => ToolChoice::Required,
        ("tool", Some(name)) => ToolChoice::Named(name.into_string()),
        _ => ToolChoice::Opaque(opaque(kind, raw)),
    };
    Ok((Some(choice), parallel))
}

fn opaque(kind: &str, raw: &RawValue) -> Opaque {
    Opaque { format: FORMAT.into(), kind: kind.to_owned(), json: raw.get().to_owned() }
}

fn member<'a, T: weir_sdk::serde::Deserialize<'a>>(key: &str, raw: &'a RawValue) -> Result<T, Error> {
    parse(raw.get()).map_err(|error| Error::invalid(format!("{key}: {error}")).at(key))
}

type ReasoningAndOutput = (Option<ReasoningRequest>, Option<OutputFormat>);

/// Parses `thinking` and `output_config`, which share the effort.
///
/// An effort without thinking is marked: in other formats an effort asks for thinking, in this one it does not.
fn thinking_and_output(
    thinking: Option<&RawValue>,
    config: Option<wire::OutputConfig<'_>>,
    old_format: Option<&RawValue>,
    own_members: &mut Vec<Extension>,
) -> Result<ReasoningAndOutput, Error> {
    let config = config.unwrap_or_default();
    own_members.extend(remainder(FORMAT, "output_config", &config.rest));
    let effort = config.effort.map(Str::into_string);
    let reasoning = match (thinking, effort) {
        (Some(raw), effort) => Some(ReasoningRequest { effort, ..reasoning(raw)? }),
        (None, Some(effort)) => {
            let mark = own(EFFORT_ONLY, "null");
            Some(ReasoningRequest { effort: Some(effort), extensions: vec![mark], ..ReasoningRequest::default() })
        }
        (None, None) => None,
    };
    let output = match (config.format, old_format) {
        (Some(raw), _) => Some(output_format(raw)?),
        (None, Some(raw)) => {
            own_members.push(own("output_format", "null"));
            Some(output_format(raw)?)
        }
        (None, None) => None,
    };
    Ok((reasoning, output))
}

fn reasoning(raw: &RawValue) -> Result<ReasoningRequest, Error> {
    let read: wire::Thinking<'_> = member("thinking", raw)?;
    let mut own_members = extensions(FORMAT, read.rest);
    let mode = match read.kind.as_deref().unwrap_or_default() {
        "disabled" => ReasoningMode::Disabled,
        "enabled" => ReasoningMode::Enabled,
        "adaptive" => ReasoningMode::Adaptive,
        _ => {
            own_members = vec![own("thinking", raw.get())];
            ReasoningMode::Adaptive
        }
    };
    let summary = read.display.map(|display| if &*display == "summarized" { "auto".into() } else { display.into() });
    let budget_tokens = read.budget_tokens.map(|count| count.0);
    Ok(ReasoningRequest { mode: Some(mode), effort: None, budget_tokens, summary, extensions: own_members })
}

fn output_format(raw: &RawValue) -> Result<OutputFormat, Error> {
    let read: wire::OutputFormat<'_> = member("output_config.format", raw)?;
    match (read.kind.as_deref(), read.schema) {
        (Some("json_schema"), Some(schema)) if read.rest.0.is_empty() => Ok(OutputFormat::Schema(JsonSchema {
            name: None,
            description: None,
            schema: schema.get().to_owned(),
            // The format only has strict schemas.
            strict: Some(true),
        })),
        (kind, _) => Ok(OutputFormat::Opaque(opaque(kind.unwrap_or_default(), raw))),
    }
}
