//! What OpenAI's models take of thinking and of sampling, by their names. The service refuses a request that has more.
//!
//! Sources: the specification (`StopConfiguration`, the former words of `ReasoningEffort`: "all models before gpt-5.1
//! default to medium and do not support none", "gpt-5-pro … only supports high"), the parameter compatibility in the
//! guides on reasoning and on the latest models, and the errors that the service answers. Other names, as of compatible
//! servers, say nothing: their requests stay as they are.

use weir_sdk::compat::effort;
use weir_sdk::compat::quirks::Quirks;
use weir_sdk::compat::responses::note;
use weir_sdk::compat::responses::request::SILENT;
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Context, Error, ReasoningMode, ReasoningRequest};

use crate::json_mode;
use crate::quirks::QUIRKS;

/// What a model does of thinking.
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

/// Leaves out what the model refuses, or says it in the model's words.
#[expect(clippy::unnecessary_wraps, reason = "a quirk may refuse a request; this one never does")]
pub(crate) fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    json_mode::say_word(request, losses);
    json_mode::describe_other_schema(request, losses);
    let Some(kind) = kind(if ctx.model.is_empty() { &request.model } else { &ctx.model }) else { return Ok(()) };
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
    Ok(())
}

/// The kind of a model's name; `None` if the name says nothing.
fn kind(model: &str) -> Option<Kind> {
    // A fine-tuned model: `ft:BASE:ORGANIZATION::ID`.
    let name = model.strip_prefix("ft:").map_or(model, |rest| rest.split(':').next().unwrap_or(rest));
    if ["gpt-3.5", "gpt-4", "chatgpt-4", "gpt-5-chat"].iter().any(|silent| name.starts_with(silent)) {
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
        () if is("o1") => Some(Kind::Always { levels: FIRST, stops: true }),
        () if is("o3") || is("o4") || is("codex-mini") => Some(Kind::Always { levels: FIRST, stops: false }),
        () => None,
    }
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

/// The minor version of a model of the fifth generation, if its name has one.
pub(crate) fn minor_version(model: &str) -> Option<u32> {
    minor(model.strip_prefix("gpt-5.")?).filter(|_| !model.contains("-chat"))
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
        _ => QUIRKS.efforts,
    }
}

/// Whether a request says something of how much to think.
fn asks(reasoning: &ReasoningRequest) -> bool {
    reasoning.effort.is_some() || reasoning.budget_tokens.is_some()
}

/// Whether a request asks for no thinking.
pub(crate) fn is_off(reasoning: &ReasoningRequest) -> bool {
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
    let known = Quirks { efforts: levels, ..QUIRKS };
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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use weir_sdk::compat::{request, responses};
    use weir_sdk::testing::{context, fields, json};
    use weir_sdk::types::{Extension, RenderedRequest, Sampling};

    use super::*;

    type Render = fn(&Quirks, &Context, ChatRequest) -> Result<RenderedRequest, Error>;
    const BOTH: [Render; 2] = [request::render, responses::request::render];

    fn off() -> ReasoningRequest {
        ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() }
    }

    fn level(effort: &str) -> ReasoningRequest {
        ReasoningRequest { effort: Some(effort.to_owned()), ..ReasoningRequest::default() }
    }

    /// The level that is sent, and the losses.
    fn sent(render: Render, model: &str, reasoning: ReasoningRequest) -> (Option<String>, Vec<String>) {
        let request = ChatRequest { reasoning: Some(reasoning), ..ChatRequest::default() };
        let rendered = render(&QUIRKS, &context(model), request).unwrap();
        let body = json(&rendered.request.body);
        let effort = body.get("reasoning_effort").or_else(|| body.get("reasoning").map(|object| &object["effort"]));
        (effort.and_then(Value::as_str).map(str::to_owned), fields(&rendered.losses))
    }

    #[test]
    fn no_thinking_is_said_in_the_words_of_the_model() {
        for (model, effort, lost) in [
            ("gpt-4o", None, false),
            ("gpt-4.1-mini", None, false),
            ("gpt-3.5-turbo", None, false),
            ("ft:gpt-4o-2024-08-06:org::id", None, false),
            ("gpt-5-chat-latest", None, false),
            ("gpt-5", Some("minimal"), true),
            ("gpt-5-mini-2025-08-07", Some("minimal"), true),
            ("gpt-5-codex", Some("low"), true),
            ("gpt-5-pro", Some("high"), true),
            ("o1", Some("low"), true),
            ("o3-mini", Some("low"), true),
            ("o4-mini-2025-04-16", Some("low"), true),
            ("gpt-5.1", Some("none"), false),
            ("gpt-5.4-nano", Some("none"), false),
            // Names that say nothing.
            ("gpt-oss-120b", Some("none"), false),
            ("my-deployment", Some("none"), false),
            ("o3x", Some("none"), false),
        ] {
            for render in BOTH {
                let expected = if lost { vec!["reasoning_effort".to_owned()] } else { Vec::new() };
                assert_eq!(sent(render, model, off()), (effort.map(str::to_owned), expected), "{model}");
            }
        }
    }

    #[test]
    fn only_models_that_may_think_are_asked_for_encrypted_thinking() {
        let include = |model: &str, logprobs: Option<bool>| {
            let sampling = Sampling { logprobs, ..Sampling::default() };
            let request = ChatRequest { sampling, ..ChatRequest::default() };
            let rendered = responses::request::render(&QUIRKS, &context(model), request).unwrap();
            assert!(rendered.losses.is_empty(), "{model}: {:?}", rendered.losses);
            json(&rendered.request.body).get("include").cloned()
        };
        let (thinking, logprobs) = ("reasoning.encrypted_content", "message.output_text.logprobs");
        for model in ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5-chat-latest", "ft:gpt-4o-2024-08-06:org::id"] {
            assert_eq!(include(model, None), None, "{model}");
            assert_eq!(include(model, Some(true)), Some(serde_json::json!([logprobs])), "{model}");
        }
        for model in ["gpt-5", "gpt-5.1", "o3", "gpt-oss-120b", "my-deployment"] {
            assert_eq!(include(model, None), Some(serde_json::json!([thinking])), "{model}");
        }
        assert_eq!(include("my-deployment", Some(true)), Some(serde_json::json!([thinking, logprobs])));
    }

    #[test]
    fn a_level_that_the_model_lacks_becomes_its_nearest() {
        for (model, asked, nearest) in [
            ("gpt-5", "max", "high"),
            ("gpt-5-mini", "xhigh", "high"),
            ("gpt-5-codex", "minimal", "low"),
            ("gpt-5-pro", "low", "high"),
            ("gpt-5-pro", "max", "high"),
            ("gpt-5.1", "xhigh", "high"),
            ("gpt-5.1-2025-11-13", "minimal", "low"),
            ("gpt-5.2", "max", "xhigh"),
            ("gpt-5.4-nano-2026-03-17", "minimal", "low"),
            ("o1", "xhigh", "high"),
            ("o3", "minimal", "low"),
            ("o4-mini", "max", "high"),
        ] {
            for render in BOTH {
                let expected = (Some(nearest.to_owned()), vec!["reasoning_effort".to_owned()]);
                assert_eq!(sent(render, model, level(asked)), expected, "{model} {asked}");
            }
        }
        let large = ReasoningRequest { budget_tokens: Some(100_000), ..ReasoningRequest::default() };
        for render in BOTH {
            let lost = vec!["reasoning.budget_tokens".to_owned(), "reasoning_effort".to_owned()];
            assert_eq!(sent(render, "gpt-5", large.clone()), (Some("high".to_owned()), lost));
        }
    }

    #[test]
    fn who_wants_thinking_and_names_no_level_gets_the_usual_one() {
        for mode in [ReasoningMode::Adaptive, ReasoningMode::Enabled] {
            for render in BOTH {
                let wish = ReasoningRequest { mode: Some(mode), ..ReasoningRequest::default() };
                let expected = (Some(USUAL.to_owned()), vec!["reasoning".to_owned()]);
                assert_eq!(sent(render, "gpt-5.1", wish), expected);
            }
        }
    }

    #[test]
    fn a_level_that_the_model_may_have_stays() {
        for (model, asked) in [
            ("gpt-5", "minimal"),
            ("gpt-5.2", "xhigh"),
            ("gpt-5.6", "max"),
            ("gpt-5.10", "minimal"),
            ("gpt-5.1-codex-max", "xhigh"),
            ("gpt-5.2-pro", "xhigh"),
            ("gpt-6", "max"),
            ("o3-deep-research", "max"),
            ("my-deployment", "max"),
            ("o3", "another"),
        ] {
            for render in BOTH {
                assert_eq!(sent(render, model, level(asked)), (Some(asked.to_owned()), Vec::new()), "{model} {asked}");
            }
        }
    }

    #[test]
    fn a_level_stays_as_the_host_has_left_it() {
        for render in BOTH {
            for model in ["gpt-4o", "o3", "gpt-5", "gpt-5.2", "my-deployment"] {
                assert_eq!(sent(render, model, level("high")), (Some("high".to_owned()), Vec::new()), "{model}");
            }
        }
    }

    fn sampled(model: &str, reasoning: Option<ReasoningRequest>, temperature: f64) -> (Value, Vec<String>) {
        let sampling = Sampling {
            temperature: Some(temperature),
            frequency_penalty: Some(0.0),
            top_logprobs: Some(2),
            stop: vec!["END".to_owned()],
            ..Sampling::default()
        };
        let bias = Extension { format: FORMAT.to_owned(), key: "logit_bias".to_owned(), json: r#"{"1":2}"#.to_owned() };
        let request = ChatRequest { sampling, reasoning, extensions: vec![bias], ..ChatRequest::default() };
        let rendered = request::render(&QUIRKS, &context(model), request).unwrap();
        (json(&rendered.request.body), fields(&rendered.losses))
    }

    #[test]
    fn models_that_think_get_no_parameters_that_they_refuse() {
        let lost = ["temperature", "logprobs", "logit_bias", "stop"].map(str::to_owned);
        for (model, reasoning) in [
            ("o3", None),
            ("gpt-5-mini", None),
            ("gpt-5.1", Some(level("low"))),
            ("gpt-5.5", None),
            ("gpt-5.6-sol", None),
        ] {
            let (body, losses) = sampled(model, reasoning.clone(), 0.2);
            assert_eq!(losses, lost, "{model}");
            for member in ["temperature", "frequency_penalty", "top_logprobs", "logit_bias", "stop"] {
                assert_eq!(body.get(member), None, "{model}");
            }
            // The usual value has the same meaning if it is left out.
            assert_eq!(sampled(model, reasoning, 1.0).1, lost[1..], "{model}");
        }
        assert_eq!(sampled("o1", None, 0.2).0["stop"], serde_json::json!(["END"]));
    }

    #[test]
    fn other_models_keep_their_parameters() {
        for (model, reasoning) in [
            ("gpt-4o", None),
            ("gpt-5.1", None),
            ("gpt-5.2", Some(off())),
            ("gpt-5.5", Some(off())),
            ("my-deployment", Some(level("low"))),
        ] {
            let (body, losses) = sampled(model, reasoning, 0.2);
            assert!(losses.is_empty(), "{model}: {losses:?}");
            assert_eq!((&body["temperature"], &body["stop"][0]), (&0.2.into(), &"END".into()), "{model}");
        }
    }
}
