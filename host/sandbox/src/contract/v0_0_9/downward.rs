//! From the newest version to 0.0.9: what it has no place for is a loss, and an error where it must not be lost.

use super::types as old;
use weir_types::contract::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Error, ErrorKind, FinishReason, Frame, Header, HttpRequest,
    HttpResponse, Loss, LossKind, Message, Part, PartKind, Role, Usage,
};

/// What is passed down, or why it cannot be.
pub type Passed<T> = Result<T, Error>;

/// Notes what is left behind.
#[derive(Debug, Default)]
pub struct Ledger(pub Vec<Loss>);

impl Ledger {
    fn dropped(&mut self, field: &str, is_there: bool) {
        if is_there {
            let note = Some("the adapter speaks contract 0.0.9, which has no place for it".to_owned());
            self.0.push(Loss { field: field.to_owned(), kind: LossKind::Dropped, note });
        }
    }
}

fn unsupported(what: &str) -> Error {
    Error {
        kind: ErrorKind::Unsupported,
        message: format!("the adapter speaks contract 0.0.9, which has no {what}"),
        status: None,
        code: None,
        param: None,
        retry_after_ms: None,
    }
}

fn text(body: &Body) -> Passed<String> {
    match body {
        Body::Text(text) => Ok(text.clone()),
        Body::Bytes(_) => Err(unsupported("bytes in bodies")),
    }
}

fn headers(list: &[Header]) -> Vec<old::Header> {
    list.iter().map(|header| old::Header { name: header.name.clone(), value: header.value.clone() }).collect()
}

impl From<&Context> for old::Context {
    fn from(ctx: &Context) -> Self {
        Self {
            request_id: ctx.request_id.clone(),
            now_ms: ctx.now_ms,
            model: ctx.model.clone(),
            memo: ctx.memo.clone(),
        }
    }
}

impl From<&Frame> for old::Frame {
    fn from(frame: &Frame) -> Self {
        Self { event: frame.event.clone(), data: frame.data.clone() }
    }
}

impl From<ErrorKind> for old::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::RateLimited | ErrorKind::Quota | ErrorKind::Overloaded => Self::RateLimited,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::Upstream | ErrorKind::Timeout | ErrorKind::Internal => Self::Upstream,
            ErrorKind::InvalidRequest
            | ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::ContextLength
            | ErrorKind::ContentFiltered => Self::InvalidRequest,
        }
    }
}

/// A client's request.
pub fn http_request(request: &HttpRequest) -> Passed<old::HttpRequest> {
    Ok(old::HttpRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query: headers(&request.query),
        headers: headers(&request.headers),
        body: text(&request.body)?,
    })
}

/// An upstream's response.
pub fn http_response(response: &HttpResponse) -> Passed<old::HttpResponse> {
    Ok(old::HttpResponse { status: response.status, headers: headers(&response.headers), body: text(&response.body)? })
}

/// A request for an answer.
pub fn chat_request(request: &ChatRequest, ledger: &mut Ledger) -> Passed<old::ChatRequest> {
    if !request.tools.is_empty() {
        return Err(unsupported("tools"));
    }
    let sampling = &request.sampling;
    for (field, is_there) in [
        ("tool-choice", request.tool_choice.is_some()),
        ("output", request.output.is_some()),
        ("sampling.top-p", sampling.top_p.is_some()),
        ("sampling.top-k", sampling.top_k.is_some()),
        ("sampling.seed", sampling.seed.is_some()),
        ("sampling.stop", !sampling.stop.is_empty()),
        ("sampling.frequency-penalty", sampling.frequency_penalty.is_some()),
        ("sampling.presence-penalty", sampling.presence_penalty.is_some()),
        ("sampling.candidates", sampling.candidates.is_some_and(|wanted| wanted > 1)),
        ("sampling.logprobs", sampling.logprobs == Some(true)),
        ("reasoning", request.reasoning.is_some()),
        ("end-user", request.end_user.is_some()),
        ("metadata", request.metadata.is_some()),
        ("service-tier", request.service_tier.is_some()),
        ("cache-key", request.cache_key.is_some()),
        ("extensions", !request.extensions.is_empty()),
    ] {
        ledger.dropped(field, is_there);
    }
    Ok(old::ChatRequest {
        model: request.model.clone(),
        messages: request.messages.iter().map(|message| chat_message(message, ledger)).collect::<Passed<_>>()?,
        temperature: sampling.temperature,
        max_tokens: request.max_output_tokens,
        stream: request.stream,
    })
}

fn chat_message(message: &Message, ledger: &mut Ledger) -> Passed<old::Message> {
    let role = match &message.role {
        Role::System | Role::Developer => old::Role::System,
        Role::User => old::Role::User,
        Role::Assistant => old::Role::Assistant,
        Role::Tool | Role::Other(_) => return Err(unsupported("turn of that role")),
    };
    ledger.dropped("message.name", message.name.is_some());
    ledger.dropped("message.extensions", !message.extensions.is_empty());
    Ok(old::Message { role, text: words(&message.parts, ledger)? })
}

/// The text of a message, all parts of it together.
fn words(parts: &[Part], ledger: &mut Ledger) -> Passed<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(part) => text.push_str(&part.text),
            Part::Refusal(words) => text.push_str(words),
            Part::Reasoning(_) => ledger.dropped("reasoning", true),
            Part::Opaque(_) => ledger.dropped("opaque", true),
            Part::Media(_) => return Err(unsupported("media")),
            Part::ToolCall(_) | Part::ToolResult(_) => return Err(unsupported("tools")),
        }
    }
    Ok(text)
}

impl From<FinishReason> for old::FinishReason {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Complete | FinishReason::StopSequence => Self::Complete,
            FinishReason::Length | FinishReason::ContextLength => Self::Length,
            FinishReason::ContentFilter | FinishReason::Refusal => Self::ContentFilter,
            FinishReason::ToolCalls
            | FinishReason::Paused
            | FinishReason::MalformedToolCall
            | FinishReason::Failed
            | FinishReason::Other => Self::Other,
        }
    }
}

impl From<&Usage> for old::Usage {
    fn from(usage: &Usage) -> Self {
        let sum =
            |buckets: &[Option<u32>]| buckets.iter().flatten().fold(0, |sum: u32, more| sum.saturating_add(*more));
        Self {
            input: sum(&[usage.input, usage.cache_read, usage.cache_write]),
            output: sum(&[usage.output, usage.reasoning]),
        }
    }
}

/// A whole answer.
pub fn chat_response(response: &ChatResponse, ledger: &mut Ledger) -> Passed<old::ChatResponse> {
    let first = response.candidates.first();
    ledger.dropped("candidates", response.candidates.len() > 1);
    let parts = first.map(|candidate| candidate.parts.as_slice()).unwrap_or_default();
    let finish = first.and_then(|candidate| candidate.finish.as_ref()).map(|finish| finish.reason.into());
    Ok(old::ChatResponse {
        id: response.id.clone(),
        model: response.model.clone(),
        text: words(parts, ledger)?,
        finish: finish.unwrap_or(old::FinishReason::Other),
        usage: response.usage.as_ref().map(old::Usage::from),
    })
}

/// What happens in a streamed answer; events that 0.0.9 does not know are left out.
pub fn chat_events(events: &[ChatEvent], ledger: &mut Ledger) -> Passed<Vec<old::ChatEvent>> {
    events.iter().filter_map(|event| chat_event(event, ledger).transpose()).collect()
}

fn chat_event(event: &ChatEvent, ledger: &mut Ledger) -> Passed<Option<old::ChatEvent>> {
    Ok(Some(match event {
        ChatEvent::Start(start) => {
            old::ChatEvent::Start(old::ResponseStart { id: start.id.clone(), model: start.model.clone() })
        }
        ChatEvent::PartStart(start) if start.candidate == 0 => {
            let kind = match &start.kind {
                PartKind::Text | PartKind::Refusal => old::PartKind::Text,
                PartKind::Reasoning => old::PartKind::Reasoning,
                PartKind::ToolCall(_) => return Err(unsupported("tools")),
                PartKind::Media(_) => return Err(unsupported("media")),
                PartKind::Opaque(_) => {
                    ledger.dropped("opaque", true);
                    return Ok(None);
                }
            };
            old::ChatEvent::PartStart(old::PartStart { part: start.part, kind })
        }
        ChatEvent::Delta(delta) if delta.candidate == 0 => {
            old::ChatEvent::Delta(old::PartDelta { part: delta.part, text: delta.text.clone() })
        }
        ChatEvent::PartStop(stop) if stop.candidate == 0 => old::ChatEvent::PartStop(stop.part),
        ChatEvent::Finish(end) if end.candidate == 0 => old::ChatEvent::Finish(end.finish.reason.into()),
        ChatEvent::Usage(usage) => old::ChatEvent::Usage(usage.into()),
        ChatEvent::Failure(error) => old::ChatEvent::Failure(old::Error {
            kind: error.kind.into(),
            message: error.message.clone(),
            status: error.status,
        }),
        ChatEvent::PartStart(_) => {
            ledger.dropped("candidates", true);
            return Ok(None);
        }
        ChatEvent::Signature(_) | ChatEvent::Citation(_) | ChatEvent::Logprobs(_) | ChatEvent::Opaque(_) => {
            ledger.dropped("event", true);
            return Ok(None);
        }
        ChatEvent::Delta(_) | ChatEvent::PartStop(_) | ChatEvent::Finish(_) => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{PartStart, TextPart, ToolCall, ToolKind, ToolStart};

    fn empty() -> ChatRequest {
        let old = old::ChatRequest {
            model: "m".into(),
            messages: vec![old::Message { role: old::Role::User, text: "hi".into() }],
            temperature: Some(0.5),
            max_tokens: Some(7),
            stream: true,
        };
        old.into()
    }

    #[test]
    fn what_came_up_goes_down_as_it_was() {
        let mut ledger = Ledger::default();
        let down = chat_request(&empty(), &mut ledger).unwrap();
        assert_eq!(
            (down.model.as_str(), down.max_tokens, down.temperature, down.stream),
            ("m", Some(7), Some(0.5), true)
        );
        assert_eq!(down.messages[0].text, "hi");
        assert!(ledger.0.is_empty());
    }

    #[test]
    fn what_has_no_place_is_said() {
        let mut request = empty();
        request.sampling.seed = Some("7".into());
        request.messages[0].parts.push(Part::Text(TextPart {
            text: "!".into(),
            citations: vec![],
            signature: None,
            cache: None,
            extensions: vec![],
        }));
        let mut ledger = Ledger::default();
        assert_eq!(chat_request(&request, &mut ledger).unwrap().messages[0].text, "hi!");
        assert_eq!(ledger.0.iter().map(|loss| loss.field.as_str()).collect::<Vec<_>>(), ["sampling.seed"]);
    }

    #[test]
    fn what_must_not_be_lost_is_refused() {
        let mut request = empty();
        request.messages[0].parts.push(Part::ToolCall(ToolCall {
            id: "1".into(),
            name: "look".into(),
            kind: ToolKind::Function,
            arguments: "{}".into(),
            signature: None,
            cache: None,
            extensions: vec![],
        }));
        assert_eq!(chat_request(&request, &mut Ledger::default()).unwrap_err().kind, ErrorKind::Unsupported);
        let call = ToolStart { id: "1".into(), name: "look".into(), kind: ToolKind::Function, signature: None };
        let start = PartStart { candidate: 0, part: 0, kind: PartKind::ToolCall(call) };
        let refused = chat_events(&[ChatEvent::PartStart(start)], &mut Ledger::default());
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Unsupported);
    }
}
