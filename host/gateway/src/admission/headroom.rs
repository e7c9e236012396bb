//! The use of each limit: what is allowed, what is used now, and when that is refilled. For the admin endpoints and the
//! dashboard; no request's path uses it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use weir_config::{Config, Limits};
use weir_identity::Directory;
use weir_identity::document::TeamId;

use super::concurrency::ConcurrencyLimiter;
use super::{Admission, Limiters};
use crate::rate_limit::{InUse, Resource, Scope};

/// The scope of limits of all requests together.
pub const SERVER: &str = "server";
/// The resource: requests that are served at the same time.
const CONCURRENCY: &str = "concurrency";
/// The resource: requests that wait in a queue.
const QUEUE: &str = "queue";

/// A limit and its use.
#[derive(Debug, Clone, Copy)]
pub struct Headroom<'a> {
    /// Whose limit it is: the name of a [`Scope`], or [`SERVER`].
    pub scope: &'static str,
    /// The owner's name, id or address; empty for the server.
    pub name: &'a str,
    /// The readable name of a key.
    pub title: Option<&'a str>,
    /// The team that the owner belongs to, or is.
    pub team: Option<&'a TeamId>,
    /// What is limited: the name of a [`Resource`], `concurrency`, `queue`, `sessions` or `buffered_bytes`.
    pub resource: &'static str,
    /// How much is allowed; at least 1.
    pub limit: u64,
    /// How much is used: more than the limit if more was used than reserved.
    pub used: f64,
    /// The time until all of it is available again; `None` if requests return it when they end.
    pub back_in: Option<Duration>,
}

/// The owner of limits.
#[derive(Debug, Clone, Copy)]
struct Owner<'a> {
    scope: Scope,
    name: &'a str,
    title: Option<&'a str>,
    team: Option<&'a TeamId>,
}

/// The use of all buckets.
type Used = HashMap<(Scope, Resource), HashMap<Arc<str>, InUse>>;

impl Headroom<'_> {
    /// A limit for all requests together, whose use is returned when they end.
    pub(crate) fn of_server(resource: &'static str, limit: usize, used: usize) -> Self {
        let (limit, used) = (limit as u64, used as f64);
        Self { scope: SERVER, name: "", title: None, team: None, resource, limit, used, back_in: None }
    }

    /// The used part: 1 if nothing is left, and more if more was used than reserved.
    pub fn used_part(&self) -> f64 {
        self.used / self.limit.max(1) as f64
    }
}

impl<'a> Owner<'a> {
    fn named(scope: Scope, name: &'a str) -> Self {
        Self { scope, name, title: None, team: None }
    }

    fn headroom(self, resource: &'static str, limit: u64, used: f64, back_in: Option<Duration>) -> Headroom<'a> {
        let Self { scope, name, title, team } = self;
        Headroom { scope: scope.as_str(), name, title, team, resource, limit, used, back_in }
    }

    /// A limit that is in use. It is the configured one, unless a node that is cut off from the others has a smaller
    /// part of it.
    fn of_bucket(self, bucket: &InUse, limit: u64) -> Headroom<'a> {
        self.headroom(bucket.key.resource.as_str(), bucket.limit.min(limit), bucket.used, bucket.back_in)
    }
}

impl Admission {
    /// Shows each limit in force to `visit`, in no order: those of the configuration and of the store's keys, teams and
    /// organisations, used or not, and those of addresses that use something.
    pub(crate) fn headroom(&self, config: &Config, directory: &Directory, visit: &mut dyn FnMut(&Headroom<'_>)) {
        let store = self.shared.get().map_or(&self.limits, |(_, store)| store);
        let mut used = Used::new();
        for bucket in store.in_use(Instant::now()) {
            let of_resource = used.entry((bucket.key.scope, bucket.key.resource)).or_default();
            of_resource.insert(Arc::clone(&bucket.key.name), bucket);
        }
        for client in &config.clients {
            rates(Owner::named(Scope::Client, &client.name), &client.limits, &used, visit);
        }
        stored(directory, &used, visit);
        for model in &config.models {
            let name = model.alias.to_string();
            let owner = Owner::named(Scope::Model, &name);
            rates(owner, &model.limits, &used, visit);
            places(owner, model.max_concurrency, limiter(&self.models, &name).as_deref(), visit);
            if model.max_concurrency.is_some() {
                let waiting = limiter(&self.models, &name).map_or(0, |limiter| limiter.waiting());
                queue(&owner.headroom(QUEUE, config.server.queue.length as u64, waiting as f64, None), visit);
            }
        }
        for provider in &config.providers {
            let owner = Owner::named(Scope::Provider, &provider.name);
            rates(owner, &provider.limits, &used, visit);
            let limiter = limiter(&self.providers, &provider.name);
            let adapted =
                |most| limiter.as_deref().filter(|_| provider.adaptive).map_or(most, |limiter| limiter.adapted(most));
            places(owner, provider.max_concurrency.map(adapted), limiter.as_deref(), visit);
        }
        for ((scope, _), buckets) in used.iter().filter(|((scope, _), _)| *scope == Scope::Address) {
            for (name, bucket) in buckets {
                visit(&Owner::named(*scope, name).of_bucket(bucket, bucket.limit));
            }
        }
        if let Some(places) = config.server.max_concurrency {
            visit(&Headroom::of_server(CONCURRENCY, places, self.whole.inside()));
            queue(&Headroom::of_server(QUEUE, config.server.queue.length, self.whole.waiting()), visit);
        }
    }
}

/// The limits of the store's keys, teams and organisations.
fn stored(directory: &Directory, used: &Used, visit: &mut dyn FnMut(&Headroom<'_>)) {
    for key in directory.keys().filter(|key| !key.terms.limits.is_empty()) {
        let (title, team) = (Some(&*key.name), key.team.as_ref());
        let owner = Owner { scope: Scope::Key, name: key.id.as_str(), title, team };
        rates(owner, &key.terms.limits.into(), used, visit);
    }
    for team in directory.teams().filter(|team| !team.terms.limits.is_empty()) {
        let owner = Owner { scope: Scope::Team, name: team.id.as_str(), title: None, team: Some(&team.id) };
        rates(owner, &team.terms.limits.into(), used, visit);
    }
    for organisation in directory.organisations().filter(|organisation| !organisation.terms.limits.is_empty()) {
        let owner = Owner::named(Scope::Organisation, organisation.id.as_str());
        rates(owner, &organisation.terms.limits.into(), used, visit);
    }
}

/// The rate limits of an owner.
fn rates(owner: Owner<'_>, limits: &Limits, used: &Used, visit: &mut dyn FnMut(&Headroom<'_>)) {
    let all = [
        (Resource::Requests, limits.requests),
        (Resource::Tokens, limits.tokens),
        (Resource::Input, limits.input_tokens),
        (Resource::Output, limits.output_tokens),
        (Resource::Streams, limits.streams),
    ];
    for (resource, limit) in all.into_iter().filter_map(|(resource, limit)| Some((resource, limit?))) {
        let Some(bucket) = used.get(&(owner.scope, resource)).and_then(|buckets| buckets.get(owner.name)) else {
            let back_in = (resource != Resource::Streams).then_some(Duration::ZERO);
            visit(&owner.headroom(resource.as_str(), limit, 0.0, back_in));
            continue;
        };
        visit(&owner.of_bucket(bucket, limit));
    }
}

/// An owner's limit of concurrent requests.
fn places(
    owner: Owner<'_>,
    most: Option<usize>,
    limiter: Option<&ConcurrencyLimiter>,
    visit: &mut dyn FnMut(&Headroom<'_>),
) {
    let Some(most) = most else { return };
    let inside = limiter.map_or(0, ConcurrencyLimiter::inside);
    visit(&owner.headroom(CONCURRENCY, most as u64, inside as f64, None));
}

/// A queue, if there may be one.
fn queue(queue: &Headroom<'_>, visit: &mut dyn FnMut(&Headroom<'_>)) {
    if queue.limit > 0 {
        visit(queue);
    }
}

/// The limiter of a name that had requests.
fn limiter(limiters: &Limiters, name: &str) -> Option<Arc<ConcurrencyLimiter>> {
    limiters.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}
