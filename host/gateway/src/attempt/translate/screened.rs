//! Relays a request, and has guards read its whole answer only if the bytes contain something that they look for.

use std::pin::pin;
use std::sync::Arc;

use http::Response;
use http::header::{self, HeaderValue};

use super::super::failure::Failure;
use super::super::relay::{self, Relay};
use super::super::reply::ReplyBody;
use super::super::send::{late_fault, no_content};
use super::super::versions::Versions;
use super::super::{InboundRequest, RequestContext};
use super::exchange::read_whole;
use super::{Run, decode_bound};
use crate::accept::Acceptance;
use crate::accounting::Account;
use crate::admission::AdmissionPermit;
use crate::route::Target;
use weir_types::fault::Fault;
use weir_types::stage;
use weir_upstream::{UpstreamBody, UpstreamResponse};
use weir_wire::screen::{Screen, is_document};

/// Sends the client's bytes and passes on the answer's. If a guard may find something in those, the guards judge the
/// answer first.
pub(super) async fn relay(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    screens: &[Arc<Screen>],
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let (response, asks_usage) =
        pin!(relay::send_unchanged(context, inbound, target, acceptance, true, account)).await?;
    let lane = Relay { context, inbound, acceptance, asks_usage };
    if response.status.as_u16() >= 400 {
        return Err(Box::pin(relay::refused(lane, target, response, account)).await);
    }
    let answer = pin!(screened(lane, target, response, screens, account)).await;
    Ok(answer.map_err(|fault| late_fault(fault, target))?)
}

async fn screened(
    lane: Relay<'_>,
    target: &Arc<Target>,
    response: UpstreamResponse,
    screens: &[Arc<Screen>],
    account: &mut Account,
) -> Result<Response<ReplyBody>, Fault> {
    let Relay { context, inbound, .. } = lane;
    let UpstreamResponse { status, mut headers, body } = response;
    let (limit, origin) = (context.config.server.translate_body_limit, Arc::clone(body.origin()));
    let mut held = inbound.held.beside();
    let coded = UpstreamResponse { status, headers: headers.clone(), body };
    let bytes = pin!(read_whole(coded, limit, decode_bound(limit), &mut held)).await?;
    if bytes.trim_ascii().is_empty() && lane.has_content(status) {
        return Err(no_content(status, &headers, target));
    }
    stage::begin().await;
    headers.remove(header::CONTENT_ENCODING);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    // An answer that is not JSON, such as a stream in place of a whole answer, may have in pieces what guards look for.
    let may_find = !is_document(&bytes) || screens.iter().any(|screen| screen.may_find(&bytes));
    let response = UpstreamResponse { status, headers, body: Box::new(UpstreamBody::read(bytes, &origin)) };
    if may_find {
        drop(held);
        return judge(lane, target, response, account).await;
    }
    if let Some(judged) = context.judged {
        judged.pass_answer(inbound.judged().unwrap_or(judged).notes());
    }
    account.hold(AdmissionPermit::to_hold(held));
    Ok(relay::answer(lane, response, account))
}

/// Has the guards judge an answer that has arrived.
async fn judge(
    lane: Relay<'_>,
    target: &Arc<Target>,
    response: UpstreamResponse,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Fault> {
    let versions = Versions::choose(lane.inbound, target);
    versions.note(lane.inbound, target, account);
    let Some(run) = pin!(Run::to_judge(lane.context, lane.inbound, target, &versions, account)).await? else {
        return Ok(relay::answer(lane, response, account));
    };
    let answer = pin!(run.answer_unchanged(lane, response, account)).await;
    if let Err(fault) = &answer {
        versions.note_failure(fault);
    }
    answer
}
