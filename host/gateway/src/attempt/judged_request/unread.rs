//! Requests that need not be parsed for their guards, since the client's bytes have nothing that these look for.

use super::super::InboundRequest;
use super::super::client_request::{joined_len, whole};
use super::{Judged, numbered};
use crate::guard::{self, Turn, UnreadRequest};
use weir_types::contract::about::BodyKind;
use weir_wire::screen::is_document;

/// Whether a request is JSON in the client's own bytes, because no earlier guard has read it.
pub(super) fn is_unread(inbound: &InboundRequest, before: Option<&Judged>) -> bool {
    let is_read = before.is_some_and(|before| before.must_translate || before.copy.is_some());
    !is_read && inbound.side.dialect().is_some() && inbound.endpoint.face.body == BodyKind::Json
}

/// Whether a request passes guards that say what they look for.
pub(super) async fn passes(inbound: &InboundRequest, turns: &mut [Turn<'_>]) -> bool {
    if !turns.iter().all(Turn::may_pass) {
        return false;
    }
    let mut held = inbound.held.beside();
    if held.grow(joined_len(inbound.pieces())).await.is_err() {
        return false;
    }
    let body = whole(inbound.pieces());
    // Bytes that are not JSON in UTF-8 may mean something else to another reader, and token numbers hide the words that
    // a guard looks for.
    if !is_document(&body) || numbered::may_be_in(&body) {
        return false;
    }
    let (headers, read_headers) = (&inbound.headers, &inbound.endpoint.face.request_headers);
    guard::pass_unread(turns, &inbound.caller.tenant, UnreadRequest { body: &body, headers, read_headers }).await
}
