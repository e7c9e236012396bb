//! Everything that requests are served from, derived from the configuration and the adapters, made anew as a whole when
//! either changes. A request keeps the one that it began with.

mod credential;
mod holes;
mod objects;
mod operations;
mod targets;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accept::Acceptance;
use crate::dialect::limits::Spelling;
use crate::dialect::reading::ReadingPlan;
use crate::route::{Routes, Target};
use weir_adapters::catalog::Snapshot;
use weir_config::{Config, Problem};
use weir_sandbox::Adapter;
use weir_translate::dialect::faces::{ClaimError, Faces, Speaker};

pub use objects::Belongings;

/// What requests are served from.
#[derive(Debug)]
pub struct Serving {
    /// The configuration, completed with what adapters suggest.
    pub config: Arc<Config>,
    /// The adapters.
    pub adapters: Arc<Snapshot>,
    /// What clients may speak.
    pub faces: Faces,
    /// How each face's requests are peeked at, by its index.
    pub readings: Vec<Arc<ReadingPlan>>,
    /// Where requests go.
    pub routes: Routes,
    /// By the face's index.
    makes: Vec<objects::Makes>,
    /// By the face's index; empty where there is but one client, who may have everything.
    belongings: Vec<Belongings>,
    /// What is wrong with the configuration, as far as only adapters can tell.
    pub problems: Vec<Problem>,
}

impl Serving {
    /// Derives it all. What cannot be served is left out and told in `problems`.
    pub fn derive(config: &Config, adapters: Arc<Snapshot>) -> Result<Self, ClaimError> {
        let faces = Faces::new(adapters.adapters.values().map(|adapter| speaker(config, adapter)))?;
        for left_out in faces.left_out() {
            tracing::warn!(adapter = %left_out.adapter, "{left_out}");
        }
        let mut problems = Vec::new();
        let known = compile(config, &adapters, &faces);
        let config = Arc::new(completed(config, &adapters));
        let routes = targets::routes(&config, &adapters, &known, &mut problems);
        targets::unchecked(&routes, &mut problems);
        // Only what targets use: every member that some provider does not take costs each request a look.
        let used = |adapter: &str| {
            let mut targets = routes.iter().flat_map(|(_, route)| route.targets.iter().flatten());
            targets.any(|target| *target.adapter.name == *adapter)
        };
        let used: Vec<_> = known.iter().filter(|(adapter, _)| used(adapter)).map(|(_, known)| &known.accepts).collect();
        // Nor is it asked what a request wants where that decides nothing.
        let chooses = routes.iter().any(|(_, route)| route.chooses_by_abilities());
        let accepts = || used.iter().flat_map(|accepts| accepts.iter());
        let reading = |face| Arc::new(ReadingPlan::new(face, accepts(), chooses));
        let readings = faces.all().iter().map(|face| reading(face)).collect();
        let makes = objects::makes(&faces, &routes);
        operations::unknown(&config, &faces, &mut problems);
        let belongings = if has_several(&config) { objects::belongings(&faces) } else { Vec::new() };
        Ok(Self { config, adapters, faces, readings, routes, makes, belongings, problems })
    }

    /// Whether the answers of a face name objects that somebody may ask for later, and that are in one of several places.
    pub fn makes_objects(&self, face: usize, may_differ: bool) -> bool {
        match self.makes.get(face) {
            Some(objects::Makes::Always) => true,
            Some(objects::Makes::WithChoice) => may_differ,
            Some(objects::Makes::Nothing) | None => false,
        }
    }

    /// What the answers of a face make that belongs to the client who asked; none where clients need not be kept apart.
    pub fn belongings(&self, face: usize) -> Option<Belongings> {
        self.belongings.get(face).copied()
    }

    /// The targets that can be served. One that several models share comes several times.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.routes.iter().flat_map(|(_, route)| route.targets.iter().flatten())
    }

    /// The adapter of this name.
    pub fn adapter(&self, name: &str) -> Option<&Arc<Adapter>> {
        self.adapters.adapters.get(name)
    }
}

/// An adapter as it claims its faces: the operator knows what the lock file pins and what the configuration names.
pub fn speaker<'a>(config: &Config, adapter: &'a Adapter) -> Speaker<'a> {
    let is_known = adapter.trusted || config.names_adapter(&adapter.name);
    Speaker { name: &adapter.name, manifest: &adapter.manifest, is_known }
}

/// Whether one client must not have what another made.
fn has_several(config: &Config) -> bool {
    let several = config.clients.iter().count() + usize::from(config.server.anonymous) > 1;
    !config.clients.is_empty() && (several || config.clients.iter().any(|client| client.is_restricted()))
}

/// What manifests say of providers, compiled; by adapter.
type Compiled = BTreeMap<Arc<str>, OfProvider>;

/// What an adapter's manifest says of its provider.
#[derive(Debug)]
struct OfProvider {
    accepts: Arc<[Acceptance]>,
    limits: Arc<Spelling>,
}

fn compile(config: &Config, adapters: &Snapshot, faces: &Faces) -> Compiled {
    let named = config.server.key_headers.iter().map(String::as_str);
    let credentials: Vec<&str> = faces.credential_headers().chain(named).collect();
    let of_one = |adapter: &Adapter| {
        let compile = |claim| match Acceptance::compile(claim, &adapter.manifest, &credentials) {
            Ok(acceptance) => Some(acceptance),
            Err(error) => {
                tracing::error!(adapter = %adapter.name, %error, "an acceptance of the manifest is left out");
                None
            }
        };
        let accepts = adapter.manifest.accepts.iter().filter_map(compile).collect();
        OfProvider { accepts, limits: Arc::new(limits(adapter, faces)) }
    };
    adapters.adapters.iter().map(|(name, adapter)| (Arc::clone(name), of_one(adapter))).collect()
}

/// How an adapter's provider may spell its limits: as its own formats do, and as those of others do that it accepts.
fn limits(adapter: &Adapter, faces: &Faces) -> Spelling {
    let formats = &adapter.manifest.formats;
    let own = formats.iter().filter_map(|format| format.errors.as_ref());
    let speaks = |format: &str| {
        formats.iter().any(|own| own.id == format) || adapter.manifest.accepts.iter().any(|one| one.format == format)
    };
    let others = faces.all().iter().filter(|face| speaks(face.format())).filter_map(|face| face.errors.as_deref());
    Spelling::of(own.chain(others))
}

/// The configuration with what trusted adapters suggest: urls that are missing, and, where nothing is configured at all,
/// the providers whose usual key variables are set.
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
