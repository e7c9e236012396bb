//! Requests for lists of models, which are subject to the same limits as other requests.

use http::Response;

use super::Gateway;
use super::own_headers::put_limits;
use crate::accounting::access::RequestRecord;
use crate::admission::AdmissionPermit;
use crate::attempt::{InboundRequest, ReplyBody, RequestContext};
use crate::model_list;
use crate::serving::Serving;
use weir_types::fault::Fault;

impl Gateway {
    /// Admits and answers a request for a list of models, or for one of them.
    pub(super) async fn list(
        &self,
        context: RequestContext<'_>,
        serving: &Serving,
        inbound: &InboundRequest,
        permit: AdmissionPermit,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<Response<ReplyBody>, Fault> {
        let permit = match self.admission.admit_to_lists(&serving.config, &inbound.caller, permit).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&inbound.endpoint, &refused, &inbound.exchange.id, record)),
        };
        let mut response = model_list::answer(context, serving, &self.lists, inbound).await?;
        put_limits(&mut response, &inbound.endpoint, &permit.limits(), None);
        Ok(response)
    }
}
