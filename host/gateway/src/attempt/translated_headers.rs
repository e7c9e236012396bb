//! The headers of translated answers, and the keep-alive frame of their streams.

use bytes::Bytes;
use http::Response;
use http::header::{self, HeaderValue};

use super::InboundRequest;
use super::reply::ReplyBody;
use weir_translate::dialect::reply::insert;
use weir_types::contract::types::{Frame, Framing, Loss, LossKind};
use weir_types::fault::loss_kind;
use weir_wire::frame;

/// The most losses that are listed.
const LISTED: usize = 32;

/// Sets the headers that list losses, bounded: `x-weir-losses` every loss with its kind, `x-weir-dropped-params` the
/// dropped fields.
pub(super) fn put_losses(response: &mut Response<ReplyBody>, losses: &[Loss]) {
    if losses.is_empty() {
        return;
    }
    let listed = losses.iter().take(LISTED);
    let mut dropped: Vec<String> = listed.filter(|loss| loss.kind == LossKind::Dropped).map(clean).collect();
    dropped.dedup();
    let all = loss_list(losses).unwrap_or_default();
    insert(response.headers_mut(), &weir_types::headers::LOSSES, &all);
    if !dropped.is_empty() {
        insert(response.headers_mut(), &weir_types::headers::DROPPED_PARAMS, &dropped.join(","));
    }
}

/// The lost fields, each with its kind, as headers and trailers list them; `None` if nothing was lost.
pub fn loss_list(losses: &[Loss]) -> Option<String> {
    let listed = losses.iter().take(LISTED);
    let mut all: Vec<String> = listed.map(|loss| format!("{}={}", clean(loss), loss_kind(loss.kind))).collect();
    all.dedup();
    (!all.is_empty()).then(|| all.join(","))
}

fn clean(loss: &Loss) -> String {
    loss.field.chars().filter(|c| c.is_ascii_graphic() && *c != ',').take(64).collect()
}

/// Sets the headers of a stream that the host encodes.
pub(super) fn stream_headers(response: &mut Response<ReplyBody>, framing: Framing) {
    let kind = match framing {
        Framing::Sse => "text/event-stream; charset=utf-8",
        other => frame::content_type(other),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    insert(headers, "x-accel-buffering", "no");
}

/// The frame that keeps a client's connection alive while there is no answer yet.
pub(super) fn keep_alive_frame(inbound: &InboundRequest) -> Option<Bytes> {
    let mut enframer = frame::Encoder::new(inbound.framing);
    let own = inbound.endpoint.errors.as_ref().and_then(|errors| errors.keep_alive.as_ref());
    match own {
        Some(template) => {
            let frame = Frame { event: template.event.clone(), data: template.data.clone() };
            let mut out = Vec::new();
            enframer.push(&frame, &mut out);
            Some(Bytes::from(out))
        }
        None => enframer.keep_alive().map(Bytes::from_static),
    }
}
