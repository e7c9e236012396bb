//! Reads a whole answer.

use weir_sdk::adapter::Result;
use weir_sdk::json::{RawValue, Str, object, parse, text};
use weir_sdk::ledger::extensions;
use weir_sdk::time;
use weir_sdk::types::{Candidate, ChatResponse, Context, Error, HttpResponse, Part, ReasoningPart};

use super::error;
use crate::dialect::history::read_call;
use crate::tools::Ids;
use crate::{CHAT, body, finish, usage, wire};

/// Reads an answer of either endpoint.
pub(super) fn read(ctx: &Context, response: &HttpResponse) -> Result<ChatResponse> {
    let text = response.body.as_text().map_err(|_| Error::unreadable("the answer is not UTF-8"))?;
    let mut answer: wire::Answer<'_> =
        parse(text).map_err(|error| Error::unreadable(format!("the answer cannot be read: {error}")))?;
    if let Some(raw) = answer.error {
        return Err(error::object(raw, None));
    }
    let reason = answer.done_reason.take();
    let logprobs = answer.logprobs.take().map(unified_logprobs);
    let parts = parts(ctx, &mut answer);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish::read(reason.as_deref(), calls);
    let counts = (answer.prompt_eval_count.map(|count| count.0), answer.eval_count.map(|count| count.0));
    let candidate = Candidate { index: 0, parts, finish: Some(finish), logprobs, extensions: Vec::new() };
    Ok(ChatResponse {
        id: String::new(),
        model: answer.model.map(Str::into_string),
        created_ms: answer.created_at.and_then(created_ms),
        candidates: vec![candidate],
        usage: usage::read(counts.0, counts.1, extensions(CHAT, answer.rest)),
        service_tier: None,
        extensions: Vec::new(),
    })
}

/// What an answer says: `message` of one endpoint, members of the answer itself of the other.
fn parts(ctx: &Context, answer: &mut wire::Answer<'_>) -> Vec<Part> {
    let message = answer.message.take().unwrap_or_default();
    let thinking = message.thinking.or(answer.thinking.take()).filter(|text| !text.is_empty());
    let content = message.content.or(answer.response.take()).filter(|text| !text.is_empty());
    let calls = message.tool_calls.or(answer.tool_calls.take());
    let images = message.images.or(answer.images.take());
    let mut parts = Vec::new();
    parts.extend(thinking.map(|text| Part::Reasoning(ReasoningPart::new(text))));
    parts.extend(content.map(Part::text));
    parts.extend(images.unwrap_or_default().iter().map(|data| body::image(data, &[])));
    let mut ids = Ids::of_answer(&ctx.request_id);
    let calls = calls.unwrap_or_default().0;
    parts.extend(calls.into_iter().filter_map(|call| read_call(call, &mut ids)).map(Part::ToolCall));
    parts
}

/// When an answer began; some servers say it in a way of their own.
pub(super) fn created_ms(raw: &RawValue) -> Option<f64> {
    time::parse(&text(raw)?)
}

/// The list of tokens in the unified shape.
pub(super) fn unified_logprobs(raw: &RawValue) -> String {
    let mut out = String::with_capacity(raw.get().len() + 16);
    object(&mut out, |o| o.raw("content", raw.get()));
    out
}
