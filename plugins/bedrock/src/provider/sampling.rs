//! Sampling parameters and limits.

use weir_sdk::json::{Object, Rest, object};
use weir_sdk::ledger::{Ledger, extension};
use weir_sdk::types::{ChatRequest, Sampling};

use super::additional::Additional;
use super::request::INFERENCE;
use super::thinking::Beside;
use crate::FORMAT;
use crate::model::{Model, Vendor};
use crate::wire::is_noted;

/// Keys of notes on the place where a client of this format set `top_k`.
pub(crate) const TOP_K: &str = "top_k";
pub(crate) const NOVA_TOP_K: &str = "inferenceConfig.topK";

/// Writes `inferenceConfig`, without the members that are not allowed with thinking.
pub(super) fn write(o: &mut Object<'_>, request: &ChatRequest, model: Model, beside: Beside, ledger: &mut Ledger) {
    let sampling = &request.sampling;
    let strict = beside == Beside::Little;
    let mut json = String::new();
    object(&mut json, |o| {
        o.opt_num("maxTokens", request.max_output_tokens);
        if model.samples() && beside != Beside::Nothing {
            let temperature = temperature(sampling.temperature, strict, ledger);
            o.opt_num("temperature", temperature);
            o.opt_num("topP", top_p(sampling, temperature.is_some() && !model.samples_both(), strict, ledger));
        } else {
            let other = |value: Option<f64>| value.is_some_and(|value| differ(value, 1.0));
            let why = "the model takes none, or not beside thinking";
            ledger.dropped_if(other(sampling.temperature), "temperature", why);
            ledger.dropped_if(other(sampling.top_p), "top_p", why);
        }
        o.opt_strs("stopSequences", &sampling.stop);
        let own = extension(&request.extensions, FORMAT, INFERENCE).and_then(|json| Rest::parse(json).ok());
        own.iter().flat_map(|own| &own.0).for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    if json != "{}" {
        o.raw("inferenceConfig", &json);
    }
    unheard_of(sampling, ledger);
}

fn temperature(wanted: Option<f64>, strict: bool, ledger: &mut Ledger) -> Option<f64> {
    let wanted = wanted?;
    if strict && differ(wanted, 1.0) {
        ledger.dropped("temperature", "beside thinking it is always 1");
        return None;
    }
    let allowed = wanted.clamp(0.0, 1.0);
    if differ(allowed, wanted) {
        ledger.clamped("temperature", "it lies between 0 and 1");
    }
    Some(allowed)
}

fn top_p(sampling: &Sampling, instead: bool, strict: bool, ledger: &mut Ledger) -> Option<f64> {
    let wanted = sampling.top_p?;
    if instead {
        ledger.dropped("top_p", "the model takes it or a temperature");
        return None;
    }
    let allowed = wanted.clamp(if strict { 0.95 } else { 0.0 }, 1.0);
    if differ(allowed, wanted) {
        ledger.clamped("top_p", if strict { "beside thinking it is at least 0.95" } else { "it lies between 0 and 1" });
    }
    Some(allowed)
}

fn differ(one: f64, other: f64) -> bool {
    (one - other).abs() > f64::EPSILON
}

/// Adds `top_k` where the model's vendor expects it.
pub(super) fn top_k(
    additional: &mut Additional,
    request: &ChatRequest,
    model: Model,
    beside: Beside,
    ledger: &mut Ledger,
) {
    let Some(top_k) = request.sampling.top_k else { return };
    if beside != Beside::Anything || !model.samples() {
        return ledger.dropped("top_k", "the model takes none, or not beside thinking");
    }
    let noted = |key| is_noted(&request.extensions, key);
    match model.vendor {
        Vendor::Nova => additional.add("inferenceConfig", format!(r#"{{"topK":{top_k}}}"#)),
        Vendor::Unknown if noted(NOVA_TOP_K) => additional.add("inferenceConfig", format!(r#"{{"topK":{top_k}}}"#)),
        Vendor::Claude | Vendor::Mistral => additional.add("top_k", top_k.to_string()),
        Vendor::Cohere => additional.add("k", top_k.to_string()),
        _ if noted(TOP_K) => additional.add("top_k", top_k.to_string()),
        _ => ledger.dropped("top_k", "the model has no place for it, or it is not known"),
    }
}

/// Reports the parameters that no model takes through this format.
fn unheard_of(sampling: &Sampling, ledger: &mut Ledger) {
    const NONE: &str = "the format has no place for it";
    ledger.dropped_if(sampling.seed.is_some(), "seed", NONE);
    ledger.dropped_if(sampling.frequency_penalty.is_some_and(|p| p != 0.0), "frequency_penalty", NONE);
    ledger.dropped_if(sampling.presence_penalty.is_some_and(|p| p != 0.0), "presence_penalty", NONE);
    ledger.dropped_if(sampling.candidates.is_some_and(|n| n > 1), "n", "there is one answer to a request");
    ledger.dropped_if(sampling.logprobs == Some(true), "logprobs", NONE);
    ledger.dropped_if(sampling.top_logprobs.is_some_and(|n| n > 0), "top_logprobs", NONE);
}
