//! Replaces the configuration while requests are served: a new one is parsed and checked as a whole, and then either
//! swapped in one step or refused, with the last good one still serving. Exchanges in flight keep the configuration
//! that they began with, so streams continue and removed models drain.
//!
//! Former configurations are kept for a while, for comparison and rollback.

mod at_next_start;
mod audit;
mod exposure;
mod file;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use at_next_start::at_next_start;
use audit::ReloadAudit;
pub(crate) use audit::signal;
pub use exposure::Exposure;
pub use file::follow;

use crate::keys;
use weir_adapters::{Catalog, Granted};
use weir_config::{Config, Place, Problem, Problems, SecretFile, Severity, Source};
use weir_embed::granted;
use weir_gateway::gateway::Gateway;
use weir_gateway::serving::Serving;
use weir_identity::change::Actor;
use weir_ledger::PriceFile;
use weir_translate::dialect::endpoints::FaceError;

/// Number of kept configurations, including the one in force.
const KEPT: usize = 16;

/// How a configuration came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was loaded at the start.
    Start,
    /// It was loaded from the changed file.
    Reload,
    /// An operator rolled back to it.
    Rollback,
}

impl Origin {
    /// The name that operators see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Rollback => "rollback",
        }
    }
}

/// A configuration that is or was in force.
#[derive(Debug)]
pub struct Version {
    /// Number of the version, starting at 1.
    pub number: u64,
    /// When it came into force.
    pub since: SystemTime,
    /// How it came into force.
    pub origin: Origin,
    /// The configuration itself.
    pub config: Arc<Config>,
}

/// Why a configuration was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// There is no file to read.
    #[error("Weir was started without a configuration file: there is nothing to reload")]
    NoFile,
    /// What should be read is a pipe or something else that may be read once, or a folder.
    #[error("the configuration is no regular file any more, so that it cannot be read again")]
    NotAFile,
    /// It would let strangers in.
    #[error("{0}")]
    Exposure(#[from] Exposure),
    /// The configuration is invalid; the text has one line per problem.
    #[error("{0}")]
    Problems(String),
    /// No such version is kept.
    #[error("no configuration `{0}` is kept; GET /admin/config/versions lists those that are")]
    Unknown(String),
}

/// The result of applying a configuration.
#[derive(Debug, Clone)]
pub struct AppliedConfig {
    /// The version now in force.
    pub version: Arc<Version>,
    /// The one that it replaces.
    pub before: Arc<Version>,
    /// Changed settings that only take effect at the next start.
    pub at_next_start: Vec<&'static str>,
}

/// What became of the configuration file.
#[derive(Debug)]
struct Loaded {
    /// The digest of what was read, as far as it could be.
    digest: Option<[u8; 32]>,
    taken: Result<AppliedConfig, ReloadError>,
}

/// The configuration in force, and the means to replace it.
#[derive(Debug)]
pub struct Reload {
    gateway: Arc<Gateway>,
    catalog: Arc<Catalog>,
    granted: Arc<Granted>,
    /// The prices of the store, if there are any.
    prices: Mutex<Option<PriceFile>>,
    /// Held from before the file is read until it is applied, so that a caller who read an older file is not the last
    /// one.
    reloading: Mutex<()>,
    /// Held while a configuration is applied, so that changes are serialised.
    versions: Mutex<Versions>,
    /// The files of secrets that the last file named, if it was refused: one that appears may change that.
    refused_files: Mutex<Vec<SecretFile>>,
    /// Where what is taken and refused is recorded, if anything is kept.
    audit: OnceLock<ReloadAudit>,
}

#[derive(Debug)]
struct Versions {
    /// The configuration at the start.
    started: Arc<Config>,
    last_number: u64,
    /// The last one is in force.
    kept: VecDeque<Arc<Version>>,
}

impl Reload {
    /// Starts with the configuration that the gateway already serves.
    pub fn new(config: Config, gateway: Arc<Gateway>, catalog: Arc<Catalog>, granted: Arc<Granted>) -> Self {
        let config = Arc::new(config);
        let (since, started) = (SystemTime::now(), Arc::clone(&config));
        let first = Arc::new(Version { number: 1, since, origin: Origin::Start, config });
        let metrics = gateway.metrics();
        metrics.config_ok.set(1);
        metrics.config_revision.set(1);
        let versions = Versions { started, last_number: 1, kept: VecDeque::from([first]) };
        let (prices, reloading, refused_files) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (versions, audit) = (Mutex::new(versions), OnceLock::new());
        Self { gateway, catalog, granted, prices, reloading, versions, refused_files, audit }
    }

    /// The version in force.
    pub fn current(&self) -> Arc<Version> {
        self.lock().current()
    }

    /// The kept versions, newest first.
    pub fn versions(&self) -> Vec<Arc<Version>> {
        self.lock().kept.iter().rev().cloned().collect()
    }

    /// A kept version, by its number or revision.
    pub fn version(&self, name: &str) -> Option<Arc<Version>> {
        let versions = self.lock();
        let found = versions.kept.iter().rev();
        found.into_iter().find(|one| one.config.revision == name || one.number.to_string() == name).cloned()
    }

    /// Loads the file again and applies it, on request of this actor. Blocks.
    pub fn reload(&self, by: &Actor) -> Result<AppliedConfig, ReloadError> {
        let Loaded { digest, taken } = self.load_in_turn()?;
        // Not while others wait for their turn: a database may take its time.
        self.record(by, Origin::Reload, digest, &taken);
        taken
    }

    /// Loads the file and applies it; fails if there is no file.
    fn load_in_turn(&self) -> Result<Loaded, ReloadError> {
        let _turn = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current();
        let Some(path) = &current.config.path else { return Err(ReloadError::NoFile) };
        // A read of a pipe might never end.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Ok(Loaded { digest: None, taken: self.report(Err(ReloadError::NotAFile)) });
        }
        let read = Config::load(path, current.config.environment.clone());
        let files = read.as_ref().err().map_or_else(Vec::new, |problems| problems.secret_files().to_vec());
        *self.refused_files() = files;
        let digest = match &read {
            Ok(config) => Some(config.source.digest()),
            Err(problems) => Some(problems.source()).filter(|source| !source.text().is_empty()).map(Source::digest),
        };
        let taken = read.map_err(|problems| refused(&problems)).and_then(|config| {
            exposure::of(&current.config, &config, self.gateway.stored_keys().needs_keys())?;
            self.take(config, Origin::Reload)
        });
        Ok(Loaded { digest, taken: self.report(taken) })
    }

    /// Reports that the file cannot be read any more.
    fn lost_file(&self, path: &Path) {
        self.gateway.metrics().config_ok.set(0);
        tracing::error!(
            path = %path.display(),
            "the configuration file cannot be read any more; the configuration in force stays"
        );
    }

    /// The file is the one in force. Reports it if the file before was refused or could not be read.
    fn found_again(&self, path: &Path) {
        if self.gateway.metrics().config_ok.get() == 0 {
            self.gateway.metrics().config_ok.set(1);
            tracing::info!(path = %path.display(), "the configuration file is again the one in force");
        }
    }

    /// Rolls back to a kept version, by default the previous one, on request of this actor. Blocks.
    pub fn rollback(&self, to: Option<&str>, by: &Actor) -> Result<AppliedConfig, ReloadError> {
        let versions = self.versions();
        let current = versions.first().map(|version| version.config.revision.clone());
        let found = match to {
            Some(name) => self.version(name),
            None => versions.into_iter().find(|version| Some(&version.config.revision) != current.as_ref()),
        };
        let Some(found) = found else {
            return Err(ReloadError::Unknown(to.unwrap_or("before this one").to_owned()));
        };
        let taken = self.report(self.take(Config::clone(&found.config), Origin::Rollback));
        self.record(by, Origin::Rollback, Some(found.config.source.digest()), &taken);
        taken
    }

    /// Checks a configuration without applying it. Relative paths are resolved as for the one in force. Blocks.
    pub fn validate(&self, text: &str) -> Problems {
        let current = self.current();
        let Config { folder, environment, .. } = &*current.config;
        match Config::parse("configuration", text, folder, environment.clone()) {
            Err(problems) => problems,
            Ok(config) => {
                let mut problems = config.warnings.clone();
                problems.extend(keys::tokens_problem(&config));
                problems.extend(match self.derive(&config) {
                    Ok(serving) => serving.problems,
                    Err(error) => vec![Problem::error(&Place::Unset, error.to_string())],
                });
                config.problems(problems)
            }
        }
    }

    /// Derives the served state again from the same configuration, after a change of adapters. Blocks.
    pub(crate) fn adapters_changed(&self) {
        self.derive_anew(&self.lock());
    }

    /// Takes over the prices of the store. Requests in progress keep those that they began with. Blocks.
    pub(crate) fn take_prices(&self, prices: Option<PriceFile>) {
        let versions = self.lock();
        *self.prices.lock().unwrap_or_else(PoisonError::into_inner) = prices;
        self.derive_anew(&versions);
    }

    fn derive_anew(&self, versions: &Versions) {
        match self.derive(&versions.current().config) {
            Ok(serving) => self.gateway.replace(serving),
            Err(error) => tracing::error!(%error, "the adapters conflict with each other; the former ones serve on"),
        }
    }

    /// What a configuration serves with the adapters and the store's prices of now.
    fn derive(&self, config: &Config) -> Result<Serving, FaceError> {
        let prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Serving::derive_priced(config, self.catalog.snapshot(), prices.as_ref())
    }

    fn take(&self, config: Config, origin: Origin) -> Result<AppliedConfig, ReloadError> {
        let mut versions = self.lock();
        let serving = self.derive(&config).map_err(|error| ReloadError::Problems(error.to_string()))?;
        // The same issuers keep the keys that were fetched from them.
        let has_new_issuers = versions.current().config.issuers != config.issuers;
        let tokens = has_new_issuers.then(|| keys::tokens(&config)).transpose();
        let tokens = tokens.map_err(|error| ReloadError::Problems(error.to_string()))?;
        // Problems that existed before (an adapter that is still missing) do not block other changes.
        let known = self.gateway.serving();
        let is_new = |problem: &Problem| !known.problems.iter().any(|one| one.message == problem.message);
        let worse: Vec<Problem> =
            serving.problems.iter().filter(|one| one.severity == Severity::Error && is_new(one)).cloned().collect();
        if !worse.is_empty() {
            return Err(refused(&config.problems(worse)));
        }
        let at_next_start = at_next_start(&versions.started, &config);
        self.gateway.replace(serving);
        if let Some(tokens) = tokens {
            self.gateway.stored_keys().accept_tokens(tokens);
        }
        self.granted.replace(granted::of_all(&config));
        let before = versions.current();
        Ok(AppliedConfig { version: versions.add(config, origin), before, at_next_start })
    }

    /// Records the result in the audit log.
    fn record(
        &self,
        by: &Actor,
        origin: Origin,
        digest: Option<[u8; 32]>,
        result: &Result<AppliedConfig, ReloadError>,
    ) {
        match (self.audit.get(), result) {
            (None, _) => {}
            (Some(audit), Ok(applied)) => audit.taken(by, applied),
            (Some(audit), Err(error)) => audit.refused(by, origin, &self.current(), digest, error),
        }
    }

    /// Updates the metrics and logs the result.
    fn report(&self, result: Result<AppliedConfig, ReloadError>) -> Result<AppliedConfig, ReloadError> {
        let metrics = self.gateway.metrics();
        match &result {
            Ok(AppliedConfig { version, at_next_start, .. }) => {
                metrics.config_ok.set(1);
                metrics.config_revision.set(i64::try_from(version.number).unwrap_or(i64::MAX));
                let (revision, origin) = (&version.config.revision, version.origin.as_str());
                tracing::info!(number = version.number, revision, origin, "configuration taken");
                if !at_next_start.is_empty() {
                    tracing::warn!(settings = at_next_start.join(", "), "these settings take effect after a restart");
                }
            }
            Err(error) => {
                metrics.config_ok.set(0);
                metrics.config_rejected.inc();
                tracing::error!(%error, "configuration refused; the previous one stays in force");
            }
        }
        result
    }

    fn refused_files(&self) -> MutexGuard<'_, Vec<SecretFile>> {
        self.refused_files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Versions {
    fn current(&self) -> Arc<Version> {
        match self.kept.back() {
            Some(version) => Arc::clone(version),
            // Unreachable: a version is always kept. Falls back to the first one.
            None => Arc::new(Version {
                number: 1,
                since: SystemTime::UNIX_EPOCH,
                origin: Origin::Start,
                config: Arc::clone(&self.started),
            }),
        }
    }

    fn add(&mut self, config: Config, origin: Origin) -> Arc<Version> {
        self.last_number += 1;
        let version =
            Arc::new(Version { number: self.last_number, since: SystemTime::now(), origin, config: Arc::new(config) });
        self.kept.push_back(Arc::clone(&version));
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        version
    }
}

fn refused(problems: &Problems) -> ReloadError {
    ReloadError::Problems(problems.render(false).trim_end().to_owned())
}

/// The text of a configuration in the form that may be shown, for [`Version`]s.
pub fn shown(config: &Config) -> &str {
    config.source.text()
}

#[cfg(test)]
mod tests;
