//! A kept answer, written in the format of another client than the one that caused it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::super::InboundRequest;
use super::super::adapter_headers::set_adapter_headers;
use super::super::reply::ReplyBody;
use super::super::send::bytes_of;
use super::super::translated_headers::{loss_list, stream_headers};
use super::{Meaning, Portable, context};
use weir_sandbox::Lease;
use weir_translate::event_validator::{EventValidator, unfold};
use weir_translate::unified::{self, Answer};
use weir_types::contract::types::{ChatResponse, Context, Loss};
use weir_wire::{estimate, frame};

/// The headers and the body of an answer for a request, whole or as a stream; `None` if its format loses any part of
/// it.
pub(crate) async fn rewritten(
    inbound: &InboundRequest,
    meaning: &Meaning,
    answer: Portable,
) -> Option<(HeaderMap, Bytes)> {
    let mut chat = answer.into_answer(inbound.endpoint.format());
    let lease = inbound.side.dialect()?.lease(Arc::clone(&inbound.caller.tenant)).await.ok()?;
    let model = chat.model.get_or_insert_with(|| inbound.model().to_owned()).clone();
    let context = Context {
        memo: meaning.memo.clone(),
        input_tokens: Some(estimate::input_tokens(&meaning.chat)),
        // A stream names its model in its first event.
        model: if inbound.peek.stream { String::new() } else { model },
        ..context(inbound)
    };
    if inbound.peek.stream { streamed(inbound, lease, &context, chat) } else { whole(lease, &context, chat) }
}

fn whole(mut lease: Lease, context: &Context, chat: ChatResponse) -> Option<(HeaderMap, Bytes)> {
    let rendered = unified::render_answer(&mut lease, context, &Answer::Chat(chat)).ok()?;
    lease.release();
    if has_lost(&rendered.losses) || rendered.response.status != 200 {
        return None;
    }
    let mut headers = HeaderMap::new();
    set_adapter_headers(&mut headers, &rendered.response.headers);
    let (body, _) = bytes_of(rendered.response.body);
    Some((headers, body))
}

fn streamed(
    inbound: &InboundRequest,
    lease: Lease,
    context: &Context,
    chat: ChatResponse,
) -> Option<(HeaderMap, Bytes)> {
    let mut validator = EventValidator::new(&inbound.exchange.id);
    let mut events = validator.push(unfold(chat));
    events.extend(validator.end());
    let mut encoder = lease.encoder(context).ok()?;
    let most = encoder.push(&events).ok()?.ok()?;
    let rest = encoder.finish().ok()?.ok()?;
    encoder.release();
    if has_lost(&most.losses) || has_lost(&rest.losses) {
        return None;
    }
    let mut enframer = frame::Encoder::new(inbound.framing);
    let mut out = Vec::new();
    most.frames.iter().chain(&rest.frames).for_each(|frame| enframer.push(frame, &mut out));
    enframer.finish(&mut out);
    let body = Bytes::from(out);
    let mut response = Response::new(ReplyBody::from(body.clone()));
    stream_headers(&mut response, inbound.framing);
    Some((std::mem::take(response.headers_mut()), body))
}

fn has_lost(losses: &[Loss]) -> bool {
    if let Some(fields) = loss_list(losses) {
        tracing::debug!(fields, "a kept answer cannot be written in this format without a loss");
    }
    !losses.is_empty()
}
