//! Parses a client's request.

use weir_sdk::json::{Count, Number, RawValue, Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::sampling::seed;
use weir_sdk::types::{
    ChatRequest, Context, Error, Extension, FunctionTool, HttpRequest, JsonSchema, Message, OutputFormat, Part,
    ReasoningMode, ReasoningRequest, Role, Sampling, Tool, ToolChoice,
};

use super::names::names;
use crate::wire::{self, Request, ResponseFormat, Thinking};
use crate::write::mark;
use crate::{DOCUMENTS, FORMAT, NO_K, OUTPUT, read};

/// Parses a request for an answer.
pub(super) fn read(ctx: &Context, request: &HttpRequest) -> Result<ChatRequest, Error> {
    let body: Request<'_> =
        parse(request.body.as_text()?).map_err(|error| Error::invalid(format!("the body cannot be read: {error}")))?;
    let mut own = extensions(FORMAT, body.rest);
    own.push(names());
    let turns = body.messages.ok_or_else(|| read::required("messages"))?.0;
    let mut messages = Vec::with_capacity(turns.len());
    for (at, turn) in turns.into_iter().enumerate() {
        messages.push(message(turn).map_err(|error| prefixed(error, at))?);
    }
    if let Some(all) = body.documents {
        documents(&all, &mut messages, &mut own);
    }
    if body.k == Some(Count(0)) {
        own.push(mark(NO_K, "null"));
    }
    own.extend(body.response_format.is_some().then(|| mark(OUTPUT, "null")));
    let (tools, choice) =
        tools(body.tools.unwrap_or_default().0, body.strict_tools, body.tool_choice.as_deref(), &mut own)?;
    Ok(ChatRequest {
        model: body.model.map_or_else(|| ctx.model.clone(), Str::into_string),
        messages,
        tools,
        tool_choice: choice,
        output: body.response_format.map(output).transpose()?,
        sampling: Sampling {
            temperature: number(body.temperature),
            top_p: number(body.p),
            top_k: body.k.map(|count| count.0).filter(|k| *k > 0),
            seed: body.seed.map(seed),
            stop: body.stop_sequences.unwrap_or_default().into_iter().map(Str::into_string).collect(),
            frequency_penalty: number(body.frequency_penalty),
            presence_penalty: number(body.presence_penalty),
            logprobs: body.logprobs,
            ..Sampling::default()
        },
        max_output_tokens: body.max_tokens.map(|count| count.0),
        reasoning: body.thinking.map(thinking).transpose()?,
        stream: body.stream.unwrap_or(false),
        extensions: own,
        ..ChatRequest::default()
    })
}

fn number(number: Option<Number>) -> Option<f64> {
    number.map(|number| number.0)
}

fn prefixed(error: Error, at: usize) -> Error {
    let param = match &error.param {
        Some(param) => format!("messages[{at}].{param}"),
        None => format!("messages[{at}]"),
    };
    Error { message: format!("{param}: {}", error.message), ..error.at(param) }
}

fn message(turn: wire::Message<'_>) -> Result<Message, Error> {
    let role = match turn.role.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("user") => Role::User,
        Some("assistant" | "chatbot") => Role::Assistant,
        Some("tool") => return Ok(Message::new(Role::Tool, vec![Part::ToolResult(read::tool_result(turn)?)])),
        _ => return Err(Error::invalid("must be `system`, `user`, `assistant` or `tool`").at("role")),
    };
    let (parts, extensions) = read::parts(turn)?;
    Ok(Message { extensions, ..Message::new(role, parts) })
}

/// Adds documents beside the messages to the user's last message. An empty list only leaves a note.
fn documents(all: &[&RawValue], messages: &mut Vec<Message>, own: &mut Vec<Extension>) {
    if all.is_empty() {
        return own.push(mark(DOCUMENTS, "null"));
    }
    let media = all.iter().map(|raw| Part::Media(read::document(raw)));
    match messages.iter_mut().rfind(|message| message.role == Role::User) {
        Some(asked) => {
            asked.parts.splice(0..0, media);
        }
        None => messages.push(Message::new(Role::User, media.collect())),
    }
}

type ToolsAndChoice = (Vec<Tool>, Option<ToolChoice>);

fn tools(
    wires: Vec<wire::Tool<'_>>,
    strict: Option<bool>,
    choice: Option<&str>,
    own: &mut Vec<Extension>,
) -> Result<ToolsAndChoice, Error> {
    if wires.is_empty() {
        own.extend(strict.map(|strict| mark("strict_tools", if strict { "true" } else { "false" })));
    }
    let mut tools = Vec::with_capacity(wires.len());
    for (at, wire) in wires.into_iter().enumerate() {
        let function = wire.function.unwrap_or_default();
        let name = function.name.ok_or_else(|| read::required(&format!("tools[{at}].function.name")))?;
        tools.push(Tool::Function(FunctionTool {
            name: name.into_string(),
            description: function.description.map(Str::into_string),
            parameters: function.parameters.map(|raw| raw.get().to_owned()),
            strict,
            cache: None,
            extensions: extensions(FORMAT, function.rest),
        }));
    }
    let choice = match choice.map(str::to_ascii_uppercase).as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Required),
        Some("NONE") => Some(ToolChoice::Disabled),
        Some("AUTO") => Some(ToolChoice::Automatic),
        Some(_) => return Err(Error::invalid("tool_choice: must be `REQUIRED` or `NONE`").at("tool_choice")),
    };
    Ok((tools, choice))
}

fn output(raw: &RawValue) -> Result<OutputFormat, Error> {
    let wrong = |error| Error::invalid(format!("response_format: {error}")).at("response_format");
    let read: ResponseFormat<'_> = parse(raw.get()).map_err(wrong)?;
    Ok(match (read.kind.as_deref(), read.schema) {
        (Some("text"), _) => OutputFormat::Plain,
        (Some("json_object"), None) => OutputFormat::Json,
        (Some("json_object"), Some(schema)) => OutputFormat::Schema(JsonSchema {
            name: None,
            description: None,
            schema: schema.get().to_owned(),
            strict: None,
        }),
        (kind, _) => OutputFormat::Opaque(read::opaque(kind.unwrap_or_default(), raw)),
    })
}

fn thinking(raw: &RawValue) -> Result<ReasoningRequest, Error> {
    let wrong = |error| Error::invalid(format!("thinking: {error}")).at("thinking");
    let read: Thinking<'_> = parse(raw.get()).map_err(wrong)?;
    let mode = match read.kind.as_deref() {
        Some("disabled") => ReasoningMode::Disabled,
        _ => ReasoningMode::Enabled,
    };
    let mut kept = extensions(FORMAT, read.rest);
    kept.push(mark(crate::THINKING, "null"));
    let budget_tokens = read.token_budget.map(|count| count.0);
    Ok(ReasoningRequest { mode: Some(mode), budget_tokens, extensions: kept, ..ReasoningRequest::default() })
}
