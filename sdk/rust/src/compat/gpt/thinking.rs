//! What OpenAI's models take of thinking and of sampling, by their names. The service refuses a request that has more.
//!
//! Sources: the specification (`StopConfiguration`, the former words of `ReasoningEffort`: "all models before gpt-5.1
//! default to medium and do not support none", "gpt-5-pro … only supports high"), the parameter compatibility in the
//! guides on reasoning and on the latest models, and the errors that the service answers. Other names, as of compatible
//! servers, say nothing: their requests stay as they are.

use super::EFFORTS;
use crate::compat::effort;
use crate::compat::quirks::Quirks;
use crate::compat::responses::note;
use crate::compat::responses::request::SILENT;
use crate::compat::wire::FORMAT;
use crate::losses::Losses;
use crate::types::{ChatRequest, ReasoningMode, ReasoningRequest};

/// How a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It never thinks.
    Silent,
    /// It always thinks, at one of these levels; and it may know no stop sequences.
    Always { levels: Levels, stops: bool },
    /// It thinks if it is asked to, at one of these levels; or it `thinks` unless it is asked not to.
    Asked { levels: Levels, thinks: bool },
}

/// Levels of effort in ascending order.
type Levels = &'static [&'static str];

/// The first minor version of the fifth generation that thinks by default.
const THINKS: u32 = 5;
/// The level for requests that want thinking and name none, as models have it that think by default.
const USUAL: &str = "medium";

/// The levels of the first models that had any.
const FIRST: Levels = &["low", "medium", "high"];

/// Removes what the model of this name refuses, or writes it in the model's terms.
pub(super) fn fit_model(model: &str, request: &mut ChatRequest, losses: &mut Losses) {
    let Some(kind) = kind(model) else { return };
    if calls_one_by_one(model) {
        // "Unsupported parameter: 'parallel_tool_calls' is not supported with this model", whatever its value.
        request.parallel_tool_calls = None;
    }
    match kind {
        // An effort is the host's matter: it knows what the operator says of the model.
        Kind::Silent => {
            _ = request.reasoning.take_if(|reasoning| is_off(reasoning));
            request.extensions.push(note(SILENT, ""));
        }
        Kind::Always { levels, stops } => {
            raise(request, levels, losses);
            fit(request, levels, losses);
            lose_sampling(request, stops, losses);
        }
        Kind::Asked { levels, thinks } => {
            name_level(request, losses);
            fit(request, levels, losses);
            let does = |reasoning: &ReasoningRequest| !is_off(reasoning) && (asks(reasoning) || thinks);
            if request.reasoning.as_ref().map_or(thinks, does) {
                lose_sampling(request, false, losses);
            }
        }
    }
}

/// Whether a model calls one tool at a time, so that it cannot be asked for more, nor for one.
fn calls_one_by_one(model: &str) -> bool {
    let name = base(model);
    ["o1", "o3", "o4"]
        .iter()
        .any(|family| name.strip_prefix(family).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric())))
}

/// Whether anything is known of the model of this name.
pub(super) fn knows(model: &str) -> bool {
    kind(model).is_some()
}

/// The kind of a model's name; `None` if the name says nothing.
fn kind(model: &str) -> Option<Kind> {
    let name = base(model);
    if ["gpt-3.5", "gpt-35", "gpt-4", "chatgpt-4", "gpt-5-chat"].iter().any(|silent| name.starts_with(silent)) {
        return Some(Kind::Silent);
    }
    if let Some(rest) = name.strip_prefix("gpt-5") {
        return gpt_5(rest);
    }
    // Research of some minutes takes one level only, and the first small models took none.
    let other = ["deep-research", "o1-mini", "o1-preview"].iter().any(|other| name.contains(other));
    let is = |family: &str| name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    match () {
        () if other => None,
        () if is("o1") || is("o3-mini") => Some(Kind::Always { levels: FIRST, stops: true }),
        () if is("o3") || is("o4") || is("codex-mini") => Some(Kind::Always { levels: FIRST, stops: false }),
        () => None,
    }
}

/// The name of the model that a fine-tuned one was made from: `ft:BASE:ORGANIZATION::ID`.
fn base(model: &str) -> &str {
    model.strip_prefix("ft:").map_or(model, |rest| rest.split(':').next().unwrap_or(rest))
}

/// The kind of a model of the fifth generation, by the rest of its name.
fn gpt_5(rest: &str) -> Option<Kind> {
    let always = |levels| Some(Kind::Always { levels, stops: false });
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| rest.starts_with(beginning));
    if let Some(version) = rest.strip_prefix('.') {
        // The variants for chats, for code and of more effort have levels of their own.
        let own = ["-chat", "-codex", "-pro"].iter().any(|own| rest.contains(own));
        let thinks = minor(version).is_some_and(|minor| minor >= THINKS);
        return (!own).then_some(Kind::Asked { levels: levels_of(version), thinks });
    }
    match () {
        () if begins(&["-pro"]) => always(&["high"]),
        () if begins(&["-codex"]) => always(FIRST),
        () if rest.is_empty() || begins(&["-mini", "-nano", "-20"]) => always(&["minimal", "low", "medium", "high"]),
        () => None,
    }
}

/// The number before the first dash.
fn minor(version: &str) -> Option<u32> {
    version.split('-').next()?.parse().ok()
}

/// The levels of a model of the fifth generation, by what follows `gpt-5.` in its name. Newer ones may take any.
fn levels_of(version: &str) -> Levels {
    match version.split('-').next() {
        Some("1") => &["none", "low", "medium", "high"],
        Some("2" | "4" | "5") => &["none", "low", "medium", "high", "xhigh"],
        _ => EFFORTS,
    }
}

/// Whether a request sets how much to think.
fn asks(reasoning: &ReasoningRequest) -> bool {
    reasoning.effort.is_some() || reasoning.budget_tokens.is_some()
}

/// Whether a request asks for no thinking.
pub(super) fn is_off(reasoning: &ReasoningRequest) -> bool {
    match reasoning.effort.as_deref() {
        Some(effort) => effort == "none",
        None => reasoning.mode == Some(ReasoningMode::Disabled) || reasoning.budget_tokens == Some(0),
    }
}

/// Asks a model that always thinks for its least level, if the request wants no thinking.
fn raise(request: &mut ChatRequest, levels: Levels, losses: &mut Losses) {
    let Some(reasoning) = request.reasoning.as_mut().filter(|reasoning| is_off(reasoning)) else { return };
    (reasoning.mode, reasoning.budget_tokens) = (None, None);
    reasoning.effort = levels.first().map(|least| (*least).to_owned());
    losses.approximated("reasoning_effort", "this model always thinks: its least level is asked for");
}

/// Names a level for a request that wants thinking and leaves the rest to the model, which might not think by itself.
fn name_level(request: &mut ChatRequest, losses: &mut Losses) {
    let wants = |reasoning: &&mut ReasoningRequest| {
        matches!(reasoning.mode, Some(ReasoningMode::Enabled | ReasoningMode::Adaptive)) && !asks(reasoning)
    };
    let Some(reasoning) = request.reasoning.as_mut().filter(wants) else { return };
    (reasoning.mode, reasoning.effort) = (None, Some(USUAL.to_owned()));
    losses.approximated("reasoning", "the model is asked for its usual level");
}

/// Says how much to think in a level that the model has; a word that no model is known to have stays.
fn fit(request: &mut ChatRequest, levels: Levels, losses: &mut Losses) {
    let Some(reasoning) = request.reasoning.as_mut().filter(|reasoning| asks(reasoning) && !is_off(reasoning)) else {
        return;
    };
    let known = Quirks { efforts: levels, ..Quirks::COMPATIBLE };
    if let Some(level) = effort::level(&known, reasoning, true, losses).map(str::to_owned) {
        (reasoning.effort, reasoning.budget_tokens) = (Some(level), None);
    }
}

/// Takes away the parameters that a model refuses while it thinks; a value that changes nothing is no loss.
fn lose_sampling(request: &mut ChatRequest, stops: bool, losses: &mut Losses) {
    let why = "models that think refuse it";
    let sampling = &mut request.sampling;
    for (value, usual, field) in [
        (&mut sampling.temperature, 1.0, "temperature"),
        (&mut sampling.top_p, 1.0, "top_p"),
        (&mut sampling.frequency_penalty, 0.0, "frequency_penalty"),
        (&mut sampling.presence_penalty, 0.0, "presence_penalty"),
    ] {
        let lost = value.take().is_some_and(|value| (value - usual).abs() > f64::EPSILON);
        losses.dropped_if(lost, field, why);
    }
    let logprobs = sampling.logprobs.take() == Some(true);
    let alternatives = sampling.top_logprobs.take().is_some_and(|number| number > 0);
    losses.dropped_if(logprobs || alternatives, "logprobs", why);
    let n_extensions = request.extensions.len();
    request.extensions.retain(|own| own.format != FORMAT || own.key != "logit_bias");
    losses.dropped_if(request.extensions.len() < n_extensions, "logit_bias", why);
    if !stops {
        losses.dropped_if(!std::mem::take(&mut sampling.stop).is_empty(), "stop", "this model refuses it");
    }
}
