//! From a model's name to the targets that can serve it, in order. Decisions only: nothing here does I/O.

mod budget;
pub mod chance;
pub mod fit;
pub mod lane;
pub mod order;
mod plan;
mod question;
pub mod skipped;
mod stop;

use std::collections::HashMap;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::accept::Acceptance;
use crate::dialect::limits::Spelling;
use crate::facts;
use crate::health::Subject;
use crate::observe::metrics::{Labels, Metrics, Series};
use crate::origin::Issuer;
use weir_config::{Affinity, Aliases, Capabilities, Metering, Model, Price, Provider, Retry, Strategy};
use weir_sandbox::{Adapter, Interface};
use weir_translate::dialect::faces::{Face};
use weir_types::contract::about::{Manifest, Operation};
use weir_types::contract::types::Setting;
use weir_upstream::{Base, Credential, Timeouts};

use budget::Budget;
pub use plan::{Circumstances, Nowhere, Plan, plan, plan_for_provider};
pub use question::Question;
pub use stop::Stop;

/// The header by which a request without a model says which provider it is for.
pub const PROVIDER_HEADER: &str = weir_types::headers::PROVIDER;

/// Bytes of a model's name that is remembered.
const LONGEST_NAME: usize = 256;

/// The header by which a request chooses among the targets of its model, where it may.
pub const TARGET_HEADER: &str = weir_types::headers::TARGET;

/// Where a request can go, with everything that an attempt needs.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of the operator's own")]
pub struct Target {
    /// Provider and model, by which its health is known; a label.
    pub id: Arc<str>,
    /// The provider's name, a label.
    pub label: Arc<str>,
    /// The provider as configured.
    pub provider: Arc<Provider>,
    /// The adapter that speaks to it.
    pub adapter: Arc<Adapter>,
    /// What that adapter accepts as it is.
    pub accepts: Arc<[Acceptance]>,
    /// How its provider tells its limits.
    pub limits: Arc<Spelling>,
    /// Where it is.
    pub base: Base,
    /// What proves who we are.
    pub credential: Option<Credential>,
    /// The number of the key in it.
    pub key: usize,
    /// The same target with the provider's other keys.
    pub spares: Vec<Arc<Target>>,
    /// The provider's name for the model; the client's own if none.
    pub model: Option<String>,
    /// Where the provider's name is what the alias's star stands for: the alias up to there.
    pub before_star: Option<Arc<str>>,
    /// The format to translate to, where the adapter has several.
    pub format: Option<String>,
    /// Whether even what could be relayed is translated.
    pub translate: bool,
    /// Whether a request is refused where its translation would lose something.
    pub strict: bool,
    /// How usage is learnt in the relay lane.
    pub metering: Metering,
    /// Whether its server takes the question for usage; shared by all keys.
    pub question: Arc<Question>,
    /// The options, as contexts carry them.
    pub options: Vec<Setting>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// What its model can do, as far as that is known.
    pub capabilities: Capabilities,
    /// What its model costs, if that is known.
    pub price: Option<Price>,
    /// Its share where the strategy goes by weights.
    pub weight: u32,
    /// Repetitions.
    pub retry: Retry,
    /// Whether a request that failed here may go elsewhere.
    pub enable_fallback: bool,
    /// Whether a stream that breaks is gone on with elsewhere.
    pub resume: bool,
}

impl Target {
    /// What its health is asked by.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            target: &self.id,
            pattern: None,
            provider: &self.label,
            key: self.key,
            settings: self.provider.breaker,
        }
    }

    /// By which its health is known to a request for this model: for a pattern's target that is the model's own, so that
    /// one of its models that is broken closes none of the others.
    pub fn health_id(&self, asked: &str) -> Arc<str> {
        let model = self.model(asked);
        if self.model.is_some() || model.len() > LONGEST_NAME {
            return Arc::clone(&self.id);
        }
        Arc::from(format!("{}/{model}", self.label))
    }

    /// It, as the one that made something.
    pub fn issuer(&self) -> Issuer {
        Issuer { target: Arc::clone(&self.id), provider: Arc::clone(&self.label), key: self.key }
    }

    /// Whether it can be asked which models it has.
    pub fn can_list(&self) -> bool {
        self.adapter.has(Interface::ProviderModels)
    }

    /// Whether it can be asked how its provider is, where the configuration wants that.
    pub fn can_be_checked(&self) -> bool {
        let chats = self.provider.check.as_ref().is_some_and(|check| check.model.is_some());
        if chats { self.adapter.has(Interface::ProviderChat) } else { self.can_list() }
    }

    /// The provider's name for the model, as labels have it.
    pub fn model_label(&self) -> &str {
        self.model.as_deref().unwrap_or("*")
    }

    /// What the model costs that a request for this name goes to, as far as that is known.
    pub fn price_of(&self, asked: &str) -> Option<Price> {
        // Of a pattern the bundled file knows the models, and not the pattern.
        self.price.or_else(|| facts::of(&self.adapter.name, self.model(asked)).price)
    }

    /// What the model can do that a request for this name goes to: by the operator's word, else by the bundled file.
    pub fn capabilities_of(&self, asked: &str) -> Capabilities {
        // Of a pattern the bundled file knows the models, and not the pattern.
        let of_model = || facts::of(&self.adapter.name, self.model(asked)).capabilities;
        if self.model.is_some() { self.capabilities } else { facts::over(self.capabilities, of_model()) }
    }

    /// The model as this provider names it.
    pub fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        let bare = || asked.strip_prefix(self.before_star.as_deref().unwrap_or_default()).unwrap_or(asked);
        self.model.as_deref().unwrap_or_else(bare)
    }

    /// How it takes a format for an operation as it is, if it does.
    pub fn accepts(&self, format: &str, operation: &Operation) -> Option<&Acceptance> {
        let mut able = self.able(operation);
        able.find(|one| one.format == format)
    }

    /// The acceptances of an operation for which this target sets what they need.
    fn able(&self, operation: &Operation) -> impl Iterator<Item = &Acceptance> + Clone {
        let open = |one: &&Acceptance| one.operation == *operation && one.is_open(|name| self.option(name));
        self.accepts.iter().filter(open)
    }

    /// The format to translate a client's request to: the configured one, the client's own where this adapter has it,
    /// the preferred one, the first.
    pub fn format_for<'a>(&'a self, client: &'a str, operation: &Operation) -> &'a str {
        format_for(self.format.as_deref(), client, &self.adapter.manifest, self.able(operation))
    }

    /// Takes this provider's keys out of a text: some providers repeat the key that they refuse.
    pub fn hide_keys(&self, text: &mut String) {
        self.provider.keys.iter().for_each(|key| key.hide_in(text));
        self.credential.iter().for_each(|credential| credential.hide_in(text));
    }

    /// An option as plain text: a string's own, a list's strings with commas, any other value's JSON.
    pub fn option(&self, name: &str) -> Option<String> {
        crate::accept::option(&self.options, name)
    }
}

/// A target with each of its keys.
pub fn keys(target: &Arc<Target>) -> impl Iterator<Item = &Arc<Target>> {
    iter::once(target).chain(&target.spares)
}

/// The format to translate a client's request to; `able` are the acceptances of its operation.
pub fn format_for<'a>(
    configured: Option<&'a str>,
    client: &'a str,
    manifest: &'a Manifest,
    mut able: impl Iterator<Item = &'a Acceptance> + Clone,
) -> &'a str {
    if let Some(format) = configured {
        return format;
    }
    if manifest.formats.iter().any(|format| format.id == client) {
        return client;
    }
    let chosen = able.clone().find(|one| one.preferred).or_else(|| able.next());
    let first = || manifest.formats.first().map(|format| format.id.as_str());
    chosen.map(|one| one.format.as_str()).or_else(first).unwrap_or(client)
}

/// Metrics by the face's index, and the client's name: empty for the anonymous one.
type SeriesByClient = HashMap<usize, Vec<(Arc<str>, Arc<Series>)>>;

/// One model of the configuration, ready to be served.
#[derive(Debug)]
pub struct Route {
    /// The alias: a label.
    pub alias: String,
    /// Its targets, or why one cannot be served.
    pub targets: Vec<Result<Arc<Target>, String>>,
    /// How one of them is chosen.
    pub strategy: Strategy,
    /// Aliases that are tried when every target failed.
    pub fallbacks: Vec<String>,
    /// Whether a request whose content was filtered may go to another target.
    pub fallback_when_filtered: bool,
    /// Whether embeddings may be another model's.
    pub fallback_embeddings: bool,
    /// Whether a request is refused, wherever it goes, where its translation would lose something.
    pub strict: bool,
    /// What keeps requests at one target.
    pub affinity: Affinity,
    /// After how long without an answer the next target is asked too.
    pub hedge: Option<Duration>,
    /// The first target's name for the model, whether that target can be served or not.
    first: Option<String>,
    turn: AtomicUsize,
    key: AtomicUsize,
    budget: Mutex<Budget>,
    series: RwLock<SeriesByClient>,
}

impl Route {
    /// A model's route with these targets; `strict` is the server's word, where the model has none.
    pub fn new(model: &Model, strict: bool, targets: Vec<Result<Arc<Target>, String>>) -> Self {
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

    /// The first target's name for the model that is asked for.
    pub fn first_model<'a>(&'a self, asked: &'a str) -> &'a str {
        match self.targets.first() {
            Some(Ok(target)) => target.model(asked),
            _ => self.first.as_deref().filter(|name| *name != "*").unwrap_or(asked),
        }
    }

    /// Whether it matters here what a request asks for: there is a choice, or something is known to be lacking.
    pub fn chooses_by_abilities(&self) -> bool {
        let mut able = self.targets.iter().flatten().map(|target| &target.capabilities);
        let has_choice = self.has_choice();
        able.any(|able| has_choice && *able != Capabilities::default() || able.lacks_something())
    }

    /// Whether a request may go to more than one target.
    pub fn has_choice(&self) -> bool {
        self.targets.len() > 1 || !self.fallbacks.is_empty()
    }

    /// Whether what is made for one request may mean nothing to who gets the next: there are several targets, or several
    /// keys, which may be several accounts.
    pub fn has_accounts(&self) -> bool {
        self.has_choice() || self.targets.iter().flatten().any(|target| !target.spares.is_empty())
    }

    /// How many requests have had their turn.
    pub fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    /// Counts the requests.
    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts the attempts with one of several keys.
    pub fn next_key(&self) -> usize {
        self.key.fetch_add(1, Ordering::Relaxed)
    }

    /// A request came: it adds to what may be repeated.
    pub fn deposit(&self, share: f64) {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).deposit(share);
    }

    /// Takes a repetition out of the budget, if there is one.
    pub fn take_repetition(&self, now: Instant) -> bool {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }

    /// The metrics of this route for a face and a client of the configuration, which are made once.
    pub fn series(&self, metrics: &Metrics, face: &Face, client: Option<&Arc<str>>) -> Arc<Series> {
        let client: &str = client.map_or("", |name| name);
        let find = |all: &SeriesByClient| {
            let known = all.get(&face.index)?.iter().find(|(name, _)| **name == *client);
            known.map(|(_, series)| Arc::clone(series))
        };
        if let Some(series) = find(&self.series.read().unwrap_or_else(PoisonError::into_inner)) {
            return series;
        }
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        find(&all).unwrap_or_else(|| {
            let provider = self.targets.iter().flatten().next().map_or("none", |target| &*target.label);
            let operation = face.claim.operation.name();
            let labels = Labels { dialect: face.format(), route: &self.alias, operation, provider, client };
            let series = Arc::new(metrics.series(labels));
            all.entry(face.index).or_default().push((Arc::from(client), Arc::clone(&series)));
            series
        })
    }
}

/// All routes.
#[derive(Debug, Default)]
pub struct Routes {
    aliases: Aliases,
    /// By the model's address, which `aliases` keeps alive.
    by_model: HashMap<usize, Arc<Route>>,
}

impl Routes {
    /// The routes of these models; `route` makes each.
    pub fn new(aliases: Aliases, route: impl Fn(&Model) -> Route) -> Self {
        let by_model = aliases.iter().map(|model| (address(model), Arc::new(route(model)))).collect();
        Self { aliases, by_model }
    }

    /// The route that a model's name leads to.
    pub fn find(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_model.get(&address(self.aliases.lookup(name)?))
    }

    /// Every route, in the configuration's order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Model>, &Arc<Route>)> {
        self.aliases.iter().filter_map(|model| Some((model, self.by_model.get(&address(model))?)))
    }
}

fn address(model: &Arc<Model>) -> usize {
    Arc::as_ptr(model).addr()
}
