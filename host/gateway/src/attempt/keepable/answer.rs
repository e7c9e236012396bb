//! Reads an answer that is to be kept: whether it is complete, and what it says in the unified model.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::IgnoredAny;

use super::super::InboundRequest;
use super::super::send::response_of;
use super::super::usage_cost::without_cost;
use super::{Portable, context};
use crate::accept::read_headers;
use weir_sandbox::{Adapter, Lease};
use weir_translate::event_validator::EventValidator;
use weir_translate::fold::fold;
use weir_translate::unified::{self, Answer, Outcome};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{
    Candidate, ChatEvent, ChatResponse, Context, Finish, FinishReason, Framing, LossKind, Part, PartKind,
};
use weir_upstream::{Coding, DecodeBound, Decoder};
use weir_wire::frame::{self, FrameRef};
use weir_wire::tap::{CompiledTap, LastFrameCheck};

/// The largest answer, uncompressed.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// Reads answers of one format.
#[derive(Debug)]
pub(in super::super) struct AnswerReader {
    adapter: Option<Arc<Adapter>>,
    tenant: Arc<str>,
    context: Context,
    operation: Operation,
    /// None for a whole answer.
    framing: Option<Framing>,
    limits: frame::Limits,
}

/// What a complete answer says.
#[derive(Debug)]
pub(in super::super) struct CompleteAnswer {
    /// What it says, if clients of other formats may have it.
    pub(in super::super) portable: Option<Portable>,
}

impl AnswerReader {
    /// A reader for the answer to a request.
    pub(in super::super) fn of(inbound: &InboundRequest, is_stream: bool, frame_bytes: usize) -> Self {
        Self {
            adapter: inbound.side.dialect().cloned(),
            tenant: Arc::clone(&inbound.caller.tenant),
            context: context(inbound),
            operation: inbound.operation().clone(),
            framing: is_stream.then_some(inbound.framing),
            limits: frame::Limits { frame_bytes, ..frame::Limits::default() },
        }
    }

    /// Reads an answer; `None` if it is incomplete: cut short by a limit, filtered, refused or failed.
    pub(in super::super) async fn read(&self, headers: &HeaderMap, body: &Bytes) -> Option<CompleteAnswer> {
        let plain = decoded(headers, body)?;
        if self.operation != Operation::Chat {
            return tells_no_error(&plain).then_some(CompleteAnswer { portable: None });
        }
        let lease = self.adapter.as_ref()?.lease(Arc::clone(&self.tenant)).await.ok()?;
        match self.framing {
            Some(framing) => self.read_stream(framing, lease, &plain),
            None => self.read_whole(lease, headers, &plain),
        }
    }

    fn read_whole(&self, mut lease: Lease, headers: &HeaderMap, plain: &Bytes) -> Option<CompleteAnswer> {
        let headers = read_headers(&lease.adapter().manifest).texts(headers);
        let http = response_of(StatusCode::OK, headers, plain);
        let read = unified::parse_answer(&mut lease, &self.operation, &self.context, &http);
        lease.release();
        let Ok(Outcome::Complete(Answer::Chat(chat), losses)) = read else { return None };
        let is_portable = losses.is_empty() && is_portable(&chat);
        is_complete(&chat).then(|| CompleteAnswer { portable: is_portable.then(|| self.portable(chat)) })
    }

    fn read_stream(&self, framing: Framing, lease: Lease, plain: &[u8]) -> Option<CompleteAnswer> {
        let mut frames = Vec::new();
        let mut deframer = frame::Decoder::new(framing, self.limits);
        deframer.push(plain, &mut |frame| frames.push(frame.to_owned())).ok()?;
        deframer.finish(&mut |frame| frames.push(frame.to_owned())).ok()?;
        // If a provider breaks off between two frames, the finish may have arrived and the frames behind it may not.
        if let Some(mut last) = self.last_frame()
            && !frames.iter().any(|frame| last.is_last(FrameRef::from(frame)))
        {
            return None;
        }
        let mut decoder = lease.decoder(&self.context).ok()?;
        let most = decoder.push(&frames).ok()?.ok()?;
        let rest = decoder.finish().ok()?.ok()?;
        decoder.release();
        let events: Vec<ChatEvent> = most.events.into_iter().chain(rest.events).collect();
        let mut ends = events.iter().filter_map(|event| match event {
            ChatEvent::Finish(end) => Some(end.finish.reason),
            _ => None,
        });
        let has_failed = events.iter().any(|event| matches!(event, ChatEvent::Failure(_)) || is_refusal(event));
        // If the provider sent no end, the decoder makes one up and reports an approximation.
        let has_own_end = !rest.losses.iter().any(|loss| loss.kind == LossKind::Approximated);
        let is_complete = !has_failed && has_own_end && ends.next().is_some_and(is_end) && ends.all(is_end);
        let is_whole = most.losses.is_empty() && rest.losses.is_empty();
        is_complete.then(|| CompleteAnswer {
            portable: self.folded(events).filter(|_| is_whole).map(|chat| self.portable(chat)),
        })
    }

    /// The check for the last frame of a stream of the format, if the format marks it.
    fn last_frame(&self) -> Option<LastFrameCheck> {
        let mut formats = self.adapter.as_ref()?.manifest.formats.iter();
        let tap = formats.find(|format| format.id == self.context.format)?.tap.as_ref()?;
        LastFrameCheck::new(&CompiledTap::new(tap).ok()?)
    }

    fn portable(&self, chat: ChatResponse) -> Portable {
        Portable::new(&self.context.format, chat)
    }

    /// The answer that a stream amounts to, if all of its events have a place in one that other formats may have.
    fn folded(&self, events: Vec<ChatEvent>) -> Option<ChatResponse> {
        if events.iter().any(|event| matches!(event, ChatEvent::Opaque(_))) {
            return None;
        }
        let mut validator = EventValidator::new(&self.context.request_id);
        let mut events = validator.push(events);
        events.extend(validator.end());
        let mut chat = fold(&events).response;
        chat.usage.iter_mut().for_each(without_cost);
        (validator.take_losses().is_empty() && is_portable(&chat)).then_some(chat)
    }
}

/// A whole answer for clients of any format; `None` if it is incomplete, or is of use in its own format only.
pub(in super::super) fn portable(format: &str, chat: &ChatResponse) -> Option<Portable> {
    if !is_complete(chat) || !is_portable(chat) {
        return None;
    }
    let mut chat = chat.clone();
    chat.usage.iter_mut().for_each(without_cost);
    Some(Portable::new(format, chat))
}

fn is_complete(chat: &ChatResponse) -> bool {
    let reason = |finish: &Option<Finish>| finish.as_ref().map(|finish| finish.reason);
    let has_ended = |candidate: &Candidate| reason(&candidate.finish).is_some_and(is_end);
    let refuses = |candidate: &Candidate| candidate.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    !chat.candidates.is_empty() && chat.candidates.iter().all(|candidate| has_ended(candidate) && !refuses(candidate))
}

/// Whether the model refused to answer. It may answer when asked again.
fn is_refusal(event: &ChatEvent) -> bool {
    matches!(event, ChatEvent::PartStart(start) if matches!(start.kind, PartKind::Refusal))
}

fn is_end(reason: FinishReason) -> bool {
    matches!(reason, FinishReason::Complete | FinishReason::StopSequence | FinishReason::ToolCalls)
}

/// Whether other formats' clients may have an answer: it holds no value that only its issuer can read, and nothing that
/// a stream has no event for.
fn is_portable(chat: &ChatResponse) -> bool {
    let is_common = |part: &Part| match part {
        Part::Text(text) => text.signature.is_none() && text.citations.is_empty(),
        Part::ToolCall(call) => call.signature.is_none(),
        Part::Refusal(_) | Part::Reasoning(_) | Part::Media(_) | Part::ToolResult(_) | Part::Opaque(_) => false,
    };
    chat.candidates.iter().all(|candidate| candidate.extensions.is_empty() && candidate.parts.iter().all(is_common))
}

/// Whether an answer that is no chat is an object without an error: some providers send their errors with status 200.
fn tells_no_error(plain: &[u8]) -> bool {
    let members = serde_json::from_slice::<BTreeMap<String, Option<IgnoredAny>>>(plain);
    members.is_ok_and(|members| !members.get("error").is_some_and(Option::is_some))
}

/// An answer's bytes without their coding; `None` if that is not known or broken.
fn decoded(headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let coding = Coding::of(headers).ok()?;
    if coding == Coding::Identity {
        return Some(body.clone());
    }
    let mut decoder = Decoder::new(coding, DecodeBound { piece: MAX_ANSWER_BYTES, ..DecodeBound::default() }).ok()?;
    let mut plain = decoder.push(body).ok()?.to_vec();
    plain.extend_from_slice(&decoder.finish().ok()?);
    Some(Bytes::from(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_answer_whatever_its_status() {
        for answer in [r#"{"data":[]}"#, r#"{"error":null,"results":[{"error":"of one"}]}"#] {
            assert!(tells_no_error(answer.as_bytes()), "{answer}");
        }
        for other in [r#"{"error":{"message":"no"}}"#, r#"{"data":[],"error":"no"}"#, "[]", "null", "no JSON", "", "{"]
        {
            assert!(!tells_no_error(other.as_bytes()), "{other}");
        }
    }
}
