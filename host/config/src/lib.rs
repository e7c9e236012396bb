//! Reads the file and the environment into a checked configuration.
//!
//! Text becomes a [`Config`] in three steps (`read`): `raw` parses TOML into a tree in which each value knows its
//! place, and `overrides` lays the environment over it; the declarations in `keys` read the tree and collect every
//! mistake; `resolve` joins the parts that refer to one another. No step stops at the first mistake; all are reported
//! together ([`Problems`]).

mod address;
mod alias;
mod change;
mod changed_keys;
mod client;
mod container;
mod environment;
mod key;
mod keys;
mod known_secrets;
mod mask;
mod model;
mod options;
mod overrides;
mod passthrough;
mod place;
mod problem;
mod provider;
mod raw;
mod read;
mod reference;
mod resolve;
pub mod secret;
mod secret_file;
mod section;
mod settings;
mod suggest;
mod units;
mod unknown_names;

use std::path::PathBuf;
use std::sync::Arc;

pub use address::{Address, AddressError, BaseUrl, Origin};
pub use alias::{Alias, Aliases};
pub use client::{Clients, KeyHash, Priority};
pub use environment::Environment;
pub use keys::{
    AdapterSettings, Admin, AdminLogin, BodiesRule, Breaker, CacheSettings, Canary, Capabilities, Check, ClaimRule,
    Client, DirectHost, Grants, Guard, GuardFailure, GuardGrants, GuardMode, GuardScope, GuardWebhook, Issuer,
    KeepBodies, Limits, Log, Media, MetricsSettings, Model, Outbound, Plugins, Price, Provider, Quarantine, Queue,
    Realtime, Retry, SemanticCache, Server, SharedSettings, Sink, StoreSettings, StoreUrl, Timeouts, TlsFiles, Traces,
};
pub use model::{Affinity, Strategy, Target};
pub use options::{OptionRules, Options};
pub use passthrough::{ClientPassRule, PassRule};
pub use place::{Place, Source};
pub use problem::{Problem, Problems, Severity};
pub use provider::{AllowedOrigin, CostPointer, Metering, ProviderPlaces};
pub use reference::reference;
pub use secret::Secret;
pub use secret_file::SecretFile;
pub use settings::{Buckets, Conventions, Isolation, LogFormat, LogLevel, SinkKind, SpanProtocol, WhenLost};
pub use suggest::near_names;
pub use units::size;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The revision: a digest of the text and of the overrides, as 16 hexadecimal digits.
    pub revision: String,
    /// A digest of everything that an answer may depend on: the same on nodes that differ only in such things as their
    /// listeners.
    pub answering: [u8; 32],
    /// The main listener.
    pub server: Server,
    /// The operations endpoints.
    pub admin: Admin,
    /// Fetching of media.
    pub media: Media,
    /// Sessions over WebSockets.
    pub realtime: Realtime,
    /// Export of spans; off if `None`.
    pub traces: Option<Traces>,
    /// What the page of metrics shows.
    pub metrics: MetricsSettings,
    /// The proxy on the way to providers; none if `None`.
    pub outbound: Option<Outbound>,
    /// What is kept, and where.
    pub store: StoreSettings,
    /// Through which server limits and budgets are shared with other nodes; not if `None`.
    pub shared: Option<SharedSettings>,
    /// Through which server kept answers are shared with other nodes; not if `None`.
    pub cache: Option<CacheSettings>,
    /// How the log is written.
    pub log: Log,
    /// Adapters.
    pub plugins: Plugins,
    /// The clients and their keys.
    pub clients: Clients,
    /// Whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// What may be spent, by whom.
    pub budgets: Vec<weir_ledger::Budget>,
    /// Where each of these stands.
    pub budget_places: Vec<Place>,
    /// What judges requests, in order.
    pub guards: Vec<Guard>,
    /// Where the facts of requests are sent.
    pub sinks: Vec<Sink>,
    /// Whose requests are logged with their content; the first rule that fits decides, then `store.bodies`.
    pub bodies: Vec<BodiesRule>,
    /// The operator's price file, laid over the bundled prices.
    pub price_file: Option<PathBuf>,
    /// Where it is named.
    pub price_place: Place,
    /// The providers in the file's order; providers made for a model's own url come after the named ones.
    pub providers: Vec<Arc<Provider>>,
    /// The models that clients may request. If there is a default provider, `*` leads to it.
    pub models: Aliases,
    /// The provider of models that no alias matches.
    pub default_provider: Option<String>,
    /// Whether the environment is searched for providers, because the file names neither providers nor models.
    pub discover: bool,
    /// The environment, for variables that only manifests name.
    pub environment: Environment,
    /// Warnings for the operator.
    pub warnings: Vec<Problem>,
    /// The file's folder, to which paths of recordings and secrets are relative.
    pub folder: PathBuf,
    /// The path of the file; `None` if there is no file to read again.
    pub path: Option<PathBuf>,
    /// The SHA-256 of the file's bytes.
    pub digest: [u8; 32],
    /// What each key at the top of the file held.
    pub(crate) key_digests: changed_keys::KeyDigests,
    /// The files that secrets were read from; one that several keys name is in it several times.
    pub secret_files: Vec<SecretFile>,
    /// The file as shown in messages.
    pub source: Arc<Source>,
}

impl Config {
    /// Whether an adapter of this name is configured: a provider uses it, or it has its own settings.
    pub fn names_adapter(&self, name: &str) -> bool {
        self.plugins.adapters.contains_key(name)
            || self.providers.iter().any(|provider| provider.adapter == name)
            || self.guards.iter().any(|guard| guard.plugin() == name)
    }

    /// Combines mistakes that later checks found with the file to show them in.
    pub fn problems(&self, list: Vec<Problem>) -> Problems {
        Problems::new(Arc::clone(&self.source), list)
    }

    /// Where the budget of this name stands, for people: `weir.toml:12`.
    pub fn place_of_budget(&self, name: &str) -> Option<String> {
        let at = self.budgets.iter().position(|budget| &*budget.name == name)?;
        Some(self.shown_place(self.budget_places.get(at).unwrap_or(&Place::Unset)))
    }

    /// A place for people: the file and the line, or the variable.
    pub fn shown_place(&self, place: &Place) -> String {
        let file = if self.source.name().is_empty() { "the configuration" } else { self.source.name() };
        match place {
            Place::File(range) => format!("{file}:{}", self.source.position(range.start).0),
            Place::Variable(name) => format!("the variable {name}"),
            Place::Unset => file.to_owned(),
        }
    }

    /// A provider by name.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// Fills in values that the file leaves to adapters, such as a provider's url: `fill` is called once for each
    /// provider.
    pub fn complete(&mut self, mut fill: impl FnMut(&mut Provider)) {
        let mut models: Vec<Model> = self.models.iter().map(|model| Model::clone(model)).collect();
        for provider in &mut self.providers {
            let mut filled = Provider::clone(provider);
            fill(&mut filled);
            let filled = Arc::new(filled);
            let targets = models.iter_mut().flat_map(|model| &mut model.targets);
            for target in targets.filter(|target| Arc::ptr_eq(&target.provider, provider)) {
                target.provider = Arc::clone(&filled);
            }
            *provider = filled;
        }
        self.models = Aliases::new(models.into_iter().map(Arc::new).collect());
    }

    /// Adds a provider that was found in the environment, with the names of models that it serves (globs). Names that
    /// exist already keep their targets.
    pub fn add_discovered(&mut self, provider: Provider, models: &[String]) {
        let provider = Arc::new(provider);
        let mut all: Vec<Arc<Model>> = self.models.iter().cloned().collect();
        let mut aliases: Vec<Alias> = models.iter().map(|name| Alias::parse(name)).collect();
        if self.default_provider.as_deref() == Some(provider.name.as_str()) {
            aliases.push(Alias::Any);
        }
        for alias in aliases {
            if !all.iter().any(|model| model.alias == alias) {
                all.push(Arc::new(resolve::served_by(&provider, alias)));
            }
        }
        self.models = Aliases::new(all);
        self.providers.push(provider);
    }
}

#[cfg(test)]
mod tests;
