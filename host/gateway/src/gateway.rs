//! The path of a request: recognise, identify, read, admit, route, attempt, respond, account.
//!
//! On this path, futures are awaited by `pin!(…).await`, where they were made. A plain `.await` would copy the future
//! twice, and the future of a request has thousands of bytes at each of a dozen levels. Rarely needed futures are
//! boxed, so that not every request has room for them.

mod cached;
mod cached_call;
mod call;
mod capture;
mod client_call;
mod coded_body;
mod embed;
mod ephemeral;
mod finish;
mod further_models;
mod guards;
mod inbound;
mod issuers;
mod kept_answer;
mod kept_work;
mod media_type;
mod model_lists;
mod overflow;
mod own_headers;
mod own_time;
mod own_url;
mod passthrough;
mod probe;
mod read_body;
mod recognise;
mod refusal;
mod removal;
mod request_files;
mod rights;
mod routing;
mod session;
mod shared_limits;
mod similar;
mod span_attributes;
mod stored;
mod unified;
mod unknown;
mod unread;
mod upkeep;
mod welcome;
mod work;

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::accounting::Unbooked;
use crate::accounting::access::{Arrival, RequestRecord};
use crate::accounting::capture::Capture;
use crate::accounting::request_log::RequestLog;
use crate::admission::{Admission, AdmissionPermit};
use crate::answer_cache::AnswerCache;
use crate::attempt::{self, AttemptResponse, InboundRequest, ReplyBody, RequestContext};
use crate::auth::{Caller, Origin, OwnSeal, StoredKeys, WrongKeys, identify};
use crate::guard::GuardMetrics;
use crate::health::Health;
use crate::model_list;
use crate::observe::log::current;
use crate::observe::metrics::Metrics;
use crate::observe::trace::{Span, Tracer};
use crate::realtime::Sessions;
use crate::reasoning_cache::ReasoningCache;
use crate::serving::Serving;
use cached::CacheLookup;
use finish::Routing;
use own_headers::{put_limits, set_allow, set_own_request_id, set_request_id};
use recognise::{EndpointCall, recognise};
use refusal::{failed_response, fault_response};
use routing::RoutedExchange;
use unknown::Unrecognised;
use weir_buffers::BufferLimit;
use weir_server::Peer;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_types::contract::about::Operation;
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;
use weir_types::stage;
use weir_upstream::Upstreams;

pub use call::{Call, CallAnswer, CallError, CallTrace};
pub use client_call::Protocol;
pub use probe::Checked;
pub use unified::UnifiedEndpoints;

/// The data plane.
#[derive(Debug)]
pub struct Gateway {
    serving: Arc<ArcSwap<Serving>>,
    upstreams: Upstreams,
    metrics: Arc<Metrics>,
    tracer: Tracer,
    lists: model_list::Lists,
    reasoning_cache: Arc<ReasoningCache>,
    unbooked: Arc<Unbooked>,
    answers: AnswerCache,
    health: Arc<Health>,
    admission: Arc<Admission>,
    wrong_keys: WrongKeys,
    stored_keys: Arc<StoredKeys>,
    buffers: Arc<BufferLimit>,
    guard_metrics: GuardMetrics,
    sessions: Sessions,
    seal: OwnSeal,
    log: OnceLock<Arc<dyn RequestLog>>,
}

impl Gateway {
    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let exchange = Exchange::begin(&head.headers);
        let id: Arc<str> = Arc::clone(&exchange.id);
        if self.serving.load().may_begin_work(&head) {
            return Box::pin(self.begin_work(id, exchange, head, body)).await;
        }
        let answer = pin!(self.answer(Arc::clone(&id), exchange, head, body));
        current::within(id, answer).await
    }

    /// Answers a request that may begin work at a provider, such as a batch. It continues if its client leaves, since
    /// only the answer has the id by which the work is booked.
    async fn begin_work(
        self: Arc<Self>,
        id: Arc<str>,
        exchange: Exchange,
        head: Parts,
        body: Incoming,
    ) -> Response<ReplyBody> {
        let own = Arc::clone(&id);
        let answer = async move { self.answer(own, exchange, head, body).await };
        let answered = tokio::spawn(current::within(Arc::clone(&id), answer)).await;
        answered.unwrap_or_else(|_| fault_response(None, &Fault::internal("the request was broken off"), &id))
    }

    async fn answer(&self, id: Arc<str>, exchange: Exchange, head: Parts, body: Incoming) -> Response<ReplyBody> {
        let serving = self.serving.load_full();
        let mut record = self.begin_record(&serving, &id, &exchange, &head);
        let own_id = exchange.own_id;
        let mut capture = None;
        let span = self.tracer.request(&head.headers, || head.method.to_string());
        // A request that is passed through calls no face, and looking for one takes a quarter as long as all the rest.
        let called = (!passthrough::is_at(&serving, &head)).then(|| recognise(&serving, &head));
        let (mut response, endpoint) = match called {
            // `GET /` is the welcome page even if an adapter has an endpoint there; HEAD, by which clients probe a
            // server, still reaches it.
            Some(Ok(_)) if welcome::is_at(&head) && head.method == Method::GET => {
                (welcome::page(&serving, &head), None)
            }
            None => {
                let begun = TracedRequest { exchange, span: &span, record: &mut record };
                let answer = Box::pin(self.pass(&serving, begun, head, body)).await;
                (answer.unwrap_or_else(|fault| self.refuse(None, &fault, &id, &mut record)), None)
            }
            Some(Ok(called)) => {
                let endpoint = Arc::clone(&called.endpoint);
                span_attributes::describe(&span, &endpoint, &id);
                if let Some(record) = record.as_mut() {
                    record.set_endpoint(&endpoint);
                }
                let begun = TracedRequest { exchange, span: &span, record: &mut record };
                let answer = if session::is_for(&endpoint) {
                    Box::pin(self.begin_session(&serving, begun, head, called)).await
                } else {
                    pin!(self.serve(&serving, begun, &mut capture, head, body, called)).await
                };
                let refuse = |fault| self.refuse(endpoint.errors.as_deref(), &fault, &id, &mut record);
                (answer.unwrap_or_else(refuse), Some(endpoint))
            }
            Some(Err(_)) if welcome::is_at(&head) => (welcome::page(&serving, &head), None),
            Some(Err(Unrecognised { fault, methods, nearest: endpoint })) => {
                let errors = endpoint.as_ref().and_then(|endpoint| endpoint.errors.as_deref());
                let mut response = self.refuse(errors, &fault, &id, &mut record);
                set_allow(&mut response, &methods);
                (response, endpoint)
            }
        };
        set_request_id(&mut response, endpoint.as_deref(), &id);
        if serving.config.server.diagnostic_headers {
            set_own_request_id(&mut response, &own_id);
        }
        span_attributes::conclude(&span, &mut response);
        if let Some(record) = record.as_mut() {
            record.finish_own_answer(response.status().as_u16(), exact_len(&response));
        }
        match capture {
            Some(capture) => attempt::captured(response, capture),
            None => response,
        }
    }

    async fn serve(
        &self,
        serving: &Serving,
        begun: TracedRequest<'_>,
        capture: &mut Option<Arc<Capture>>,
        mut head: Parts,
        body: Incoming,
        called: EndpointCall,
    ) -> Result<Response<ReplyBody>, Fault> {
        let EndpointCall { endpoint, path_params } = called;
        let TracedRequest { exchange, span, record } = begun;
        let caller = pin!(self.identified(serving, &endpoint, &head)).await?;
        if let Some(record) = record.as_mut() {
            record.set_caller(&caller);
        }
        let permit = match pin!(self.admission.admit_caller(&serving.config, &caller)).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&endpoint, &refused, &exchange.id, record)),
        };
        let held = self.buffers.begin(caller.number(), head.extensions.get::<Peer>().map(|peer| peer.buffers.clone()));
        let mut taken = pin!(read_body::read(serving, &endpoint, &path_params, &mut head, body, held)).await?;
        let peek = &mut taken.peek;
        // The record has the client's own name for the model, even if the request is refused.
        if let Some(record) = record.as_mut() {
            record.set_model(peek.model.as_deref());
            record.set_request_bytes(taken.body.iter().map(|piece| piece.len() as u64).sum());
        }
        rights::resolve_alias(&caller, &endpoint, peek)?;
        let route = routing::resolve_route(serving, peek);
        let query = head.uri.query().unwrap_or_default();
        let alias = route.map(|route| route.alias.as_str());
        let logged = capture::choose(serving, &exchange, &caller, alias, &head.headers, query);
        let earlier = self.unbooked.earlier.of(&caller.tenant, taken.peek.earlier());
        let most = serving.config.server.max_body_bytes;
        taken.recalled = self.reasoning_cache.items().put_in(&caller.tenant, &endpoint, &taken.body, most)?;
        if let Some(body) = &taken.recalled {
            taken.held.grow(body.len()).await?;
        }
        let called = EndpointCall { endpoint, path_params };
        let inbound = inbound::request(serving, exchange, caller, called, head, taken, earlier)?;
        if let Some(record) = record.as_mut() {
            *capture = self.capture(serving, &inbound, logged, span, record);
        }
        if serving.begins_on_files(inbound.endpoint.index) {
            Box::pin(self.recall_files(serving, &inbound.caller, &inbound.named_objects())).await;
        }
        self.permit(serving, &inbound)?;
        if let Some(places) = serving.request_lines(inbound.endpoint.index) {
            Box::pin(self.read_requests(places, &inbound)).await?;
        }
        let context = self.context(serving);
        if *inbound.operation() == Operation::Models {
            return Box::pin(self.list(context, serving, &inbound, permit, record)).await;
        }
        if ephemeral::is_for(&inbound.endpoint) {
            return Box::pin(self.issue_ephemeral(serving, &inbound, permit, record)).await;
        }
        stage::begin().await;
        let answer = pin!(self.forward(context, serving, &inbound, Admitted { span, permit, record })).await;
        inbound::end(inbound);
        answer
    }

    /// Identifies the caller of a request. An address that may be guessing keys is slowed down. A time limit that
    /// cannot be read is refused after that, for identified callers only.
    async fn identified(&self, serving: &Serving, endpoint: &Endpoint, head: &Parts) -> Result<Caller, Fault> {
        let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
        let address = head.extensions.get::<Peer>().map(|peer| peer.address);
        let origin = Origin { address, uri: &head.uri };
        match pin!(identify(&serving.config, &self.stored_keys, endpoint, &about, origin)).await {
            Ok(caller) => own_time::check(&head.headers).map(|()| caller),
            Err(denied) if denied.is_a_guess() => Err(Box::pin(self.wrong_keys.judge(denied.into(), address)).await),
            Err(denied) => Err(denied.into()),
        }
    }

    /// Admits, routes and attempts a request; from here on everything is accounted for.
    async fn forward(
        &self,
        context: RequestContext<'_>,
        serving: &Serving,
        inbound: &Arc<InboundRequest>,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Result<Response<ReplyBody>, Fault> {
        let demand = inbound.demand();
        let permit = match pin!(self.admission.admit(&serving.config, &inbound.caller, &demand, permit)).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&inbound.endpoint, &refused, &inbound.exchange.id, record)),
        };
        if let Err(fault) = pin!(self.judge(context, serving, inbound)).await {
            return Ok(self.refuse_judged(inbound, &fault, record));
        }
        self.refuse_too_much_work(inbound.stored, &inbound.caller.tenant)?;
        if removal::is_by(&inbound.endpoint.face.method) {
            Box::pin(self.book_removed(serving, inbound)).await?;
        }
        let limits = permit.limits();
        let found = match cached::kept_route(serving, inbound) {
            Some((route, lifetime)) => Box::pin(self.find_kept(serving, inbound, route, lifetime)).await?,
            None => cached::refuse_unkept(inbound).map(|()| CacheLookup::Nothing)?,
        };
        let found = match found {
            CacheLookup::Answer(kept) => return Ok(self.replay(inbound, kept, Admitted { span, permit, record })),
            found => found,
        };
        let routed = pin!(self.route(context, serving, inbound, Admitted { span, permit, record })).await;
        let routed = match routed {
            Ok(routed) => routed,
            Err(nowhere) => {
                found.give_up();
                let mut response =
                    self.refuse(inbound.endpoint.errors.as_deref(), &nowhere.fault, &inbound.exchange.id, record);
                self.finish_refusal(&mut response, serving, inbound, &nowhere, record);
                return Ok(response);
            }
        };
        let RoutedExchange { tried, plan, mut account, deadline, notices } = routed;
        let AttemptResponse { answer, target, stands_in } = tried;
        let errors = inbound.endpoint.errors.as_deref();
        let mut response =
            answer.unwrap_or_else(|fault| failed_response(errors, &fault, &inbound.exchange.id, &mut account));
        account.note_overhead();
        let routing = Routing { target: target.as_deref(), plan, deadline, notices: &notices };
        self.finish(&mut response, serving, inbound, &mut account, routing);
        put_limits(&mut response, &inbound.endpoint, &limits, target.as_deref().map(|target| (target, &*account)));
        let found = if stands_in || account.has_trial() { found.for_this_request() } else { found };
        let cost = found.is_miss().then(|| account.cost_cell());
        let response = pin!(attempt::with_cost(response.map(|body| body.attach(account)))).await;
        Ok(self.keep(response, serving, inbound, found, cost))
    }

    /// The record of a request; `None` if neither the access log nor a request log takes it.
    fn begin_record(
        &self,
        serving: &Serving,
        id: &Arc<str>,
        exchange: &Exchange,
        head: &Parts,
    ) -> Option<Box<RequestRecord>> {
        let arrival = Arrival {
            id: Arc::clone(id),
            own_id: exchange.own_id,
            begun: exchange.begun,
            method: &head.method,
            path: head.uri.path(),
            address: head.extensions.get::<Peer>().map(|peer| peer.address),
            user_agent: head.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()),
        };
        RequestRecord::begin(arrival, serving.config.server.access_log, self.log.get().cloned())
    }

    /// The services that the attempts of a request use, without a deadline and without a judgement by guards.
    fn context<'a>(&'a self, serving: &'a Serving) -> RequestContext<'a> {
        RequestContext {
            config: &serving.config,
            upstreams: &self.upstreams,
            reasoning_cache: &self.reasoning_cache,
            deadline: None,
            judged: None,
        }
    }
}

/// The length of a response whose body is whole.
fn exact_len(response: &Response<ReplyBody>) -> u64 {
    response.body().size_hint().exact().unwrap_or_default()
}

/// A request with its span and its record.
struct TracedRequest<'a> {
    exchange: Exchange,
    span: &'a Span,
    record: &'a mut Option<Box<RequestRecord>>,
}

/// The span, the permit and the record of an admitted request, until it has an account, which then keeps them.
struct Admitted<'a> {
    span: &'a Span,
    permit: AdmissionPermit,
    record: &'a mut Option<Box<RequestRecord>>,
}
