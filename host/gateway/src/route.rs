//! Routes: from a model's name to the candidates that can serve it, in order. Decisions only: nothing here does I/O.

mod budget;
mod candidate;
pub mod chance;
pub mod fit;
pub mod lane;
pub mod order;
mod plan;
mod routes;
mod shown;
pub mod skipped;
mod unknown_model;
mod usage_support;

use std::collections::HashMap;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::accept::Acceptance;
use crate::dialect::limits::Spelling;
use crate::health::Subject;
use crate::model_catalog;
use crate::observe::metrics::{Labels, Metrics, Series};
use crate::pricing::{Pricing, Tariff};
use crate::provenance::Issuer;
use weir_config::{Affinity, Capabilities, Metering, Model, Price, Problem, Provider, Retry, Strategy};
use weir_ledger::PriceBook;
use weir_sandbox::{Adapter, Interface};
use weir_transcoding::Method;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::{Manifest, Operation};
use weir_types::contract::types::Setting;
use weir_upstream::{Base, Credential, HeaderRules, Timeouts};
use weir_wire::tap::CompiledTap;

use budget::Budget;
pub use candidate::Candidate;
pub(crate) use plan::plan_for_provider;
pub use plan::{Circumstances, NoTarget, Plan, plan};
pub use routes::Routes;
pub use shown::ShownNames;
pub(crate) use unknown_model::{USUAL_LIST, unknown_model};
pub use usage_support::UsageSupport;

/// The most bytes of a model's name that has a health of its own.
const MAX_NAME_LEN: usize = 256;

/// A provider with a model, and everything that an attempt needs.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of the operator's own")]
pub struct Target {
    /// Provider and model; names the target's health record and is a label.
    pub id: Arc<str>,
    /// The provider's name, a label.
    pub label: Arc<str>,
    /// The configured provider.
    pub provider: Arc<Provider>,
    /// The provider's adapter.
    pub adapter: Arc<Adapter>,
    /// The acceptances of that adapter which apply to this target.
    pub accepts: Arc<[Acceptance]>,
    /// Which headers of the provider's answers its adapter gets.
    pub read_headers: Arc<HeaderRules>,
    /// The spelling of the provider's rate-limit headers.
    pub limits: Arc<Spelling>,
    /// The base url.
    pub base: Base,
    /// The credential for the provider, if it needs one.
    pub credential: Option<Credential>,
    /// The number of the credential's key.
    pub key: usize,
    /// The same target with the provider's other keys.
    pub spares: Vec<Arc<Target>>,
    /// The provider's name for the model; `None` takes the client's.
    pub model: Option<String>,
    /// The alias up to its star, if the provider's name for the model is the part that the star matches.
    pub before_star: Option<Arc<str>>,
    /// The format to translate to, if the adapter has several.
    pub format: Option<String>,
    /// Whether requests are translated even if they could be relayed.
    pub translate: bool,
    /// Whether a request is refused if its translation would lose a field.
    pub strict: bool,
    /// How the relay lane gets the usage of a stream.
    pub metering: Metering,
    /// Whether the server accepts the member that requests usage; shared by all keys.
    pub question: Arc<UsageSupport>,
    /// The options for the adapter.
    pub options: Vec<Setting>,
    /// The names that answers show, as values of headers.
    pub shown: ShownNames,
    /// The time limits of an attempt.
    pub timeouts: Timeouts,
    /// The known abilities of the model.
    pub capabilities: Capabilities,
    /// The token prices of the model, if known.
    pub price: Option<Price>,
    /// The region that serves it, in the words of price files; `None` where it is not known.
    pub region: Option<Arc<str>>,
    /// What an answer costs.
    pub pricing: Pricing,
    /// The target's share in weighted strategies.
    pub weight: u32,
    /// The number and the delays of retries.
    pub retry: Retry,
    /// Whether a request that failed here may try another target.
    pub enable_fallback: bool,
    /// Whether another target may continue a stream that breaks here.
    pub resume: bool,
}

impl Target {
    /// The target with its prices: those of a book, or the one that the configuration sets.
    #[must_use]
    pub fn priced(mut self, book: &Arc<PriceBook>, set: Option<Price>) -> Self {
        let pricing = Pricing::new(book, &self.label, &self.adapter.name, set);
        let pricing = pricing.within(self.region.clone()).with_cost_place(self.provider.cost_place.as_ref());
        let priced = |spare: &Arc<Self>| Arc::new(Self { pricing: pricing.clone(), ..Self::clone(spare) });
        self.spares = self.spares.iter().map(priced).collect();
        self.pricing = pricing;
        self
    }

    /// What an attempt costs that asks for this name.
    pub fn tariff(&self, asked: &str) -> Tariff {
        self.pricing.tariff(self.model(asked))
    }

    /// The subject of health queries for this target.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            target: &self.id,
            pattern: None,
            provider: &self.label,
            key: self.key,
            settings: self.provider.breaker,
        }
    }

    /// The name of the health record for a request for this model. Each model of a pattern's target has its own, so
    /// that one broken model does not affect the others.
    pub(crate) fn health_id(&self, asked: &str) -> Arc<str> {
        let model = self.model(asked);
        if self.model.is_some() || model.len() > MAX_NAME_LEN {
            return Arc::clone(&self.id);
        }
        Arc::from(format!("{}/{model}", self.label))
    }

    /// The target as the issuer of values and objects.
    pub fn issuer(&self) -> Issuer {
        Issuer { target: Arc::clone(&self.id), provider: Arc::clone(&self.label), key: self.key }
    }

    /// Whether the provider's list of models can be fetched.
    pub(crate) fn can_list(&self) -> bool {
        self.adapter.has(Interface::ProviderModels)
    }

    /// Whether the configured health check is possible.
    pub(crate) fn can_be_checked(&self) -> bool {
        let chats = self.provider.check.as_ref().is_some_and(|check| check.model.is_some());
        if chats { self.adapter.has(Interface::ProviderChat) } else { self.can_list() }
    }

    /// The provider's name for the model, or `*`, as a label.
    pub(crate) fn model_label(&self) -> &str {
        self.model.as_deref().unwrap_or("*")
    }

    /// US dollars for a million tokens of input and as many of output of the model that a request for this name gets,
    /// if known.
    pub(crate) fn dearness(&self, asked: &str) -> Option<f64> {
        // The bundled file knows the models of a pattern, but not the pattern.
        let of_model = || self.price.or_else(|| model_catalog::of(&self.adapter.name, self.model(asked)).price);
        let listed = || of_model().and_then(|price| Some(price.input? + price.output.unwrap_or_default()));
        self.tariff(asked).dearness().or_else(listed)
    }

    /// The abilities of the model that a request for this name gets. The configuration goes before the bundled file.
    pub(crate) fn capabilities_of(&self, asked: &str) -> Capabilities {
        // The bundled file knows the models of a pattern, but not the pattern.
        let of_model = || model_catalog::of(&self.adapter.name, self.model(asked)).capabilities;
        if self.model.is_some() { self.capabilities } else { model_catalog::over(self.capabilities, of_model()) }
    }

    /// The model's name at the provider, for a request for this name.
    pub fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        let bare = || asked.strip_prefix(self.before_star.as_deref().unwrap_or_default()).unwrap_or(asked);
        self.model.as_deref().unwrap_or_else(bare)
    }

    /// The acceptance by which requests of this format are relayed for this operation, if there is one.
    pub fn accepts(&self, format: &str, operation: &Operation) -> Option<&Acceptance> {
        let mut acceptances = self.acceptances_of(operation);
        acceptances.find(|one| one.format == format && one.is_relayed())
    }

    /// How answers of this format are read, if its adapter accepts requests in it.
    pub(crate) fn tap(&self, format: &str) -> Option<&CompiledTap> {
        self.accepts.iter().find(|one| one.format == format)?.tap.as_ref()
    }

    /// The gRPC method that takes a rendered request with this path.
    pub(crate) fn grpc_method(&self, path: &str) -> Option<Arc<Method>> {
        self.accepts.iter().filter_map(|one| one.grpc.as_ref()).find(|method| method.path() == path).cloned()
    }

    /// The acceptances of an operation whose options this target sets.
    fn acceptances_of(&self, operation: &Operation) -> impl Iterator<Item = &Acceptance> + Clone {
        let open = |one: &&Acceptance| one.operation == *operation && one.is_open(|name| self.option(name));
        self.accepts.iter().filter(open)
    }

    /// The format to translate a client's request to: the configured one, else the client's own if this adapter has
    /// it, else the preferred one, else the first.
    pub(crate) fn format_for<'a>(&'a self, client: &'a str, operation: &Operation) -> &'a str {
        format_for(self.format.as_deref(), client, &self.adapter.manifest, self.acceptances_of(operation))
    }

    /// Removes this provider's keys from a text: some providers repeat the key that they refuse.
    pub(crate) fn hide_keys(&self, text: &mut String) {
        self.provider.keys.iter().for_each(|key| key.redact(text));
        self.credential.iter().for_each(|credential| credential.redact(text));
    }

    /// An option as plain text: a string without quotes, a list's strings joined by commas, any other value as JSON.
    pub fn option(&self, name: &str) -> Option<String> {
        crate::accept::option(&self.options, name)
    }
}

/// The target with its first key, and then with each of its other keys.
pub fn keys(target: &Arc<Target>) -> impl Iterator<Item = &Arc<Target>> {
    iter::once(target).chain(&target.spares)
}

/// The format to translate a client's request to; `acceptances` are those of its operation.
pub(crate) fn format_for<'a>(
    configured: Option<&'a str>,
    client: &'a str,
    manifest: &'a Manifest,
    mut acceptances: impl Iterator<Item = &'a Acceptance> + Clone,
) -> &'a str {
    if let Some(format) = configured {
        return format;
    }
    if manifest.formats.iter().any(|format| format.id == client) {
        return client;
    }
    let chosen = acceptances.clone().find(|one| one.preferred).or_else(|| acceptances.next());
    let first = || manifest.formats.first().map(|format| format.id.as_str());
    chosen.map(|one| one.format.as_str()).or_else(first).unwrap_or(client)
}

/// Metric handles by the face's index and the client's name, which is empty if anonymous.
type SeriesByClient = HashMap<usize, HashMap<Arc<str>, Arc<Series>, RandomState>, RandomState>;

/// A configured model, ready to serve.
#[derive(Debug)]
pub struct Route {
    /// The model's alias; a label.
    pub alias: String,
    /// The targets, or why one cannot be served.
    pub targets: Vec<Result<Arc<Target>, Problem>>,
    /// The order in which targets are tried.
    pub strategy: Strategy,
    /// The aliases that are tried after every target failed.
    pub fallbacks: Vec<String>,
    /// Whether a request whose content was filtered may try another target.
    pub fallback_when_filtered: bool,
    /// Whether a fallback may answer with another model's embeddings.
    pub fallback_embeddings: bool,
    /// Whether a request is refused, at any target, if its translation would lose a field.
    pub strict: bool,
    /// What binds requests to one target.
    pub affinity: Affinity,
    /// The time without an answer after which the next target is tried as well.
    pub hedge: Option<Duration>,
    /// The first target's configured name for the model, even if that target cannot be served.
    first: Option<String>,
    turn: AtomicUsize,
    key: AtomicUsize,
    budget: Mutex<Budget>,
    series: RwLock<SeriesByClient>,
}

impl Route {
    /// The route of a model with these targets; `strict` is the server's default.
    pub fn new(model: &Model, strict: bool, targets: Vec<Result<Arc<Target>, Problem>>) -> Self {
        Self {
            fallback_embeddings: model.fallback_embeddings,
            strict: model.strict.unwrap_or(strict),
            first: model.first().and_then(|target| target.model.clone()),
            alias: model.alias.to_string(),
            targets,
            strategy: model.strategy,
            fallbacks: model.fallbacks.clone(),
            fallback_when_filtered: model.fallback_when_filtered,
            affinity: model.affinity.clone(),
            hedge: model.hedge,
            turn: AtomicUsize::new(0),
            key: AtomicUsize::new(0),
            budget: Mutex::default(),
            series: RwLock::default(),
        }
    }

    /// The first target's name for the model, for a request for this name.
    pub(crate) fn first_model<'a>(&'a self, asked: &'a str) -> &'a str {
        match self.targets.first() {
            Some(Ok(target)) => target.model(asked),
            _ => self.first.as_deref().filter(|name| *name != "*").unwrap_or(asked),
        }
    }

    /// Whether a request's features matter: the route has a choice, or a target is known to lack a feature.
    pub(crate) fn chooses_by_abilities(&self) -> bool {
        let mut capabilities = self.targets.iter().flatten().map(|target| &target.capabilities);
        let has_choice = self.has_choice();
        capabilities.any(|one| has_choice && *one != Capabilities::default() || one.lacks_something())
    }

    /// Whether a request may be sent to more than one target.
    pub(crate) fn has_choice(&self) -> bool {
        self.targets.len() > 1 || !self.fallbacks.is_empty()
    }

    /// Whether one request's values may be invalid at the next one's target or key: there are several targets, or
    /// several keys, which may belong to several accounts.
    pub(crate) fn has_accounts(&self) -> bool {
        self.has_choice() || self.targets.iter().flatten().any(|target| !target.spares.is_empty())
    }

    /// The number of requests that have taken a turn.
    pub fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    /// Takes a turn, and returns its number.
    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts an attempt with one of several keys, and returns its number.
    pub fn next_key(&self) -> usize {
        self.key.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a request's share to the retry budget.
    pub(crate) fn deposit(&self, share: f64) {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).deposit(share);
    }

    /// Takes a retry out of the budget. Returns whether one was left.
    pub(crate) fn take_repetition(&self, now: Instant) -> bool {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }

    /// The metric handles of this route for a face and a caller's label, created once.
    pub fn series(&self, metrics: &Metrics, endpoint: &Endpoint, client: &str) -> Arc<Series> {
        let find = |all: &SeriesByClient| all.get(&endpoint.index)?.get(client).map(Arc::clone);
        if let Some(series) = find(&self.series.read().unwrap_or_else(PoisonError::into_inner)) {
            return series;
        }
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        find(&all).unwrap_or_else(|| {
            let provider = self.targets.iter().flatten().next().map_or("none", |target| &*target.label);
            let operation = endpoint.face.operation.name();
            let labels = Labels { dialect: endpoint.format(), route: &self.alias, operation, provider, client };
            let series = Arc::new(metrics.series(labels));
            all.entry(endpoint.index).or_default().insert(Arc::from(client), Arc::clone(&series));
            series
        })
    }
}
