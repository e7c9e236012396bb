//! Renders the request for the service.

use weir_sdk::json::{Object, object, quote};
use weir_sdk::losses::Losses;
use weir_sdk::schema::{choices, described_within};
use weir_sdk::types::{ChatRequest, Context, Error, HttpRequest, OutputFormat, RenderedRequest, Sampling};

use super::{documents, messages, thinking, tools};
use crate::provider::model;
use crate::write::{self, marked};
use crate::{DOCUMENTS, FORMAT, NO_K, OUTPUT};

/// Most stop sequences that the service takes.
const MAX_STOP: usize = 5;

/// Renders a request for an answer.
pub(super) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let mut losses = Losses::default();
    let request = &*choices::said(request, &mut losses);
    let mut names = super::names();
    let asked = model(ctx, &request.model);
    let tools = tools::write(request, &mut names, &mut losses)?;
    let messages = messages::write(ctx, request, &mut names, &mut losses)?;
    let documents = documents::write(request);
    let format = output(request, !tools.is_empty() || !documents.is_empty(), &mut losses);
    let mut body = String::with_capacity(messages.len() + 1024);
    object(&mut body, |o| {
        o.str("model", asked);
        o.raw("messages", &messages);
        if !documents.is_empty() || marked(&request.extensions, DOCUMENTS) {
            o.raw(DOCUMENTS, &format!("[{documents}]"));
        }
        tools.write(o);
        o.opt_raw("response_format", format.as_deref());
        thinking::write(o, asked, request, &mut losses);
        o.opt_num("max_tokens", request.max_output_tokens);
        sampling(o, &request.sampling, &mut losses);
        if request.sampling.top_k.is_none() && marked(&request.extensions, NO_K) {
            o.num("k", 0);
        }
        if request.stream {
            o.bool("stream", true);
        }
        write::own(&request.extensions, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
    });
    report_unsupported(request, &mut losses);
    losses.foreign("", &request.extensions, FORMAT);
    let rendered = RenderedRequest::new(HttpRequest::post("v2/chat", body));
    Ok(RenderedRequest { losses: losses.into_losses(), memo: names.to_memo(), ..rendered })
}

/// The answer's format. The service takes JSON neither with tools nor with documents, which `beside` tells.
fn output(request: &ChatRequest, beside: bool, losses: &mut Losses) -> Option<String> {
    let is_json = matches!(request.output, Some(OutputFormat::Json | OutputFormat::Schema(_)));
    if is_json && beside && !marked(&request.extensions, OUTPUT) {
        losses.dropped("response_format", "the service takes either JSON or tools and documents");
        return None;
    }
    let mut json = String::new();
    match request.output.as_ref()? {
        OutputFormat::Plain => object(&mut json, |o| o.str("type", "text")),
        OutputFormat::Json => object(&mut json, |o| o.str("type", "json_object")),
        OutputFormat::Schema(schema) => object(&mut json, |o| {
            o.str("type", "json_object");
            o.raw("json_schema", &described_within(schema, losses));
        }),
        OutputFormat::Opaque(opaque) if opaque.format == FORMAT => json.push_str(&opaque.json),
        OutputFormat::Opaque(_) => {
            losses.dropped("response_format", "it belongs to another format");
            return None;
        }
    }
    Some(json)
}

/// Writes the sampling parameters, each moved into its range.
fn sampling(o: &mut Object<'_>, sampling: &Sampling, losses: &mut Losses) {
    let mut within = |o: &mut Object<'_>, name: &str, theirs: &str, value: Option<f64>, range: (f64, f64)| {
        let Some(wanted) = value else { return };
        let allowed = wanted.clamp(range.0, range.1);
        if (allowed - wanted).abs() > f64::EPSILON {
            losses.clamped(theirs, &format!("it lies between {} and {}", range.0, range.1));
        }
        o.num(name, allowed);
    };
    within(o, "temperature", "temperature", sampling.temperature, (0.0, 1.0));
    within(o, "p", "top_p", sampling.top_p, (0.01, 0.99));
    within(o, "k", "top_k", sampling.top_k.map(f64::from), (0.0, 500.0));
    within(o, "frequency_penalty", "frequency_penalty", sampling.frequency_penalty, (0.0, 1.0));
    within(o, "presence_penalty", "presence_penalty", sampling.presence_penalty, (0.0, 1.0));
    if let Some(seed) = &sampling.seed {
        match seed.parse::<u64>() {
            Ok(_) => o.raw("seed", seed),
            Err(_) => losses.dropped("seed", "it must be a whole number that is not negative"),
        }
    }
    let stop = &sampling.stop;
    losses.dropped_if(stop.len() > MAX_STOP, "stop", "the first five stop sequences are taken");
    if !stop.is_empty() {
        o.array("stop_sequences", |a| stop.iter().take(MAX_STOP).for_each(|one| quote(a.value(), one)));
    }
    o.opt_bool("logprobs", sampling.logprobs);
}

/// Reports the settings that the format has no place for.
fn report_unsupported(request: &ChatRequest, losses: &mut Losses) {
    const NONE: &str = "the format has no place for it";
    losses.dropped_if(request.sampling.candidates.is_some_and(|n| n > 1), "n", "there is one answer to a request");
    losses.dropped_if(request.sampling.top_logprobs.is_some_and(|n| n > 0), "top_logprobs", NONE);
    losses.dropped_if(request.end_user.is_some(), "user", NONE);
    losses.dropped_if(request.metadata.as_deref().is_some_and(|json| json != "{}"), "metadata", NONE);
    losses.dropped_if(request.service_tier.as_deref().is_some_and(|tier| tier != "auto"), "service_tier", NONE);
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "prompts are cached by their content");
}
