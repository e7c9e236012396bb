//! Parses requests: from a client's `POST /v1/responses` to the unified model.

use super::names::names;
use super::tools;
use weir_sdk::adapter::{ParsedChat, Result};
use weir_sdk::compat::end_user;
use weir_sdk::compat::responses::request::USUAL;
use weir_sdk::compat::responses::{FORMAT, namespace, note, read};
use weir_sdk::compat::wire::rest_json;
use weir_sdk::json::{self, RawValue, Rest, Str};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    AllowedTools, ChatRequest, Context, Error, Extension, HttpRequest, JsonSchema, Message, Opaque, OutputFormat, Part,
    ReasoningRequest, Role, Sampling, ToolChoice,
};

/// Members that the answer repeats.
const ECHOED: [&str; 15] = [
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "user",
    "prompt_cache_key",
];

/// What a request asks for in `include` to get log probabilities.
const LOGPROBS: &str = "\"message.output_text.logprobs\"";

/// What answers of other formats have as well: thinking comes in a form that can be sent back, and log probabilities
/// are asked for in that format's own words.
const INCLUDED: [&str; 2] = ["\"reasoning.encrypted_content\"", LOGPROBS];

/// Reads a request.
pub(crate) fn parse(ctx: &Context, request: &HttpRequest) -> Result<ParsedChat> {
    let unreadable = |error| Error::invalid(format!("the request is not readable: {error}"));
    let mut wire = Rest::parse(request.body.as_text()?).map_err(unreadable)?;
    let echo = echo(&wire);
    let mut messages = Vec::new();
    if let Some(text) = wire.str("instructions") {
        let mut message = Message::new(Role::System, vec![Part::text(text)]);
        message.extensions.push(note("instructions", ""));
        messages.push(message);
    }
    let found = input(wire.value("input"))?;
    let only_safety = wire.get("user").is_none() && wire.get(end_user::SAFETY).is_some();
    let names = names(!messages.is_empty(), &found, only_safety);
    let mut tools = tools::listed(&mut wire)?;
    let memo = tools::remember(echo, &tools::add_brought(&found, &mut tools)?);
    messages.extend(found.into_iter().map(|(message, _)| message));
    namespace::spread_calls(&mut messages);
    let tool_choice = wire.value("tool_choice").map(tool_choice);
    let mut kept = vec![note("dialect", "")];
    let (output, reasoning) = (output(&mut wire, &mut kept), wire.object("reasoning").and_then(reasoning));
    let top_logprobs = wire.count("top_logprobs");
    let asks_logprobs = wire.get("include").is_some_and(|list| list.get().contains(LOGPROBS));
    let request = ChatRequest {
        model: wire.str("model").map_or_else(|| ctx.model.clone(), Str::into_string),
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: wire.bool("parallel_tool_calls"),
        output,
        sampling: Sampling {
            temperature: wire.number("temperature"),
            top_p: wire.number("top_p"),
            logprobs: (asks_logprobs || top_logprobs.is_some_and(|n| n > 0)).then_some(true),
            top_logprobs,
            ..Sampling::default()
        },
        max_output_tokens: wire.count("max_output_tokens"),
        reasoning,
        stream: wire.bool("stream").unwrap_or(false),
        end_user: end_user::read(FORMAT, wire.str("user"), wire.str(end_user::SAFETY), &mut kept),
        metadata: wire.value("metadata").map(|raw| raw.get().to_owned()),
        service_tier: wire.str("service_tier").map(Str::into_string),
        cache_key: wire.str("prompt_cache_key").map(Str::into_string),
        extensions: Vec::new(),
    };
    if wire.get("background").is_some_and(|raw| raw.get() == "true") {
        let message = "an answer in the background can be had only where the request is relayed: ask for a model of a \
                       provider that has the Responses API, or without it";
        return Err(Error::unsupported("background", message));
    }
    kept.extend(usual(&mut wire));
    kept.extend(extensions(FORMAT, wire));
    kept.push(names);
    let request = ChatRequest { extensions: kept, ..request };
    Ok(ParsedChat { request, losses: Vec::new(), memo })
}

/// The members that ask for nothing which another format's answer lacks, as a note for this format: to leave them out
/// there is no loss. No other provider is asked to store an answer. That this one is not stays known by the member's
/// name, without a value.
fn usual(wire: &mut Rest<'_>) -> Vec<Extension> {
    let is_usual = |key: &str, value: &RawValue| match key {
        "background" | "store" => value.get() == "false",
        "truncation" => json::text(value).is_some_and(|word| &*word == "disabled"),
        "include" => json::list(value).is_some_and(|list| list.iter().all(|one| INCLUDED.contains(&one.get()))),
        _ => false,
    };
    let (usual, rest) = std::mem::take(&mut wire.0).into_iter().partition(|(key, value)| is_usual(key, value));
    wire.0 = rest;
    let usual = Rest(usual);
    let is_unstored = usual.0.iter().any(|(key, _)| &**key == "store");
    let unstored = || Extension { format: FORMAT.into(), key: "store".into(), json: "null".into() };
    let members = (!usual.0.is_empty()).then(|| note(USUAL, &rest_json(&usual)));
    members.into_iter().chain(is_unstored.then(unstored)).collect()
}

fn echo(wire: &Rest<'_>) -> String {
    let members = wire.0.iter().filter(|(key, value)| ECHOED.contains(&&**key) && value.get() != "null");
    rest_json(&Rest(members.cloned().collect()))
}

/// Parses one text, or a list of items, into messages, each with the number of its items.
fn input(raw: Option<&RawValue>) -> Result<Vec<(Message, usize)>> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    if let Some(text) = json::text(raw) {
        return Ok(vec![(Message::new(Role::User, vec![Part::text(text)]), 1)]);
    }
    let items = json::list(raw).ok_or_else(|| Error::invalid("`input` is a text or a list of items").at("input"))?;
    Ok(read::runs(&items, None))
}

fn tool_choice(raw: &RawValue) -> ToolChoice {
    let opaque = |kind: &str| {
        let json = raw.get().to_owned();
        ToolChoice::Opaque(Opaque { format: FORMAT.to_owned(), kind: kind.to_owned(), json })
    };
    if let Some(word) = json::text(raw) {
        return match &*word {
            "auto" => ToolChoice::Automatic,
            "none" => ToolChoice::Disabled,
            "required" => ToolChoice::Required,
            other => opaque(other),
        };
    }
    let mut choice = Rest::parse(raw.get()).unwrap_or_default();
    match choice.str("type").as_deref() {
        Some("function" | "custom") => {
            choice.str("name").map_or_else(|| opaque("function"), |name| ToolChoice::Named(name.into_string()))
        }
        Some("allowed_tools") => {
            let name = |raw: &&RawValue| {
                let mut tool = Rest::parse(raw.get()).ok()?;
                let known = matches!(tool.str("type").as_deref(), Some("function" | "custom"));
                tool.str("name").filter(|_| known).map(Str::into_string)
            };
            let names: Option<Vec<String>> = choice.list("tools").unwrap_or_default().iter().map(name).collect();
            let required = choice.str("mode").as_deref() == Some("required");
            names.map_or_else(|| opaque("allowed_tools"), |names| ToolChoice::Allowed(AllowedTools { names, required }))
        }
        kind => opaque(kind.unwrap_or_default()),
    }
}

/// Parses `text`: the format, and further members, which are kept under their names.
fn output(wire: &mut Rest<'_>, kept: &mut Vec<Extension>) -> Option<OutputFormat> {
    let mut text = wire.object("text")?;
    let raw = text.value("format");
    text.0.retain(|(_, value)| value.get() != "null");
    if !text.0.is_empty() {
        kept.push(Extension { format: FORMAT.to_owned(), key: "text".to_owned(), json: rest_json(&text) });
    }
    let raw = raw?;
    let mut format = Rest::parse(raw.get()).ok()?;
    let kind = format.str("type").map(Str::into_string).unwrap_or_default();
    Some(match kind.as_str() {
        "text" => OutputFormat::Plain,
        "json_object" => OutputFormat::Json,
        "json_schema" if format.get("schema").is_some() => OutputFormat::Schema(JsonSchema {
            name: format.str("name").map(Str::into_string),
            description: format.str("description").map(Str::into_string),
            schema: format.value("schema")?.get().to_owned(),
            strict: format.bool("strict"),
        }),
        _ => OutputFormat::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() }),
    })
}

/// Parses `reasoning`; without a setting it asks for nothing.
fn reasoning(mut wire: Rest<'_>) -> Option<ReasoningRequest> {
    // Its former name, which the specification still has.
    let former = wire.str("generate_summary");
    let wanted = ReasoningRequest {
        mode: None,
        effort: wire.str("effort").map(Str::into_string),
        budget_tokens: None,
        summary: wire.str("summary").or(former).map(Str::into_string),
        extensions: extensions(FORMAT, wire),
    };
    (wanted != ReasoningRequest::default()).then_some(wanted)
}
