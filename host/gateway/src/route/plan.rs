//! The plan for one request: where it may go, in order, and when there will be somewhere if there is nothing now.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fit::Needs;
use super::order::{Candidate, Lot, order};
use super::skipped::{Skipped, Why};
use super::{PROVIDER_HEADER, Route, Routes, Stop, TARGET_HEADER, Target, chance};
use crate::health::{Health, Rest, Standing};
use crate::origin::Carried;
use weir_config::{Affinity, Strategy};
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// How many targets one request may have, over all fallbacks.
const MAX_STOPS: usize = 32;

/// The targets for one request, in the order in which they are to be tried.
#[derive(Debug)]
pub struct Plan {
    /// The route that was found.
    pub route: Arc<Route>,
    /// Where to go; empty where everything rests.
    pub stops: Vec<Stop>,
    /// Targets that rest, in the order in which they stand in their routes: they may be well again before the request is
    /// given up.
    pub resting: Vec<Stop>,
    /// When the first that rests can be used again.
    pub rest: Option<(Instant, Rest)>,
    /// Targets that were left out, and why: those that rest too.
    pub skipped: Vec<Skipped>,
    /// What the request carries of earlier answers.
    pub carried: Carried,
    /// Those whose context seems to be too short.
    short: Vec<Stop>,
}

/// What a plan depends on besides the configuration.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds a closure, for the length of a call")]
pub struct Circumstances<'a> {
    /// What is well.
    pub health: &'a Health,
    /// Now.
    pub now: Instant,
    /// What keeps the requests of this one's kind together, for a route that leaves it to the client or not.
    pub session: &'a dyn Fn(&Affinity) -> Option<String>,
    /// What the request asks for.
    pub needs: Needs<'a>,
    /// The provider that it has to go to, by its own word.
    pub provider: Option<&'a str>,
    /// What it carries of earlier answers.
    pub carried: &'a Carried,
    /// Whether it is for embeddings, which mean something to the model that made them only.
    pub embeds: bool,
    /// Whether the plan is only looked at: then it takes no turn from the requests that come.
    pub only_looks: bool,
}

/// There is nowhere to go.
#[derive(Debug)]
pub struct Nowhere {
    /// What the client hears.
    pub fault: Fault,
    /// The targets that were left out, and why.
    pub skipped: Vec<Skipped>,
}

impl From<Fault> for Nowhere {
    fn from(fault: Fault) -> Self {
        Self { fault, skipped: Vec::new() }
    }
}

impl From<Nowhere> for Fault {
    fn from(nowhere: Nowhere) -> Self {
        nowhere.fault
    }
}

impl Plan {
    /// A plan with no target yet.
    fn of(route: &Arc<Route>) -> Self {
        Self {
            route: Arc::clone(route),
            stops: Vec::new(),
            resting: Vec::new(),
            rest: None,
            skipped: Vec::new(),
            carried: Carried::default(),
            short: Vec::new(),
        }
    }

    /// A plan with one target only.
    fn only(route: &Arc<Route>, target: &Arc<Target>) -> Self {
        Self { stops: vec![Stop::at(route, target)], ..Self::of(route) }
    }

    /// Puts those first that made what the request carries, as long as they are well, whatever the strategy.
    fn lead_back(&mut self, Circumstances { health, now, carried, .. }: Circumstances<'_>) {
        if carried.is_empty() {
            return;
        }
        self.carried = carried.clone();
        let own = Arc::as_ptr(&self.route);
        let distance = |stop: &Stop| {
            let is_well = stop.standing(health, now) == Standing::Well;
            let is_own = Arc::as_ptr(&stop.route) == own;
            let distance = carried.distance(&stop.target.id, &stop.target.label, is_own);
            distance.filter(|_| is_well).unwrap_or(usize::MAX)
        };
        self.stops.sort_by_cached_key(distance);
    }

    /// What a client hears where everything rests (C-65).
    pub fn exhausted(&self, health: &Health, now: Instant) -> Fault {
        let resting = self.stops.iter().filter_map(|stop| match stop.standing(health, now) {
            Standing::Resting(until, why) => Some((until, why)),
            Standing::Well => None,
        });
        let first = resting.fold(self.rest, |known, other| Some(sooner(known, other)));
        let (until, rest) = first.unwrap_or((now, Rest::Failing));
        let after = until.saturating_duration_since(now).max(Duration::from_millis(1));
        let seconds = after.as_millis().div_ceil(1000);
        if matches!(rest, Rest::Limited | Rest::Untold) {
            let message =
                format!("every target of this model has reached its provider's rate limit; try again in {seconds} s");
            let fault = Fault::new(Side::Gateway, ErrorKind::RateLimited, message);
            return fault.with_status(429).with_retry_after(after);
        }
        let message = format!("every target of this model is resting after failures; try again in {seconds} s");
        Fault::overloaded(message, after)
    }
}

/// Decides where a request for a model goes: the targets of its route by the route's strategy, then those of its
/// fallbacks. Targets that rest are left out; those whose keys were all refused come last.
///
/// # Errors
///
/// Where no target can serve it, though none rests.
pub fn plan(routes: &Routes, model: &str, circumstances: Circumstances<'_>) -> Result<Plan, Nowhere> {
    let route = routes.find(model).ok_or_else(|| unknown_model(model))?;
    let mut plan = Plan::of(route);
    let embeds = circumstances.embeds && circumstances.provider.is_none() && !route.fallback_embeddings;
    let asked = Asked { model, only: embeds.then(|| route.first_model(model)) };
    let mut seen: HashSet<*const Route> = HashSet::new();
    let mut next: Vec<(&Arc<Route>, Option<&str>)> = vec![(route, None)];
    while let Some((route, name)) = next.pop() {
        if plan.stops.len() >= MAX_STOPS || !seen.insert(Arc::as_ptr(route)) {
            continue;
        }
        add(&mut plan, route, (asked, name), circumstances);
        let fallbacks = route.fallbacks.iter().rev();
        next.extend(fallbacks.filter_map(|name| Some((routes.find(name)?, Some(name.as_str())))));
    }
    if plan.stops.is_empty() && plan.rest.is_none() {
        // Where nothing else is left, the estimate is not trusted: the provider counts.
        plan.stops = std::mem::take(&mut plan.short);
        plan.skipped.retain(|skipped| plan.stops.is_empty() || skipped.why != Why::Long);
        plan.stops.truncate(MAX_STOPS);
    }
    if !plan.stops.is_empty() || plan.rest.is_some() {
        plan.lead_back(circumstances);
        return Ok(plan);
    }
    Err(Nowhere { fault: nowhere(&plan, circumstances), skipped: plan.skipped })
}

/// What was asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// The model as the client names it.
    model: &'a str,
    /// The one model that may answer, as its provider names it, where others' answers mean something else.
    only: Option<&'a str>,
}

/// Why a request can go nowhere, though nothing rests.
fn nowhere(plan: &Plan, circumstances: Circumstances<'_>) -> Fault {
    let alias = &plan.route.alias;
    let lacking = plan.skipped.iter().find_map(|skipped| match &skipped.why {
        Why::Lacks(what) => Some(what.as_str()),
        _ => None,
    });
    if let Some(lacking) = lacking {
        let message = format!("no target of the model `{alias}` can serve this request: it needs `{lacking}`");
        return Fault::new(Side::Client, ErrorKind::Unsupported, message).with_code("unsupported_feature");
    }
    if let Some(provider) = circumstances.provider {
        let message = format!("{TARGET_HEADER} names `{provider}`, where the model `{alias}` has no target");
        return Fault::invalid(message).with_code("target_not_found");
    }
    let reason = plan.route.targets.iter().find_map(|target| target.as_ref().err());
    let reason = reason.map_or("it has no target", String::as_str);
    Fault::internal(format!("the model `{alias}` cannot be served: {reason}")).with_status(503)
}

/// Adds a route's targets. `name` is what a fallback calls it.
fn add(
    plan: &mut Plan,
    route: &Arc<Route>,
    (asked, name): (Asked<'_>, Option<&str>),
    circumstances: Circumstances<'_>,
) {
    let Circumstances { health, now, session, needs, provider, carried, .. } = circumstances;
    let model = name.unwrap_or(asked.model);
    let mut usable: Vec<(Stop, u8)> = Vec::new();
    let chosen = |target: &&Arc<Target>| provider.is_none_or(|name| *target.label == *name);
    for target in route.targets.iter().flatten().filter(chosen) {
        let stop = Stop::new(route, named(target, name), target.health_id(model));
        let is_other = asked.only.is_some_and(|only| !is_same_model(only, target.model(model)));
        let unfit = if is_other { Some(Why::OtherEmbeddings) } else { Why::of(needs.fit(&target.capabilities)) };
        if let Some(why) = unfit {
            if why == Why::Long {
                plan.short.push(stop.clone());
            }
            plan.skip(stop, why);
            continue;
        }
        match ranked(stop.standing(health, now)) {
            Ok(rank) => usable.push((stop, rank)),
            Err((until, why)) => {
                plan.rest = Some(sooner(plan.rest, (until, why)));
                if plan.resting.len() < MAX_STOPS {
                    plan.resting.push(stop.clone());
                }
                plan.skip(stop, Why::Resting(until, why));
            }
        }
    }
    let vitals: Vec<_> = usable.iter().map(|(stop, _)| health.known(&stop.health)).collect();
    let candidates: Vec<Candidate<'_>> = usable
        .iter()
        .zip(&vitals)
        .map(|((stop, rank), vitals)| Candidate {
            name: &stop.target.id,
            weight: stop.target.weight,
            rank: *rank,
            latency: vitals.as_ref().and_then(|vitals| vitals.latency(now)),
            busy: vitals.as_ref().map_or(0, |vitals| vitals.in_flight()),
            price: dearness(route, &stop.target, model),
        })
        .collect();
    let session = session(&route.affinity);
    let is_led =
        |(stop, rank): &(Stop, u8)| *rank == 0 && carried.distance(&stop.target.id, &stop.target.label, true).is_some();
    // A request that is led back takes no turn, or those that are new would not get theirs one after another.
    let takes_turn = !circumstances.only_looks && !usable.iter().any(is_led);
    let turn = if takes_turn { route.next_turn() } else { route.turn() };
    let lot = Lot { draw: chance::draw, turn, session: session.as_deref() };
    let stops = order(route.strategy, &candidates, lot).into_iter().filter_map(|place| usable.get(place));
    let stops = stops.map(|(stop, _)| stop.clone());
    plan.stops.extend(stops.take(MAX_STOPS.saturating_sub(plan.stops.len())));
}

impl Plan {
    fn skip(&mut self, stop: Stop, why: Why) {
        if self.skipped.len() < MAX_STOPS {
            self.skipped.push(Skipped { stop, why });
        }
    }
}

/// What a target costs for the name that was asked for, where that decides.
fn dearness(route: &Route, target: &Target, name: &str) -> Option<f64> {
    let price = (route.strategy == Strategy::Cheapest).then(|| target.price_of(name)).flatten()?;
    Some(price.input? + price.output.unwrap_or(0.0))
}

/// The rank of a target by how it stands, or until when it rests.
fn ranked(standing: Standing) -> Result<u8, (Instant, Rest)> {
    match standing {
        Standing::Well => Ok(0),
        // Nobody knows for how long: the provider is asked, once there is nobody better.
        Standing::Resting(_, Rest::Untold) => Ok(1),
        // Such a key is a last resort: nothing is spared by leaving it alone, and the client learns what is wrong.
        Standing::Resting(_, Rest::Refused) => Ok(2),
        Standing::Resting(until, why) => Err((until, why)),
    }
}

/// A target that takes the client's own name for the model is asked for what the fallback is called instead.
fn named(target: &Arc<Target>, name: Option<&str>) -> Arc<Target> {
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

/// Whether two providers' names are of one model: the same but for its case and for whose model it is said to be.
fn is_same_model(one: &str, other: &str) -> bool {
    fn bare(name: &str) -> &str {
        name.rsplit('/').next().unwrap_or(name)
    }
    bare(one).eq_ignore_ascii_case(bare(other))
}

/// The earlier of two recoveries; a rate limit is told only where nothing else is the matter.
fn sooner(known: Option<(Instant, Rest)>, other: (Instant, Rest)) -> (Instant, Rest) {
    let Some(known) = known else { return other };
    let rest = if known.1 == Rest::Limited { other.1 } else { known.1 };
    (known.0.min(other.0), rest)
}

/// Decides where a request that names no model goes: to the provider that it names, else to the one that made the object
/// that it is about, else to the first that takes such requests as they are.
///
/// # Errors
///
/// Where no provider takes it.
pub fn plan_for_provider(
    routes: &Routes,
    provider: Option<&str>,
    carried: &Carried,
    (format, operation): (&str, &Operation),
) -> Result<Plan, Fault> {
    let mut able: Vec<(&Arc<Route>, &Arc<Target>)> = Vec::new();
    for (_, route) in routes.iter() {
        for target in route.targets.iter().flatten() {
            let is_new = !able.iter().any(|(_, known)| known.label == target.label);
            if is_new && target.accepts(format, operation).is_some() {
                able.push((route, target));
            }
        }
    }
    let of = |name: &str| able.iter().find(|(_, target)| *target.label == *name);
    let chosen = match provider {
        Some(name) => of(name),
        None => carried.object.as_ref().and_then(|maker| of(&maker.provider)).or(able.first()),
    };
    match chosen {
        Some((route, target)) => Ok(Plan { carried: carried.clone(), ..Plan::only(route, target) }),
        None => Err(no_provider(&able)),
    }
}

fn no_provider(able: &[(&Arc<Route>, &Arc<Target>)]) -> Fault {
    let names: Vec<&str> = able.iter().map(|(_, target)| &*target.label).collect();
    if names.is_empty() {
        return Fault::invalid("no configured provider takes this operation").with_code("unsupported_operation");
    }
    let message =
        format!("{PROVIDER_HEADER} names none of the providers that take this operation: {}", names.join(", "));
    Fault::invalid(message).with_code("provider_not_chosen")
}

fn unknown_model(model: &str) -> Fault {
    let shown: String = model.chars().filter(|c| !c.is_control()).take(128).collect();
    let message = format!("the model `{shown}` is not known here; GET the list of models to see which are");
    Fault::not_found(message).at("model").with_code("model_not_found")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::health::{Blame, Subject};
    use weir_config::Strategy::{Cheapest, LeastBusy, LeastLatency, Priority, RoundRobin, Weighted};

    const SETTINGS: weir_config::Breaker = weir_config::Breaker {
        failure_rate: 0.5,
        window: Duration::from_secs(10),
        open: Duration::from_secs(5),
        min_attempts: 2,
        cooldown: Duration::from_secs(1),
        max_cooldown: Duration::from_mins(5),
    };

    fn blames() -> [Blame; 4] {
        [Blame::Target(None), Blame::Limit(Some(Duration::from_secs(9))), Blame::Key, Blame::Nobody]
    }

    proptest! {
        /// Whatever happened before: as long as one target is well, the first of the order is one that is, and none of
        /// those that rest is in it at all.
        #[test]
        fn a_target_that_rests_is_never_taken_while_another_is_well(
            past in prop::collection::vec((0usize..4, 0usize..4), 0..60), which in 0usize..6, turn in any::<usize>(),
        ) {
            let health = Health::default();
            let names: Vec<Arc<str>> = (0..4).map(|n| Arc::from(format!("p{n}/m"))).collect();
            let subject =
                |n: usize| Subject { target: &names[n], pattern: None, provider: &names[n], key: 0, settings: SETTINGS };
            let now = Instant::now();
            for (target, blame) in past {
                if let Ok(ticket) = health.admit(subject(target), now) {
                    ticket.failed(blames()[blame]);
                }
            }
            let later = Instant::now();
            let stands: Vec<Standing> = (0..4).map(|n| health.standing(subject(n), later)).collect();
            let usable: Vec<(usize, u8)> =
                (0..4).filter_map(|n| Some((n, ranked(stands[n]).ok()?))).collect();
            let candidates: Vec<Candidate<'_>> = usable.iter().map(|(n, rank)| Candidate {
                name: &names[*n], weight: 1, rank: *rank, latency: None, busy: 0, price: None,
            }).collect();
            let strategy = [Priority, Weighted, RoundRobin, LeastLatency, LeastBusy, Cheapest][which];
            let order = order(strategy, &candidates, Lot { draw: chance::draw, turn, session: None });
            if stands.contains(&Standing::Well) {
                prop_assert_eq!(stands[usable[order[0]].0], Standing::Well);
            }
            for place in order {
                let stands = stands[usable[place].0];
                prop_assert!(matches!(stands, Standing::Well | Standing::Resting(_, Rest::Refused)), "{:?}", stands);
            }
        }
    }

    #[test]
    fn one_model_has_one_name_at_every_provider() {
        assert!(is_same_model("text-embedding-3-small", "zeta/Text-Embedding-3-small"));
        assert!(!is_same_model("text-embedding-3-small", "text-embedding-3-large"));
        assert!(!is_same_model("bge-m3", "bge-m3:latest"), "what is not known to be the same is another");
    }

    #[test]
    fn c65_the_earliest_recovery_counts_and_a_limit_only_where_all_is_limits() {
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(5));
        let both = sooner(Some((late, Rest::Limited)), (early, Rest::Limited));
        assert_eq!(both, (early, Rest::Limited));
        assert_eq!(sooner(Some((early, Rest::Limited)), (late, Rest::Failing)), (early, Rest::Failing));
        assert_eq!(sooner(Some((late, Rest::Failing)), (early, Rest::Limited)), (early, Rest::Failing));
    }
}
