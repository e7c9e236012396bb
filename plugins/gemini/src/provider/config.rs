//! Renders `generationConfig`: sampling, limits, the answer's format, thinking.

use weir_sdk::json::{Object, array, object, parse, quote};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{ChatRequest, Error, OutputFormat, Sampling};

use super::request::Target;
use super::thinking;
use crate::FORMAT;
use crate::schema::{self, Origin};
use crate::wire::{Unnamed, is_noted};

/// Key of the note on a request whose answer may only be text, which is the default.
pub(crate) const ONLY_TEXT: &str = "generationConfig.responseModalities=TEXT";
/// Key of the note on a schema in the older member.
pub(crate) const OLD_SCHEMA: &str = "responseSchema";
/// Key of the note on a request whose answer's format came in this format and is not checked.
pub(crate) const OWN_OUTPUT: &str = "responseMimeType";
/// Key of the note on a request whose answer's format came in `responseFormat`, which replaces those members.
pub(crate) const FORMATS: &str = "responseFormat";
/// Most stop sequences that the service takes.
const STOPS: usize = 5;

/// The members, without braces.
pub(super) struct Config {
    pub(super) json: String,
}

impl Config {
    /// Decides on the members and renders them.
    pub(super) fn read(target: Target<'_>, request: &ChatRequest, losses: &mut Losses) -> Result<Self, Error> {
        let output = output(target, request, losses)?;
        let thinking = thinking::write(target.generation, request, losses);
        let mut json = String::new();
        object(&mut json, |o| {
            o.opt_num("maxOutputTokens", request.max_output_tokens);
            sampling(o, target, &request.sampling, losses);
            for (key, value) in &output {
                o.raw(key, value);
            }
            o.opt_raw("thinkingConfig", thinking.as_deref());
            if is_noted(&request.extensions, ONLY_TEXT) {
                o.raw("responseModalities", r#"["TEXT"]"#);
            }
            for own in request.extensions.iter().filter(|own| own.format == FORMAT && own.json != "null") {
                if let Some(name) = own.key.strip_prefix("generationConfig.") {
                    o.raw(name, &own.json);
                }
            }
        });
        let inner = json.strip_prefix('{').and_then(|json| json.strip_suffix('}')).unwrap_or_default();
        Ok(Self { json: inner.to_owned() })
    }
}

fn sampling(o: &mut Object<'_>, target: Target<'_>, sampling: &Sampling, losses: &mut Losses) {
    if let Some(wanted) = sampling.temperature {
        if !(0.0..=2.0).contains(&wanted) {
            losses.clamped("temperature", "it lies between 0 and 2");
        }
        o.num("temperature", wanted.clamp(0.0, 2.0));
    }
    o.opt_num("topP", sampling.top_p);
    o.opt_num("topK", sampling.top_k);
    if let Some(seed) = &sampling.seed {
        match seed.parse::<i32>() {
            Ok(seed) => o.num("seed", seed),
            Err(_) => losses.dropped("seed", "it must be a whole number of 32 bits"),
        }
    }
    if sampling.stop.len() > STOPS {
        losses.clamped("stop", "the service takes five sequences");
    }
    if !sampling.stop.is_empty() {
        o.array("stopSequences", |a| sampling.stop.iter().take(STOPS).for_each(|stop| a.str(stop)));
    }
    o.opt_num("presencePenalty", penalty(target, "presence_penalty", sampling.presence_penalty, losses));
    o.opt_num("frequencyPenalty", penalty(target, "frequency_penalty", sampling.frequency_penalty, losses));
    o.opt_num("candidateCount", sampling.candidates);
    o.opt_bool("responseLogprobs", sampling.logprobs);
    // The number alone asks for nothing, and the service refuses it. Responses' clients may send it.
    o.opt_num("logprobs", sampling.top_logprobs.filter(|_| sampling.logprobs == Some(true)));
}

/// A penalty, if the model takes it. The service refuses all but 0 for most models.
fn penalty(target: Target<'_>, field: &str, wanted: Option<f64>, losses: &mut Losses) -> Option<f64> {
    let taken = wanted.filter(|penalty| target.penalties || *penalty == 0.0);
    losses.dropped_if(wanted.is_some() && taken.is_none(), field, "the model takes no penalties");
    taken
}

type Members = Vec<(&'static str, String)>;

fn output(target: Target<'_>, request: &ChatRequest, losses: &mut Losses) -> Result<Members, Error> {
    let json_type = || ("responseMimeType", "\"application/json\"".to_owned());
    let is_json = matches!(request.output, Some(OutputFormat::Json | OutputFormat::Schema(_)));
    let refused = !target.json_with_functions && !is_noted(&request.extensions, OWN_OUTPUT);
    if is_json && refused && super::tools::are_declared(request) {
        losses.dropped("response_format", "the model takes either functions or a format of the answer");
        return Ok(Vec::new());
    }
    if is_noted(&request.extensions, FORMATS) {
        return Ok(formats(request));
    }
    match &request.output {
        None | Some(OutputFormat::Plain) => Ok(Vec::new()),
        Some(OutputFormat::Json) => Ok(vec![json_type()]),
        Some(OutputFormat::Schema(wanted)) => {
            losses.dropped_if(wanted.description.is_some(), "response_format.description", "there is no place for it");
            let origin = Origin::of(&request.extensions, OLD_SCHEMA);
            let member = if target.old_schemas || origin.old {
                ("responseSchema", schema::lower(&wanted.schema, "response_format.schema", origin, losses)?)
            } else {
                ("responseJsonSchema", wanted.schema.clone())
            };
            Ok(vec![json_type(), member])
        }
        Some(OutputFormat::Opaque(opaque)) if opaque.format == FORMAT => {
            let own: Unnamed<'_> = parse(&opaque.json).unwrap_or_default();
            let member = |key: &str| match key {
                "responseMimeType" => Some("responseMimeType"),
                "responseSchema" => Some("responseSchema"),
                "responseJsonSchema" => Some("responseJsonSchema"),
                _ => None,
            };
            Ok(own.rest.0.iter().filter_map(|(key, raw)| Some((member(key)?, raw.get().to_owned()))).collect())
        }
        Some(OutputFormat::Opaque(_)) => {
            losses.dropped("response_format", "it belongs to another format");
            Ok(Vec::new())
        }
    }
}

/// The member `responseFormat`, in which the client gave the format; none if it comes back as it was.
fn formats(request: &ChatRequest) -> Members {
    if extension(&request.extensions, FORMAT, "generationConfig.responseFormat").is_some() {
        return Vec::new();
    }
    let (mime, schema) = match &request.output {
        Some(OutputFormat::Plain) => ("TEXT_PLAIN", None),
        Some(OutputFormat::Schema(wanted)) => ("APPLICATION_JSON", Some(wanted.schema.as_str())),
        _ => ("APPLICATION_JSON", None),
    };
    let mut out = String::new();
    array(&mut out, |a| {
        a.object(|o| {
            o.object("text", |o| {
                o.str("mimeType", mime);
                o.opt_raw("schema", schema);
            });
        });
    });
    vec![("responseFormat", out)]
}

/// A list of names, as JSON.
pub(super) fn names(list: &[String]) -> String {
    let mut out = String::new();
    array(&mut out, |a| list.iter().for_each(|name| quote(a.value(), name)));
    out
}
