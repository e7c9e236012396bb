//! Claude's requests on this platform: the model is in the path, the version of the API in the body.

use weir_adapter_anthropic::{Anthropic, BETA, CACHE, FORMAT};
use weir_sdk::adapter::{ProviderChat, ProviderCountTokens, Result};
use weir_sdk::json::{Rest, object};
use weir_sdk::losses::{Losses, PartPath};
use weir_sdk::types::{Body, ChatRequest, Context, Error, Extension, Part, RenderedRequest, ResultPart, Tool};

use crate::target::{self, Target};
use crate::{betas, media};

/// The version of the API on this platform.
const VERSION: &str = "vertex-2023-10-16";
const VERSION_MEMBER: &str = "anthropic_version";

/// Renders a request for an answer.
pub(crate) fn chat(ctx: &Context, target: &Target, mut request: ChatRequest) -> Result<RenderedRequest> {
    let method = if request.stream { "streamRawPredict" } else { "rawPredict" };
    let mut losses = prepare(&mut request)?;
    betas::keep_known(&mut request, &mut losses);
    let rendered = <Anthropic as ProviderChat>::render_request(&target.context(ctx), request)?;
    let mut rendered = adapted(rendered, &["model", VERSION_MEMBER])?;
    rendered.request.path = target.method(method);
    losses.append(std::mem::take(&mut rendered.losses));
    Ok(RenderedRequest { losses: losses.into_losses(), ..rendered })
}

/// Renders a request for a token count: the one case in which the model stays in the body.
pub(crate) fn count(ctx: &Context, target: &Target, mut request: ChatRequest) -> Result<RenderedRequest> {
    prepare(&mut request)?;
    let rendered = <Anthropic as ProviderCountTokens>::render_request(&target.context(ctx), request)?;
    let mut rendered = adapted(rendered, &[VERSION_MEMBER])?;
    rendered.request.path = target::claude_count(ctx);
    // A count is the same without features on trial, and the platform refuses it with most of them.
    rendered.request.headers.retain(|header| header.name != BETA);
    Ok(rendered)
}

fn prepare(request: &mut ChatRequest) -> Result<Losses> {
    let mut losses = Losses::default();
    media::only_bytes(request)?;
    let tier = request.service_tier.take();
    let other = tier.is_some_and(|tier| !matches!(tier.as_str(), "auto" | "default" | "standard" | "standard_only"));
    losses.dropped_if(other, "service_tier", "the platform has no tiers for this model");
    plain_hints(request, &mut losses);
    Ok(losses)
}

/// Leaves out further members of cache hints (`scope`), which this platform refuses.
fn plain_hints(request: &mut ChatRequest, losses: &mut Losses) {
    let mut strip = |all: &mut Vec<Extension>, place: &dyn Fn(&str) -> String| {
        all.retain(|own| {
            let further = own.format == FORMAT && own.key.starts_with(CACHE);
            if further {
                losses.dropped(place(&own.key), "the platform does not take it");
            }
            !further
        });
    };
    for (at, message) in request.messages.iter_mut().enumerate() {
        for (number, part) in message.parts.iter_mut().enumerate() {
            let place = PartPath { message: Some(at), part: number };
            for all in part_extensions(part) {
                strip(all, &|key| place.field(key));
            }
        }
    }
    for (at, tool) in request.tools.iter_mut().enumerate() {
        if let Tool::Function(tool) = tool {
            strip(&mut tool.extensions, &|key| format!("tools[{at}].{key}"));
        }
    }
}

/// The extensions of a part that may have a cache hint, and of what it holds.
fn part_extensions(part: &mut Part) -> Vec<&mut Vec<Extension>> {
    match part {
        Part::Text(text) => vec![&mut text.extensions],
        Part::Media(media) => vec![&mut media.extensions],
        Part::ToolCall(call) => vec![&mut call.extensions],
        Part::ToolResult(result) => {
            let held = result.content.iter_mut().filter_map(|part| match part {
                ResultPart::Text(text) => Some(&mut text.extensions),
                ResultPart::Media(media) => Some(&mut media.extensions),
                _ => None,
            });
            std::iter::once(&mut result.extensions).chain(held).collect()
        }
        _ => Vec::new(),
    }
}

/// The same request with the version in its body and without the members that have no place here.
fn adapted(mut rendered: RenderedRequest, without: &[&str]) -> Result<RenderedRequest> {
    let text = rendered.request.body.as_text()?;
    let members = Rest::parse(text).map_err(|error| Error::invalid(format!("the request cannot be read: {error}")))?;
    let mut body = String::with_capacity(text.len() + 64);
    object(&mut body, |o| {
        o.str(VERSION_MEMBER, VERSION);
        let kept = members.0.iter().filter(|(key, _)| !without.contains(&&**key));
        kept.for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    rendered.request.body = Body::Text(body);
    rendered.request.headers.retain(|header| header.name != "anthropic-version");
    Ok(rendered)
}
