//! Breakpoints for the prompt's cache: how many a request may have, and where the service sets one itself.

use std::borrow::Cow;

use crate::citations::MESSAGES;
use crate::json::{Rest, Str};
use crate::losses::{Losses, extension};
use crate::types::{CacheHint, ChatRequest, Part, ResultPart, Tool};

/// The most of a request: "A maximum of 4 blocks with `cache_control` may be provided." Bedrock takes as many.
const MOST: usize = 4;

/// The member by which a client of Messages has the service set a breakpoint at the end of the prompt.
const AUTOMATIC: &str = "cache_control";

/// The request with no more breakpoints than a service takes, as [`bound`] makes it.
pub fn bounded<'r>(request: Cow<'r, ChatRequest>, losses: &mut Losses) -> Cow<'r, ChatRequest> {
    let count = count(&request);
    if count <= MOST {
        return request;
    }
    let mut request = request.into_owned();
    drop_first(&mut request, count - MOST, losses);
    Cow::Owned(request)
}

/// Whether a request has more breakpoints than a service takes.
pub fn are_too_many(request: &ChatRequest) -> bool {
    count(request) > MOST
}

/// Leaves the latest breakpoints, and reports the others. Each is about the whole prompt before it, so the latest save
/// most; OpenAI's models, which take any number, write the latest four as well.
pub fn bound(request: &mut ChatRequest, losses: &mut Losses) {
    let count = count(request);
    if count > MOST {
        drop_first(request, count - MOST, losses);
    }
}

/// The request with a breakpoint at the end of its prompt, if its client has the service set one, for services that do
/// not.
pub fn automatic(request: Cow<'_, ChatRequest>) -> Cow<'_, ChatRequest> {
    let Some(hint) = extension(&request.extensions, MESSAGES, AUTOMATIC).and_then(hint) else { return request };
    let mut request = request.into_owned();
    let mut parts = request.messages.iter_mut().rev().flat_map(|message| message.parts.iter_mut().rev());
    if let Some(place) = parts.find_map(place) {
        place.get_or_insert(hint);
        request.extensions.retain(|own| own.format != MESSAGES || own.key != AUTOMATIC);
    }
    Cow::Owned(request)
}

fn hint(json: &str) -> Option<CacheHint> {
    let mut control = Rest::parse(json).ok()?;
    Some(CacheHint { ttl: control.str("ttl").map(Str::into_string) })
}

/// Where a part has its breakpoint, if it can have one.
fn place(part: &mut Part) -> Option<&mut Option<CacheHint>> {
    match part {
        Part::Text(text) if text.text.trim().is_empty() => None,
        Part::Text(text) => Some(&mut text.cache),
        Part::Media(media) => Some(&mut media.cache),
        Part::ToolCall(call) => Some(&mut call.cache),
        Part::ToolResult(result) => Some(&mut result.cache),
        Part::Reasoning(_) | Part::Refusal(_) | Part::Opaque(_) => None,
    }
}

/// How many breakpoints a request has.
fn count(request: &ChatRequest) -> usize {
    let is_marked = |tool: &&Tool| matches!(tool, Tool::Function(function) if function.cache.is_some());
    let tools = request.tools.iter().filter(is_marked).count();
    tools + request.messages.iter().flat_map(|message| &message.parts).map(of_part).sum::<usize>()
}

fn of_part(part: &Part) -> usize {
    match part {
        Part::Text(text) => usize::from(text.cache.is_some()),
        Part::Media(media) => usize::from(media.cache.is_some()),
        Part::ToolCall(call) => usize::from(call.cache.is_some()),
        Part::ToolResult(result) => {
            let within = |part: &&ResultPart| match part {
                ResultPart::Text(text) => text.cache.is_some(),
                ResultPart::Media(media) => media.cache.is_some(),
                ResultPart::Json(_) | ResultPart::Opaque(_) => false,
            };
            usize::from(result.cache.is_some()) + result.content.iter().filter(within).count()
        }
        Part::Reasoning(_) | Part::Refusal(_) | Part::Opaque(_) => 0,
    }
}

/// Drops the first breakpoints in the order of the prompt: the tools stand before the messages.
#[cold]
#[inline(never)]
fn drop_first(request: &mut ChatRequest, count: usize, losses: &mut Losses) {
    let mut left = count;
    let mut drop = |hint: &mut Option<CacheHint>, field: &dyn Fn() -> String| {
        if left > 0 && hint.take().is_some() {
            left -= 1;
            losses
                .dropped(format!("{}.cache_control", field()), "a request has four breakpoints here: the latest stay");
        }
    };
    for (at, tool) in request.tools.iter_mut().enumerate() {
        if let Tool::Function(function) = tool {
            drop(&mut function.cache, &|| format!("tools[{at}]"));
        }
    }
    for (message, parts) in request.messages.iter_mut().map(|message| &mut message.parts).enumerate() {
        for (at, part) in parts.iter_mut().enumerate() {
            let field = || format!("messages[{message}].content[{at}]");
            match part {
                Part::Text(text) => drop(&mut text.cache, &field),
                Part::Media(media) => drop(&mut media.cache, &field),
                Part::ToolCall(call) => drop(&mut call.cache, &field),
                Part::ToolResult(result) => {
                    for (within, part) in result.content.iter_mut().enumerate() {
                        let field = || format!("{}.content[{within}]", field());
                        match part {
                            ResultPart::Text(text) => drop(&mut text.cache, &field),
                            ResultPart::Media(media) => drop(&mut media.cache, &field),
                            ResultPart::Json(_) | ResultPart::Opaque(_) => {}
                        }
                    }
                    drop(&mut result.cache, &field);
                }
                Part::Reasoning(_) | Part::Refusal(_) | Part::Opaque(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;
    use crate::types::{Extension, FunctionTool, Message, Role, TextPart, ToolResult};

    const HINT: CacheHint = CacheHint { ttl: None };

    fn text(cache: Option<CacheHint>) -> TextPart {
        TextPart { cache, ..TextPart::new("a") }
    }

    /// A tool, a text, a result with a text of its own, and two more texts, all with breakpoints.
    fn request() -> ChatRequest {
        let tool = FunctionTool { cache: Some(HINT), ..FunctionTool::new("f") };
        let content = vec![ResultPart::Text(text(Some(HINT)))];
        let result = ToolResult { content, cache: Some(HINT), ..ToolResult::new("c") };
        let messages = vec![
            Message::new(Role::System, vec![Part::Text(text(Some(HINT)))]),
            Message::new(Role::User, vec![Part::ToolResult(result), Part::Text(text(Some(HINT)))]),
            Message::new(Role::User, vec![Part::Text(text(Some(HINT)))]),
        ];
        ChatRequest { tools: vec![Tool::Function(tool)], messages, ..ChatRequest::default() }
    }

    #[test]
    fn the_latest_four_stay_and_the_others_are_reported() {
        let mut losses = Losses::default();
        let sent = bounded(Cow::Owned(request()), &mut losses);
        assert_eq!((are_too_many(&request()), count(&sent)), (true, MOST));
        assert_eq!(fields(&losses.into_losses()), ["tools[0].cache_control", "messages[0].content[0].cache_control"]);
        let mut same = sent.clone().into_owned();
        let mut losses = Losses::default();
        bound(&mut same, &mut losses);
        assert_eq!((&same, losses.into_losses().len()), (&*sent, 0));
    }

    #[test]
    fn the_service_sets_one_at_the_last_block_that_can_have_it() {
        let own = |json: &str| Extension { format: MESSAGES.into(), key: AUTOMATIC.into(), json: json.into() };
        let parts = vec![Part::Text(text(None)), Part::Text(text(None)), Part::Text(TextPart::new(" "))];
        let asks = |json| ChatRequest {
            messages: vec![Message::new(Role::User, parts.clone())],
            extensions: vec![own(json)],
            ..ChatRequest::default()
        };
        let sent = automatic(Cow::Owned(asks(r#"{"type":"ephemeral","ttl":"1h"}"#)));
        let hint = CacheHint { ttl: Some("1h".into()) };
        let expected = [Part::Text(text(None)), Part::Text(text(Some(hint))), Part::Text(TextPart::new(" "))];
        assert_eq!((&sent.messages[0].parts[..], sent.extensions.len()), (&expected[..], 0));
        let without = automatic(Cow::Owned(asks("null")));
        assert_eq!((count(&without), without.extensions.len()), (0, 1));
    }
}
