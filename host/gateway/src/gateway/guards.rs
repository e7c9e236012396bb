//! The guards of a request, for clients of a dialect and for programs alike.

use http::Response;

use super::own_headers::put_guards;
use super::{Gateway, further_models};
use crate::accounting::access::RequestRecord;
use crate::attempt::{self, InboundRequest, ReplyBody, RequestContext};
use crate::auth::Caller;
use crate::serving::{Serving, Stored, reads_content};
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::Operation;
use weir_types::fault::Fault;

impl Gateway {
    /// Has the guards of a request judge it. Lists of models have no content to judge.
    pub(super) async fn judge(
        &self,
        context: RequestContext<'_>,
        serving: &Serving,
        inbound: &InboundRequest,
    ) -> Result<(), Fault> {
        refuse_stored(serving, &inbound.endpoint, &inbound.caller)?;
        let models = inbound
            .guarded_models
            .get_or_init(|| further_models::guarded(serving, &inbound.peek, || further_models::named(inbound)));
        let guards = serving.guards.of(&inbound.caller, models);
        if guards.is_empty() || *inbound.operation() == Operation::Models {
            return Ok(());
        }
        Box::pin(attempt::judge(context, inbound, &guards, &self.guard_metrics)).await
    }

    /// Answers a request that a guard refused, or failed to judge.
    pub(super) fn refuse_judged(
        &self,
        inbound: &InboundRequest,
        fault: &Fault,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Response<ReplyBody> {
        record_notes(record, inbound);
        let mut response = self.refuse(inbound.endpoint.errors.as_deref(), fault, &inbound.exchange.id, record);
        put_guards(&mut response, inbound);
        response
    }
}

/// Copies the guards' notes about a request to its record.
pub(super) fn record_notes(record: &mut Option<Box<RequestRecord>>, inbound: &InboundRequest) {
    if let (Some(record), Some(judged)) = (record.as_mut(), inbound.judged()) {
        record.judged_by(judged.notes());
    }
}

/// Refuses a request that would bypass guards by way of what a provider stores: a stored answer is sent as it was made,
/// a file may hold answers, and no guard sees the requests of a batch.
pub(super) fn refuse_stored(serving: &Serving, endpoint: &Endpoint, caller: &Caller) -> Result<(), Fault> {
    match serving.stored(endpoint.index) {
        Stored::Answer => serving.guards.refuse_kept_answers(caller),
        Stored::Begun | Stored::Work | Stored::Results => serving.guards.refuse_work(caller),
        Stored::Object if reads_content(endpoint) => serving.guards.refuse_kept_answers(caller),
        Stored::Nothing | Stored::Made | Stored::Object => Ok(()),
    }
}
