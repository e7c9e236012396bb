//! Reads an answer that a provider stores, to learn what it used once it is finished. It belongs to no client's
//! request, so it is not accounted for.

use std::sync::Arc;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use super::RequestContext;
use super::meter::{Meter, Progress};
use super::send::{fault_of, headers_after};
use crate::accept::{Acceptance, Filling};
use crate::accounting::StoredUse;
use crate::provenance::ProvenanceRecorder;
use crate::route::Target;
use crate::serving::Stored;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_upstream::{Chunks, UpstreamRequest};
use weir_wire::frame::Limits;
use weir_wire::tap::CompiledTap;

/// The state that a stored answer reports.
#[derive(Debug)]
pub(crate) enum StoredState {
    /// The provider has finished the answer; this is to be booked.
    Finished(Box<StoredUse>),
    /// The answer is still being made.
    UnderWay,
    /// The answer reports that its work failed.
    Failed,
    /// The answer reports no state.
    Unreported,
}

/// The id of an answer, or that of its results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredAnswerId<'a> {
    pub(crate) id: &'a str,
    pub(crate) reads: Stored,
}

/// Fetches an answer with this id, or its results, as `reads` says. Passes their bytes to the recorder.
pub(crate) async fn read_stored(
    context: RequestContext<'_>,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    tap: &CompiledTap,
    StoredAnswerId { id, reads }: StoredAnswerId<'_>,
    recorder: &mut ProvenanceRecorder,
) -> Result<StoredState, Fault> {
    let request = request(target, acceptance, id)?;
    let response = context.upstreams.send(request).await.map_err(|error| fault_of(&error))?;
    let status = response.status;
    if status != StatusCode::OK {
        let message = format!("the provider answered {status}");
        return Err(Fault::new(Side::Upstream, ErrorKind::Upstream, message).with_status(status.as_u16()));
    }
    let meter = Meter::new(tap, reads.into(), None, Limits::default(), &response.headers);
    let unreadable = || Fault::new(Side::Upstream, ErrorKind::Upstream, "the provider's answer has an unknown coding");
    let mut meter = meter.ok_or_else(unreadable)?;
    let mut body = response.body;
    while let Some(piece) = body.next_piece().await.map_err(|error| fault_of(&error))? {
        meter.see(&piece, Some(&mut *recorder));
    }
    let metered = meter.finish(true);
    let other = match metered.progress {
        Progress::UnderWay => StoredState::UnderWay,
        Progress::Failed => StoredState::Failed,
        Progress::Finished | Progress::Unknown => StoredState::Unreported,
    };
    Ok(metered.into_stored_use().map_or(other, |used| StoredState::Finished(Box::new(used))))
}

fn request<'a>(target: &'a Target, acceptance: &Acceptance, id: &str) -> Result<UpstreamRequest<'a>, Fault> {
    let model = target.model("");
    let option = |name: &str| target.option(name);
    let filling = Filling { model, id, option: &option };
    let query = acceptance.query("", &filling, false);
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let address = target.base.join(&acceptance.path(&filling, false), pairs);
    let mut headers = headers_after(&HeaderMap::new());
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.extend(acceptance.set_headers(&filling).map(|(name, value)| (name.clone(), value)));
    Ok(UpstreamRequest {
        method: acceptance.method.clone(),
        address: address.map_err(|error| Fault::invalid(error.to_string()))?,
        headers,
        body: Chunks::empty(),
        timeouts: target.timeouts,
        credential: target.credential.as_ref(),
        stream: false,
        model,
        grpc: None,
        hand_over: None,
    })
}
