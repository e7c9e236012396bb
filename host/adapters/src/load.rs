//! Turns bytes into an [`Adapter`]: checks and compiles them, calls `describe`, and checks the manifest.
//!
//! This blocks (compiling takes a tenth of a second for a Rust adapter, seconds for Python): call it from a thread for
//! blocking work, never from a request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::Component;

use super::cache::{Cache, Described};
use super::check::{self, Problems};
use super::compile::{CompileError, Compiler};
use crate::START;
use weir_sandbox::adapter::AdapterState;
use weir_sandbox::adapter::{Adapter, Turns};
use weir_sandbox::digest::Digest;
use weir_sandbox::engine::{Engine, EngineError};
use weir_sandbox::fault::{Failure, clean, head};
use weir_sandbox::grants::Grants;
use weir_sandbox::guard::GuardManifest;
use weir_sandbox::instance::{Instance, Template};
use weir_sandbox::limits::{AdapterLimits, Isolation};
use weir_sandbox::pool::{Pool, PoolConfig};
use weir_sandbox::shape::{Shape, ShapeError};
use weir_sandbox::stats::Stats;
use weir_sandbox::version::Version;
use weir_types::contract::about::Manifest;

/// Why a component does not become an adapter.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its structure is refused before it is compiled.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// It does not compile.
    #[error("does not compile: {0}")]
    Compile(#[from] CompileError),
    /// The engine for components with grants cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It does not match the contract's types.
    #[error("does not fit the contract: {0}")]
    Contract(String),
    /// It failed in `describe` or before.
    #[error("failed to start or to describe itself ({kind}): {detail}")]
    Describe {
        /// The kind of fault.
        kind: &'static str,
        /// Details of the fault.
        detail: String,
    },
    /// Its manifest is invalid.
    #[error("its manifest is wrong: {0}")]
    Manifest(Problems),
    /// Its manifest has another name than its file.
    #[error("it calls itself {found:?}, so its file must be called {found}.wasm and not {expected}.wasm")]
    Name {
        /// The manifest's name.
        found: String,
        /// The file's name.
        expected: String,
    },
    /// An instance needs more slots of the pool than exist.
    #[error("an instance of it takes {weight} slots of the pool, which has {slots}")]
    TooHeavy {
        /// Slots that an instance needs.
        weight: u32,
        /// Slots of the pool.
        slots: u32,
    },
}

impl LoadError {
    /// Whether the file may just be incomplete yet.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Shape(ShapeError::Truncated(_)))
    }
}

/// Loads adapters.
#[derive(Debug, Clone)]
pub struct Loader {
    engine: Engine,
    cache: Option<Cache>,
    compiler: Compiler,
    progress: Arc<Progress>,
}

/// Progress of loading at the start, for the log.
#[derive(Debug, Default)]
struct Progress {
    expected: AtomicUsize,
    begun: AtomicUsize,
    /// Whether the log has said that adapters are compiled.
    is_told: AtomicBool,
}

/// The operator's settings for a component that is loaded.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// How its instances are used.
    pub adapter_limits: AdapterLimits,
    /// Whether the lock file pins it.
    pub trusted: bool,
    /// The trusted key that signed it, if any.
    pub signer: Option<Arc<str>>,
}

impl Loader {
    /// Creates a loader for this engine; compiled code is stored in the cache, if one is given.
    pub fn new(engine: Engine, cache: Option<Cache>) -> Self {
        Self { engine, cache, compiler: Compiler::Here, progress: Arc::default() }
    }

    /// Sets where components are compiled.
    #[must_use]
    pub fn compiling(self, compiler: Compiler) -> Self {
        Self { compiler, ..self }
    }

    /// Announces how many components will be loaded, so that the log shows progress; 0 ends this.
    pub fn expect(&self, components: usize) {
        self.progress.expected.store(components, Relaxed);
        self.progress.begun.store(0, Relaxed);
        self.progress.is_told.store(false, Relaxed);
    }

    /// The engine that adapters are loaded for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The compile cache.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// Loads an adapter from cached code alone, without the component's bytes. `None` if the cache does not have it, or
    /// it has another name.
    pub(crate) fn recall(
        &self,
        name: &str,
        digest: Digest,
        admission: &Admission,
    ) -> Option<Result<Arc<Adapter>, LoadError>> {
        let with_grants = match self.for_grants(&admission.adapter_limits.grants) {
            Ok(with_grants) => with_grants,
            Err(error) => return Some(Err(error)),
        };
        let loader = with_grants.as_ref().unwrap_or(self);
        let (component, described) = loader.cache.as_ref()?.get(digest)?;
        if described.manifest.name != name || described.shape.weight() > self.engine.limits().instances {
            return None;
        }
        Some(loader.make_again(digest, &component, described, admission))
    }

    fn make_again(
        &self,
        digest: Digest,
        component: &Component,
        described: Described,
        admission: &Admission,
    ) -> Result<Arc<Adapter>, LoadError> {
        let template = self.template(component, &described.shape, &admission.adapter_limits.grants)?;
        let (mut instance, start) = first_instance(&template, &described.shape)?;
        let Described { shape, manifest, guard } = described;
        let is_known = !self.engine.is_for_grants();
        let (manifest, guard) = if is_known { (manifest, guard) } else { self.describe(&mut instance, &shape)? };
        drop(instance);
        Ok(Arc::new(self.adapter(digest, Described { shape, manifest, guard }, template, start, admission)))
    }

    /// Loads an adapter from the bytes of the file `name`.wasm.
    pub fn load(&self, name: &str, bytes: &[u8], admission: &Admission) -> Result<Arc<Adapter>, LoadError> {
        match self.for_grants(&admission.adapter_limits.grants)? {
            Some(loader) => loader.load_here(name, bytes, admission),
            None => self.load_here(name, bytes, admission),
        }
    }

    /// Returns a loader with the engine and the cache entries for components with grants; `None` without grants.
    fn for_grants(&self, grants: &Grants) -> Result<Option<Self>, LoadError> {
        if grants.is_none() {
            return Ok(None);
        }
        let engine = self.engine.for_grants()?;
        let cache = self.cache.as_ref().map(|cache| cache.on(&engine));
        Ok(Some(Self { engine, cache, ..self.clone() }))
    }

    fn load_here(&self, name: &str, bytes: &[u8], admission: &Admission) -> Result<Arc<Adapter>, LoadError> {
        let digest = Digest::of(bytes);
        let nth = self.progress.begun.fetch_add(1, Relaxed) + 1;
        let cached = self.cache.as_ref().and_then(|cache| cache.get(digest));
        let is_cached = cached.is_some();
        let (component, shape, manifest) = if let Some((component, known)) = cached {
            // With grants, the manifest may differ from one call to the next.
            let manifest = (!self.engine.is_for_grants()).then_some((known.manifest, known.guard));
            (component, known.shape, manifest)
        } else {
            // Checked first, so that nothing is compiled that would be refused.
            let shape = Shape::read(bytes, &self.engine.limits().structure)?;
            (self.compile(name, nth, digest, bytes)?, shape, None)
        };
        let slots = self.engine.limits().instances;
        if shape.weight() > slots {
            return Err(LoadError::TooHeavy { weight: shape.weight(), slots });
        }
        let mut template = self.template(&component, &shape, &admission.adapter_limits.grants)?;
        let (mut instance, start) = first_instance(&template, &shape)?;
        let (manifest, guard) = match manifest {
            Some(described) => described,
            None => self.describe(&mut instance, &shape)?,
        };
        drop(instance);
        let described = Described { shape, manifest, guard };
        if let Some(cache) = self.cache.as_ref().filter(|_| !is_cached) {
            cache.put(digest, &component, &described);
            // Code that is mapped from there takes memory only where it runs.
            if let Some((mapped, _)) = cache.get(digest) {
                template = self.template(&mapped, &described.shape, &admission.adapter_limits.grants)?;
            }
        }
        if described.manifest.name != name {
            return Err(LoadError::Name { found: described.manifest.name, expected: name.to_owned() });
        }
        Ok(Arc::new(self.adapter(digest, described, template, start, admission)))
    }

    fn compile(&self, name: &str, nth: usize, digest: Digest, bytes: &[u8]) -> Result<Component, LoadError> {
        let _one_at_a_time = self.engine.compiling().lock().unwrap_or_else(PoisonError::into_inner);
        // What was compiled before is mapped from the cache by now. Where memory is short, the compiler needs the room
        // of the code as it came.
        self.engine.drop_deferred();
        let expected = self.progress.expected.load(Relaxed);
        if expected > 1 && !self.progress.is_told.swap(true, Relaxed) {
            tracing::info!("compiling adapters for the first time, which takes a while");
        }
        match expected {
            all if all >= nth => tracing::info!(target: START, adapter = name, "compiling adapter {nth} of {all}"),
            _ => tracing::info!(adapter = name, "compiling adapter"),
        }
        Ok(self.compiler.compile(&self.engine, digest, bytes)?)
    }

    fn template(&self, component: &Component, shape: &Shape, grants: &Grants) -> Result<Arc<Template>, LoadError> {
        let (version, wasi) = (shape.version()?, shape.imports_functions());
        let template = Template::new(&self.engine, component, version, shape.interfaces(), wasi, grants);
        template.map(Arc::new).map_err(|error| LoadError::Contract(reason(&error)))
    }

    fn describe(&self, instance: &mut Instance, shape: &Shape) -> Result<(Manifest, Option<GuardManifest>), LoadError> {
        let (limits, version) = (self.engine.limits(), shape.version()?);
        let described = self.engine.apart(|| {
            let _active = self.engine.ticker().begin();
            instance.arm(limits.start, limits.output);
            instance.with_guest(|guest| {
                let guard = (version == Version::HookV0_1_0).then(|| guest.describe_guard()).transpose()?;
                Ok((guest.describe()?, guard))
            })
        });
        let (manifest, guard) = described.and_then(|described| described).map_err(|error| {
            let Failure { kind, detail, .. } = Failure::of(&error, &instance.store.data_mut().take_stderr());
            LoadError::Describe { kind: kind.name(), detail }
        })?;
        check::manifest(&manifest, version).map_err(LoadError::Manifest)?;
        guard.as_ref().map_or(Ok(()), check::guard).map_err(LoadError::Manifest)?;
        Ok((manifest, guard))
    }

    fn adapter(
        &self,
        digest: Digest,
        described: Described,
        template: Arc<Template>,
        start: Duration,
        admission: &Admission,
    ) -> Adapter {
        let Described { shape, manifest, guard } = described;
        let adapter_limits = &admission.adapter_limits;
        if let Some(impurity) = adapter_limits.grants.impurity() {
            tracing::info!(adapter = %manifest.name, "adapter loaded with grants, {impurity}");
        }
        let wish = admission.trusted.then(|| manifest.isolation.into());
        let ways = PoolConfig {
            isolation: adapter_limits.isolation.or(wish).unwrap_or(Isolation::Fresh),
            proved: adapter_limits.isolation.or(wish).unwrap_or_else(|| proved_isolation(manifest.isolation.into())),
            reuse: adapter_limits.reuse.clone(),
            ready: adapter_limits.ready,
            weight: shape.weight(),
            start,
        };
        Adapter {
            name: manifest.name.as_str().into(),
            label: format!("{}@{}", manifest.name, digest.short()).into(),
            digest,
            interfaces: shape.interfaces(),
            size: shape.bytes as usize,
            trusted: admission.trusted,
            signer: admission.signer.clone(),
            grants: adapter_limits.grants.clone(),
            proved: OnceLock::new(),
            stats: Stats::default(),
            state: AdapterState::default(),
            pool: Pool::new(self.engine.clone(), template, ways),
            call: adapter_limits.call.unwrap_or(self.engine.limits().call),
            turns: adapter_limits.concurrency.map(Turns::new),
            engine: self.engine.clone(),
            shape,
            manifest,
            guard,
        }
    }
}

/// The isolation of a component that is proved reusable: an instance serves one tenant at most, unless the component
/// wants fresh ones. A file that the lock file does not pin cannot decide that tenants share an instance.
fn proved_isolation(wish: Isolation) -> Isolation {
    if wish == Isolation::Fresh { Isolation::Fresh } else { Isolation::Tenant }
}

/// How often the creation of an instance is measured. The least counts: on a busy machine, one may wait for its turn.
const MEASURED: u32 = 3;

/// Creates an instance with every function looked up, so that type mismatches show now, and measures the creation. The
/// first one is not measured, because it includes page faults.
fn first_instance(template: &Arc<Template>, shape: &Shape) -> Result<(Instance, Duration), LoadError> {
    let failed = |error: wasmtime::Error| {
        let Failure { kind, detail, .. } = Failure::of(&error, &[]);
        LoadError::Describe { kind: kind.name(), detail }
    };
    let mut instance = template.instantiate().map_err(failed)?;
    let mut start = Duration::MAX;
    for _ in 0..MEASURED {
        drop(instance);
        let begun = Instant::now();
        instance = template.instantiate().map_err(failed)?;
        start = start.min(begun.elapsed());
    }
    instance.prepare(shape.interfaces()).map_err(|error| LoadError::Contract(reason(&error)))?;
    Ok((instance, start))
}

fn reason(error: &wasmtime::Error) -> String {
    head(&clean(&format!("{error:#}")), 1000).to_owned()
}
