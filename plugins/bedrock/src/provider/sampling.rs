//! Sampling parameters and limits.

use weir_sdk::json::{Object, Rest, object};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::sampling;
use weir_sdk::types::ChatRequest;

use super::additional::Additional;
use super::request::INFERENCE;
use super::thinking::{Beside, Thinking};
use crate::FORMAT;
use crate::model::{Model, Vendor};
use crate::wire::is_noted;

/// Keys of notes on the place where a client of this format set `top_k`.
pub(crate) const TOP_K: &str = "top_k";
pub(crate) const NOVA_TOP_K: &str = "inferenceConfig.topK";

/// Writes `inferenceConfig`, without the members that are not allowed with thinking.
pub(super) fn write(o: &mut Object<'_>, request: &ChatRequest, model: Model, thinking: &Thinking, losses: &mut Losses) {
    let (wanted, beside) = (&request.sampling, thinking.beside);
    let strict = beside == Beside::Little;
    let mut json = String::new();
    object(&mut json, |o| {
        o.opt_num("maxTokens", request.max_output_tokens.or(thinking.limit));
        if model.samples() && beside != Beside::Nothing {
            let temperature = sampling::temperature(wanted, strict, losses);
            o.opt_num("temperature", temperature);
            let instead = temperature.is_some() && !model.samples_both();
            o.opt_num("topP", sampling::top_p(wanted, instead, strict, losses));
        } else {
            sampling::refuse_both(wanted, "the model takes none, or not beside thinking", losses);
        }
        if model.vendor == Vendor::Claude && !model.is_unjudged() {
            o.opt_strs("stopSequences", &sampling::stop(wanted, losses));
        } else {
            o.opt_strs("stopSequences", &wanted.stop);
        }
        let own = extension(&request.extensions, FORMAT, INFERENCE).and_then(|json| Rest::parse(json).ok());
        own.iter().flat_map(|own| &own.0).for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    if json != "{}" {
        o.raw("inferenceConfig", &json);
    }
    sampling::refuse_others(wanted, losses);
}

/// Adds `top_k` where the model's vendor expects it.
pub(super) fn top_k(
    additional: &mut Additional,
    request: &ChatRequest,
    model: Model,
    beside: Beside,
    losses: &mut Losses,
) {
    let Some(top_k) = request.sampling.top_k else { return };
    if beside != Beside::Anything || !model.samples() {
        return losses.dropped("top_k", "the model takes none, or not beside thinking");
    }
    let noted = |key| is_noted(&request.extensions, key);
    match model.vendor {
        Vendor::Nova => additional.add("inferenceConfig", format!(r#"{{"topK":{top_k}}}"#)),
        Vendor::Unknown if noted(NOVA_TOP_K) => additional.add("inferenceConfig", format!(r#"{{"topK":{top_k}}}"#)),
        Vendor::Claude | Vendor::Mistral => additional.add("top_k", top_k.to_string()),
        Vendor::Cohere => additional.add("k", top_k.to_string()),
        _ if noted(TOP_K) => additional.add("top_k", top_k.to_string()),
        _ => losses.dropped("top_k", "the model has no place for it, or it is not known"),
    }
}
