//! The adapters of a configuration, loaded as the gateway loads them: checked, compiled, proved by their fixtures.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::adapter_settings::{adapter_limits, largest_memory, policy, rollout_policy};
use crate::granted;
use weir_adapters::cache::Cache;
use weir_adapters::catalog::{Catalog, Conflict, Snapshot};
use weir_adapters::load::Loader;
use weir_adapters::watch::{Beside, Folder, Proof, ProofError, RehearsalError, Watch};
use weir_adapters::{Bounds, Compiler, Granted, Keeper, RolloutPolicies, START};
use weir_config::Config;
use weir_fixtures::proof;
use weir_gateway::serving::face_owner;
use weir_sandbox::engine::EngineError;
use weir_sandbox::{Adapter, Engine, Limits};
use weir_translate::dialect::endpoints::Endpoints;

/// The adapters of a configuration.
#[derive(Debug)]
pub struct Plugins {
    /// Looks at the folder.
    pub watch: Watch,
    /// The adapters that are loaded.
    pub catalog: Arc<Catalog>,
    /// Keeps the decisions about versions while Weir runs; a program that only looks does not change them.
    pub keeper: Option<Keeper>,
}

impl Plugins {
    /// The currently loaded adapters.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.catalog.snapshot()
    }

    /// Puts bytes through all checks for a file of the folder, as if the lock file pinned them. `proved_by` returns the
    /// file whose fixtures prove the adapter of that name.
    ///
    /// # Errors
    ///
    /// The reason why they would be refused.
    pub fn rehearse(
        &mut self,
        bytes: &[u8],
        signature: Option<&str>,
        proved_by: impl Fn(&str) -> Result<PathBuf, Box<dyn Error + Send + Sync>>,
    ) -> Result<Arc<Adapter>, RehearsalError> {
        self.watch.rehearse(bytes, signature, proved_by)
    }
}

/// How long the start waits for files that are still being written.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the sandbox and the compile cache of this configuration.
pub fn loader(config: &Config) -> Result<Loader, EngineError> {
    let connections = u32::try_from(config.server.max_connections).unwrap_or(u32::MAX);
    let (memory, total_growth) = (largest_memory(config), config.plugins.total_memory);
    let engine = Engine::new(Limits { memory, total_growth, ..Limits::for_connections(connections) })?;
    let cache = config.plugins.cache_dir.as_deref().and_then(|dir| match Cache::open(dir, &engine) {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!(%error, "compiled adapters are not kept");
            None
        }
    });
    let plugins = &config.plugins;
    let bounds = Bounds { memory: plugins.compile.memory as u64, time: plugins.compile.time };
    let compiler = plugins.compiler.clone().map_or(Compiler::Here, |program| Compiler::Child { program, bounds });
    Ok(Loader::new(engine, cache).compiling(compiler))
}

/// Where the decisions about this configuration's adapters are stored: next to the code of those that served before.
pub fn keeper(config: &Config, loader: &Loader) -> Option<Keeper> {
    loader.cache().map(|cache| Keeper::open(cache.dir(), &config.plugins.dir))
}

/// When adapters are proved by their fixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proofs {
    /// Before they are published.
    First,
    /// Those whose digests the lock file pins as soon as [`Watch::follow`] runs, beside their serving, unless fixtures
    /// are required of them; the others first.
    Beside,
}

/// Loads the adapters of a configuration.
pub fn load(config: &Config, proofs: Proofs) -> Result<Plugins, EngineError> {
    let plugins = &config.plugins;
    let loader = loader(config)?;
    let known = config.clone();
    let together = move |adapters: &[&Adapter]| {
        let owners = adapters.iter().map(|adapter| face_owner(&known, adapter));
        Endpoints::new(owners).map(drop).map_err(|error| Conflict(error.to_string()))
    };
    let policies = RolloutPolicies {
        usual: rollout_policy(&plugins.defaults),
        of: plugins.adapters.iter().map(|(name, settings)| (name.clone(), rollout_policy(settings))).collect(),
    };
    let catalog = Arc::new(Catalog::new(together).with_policies(policies));
    let keeper = keeper(config, &loader);
    if let Some(keeper) = &keeper {
        catalog.restore(keeper.known());
    }
    let folder = Folder {
        lock: Some(plugins.lock.clone()),
        adapter_limits: plugins
            .adapters
            .iter()
            .map(|(name, settings)| (name.clone(), adapter_limits(settings)))
            .collect(),
        default_limits: adapter_limits(&plugins.defaults),
        grants: Arc::new(Granted::new(granted::of_all(config))),
        policy: policy(config),
        every: plugins.poll_interval,
        allow_writable: plugins.allow_writable,
        proof: Some(gate(config, Arc::clone(&catalog))),
        proves_beside: (proofs == Proofs::Beside).then(|| beside(config)),
        ..Folder::new(plugins.dir.clone())
    };
    loader.expect(components(&plugins.dir));
    catalog.set_starting(true);
    if weir_adapters::watch::writers(&plugins.dir) == weir_adapters::watch::Writers::Group {
        tracing::warn!(dir = %plugins.dir.display(), "a group may write to the plugins folder: its members decide what is served");
    }
    let mut watch = Watch::new(folder, loader.clone(), Arc::clone(&catalog));
    let begun = Instant::now();
    loop {
        let next = watch.scan();
        if next >= plugins.poll_interval || begun.elapsed() > START_TIMEOUT {
            loader.expect(0);
            // What is proved beside its serving belongs to the start too.
            catalog.set_starting(proofs == Proofs::Beside);
            summarise(&catalog.snapshot(), begun.elapsed());
            return Ok(Plugins { watch, catalog, keeper });
        }
        std::thread::sleep(next);
    }
}

/// Logs what a start has loaded, in one line.
fn summarise(snapshot: &Snapshot, took: Duration) {
    let guards = snapshot.adapters.values().filter(|adapter| adapter.guard.is_some()).count();
    let (adapters, millis) = (snapshot.adapters.len() - guards, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    // The reason of each refusal is in the log already.
    let refused: Vec<&str> = snapshot.refused.keys().map(AsRef::as_ref).collect();
    let refused = (!refused.is_empty()).then(|| refused.join(", "));
    tracing::info!(adapters, guards, refused, millis, "adapters loaded");
}

/// An adapter that serves only with fixtures is proved first: whether it has any is not known before.
fn beside(config: &Config) -> Arc<Beside> {
    let plugins = config.plugins.clone();
    Arc::new(move |name| !plugins.adapter(name).require_fixtures)
}

/// The check that proves each adapter with its fixtures before it serves.
fn gate(config: &Config, catalog: Arc<Catalog>) -> Arc<Proof> {
    let plugins = config.plugins.clone();
    Arc::new(move |adapter, file, bytes| {
        let required = plugins.adapter(&adapter.name).require_fixtures;
        let report = proof::admit(adapter, file, bytes, required).map_err(|unproved| proof_error(&unproved))?;
        let _asked_before = adapter.proved.set(report.passed);
        // What may read a clock or a file cannot be proved to answer the same again.
        if report.passed > 0 && adapter.grants.impurity().is_none() {
            adapter.pool().prove_reusable();
        }
        if !report.verdicts.is_empty() {
            let (passed, skipped, millis) = (report.passed, report.skipped, report.millis);
            let impurity = report.impurity.as_deref();
            if catalog.is_starting() {
                tracing::info!(target: START, adapter = %adapter.name, passed, skipped, millis, impurity, "adapter proved");
            } else {
                tracing::info!(adapter = %adapter.name, passed, skipped, millis, impurity, "adapter proved");
            }
        }
        Ok(())
    })
}

/// Why a proof fails, as the thread that follows the folder goes by it.
fn proof_error(unproved: &proof::Unproved) -> ProofError {
    let reason = unproved.to_string();
    if unproved.lacked_time() { ProofError::LackedTime(reason) } else { ProofError::Failed(reason) }
}

/// Number of files that look like components.
fn components(dir: &Path) -> usize {
    let is_component = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|is| is == "wasm");
    std::fs::read_dir(dir).map_or(0, |files| files.flatten().filter(is_component).count())
}
