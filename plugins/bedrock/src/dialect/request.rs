//! Parses a client's request. The path names the model, and whether the answer is streamed.

use weir_sdk::json::{Number, RawValue, Str, parse};
use weir_sdk::losses::remainder;
use weir_sdk::turns::role;
use weir_sdk::types::{
    ChatRequest, Context, Error, Extension, HttpRequest, JsonSchema, Message, Opaque, OutputFormat, ReasoningRequest,
    Role, Sampling,
};

use super::names::names;
use super::{additional, tools};
use crate::model::Model;
use crate::provider::messages::IN_PLACE;
use crate::provider::request::{INFERENCE, OUTPUT};
use crate::read::{Reader, member, within};
use crate::wire::{self, OWN_REQUEST, extensions, note};
use crate::{FORMAT, path};

/// Parses a request for an answer.
pub(crate) fn read(ctx: &Context, request: &HttpRequest) -> Result<ChatRequest, Error> {
    let body: wire::Request<'_> = parse(request.body.as_text()?).map_err(|error| unreadable(&error))?;
    let (model, operation) = target(ctx, request)?;
    Ok(ChatRequest { stream: operation == "converse-stream", ..converse(ctx, model, body)? })
}

/// The model and the operation in the path.
pub(crate) fn target<'r>(ctx: &Context, request: &'r HttpRequest) -> Result<(String, &'r str), Error> {
    let read = path::read(&request.path);
    let operation = read.as_ref().map_or("", |(_, operation)| *operation);
    let named = if ctx.model.is_empty() { read.map(|(model, _)| model) } else { Some(ctx.model.clone()) };
    let model = named.ok_or_else(|| Error::invalid("the path names no model").at("modelId"))?;
    Ok((model, operation))
}

/// The error for a body that cannot be parsed.
pub(crate) fn unreadable(error: &impl std::fmt::Display) -> Error {
    Error::invalid(format!("the body cannot be read: {error}"))
}

/// Parses the input of an answer or a token count.
pub(crate) fn converse(ctx: &Context, model: String, mut body: wire::Request<'_>) -> Result<ChatRequest, Error> {
    let issuer = Model::of(&model).issuer_of_bare();
    // The model is the path's, whatever a body names.
    body.rest.0.retain(|(name, _)| &**name != "model");
    let mut own_members = extensions("", body.rest);
    own_members.push(note(OWN_REQUEST));
    let (tools, tool_choice) = tools::read(body.tools)?;
    let inference = body.inference.unwrap_or_default();
    own_members.extend(remainder(FORMAT, INFERENCE, &inference.rest));
    let number = |number: Option<Number>| number.map(|number| number.0);
    let mut sampling = Sampling {
        temperature: number(inference.temperature),
        top_p: number(inference.top_p),
        stop: inference.stop.unwrap_or_default().into_iter().map(Str::into_string).collect(),
        ..Sampling::default()
    };
    let mut reasoning = additional::read(body.additional, &mut sampling, &mut own_members);
    let output = body.output.map_or(Ok(None), |output| output_config(output, &mut reasoning, &mut own_members))?;
    let turns = body.messages.unwrap_or_default().0;
    let n_turns = turns.len();
    let messages = messages(Reader { issuer, assistant: false, blobs: &ctx.blobs }, body.system, turns)?;
    own_members.push(names(messages.len() > n_turns));
    Ok(ChatRequest {
        model,
        messages,
        tools,
        tool_choice,
        output,
        sampling,
        max_output_tokens: inference.max_tokens.map(|count| count.0),
        reasoning,
        metadata: body.metadata.map(|raw| raw.get().to_owned()),
        service_tier: body.tier.and_then(|tier| tier.kind).map(Str::into_string),
        extensions: own_members,
        ..ChatRequest::default()
    })
}

fn messages(
    reader: Reader<'_>,
    system: Option<weir_sdk::json::Seq<wire::Block<'_>>>,
    turns: Vec<wire::Message<'_>>,
) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::with_capacity(turns.len() + 1);
    if let Some(system) = system {
        let parts = reader.content(system.0).map_err(|error| placed(error, "system"))?;
        if !parts.is_empty() {
            messages.push(Message::new(Role::System, parts));
        }
    }
    for (at, turn) in turns.into_iter().enumerate() {
        let place = format!("messages[{at}]");
        let role = role(turn.role.as_deref(), at)?;
        let content = turn.content.ok_or_else(|| Error::invalid(format!("{place}.content is missing")).at(&*place))?;
        let reader = Reader { assistant: role == Role::Assistant, ..reader };
        let parts = reader.content(content.0).map_err(|error| placed(error, &place))?;
        let mut message = Message { extensions: extensions("", turn.rest), ..Message::new(role, parts) };
        if message.role == Role::System {
            message.extensions.push(note(IN_PLACE));
        }
        messages.push(message);
    }
    Ok(messages)
}

fn placed(error: Error, place: &str) -> Error {
    let error = within(error, place);
    Error { message: format!("{}: {}", error.param.as_deref().unwrap_or_default(), error.message), ..error }
}

/// Parses `outputConfig`. An effort in it does not ask for thinking; it is added to a request for thinking if there is
/// one.
fn output_config(
    output: wire::Output<'_>,
    reasoning: &mut Option<ReasoningRequest>,
    own_members: &mut Vec<Extension>,
) -> Result<Option<OutputFormat>, Error> {
    own_members.extend(remainder(FORMAT, OUTPUT, &output.rest));
    if let Some(effort) = output.effort {
        let wish = reasoning.get_or_insert_default();
        wish.effort = Some(effort.into_string());
        wish.extensions.push(note(crate::provider::thinking::OUTPUT_EFFORT));
    }
    output.format.map(text_format).transpose()
}

/// Parses `textFormat`, whose schema is JSON text in a string.
fn text_format(raw: &RawValue) -> Result<OutputFormat, Error> {
    let read: wire::TextFormat<'_> = member("outputConfig.textFormat", raw)?;
    let kind = read.kind.map(Str::into_string).unwrap_or_default();
    let schema = read.structure.and_then(|structure| structure.schema);
    if let (Some(read), "json_schema") = (schema, kind.as_str())
        && let Some(schema) = read.schema.filter(|text| parse::<&RawValue>(text).is_ok())
    {
        return Ok(OutputFormat::Schema(JsonSchema {
            name: read.name.map(Str::into_string),
            description: read.description.map(Str::into_string),
            schema: schema.into_string(),
            // The format only has strict schemas.
            strict: Some(true),
        }));
    }
    Ok(OutputFormat::Opaque(Opaque { format: FORMAT.into(), kind, json: raw.get().to_owned() }))
}
