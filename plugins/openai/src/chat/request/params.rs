//! Thinking and structured output.

use weir_sdk::adapter::Result;
use weir_sdk::compat::wire::{FORMAT, rest_json};
use weir_sdk::json::{self, Count, RawValue, Rest, Str};
use weir_sdk::types::{Error, Extension, JsonSchema, Opaque, OutputFormat, ReasoningMode, ReasoningRequest};
use weir_sdk::wire;

wire! {
    /// `reasoning`, the object of routers.
    struct Reasoning<'a> {
        "effort" => effort: Str<'a>,
        "max_tokens" => max_tokens: Count,
        "enabled" => enabled: bool,
        "exclude" => exclude: bool,
    }

    /// `thinking`, as several compatible servers have it.
    struct Thinking<'a> {
        "type" => kind: Str<'a>,
        "budget_tokens" => budget_tokens: Count,
    }

    /// `response_format`.
    struct Format<'a> {
        "type" => kind: Str<'a>,
        "json_schema" => schema: Schema<'a>,
    }

    /// `json_schema`.
    struct Schema<'a> {
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
        "schema" => schema: &'a RawValue,
        "strict" => strict: bool,
    }
}

/// What the request says about thinking, in any of its spellings.
pub(super) fn reasoning(wire: &mut super::Request<'_>, kept: &mut Vec<Extension>) -> Result<Option<ReasoningRequest>> {
    let mut request = ReasoningRequest::default();
    request.effort = wire.reasoning_effort.take().map(Str::into_string);
    if let Some(raw) = wire.reasoning {
        match json::parse::<Reasoning<'_>>(raw.get()) {
            Ok(reasoning) => object(&mut request, reasoning),
            Err(_) => {
                kept.push(Extension {
                    format: FORMAT.to_owned(),
                    key: "reasoning".to_owned(),
                    json: raw.get().to_owned(),
                });
            }
        }
    }
    if let Some(raw) = wire.thinking {
        let thinking: Thinking<'_> =
            json::parse(raw.get()).map_err(|error| Error::invalid(format!("not readable: {error}")).at("thinking"))?;
        request.mode = match thinking.kind.as_deref() {
            Some("disabled") => Some(ReasoningMode::Disabled),
            Some("enabled") => Some(ReasoningMode::Enabled),
            Some("adaptive" | "auto") => Some(ReasoningMode::Adaptive),
            _ => request.mode,
        };
        request.budget_tokens = thinking.budget_tokens.map(|count| count.0).or(request.budget_tokens);
        keep(&mut request, "thinking", &thinking.rest);
    }
    Ok((request != ReasoningRequest::default()).then_some(request))
}

fn object(request: &mut ReasoningRequest, reasoning: Reasoning<'_>) {
    request.effort = reasoning.effort.map(Str::into_string).or(request.effort.take());
    request.budget_tokens = reasoning.max_tokens.map(|count| count.0);
    request.mode = reasoning.enabled.map(|on| if on { ReasoningMode::Enabled } else { ReasoningMode::Disabled });
    request.summary = (reasoning.exclude == Some(true)).then(|| "omitted".to_owned());
    keep(request, "reasoning", &reasoning.rest);
}

/// Keeps the members that have no name, under the name of their object.
fn keep(request: &mut ReasoningRequest, key: &str, rest: &Rest<'_>) {
    if !rest.0.is_empty() {
        request.extensions.push(Extension { format: FORMAT.to_owned(), key: key.to_owned(), json: rest_json(rest) });
    }
}

/// Reads `response_format`.
pub(super) fn output(raw: &RawValue) -> Result<OutputFormat> {
    let bad = |error| Error::invalid(format!("not readable: {error}")).at("response_format");
    let format: Format<'_> = json::parse(raw.get()).map_err(bad)?;
    let kind = format.kind.as_deref().unwrap_or_default();
    let schema = format.schema.filter(|schema| schema.rest.0.is_empty());
    Ok(match (kind, schema) {
        ("text", _) => OutputFormat::Plain,
        ("json_object", _) => OutputFormat::Json,
        ("json_schema", Some(Schema { name, description, schema: Some(schema), strict, .. })) => {
            OutputFormat::Schema(JsonSchema {
                name: name.map(Str::into_string),
                description: description.map(Str::into_string),
                schema: schema.get().to_owned(),
                strict,
            })
        }
        _ => OutputFormat::Opaque(Opaque {
            format: FORMAT.to_owned(),
            kind: kind.to_owned(),
            json: raw.get().to_owned(),
        }),
    })
}
