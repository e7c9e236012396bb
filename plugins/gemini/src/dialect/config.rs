//! Parses `generationConfig`.

use weir_sdk::json::{Number, RawValue, Str, object, parse};
use weir_sdk::sampling::seed;
use weir_sdk::types::{ChatRequest, JsonSchema, Opaque, OutputFormat, ReasoningMode, ReasoningRequest, Sampling};

use crate::provider::config::{FORMATS, OLD_SCHEMA, ONLY_TEXT, OWN_OUTPUT};
use crate::provider::thinking::{ONLY_SHOWN, OWN};
use crate::wire::{self, extensions, note, own};
use crate::{FORMAT, schema};

/// Copies the settings to the request.
pub(super) fn read(config: wire::GenerationConfig<'_>, chat: &mut ChatRequest) {
    let number = |number: Option<Number>| number.map(|number| number.0);
    let count = |count: Option<weir_sdk::json::Count>| count.map(|count| count.0);
    chat.max_output_tokens = count(config.max_tokens);
    chat.sampling = Sampling {
        temperature: number(config.temperature),
        top_p: number(config.top_p),
        top_k: count(config.top_k),
        seed: config.seed.map(seed),
        stop: config.stop.unwrap_or_default().into_iter().map(Str::into_string).collect(),
        frequency_penalty: number(config.frequency_penalty),
        presence_penalty: number(config.presence_penalty),
        candidates: count(config.candidates),
        logprobs: config.logprobs,
        top_logprobs: count(config.top_logprobs),
    };
    chat.reasoning = config.thinking.and_then(reasoning);
    output(config.mime.as_deref(), config.schema, config.json_schema, chat);
    if let Some(raw) = config.format {
        formats(raw, chat);
    }
    if let Some(raw) = config.modalities {
        chat.extensions.push(modalities(raw));
    }
    chat.extensions.extend(extensions("generationConfig.", config.rest));
}

/// The note or extension for the modalities. Text only is the default, for which a note is enough.
fn modalities(raw: &RawValue) -> weir_sdk::types::Extension {
    let list: Vec<Str<'_>> = parse(raw.get()).unwrap_or_default();
    match list.as_slice() {
        [only] if &**only == "TEXT" => note(ONLY_TEXT),
        _ => own("generationConfig.responseModalities", raw.get()),
    }
}

/// Parses the settings for thinking. A budget of 0 disables thinking, -1 leaves it to the model. Thoughts are hidden
/// unless requested. Without a setting nothing is asked for.
fn reasoning(config: wire::ThinkingConfig<'_>) -> Option<ReasoningRequest> {
    let is_empty = config.include.is_none() && config.budget.is_none() && config.level.is_none();
    if is_empty && config.rest.0.iter().all(|(_, raw)| raw.get() == "null") {
        return None;
    }
    let shown = config.include == Some(true);
    let budget = config.budget.map(|budget| budget.0);
    let effort = config.level.map(|level| level.to_ascii_lowercase());
    let effort = effort.filter(|level| level != "thinking_level_unspecified");
    let mode = match budget {
        Some(0.0) => Some(ReasoningMode::Disabled),
        Some(tokens) if tokens < 0.0 => Some(ReasoningMode::Adaptive),
        Some(_) => Some(ReasoningMode::Enabled),
        None if effort.is_none() && shown => Some(ReasoningMode::Adaptive),
        None => None,
    };
    let mut notes = extensions("", config.rest);
    notes.push(note(OWN));
    if budget.is_none() {
        notes.push(note(ONLY_SHOWN));
    }
    Some(ReasoningRequest {
        mode,
        effort,
        budget_tokens: budget.filter(|tokens| *tokens >= 0.0).map(|tokens| tokens as u32),
        summary: Some(if shown { "auto" } else { "omitted" }.to_owned()),
        extensions: notes,
    })
}

fn output(mime: Option<&str>, old: Option<&RawValue>, new: Option<&RawValue>, chat: &mut ChatRequest) {
    let is_json = matches!(mime, None | Some("application/json"));
    let schema = |schema: String| JsonSchema { name: None, description: None, schema, strict: None };
    chat.output = match (mime, new, old) {
        (_, Some(raw), None) if is_json => Some(OutputFormat::Schema(schema(raw.get().to_owned()))),
        (_, None, Some(raw)) if is_json => {
            let (json, origin) = schema::raise(raw);
            chat.extensions.extend(origin.notes(OLD_SCHEMA));
            Some(OutputFormat::Schema(schema(json)))
        }
        (Some("application/json"), None, None) => Some(OutputFormat::Json),
        (Some("text/plain"), None, None) => Some(OutputFormat::Plain),
        (None, None, None) => None,
        (mime, new, old) => Some(OutputFormat::Opaque(opaque(mime, new, old))),
    };
    chat.extensions.extend(chat.output.is_some().then(|| note(OWN_OUTPUT)));
}

/// Parses `responseFormat`, which replaces the members for the answer's type and schema: the entry for text becomes the
/// output's format. Anything else in it is kept for services of this format.
fn formats(raw: &RawValue, chat: &mut ChatRequest) {
    let entries: Vec<wire::ResponseFormat<'_>> =
        parse::<wire::Many<_>>(raw.get()).map(|many| many.0).unwrap_or_default();
    let text = entries.iter().find_map(|entry| entry.text.as_ref()).and_then(of_text);
    let whole = matches!(entries.as_slice(), [only] if only.rest.0.is_empty() && is_whole(only.text.as_ref()));
    let new = chat.output.is_none();
    if let Some(text) = text.filter(|_| new) {
        chat.output = Some(text);
        chat.extensions.extend([note(OWN_OUTPUT), note(FORMATS)]);
        if whole {
            return;
        }
    }
    chat.extensions.push(own("generationConfig.responseFormat", raw.get()));
}

/// Whether an entry has nothing but what the output's format tells.
fn is_whole(text: Option<&wire::TextFormat<'_>>) -> bool {
    text.is_some_and(|text| text.rest.0.is_empty())
}

fn of_text(text: &wire::TextFormat<'_>) -> Option<OutputFormat> {
    match (text.mime.as_deref(), text.schema) {
        (None | Some("APPLICATION_JSON" | "application/json"), Some(raw)) => {
            let schema = raw.get().to_owned();
            Some(OutputFormat::Schema(JsonSchema { name: None, description: None, schema, strict: None }))
        }
        (Some("APPLICATION_JSON" | "application/json"), None) => Some(OutputFormat::Json),
        (Some("TEXT_PLAIN" | "text/plain"), None) => Some(OutputFormat::Plain),
        _ => None,
    }
}

fn opaque(mime: Option<&str>, new: Option<&RawValue>, old: Option<&RawValue>) -> Opaque {
    let mut json = String::new();
    object(&mut json, |o| {
        o.opt_str("responseMimeType", mime);
        o.opt_raw("responseJsonSchema", new.map(RawValue::get));
        o.opt_raw("responseSchema", old.map(RawValue::get));
    });
    Opaque { format: FORMAT.into(), kind: mime.unwrap_or_default().to_owned(), json }
}
