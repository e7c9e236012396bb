//! Vectors of texts, made by a configured model for a client's request: with the client's rights, within its token
//! limits, at its cost, and with a record of their own in the request log.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::call::Call;
use super::rights::resolve_alias;
use super::routing::RoutedExchange;
use super::{Admitted, Gateway};
use crate::accounting::access::{Arrival, RequestRecord};
use crate::accounting::capture::Logging;
use crate::attempt::{AttemptResponse, InboundRequest};
use crate::observe::log::current;
use crate::serving::Serving;
use weir_translate::dialect::reply::usual_status;
use weir_translate::unified::{Answer, Request};
use weir_types::contract::types::{EmbeddingsRequest, Vector};
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;
use weir_types::headers;

/// The bytes of a number in a vector that is written in base64.
const NUMBER: usize = 4;

impl Gateway {
    /// The vector of a request's text.
    ///
    /// # Errors
    ///
    /// No vector came, or a version of an adapter on trial made it: the version may be withdrawn, and another one makes
    /// other vectors.
    pub(super) async fn embed(
        &self,
        serving: &Serving,
        whole: &InboundRequest,
        model: &str,
        text: &str,
    ) -> Result<Vec<f32>, Fault> {
        let request = Request::Embeddings(EmbeddingsRequest {
            model: model.to_owned(),
            single: true,
            ..EmbeddingsRequest::texts([text])
        });
        let exchange = Exchange::begin(&HeaderMap::new());
        let id: Arc<str> = Arc::clone(&exchange.id);
        let asking = self.answer_for(serving, whole, exchange, &id, request);
        let Answer::Embeddings(answer) = Box::pin(current::within(Arc::clone(&id), asking)).await? else {
            return Err(Fault::internal("the answer to a request for vectors has none"));
        };
        let vector = answer.embeddings.into_iter().next().and_then(|embedding| numbers(embedding.vector));
        vector.ok_or_else(|| Fault::internal("the answer to a request for vectors has none that can be compared"))
    }

    /// Carries out a request that is a part of a client's request, and returns the whole answer.
    async fn answer_for(
        &self,
        serving: &Serving,
        whole: &InboundRequest,
        exchange: Exchange,
        id: &Arc<str>,
        request: Request,
    ) -> Result<Answer, Fault> {
        let caller = &whole.caller;
        let span = self.tracer.request(&HeaderMap::new(), || "embeddings".to_owned());
        let (own_id, begun) = (exchange.own_id, exchange.begun);
        let call = Call { request, headers: HeaderMap::new() };
        let mut inbound = self.inbound_call_of(serving, exchange, caller.clone(), call).await?;
        let arrival = Arrival {
            id: Arc::clone(id),
            own_id,
            begun,
            method: &inbound.method,
            path: &inbound.path,
            address: None,
            user_agent: None,
        };
        let mut record = RequestRecord::begin(arrival, serving.config.server.access_log, self.log.get().cloned());
        if let Some(record) = record.as_mut() {
            record.set_endpoint(&inbound.endpoint);
            record.set_caller(caller);
            record.set_model(inbound.peek.model.as_deref());
            let wish = whole.headers.get(&headers::LOG).and_then(|value| value.to_str().ok());
            let alias = inbound.peek.model.as_deref();
            if Logging::of(&serving.config, caller, alias, wish, own_id) == Logging::Nothing {
                record.exclude_from_log();
            }
        }
        let endpoint = Arc::clone(&inbound.endpoint);
        resolve_alias(caller, &endpoint, &mut inbound.peek).map_err(|fault| refused(fault, &mut record))?;
        let inbound = Arc::new(inbound);
        self.permit_unified(serving, &inbound).map_err(|fault| refused(fault, &mut record))?;
        let permit = self.admission.admit_part(&serving.config, caller, &inbound.demand()).await;
        let permit = permit.map_err(|more| refused(more.fault, &mut record))?;
        let judged = self.judge(self.context(serving), serving, &inbound).await;
        judged.map_err(|fault| refused(fault, &mut record))?;
        let admitted = Admitted { span: &span, permit, record: &mut record };
        let routed = Box::pin(self.route(self.context(serving), serving, &inbound, admitted)).await;
        let routed = routed.map_err(|nowhere| refused(nowhere.fault, &mut record))?;
        let RoutedExchange { tried: AttemptResponse { answer, .. }, mut account, .. } = routed;
        account.note_overhead();
        match answer {
            Ok(response) => {
                let has_trial = account.has_trial();
                let mut body = response.into_body().attach(account);
                let answer = body.take_answer().ok_or_else(|| Fault::internal("the answer is not whole"))?;
                if has_trial { Err(Fault::internal("a version on trial has read the answer")) } else { Ok(answer) }
            }
            Err(fault) => {
                account.record().into_iter().for_each(|record| record.failed(&fault));
                account.answering(status_of(&fault), false, false);
                account.complete();
                Err(fault)
            }
        }
    }
}

/// Notes a failure before any attempt.
fn refused(fault: Fault, record: &mut Option<Box<RequestRecord>>) -> Fault {
    if let Some(record) = record.as_mut() {
        record.failed(&fault);
        record.finish_own_answer(status_of(&fault), 0);
    }
    fault
}

fn status_of(fault: &Fault) -> u16 {
    fault.error.status.unwrap_or_else(|| usual_status(fault.error.kind))
}

/// The numbers of a vector; `None` if they are of another type.
fn numbers(vector: Vector) -> Option<Vec<f32>> {
    match vector {
        Vector::Floats(numbers) => Some(numbers.into_iter().map(|number| number as f32).collect()),
        Vector::Base64(text) => {
            let bytes = STANDARD.decode(text).ok()?;
            let (numbers, rest) = bytes.as_chunks::<NUMBER>();
            rest.is_empty().then(|| numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
        }
        Vector::Opaque(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_in_both_of_its_forms() {
        assert_eq!(numbers(Vector::Floats(vec![1.0, -0.5])), Some(vec![1.0, -0.5]));
        let bytes: Vec<u8> = [1.0_f32, -0.5].iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(numbers(Vector::Base64(STANDARD.encode(&bytes))), Some(vec![1.0, -0.5]));
        assert_eq!(numbers(Vector::Base64(STANDARD.encode(&bytes[..5]))), None);
        assert_eq!(numbers(Vector::Base64("no base64".to_owned())), None);
    }
}
