//! Parses settings for thinking and structured output.

use weir_sdk::adapter::Result;
use weir_sdk::compat::wire::{FORMAT, rest_json};
use weir_sdk::json::{RawValue, Rest, Str};
use weir_sdk::types::{Error, Extension, JsonSchema, Opaque, OutputFormat, ReasoningMode, ReasoningRequest};

/// The settings for thinking, in any spelling: `reasoning_effort`, the `reasoning` of routers, the `thinking` of
/// several compatible servers.
pub(super) fn reasoning(wire: &mut super::Request<'_>, kept: &mut Vec<Extension>) -> Option<ReasoningRequest> {
    let effort = wire.reasoning_effort.take().map(Str::into_string);
    let mut request = ReasoningRequest { effort, ..ReasoningRequest::default() };
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
        if !members.0.is_empty() {
            request.extensions.push(extension(key, rest_json(&members)));
        }
    }
    (request != ReasoningRequest::default()).then_some(request)
}

fn extension(key: &str, json: String) -> Extension {
    Extension { format: FORMAT.to_owned(), key: key.to_owned(), json }
}

fn object(request: &mut ReasoningRequest, members: &mut Rest<'_>) {
    request.effort = members.str("effort").map(Str::into_string).or(request.effort.take());
    request.budget_tokens = members.count("max_tokens");
    request.mode = members.bool("enabled").map(|on| if on { ReasoningMode::Enabled } else { ReasoningMode::Disabled });
    request.summary = (members.bool("exclude") == Some(true)).then(|| "omitted".to_owned());
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
    let schema = format.object("json_schema").filter(|_| kind == "json_schema").and_then(schema);
    Ok(match (kind.as_str(), schema) {
        ("text", _) => OutputFormat::Plain,
        ("json_object", _) => OutputFormat::Json,
        (_, Some(schema)) => OutputFormat::Schema(schema),
        _ => OutputFormat::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() }),
    })
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
