//! Gemini's requests on this platform.

use weir_adapter_gemini::{FORMAT, Gemini, NO_ID};
use weir_sdk::adapter::{ProviderChat, Result};
use weir_sdk::json::{Rest, object};
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Context, Extension, Header, Part, RenderedRequest, Setting};

use crate::target::Target;
use crate::{media, order};

/// The header that requests another service tier than the project's.
const TIER_HEADER: &str = "x-vertex-ai-llm-shared-request-type";
/// The option of Gemini's adapter that passes urls on, which this platform fetches.
const FETCHES: &str = "fetches_urls";

/// Options of Gemini's adapter for what this platform takes and Google's own service refuses.
const TAKEN: [&str; 3] = [FETCHES, "json_with_functions", "penalties"];

/// Renders a request for an answer.
pub(crate) fn chat(ctx: &Context, target: &Target, mut request: ChatRequest) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let tier = tier(&mut request, &mut losses);
    labels(ctx, &mut request, &mut losses);
    prepare(ctx, &mut request)?;
    let method = if request.stream { "streamGenerateContent" } else { "generateContent" };
    let mut rendered = <Gemini as ProviderChat>::render_request(&inner(ctx, target), request)?;
    rendered.request.path = target.method(method);
    rendered.request.headers.extend(tier);
    losses.append(std::mem::take(&mut rendered.losses));
    Ok(RenderedRequest { losses: losses.into_losses(), ..rendered })
}

/// The context for Gemini's adapter.
pub(crate) fn inner(ctx: &Context, target: &Target) -> Context {
    let mut inner = target.context(ctx);
    for option in TAKEN {
        if inner.option(option).is_none() {
            inner.options.push(Setting { key: option.into(), json: "true".into() });
        }
    }
    inner
}

/// Changes for the platform that all requests need.
pub(crate) fn prepare(ctx: &Context, request: &mut ChatRequest) -> Result<()> {
    if ctx.option_bool(FETCHES) != Some(false) {
        media::name_kinds(request)?;
    }
    if ctx.option_bool("call_ids") != Some(true) {
        order::results(request);
        forget_ids(request);
    }
    Ok(())
}

/// Marks all calls as having no id, so that none is sent.
fn forget_ids(request: &mut ChatRequest) {
    let note = || Extension { format: FORMAT.into(), key: NO_ID.into(), json: "null".into() };
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) => call.extensions.push(note()),
            Part::ToolResult(result) => result.extensions.push(note()),
            _ => {}
        }
    }
}

/// A service tier is requested by a header.
fn tier(request: &mut ChatRequest, losses: &mut Losses) -> Option<Header> {
    let wanted = request.service_tier.take()?;
    match wanted.as_str() {
        "auto" | "default" | "standard" => None,
        "flex" | "priority" => Some(Header::new(TIER_HEADER, wanted)),
        _ => {
            losses.dropped("service_tier", "there is no tier of this name");
            None
        }
    }
}

/// Moves the client's labels to those of the bill, if the operator enables it and they are valid.
fn labels(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) {
    if ctx.option_bool("labels") != Some(true) {
        return;
    }
    let Some(metadata) = request.metadata.take() else { return };
    let Ok(mut pairs) = Rest::parse(&metadata) else { return };
    let keys: Vec<String> = pairs.0.iter().map(|(key, _)| key.to_string()).collect();
    let mut json = String::new();
    object(&mut json, |o| {
        for key in &keys {
            match pairs.str(key).filter(|value| is_label(key, value)) {
                Some(value) => o.str(key, &value),
                None => losses.dropped(format!("metadata.{key}"), "it is no label as the platform has them"),
            }
        }
    });
    if json != "{}" {
        request.extensions.push(Extension { format: FORMAT.into(), key: "labels".into(), json });
    }
}

/// Whether a label is valid: lower-case letters, digits, `_` and `-`, at most 63; a key begins with a letter.
fn is_label(key: &str, value: &str) -> bool {
    let fits = |text: &str| {
        text.chars().count() <= 63
            && text
                .chars()
                .all(|c| matches!(c, '_' | '-') || c.is_numeric() || (c.is_alphabetic() && !c.is_uppercase()))
    };
    fits(key) && fits(value) && key.chars().next().is_some_and(char::is_alphabetic)
}
