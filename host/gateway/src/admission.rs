//! Admission: the models that a client may use, rate limits, and concurrency limits with their queues.

mod attempt_reservation;
pub mod budgets;
pub mod concurrency;
mod demand;
pub mod headroom;
mod metrics;
mod part;
mod permit;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use demand::bytes_of;
pub use demand::{Demand, Uses};
pub use metrics::AdmitMetrics;
pub use permit::AdmissionPermit;
pub(crate) use permit::ArrivedBody;
pub use work::ModelWork;

use self::attempt_reservation::AttemptReservation;
use self::budgets::Budgets;
use crate::admission::concurrency::{Allowance, ConcurrencyLimiter, Permit, Rejection};
use crate::auth::Caller;
use crate::rate_limit;
use crate::rate_limit::{
    Estimate, Exhausted, LimitStatus, LimitStore, Memory, Reservation, Resource, Scope, Shared, Take,
};
use crate::sharing::Sharing;
use weir_config::{Config, Limits, Model, Provider};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// `Retry-After` of a full queue.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request that was not admitted.
#[derive(Debug)]
pub struct Refused {
    /// The error for the client.
    pub fault: Fault,
    /// The state of the limit that was exceeded, for the answer's headers.
    pub limits: Vec<LimitStatus>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, limits: Vec::new() }
    }
}

/// All rate and concurrency limits. They outlive reloads of the configuration.
#[derive(Debug)]
pub struct Admission {
    limits: Arc<dyn LimitStore>,
    /// The shared limits, which replace those of this process if other nodes share them.
    shared: OnceLock<(Arc<Shared>, Arc<dyn LimitStore>)>,
    whole: Arc<ConcurrencyLimiter>,
    models: Limiters,
    providers: Limiters,
    metrics: AdmitMetrics,
    /// What may be spent.
    pub budgets: Budgets,
}

/// Concurrency limiters by the name of a model or provider in the configuration.
type Limiters = Mutex<HashMap<Arc<str>, Arc<ConcurrencyLimiter>>>;

impl Admission {
    /// Limits that are kept in this process's memory.
    pub fn new(metrics: AdmitMetrics, budgets: Budgets) -> Self {
        let (models, providers) = (Limiters::default(), Limiters::default());
        let (limits, shared) = (Arc::new(Memory::default()), OnceLock::new());
        Self { limits, shared, whole: Arc::default(), models, providers, metrics, budgets }
    }

    /// Shares limits and budgets with other nodes from now on. The first call counts.
    pub(crate) fn share(&self, sharing: &Arc<Sharing>) {
        let shared = Arc::new(Shared::new(Arc::clone(sharing)));
        let store: Arc<dyn LimitStore> = Arc::clone(&shared) as Arc<dyn LimitStore>;
        if self.shared.set((shared, store)).is_ok() {
            self.budgets.share(sharing);
        }
    }

    /// The limits that other nodes share.
    pub(crate) fn shared(&self) -> Option<&Shared> {
        self.shared.get().map(|(shared, _)| &**shared)
    }

    /// Admits a request before its body is read: counts it against the request limits of its client and address, and
    /// checks that the queue has room.
    pub(crate) async fn admit_caller(&self, config: &Config, caller: &Caller) -> Result<AdmissionPermit, Refused> {
        if let Some(places) = config.server.max_concurrency
            && !self.whole.has_room(allowance(config, places), &caller.turn(), caller.priority())
        {
            return Err(self.rejected(Rejection::Full).into());
        }
        let mut takes = takes_of_caller(config, caller, Estimate::NONE);
        takes.retain(|take| take.key.resource == Resource::Requests);
        let mut permit = AdmissionPermit::free();
        if !takes.is_empty() {
            permit.reservations.push(self.reserve(takes).await?);
        }
        Ok(permit)
    }

    /// Admits a request to everything else that it needs: its model, token limits, and a place, for which it may wait
    /// in the queue.
    pub async fn admit(
        &self,
        config: &Config,
        caller: &Caller,
        demand: &Demand<'_>,
        mut permit: AdmissionPermit,
    ) -> Result<AdmissionPermit, Refused> {
        let model = demand.model.and_then(|name| config.models.lookup(name));
        // For a caller of the store, the model was checked when its aliases were resolved.
        if let Some(name) = demand.model.filter(|name| caller.stored.is_none() && !caller.may_use(name)) {
            return Err(not_allowed(caller, name).into());
        }
        let takes = takes(config, caller, model, demand);
        if !takes.is_empty() {
            match self.reserve(takes).await {
                Ok(reservation) => permit.reservations.push(reservation),
                Err(refused) => {
                    permit.void();
                    return Err(refused);
                }
            }
        }
        permit.places.extend(self.enter_model(config, caller, model).await?);
        if let Some(places) = config.server.max_concurrency {
            permit.places.push(self.enter(&self.whole, allowance(config, places), caller).await?);
        }
        Ok(permit)
    }

    /// Takes the tokens of a response within a session, which was admitted already, from the limits of its caller,
    /// model and provider.
    pub(crate) async fn admit_response(
        &self,
        config: &Config,
        caller: &Caller,
        provider: &Provider,
        demand: &Demand<'_>,
    ) -> Result<AdmissionPermit, Refused> {
        let takes = takes_of_response(config, caller, provider, demand);
        let mut permit = AdmissionPermit::free();
        if !takes.is_empty() {
            permit.reservations.push(self.reserve(takes).await?);
        }
        Ok(permit)
    }

    /// Admits a response that its provider has begun already: its tokens count, whatever is left.
    pub(crate) fn admit_begun(
        &self,
        config: &Config,
        caller: &Caller,
        provider: &Provider,
        demand: &Demand<'_>,
    ) -> AdmissionPermit {
        let mut permit = AdmissionPermit::free();
        let takes = takes_of_response(config, caller, provider, demand);
        if !takes.is_empty() {
            permit.reservations.push(Reservation::owed(self.limits(), takes, Instant::now()));
        }
        permit
    }

    /// Admits an admitted request to the limits of another model, to which a budget passes it on.
    pub(crate) async fn admit_to_model(
        &self,
        config: &Config,
        caller: &Caller,
        demand: &Demand<'_>,
    ) -> Result<AdmissionPermit, Refused> {
        let mut permit = AdmissionPermit::free();
        let model = demand.model.and_then(|name| config.models.lookup(name));
        let takes = takes_of_model(model, demand.estimate());
        if !takes.is_empty() {
            permit.reservations.push(self.reserve(takes).await?);
        }
        permit.places.extend(self.enter_model(config, caller, model).await?);
        Ok(permit)
    }

    /// A place of a model, if it has a limit of places.
    async fn enter_model(
        &self,
        config: &Config,
        caller: &Caller,
        model: Option<&Arc<Model>>,
    ) -> Result<Option<Permit>, Refused> {
        let Some((model, places)) = model.and_then(|model| Some((model, model.max_concurrency?))) else {
            return Ok(None);
        };
        let limiter = limiter_of(&self.models, &model.alias.to_string());
        self.enter(&limiter, allowance(config, places), caller).await.map(Some)
    }

    /// Admits a request for a list of models to a place; [`Self::admit_caller`] has already counted the request.
    pub(crate) async fn admit_to_lists(
        &self,
        config: &Config,
        caller: &Caller,
        mut permit: AdmissionPermit,
    ) -> Result<AdmissionPermit, Refused> {
        if let Some(places) = config.server.max_concurrency {
            permit.places.push(self.enter(&self.whole, allowance(config, places), caller).await?);
        }
        Ok(permit)
    }

    /// Admits an attempt to a provider. Never waits, since another provider may be free.
    pub(crate) async fn admit_to(&self, provider: &Provider, demand: &Demand<'_>) -> Result<AdmissionPermit, Refused> {
        let mut permit = AdmissionPermit::free();
        if provider.limits == Limits::default() && provider.max_concurrency.is_none() {
            return Ok(permit);
        }
        let name: Arc<str> = Arc::from(provider.name.as_str());
        let takes = rate_limit::takes(Scope::Provider, &name, &provider.limits, demand.estimate());
        if !takes.is_empty() {
            permit.attempts.push(AttemptReservation::new(self.reserve(takes).await?));
        }
        if let Some(places) = provider.max_concurrency {
            let limiter = limiter_of(&self.providers, &name);
            let now = if provider.adaptive { limiter.adapted(places) } else { places };
            let Some(place) = limiter.try_enter(now) else {
                self.metrics.shed(metrics::PROVIDER);
                return Err(busy(&format!("the provider `{name}` has as many requests as it may")).into());
            };
            permit.places.push(place);
            permit.learns = provider.adaptive.then_some((limiter, places));
        }
        Ok(permit)
    }

    /// Updates the gauges of each provider's current concurrency limit.
    pub fn note<'a>(&self, providers: impl Iterator<Item = &'a Provider>) {
        for provider in providers {
            let Some(most) = provider.max_concurrency else { continue };
            let places =
                if provider.adaptive { limiter_of(&self.providers, &provider.name).adapted(most) } else { most };
            self.metrics.places(&provider.name, places);
        }
        self.budgets.note();
    }

    /// Resets the gauges, since providers may have been removed.
    pub fn forget(&self) {
        self.metrics.forget();
    }

    /// Where limits are counted.
    fn limits(&self) -> &Arc<dyn LimitStore> {
        self.shared.get().map_or(&self.limits, |(_, store)| store)
    }

    async fn reserve(&self, takes: Vec<Take>) -> Result<Reservation, Refused> {
        Reservation::make(self.limits(), takes, Instant::now()).await.map_err(|exhausted| {
            self.metrics.exhausted(&exhausted);
            used_up(&exhausted)
        })
    }

    async fn enter(
        &self,
        limiter: &Arc<ConcurrencyLimiter>,
        allowance: Allowance,
        caller: &Caller,
    ) -> Result<Permit, Refused> {
        if let Some(place) = limiter.try_enter(allowance.places) {
            return Ok(place);
        }
        let begun = Instant::now();
        let _waits = self.metrics.waits();
        let entered = Box::pin(limiter.enter(allowance, &caller.turn(), caller.priority())).await;
        self.metrics.waited(begun.elapsed());
        entered.map_err(|rejection| self.rejected(rejection).into())
    }

    fn rejected(&self, rejection: Rejection) -> Fault {
        let (reason, message) = match rejection {
            Rejection::Full => (metrics::FULL, "too many requests are waiting already"),
            Rejection::Late => (metrics::LATE, "too many requests are under way; it was not this one's turn in time"),
        };
        self.metrics.shed(reason);
        busy(message)
    }
}

/// A limiter's places together with the configured queue.
fn allowance(config: &Config, places: usize) -> Allowance {
    Allowance { places, queue: config.server.queue.length, wait: config.server.queue.wait }
}

/// The reservations of a request, without the count of requests, which [`Admission::admit_caller`] has reserved.
fn takes(config: &Config, caller: &Caller, model: Option<&Arc<Model>>, demand: &Demand<'_>) -> Vec<Take> {
    let estimate = demand.estimate();
    let mut takes = takes_of_caller(config, caller, estimate);
    takes.retain(|take| take.key.resource != Resource::Requests);
    takes.extend(takes_of_model(model, estimate));
    takes
}

/// The tokens of a response within a session, at the limits of its caller, model and provider.
fn takes_of_response(config: &Config, caller: &Caller, provider: &Provider, demand: &Demand<'_>) -> Vec<Take> {
    let model = demand.model.and_then(|name| config.models.lookup(name));
    let mut takes = takes(config, caller, model, demand);
    let name: Arc<str> = Arc::from(provider.name.as_str());
    takes.extend(rate_limit::takes(Scope::Provider, &name, &provider.limits, demand.estimate()));
    takes.retain(|take| matches!(take.key.resource, Resource::Tokens | Resource::Input | Resource::Output));
    takes
}

fn takes_of_model(model: Option<&Arc<Model>>, estimate: Estimate) -> Vec<Take> {
    let Some(model) = model.filter(|model| model.limits != Limits::default()) else { return Vec::new() };
    let name: Arc<str> = Arc::from(model.alias.to_string());
    rate_limit::takes(Scope::Model, &name, &model.limits, estimate)
}

fn takes_of_caller(config: &Config, caller: &Caller, estimate: Estimate) -> Vec<Take> {
    let mut takes = caller.takes(estimate);
    if let Some(address) = caller.address.filter(|_| config.server.address_limits != Limits::default()) {
        let name = rate_limit::address_name(address);
        takes.extend(rate_limit::takes(Scope::Address, &name, &config.server.address_limits, estimate));
    }
    takes
}

fn limiter_of(limiters: &Limiters, name: &str) -> Arc<ConcurrencyLimiter> {
    let mut limiters = limiters.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(limiter) = limiters.get(name) {
        return Arc::clone(limiter);
    }
    let limiter = Arc::<ConcurrencyLimiter>::default();
    limiters.insert(Arc::from(name), Arc::clone(&limiter));
    limiter
}

fn used_up(exhausted: &Exhausted) -> Refused {
    let fault = Fault::new(Side::Gateway, ErrorKind::RateLimited, exhausted.message());
    let fault = fault.with_status(429).with_code("rate_limit_exceeded").with_retry_after(exhausted.wait);
    Refused { fault, limits: vec![exhausted.status()] }
}

fn busy(message: &str) -> Fault {
    Fault::overloaded(message, RETRY_AFTER)
}

/// The fault for a model that the caller may not use.
pub(crate) fn not_allowed(caller: &Caller, model: &str) -> Fault {
    let model: String = model.chars().take(200).collect();
    let message = format!("the {} may not use the model `{model}`", caller.title());
    Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).at("model")
}
