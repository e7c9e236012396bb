//! Parses settings for thinking and structured output.

use weir_sdk::adapter::Result;
use weir_sdk::compat::reasoning::note;
use weir_sdk::compat::request::SWITCHED;
use weir_sdk::compat::wire::{FORMAT, rest_json};
use weir_sdk::json::{self, Count, Number, RawValue, Rest, Str};
use weir_sdk::types::{Error, Extension, JsonSchema, Opaque, OutputFormat, ReasoningMode, ReasoningRequest};

/// The settings for thinking, in any spelling: `reasoning_effort`, the `reasoning` of routers, the `thinking` of
/// several compatible servers.
pub(super) fn reasoning(wire: &mut super::Request<'_>, kept: &mut Vec<Extension>) -> Result<Option<ReasoningRequest>> {
    let mut request = wire.reasoning_effort.map(effort).transpose()?.unwrap_or_default();
    for (key, raw) in [("reasoning", wire.reasoning), ("thinking", wire.thinking)] {
        let Some(raw) = raw else { continue };
        let Ok(mut members) = Rest::parse(raw.get()) else {
            kept.push(extension(key, raw.get().to_owned()));
            continue;
        };
        if key == "reasoning" {
            object(&mut request, &mut members);
        } else {
            thinking(&mut request, &mut members);
        }
        members.0.retain(|(_, value)| value.get() != "null");
        if !members.0.is_empty() {
            request.extensions.push(extension(key, rest_json(&members)));
        }
    }
    Ok((request != ReasoningRequest::default()).then_some(request))
}

/// Reads `reasoning_effort`: a level, or at some servers a budget of tokens or a switch.
fn effort(raw: &RawValue) -> Result<ReasoningRequest> {
    if let Some(level) = json::text(raw) {
        return Ok(ReasoningRequest { effort: Some(level.into_string()), ..ReasoningRequest::default() });
    }
    let mode = match raw.get() {
        "true" => Some(ReasoningMode::Enabled),
        "false" => Some(ReasoningMode::Disabled),
        _ => None,
    };
    if mode.is_some() {
        return Ok(ReasoningRequest { mode, ..ReasoningRequest::default() });
    }
    let budget = json::parse::<Count>(raw.get());
    let budget = budget.map_err(|_| Error::invalid("it must be a level, such as \"low\"").at("reasoning_effort"))?;
    Ok(ReasoningRequest { budget_tokens: Some(budget.0), ..ReasoningRequest::default() })
}

/// Reads `logprobs`: a flag, or at some servers the number of alternatives for each token.
pub(super) fn logprobs(raw: Option<&RawValue>) -> Result<(Option<bool>, Option<u32>)> {
    match raw.map(RawValue::get) {
        None => Ok((None, None)),
        Some("true") => Ok((Some(true), None)),
        Some("false") => Ok((Some(false), None)),
        Some(number) => match json::parse::<Count>(number) {
            Ok(Count(0)) => Ok((Some(false), None)),
            Ok(Count(alternatives)) => Ok((Some(true), Some(alternatives))),
            Err(_) => Err(Error::invalid("it must be true, false or a number").at("logprobs")),
        },
    }
}

/// Reads a limit. Some servers take a negative number for "no limit", which is kept for this format; others get none.
pub(super) fn limit(number: Option<Number>, key: &str, kept: &mut Vec<Extension>) -> Option<u32> {
    let number = number?.0;
    if number >= 0.0 {
        // The cast saturates.
        return Some(number as u32);
    }
    let mut json = String::new();
    json::number(&mut json, number);
    kept.push(extension(key, json));
    None
}

fn extension(key: &str, json: String) -> Extension {
    Extension { format: FORMAT.to_owned(), key: key.to_owned(), json }
}

fn object(request: &mut ReasoningRequest, members: &mut Rest<'_>) {
    request.effort = members.str("effort").map(Str::into_string).or(request.effort.take());
    request.budget_tokens = members.count("max_tokens");
    request.mode = members.bool("enabled").map(|on| if on { ReasoningMode::Enabled } else { ReasoningMode::Disabled });
    request.extensions.extend(request.mode.is_some().then(|| note(SWITCHED, "")));
    let shown = members.str("summary").map(Str::into_string);
    request.summary = if members.bool("exclude") == Some(true) { Some("omitted".to_owned()) } else { shown };
}

fn thinking(request: &mut ReasoningRequest, members: &mut Rest<'_>) {
    request.mode = match members.str("type").as_deref() {
        Some("disabled") => Some(ReasoningMode::Disabled),
        Some("enabled") => Some(ReasoningMode::Enabled),
        Some("adaptive" | "auto") => Some(ReasoningMode::Adaptive),
        _ => request.mode,
    };
    request.budget_tokens = members.count("budget_tokens").or(request.budget_tokens);
}

/// Reads `response_format`.
pub(super) fn output(raw: &RawValue) -> Result<OutputFormat> {
    let bad = |error| Error::invalid(format!("not readable: {error}")).at("response_format");
    let mut format = Rest::parse(raw.get()).map_err(bad)?;
    let kind = format.str("type").map(Str::into_string).unwrap_or_default();
    let schema = match kind.as_str() {
        "json_schema" => format.object("json_schema").or_else(|| own_schema(&mut format)).and_then(schema),
        "json_object" => own_schema(&mut format).and_then(schema).or_else(|| constraint(&mut format)),
        "json" => constraint(&mut format),
        _ => None,
    };
    Ok(match (kind.as_str(), schema) {
        ("text", _) => OutputFormat::Plain,
        (_, Some(schema)) => OutputFormat::Schema(schema),
        ("json_object", None) if !format.0.iter().any(|(_, value)| value.get() != "null") => OutputFormat::Json,
        _ => OutputFormat::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() }),
    })
}

/// The members of a format that has its schema in itself, as several compatible servers take it.
fn own_schema<'a>(format: &mut Rest<'a>) -> Option<Rest<'a>> {
    format.get("schema").filter(|schema| schema.get().starts_with('{'))?;
    Some(std::mem::take(format))
}

/// The schema of Text Generation Inference, which calls it `value` (`GrammarType`); it may be written as a text.
fn constraint(format: &mut Rest<'_>) -> Option<JsonSchema> {
    let value = format.get("value").map(|raw| json::text(raw).map_or_else(|| raw.get().to_owned(), Str::into_string));
    let schema = value.filter(|schema| schema.starts_with('{'))?;
    format.take("value");
    Some(JsonSchema { name: None, description: None, schema, strict: None })
}

/// Parses `json_schema`; `None` if it has no schema, or members that other formats lack.
fn schema(mut members: Rest<'_>) -> Option<JsonSchema> {
    let schema = JsonSchema {
        name: members.str("name").map(Str::into_string),
        description: members.str("description").map(Str::into_string),
        schema: members.value("schema")?.get().to_owned(),
        strict: members.bool("strict"),
    };
    members.0.iter().all(|(_, value)| value.get() == "null").then_some(schema)
}
