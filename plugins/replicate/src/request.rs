//! Renders the request for a prediction.

use weir_sdk::json::{Object, Rest, object};
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    ChatRequest, Context, Error, Header, HttpRequest, OutputFormat, ReasoningMode, RenderedRequest, ToolChoice,
};

use crate::FORMAT;
use crate::inputs::Inputs;
use crate::memo::{Memo, Phase};
use crate::model_name::ModelName;
use crate::prompt::{Prompt, append};

const NONE: &str = "the model has no such input";
const NO_PLACE: &str = "predictions have no place for it";

pub(crate) fn write(ctx: &Context, request: &ChatRequest) -> Result<RenderedRequest, Error> {
    let model = ModelName::parse(if ctx.model.is_empty() { &request.model } else { &ctx.model })?;
    refuse_tools(request)?;
    let inputs = Inputs::of(&model, ctx);
    let mut losses = Losses::default();
    let prompt = Prompt::read(ctx, request, &mut losses)?;
    if prompt.images.len() > 1 && inputs.images.is_none() {
        return Err(Error::unsupported("messages", "the model takes one image"));
    }
    if !prompt.images.is_empty() && inputs.images.is_none() && inputs.image.is_none() {
        return Err(Error::unsupported("messages", "the model takes no images"));
    }
    let streams = request.stream && ctx.option_str("stream").as_deref() != Some("poll");
    let mut body = String::new();
    object(&mut body, |o| {
        if let Some(version) = model.version() {
            o.str("version", version);
        }
        o.object("input", |o| input(o, ctx, request, &prompt, &inputs, &mut losses));
        if streams {
            o.bool("stream", true);
        }
    });
    report_unsupported(request, &mut losses);
    let mut http = HttpRequest::post(model.path(), body);
    if !streams {
        http.headers.push(Header::new("prefer", prefer(ctx)));
    }
    let memo = Memo::new(if streams { Phase::Streamed } else { Phase::Waited });
    Ok(RenderedRequest { losses: losses.into_losses(), memo: memo.to_text(), ..RenderedRequest::new(http) })
}

/// The header `prefer`: the service delays its answer until the prediction is finished, by default for up to a minute.
fn prefer(ctx: &Context) -> String {
    match ctx.option("wait_seconds").and_then(|json| json.parse::<u32>().ok()) {
        Some(seconds) => format!("wait={}", seconds.clamp(1, 60)),
        None => "wait".to_owned(),
    }
}

fn refuse_tools(request: &ChatRequest) -> Result<(), Error> {
    let forced = !matches!(request.tool_choice, None | Some(ToolChoice::Automatic | ToolChoice::Disabled));
    if request.tools.is_empty() && !forced {
        return Ok(());
    }
    Err(Error::unsupported("tools", "models of this provider know no tools"))
}

fn input(
    o: &mut Object<'_>,
    ctx: &Context,
    request: &ChatRequest,
    prompt: &Prompt,
    inputs: &Inputs,
    losses: &mut Losses,
) {
    let mut text = prompt.text(inputs.turns, losses);
    match &inputs.system {
        Some(name) => o.opt_str(name, Some(prompt.system.as_str()).filter(|system| !system.is_empty())),
        None if prompt.system.is_empty() => {}
        None => {
            let mut whole = prompt.system.clone();
            append(&mut whole, &text);
            text = whole;
            losses.approximated("messages", "system text stands in front of the prompt");
        }
    }
    o.str("prompt", &text);
    images(o, prompt, inputs);
    limit(o, request, inputs, losses);
    sampling(o, request, inputs, losses);
    reasoning(o, request, inputs, losses);
    let fixed = ctx.option("input").and_then(|json| Rest::parse(json).ok()).unwrap_or_default();
    fixed.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
}

fn images(o: &mut Object<'_>, prompt: &Prompt, inputs: &Inputs) {
    let Some(first) = prompt.images.first() else { return };
    match (&inputs.images, &inputs.image) {
        (Some(name), _) => o.opt_strs(name, &prompt.images),
        (None, Some(name)) => o.str(name, first),
        (None, None) => {}
    }
}

fn limit(o: &mut Object<'_>, request: &ChatRequest, inputs: &Inputs, losses: &mut Losses) {
    let Some(wanted) = request.max_output_tokens else { return };
    let Some(name) = &inputs.limit else { return losses.dropped("max_tokens", NONE) };
    if wanted < inputs.least {
        losses.clamped("max_tokens", "the model takes no lower limit");
    }
    o.num(name, wanted.max(inputs.least));
}

fn sampling(o: &mut Object<'_>, request: &ChatRequest, inputs: &Inputs, losses: &mut Losses) {
    let sampling = &request.sampling;
    let mut number = |field: &str, name: &Option<String>, value: Option<f64>| match (name, value) {
        (_, None) => {}
        (Some(name), Some(value)) => o.num(name, value),
        (None, Some(_)) => losses.dropped(field, NONE),
    };
    number("temperature", &inputs.temperature, sampling.temperature);
    number("top_p", &inputs.top_p, sampling.top_p);
    number("top_k", &inputs.top_k, sampling.top_k.map(f64::from));
    number("presence_penalty", &inputs.presence, sampling.presence_penalty);
    number("frequency_penalty", &inputs.frequency, sampling.frequency_penalty);
    number("seed", &inputs.seed, sampling.seed.as_deref().and_then(|seed| seed.parse().ok()));
    if sampling.stop.is_empty() {
        return;
    }
    let fit = sampling.stop.iter().all(|stop| !stop.contains(','));
    match &inputs.stop {
        Some(name) if fit => o.str(name, &sampling.stop.join(",")),
        Some(_) => losses.dropped("stop", "sequences are parted by commas, so none may hold one"),
        None => losses.dropped("stop", NONE),
    }
}

fn reasoning(o: &mut Object<'_>, request: &ChatRequest, inputs: &Inputs, losses: &mut Losses) {
    let Some(wanted) = &request.reasoning else { return };
    losses.foreign("reasoning.", &wanted.extensions, FORMAT);
    let off = wanted.mode == Some(ReasoningMode::Disabled) || wanted.effort.as_deref() == Some("none");
    if off {
        return;
    }
    match (&inputs.effort, &wanted.effort) {
        (Some(name), Some(effort)) => o.str(name, effort),
        (None, Some(_)) if inputs.thinking.is_none() => losses.dropped("reasoning.effort", NONE),
        _ => {}
    }
    if let Some(name) = &inputs.thinking {
        o.bool(name, true);
    }
    match (&inputs.budget, wanted.budget_tokens) {
        (Some(name), Some(budget)) => o.num(name, budget),
        (None, Some(_)) => losses.dropped("reasoning.budget_tokens", NONE),
        (_, None) => {}
    }
}

/// Reports the settings that no model of this provider takes.
fn report_unsupported(request: &ChatRequest, losses: &mut Losses) {
    let sampling = &request.sampling;
    let shaped = !matches!(request.output, None | Some(OutputFormat::Plain));
    losses.dropped_if(shaped, "response_format", NO_PLACE);
    losses.dropped_if(sampling.candidates.is_some_and(|n| n > 1), "n", "there is one answer to a request");
    losses.dropped_if(sampling.logprobs == Some(true), "logprobs", NO_PLACE);
    losses.dropped_if(sampling.top_logprobs.is_some_and(|n| n > 0), "top_logprobs", NO_PLACE);
    losses.dropped_if(request.end_user.is_some(), "user", NO_PLACE);
    losses.dropped_if(request.metadata.as_deref().is_some_and(|json| json != "{}"), "metadata", NO_PLACE);
    let tier = request.service_tier.as_deref();
    losses.dropped_if(tier.is_some_and(|tier| !matches!(tier, "auto" | "default")), "service_tier", NO_PLACE);
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "nothing is cached");
    losses.foreign("", &request.extensions, FORMAT);
}
