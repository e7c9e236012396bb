//! Reads a whole answer.

use weir_sdk::adapter::Result;
use weir_sdk::compat::logprobs::whole;
use weir_sdk::json::{RawValue, Str, list, object, parse, text};
use weir_sdk::losses::extensions;
use weir_sdk::time;
use weir_sdk::types::{Candidate, ChatResponse, Context, Error, HttpResponse, Part, ReasoningPart, ToolCall};

use super::error;
use crate::dialect::history::read_call;
use crate::tools::Ids;
use crate::{CHAT, body, finish, usage, wire};

/// Parses an answer of either endpoint.
pub(super) fn read(ctx: &Context, response: &HttpResponse) -> Result<ChatResponse> {
    let text = response.text()?;
    let mut lines = lines(text)?;
    if let Some(raw) = lines.iter().find_map(|line| line.error) {
        return Err(error::object(raw, None));
    }
    let mut collected = Collected::new(Ids::of_answer(&ctx.request_id));
    let mut tokens = Vec::new();
    for line in &mut lines {
        tokens.extend(line.logprobs.take());
        collected.take(line);
    }
    // The last line, or the only one, has the values for all of them.
    let last = lines.pop().unwrap_or_default();
    let reason = last.done_reason;
    let counts = (last.prompt_eval_count.map(|count| count.0), last.eval_count.map(|count| count.0));
    let finish = Some(finish::read(reason.as_deref(), !collected.calls.is_empty()));
    let logprobs = (!tokens.is_empty()).then(|| unified_logprobs(&tokens));
    let candidate = Candidate { index: 0, parts: collected.parts(), finish, logprobs, extensions: Vec::new() };
    Ok(ChatResponse {
        model: last.model.map(Str::into_string),
        created_ms: last.created_at.and_then(created_ms),
        candidates: vec![candidate],
        usage: usage::read(counts.0, counts.1, extensions(CHAT, last.rest)),
        ..ChatResponse::default()
    })
}

/// The single value of an answer, or the lines of a server that streams although it was asked not to.
fn lines(text: &str) -> Result<Vec<wire::Answer<'_>>> {
    let unreadable = |error| Error::unreadable(format!("the answer cannot be read: {error}"));
    let error = match parse(text) {
        Ok(one) => return Ok(vec![one]),
        Err(error) => error,
    };
    let each = text.lines().filter(|line| !line.trim().is_empty()).map(parse);
    let Ok(lines) = each.collect::<std::result::Result<Vec<wire::Answer<'_>>, _>>() else {
        return Err(unreadable(error));
    };
    match lines.last() {
        Some(last) if last.done == Some(true) || last.error.is_some() => Ok(lines),
        Some(_) => Err(Error::unreadable("the answer ended before it was complete")),
        None => Err(unreadable(error)),
    }
}

/// The content of an answer, by kind.
#[derive(Debug)]
struct Collected {
    ids: Ids,
    thinking: String,
    content: String,
    images: Vec<Part>,
    calls: Vec<ToolCall>,
}

impl Collected {
    fn new(ids: Ids) -> Self {
        Self { ids, thinking: String::new(), content: String::new(), images: Vec::new(), calls: Vec::new() }
    }

    /// Collects the content, from `message` at one endpoint and from the answer itself at the other.
    fn take(&mut self, answer: &mut wire::Answer<'_>) {
        let message = answer.message.take().unwrap_or_default();
        self.thinking.push_str(message.thinking.or(answer.thinking.take()).as_deref().unwrap_or_default());
        self.content.push_str(message.content.or(answer.response.take()).as_deref().unwrap_or_default());
        let images = message.images.or(answer.images.take()).unwrap_or_default();
        self.images.extend(
            images
                .iter()
                .chain(answer.image.take().filter(|data| !data.is_empty()).iter())
                .map(|data| body::image(data, &[])),
        );
        let calls = message.tool_calls.or(answer.tool_calls.take()).unwrap_or_default().0;
        self.calls.extend(calls.into_iter().filter_map(|call| read_call(call, &mut self.ids)));
    }

    fn parts(self) -> Vec<Part> {
        let mut parts = Vec::with_capacity(2 + self.images.len() + self.calls.len());
        if !self.thinking.is_empty() {
            parts.push(Part::Reasoning(ReasoningPart::new(self.thinking)));
        }
        if !self.content.is_empty() {
            parts.push(Part::text(self.content));
        }
        parts.extend(self.images);
        parts.extend(self.calls.into_iter().map(Part::ToolCall));
        parts
    }
}

/// The time when an answer began, in milliseconds; `None` for servers with another notation.
pub(super) fn created_ms(raw: &RawValue) -> Option<f64> {
    time::parse(&text(raw)?)
}

/// Lists of tokens in the unified shape.
pub(super) fn unified_logprobs(lists: &[&RawValue]) -> String {
    let mut out = String::with_capacity(lists.iter().map(|raw| raw.get().len()).sum::<usize>() + 16);
    object(&mut out, |o| {
        o.array("content", |a| {
            // The service leaves out the alternatives if none were asked for, and chat's clients require them.
            lists.iter().filter_map(|raw| list(raw)).flatten().for_each(|token| whole(a, token));
        });
        // They require both lists, too.
        o.null("refusal");
    });
    out
}
