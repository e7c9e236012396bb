//! The plan of one request: its candidates in order or, if all rest, the time of the first recovery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::fit::Needs;
use super::order::{Ranked, TieBreak, order};
use super::skipped::{SkipReason, Skipped};
use super::unknown_model::{USUAL_LIST, unknown_model};
use super::{Candidate, Route, Routes, Target, chance};
use crate::health::{Health, Rest, TargetStatus};
use crate::provenance::Carried;
use weir_config::{Affinity, Strategy};
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers;

/// The most candidates of one request, over all fallbacks.
const MAX_CANDIDATES: usize = 32;

/// The candidates of one request, in the order in which they are tried.
#[derive(Debug)]
pub struct Plan {
    /// The route of the requested model.
    pub route: Arc<Route>,
    /// The usable candidates; empty if all rest.
    pub candidates: Vec<Candidate>,
    /// The resting candidates, in the order of their routes: they may recover before the request is given up.
    pub resting: Vec<Candidate>,
    /// When the first resting candidate recovers.
    pub rest: Option<(Instant, Rest)>,
    /// The targets that were skipped, resting ones included, with the reasons.
    pub skipped: Vec<Skipped>,
    /// The values and objects of earlier answers that the request carries.
    pub carried: Carried,
    /// The targets whose context seems to be too short.
    short: Vec<Candidate>,
}

/// What a plan depends on besides the configuration.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds a closure, for the length of a call")]
pub struct Circumstances<'a> {
    /// The health of all targets.
    pub health: &'a Health,
    /// The current time.
    pub now: Instant,
    /// Returns the request's affinity key for a route's setting.
    pub session: &'a (dyn Fn(&Affinity) -> Option<String> + Sync),
    /// The requirements of the request.
    pub needs: Needs<'a>,
    /// The provider that the request selects, if any.
    pub provider: Option<&'a str>,
    /// The values and objects of earlier answers that the request carries.
    pub carried: &'a Carried,
    /// Whether the request is for embeddings, which are only comparable with those of the same model.
    pub embeds: bool,
    /// Whether this is a dry run, which takes no turn.
    pub only_looks: bool,
}

/// No target can serve the request, and none rests.
#[derive(Debug)]
pub struct NoTarget {
    /// The error for the client.
    pub fault: Fault,
    /// The targets that were skipped, with the reasons.
    pub skipped: Vec<Skipped>,
}

impl From<Fault> for NoTarget {
    fn from(fault: Fault) -> Self {
        Self { fault, skipped: Vec::new() }
    }
}

impl From<NoTarget> for Fault {
    fn from(nowhere: NoTarget) -> Self {
        nowhere.fault
    }
}

impl Plan {
    /// All targets that may be tried, those that rest last.
    pub(crate) fn targets(&self) -> SmallVec<[&Target; 4]> {
        self.candidates.iter().chain(&self.resting).map(|candidate| &*candidate.target).collect()
    }

    /// Gives targets that take the client's name for the model this name, which the client did not use.
    pub fn rename(&mut self, name: Option<&str>) {
        for candidate in self.candidates.iter_mut().chain(&mut self.resting) {
            candidate.target = named(&candidate.target, name);
            candidate.name = candidate.name.take().or_else(|| name.map(Arc::from));
        }
    }

    fn skip(&mut self, candidate: Candidate, why: SkipReason) {
        if self.skipped.len() < MAX_CANDIDATES {
            self.skipped.push(Skipped { candidate, why });
        }
    }

    /// A plan without candidates.
    fn of(route: &Arc<Route>) -> Self {
        Self {
            route: Arc::clone(route),
            candidates: Vec::new(),
            resting: Vec::new(),
            rest: None,
            skipped: Vec::new(),
            carried: Carried::default(),
            short: Vec::new(),
        }
    }

    /// A plan with a single target.
    fn only(route: &Arc<Route>, target: &Arc<Target>) -> Self {
        Self { candidates: vec![Candidate::at(route, target)], ..Self::of(route) }
    }

    /// Moves healthy issuers of the values that the request carries to the front, whatever the strategy.
    fn lead_back(&mut self, Circumstances { health, now, carried, .. }: Circumstances<'_>) {
        if carried.is_empty() {
            return;
        }
        self.carried = carried.clone();
        let own = Arc::as_ptr(&self.route);
        let distance = |candidate: &Candidate| {
            let is_well = candidate.status(health, now) == TargetStatus::Well;
            let is_own = Arc::as_ptr(&candidate.route) == own;
            let distance = carried.distance(&candidate.target.id, &candidate.target.label, is_own);
            distance.filter(|_| is_well).unwrap_or(usize::MAX)
        };
        self.candidates.sort_by_cached_key(distance);
    }

    /// The error for the client if every candidate rests (C-65).
    pub fn exhausted(&self, health: &Health, now: Instant) -> Fault {
        let resting = self.candidates.iter().filter_map(|candidate| match candidate.status(health, now) {
            TargetStatus::Resting(until, why) => Some((until, why)),
            TargetStatus::Well => None,
        });
        let first = resting.fold(self.rest, |known, other| Some(sooner(known, other)));
        let (until, rest) = first.unwrap_or((now, Rest::Failing));
        let after = until.saturating_duration_since(now).max(Duration::from_millis(1));
        let seconds = after.as_millis().div_ceil(1000);
        if matches!(rest, Rest::Limited | Rest::Unstated) {
            let message =
                format!("every target of this model has reached its provider's rate limit; try again in {seconds} s");
            let fault = Fault::new(Side::Gateway, ErrorKind::RateLimited, message);
            return fault.with_status(429).with_retry_after(after);
        }
        let message = format!("every target of this model is resting after failures; try again in {seconds} s");
        Fault::overloaded(message, after)
    }
}

/// Plans a request for a model: the targets of its route in the order of the strategy, and then those of its
/// fallbacks. Resting targets are skipped; those whose keys were all refused come last.
///
/// # Errors
///
/// Fails if no target can serve the request, and none rests.
pub fn plan(routes: &Routes, model: &str, circumstances: Circumstances<'_>) -> Result<Plan, NoTarget> {
    let route = routes.find(model).ok_or_else(|| unknown_model(model, [], USUAL_LIST))?;
    let mut plan = Plan::of(route);
    let embeds = circumstances.embeds && circumstances.provider.is_none() && !route.fallback_embeddings;
    let asked = RequestedModel { model, only: embeds.then(|| route.first_model(model)) };
    let mut seen = SmallVec::<[*const Route; 4]>::new();
    let mut next = SmallVec::<[(&Arc<Route>, Option<&str>); 4]>::from_iter([(route, None)]);
    while let Some((route, name)) = next.pop() {
        if plan.candidates.len() >= MAX_CANDIDATES || seen.contains(&Arc::as_ptr(route)) {
            continue;
        }
        seen.push(Arc::as_ptr(route));
        add(&mut plan, route, asked, name, circumstances);
        let fallbacks = route.fallbacks.iter().rev();
        next.extend(fallbacks.filter_map(|name| Some((routes.find(name)?, Some(name.as_str())))));
    }
    if plan.candidates.is_empty() && plan.rest.is_none() {
        // If no other target is left, the estimated length is ignored, since the provider counts properly.
        plan.candidates = std::mem::take(&mut plan.short);
        plan.skipped.retain(|skipped| plan.candidates.is_empty() || skipped.why != SkipReason::Long);
        plan.candidates.truncate(MAX_CANDIDATES);
    }
    if !plan.candidates.is_empty() || plan.rest.is_some() {
        plan.lead_back(circumstances);
        return Ok(plan);
    }
    Err(NoTarget { fault: nowhere(&plan, circumstances), skipped: plan.skipped })
}

#[derive(Clone, Copy)]
struct RequestedModel<'a> {
    /// The model in the client's spelling.
    model: &'a str,
    /// The only model that may answer, in its provider's spelling; set for embeddings.
    only: Option<&'a str>,
}

/// Why no target can serve the request, although none rests.
fn nowhere(plan: &Plan, circumstances: Circumstances<'_>) -> Fault {
    let alias = &plan.route.alias;
    let lacking = plan.skipped.iter().find_map(|skipped| match &skipped.why {
        SkipReason::Lacks(what) => Some(what.as_str()),
        _ => None,
    });
    if let Some(lacking) = lacking {
        let message = format!("no target of the model `{alias}` can serve this request: it needs `{lacking}`");
        return Fault::new(Side::Client, ErrorKind::Unsupported, message).with_code("unsupported_feature");
    }
    if let Some(provider) = circumstances.provider {
        let message = format!("{} names `{provider}`, where the model `{alias}` has no target", headers::TARGET);
        return Fault::invalid(message).with_code("target_not_found");
    }
    let reason = plan.route.targets.iter().find_map(|target| target.as_ref().err());
    let reason = reason.map_or("it has no target", |problem| &problem.message);
    Fault::internal(format!("the model `{alias}` cannot be served: {reason}")).with_status(503)
}

/// Adds a route's targets. `name` is the alias of a fallback.
fn add(
    plan: &mut Plan,
    route: &Arc<Route>,
    asked: RequestedModel<'_>,
    name: Option<&str>,
    circumstances: Circumstances<'_>,
) {
    let Circumstances { health, now, needs, provider, carried, .. } = circumstances;
    let model = name.unwrap_or(asked.model);
    let mut usable = SmallVec::<[(Candidate, u8); 2]>::new();
    let chosen = |target: &&Arc<Target>| provider.is_none_or(|name| *target.label == *name);
    for target in route.targets.iter().flatten().filter(chosen) {
        let mut candidate = Candidate::new(route, named(target, name), target.health_id(model));
        candidate.name = name.map(Arc::from);
        let is_other = asked.only.is_some_and(|only| !is_same_model(only, target.model(model)));
        let unfit =
            if is_other { Some(SkipReason::OtherEmbeddings) } else { SkipReason::of(needs.fit(&target.capabilities)) };
        if let Some(why) = unfit {
            if why == SkipReason::Long {
                plan.short.push(candidate.clone());
            }
            plan.skip(candidate, why);
            continue;
        }
        match ranked(candidate.status(health, now)) {
            Ok(rank) => usable.push((candidate, rank)),
            Err((until, why)) => {
                plan.rest = Some(sooner(plan.rest, (until, why)));
                if plan.resting.len() < MAX_CANDIDATES {
                    plan.resting.push(candidate.clone());
                }
                plan.skip(candidate, SkipReason::Resting(until, why));
            }
        }
    }
    let is_led = |(candidate, rank): &(Candidate, u8)| {
        *rank == 0 && carried.distance(&candidate.target.id, &candidate.target.label, true).is_some()
    };
    // A request that is routed to an issuer takes no turn; otherwise new requests would not be distributed evenly.
    let takes_turn = !circumstances.only_looks && !usable.iter().any(is_led);
    let turn = if takes_turn { route.next_turn() } else { route.turn() };
    let room = MAX_CANDIDATES.saturating_sub(plan.candidates.len());
    if usable.len() < 2 {
        return plan.candidates.extend(usable.into_iter().map(|(candidate, _)| candidate).take(room));
    }
    plan.candidates.extend(in_order(route, &usable, model, turn, circumstances).take(room));
}

/// Usable candidates of a route, with their ranks, in the order of its strategy.
fn in_order(
    route: &Route,
    usable: &[(Candidate, u8)],
    model: &str,
    turn: usize,
    Circumstances { health, now, session, .. }: Circumstances<'_>,
) -> impl Iterator<Item = Candidate> {
    let health: Vec<_> = usable.iter().map(|(candidate, _)| health.known(&candidate.health)).collect();
    let candidates: Vec<Ranked<'_>> = usable
        .iter()
        .zip(&health)
        .map(|((candidate, rank), health)| Ranked {
            name: &candidate.target.id,
            weight: candidate.target.weight,
            rank: *rank,
            latency: health.as_ref().and_then(|health| health.latency(now)),
            busy: health.as_ref().map_or(0, |health| health.in_flight()),
            price: (route.strategy == Strategy::Cheapest).then(|| candidate.target.dearness(model)).flatten(),
        })
        .collect();
    let session = session(&route.affinity);
    let lot = TieBreak { draw: chance::draw, turn, session: session.as_deref() };
    let places = order(route.strategy, &candidates, lot).into_iter();
    places.filter_map(|place| usable.get(place)).map(|(candidate, _)| candidate.clone())
}

/// The rank of a target by its status, or the end of its rest.
fn ranked(status: TargetStatus) -> Result<u8, (Instant, Rest)> {
    match status {
        TargetStatus::Well => Ok(0),
        // The end is unknown, so the provider may be tried after all better candidates.
        TargetStatus::Resting(_, Rest::Unstated) => Ok(1),
        // A refused key is a last resort: trying it does no harm, and the client gets the provider's reason.
        TargetStatus::Resting(_, Rest::Refused) => Ok(2),
        TargetStatus::Resting(until, why) => Err((until, why)),
    }
}

/// For a fallback, a target that takes the client's name for the model gets the fallback's alias as the name.
pub(crate) fn named(target: &Arc<Target>, name: Option<&str>) -> Arc<Target> {
    match (name, &target.model) {
        (Some(name), None) => {
            let model = target.model(name);
            let rename = |target: &Target| Target { model: Some(model.to_owned()), ..target.clone() };
            let spares = target.spares.iter().map(|spare| Arc::new(rename(spare))).collect();
            Arc::new(Target { spares, ..rename(target) })
        }
        _ => Arc::clone(target),
    }
}

/// Whether two providers' names are of the same model: equal except for letter case and the owner's prefix.
fn is_same_model(one: &str, other: &str) -> bool {
    fn bare(name: &str) -> &str {
        name.rsplit('/').next().unwrap_or(name)
    }
    bare(one).eq_ignore_ascii_case(bare(other))
}

/// The earlier of two recoveries. Its reason is [`Rest::Limited`] only if both have that reason. The result does not
/// depend on the order of the targets.
fn sooner(known: Option<(Instant, Rest)>, other: (Instant, Rest)) -> (Instant, Rest) {
    let grave = |rest: Rest| match rest {
        Rest::Limited => 0,
        Rest::Unstated => 1,
        Rest::Refused => 2,
        Rest::Failing => 3,
    };
    let Some(known) = known else { return other };
    let rest = if grave(known.1) < grave(other.1) { other.1 } else { known.1 };
    (known.0.min(other.0), rest)
}

/// Plans a request without a model: the provider that it names, else the one that made its object, else the first
/// that accepts the operation unchanged.
///
/// # Errors
///
/// Fails if no provider accepts it.
pub(crate) fn plan_for_provider(
    routes: &Routes,
    provider: Option<&str>,
    carried: &Carried,
    format: &str,
    operation: &Operation,
) -> Result<Plan, Fault> {
    let mut takers: Vec<(&Arc<Route>, &Arc<Target>)> = Vec::new();
    for (_, route) in routes.iter() {
        for target in route.targets.iter().flatten() {
            let is_new = !takers.iter().any(|(_, known)| known.label == target.label);
            if is_new && target.accepts(format, operation).is_some() {
                takers.push((route, target));
            }
        }
    }
    let of = |name: &str| takers.iter().find(|(_, target)| *target.label == *name);
    let chosen = match provider {
        Some(name) => of(name),
        None => carried.object.as_ref().and_then(|maker| of(&maker.provider)).or(takers.first()),
    };
    match chosen {
        Some((route, target)) => Ok(Plan { carried: carried.clone(), ..Plan::only(route, target) }),
        None => Err(no_provider(&takers)),
    }
}

fn no_provider(takers: &[(&Arc<Route>, &Arc<Target>)]) -> Fault {
    let names: Vec<&str> = takers.iter().map(|(_, target)| &*target.label).collect();
    if names.is_empty() {
        return Fault::invalid("no configured provider takes this operation").with_code("unsupported_operation");
    }
    let message =
        format!("{} names none of the providers that take this operation: {}", headers::PROVIDER, names.join(", "));
    Fault::invalid(message).with_code("provider_not_chosen")
}

#[cfg(test)]
mod tests;
