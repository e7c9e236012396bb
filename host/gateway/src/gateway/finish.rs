//! The last step before the answer to a routed request is sent, for clients of a dialect, clients of a protocol, and
//! programs.

use std::sync::Arc;
use std::time::Instant;

use http::Response;

use super::Gateway;
use super::own_headers::{diagnose, forbid_retry, note_answer, put_guards, put_skipped, set_cost};
use super::own_url;
use super::stored::StoringRequest;
use crate::accounting::Account;
use crate::accounting::access::RequestRecord;
use crate::attempt::{InboundRequest, ReplyBody};
use crate::route::{NoTarget, Plan, Target};
use crate::serving::Serving;
use weir_ledger::Notice;

/// How an answer was made.
pub(super) struct Routing<'a> {
    /// The target that answered, or failed last.
    pub(super) target: Option<&'a Target>,
    pub(super) plan: Plan,
    /// When the request has to be answered.
    pub(super) deadline: Option<Instant>,
    /// Warnings of budgets.
    pub(super) notices: &'a [Notice],
}

impl Gateway {
    /// Adds Weir's own headers to an answer, has a recorder watch it for values that later requests carry, and lets
    /// another target continue a stream that breaks.
    pub(super) fn finish(
        &self,
        response: &mut Response<ReplyBody>,
        serving: &Serving,
        inbound: &Arc<InboundRequest>,
        account: &mut Account,
        Routing { target, plan, deadline, notices }: Routing<'_>,
    ) {
        set_cost(response, account, notices);
        if let Some(target) = target {
            note_answer(account, target, inbound);
            let making = StoringRequest {
                stored: inbound.stored,
                caller: &inbound.caller,
                model: inbound.model(),
                target,
                priced: target,
                acceptance: target.accepts(inbound.endpoint.format(), inbound.operation()),
                work_id_places: serving.work_id_places(inbound.endpoint.index),
                peek: Some(&inbound.peek),
            };
            let is_stored = self.note_stored_answer(response, serving, making, account);
            self.learn(response, serving, inbound, &plan, target, is_stored);
            own_url::put_in_answer(response, serving, inbound, target);
        }
        self.make_resumable(response, serving, inbound, plan, deadline);
        put_guards(response, inbound);
        if serving.config.server.diagnostic_headers {
            let is_answer = response.status().as_u16() < 400;
            diagnose(response, target, is_answer, inbound, account);
        }
    }

    /// Adds Weir's own headers to the refusal of a request that no target takes, and reports why each was skipped.
    pub(super) fn finish_refusal(
        &self,
        response: &mut Response<ReplyBody>,
        serving: &Serving,
        inbound: &InboundRequest,
        NoTarget { fault, skipped }: &NoTarget,
        record: &mut Option<Box<RequestRecord>>,
    ) {
        let shows_diagnostics = serving.config.server.diagnostic_headers;
        put_skipped(response, skipped, shows_diagnostics, &self.metrics, &inbound.exchange.id, record);
        forbid_retry(response, fault);
        put_guards(response, inbound);
    }
}
