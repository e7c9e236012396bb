//! Opens a session whose model is known: admits and routes it, and asks its targets for it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use http::{HeaderMap, StatusCode};

use super::super::rights;
use super::asking::TargetGrant;
use super::handshake::ClientHandshake;
use crate::accept::Acceptance;
use crate::accounting::access::RequestRecord;
use crate::accounting::request_log::RequestLog;
use crate::accounting::{self, Account};
use crate::admission::{Admission, AdmissionPermit, Demand, Refused, Uses};
use crate::auth::{Caller, StoredKeys};
use crate::health::Health;
use crate::model_list;
use crate::observe::metrics::{Metrics, Series};
use crate::observe::trace::Span;
use crate::provenance::{Carried, MadeInSession, Owners, Provenance};
use crate::rate_limit::LimitStatus;
use crate::realtime::billing::Billing;
use crate::realtime::{CallerCheck, NAME, NameRights, ObjectRights, Responses, Session, SessionContext, SessionPlace};
use crate::route::fit::Needs;
use crate::route::{self, Circumstances, Plan, Target};
use crate::serving::{CreatedObject, Serving};
use weir_buffers::Held;
use weir_identity::ephemeral::{EphemeralKey, SessionConfiguration};
use weir_realtime::CompiledSessionTap;
use weir_server::Leaving;
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::reply::usual_status;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::exchange::Exchange;
use weir_types::fault::{Fault, Side};
use weir_upstream::{UpstreamSession, Upstreams};

/// A client's session before a provider has granted it, with all that opening it takes.
#[derive(Debug)]
pub(super) struct PendingSession {
    pub(super) serving: Arc<Serving>,
    /// What later sessions are served from.
    pub(super) current: Arc<ArcSwap<Serving>>,
    pub(super) stored_keys: Arc<StoredKeys>,
    pub(super) upstreams: Upstreams,
    pub(super) metrics: Arc<Metrics>,
    pub(super) admission: Arc<Admission>,
    pub(super) health: Arc<Health>,
    pub(super) log: Option<Arc<dyn RequestLog>>,
    pub(super) id: Arc<str>,
    pub(super) exchange: Exchange,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) caller: Caller,
    /// The ephemeral key that its caller has shown, which names the model that the session must have.
    pub(super) shown: Option<EphemeralKey>,
    pub(super) handshake: ClientHandshake,
    pub(super) span: Span,
    /// Holds bytes of its messages.
    pub(super) held: Held,
    /// Which client made which object.
    pub(super) owners: Arc<Owners>,
    /// Which target issued what.
    pub(super) provenance: Arc<Provenance>,
}

/// The model of a session, as the caller's aliases mean it, with its targets and its figures.
struct Planned {
    model: String,
    plan: Plan,
    series: Arc<Series>,
}

/// A session that a provider granted.
pub(super) struct GrantedSession {
    pub(super) headers: HeaderMap,
    /// The state of the caller's limits.
    pub(super) limits: Vec<LimitStatus>,
    pub(super) target: Arc<Target>,
    /// The model, as the caller's aliases mean it.
    pub(super) model: String,
    provider: UpstreamSession,
    context: SessionContext,
    /// The message that configures it.
    configuring: Option<String>,
    responses: Responses,
    account: Box<Account>,
    caller_check: CallerCheck,
    held: Held,
}

/// Why a session was not opened.
pub(super) enum SessionRefusal {
    /// It may not be.
    Fault(Fault),
    /// A limit refused it.
    Refused(Refused),
    /// No target granted it. With the state of the caller's limits.
    Tried(Fault, Box<Account>, Vec<LimitStatus>),
}

impl From<Fault> for SessionRefusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl GrantedSession {
    /// The subprotocol that the provider chose.
    pub(super) fn protocol(&self) -> Option<&str> {
        self.provider.protocol.as_deref()
    }

    /// The targets that were tried, for a header.
    pub(super) fn attempts(&self) -> String {
        let answered = self.target.health_id(&self.model);
        self.account.trail().text(self.account.tries(), Some(&answered)).into_owned()
    }

    /// The session, ready to run.
    pub(super) fn session(self, place: SessionPlace, leaving: Leaving) -> Session {
        let Self { provider, context, configuring, responses, account, caller_check, held, .. } = self;
        Session { provider, context, configuring, responses, account, place, caller_check, held, leaving }
    }
}

impl PendingSession {
    /// Admits the session to what it needs whatever its model is: a stream and a place. Where the first message names
    /// the model, this bounds those that wait for it.
    pub(super) async fn admit(&self, permit: AdmissionPermit) -> Result<AdmissionPermit, Refused> {
        self.admission.admit(&self.serving.config, &self.caller, &session_demand(None), permit).await
    }

    /// Admits and routes a session for this model, and asks its targets for it; whatever happens from there on is
    /// accounted for. What the client's first message carries leads to the target that issued it.
    pub(super) async fn open(
        &self,
        asked: &str,
        carried: &Carried,
        permit: AdmissionPermit,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Result<GrantedSession, SessionRefusal> {
        let Self { serving, endpoint, caller, .. } = self;
        self.fits_key(asked)?;
        let model = rights::meant(caller, asked)?;
        let permit = self.admit_for(&model, permit).await.map_err(SessionRefusal::Refused)?;
        let limits = permit.limits();
        let plan = self.plan(&model, carried)?;
        // A fallback has a name of its own, for which there may be other guards.
        // One that a pattern serves is called by the client's word for it.
        let aliases = plan.candidates.iter().map(|candidate| candidate.route.alias.as_str());
        let fallbacks = plan.candidates.iter().filter_map(|candidate| candidate.name.as_deref());
        let names: Vec<&str> = aliases.chain(fallbacks).chain([model.as_str()]).collect();
        serving.guards.refuse_unreadable(caller, &names, "realtime sessions")?;
        let series = plan.route.series(&self.metrics, endpoint, caller.label());
        let (begun, request_id) = (self.exchange.begun, &self.id);
        let start = accounting::ExchangeStart { begun, request_id, operation: NAME, span: &self.span, counts: false };
        let mut account = Account::open(&self.metrics, Arc::clone(&series), start, permit);
        account.set_record(record.take());
        match self.ask_targets(&model, &plan, &mut account).await {
            Ok(granted) => Ok(self.opened(asked, Planned { model, plan, series }, granted, account, limits)),
            Err(fault) => {
                account.record().into_iter().for_each(|record| record.failed(&fault));
                let status = fault.error.status.unwrap_or_else(|| usual_status(fault.error.kind));
                account.answering(status, false, false);
                Err(SessionRefusal::Tried(fault, account, limits))
            }
        }
    }

    /// Whether the ephemeral key that was shown, if any, is one for this model and the session's format.
    fn fits_key(&self, asked: &str) -> Result<(), Fault> {
        let refused = |message: &str| Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403);
        if self.shown.as_ref().is_some_and(|shown| shown.model != asked) {
            let fault = refused("the ephemeral key was issued for another model");
            return Err(fault.with_code("ephemeral_key_model").at("model"));
        }
        if self.configuration().is_some_and(|one| one.format != self.endpoint.format()) {
            let message = "the ephemeral key has a configuration for sessions of another format";
            return Err(refused(message).with_code("ephemeral_key_format"));
        }
        Ok(())
    }

    /// How the session begins, if the ephemeral key that was shown says so.
    fn configuration(&self) -> Option<&SessionConfiguration> {
        self.shown.as_ref()?.configuration.as_ref()
    }

    /// Admits the session to its model, and to all else where that was not done before.
    async fn admit_for(&self, model: &str, mut permit: AdmissionPermit) -> Result<AdmissionPermit, Refused> {
        let (config, demand) = (&self.serving.config, session_demand(Some(model)));
        if self.handshake.model.is_some() {
            return self.admission.admit(config, &self.caller, &demand, permit).await;
        }
        permit.add(self.admission.admit_to_model(config, &self.caller, &demand).await?);
        Ok(permit)
    }

    fn opened(
        &self,
        asked: &str,
        Planned { model, plan, series }: Planned,
        granted: TargetGrant,
        mut account: Box<Account>,
        limits: Vec<LimitStatus>,
    ) -> GrantedSession {
        let TargetGrant { provider, target, tap, headers, ticket, held, prepared } = granted;
        account.hold(held);
        account.serve(ticket);
        account.answering(StatusCode::SWITCHING_PROTOCOLS.as_u16(), true, false);
        account.note_overhead();
        let billing = Billing {
            serving: Arc::clone(&self.serving),
            admission: Arc::clone(&self.admission),
            metrics: Arc::clone(&self.metrics),
            series,
            log: self.log.clone(),
            endpoint: Arc::clone(&self.endpoint),
            caller: self.caller.clone(),
            id: Arc::clone(&self.id),
            path: self.endpoint.face.path.clone(),
            model: model.clone(),
            alias: plan.route.alias.clone(),
            target: Arc::clone(&target),
            span: self.span.clone(),
        };
        let (caller, keys) = (self.caller.clone(), Arc::clone(&self.stored_keys));
        let caller_check = CallerCheck::new(caller, asked.to_owned(), Arc::clone(&self.current), keys);
        let names = self.name_rights(asked, &model, &target);
        let configuring = self.configuration().and_then(|one| tap.configuring(&one.json));
        let responses = Responses::new(Arc::new(billing), Arc::clone(&tap), prepared);
        GrantedSession {
            headers,
            limits,
            target,
            model,
            provider,
            context: self.context(tap, names),
            configuring,
            responses,
            account,
            caller_check,
            held: self.held.beside(),
        }
    }

    /// What the caller may name in the messages of a session with this model at this target.
    fn name_rights(&self, asked: &str, model: &str, target: &Arc<Target>) -> NameRights {
        let Self { serving, caller, endpoint, .. } = self;
        let objects = serving.created_objects(endpoint.index, &self.stored_keys).map(|created| ObjectRights {
            owners: Arc::clone(&self.owners),
            are_made: created != CreatedObject::Nothing,
        });
        let made = serving.made_places(endpoint.index).map(|places| {
            let owners = objects.as_ref().map(|objects| Arc::clone(&objects.owners));
            let (client, provenance) = (Arc::clone(&caller.tenant), Arc::clone(&self.provenance));
            Mutex::new(MadeInSession::new(places, client, owners, (provenance, target.issuer())))
        });
        NameRights {
            serving: Arc::clone(serving),
            target: Arc::clone(target),
            asked: asked.to_owned(),
            model: model.to_owned(),
            objects,
            made,
        }
    }

    fn context(&self, tap: Arc<CompiledSessionTap>, names: NameRights) -> SessionContext {
        let server = &self.serving.config.server;
        SessionContext {
            settings: self.serving.config.realtime.clone(),
            send_timeout: server.send_timeout,
            whole: server.body_timeout,
            drain: server.shutdown_timeout,
            tap,
            names,
            errors: self.endpoint.errors.clone(),
            id: Arc::clone(&self.id),
        }
    }

    /// The targets of a model that take sessions of this format.
    fn plan(&self, model: &str, carried: &Carried) -> Result<Plan, Fault> {
        let circumstances = Circumstances {
            health: &self.health,
            now: Instant::now(),
            session: &|_| None,
            needs: Needs::default(),
            provider: self.handshake.target(&self.serving, &self.caller),
            carried,
            embeds: false,
            only_looks: false,
        };
        if self.serving.routes.find(model).is_none() {
            let list = model_list::list_at(&self.serving, &self.endpoint.adapter, &self.endpoint.face.path);
            return Err(route::unknown_model(model, self.serving.model_names(&self.caller), &list));
        }
        let mut plan = route::plan(&self.serving.routes, model, circumstances)?;
        let had_any = !plan.candidates.is_empty();
        let is_configured = self.configuration().is_some();
        plan.candidates.retain(|candidate| {
            accepted(&self.endpoint, &candidate.target)
                .is_some_and(|(_, tap)| !is_configured || tap.takes_configuration())
        });
        if had_any && plan.candidates.is_empty() {
            let message = format!("no target of the model `{}` takes sessions of this format", plan.route.alias);
            return Err(Fault::new(Side::Client, ErrorKind::Unsupported, message).with_code("unsupported_operation"));
        }
        Ok(plan)
    }
}

/// What a session itself takes from limits: a request, a stream and places, but no tokens, which its responses take.
pub(super) fn session_demand(model: Option<&str>) -> Demand<'_> {
    Demand { output_limit: Some(0), stream: true, ..Demand::of(model, 0, Uses::Nothing) }
}

/// How a target takes sessions of a face's format.
pub(in crate::gateway) fn accepted<'t>(
    endpoint: &Endpoint,
    target: &'t Target,
) -> Option<(&'t Acceptance, &'t Arc<CompiledSessionTap>)> {
    let acceptance = target.accepts(endpoint.format(), &Operation::Realtime)?;
    Some((acceptance, acceptance.session.as_ref()?))
}
