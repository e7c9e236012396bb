//! The path of a session: recognise, identify, admit, route, ask a provider for it, and hand the connection over to it.

mod handshake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Response, StatusCode};

use self::handshake::{ClientHandshake, Pledge};
use super::recognise::Called;
use super::refusal::note_fault;
use super::response_headers::{forbid_retry, put_limits};
use super::{Begun, Gateway, fault_response, rights};
use crate::accept::Acceptance;
use crate::accounting::access::AccessLine;
use crate::accounting::{Account, Opening};
use crate::admission::budgets::HeldBudget;
use crate::admission::{AdmissionPermit, Demand, Uses};
use crate::attempt::{ReplyBody, blame};
use crate::auth::Caller;
use crate::health::Ticket;
use crate::observe::log::current;
use crate::observe::metrics::Series;
use crate::observe::trace::Span;
use crate::provenance::Carried;
use crate::realtime::billing::{Billing, demand, reserve};
use crate::realtime::{Greeting, NAME, Responses, Session, SessionPlace, Terms};
use crate::route::fit::Needs;
use crate::route::{self, Candidate, Circumstances, Plan, Target};
use crate::serving::Serving;
use weir_realtime::CompiledSessionTap;
use weir_translate::dialect::faces::Endpoint;
use weir_translate::dialect::reply::insert;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::exchange::Exchange;
use weir_types::fault::{Fault, Side, error_kind_name};
use weir_types::headers;
use weir_upstream::UpstreamSession;

/// A handshake whose caller is known and may ask for a session.
struct Asked<'a> {
    serving: &'a Arc<Serving>,
    face: &'a Arc<Endpoint>,
    exchange: &'a Exchange,
    caller: &'a Caller,
    handshake: &'a ClientHandshake,
    model: &'a str,
}

/// A session that a provider granted.
struct Granted {
    session: UpstreamSession,
    target: Arc<Target>,
    tap: Arc<CompiledSessionTap>,
    headers: http::HeaderMap,
    ticket: Ticket,
    held: AdmissionPermit,
    /// What the first response may cost.
    prepared: Vec<HeldBudget>,
}

impl Gateway {
    /// Identifies, admits and routes a client that asks for a session, and opens it at a provider.
    pub(super) async fn begin_session(
        &self,
        serving: &Arc<Serving>,
        begun: Begun<'_>,
        head: Parts,
        called: Called,
    ) -> Result<Response<ReplyBody>, Fault> {
        let Begun { exchange, span, line, .. } = begun;
        let face = called.face;
        let caller = self.identified(serving, &face, &head).await?;
        if let Some(line) = line.as_mut() {
            line.asked_by(&caller);
        }
        rights::may_begin(&caller, NAME)?;
        let (handshake, pledge) = handshake::read(serving, &face, head)?;
        let permit = match self.admission.knock(&serving.config, &caller).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.turn_away(&face, &refused, &exchange.id, line)),
        };
        if let Some(line) = line.as_mut() {
            line.asks_for(Some(&handshake.model));
        }
        let model = rights::meant(&caller, &handshake.model)?;
        let asked =
            Asked { serving, face: &face, exchange: &exchange, caller: &caller, handshake: &handshake, model: &model };
        let place = self.sessions.enter(serving.config.realtime.max_sessions);
        let place = place.ok_or_else(|| Fault::overloaded("too many sessions are open", Duration::from_secs(5)))?;
        self.open_session(&asked, (span, permit, line), (place, pledge)).await
    }

    /// Admits and routes a session, and asks its targets for it; from here on everything is accounted for.
    async fn open_session(
        &self,
        asked: &Asked<'_>,
        (span, permit, line): (&Span, AdmissionPermit, &mut Option<Box<AccessLine>>),
        (place, pledge): (SessionPlace, Pledge),
    ) -> Result<Response<ReplyBody>, Fault> {
        let Asked { serving, face, exchange, caller, model, .. } = *asked;
        let permit = match self.admission.admit(&serving.config, caller, &session_demand(model), permit).await {
            Ok(permit) => permit,
            Err(refused) => return Ok(self.turn_away(face, &refused, &exchange.id, line)),
        };
        let limits = permit.limits();
        let plan = self.plan_session(asked)?;
        // A fallback has a name of its own, for which there may be other guards.
        let aliases = plan.candidates.iter().map(|candidate| candidate.route.alias.as_str());
        let names: Vec<&str> = aliases.chain([model]).collect();
        serving.guards.refuse_unreadable(caller, &names, "realtime sessions")?;
        let series = plan.route.series(&self.metrics, face, caller.label());
        let request_id = &exchange.id;
        let opening = Opening { begun: exchange.begun, request_id, operation: NAME, span, counts: false };
        let mut account = Account::open(&self.metrics, Arc::clone(&series), opening, permit);
        account.set_line(line.take());
        let granted = match self.ask_targets(asked, &plan, &mut account).await {
            Ok(granted) => granted,
            Err(fault) => {
                account.line().into_iter().for_each(|line| line.failed(&fault));
                let mut response = fault_response(face.errors.as_deref(), &fault, request_id);
                forbid_retry(&mut response, &fault);
                account.answering(response.status().as_u16(), false, false);
                put_limits(&mut response, face, &limits, None);
                return Ok(response.map(|body| body.attach(Box::new(account))));
            }
        };
        let mut response = Response::new(ReplyBody::from(bytes::Bytes::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = granted.headers.clone();
        response.headers_mut().extend(asked.handshake.grant(granted.session.protocol.as_deref()));
        put_limits(&mut response, face, &limits, None);
        if serving.config.server.diagnostic_headers {
            diagnose(&mut response, asked, &granted.target, &account);
        }
        self.hand_over(asked, (granted, account), (&plan, series), (place, pledge));
        Ok(response)
    }

    /// Gives the connection to a session that a provider granted.
    fn hand_over(
        &self,
        asked: &Asked<'_>,
        (granted, mut account): (Granted, Account),
        (plan, series): (&Plan, Arc<Series>),
        (place, pledge): (SessionPlace, Pledge),
    ) {
        let Asked { serving, face, exchange, caller, model, .. } = *asked;
        let Granted { session, target, tap, ticket, held, prepared, .. } = granted;
        account.hold(held);
        account.serve(ticket);
        account.answering(StatusCode::SWITCHING_PROTOCOLS.as_u16(), true, false);
        account.note_overhead();
        let id: Arc<str> = Arc::from(exchange.id.as_str());
        let adapter = (Arc::clone(&target.adapter.name), target.adapter.digest);
        if let Some(line) = account.line() {
            line.answered(target.model(model), target.health_id(model), adapter);
        }
        let billing = Billing {
            serving: Arc::clone(serving),
            admission: Arc::clone(&self.admission),
            metrics: Arc::clone(&self.metrics),
            series,
            log: self.log.get().cloned(),
            face: Arc::clone(face),
            caller: caller.clone(),
            id: Arc::clone(&id),
            path: face.claim.path.clone(),
            model: model.to_owned(),
            alias: plan.route.alias.clone(),
            target,
        };
        let server = &serving.config.server;
        let terms = Terms {
            settings: serving.config.realtime.clone(),
            patience: server.send_timeout,
            drain: server.shutdown_timeout,
            tap: Arc::clone(&tap),
            errors: face.errors.clone(),
            id: Arc::clone(&id),
        };
        let Pledge { upgrade, takeover } = pledge;
        let session = Session {
            client: upgrade,
            provider: session,
            terms,
            responses: Responses::new(Arc::new(billing), tap, prepared),
            account: Box::new(account),
            place,
            leaving: takeover.leaving(),
        };
        takeover.go_on(current::within(id, session.run()));
    }

    /// The targets of the session's model that take sessions of its format.
    fn plan_session(&self, asked: &Asked<'_>) -> Result<Plan, Fault> {
        let circumstances = Circumstances {
            health: &self.health,
            now: Instant::now(),
            session: &|_| None,
            needs: Needs::default(),
            provider: asked.handshake.target(asked.serving, asked.caller),
            carried: &Carried::default(),
            embeds: false,
            only_looks: false,
        };
        let mut plan = route::plan(&asked.serving.routes, asked.model, circumstances)?;
        let could = !plan.candidates.is_empty();
        plan.candidates.retain(|candidate| accepted(asked.face, &candidate.target).is_some());
        if could && plan.candidates.is_empty() {
            let message = format!("no target of the model `{}` takes sessions of this format", plan.route.alias);
            return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message).with_code("unsupported_operation"));
        }
        Ok(plan)
    }

    /// Asks one target after the other for the session, until one grants it.
    async fn ask_targets(&self, asked: &Asked<'_>, plan: &Plan, account: &mut Account) -> Result<Granted, Fault> {
        let mut last = None;
        for candidate in &plan.candidates {
            match self.ask_target(asked, plan, candidate, account).await {
                Ok(granted) => return Ok(granted),
                Err(fault) => {
                    let reason = error_kind_name(fault.error.kind);
                    account.failed(reason);
                    account.tried(&candidate.health, reason);
                    // A budget, or a rule of the client's, refuses it everywhere.
                    let is_final = fault.side == Side::Client;
                    note_fault(&fault, &asked.exchange.id);
                    last = Some(fault);
                    if is_final || !candidate.target.enable_fallback {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| plan.exhausted(&self.health, Instant::now())))
    }

    async fn ask_target(
        &self,
        asked: &Asked<'_>,
        plan: &Plan,
        candidate: &Candidate,
        account: &mut Account,
    ) -> Result<Granted, Fault> {
        let now = Instant::now();
        let Some((target, mut ticket)) = candidate.admit(&self.health, now, &Carried::default()) else {
            return Err(plan.exhausted(&self.health, now));
        };
        let Some((acceptance, tap)) = accepted(asked.face, &target) else {
            return Err(Fault::internal("the target takes no sessions"));
        };
        let model = asked.model;
        let demand = session_demand(model);
        let held = self.admission.admit_to(&target.provider, &demand).await.map_err(|refused| refused.fault)?;
        let own = (asked.caller, plan.route.alias.as_str());
        let prepared = reserve(&self.admission, own, &target, &self::demand(model, 0)).await?;
        account.tries_at(&target.label, target.model(model), target.tariff(model));
        account.goes("relay");
        let protocols: Vec<&str> = asked.handshake.protocols.iter().map(String::as_str).collect();
        let ClientHandshake { query, headers, .. } = asked.handshake;
        let greeting = Greeting { model, query, headers, protocols: &protocols };
        let session = match Box::pin(greeting.send(&self.upstreams, (&target, acceptance), account)).await {
            Ok(session) => session,
            Err(fault) => {
                ticket.failed(blame(&fault));
                return Err(fault);
            }
        };
        ticket.answers();
        held.went_well();
        let mut headers = http::HeaderMap::new();
        acceptance.response_headers.forward(&session.headers, &mut headers);
        let tap = Arc::clone(tap);
        Ok(Granted { session, target, tap, headers, ticket, held, prepared })
    }
}

/// What a session itself takes from limits: a request, a stream and places, but no tokens, which its responses take.
fn session_demand(model: &str) -> Demand<'_> {
    Demand { model: Some(model), output_limit: Some(0), body_len: 0, stream: true, uses: Uses::Nothing }
}

/// How a target takes sessions of a face's format.
fn accepted<'t>(face: &Endpoint, target: &'t Target) -> Option<(&'t Acceptance, &'t Arc<CompiledSessionTap>)> {
    let acceptance = target.accepts(face.format(), &Operation::Realtime)?;
    Some((acceptance, acceptance.session.as_ref()?))
}

fn diagnose(response: &mut Response<ReplyBody>, asked: &Asked<'_>, target: &Target, account: &Account) {
    let to = response.headers_mut();
    insert(to, &headers::PROVIDER, &target.label);
    insert(to, &headers::MODEL, target.model(asked.model));
    insert(to, &headers::ADAPTER, &target.adapter.label);
    insert(to, &headers::LANE, "relay");
    let answered = target.health_id(asked.model);
    insert(to, &headers::ATTEMPTS, &account.trail().text(account.tries(), Some(&answered)));
}

/// Whether a face is one of sessions.
pub(super) fn is_for(face: &Endpoint) -> bool {
    face.claim.operation == Operation::Realtime
}
