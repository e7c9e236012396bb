//! The guards of a request, in the same way for clients with a dialect and for programs.

use http::Response;

use super::Gateway;
use super::own_headers::put_guards;
use crate::accounting::access::RequestRecord;
use crate::attempt::{self, InboundRequest, ReplyBody, RequestContext};
use crate::serving::{Serving, Stored};
use weir_types::contract::about::Operation;
use weir_types::fault::Fault;

impl Gateway {
    /// Has the guards of a request judge it. Lists of models have no content to judge. An answer that its provider has kept
    /// comes as it was made, whatever guards made of it, so that it is refused where they judge answers.
    pub(super) async fn judge(
        &self,
        context: RequestContext<'_>,
        serving: &Serving,
        asked: &InboundRequest,
    ) -> Result<(), Fault> {
        if serving.stored(asked.face.index) == Stored::Answer {
            serving.guards.refuse_kept_answers(&asked.caller)?;
        }
        let guards = serving.guards.of(&asked.caller, asked.reading.model.as_deref());
        if guards.is_empty() || *asked.operation() == Operation::Models {
            return Ok(());
        }
        Box::pin(attempt::judge(context, asked, &guards, &self.guard_metrics)).await
    }

    /// Answers a request that a guard refused, or failed to judge.
    pub(super) fn refuse_judged(
        &self,
        asked: &InboundRequest,
        fault: &Fault,
        line: &mut Option<Box<RequestRecord>>,
    ) -> Response<ReplyBody> {
        if let (Some(line), Some(judged)) = (line.as_mut(), asked.judged()) {
            line.judged_by(judged.notes());
        }
        let mut response = self.refuse(asked.face.errors.as_deref(), fault, &asked.exchange.id, line);
        put_guards(&mut response, asked);
        response
    }
}
