//! Renders whole answers: from the unified model to a response object.

use std::borrow::Cow;

use weir_sdk::compat::logprobs;
use weir_sdk::compat::reasoning;
use weir_sdk::compat::responses::write::{self, Ids, assistant};
use weir_sdk::compat::responses::{FORMAT, image};
use weir_sdk::json;
use weir_sdk::losses::Losses;
use weir_sdk::tier;
use weir_sdk::types::{Candidate, ChatResponse, Context, Extension, FinishReason, Part, RenderedResponse, TextPart};

use crate::free_text::FreeText;

use super::{Frame, UNSIGNED, failure, status, write_response};

/// Renders a whole answer: only the first of several candidates (C-80).
pub(crate) fn render(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    losses.dropped_if(response.candidates.len() > 1, "choices", "an answer is one here: the first");
    let candidate = response.candidates.first();
    let parts = candidate.map(|candidate| with_logprobs(candidate, &mut losses)).unwrap_or_default();
    let free_text = FreeText::of_responses(&ctx.memo);
    let parts = free_text.restored(&parts);
    let grouped = super::grouped(&ctx.memo, &parts);
    let shown: Vec<&Part> = grouped.iter().filter(|part| has_place(part, &mut losses)).collect();
    let finish = candidate.and_then(|candidate| candidate.finish.as_ref());
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let reason = finish.map_or(FinishReason::Other, |finish| finish.reason);
    let (status, incomplete, same) = status(reason, refused);
    let mut list = String::new();
    json::array(&mut list, |a| assistant(a, &shown, &mut Ids::new(ctx, incomplete.is_some())));
    let items: Vec<&json::RawValue> = json::parse(&list).unwrap_or_default();
    let output: Vec<&str> = items.into_iter().map(json::RawValue::get).collect();
    if !same {
        let raw = finish.and_then(|finish| finish.raw.as_deref()).unwrap_or("no reason given");
        losses.approximated("status", raw);
    }
    let broken = failure(reason);
    losses.foreign("", &response.extensions, FORMAT);
    losses.foreign("output.", candidate.map_or(&[], |candidate| &candidate.extensions), FORMAT);
    losses.foreign("usage.", response.usage.as_ref().map_or(&[], |usage| &usage.extensions), FORMAT);
    let tier = tier::answered(response.service_tier.as_deref(), tier::RESPONSES, &mut losses);
    let mut out = String::with_capacity(1024);
    json::object(&mut out, |o| {
        let frame = Frame {
            id: response.id.clone(),
            model: response.model.as_deref(),
            created_ms: response.created_ms,
            tier,
            status,
            incomplete,
            error: broken.as_ref(),
            usage: response.usage.as_ref(),
            extensions: &response.extensions,
            news: None,
        };
        write_response(o, ctx, &frame, &output);
    });
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(out) }
}

/// The parts of a candidate, each text with the log probabilities of its tokens.
fn with_logprobs<'c>(candidate: &'c Candidate, losses: &mut Losses) -> Cow<'c, [Part]> {
    let Some(chat) = &candidate.logprobs else { return Cow::Borrowed(&candidate.parts) };
    let words = |part: &'c Part| match part {
        Part::Text(text) if !is_carrier(text) => Some(&*text.text),
        _ => None,
    };
    let texts: Vec<&str> = candidate.parts.iter().filter_map(words).collect();
    if texts.is_empty() {
        let mut inside = String::new();
        logprobs::add_tokens(chat, &mut inside);
        losses.dropped_if(!inside.is_empty(), "logprobs", "only texts have a place for them");
        return Cow::Borrowed(&candidate.parts);
    }
    let mut lists = logprobs::of_texts(chat, &texts).into_iter();
    let mut parts = candidate.parts.clone();
    for part in &mut parts {
        if let Part::Text(text) = part
            && !is_carrier(text)
            && let Some(json) = lists.next()
        {
            text.extensions.push(Extension { format: FORMAT.to_owned(), key: "logprobs".to_owned(), json });
        }
    }
    Cow::Owned(parts)
}

/// Whether a text has no words and only carries a signature, as Gemini's behind a call: it is no content here.
fn is_carrier(text: &TextPart) -> bool {
    text.text.is_empty() && text.citations.is_empty() && text.signature.is_some()
}

/// Whether the format has a place for the part; if not, it is reported as lost (C-79).
fn has_place(part: &Part, losses: &mut Losses) -> bool {
    match part {
        Part::Opaque(opaque) if opaque.format != FORMAT => {
            losses.dropped(format!("output.{}", opaque.kind), "only its own format has it");
            false
        }
        Part::Media(media) if image::has_place(media) => {
            losses.foreign("output.", &reasoning::beside_signature(media), FORMAT);
            true
        }
        Part::Media(_) => {
            losses.dropped("output.media", "there is no place for it");
            false
        }
        Part::ToolResult(_) => false,
        Part::Text(text) => {
            let lost = text.citations.iter().any(|citation| !write::is_annotation(citation));
            losses.dropped_if(lost, "output.citations", "only citations of pages have a place");
            losses.dropped_if(text.signature.is_some(), "output.signature", UNSIGNED);
            losses.foreign("output.", &text.extensions, FORMAT);
            !is_carrier(text)
        }
        Part::Reasoning(thought) => {
            losses.foreign("output.", &thought.extensions, FORMAT);
            true
        }
        Part::ToolCall(call) => {
            losses.dropped_if(call.signature.is_some(), "output.signature", UNSIGNED);
            losses.foreign("output.", &call.extensions, FORMAT);
            true
        }
        Part::Opaque(_) | Part::Refusal(_) => true,
    }
}
