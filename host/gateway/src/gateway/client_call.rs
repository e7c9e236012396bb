//! Requests of clients that use the unified model over a protocol of its own, in place of a dialect. They are
//! identified, admitted, routed, tried, logged and accounted for as requests in a dialect are; the protocol reads and
//! writes messages.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Incoming;

use super::cached_call::FoundCall;
use super::call::{CallAnswer, trace_of};
use super::capture::ToLog;
use super::finish::Routing;
use super::guards::record_notes;
use super::own_headers::{diagnose, forbid_retry, note_answer, put_guards, set_own_request_id, set_request_id};
use super::refusal::note_fault;
use super::routing::{RoutedExchange, resolve_route};
use super::unified::{UnifiedCall, UnifiedEndpoints};
use super::{Admitted, Gateway, TracedRequest, capture, exact_len, read_body, span_attributes};
use crate::accounting::Account;
use crate::accounting::access::RequestRecord;
use crate::admission::AdmissionPermit;
use crate::attempt::{AttemptResponse, Closing, HandedBody, InboundRequest, ReplyBody, UnifiedReply};
use crate::gateway::CallTrace;
use crate::model_list;
use crate::observe::log::current;
use crate::observe::trace::Span;
use crate::route::Target;
use crate::serving::Serving;
use weir_server::Peer;
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::reply::usual_status;
use weir_translate::unified::{Answer, Request};
use weir_types::contract::about::{CredentialPlace, Operation};
use weir_types::contract::types::ModelsResponse;
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;
use weir_types::headers;

use super::rights::resolve_alias;

/// The prefix of Weir's own headers.
const OWN: &str = "x-weir-";

/// A protocol that carries the unified model, for one request of a client.
pub trait Protocol: Sync {
    /// The protocol's endpoints.
    fn endpoints(&self) -> &UnifiedEndpoints;

    /// The operation that the client calls.
    fn operation(&self) -> Operation;

    /// Refuses headers of the protocol that cannot be read.
    ///
    /// # Errors
    ///
    /// A header has a value that the protocol does not allow.
    fn check(&self, headers: &HeaderMap) -> Result<(), Fault>;

    /// Reads the request from the pieces of a body.
    ///
    /// # Errors
    ///
    /// The body holds no such request.
    fn read(&self, body: &[Bytes]) -> Result<Request, Fault>;

    /// Writes an answer, whose stream may still run.
    fn answer(&self, answer: CallAnswer) -> Response<ReplyBody>;

    /// Writes the answer to a request that failed.
    fn refuse(&self, fault: &Fault, request_id: &str) -> Response<ReplyBody>;
}

impl Gateway {
    /// Answers one request of a client over a protocol.
    pub async fn handle_by(&self, protocol: &impl Protocol, request: http::Request<Incoming>) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let exchange = Exchange::begin(&head.headers);
        let id: Arc<str> = Arc::clone(&exchange.id);
        let Some(endpoint) = protocol.endpoints().of(&protocol.operation()) else {
            return protocol.refuse(&Fault::internal("there is no endpoint for this operation"), &id);
        };
        Box::pin(current::within(Arc::clone(&id), self.answer_by(protocol, id, exchange, endpoint, head, body))).await
    }

    async fn answer_by(
        &self,
        protocol: &impl Protocol,
        id: Arc<str>,
        exchange: Exchange,
        endpoint: &Arc<Endpoint>,
        head: Parts,
        body: Incoming,
    ) -> Response<ReplyBody> {
        let serving = self.serving.load_full();
        let mut record = self.begin_record(&serving, &id, &exchange, &head);
        let span = self.tracer.request(&head.headers, || head.method.to_string());
        span_attributes::describe(&span, endpoint, &id);
        if let Some(record) = record.as_mut() {
            record.set_endpoint(endpoint);
        }
        let own_id = exchange.own_id;
        let begun = TracedRequest { exchange, span: &span, record: &mut record };
        let served = self.serve_by(protocol, &serving, begun, head, body, endpoint).await;
        let (mut response, status) = match served {
            Ok(response) => (response, 200),
            Err(fault) => {
                self.note_refusal(&fault, &mut record);
                note_fault(&fault, &id);
                mark_failed(&span, &fault);
                (protocol.refuse(&fault, &id), status_of(&fault))
            }
        };
        set_request_id(&mut response, None, &id);
        if serving.config.server.diagnostic_headers {
            set_own_request_id(&mut response, &own_id);
        }
        span_attributes::conclude(&span, &mut response);
        if let Some(record) = record.as_mut() {
            record.finish_own_answer(status, exact_len(&response));
        }
        response
    }

    async fn serve_by(
        &self,
        protocol: &impl Protocol,
        serving: &Serving,
        TracedRequest { exchange, span, record }: TracedRequest<'_>,
        head: Parts,
        body: Incoming,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Response<ReplyBody>, Fault> {
        let caller = self.identified(serving, endpoint, &head).await?;
        if let Some(record) = record.as_mut() {
            record.set_caller(&caller);
        }
        protocol.check(&head.headers)?;
        let permit = self.admission.admit_caller(&serving.config, &caller).await.map_err(|refused| refused.fault)?;
        let held = self.buffers.begin(caller.number(), head.extensions.get::<Peer>().map(|peer| peer.buffers.clone()));
        let (body, held) = read_body::whole(serving, body, held).await?;
        let size: usize = body.iter().map(Bytes::len).sum();
        if let Some(record) = record.as_mut() {
            record.set_request_bytes(size as u64);
        }
        let request = protocol.read(&body)?;
        let named = &serving.config.server.key_headers;
        let (headers, _) = serving.endpoints.without_credentials(&endpoint.adapter, named, head.headers.clone(), "");
        let headers = as_json(without_places(headers, endpoint));
        let call = UnifiedCall { request, headers, arrived: Some(size) };
        let mut inbound = protocol.endpoints().inbound(serving, exchange, caller, held, call)?;
        if let Some(record) = record.as_mut() {
            record.set_model(inbound.peek.model.as_deref());
        }
        resolve_alias(&inbound.caller, endpoint, &mut inbound.peek)?;
        let route = resolve_route(serving, &mut inbound.peek);
        let alias = route.map(|route| route.alias.as_str());
        let logged = capture::choose(serving, &inbound.exchange, &inbound.caller, alias, &head.headers, "");
        drop(body);
        let more = inbound.demand().body_len.saturating_sub(size);
        inbound.held.grow(more).await?;
        if let Some(record) = record.as_mut() {
            self.capture_unified(serving, &mut inbound, logged, span, record);
        }
        let inbound = Arc::new(inbound);
        self.permit_unified(serving, &inbound)?;
        if *inbound.operation() == Operation::Models {
            return self.list_by(protocol, serving, &inbound, permit).await;
        }
        self.forward_by(protocol, serving, &inbound, Admitted { span, permit, record }).await
    }

    /// Begins to capture a request as JSON of the unified model, to which the rules for redaction apply. Of the answer,
    /// the provider's is captured, not the client's.
    fn capture_unified(
        &self,
        serving: &Serving,
        inbound: &mut InboundRequest,
        logged: ToLog,
        span: &Span,
        record: &mut RequestRecord,
    ) {
        if logged.may_be_content() {
            inbound.body = vec![inbound.side.json().into()];
        }
        // The record keeps the capture.
        let _capture = self.capture(serving, inbound, logged, span, record);
        inbound.body.clear();
    }

    /// Admits and answers a request for the list of models.
    async fn list_by(
        &self,
        protocol: &impl Protocol,
        serving: &Serving,
        inbound: &InboundRequest,
        permit: AdmissionPermit,
    ) -> Result<Response<ReplyBody>, Fault> {
        let admitted = self.admission.admit_to_lists(&serving.config, &inbound.caller, permit).await;
        let _permit = admitted.map_err(|refused| refused.fault)?;
        let models = Box::pin(model_list::known(self.context(serving), serving, &self.lists, inbound)).await;
        let answer = Answer::Models(ModelsResponse { models, cursor: None });
        let body = HandedBody::new(UnifiedReply::Answer(Box::new(answer)), Closing::default());
        let trace = CallTrace::of(&inbound.exchange.id);
        Ok(protocol.answer(CallAnswer { trace, body: ReplyBody::Program(Box::new(body)), is_estimate: false }))
    }

    /// Admits, routes and attempts a request; from here on everything is accounted for.
    async fn forward_by(
        &self,
        protocol: &impl Protocol,
        serving: &Serving,
        inbound: &Arc<InboundRequest>,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Result<Response<ReplyBody>, Fault> {
        let admitted = self.admission.admit(&serving.config, &inbound.caller, &inbound.demand(), permit).await;
        let permit = admitted.map_err(|refused| refused.fault)?;
        if let Err(fault) = self.judge(self.context(serving), serving, inbound).await {
            record_notes(record, inbound);
            let response = self.refuse_by(protocol, &fault, inbound, span, record);
            drop(record.take());
            return Ok(response);
        }
        let found = match Box::pin(self.find_kept_call(serving, inbound)).await? {
            FoundCall::Answer(kept) => {
                return Ok(self.replay_call(protocol, inbound, *kept, Admitted { span, permit, record }));
            }
            found => found,
        };
        let admitted = Admitted { span, permit, record };
        let routed = match Box::pin(self.route(self.context(serving), serving, inbound, admitted)).await {
            Ok(routed) => routed,
            Err(nowhere) => {
                let mut response = self.refuse_by(protocol, &nowhere.fault, inbound, span, record);
                self.finish_refusal(&mut response, serving, inbound, &nowhere, record);
                drop(record.take());
                return Ok(response);
            }
        };
        Ok(self.finish_by(protocol, serving, inbound, span, routed, found))
    }

    /// Answers a request whose targets have been tried. `found` is the result of its look-up in the cache, and decides
    /// whether the answer is kept.
    fn finish_by(
        &self,
        protocol: &impl Protocol,
        serving: &Serving,
        inbound: &Arc<InboundRequest>,
        span: &Span,
        routed: RoutedExchange,
        found: FoundCall,
    ) -> Response<ReplyBody> {
        let RoutedExchange {
            tried: AttemptResponse { answer, target, stands_in },
            plan,
            mut account,
            deadline,
            notices,
        } = routed;
        account.note_overhead();
        let mut response = match answer {
            Ok(response) => response,
            Err(fault) => {
                mark_failed(span, &fault);
                return fail_by(protocol, serving, inbound, target.as_deref(), &fault, account);
            }
        };
        let routing = Routing { target: target.as_deref(), plan, deadline, notices: &notices };
        self.finish(&mut response, serving, inbound, &mut account, routing);
        let trace = trace_of(&CallTrace::of(&inbound.exchange.id), inbound, target.as_deref(), &account);
        let mut answer_headers = std::mem::take(response.headers_mut());
        let is_estimate = answer_headers.contains_key(&headers::TOKEN_COUNT);
        let has_trial = account.has_trial();
        let body = response.into_body().attach(account);
        let found = if stands_in || has_trial { found.for_this_request() } else { found };
        let body = self.keep_call(&mut answer_headers, inbound, body, found);
        let mut answered = protocol.answer(CallAnswer { trace, body, is_estimate });
        let own = answer_headers.iter().filter(|(name, _)| name.as_str().starts_with(OWN));
        own.for_each(|(name, value)| _ = answered.headers_mut().insert(name, value.clone()));
        answered
    }
}

impl Gateway {
    /// Answers a request that is refused before any attempt. This completes its record, so the caller must drop the
    /// record.
    fn refuse_by(
        &self,
        protocol: &impl Protocol,
        fault: &Fault,
        inbound: &InboundRequest,
        span: &Span,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Response<ReplyBody> {
        self.note_refusal(fault, record);
        note_fault(fault, &inbound.exchange.id);
        mark_failed(span, fault);
        if let Some(record) = record.as_mut() {
            record.finish_own_answer(status_of(fault), 0);
        }
        let mut response = protocol.refuse(fault, &inbound.exchange.id);
        put_guards(&mut response, inbound);
        response
    }
}

/// Answers a request whose attempts have failed, and closes its account.
fn fail_by(
    protocol: &impl Protocol,
    serving: &Serving,
    inbound: &InboundRequest,
    target: Option<&Target>,
    fault: &Fault,
    mut account: Box<Account>,
) -> Response<ReplyBody> {
    let id = &inbound.exchange.id;
    note_fault(fault, id);
    account.record().into_iter().for_each(|record| record.failed(fault));
    if let Some(target) = target {
        note_answer(&mut account, target, inbound);
    }
    account.answering(status_of(fault), false, false);
    let mut response = protocol.refuse(fault, id);
    forbid_retry(&mut response, fault);
    if serving.config.server.diagnostic_headers {
        diagnose(&mut response, target, false, inbound, &account);
    }
    put_guards(&mut response, inbound);
    account.complete();
    response
}

/// The HTTP status that corresponds to a fault.
fn status_of(fault: &Fault) -> u16 {
    fault.error.status.unwrap_or_else(|| usual_status(fault.error.kind))
}

/// Marks a request's span as failed if its HTTP status would be 500 or above: the protocol's own answer has status 200.
fn mark_failed(span: &Span, fault: &Fault) {
    if status_of(fault) >= 500 {
        span.fail("failed");
    }
}

/// The headers of the request as it is logged.
fn as_json(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// The headers without those in which the protocol's clients put their keys.
fn without_places(mut headers: HeaderMap, endpoint: &Endpoint) -> HeaderMap {
    for place in &endpoint.face.credentials {
        if let CredentialPlace::Header(header) = place {
            headers.remove(header.name.as_str());
        }
    }
    headers
}
