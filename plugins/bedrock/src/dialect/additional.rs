//! Parses `additionalModelRequestFields`: the settings for thinking and `top_k`, in the spellings of known vendors;
//! other members are kept unchanged.

use weir_sdk::json::{RawValue, Rest, Str, parse, text};
use weir_sdk::types::{Extension, ReasoningMode, ReasoningRequest, Sampling};

use crate::provider::additional::ADDITIONAL;
use crate::provider::{sampling, thinking};
use crate::wire::{self, extensions, note, own};

/// Removes the members that other formats support; the rest become extensions of the request, member by member.
pub(super) fn read(
    raw: Option<&RawValue>,
    sampling: &mut Sampling,
    own_members: &mut Vec<Extension>,
) -> Option<ReasoningRequest> {
    let raw = raw?;
    let Ok(mut members) = Rest::parse(raw.get()) else {
        own_members.push(own(ADDITIONAL, raw.get()));
        return None;
    };
    let reasoning = reasoning(&mut members);
    top_k(&mut members, sampling, own_members);
    own_members.extend(extensions(&format!("{ADDITIONAL}."), members));
    reasoning
}

/// The first known setting for thinking; others stay members.
fn reasoning(members: &mut Rest<'_>) -> Option<ReasoningRequest> {
    for key in [thinking::CLAUDE, thinking::OLD_CLAUDE, thinking::NOVA] {
        if let Some(mut wish) = members.get(key).and_then(wish) {
            members.take(key);
            wish.extensions.push(note(key));
            return Some(wish);
        }
    }
    if let Some(wish) = openai(members) {
        return Some(wish);
    }
    let effort = members.str(thinking::EFFORT)?;
    let mut wish = ReasoningRequest { effort: Some(effort.into_string()), ..ReasoningRequest::default() };
    wish.extensions.push(note(thinking::EFFORT));
    Some(wish)
}

/// Parses `{"effort": ...}`; without an effort it stays a member.
fn openai(members: &mut Rest<'_>) -> Option<ReasoningRequest> {
    let mut inner = Rest::parse(members.get(thinking::OPENAI)?.get()).ok()?;
    let effort = inner.str("effort")?.into_string();
    members.take(thinking::OPENAI);
    let mut own = extensions("", inner);
    own.push(note(thinking::OPENAI));
    Some(ReasoningRequest { effort: Some(effort), extensions: own, ..ReasoningRequest::default() })
}

fn wish(raw: &RawValue) -> Option<ReasoningRequest> {
    let read: wire::Thinking<'_> = parse(raw.get()).ok()?;
    let mode = match read.kind.as_deref()? {
        "enabled" => ReasoningMode::Enabled,
        "disabled" => ReasoningMode::Disabled,
        "adaptive" => ReasoningMode::Adaptive,
        _ => return None,
    };
    let summary = read.display.map(|display| if &*display == "summarized" { "auto".into() } else { display.into() });
    Some(ReasoningRequest {
        mode: Some(mode),
        effort: read.effort.map(Str::into_string),
        budget_tokens: read.budget.map(|count| count.0),
        summary,
        extensions: extensions("", read.rest),
    })
}

/// Parses `top_k`, or Nova's `inferenceConfig.topK` if it is alone.
fn top_k(members: &mut Rest<'_>, sampling: &mut Sampling, own_members: &mut Vec<Extension>) {
    if let Some(count) = members.count(sampling::TOP_K) {
        sampling.top_k = Some(count);
        own_members.push(note(sampling::TOP_K));
        return;
    }
    let inner = members.get("inferenceConfig").filter(|raw| text(raw).is_none());
    let Some(mut inner) = inner.and_then(|raw| Rest::parse(raw.get()).ok()) else { return };
    if inner.0.len() == 1
        && let Some(count) = inner.count("topK")
    {
        members.take("inferenceConfig");
        sampling.top_k = Some(count);
        own_members.push(note(sampling::NOVA_TOP_K));
    }
}
