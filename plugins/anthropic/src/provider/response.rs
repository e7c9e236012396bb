//! Parses a whole answer.

use weir_sdk::json::{Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{Candidate, ChatResponse, Context, Error, FinishReason, HttpResponse, Part};

use super::error;
use crate::{FORMAT, finish, read, usage, wire};

/// Parses an answer. Some services send status 200 with an error in the body.
pub(super) fn read(ctx: &Context, response: &HttpResponse) -> Result<ChatResponse, Error> {
    let text = response.text()?;
    let answer: wire::Answer<'_> =
        parse(text).map_err(|error| Error::unreadable(format!("the answer cannot be read: {error}")))?;
    if let Some(raw) = answer.error {
        return Err(error::object(raw, None));
    }
    let content = answer.content.ok_or_else(|| Error::unreadable("the answer has no content"))?;
    let mut parts = read::content(content).map_err(unreadable)?;
    let names = crate::names::names().with_memo(&ctx.memo);
    let mut calls = false;
    for part in &mut parts {
        if let Part::ToolCall(call) = part {
            call.name = names.restore(std::mem::take(&mut call.name));
            if call.name.is_empty() {
                *part = Part::text(std::mem::take(&mut call.arguments));
            } else {
                calls = true;
            }
        }
    }
    let sequence = answer.stop_sequence.map(Str::into_string);
    let finish = answer.stop_reason.map(|raw| finish::read(&raw, sequence, calls));
    if finish.as_ref().is_some_and(|finish| finish.reason == FinishReason::Refusal) {
        let details = answer.rest.get(finish::DETAILS);
        parts.extend(details.and_then(|raw| finish::explanation(raw.get())).map(Part::Refusal));
    }
    let (usage, service_tier) = answer.usage.map(usage::read).map_or((None, None), |(usage, tier)| (Some(usage), tier));
    Ok(ChatResponse {
        id: answer.id.map(Str::into_string).unwrap_or_default(),
        model: answer.model.map(Str::into_string),
        created_ms: None,
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() }],
        usage,
        service_tier,
        extensions: extensions(FORMAT, answer.rest),
    })
}

fn unreadable(error: Error) -> Error {
    Error::unreadable(match error.param {
        Some(param) => format!("the answer cannot be read: {param}: {}", error.message),
        None => format!("the answer cannot be read: {}", error.message),
    })
}
