//! The sandbox: wasmtime's engine, configured for short synchronous calls into untrusted components.
//!
//! Instances come from a pool of reserved address space, memories start as copy-on-write images, and deadlines use
//! epochs. Features that no adapter needs, and those with past security advisories of wasmtime, are off.

pub(super) mod config;

use std::fmt::{self, Debug, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::EngineWeak;
use wasmtime::component::InstancePre;

use self::config::config;
use super::digest::Digest;
use super::growth::Growth;
use super::limits::Limits;
use super::state::State;
use super::ticker::Ticker;
use super::untrusted::{TooManyGrantedCalls, UntrustedExecutor};

/// Maximum number of components whose drop is deferred; further ones are dropped at once.
const DEFERRED: usize = 64;

/// Why the sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refuses the configuration.
    #[error("cannot set up the sandbox: {0:#}")]
    Config(wasmtime::Error),
    /// The thread for deadlines cannot be started.
    #[error("cannot start the thread that keeps deadlines: {0}")]
    Ticker(#[source] std::io::Error),
}

/// The sandbox's engine. Clones share it; dropping the last one ends its thread.
#[derive(Clone)]
pub struct Engine(Arc<Inner>, Kind);

/// The kind of components that an engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Components without grants, whose instances come from the pool.
    Pure,
    /// Components with grants.
    Granted,
}

struct Inner {
    // Dropped first, because that ends its thread.
    ticker: Ticker,
    wasm: ArcSwap<wasmtime::Engine>,
    /// The pools in use: the current one, and before it one whose last instances are still alive.
    pools: Arc<Mutex<Vec<EngineWeak>>>,
    /// Creates the instances of components with grants, without a pool. The first such component creates it.
    granted: Arc<OnceLock<wasmtime::Engine>>,
    limits: Limits,
    pooling: bool,
    leases: Arc<Semaphore>,
    idle: Arc<Semaphore>,
    growth: Arc<Growth>,
    compiling: Mutex<()>,
    news: UntrustedExecutor,
    suspects: UntrustedExecutor,
    blocking: UntrustedExecutor,
    /// Components without users, to be dropped later.
    deferred: Mutex<Vec<InstancePre<State>>>,
    /// Whether much unused memory was resident at the last sweep.
    was_bloated: AtomicBool,
}

/// Current use of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Whether instances come from the pool.
    pub pooling: bool,
    /// Number of free slots for leases.
    pub leases_free: usize,
    /// Number of all slots for leases.
    pub leases: usize,
    /// Number of instances that are ready or idle.
    pub idle: usize,
    /// Number of free slots that were used before and still hold memory.
    pub warm_slots: u32,
    /// Size of that memory in bytes.
    pub resident: usize,
    /// By how much the memories of all instances have grown, in bytes.
    pub grown: usize,
}

impl Engine {
    /// Sets up the sandbox. If the address space for the pool is not available (a small `ulimit -v`, 39-bit machines),
    /// instances are allocated one by one, which is slower but otherwise equivalent.
    pub fn new(limits: Limits) -> Result<Self, EngineError> {
        let (wasm, pooling) = match wasmtime::Engine::new(&config(&limits, true)) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "no address space for pooled instances, allocating one by one");
                (wasmtime::Engine::new(&config(&limits, false)).map_err(EngineError::Config)?, false)
            }
        };
        let pools = Arc::new(Mutex::new(vec![wasm.weak()]));
        let granted = Arc::<OnceLock<wasmtime::Engine>>::default();
        let ticking = (Arc::clone(&pools), Arc::clone(&granted));
        let ticker = Ticker::start(limits.tick, move || tick(&ticking.0, &ticking.1)).map_err(EngineError::Ticker)?;
        let leases = Arc::new(Semaphore::new(limits.instances as usize));
        let idle = Arc::new(Semaphore::new(limits.idle_instances as usize));
        let growth = Arc::new(Growth::up_to(limits.total_growth));
        let inner = Inner {
            ticker,
            wasm: ArcSwap::from_pointee(wasm),
            pools,
            granted,
            limits,
            pooling,
            leases,
            idle,
            growth,
            compiling: Mutex::default(),
            news: UntrustedExecutor::for_news(),
            suspects: UntrustedExecutor::for_suspects(),
            blocking: UntrustedExecutor::for_granted(),
            deferred: Mutex::default(),
            was_bloated: AtomicBool::default(),
        };
        Ok(Self(Arc::new(inner), Kind::Pure))
    }

    /// Returns the same sandbox for components with grants ([`crate::granted_wasi`]). It shares limits, leases and
    /// deadlines, and has a second wasmtime engine without a pool. The compiler's settings are equal, so both engines
    /// run the same compiled code.
    pub fn for_grants(&self) -> Result<Self, EngineError> {
        if self.0.granted.get().is_none() {
            let engine = wasmtime::Engine::new(&config(&self.0.limits, false)).map_err(EngineError::Config)?;
            // Another thread may have set it first.
            let _same = self.0.granted.set(engine);
        }
        Ok(Self(Arc::clone(&self.0), Kind::Granted))
    }

    /// Whether this is the engine for components with grants.
    pub fn is_for_grants(&self) -> bool {
        self.1 == Kind::Granted
    }

    /// The limits of this sandbox.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The current use.
    pub fn usage(&self) -> Usage {
        let pool = self.wasm().pooling_allocator_metrics();
        Usage {
            pooling: self.0.pooling,
            leases_free: self.0.leases.available_permits(),
            leases: self.0.limits.instances as usize,
            idle: (self.0.limits.idle_instances as usize).saturating_sub(self.0.idle.available_permits()),
            warm_slots: pool.as_ref().map_or(0, wasmtime::PoolingAllocatorMetrics::unused_warm_memories),
            resident: pool.as_ref().map_or(0, wasmtime::PoolingAllocatorMetrics::unused_memory_bytes_resident),
            grown: self.0.growth.taken(),
        }
    }

    /// Hash of everything besides the component that compiled code depends on: wasmtime, its settings, the machine.
    pub fn fingerprint(&self) -> Digest {
        fingerprint(&self.wasm())
    }

    /// An engine that only compiles, for engines like this. It reserves no address space, and uses the cores available
    /// to it.
    pub fn for_compiling() -> Result<wasmtime::Engine, EngineError> {
        let limits = Limits { parallel_compilation: true, ..Limits::default() };
        wasmtime::Engine::new(&config(&limits, false)).map_err(EngineError::Config)
    }

    /// The wasmtime engine that creates instances now.
    pub fn wasm(&self) -> Arc<wasmtime::Engine> {
        match self.0.granted.get().filter(|_| self.is_for_grants()) {
            Some(granted) => Arc::new(granted.clone()),
            None => self.0.wasm.load_full(),
        }
    }

    /// Runs work that calls into a component: on this thread, or on a separate one if the component has grants, because
    /// its calls may block.
    pub fn apart<R: Send>(&self, work: impl FnOnce() -> R + Send) -> wasmtime::Result<R> {
        if !self.is_for_grants() {
            return Ok(work());
        }
        Ok(self.0.blocking.off_runtime(self.0.limits.lease_wait, work).ok_or(TooManyGrantedCalls)?)
    }

    /// Starts a new pool, which holds the instances of components loaded from now on. wasmtime keeps the memory of
    /// every used slot, so the memory of a burst is only freed with the last instance and component of the former pool.
    /// At most two pools exist; while the former one lives, this does nothing and returns false.
    pub fn renew(&self) -> bool {
        let mut pools = lock(&self.0.pools);
        pools.retain(|pool| pool.upgrade().is_some());
        if pools.len() > 1 || !self.0.pooling {
            return false;
        }
        match wasmtime::Engine::new(&config(&self.0.limits, true)) {
            Ok(engine) => {
                pools.push(engine.weak());
                self.0.wasm.store(Arc::new(engine));
                true
            }
            Err(error) => {
                tracing::info!(error = %format!("{error:#}"), "no address space for a second pool, memory is not given back");
                false
            }
        }
    }

    /// The clock of the deadlines.
    pub fn ticker(&self) -> &Ticker {
        &self.0.ticker
    }

    pub(super) fn leases(&self) -> &Arc<Semaphore> {
        &self.0.leases
    }

    pub(super) fn idle(&self) -> &Arc<Semaphore> {
        &self.0.idle
    }

    /// What the memories of all instances may grow by, and have.
    pub(super) fn growth(&self) -> &Arc<Growth> {
        &self.0.growth
    }

    /// Held while compiling: one compilation at a time, so that a costly component takes at most one core.
    pub fn compiling(&self) -> &Mutex<()> {
        &self.0.compiling
    }

    /// The threads for calls that are not trusted with an async worker.
    pub(super) fn untrusted(&self, are_suspects: bool) -> &UntrustedExecutor {
        if are_suspects { &self.0.suspects } else { &self.0.news }
    }

    /// Defers the drop of a component that has lost its last user to [`Engine::sweep`].
    pub(super) fn defer_drop(&self, component: InstancePre<State>) {
        let mut deferred = lock(&self.0.deferred);
        if deferred.len() < DEFERRED {
            deferred.push(component);
        }
    }

    /// Drops deferred components.
    pub fn drop_deferred(&self) {
        let deferred = std::mem::take(&mut *lock(&self.0.deferred));
        drop(deferred);
    }

    /// Drops deferred components. Returns whether the memory of a burst should be freed: both now and at the last
    /// sweep, many more slots held memory than were in use.
    pub fn sweep(&self) -> bool {
        self.drop_deferred();
        let usage = self.usage();
        let is_bloated = usage.resident > self.0.limits.idle_memory
            && usage.warm_slots as usize > 4 * usage.leases.saturating_sub(usage.leases_free);
        self.0.was_bloated.swap(is_bloated, Relaxed) && is_bloated
    }
}

/// A duration in nanoseconds; those of centuries are cut.
pub(super) fn nanos(span: std::time::Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(span.subsec_nanos()))
}

impl Debug for Engine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tick(pools: &Mutex<Vec<EngineWeak>>, granted: &OnceLock<wasmtime::Engine>) {
    if let Some(engine) = granted.get() {
        engine.increment_epoch();
    }
    for pool in lock(pools).iter().filter_map(EngineWeak::upgrade) {
        pool.increment_epoch();
    }
}

/// Hash of everything that code compiled by this engine depends on.
pub fn fingerprint(engine: &wasmtime::Engine) -> Digest {
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut feed = Feed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut feed);
    std::env::consts::ARCH.hash(&mut feed);
    Digest::from(<[u8; 32]>::from(feed.0.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_depends_on_the_settings_and_on_nothing_else() {
        let small = Limits::for_connections(2);
        let one = Engine::new(small.clone()).unwrap();
        let two = Engine::new(Limits { instances: 9, ..small }).unwrap();
        assert_eq!(one.fingerprint(), two.fingerprint());
        let on_demand = wasmtime::Engine::new(wasmtime::Config::new().epoch_interruption(false)).unwrap();
        let mut hasher = std::hash::DefaultHasher::new();
        on_demand.precompile_compatibility_hash().hash(&mut hasher);
        let other = hasher.finish();
        let mut hasher = std::hash::DefaultHasher::new();
        one.wasm().precompile_compatibility_hash().hash(&mut hasher);
        assert_ne!(other, hasher.finish());
    }

    #[test]
    fn the_compiling_engine_makes_code_for_the_serving_one() {
        let serving = Engine::new(Limits::for_connections(2)).unwrap();
        assert_eq!(fingerprint(&Engine::for_compiling().unwrap()), serving.fingerprint());
    }

    #[test]
    fn code_of_the_pool_serves_components_with_grants_and_is_kept_under_the_same_key() {
        let serving = Engine::new(Limits::for_connections(2)).unwrap();
        let granted = serving.for_grants().unwrap();
        assert!(!wasmtime::Engine::same(&serving.wasm(), &granted.wasm()));
        assert_eq!(granted.fingerprint(), serving.fingerprint());
    }
}
