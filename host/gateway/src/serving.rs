//! Everything that requests are served from, derived from the configuration and the adapters and rebuilt as a whole
//! when either changes. A request keeps the state that it began with.

mod credential;
mod faces;
mod mistakes;
mod objects;
mod operations;
mod options;
mod passages;
mod targets;
mod url_template;
mod urls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::accept::{Acceptance, read_headers};
use crate::auth::{Caller, StoredKeys};
use crate::dialect::limits::Spelling;
use crate::dialect::own_parts::OwnParts;
use crate::dialect::request_peek::PeekPlan;
use crate::guard::Guards;
use crate::observe::metrics::Metrics;
use crate::passthrough::Passages;
use crate::pricing::Prices;
use crate::route::{Routes, Target};
use weir_adapters::catalog::Snapshot;
use weir_config::{Config, Problem};
use weir_ledger::PriceFile;
use weir_sandbox::Adapter;
use weir_translate::dialect::endpoints::{Endpoints, FaceError, FaceOwner, LeftOut};
use weir_upstream::HeaderRules;

use faces::PreparedFace;
pub use mistakes::certain_mistakes;
pub(crate) use objects::reads_content;
pub use objects::{CreatedObject, Stored};
pub(crate) use options::given_option_mistakes;
pub use options::option_mistakes;

/// The state that requests are served from.
#[derive(Debug)]
pub struct Serving {
    /// The configuration, completed with adapters' suggestions.
    pub config: Arc<Config>,
    /// The loaded adapters.
    pub adapters: Arc<Snapshot>,
    /// The table of faces.
    pub endpoints: Endpoints,
    /// The routes of all models.
    pub routes: Routes,
    /// The providers whose own endpoints are passed through.
    pub(crate) passages: Passages,
    /// What judges requests.
    pub guards: Guards,
    /// What models cost.
    pub prices: Prices,
    /// What was prepared for each face, by its index.
    faces: Vec<PreparedFace>,
    /// How the paths end whose requests begin work on stored objects.
    work_paths: Vec<objects::PathEnd>,
    /// Where parts of one format name objects in the unified model, once a program or a client of gRPC uses such parts.
    own_parts: OnceLock<OwnParts>,
    /// Whether the configuration has clients that must be kept apart.
    separates: bool,
    /// Problems of the configuration that can only be found with the adapters.
    pub problems: Vec<Problem>,
}

impl Serving {
    /// Derives the state. A target that cannot be served is left out, and `problems` has the reason.
    pub fn derive(config: &Config, adapters: Arc<Snapshot>) -> Result<Self, FaceError> {
        Self::derive_priced(config, adapters, None)
    }

    /// Derives the served state with prices of the store.
    pub fn derive_priced(
        config: &Config,
        adapters: Arc<Snapshot>,
        stored: Option<&PriceFile>,
    ) -> Result<Self, FaceError> {
        let endpoints = Endpoints::new(adapters.adapters.values().map(|adapter| face_owner(config, adapter)))?;
        warn_of_left_out(endpoints.left_out());
        let mut problems = targets::undiscovered(config, &adapters);
        let known = compile(config, &adapters, &endpoints);
        let config = Arc::new(completed(config, &adapters));
        let prices = Prices::new(&config, stored, &mut problems);
        let routes = targets::routes(&config, &adapters, &known, &prices, &mut problems);
        targets::unchecked(&routes, &mut problems);
        let passages = passages::passages(&config, &adapters, &known, &prices, &endpoints, &mut problems);
        // Only acceptances in use, since every excluded member costs each request a comparison.
        let used = |adapter: &str| {
            let mut targets = routes.iter().flat_map(|(_, route)| route.targets.iter().flatten());
            targets.any(|target| *target.adapter.name == *adapter)
        };
        let used: Vec<_> = known.iter().filter(|(adapter, _)| used(adapter)).map(|(_, known)| &known.accepts).collect();
        // Features are only read if a route's choice depends on them.
        let chooses = routes.iter().any(|(_, route)| route.chooses_by_abilities());
        let accepts = || used.iter().flat_map(|accepts| accepts.iter());
        let faces = faces::prepare(&endpoints, &routes, |endpoint| PeekPlan::new(endpoint, accepts(), chooses));
        let work_paths = faces::ends_of_work_paths(&endpoints, &faces);
        let guards = Guards::new(&config, &adapters, &mut problems);
        operations::unknown(&config, &endpoints, &mut problems);
        problems.extend(option_mistakes(&config, &adapters));
        let separates = has_several(&config);
        Ok(Self {
            config,
            adapters,
            endpoints,
            routes,
            passages,
            guards,
            prices,
            faces,
            work_paths,
            own_parts: OnceLock::new(),
            separates,
            problems,
        })
    }

    /// Where parts of one format name objects in the unified model.
    pub(crate) fn own_parts(&self) -> &OwnParts {
        self.own_parts.get_or_init(|| OwnParts::of(&self.endpoints))
    }

    /// Whether clients must be kept apart.
    pub(crate) fn separates(&self, keys: &StoredKeys) -> bool {
        self.separates || keys.is_keyed()
    }

    /// The targets that can be served. A target that several models share occurs several times.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.routes.iter().flat_map(|(_, route)| route.targets.iter().flatten())
    }

    /// Begins the counts that are expected of these targets with 0: answers without a known price.
    pub(crate) fn begin_counts(&self, metrics: &Metrics) {
        for (_, route) in self.routes.iter() {
            let unpriced = |target: &&Arc<Target>| !target.pricing.knows(target.model(&route.alias));
            for target in route.targets.iter().flatten().filter(unpriced) {
                metrics.may_be_unpriced(&route.alias, &target.label);
            }
        }
    }

    /// The names of models that a caller may use, as far as they are not patterns: its own aliases too.
    pub(crate) fn model_names<'s>(&'s self, caller: &'s Caller) -> impl Iterator<Item = &'s str> {
        let named = self.routes.iter().filter_map(|(model, _)| model.alias.exact());
        let own = caller.stored.as_ref().into_iter().flat_map(|stored| stored.aliases());
        named.chain(own).filter(|name| caller.may_use(name))
    }

    /// The adapter with this name.
    pub fn adapter(&self, name: &str) -> Option<&Arc<Adapter>> {
        self.adapters.adapters.get(name)
    }
}

/// An adapter for the table of faces. The operator knows adapters that the lock file pins or the configuration names.
pub fn face_owner<'a>(config: &Config, adapter: &'a Adapter) -> FaceOwner<'a> {
    let is_known = adapter.trusted || config.names_adapter(&adapter.name);
    FaceOwner { name: &adapter.name, manifest: &adapter.manifest, is_known }
}

/// Whether clients must be kept apart: one must not access another's objects.
fn has_several(config: &Config) -> bool {
    let several = config.clients.iter().count() + usize::from(config.server.anonymous) > 1;
    !config.clients.is_empty() && (several || config.clients.iter().any(|client| client.is_restricted()))
}

/// The compiled manifests, by adapter.
type Compiled = BTreeMap<Arc<str>, OfProvider>;

/// The compiled parts of an adapter's manifest that concern its provider.
#[derive(Debug)]
struct OfProvider {
    accepts: Arc<[Acceptance]>,
    read_headers: Arc<HeaderRules>,
    limits: Arc<Spelling>,
}

fn compile(config: &Config, adapters: &Snapshot, endpoints: &Endpoints) -> Compiled {
    let named = config.server.key_headers.iter().map(String::as_str);
    let credentials: Vec<&str> = endpoints.credential_headers().chain(named).collect();
    let of_one = |adapter: &Adapter| {
        let compile = |claim| match Acceptance::compile(claim, &adapter.manifest, &credentials) {
            Ok(acceptance) => Some(acceptance),
            Err(error) => {
                tracing::error!(adapter = %adapter.name, %error, "an acceptance of the manifest is left out");
                None
            }
        };
        let accepts = adapter.manifest.accepts.iter().filter_map(compile).collect();
        let read_headers = Arc::new(read_headers(&adapter.manifest));
        OfProvider { accepts, read_headers, limits: Arc::new(limits(adapter, endpoints)) }
    };
    adapters.adapters.iter().map(|(name, adapter)| (Arc::clone(name), of_one(adapter))).collect()
}

/// How an adapter's provider may spell its rate-limit headers: by its own formats, or by other adapters' formats that
/// it accepts.
fn limits(adapter: &Adapter, endpoints: &Endpoints) -> Spelling {
    let formats = &adapter.manifest.formats;
    let own = formats.iter().filter_map(|format| format.errors.as_ref());
    let has_format = |format: &str| {
        formats.iter().any(|own| own.id == format) || adapter.manifest.accepts.iter().any(|one| one.format == format)
    };
    let others = endpoints
        .all()
        .iter()
        .filter(|endpoint| has_format(endpoint.format()))
        .filter_map(|endpoint| endpoint.errors.as_deref());
    Spelling::of(own.chain(others))
}

/// Completes the configuration with suggestions of trusted adapters: missing urls and, if nothing is configured, the
/// providers whose usual key variables are set.
fn completed(config: &Config, adapters: &Snapshot) -> Config {
    let mut config = config.clone();
    let environment = config.environment.clone();
    config.complete(|provider| {
        let suggested = adapters.adapters.get(provider.adapter.as_str()).filter(|adapter| adapter.trusted);
        if provider.address.is_none()
            && let Some(adapter) = suggested
        {
            provider.address = targets::suggested_address(adapter, provider, &environment);
        }
    });
    if config.discover {
        for adapter in adapters.adapters.values().filter(|adapter| adapter.trusted) {
            targets::discover(&mut config, adapter);
        }
    }
    config
}

/// Warns of paths that are left out, once for two adapters that both declare them.
fn warn_of_left_out(all: &[LeftOut]) {
    // A path may be declared several times, each under another condition.
    let mut of_two: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for LeftOut { adapter, method, path, other } in all {
        of_two.entry((adapter, other)).or_default().insert(format!("{method} {path}"));
    }
    for ((adapter, other), paths) in of_two {
        let paths: Vec<String> = paths.into_iter().collect();
        let (are, them) = if paths.len() == 1 { ("is", "it") } else { ("are", "them") };
        let reason = "and this adapter is neither pinned nor configured";
        tracing::warn!(adapter, "{} {are} left out: `{other}` serves {them}, {reason}", paths.join(", "));
    }
}
