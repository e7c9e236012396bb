//! Routes a request and tries its targets, in the same way for clients with a dialect and for programs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::header::AsHeaderName;
use http::{HeaderName, Response};
use smallvec::SmallVec;

use super::work::BeginningRequest;
use super::{Admitted, Gateway, further_models, own_time};
use crate::accounting::{Account, ExchangeStart};
use crate::admission::budgets::{DOWNGRADES, HeldBudget};
use crate::admission::{AdmissionPermit, Demand, Uses};
use crate::attempt::{
    AttemptResponse, FallbackGuards, InboundRequest, PlanRunner, ReplyBody, RequestContext, ResumeContext,
};
use crate::auth::Caller;
use crate::dialect::request_peek::RequestPeek;
use crate::model_list;
use crate::observe::trace::Attribute;
use crate::route;
use crate::route::fit::Needs;
use crate::route::{Circumstances, NoTarget, Plan, Route, unknown_model};
use crate::serving::{Serving, Stored};
use weir_config::Affinity;
use weir_ledger::{Notice, Refusal};
use weir_translate::dialect::reply::insert;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers;

/// The headers that identify a session.
static SESSION_HEADERS: [&HeaderName; 2] = [&headers::SESSION, &headers::SESSION_ID];

/// A request whose targets have been tried.
pub(super) struct RoutedExchange {
    /// The result.
    pub(super) tried: AttemptResponse,
    /// The plan that was carried out.
    pub(super) plan: Plan,
    /// The account of the exchange.
    pub(super) account: Box<Account>,
    /// When the request has to be answered.
    pub(super) deadline: Option<Instant>,
    /// Warnings of budgets.
    pub(super) notices: Vec<Notice>,
}

/// A plan that budgets have room for.
struct Affordable {
    plan: Plan,
    /// What was reserved. It is released if the client leaves before the request is sent.
    budgets: SmallVec<[HeldBudget; 1]>,
    notices: Vec<Notice>,
    /// The model that a budget put in place of the one asked for.
    downgraded: Option<String>,
}

impl Gateway {
    /// Routes an admitted request and tries its targets; whatever happens from here on is accounted for.
    pub(super) async fn route(
        &self,
        context: RequestContext<'_>,
        serving: &Serving,
        inbound: &Arc<InboundRequest>,
        Admitted { span, mut permit, record }: Admitted<'_>,
    ) -> Result<RoutedExchange, NoTarget> {
        own_time::ask_in_time(own_time::until(&inbound.headers, inbound.exchange.begun))?;
        if !self.admission.budgets.is_empty() {
            let further = further_models::priced(inbound)?;
            inbound.further_models.get_or_init(|| further);
            let beginning =
                BeginningRequest { endpoint: &inbound.endpoint, tenant: &inbound.caller.tenant, body: &inbound.body };
            if let Some(work) = self.work_begun(serving, beginning, || inbound.named_objects()) {
                inbound.work.get_or_init(|| work);
            }
        }
        let demand = inbound.demand();
        let features = inbound.features();
        let carried = self.carried(serving, inbound);
        let circumstances = Circumstances {
            health: &self.health,
            now: Instant::now(),
            session: &|affinity| session(inbound, affinity),
            needs: Needs { features: &features, body_len: demand.body_len },
            provider: header(inbound, &headers::TARGET)
                .filter(|_| serving.config.server.target_header || inbound.caller.may_choose()),
            carried: &carried,
            embeds: *inbound.operation() == Operation::Embeddings,
            only_looks: false,
        };
        let affordable = pin!(self.affordable_plan(serving, inbound, circumstances)).await?;
        pin!(self.admit_other_names(serving, inbound, &affordable, &mut permit)).await?;
        let Affordable { plan, budgets, notices, .. } = affordable;
        let mut account = self.open_account(inbound, &plan.route, Admitted { span, permit, record });
        for budget in budgets {
            account.reserve(budget);
        }
        let deadline = deadline(inbound, &plan);
        account.set_own_deadline(own_deadline(inbound));
        let context = RequestContext { deadline, ..context };
        plan.route.deposit(plan.candidates.first().map_or(0.0, |candidate| candidate.target.retry.budget));
        let runner = PlanRunner {
            context,
            inbound,
            plan: &plan,
            health: &self.health,
            admission: &self.admission,
            demand,
            further_guards: FallbackGuards::new(&serving.guards, &self.guard_metrics),
        };
        let tried = pin!(runner.run(&mut account)).await;
        if let Some(judged) = inbound.judged() {
            account.judged_by(judged.notes(), judged.take_ends());
        }
        Ok(RoutedExchange { tried, plan, account, deadline, notices })
    }

    /// Opens the account of a request that is sent to targets of this route.
    fn open_account(
        &self,
        inbound: &InboundRequest,
        route: &Route,
        Admitted { span, permit, record }: Admitted<'_>,
    ) -> Box<Account> {
        if span.is_recording() {
            span.set(Attribute::Model, route.alias.clone());
        }
        let series = route.series(&self.metrics, &inbound.endpoint, inbound.caller.label());
        let (begun, request_id, operation) = (inbound.exchange.begun, &inbound.exchange.id, inbound.operation().name());
        let counts = matches!(inbound.uses(), Uses::Input | Uses::Both);
        let start = ExchangeStart { begun, request_id, operation, span, counts };
        let mut account = Account::open(&self.metrics, series, start, permit);
        account.set_record(record.take());
        account.set_unmetered(inbound.unmetered(), None);
        account.set_output_limit(inbound.peek.output_limit);
        account.set_earlier_input(inbound.earlier_input);
        self.note_stored_read(inbound.stored, inbound.path_params.get("id"), &inbound.caller.tenant, &mut account);
        account
    }

    /// Admits a request to the limits of the model that a budget put in place of the one asked for, if one did, and to
    /// those of other names of its model, which a pattern passes on.
    async fn admit_other_names(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        affordable: &Affordable,
        permit: &mut AdmissionPermit,
    ) -> Result<(), NoTarget> {
        let downgraded = affordable.downgraded.as_deref();
        let model = downgraded.or(inbound.peek.model.as_deref());
        let same = model.into_iter().flat_map(|model| serving.routes.same_as(&affordable.plan.route, model));
        for name in downgraded.into_iter().chain(same) {
            let demand = Demand { model: Some(name), ..inbound.demand() };
            let more = self.admission.admit_to_model(&serving.config, &inbound.caller, &demand).await;
            permit.add(more.map_err(|refused| refused.fault)?);
        }
        Ok(())
    }

    /// Plans the request's candidates and reserves at the budgets what they may cost. A budget without room may name
    /// another model, whose targets are tried in place of these.
    async fn affordable_plan(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        circumstances: Circumstances<'_>,
    ) -> Result<Affordable, NoTarget> {
        let mut planned = plan(serving, inbound, inbound.peek.model.as_deref(), circumstances)?;
        let mut downgraded: Option<String> = None;
        for _ in 0..=DOWNGRADES {
            let model = downgraded.as_deref().or(inbound.peek.model.as_deref());
            let same: Vec<_> =
                model.into_iter().flat_map(|model| serving.routes.same_as(&planned.route, model)).collect();
            let demand = Demand { model, same_models: &same, ..inbound.demand() };
            if let Some(work) = inbound.work.get() {
                let alias = model.map(|_| planned.route.alias.as_str());
                self.refuse_unread_work(work, &inbound.caller, alias, &planned.targets())?;
            }
            let reserved = pin!(self.reserve(serving, &inbound.caller, &planned, &demand)).await;
            let refusal = match reserved {
                Ok((budgets, notices)) => return Ok(Affordable { plan: planned, budgets, notices, downgraded }),
                Err(refusal) => refusal,
            };
            // A request that names no model, such as for a file, has no cheaper one.
            let may_follow = |other: &&Arc<str>| {
                model.is_some() && self.admission.budgets.may_follow(&refusal, &inbound.caller, other)
            };
            let other = refusal.downgrade.as_ref().filter(may_follow);
            let next = other.and_then(|other| Some((other, plan(serving, inbound, Some(other), circumstances).ok()?)));
            let Some((other, next)) = next else { return Err(self.admission.budgets.refused(&refusal).into()) };
            tracing::info!(request_id = &*inbound.exchange.id, budget = &*refusal.budget, to = &**other, "downgraded");
            planned = next;
            planned.rename(Some(other));
            downgraded = Some(other.to_string());
        }
        let message = "budgets pass this request on from one model to the next, and none of them has room";
        Err(Fault::new(Side::Client, ErrorKind::Quota, message).with_status(429).into())
    }

    /// Reserves what a request may cost at most at the budgets of its caller and model, and of the models of the work
    /// that it begins.
    async fn reserve(
        &self,
        serving: &Serving,
        caller: &Caller,
        plan: &Plan,
        demand: &Demand<'_>,
    ) -> Result<(SmallVec<[HeldBudget; 1]>, Vec<Notice>), Box<Refusal>> {
        let budgets = &self.admission.budgets;
        let granted = pin!(budgets.reserve(caller, plan, demand)).await?;
        budgets.with_parts(granted, &serving.routes, &plan.targets(), demand).await
    }

    /// Lets the plan's candidates resume a stream if it breaks, provided it is resumable.
    pub(super) fn make_resumable(
        &self,
        response: &mut Response<ReplyBody>,
        serving: &Serving,
        inbound: &Arc<InboundRequest>,
        mut plan: Plan,
        deadline: Option<Instant>,
    ) {
        if !response.body().can_be_resumed() {
            return;
        }
        // Where more guards would have to judge the request, it does not go on.
        let further = FallbackGuards::new(&serving.guards, &self.guard_metrics);
        plan.candidates.retain(|candidate| further.of(inbound, candidate).is_empty());
        let onward = || ResumeContext {
            inbound: Arc::clone(inbound),
            config: Arc::clone(&serving.config),
            upstreams: self.upstreams.clone(),
            reasoning_cache: Arc::clone(&self.reasoning_cache),
            health: Arc::clone(&self.health),
            admission: Arc::clone(&self.admission),
            candidates: plan.candidates,
            carried: plan.carried,
            deadline,
            times: 0,
        };
        if response.body_mut().resumable(onward) {
            insert(response.headers_mut(), &headers::RESUMABLE, "true");
        }
    }
}

/// Finds the route of the model that a request asks for, and makes the request strict if the model is: it stays so at
/// every target, fallbacks included.
pub(super) fn resolve_route<'s>(serving: &'s Serving, peek: &mut RequestPeek) -> Option<&'s Arc<Route>> {
    let route = serving.routes.find(peek.model.as_deref()?)?;
    peek.strict |= route.strict;
    Some(route)
}

fn header(inbound: &InboundRequest, name: impl AsHeaderName) -> Option<&str> {
    inbound.headers.get(name)?.to_str().ok()
}

/// The affinity key of a request: its session or its caller.
fn session(inbound: &InboundRequest, affinity: &Affinity) -> Option<String> {
    let words = match affinity {
        Affinity::Session => SESSION_HEADERS.iter().find_map(|name| header(inbound, *name))?,
        Affinity::Header(name) => header(inbound, name)?,
        Affinity::Tenant => &inbound.caller.tenant,
    };
    Some(words.to_owned())
}

/// The deadline of the whole request: the earlier of the client's own and the total limit of the first target.
fn deadline(inbound: &InboundRequest, plan: &Plan) -> Option<Instant> {
    let total = plan.candidates.first().and_then(|candidate| candidate.target.timeouts.total);
    let total = total.and_then(|total| inbound.exchange.begun.checked_add(total));
    own_deadline(inbound).into_iter().chain(total).min()
}

/// Until when the client waits, as it says. A request that begins work is not broken off for that, as it is not when
/// its client leaves: only the answer has the id by which the work is booked.
fn own_deadline(inbound: &InboundRequest) -> Option<Instant> {
    let until = own_time::until(&inbound.headers, inbound.exchange.begun);
    until.filter(|_| inbound.stored != Stored::Begun)
}

/// Plans the request's candidates. An operation that is only relayed may have no model.
fn plan(
    serving: &Serving,
    inbound: &InboundRequest,
    model: Option<&str>,
    circumstances: Circumstances<'_>,
) -> Result<Plan, NoTarget> {
    match (model, inbound.operation()) {
        (Some(model), _) => {
            route::plan(&serving.routes, model, circumstances).map_err(|nowhere| match serving.routes.find(model) {
                Some(_) => nowhere,
                None => {
                    unknown_model(model, serving.model_names(&inbound.caller), &model_list::list_for(serving, inbound))
                        .into()
                }
            })
        }
        (None, operation) if operation.is_relayed_only() => {
            let named = header(inbound, &headers::PROVIDER);
            if named.is_some() && !serving.config.server.target_header && !inbound.caller.may_name_provider() {
                let message = "this key may not choose its provider: leave `x-weir-provider` out, or have `may_choose` \
                               set for the key";
                let fault = Fault::new(Side::Client, ErrorKind::Permission, message);
                return Err(fault.with_status(403).with_code("provider_not_allowed").into());
            }
            let format = inbound.endpoint.format();
            Ok(route::plan_for_provider(&serving.routes, named, circumstances.carried, format, operation)?)
        }
        (None, _) => Err(Fault::invalid("the request does not name a model").at("model").into()),
    }
}
