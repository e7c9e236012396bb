//! The path of a request to a provider's own endpoint: recognise, identify, permit, admit, send, account.

mod body;
mod made;
mod readings;
mod request;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use http::request::Parts;
use http::{Method, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use smallvec::SmallVec;

use self::body::PassedBody;
use self::made::SentPass;
use self::request::{
    announced_text, demand, guarded_names, is_text, passage, passed, priced, refuse_tunnels_and_overrides, unmetered,
    uses,
};
use super::own_headers::{forbid_retry, milliseconds, put_limits, set_cost};
use super::refusal::failed_response;
use super::removal::Removal;
use super::stored::StoringRequest;
use super::{Admitted, Gateway, TracedRequest, guards, inbound, own_time, own_url, removal, rights, span_attributes};
use crate::accounting::access::RequestRecord;
use crate::accounting::{Account, ArrivingBody, ExchangeStart};
use crate::admission::budgets::HeldBudget;
use crate::admission::{AdmissionPermit, Demand, ModelWork, Refused, Uses};
use crate::attempt::{PassedRequest, ReplyBody, RequestContext, pass, with_work};
use crate::auth::Caller;
use crate::dialect::request_peek::{ObjectIds, RequestPeek};
use crate::method::reads_as;
use crate::observe::trace::Span;
use crate::passthrough::{KnownEndpoint, NAME, Passage, path};
use crate::provenance::{ReadRequests, SentWords};
use crate::route::Target;
use crate::serving::{Serving, Stored};
use weir_ledger::{Notice, Refusal};
use weir_translate::dialect::path::PathParams;
use weir_translate::dialect::reply::insert;
use weir_types::fault::Fault;
use weir_types::headers;

/// Whether a request is to be passed through. Only so if a provider has endpoints for that.
pub(super) fn is_at(serving: &Serving, head: &Parts) -> bool {
    !serving.passages.is_empty() && head.uri.path().starts_with(path::PREFIX)
}

/// The caller and the address of a request.
#[derive(Clone, Copy)]
struct PassAddress<'a> {
    caller: &'a Caller,
    target: &'a Target,
    /// The endpoint and the parameters of its path, if an adapter describes it.
    known: Option<&'a (KnownEndpoint<'a>, PathParams)>,
}

/// A request that may be sent.
struct PermittedPass<'a> {
    /// When it arrived, and until when its client waits, if it says so.
    begun: Instant,
    until: Option<Instant>,
    id: &'a Arc<str>,
    caller: Caller,
    passage: &'a Passage,
    /// The provider with the key to use.
    target: Arc<Target>,
    /// The alias and the prices of the request's model, if it names one.
    alias: Option<&'a str>,
    priced: Arc<Target>,
    /// The models that the request names besides, as far as they are known.
    further_models: Vec<String>,
    /// The models and tokens that the requests of a batch ask for, or why these are not known; `None` if no work is
    /// begun.
    work: Option<Result<Vec<ModelWork>, String>>,
    /// How the request deals with objects that the provider stores.
    stored: Stored,
    /// The objects that the path names, and the body as far as it was read.
    named: ObjectIds,
    /// The words of the body, if it is unknown what the answer makes.
    sent: Option<Arc<SentWords>>,
    /// The models and objects that the requests in an uploaded file name, once that has passed.
    requests: ReadRequests,
    /// The possible ids in the request, if it may remove something.
    removes: Option<HashSet<String>>,
    uses: Uses,
    body_len: usize,
    /// How many bytes of the body have arrived, if it is still arriving and something depends on its length.
    arrived: Option<Arc<AtomicU64>>,
}

impl PermittedPass<'_> {
    /// Until when the request has to be answered. One that begins work is not broken off: only its answer has the id by
    /// which the work is booked.
    fn deadline(&self) -> Option<Instant> {
        self.until.filter(|_| self.stored != Stored::Begun)
    }
}

impl Gateway {
    /// Passes a request on to a provider's own endpoint.
    pub(super) async fn pass(
        &self,
        serving: &Serving,
        begun: TracedRequest<'_>,
        head: Parts,
        body: Incoming,
    ) -> Result<Response<ReplyBody>, Fault> {
        let TracedRequest { exchange, span, record } = begun;
        let (passage, path) = passage(serving, head.uri.path())?;
        describe(passage, &exchange.id, span, record);
        refuse_tunnels_and_overrides(&head)?;
        let caller = self.identified(serving, &passage.endpoint, &head).await?;
        if let Some(record) = record.as_mut() {
            record.set_caller(&caller);
        }
        let permit = match self.admission.admit_caller(&serving.config, &caller).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&passage.endpoint, &refused, &exchange.id, record)),
        };
        let plain = path::decoded(&path)?;
        self.permit_address(serving, passage, &caller, &head, &plain)?;
        let target = passage.next_target();
        let known = passage.known(&head.method, &plain);
        permit_endpoint(serving, &caller, &head, known.as_ref())?;
        let is_bare = body.is_end_stream();
        let addressed = PassAddress { caller: &caller, target, known: known.as_ref() };
        let taken = self.take(serving, addressed, &head, body, record).await?;
        let model = taken.peek.as_ref().and_then(|peek| peek.model.as_deref());
        let (alias, priced) = priced(serving, target, model);
        permit_models(serving, addressed, &taken, [model, alias], is_bare)?;
        let of_endpoint = known.as_ref().map(|(known, _)| serving.stored(known.endpoint.index));
        let stored = inbound::stored(of_endpoint.unwrap_or(Stored::Nothing), is_bare);
        let permitted = PermittedPass {
            begun: exchange.begun,
            until: own_time::until(&head.headers, exchange.begun),
            id: &exchange.id,
            caller,
            passage,
            target: Arc::clone(target),
            alias,
            priced,
            further_models: taken.further_models,
            work: taken.work,
            stored,
            named: taken.named,
            // Reading an object does not make the client its owner.
            sent: taken.sent.filter(|_| reads_as(head.method.as_str(), &[Method::POST, Method::PUT])),
            requests: taken.requests,
            removes: self.names_removed(&head, known.is_some(), &plain),
            uses: uses(&head.method, known.as_ref().map(|(known, _)| *known), taken.peek.as_ref(), stored),
            body_len: taken.body.len().max(taken.len).max(announced_text(&head)),
            arrived: taken.arrived.filter(|_| is_text(&head) || taken.peek.is_some()),
        };
        let request = passed(serving, &permitted, known, head, path, taken.body, taken.peek.as_ref());
        let held = taken.held.map(AdmissionPermit::to_hold);
        let permit = held.into_iter().fold(permit, joined);
        let admitted = Admitted { span, permit, record };
        self.send_on(serving, &permitted, request, taken.peek.as_ref(), admitted).await
    }

    /// Refuses a method, a path, a query and headers that the caller may not send by this passage. `path` is decoded.
    fn permit_address(
        &self,
        serving: &Serving,
        passage: &Passage,
        caller: &Caller,
        head: &Parts,
        path: &str,
    ) -> Result<(), Fault> {
        let is_keyed = !serving.config.clients.is_empty() || self.stored_keys.is_keyed();
        passage.permit(caller, is_keyed, &head.method, path)?;
        passage.permit_model_of_path(caller, path)?;
        rights::refuse_anothers(self.reasoning_cache.owners(), &caller.tenant, path, head)
    }

    /// The possible ids in a request that may remove something, if anything may not be booked yet.
    fn names_removed(&self, head: &Parts, is_known: bool, path: &str) -> Option<HashSet<String>> {
        let names = || removal::names_in_passed(&head.method, is_known, path, query(head));
        self.may_be_unbooked().then(names).flatten()
    }

    /// Admits a request and sends it; from here on everything is accounted for.
    async fn send_on(
        &self,
        serving: &Serving,
        permitted: &PermittedPass<'_>,
        request: PassedRequest<'_>,
        peek: Option<&RequestPeek>,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Result<Response<ReplyBody>, Fault> {
        let PermittedPass { caller, passage, target, priced, .. } = permitted;
        let earlier = peek.map_or(0, |peek| self.unbooked.earlier.of(&caller.tenant, peek.earlier()));
        let demand = demand(permitted, peek, request.stream, earlier);
        let permit = match self.admit_passed(serving, permitted, &demand, permit).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.refuse_limited(&passage.endpoint, &refused, permitted.id, record)),
        };
        self.refuse_too_much_work(permitted.stored, &caller.tenant)?;
        if let Some(names) = &permitted.removes {
            let adapter = removal::is_by(request.method.as_str()).then_some(&*target.adapter.name);
            let removal = Removal { tenant: &caller.tenant, names, adapter };
            Box::pin(self.book_before_removal(serving, removal)).await?;
        }
        let limits = permit.limits();
        own_time::ask_in_time(permitted.until)?;
        if let Some(work) = &permitted.work {
            self.refuse_unread_work(work, caller, permitted.alias, &[&**priced])?;
        }
        let (budgets, notices) = match self.reserve_passed(serving, permitted, &demand).await {
            Ok(reserved) => reserved,
            Err(refusal) => {
                let fault = self.admission.budgets.refused(&refusal);
                let mut response = self.refuse(None, &fault, permitted.id, record);
                forbid_retry(&mut response, &fault);
                return Ok(response);
            }
        };
        let series = passage.route.series(&self.metrics, &passage.endpoint, caller.label());
        let counts = matches!(permitted.uses, Uses::Input | Uses::Both);
        let (begun, request_id) = (permitted.begun, permitted.id);
        let start = ExchangeStart { begun, request_id, operation: NAME, span, counts };
        let mut account = Account::open(&self.metrics, series, start, permit);
        account.set_record(record.take());
        account.set_own_deadline(permitted.deadline());
        account.set_unmetered(unmetered(&request, &demand), permitted.arrived.clone());
        account.set_earlier_input(earlier);
        for budget in budgets {
            account.reserve(budget);
        }
        let id = request.known.as_ref().and_then(|(_, path_params)| path_params.get("id"));
        self.note_stored_read(permitted.stored, id, &caller.tenant, &mut account);
        let answer = self.send_within(serving, permitted, (request, peek), &demand, &mut account).await;
        let mut response = answer.unwrap_or_else(|fault| failed_response(None, &fault, permitted.id, &mut account));
        account.note_overhead();
        set_cost(&mut response, &mut account, &notices);
        put_limits(&mut response, &passage.endpoint, &limits, Some((target, &account)));
        if serving.config.server.diagnostic_headers {
            diagnose_passed(&mut response, target, &account);
        }
        Ok(with_work(response.map(|body| body.attach(account))).await)
    }

    /// Admits a request to the limits of the model that it names, even if that is a provider's name for a model with an
    /// alias of its own.
    async fn admit_passed(
        &self,
        serving: &Serving,
        PermittedPass { caller, alias, .. }: &PermittedPass<'_>,
        demand: &Demand<'_>,
        permit: AdmissionPermit,
    ) -> Result<AdmissionPermit, Refused> {
        let permit = self.admission.admit(&serving.config, caller, demand, permit).await?;
        let lookup = |name: &str| serving.config.models.lookup(name);
        let aliased =
            alias.filter(|alias| lookup(alias).map(Arc::as_ptr) != demand.model.and_then(lookup).map(Arc::as_ptr));
        let Some(alias) = aliased else { return Ok(permit) };
        let demand = Demand { model: Some(alias), ..*demand };
        Ok(joined(permit, self.admission.admit_to_model(&serving.config, caller, &demand).await?))
    }

    /// Reserves the highest possible cost of a request at the budgets of its caller and model, and of the models of the
    /// work that it begins.
    async fn reserve_passed(
        &self,
        serving: &Serving,
        PermittedPass { caller, alias, priced, .. }: &PermittedPass<'_>,
        demand: &Demand<'_>,
    ) -> Result<(SmallVec<[HeldBudget; 1]>, Vec<Notice>), Box<Refusal>> {
        let budgets = &self.admission.budgets;
        let granted = budgets.reserve_at(caller, *alias, &[&**priced], demand).await?;
        budgets.with_parts(granted, &serving.routes, &[&**priced], demand).await
    }

    /// Sends a request within the limits and budgets of its provider.
    async fn send_within(
        &self,
        serving: &Serving,
        permitted: &PermittedPass<'_>,
        (request, peek): (PassedRequest<'_>, Option<&RequestPeek>),
        demand: &Demand<'_>,
        account: &mut Account,
    ) -> Result<Response<ReplyBody>, Fault> {
        let PermittedPass { target, priced, .. } = permitted;
        let mut held = self.admission.admit_to(&target.provider, demand).await.map_err(|refused| refused.fault)?;
        let granted = self.admission.budgets.reserve_attempt(priced, demand).await;
        let granted = granted.map_err(|refusal| self.admission.budgets.refused(&refusal))?;
        held.reserve_all(granted, &target.label, demand);
        account.start_attempt(&target.label, &request.model, priced.tariff(&request.model));
        account.set_lane(NAME);
        if permitted.uses == Uses::Unknown {
            account.mark_usage_unknown();
            let body = permitted.arrived.clone();
            account.arrives(body.map(|arrived| ArrivingBody { reserved: permitted.body_len, arrived }));
        }
        let adapter = (Arc::clone(&target.adapter.name), target.adapter.digest);
        account
            .record()
            .into_iter()
            .for_each(|record| record.answered(&request.model, Arc::clone(&target.id), adapter.clone()));
        let model = request.model.clone();
        let making = StoringRequest {
            stored: permitted.stored,
            caller: &permitted.caller,
            model: &model,
            target,
            priced,
            acceptance: request.known.as_ref().map(|(known, _)| known.acceptance),
            work_id_places: request.known.as_ref().and_then(|(known, _)| serving.work_id_places(known.endpoint.index)),
            peek,
        };
        let sent = SentPass::of(&request);
        let own_url = request.own_url.clone();
        let on_the_way = held.on_the_way(account.hand_over());
        let context = RequestContext { deadline: permitted.deadline(), ..self.context(serving) };
        let mut answer = pass(context, request, account).await;
        drop(on_the_way);
        match &mut answer {
            Ok(response) => {
                let made = self.made_by_answer(serving, permitted, peek, &sent, response);
                self.note_passed_answer(response, serving, making, made, account);
                own_url::put_in_passed(response, own_url.as_deref(), permitted.passage);
                held.record_success();
                account.hold(held);
            }
            Err(fault) => {
                held.set_in_flight(false);
                account.failed(weir_types::fault::error_kind_name(fault.error.kind));
                if account.is_in_doubt() {
                    account.keep_budgets_of(&mut held);
                }
            }
        }
        answer
    }
}

/// Names the endpoint in the span and the record of a request.
fn describe(passage: &Passage, id: &str, span: &Span, record: &mut Option<Box<RequestRecord>>) {
    span_attributes::describe(span, &passage.endpoint, id);
    if let Some(record) = record.as_mut() {
        record.set_endpoint(&passage.endpoint);
    }
}

/// Refuses an endpoint whose answers or work guards would have to see, and, at an undeclared one, a model that the
/// caller may not use.
fn permit_endpoint(
    serving: &Serving,
    caller: &Caller,
    head: &Parts,
    known: Option<&(KnownEndpoint<'_>, PathParams)>,
) -> Result<(), Fault> {
    match known {
        Some((known, _)) => guards::refuse_stored(serving, known.endpoint, caller),
        None => readings::permit_undeclared(serving, caller, head),
    }
}

/// Refuses models that the caller may not use, and a body that guards of its models would have to read. `own` are the
/// request's own model and its alias.
fn permit_models(
    serving: &Serving,
    PassAddress { caller, known, .. }: PassAddress<'_>,
    taken: &PassedBody,
    own: [Option<&str>; 2],
    is_bare: bool,
) -> Result<(), Fault> {
    if let (Some((known, _)), Some(peek)) = (known, &taken.peek) {
        readings::permit_models(caller, known.endpoint, peek)?;
    }
    if is_bare {
        return Ok(());
    }
    let names = guarded_names(own, taken.guarded_models.as_deref());
    serving.guards.refuse_unreadable(caller, &names, "pass-through")
}

fn query(head: &Parts) -> &str {
    head.uri.query().unwrap_or_default()
}

fn joined(mut permit: AdmissionPermit, more: AdmissionPermit) -> AdmissionPermit {
    permit.add(more);
    permit
}

/// Sets the diagnostic headers.
fn diagnose_passed(response: &mut Response<ReplyBody>, target: &Target, account: &Account) {
    let to = response.headers_mut();
    insert(to, &headers::PROVIDER, &target.label);
    insert(to, &headers::LANE, NAME);
    insert(to, &headers::OVERHEAD_MS, &milliseconds(account.overhead()));
}
