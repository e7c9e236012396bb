//! Reads a whole answer.

use weir_sdk::json::{Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{Candidate, ChatResponse, Context, Error, HttpResponse, Part};

use crate::wire::{Answer, Message};
use crate::{FORMAT, error, finish, legacy, logprobs, read, usage};

/// Parses an answer, or one of the older API. Some servers send status 200 with an error in the body.
pub(super) fn read(ctx: &Context, response: &HttpResponse) -> Result<ChatResponse, Error> {
    let text = response.text()?;
    let answer: Answer<'_> = parse(text).map_err(|error| unreadable(&error.to_string()))?;
    let message = match answer.message {
        Some(raw) if raw.get().starts_with('{') => raw,
        Some(_) => return Err(error::from_json(text, None)),
        None => return legacy::read(answer),
    };
    let reason = answer.finish_reason.map(Str::into_string);
    if let Some(error) = reason.as_deref().and_then(|raw| finish::failure(raw, None)) {
        return Err(error);
    }
    let message: Message<'_> = parse(message.get()).map_err(|error| unreadable(&error.to_string()))?;
    let (mut parts, kept) = read::parts(message).map_err(|error| unreadable(&error.message))?;
    let names = super::names().with_memo(&ctx.memo);
    for part in &mut parts {
        if let Part::ToolCall(call) = part {
            call.name = names.restore(std::mem::take(&mut call.name));
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let candidate = Candidate {
        index: 0,
        parts,
        finish: reason.map(|raw| finish::read(&raw, calls)),
        logprobs: answer.logprobs.filter(|items| !items.is_empty()).map(|items| logprobs::to_chat(&items)),
        extensions: kept,
    };
    Ok(ChatResponse {
        id: answer.id.map(Str::into_string).unwrap_or_default(),
        model: answer.model.map(Str::into_string),
        created_ms: None,
        candidates: vec![candidate],
        usage: answer.usage.map(usage::read),
        service_tier: None,
        extensions: extensions(FORMAT, answer.rest),
    })
}

fn unreadable(why: &str) -> Error {
    Error::unreadable(format!("the answer cannot be read: {why}"))
}
