//! Reads the file and the environment into a checked configuration.
//!
//! Text becomes a [`Config`] in three steps: `raw` parses TOML into a tree in which each value knows its place, and
//! `overrides` lays the environment over it; the declarations in `keys` read the tree and collect every mistake;
//! `resolve` joins the parts that refer to one another. No step stops at the first mistake; all are reported together
//! ([`Problems`]).

mod address;
mod alias;
mod change;
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
mod reference;
mod references;
mod resolve;
pub mod secret;
mod secret_file;
mod section;
mod settings;
mod suggest;
mod units;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use address::{Address, AddressError, BaseUrl, Origin};
pub use alias::{Alias, Aliases};
pub use client::{Clients, KeyHash, Priority};
pub use environment::Environment;
pub use keys::{
    AdapterSettings, Admin, AdminLogin, BodiesRule, Breaker, CacheSettings, Canary, Capabilities, Check, ClaimRule,
    Client, Grants, Guard, GuardFailure, GuardGrants, GuardMode, GuardScope, GuardWebhook, Issuer, KeepBodies, Limits,
    Log, Media, MetricsSettings, Model, Plugins, Price, Provider, Quarantine, Queue, Realtime, Retry, SemanticCache,
    Server, SharedSettings, Sink, StoreSettings, StoreUrl, Timeouts, TlsFiles, Traces,
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
pub use units::size;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The revision: a digest of the text and of the overrides, as 16 hexadecimal digits.
    pub revision: String,
    /// A digest of everything that an answer may depend on: the same on nodes that differ in their listeners and the like only.
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
    /// The files that secrets were read from; one that several keys name is in it several times.
    pub secret_files: Vec<SecretFile>,
    /// The file as shown in messages.
    pub source: Arc<Source>,
}

/// The largest file that is read: room for some 35,000 clients with limits. A file is read whole at each change, with a place
/// for each of its values, so that many keys belong into the store, which loads a million in seconds.
const MAX_FILE: u64 = 8 << 20;

/// What may differ between nodes that give the same answers.
const OF_ONE_NODE: &[&str] = &[
    "admin",
    "bodies",
    "cache",
    "log_buffer",
    "log_format",
    "log_level",
    "metrics",
    "plugins.cache_dir",
    "plugins.dir",
    "plugins.lock",
    "plugins.prewarm",
    "server.cache_bytes",
    "server.host",
    "server.port",
    "server.semantic_cache_bytes",
    "server.semantic_cache_questions",
    "server.tls",
    "server.workers",
    "shared",
    "sinks",
    "store",
    "traces",
];

/// What is wrong with `admin.read_token` alone.
const READ_TOKEN_ALONE: &str =
    "`admin.read_token` is set without `admin.token`, so that nothing could be changed over the network";

/// The fewest bytes of `realtime.sealing_key`.
const MIN_SEALING_KEY: usize = 32;
const SHORT_SEALING_KEY: &str = "`realtime.sealing_key` needs at least 32 random characters";

/// Secrets of the program's own that make no sense: one without the other, or one that can be guessed.
fn secret_problems(admin: &Admin, realtime: &Realtime) -> Vec<Problem> {
    let mut problems = Vec::new();
    if admin.read_token.is_some() && admin.token.is_none() {
        problems.push(Problem::error(&Place::Unset, READ_TOKEN_ALONE).with_help("set `admin.token` too"));
    }
    if realtime.sealing_key.as_ref().is_some_and(|key| key.expose().len() < MIN_SEALING_KEY) {
        problems.push(Problem::error(&Place::Unset, SHORT_SEALING_KEY).with_help("`openssl rand -hex 32` makes one"));
    }
    problems
}

impl Config {
    /// Reads a file and lays the environment over it.
    pub fn load(path: &Path, environment: Environment) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let text = text_of(path).map_err(|message| {
            let source = Source::new(name.clone(), String::new());
            Problems::new(Arc::new(source), vec![Problem::error(&Place::Unset, message)])
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = Self::parse(&name, &text, folder, environment)?;
        Ok(Self { path: Some(path.to_owned()), ..config })
    }

    /// Whether an adapter of this name is configured: a provider uses it, or it has its own settings.
    pub fn names_adapter(&self, name: &str) -> bool {
        self.plugins.adapters.contains_key(name)
            || self.providers.iter().any(|provider| provider.adapter == name)
            || self.guards.iter().any(|guard| guard.plugin() == name)
    }

    /// The configuration from the environment alone: well-known providers are to be discovered.
    pub fn without_file(environment: Environment) -> Result<Self, Problems> {
        Self::parse("", "", Path::new(""), environment)
    }

    /// Parses text as a file of this name in this folder.
    pub fn parse(name: &str, text: &str, folder: &Path, environment: Environment) -> Result<Self, Problems> {
        let source = Arc::new(Source::new(name, mask::mask(text)));
        let (mut root, mut problems) = raw::parse(text);
        let incomplete = !problems.is_empty();
        let (strange, unnamed_keys) = overrides::apply(&mut root, &environment);
        problems.extend(strange);
        let reader = section::Reader::new(folder, &environment, keys::ALL, incomplete, problems);
        let (log, mut draft) = keys::read(&reader, root);
        if let Some(limit) = environment.memory_limit() {
            container::fit(&mut draft.server, &mut draft.store, limit);
        }
        let plugins = draft.plugins.unwrap_or_else(|| Plugins::usual(&reader));
        let parts = resolve::Parts {
            source: &source,
            providers: draft.providers,
            models: draft.models,
            clients: draft.clients,
            default_provider: draft.default_provider,
            unnamed_keys,
        };
        let joined = resolve::join(&reader, parts);
        let budgets = keys::checked_budgets(&reader, draft.budgets, |name| joined.models.has_exactly(name));
        let guards = keys::checked_guards(&reader, draft.guards);
        let known = references::KnownNames::new(&joined, &draft.store, &draft.issuers);
        known.warn(&reader, &budgets, &guards, &draft.bodies);
        let (budgets, budget_places) = budgets.into_iter().unzip();
        let sinks = keys::checked_sinks(&reader, draft.sinks);
        let (price_file, price_place) = draft.price_file.map(|file| (file.value, file.place)).unzip();
        if joined.clients.is_empty() && draft.issuers.is_empty() && draft.server.is_open() && !draft.server.anonymous {
            warn_that_only_this_machine_is_served(&reader, &draft.server);
        }
        reader.problems.borrow_mut().extend(secret_problems(&draft.admin, &draft.realtime));
        let (secret_files, problems) = reader.found(&source);
        if problems.are_fatal() {
            return Err(problems.with_secret_files(secret_files));
        }
        Ok(Self {
            revision: revision(text, &environment),
            answering: answering(text, &environment),
            server: draft.server,
            admin: draft.admin,
            media: draft.media,
            realtime: draft.realtime,
            traces: draft.traces,
            metrics: draft.metrics,
            store: draft.store,
            shared: draft.shared,
            cache: draft.cache,
            log,
            plugins,
            clients: joined.clients,
            issuers: draft.issuers,
            budgets,
            budget_places,
            guards,
            sinks,
            bodies: draft.bodies,
            price_file,
            price_place: price_place.unwrap_or(Place::Unset),
            providers: joined.providers,
            models: joined.models,
            default_provider: joined.default_provider,
            discover: joined.discover,
            environment,
            warnings: problems.iter().cloned().collect(),
            folder: folder.to_owned(),
            path: None,
            digest: Sha256::digest(text).into(),
            secret_files,
            source,
        })
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

fn text_of(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot read the configuration: {error}");
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        let most = MAX_FILE >> 20;
        return Err(format!(
            "the configuration is larger than {most} MiB: keep keys and teams in the store (`weir keys create`), where a \
             million have room"
        ));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("the configuration is not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
}

/// Only this machine would be served, although others reach the listener.
fn warn_that_only_this_machine_is_served(reader: &section::Reader<'_>, server: &Server) {
    let message =
        "others reach this address, but without `[[clients]]` or keys in the store only this machine is served";
    let problem = Problem::warning(&server.place, message);
    let help = "`weir client-key` makes a key for `[[clients]]`, `weir keys create` one in the store, after which this \
    warning can be ignored; `anonymous = true` would serve all";
    reader.report(problem.with_help(help));
}

/// Keys and tokens are left out, because a revision is visible.
fn revision(text: &str, environment: &Environment) -> String {
    let mut digest = Sha256::new();
    digest.update(mask::mask(text));
    for (name, value) in environment.with_prefix("WEIR_") {
        if !name.contains("KEY") && !name.contains("TOKEN") {
            digest.update(format!("\0{name}={value}"));
        }
    }
    let digest: [u8; 32] = digest.finalize().into();
    let start = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{start:016x}")
}

/// Keys and tokens are left out, as in a revision.
fn answering(text: &str, environment: &Environment) -> [u8; 32] {
    let (mut root, _) = raw::parse(&mask::mask(text));
    let is_plain = |name: &str| !name.contains("KEY") && !name.contains("TOKEN");
    let plain = environment.with_prefix("WEIR_").filter(|(name, _)| is_plain(name));
    let plain: Environment = plain.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // What is wrong with it is reported where it is read.
    let _problems = overrides::apply(&mut root, &plain);
    raw::digest(&root, OF_ONE_NODE)
}

#[cfg(test)]
mod tests;
