//! A loaded adapter, with its state, its successor on trial, and the leases of its instances.

pub mod canary;
mod lease;
mod state;

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::digest::Digest;
use super::engine::{self, Engine};
use super::fault::{Failure, FaultKind, PluginFault};
use super::grants::Grants;
use super::guard::GuardManifest;
use super::instance::Instance;
use super::interface::{Interface, Interfaces};
use super::limits::Isolation;
use super::pool::Pool;
use super::shape::Shape;
use super::stats::{self, Stats, Trust};
use weir_types::contract::about::Manifest;

pub use lease::Lease;
pub use state::AdapterState;

/// How many bits of a number of bytes are below its MiB.
const MIB_BITS: u32 = 20;
/// Output that a call may return for each byte of input, in bytes: a small message can be a large value.
const OUTPUT_PER_BYTE: usize = 8;
/// How long a call of a suspect component waits for its turn. Calls before it may well spin until their deadlines.
const SUSPECTS_TIMEOUT: Duration = Duration::from_millis(100);

/// A component that was checked and compiled. A request keeps its `Arc` to the end, even if the catalog replaces the
/// adapter meanwhile.
pub struct Adapter {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// Digest of the component.
    pub digest: Digest,
    /// Name and short digest, for headers: `openai@de433eaf96c1`.
    pub label: Arc<str>,
    /// The manifest that it returned.
    pub manifest: Manifest,
    /// For a guard: what it says about itself besides.
    pub guard: Option<GuardManifest>,
    /// The contract's interfaces that it exports.
    pub interfaces: Interfaces,
    /// Size of the component in bytes.
    pub size: usize,
    /// Structure of the component.
    pub shape: Shape,
    /// Whether the lock file pins these bytes, so that the manifest's suggestions are used without asking.
    pub trusted: bool,
    /// The trusted key that signed these bytes, if any.
    pub signer: Option<Arc<str>>,
    /// The operator's grants: what it may use beyond its input.
    pub grants: Grants,
    /// Number of fixtures that it has passed; unset if no proof was required.
    pub proved: OnceLock<usize>,
    /// Counters of calls and failures.
    pub stats: Stats,
    /// Whether it is in service, suspended, or on trial.
    pub state: AdapterState,
    /// Its idle instances.
    pub pool: Pool,
    /// The engine that compiled it.
    pub engine: Engine,
    /// Deadline of one call.
    pub call: Duration,
    /// Limits concurrent leases, if the operator set a limit.
    pub turns: Option<Turns>,
}

/// Limits the concurrent leases of one adapter.
#[derive(Debug, Clone)]
pub struct Turns {
    free: Arc<Semaphore>,
    most: u32,
}

impl Turns {
    /// Allows `most` leases at a time, but at least one.
    pub fn new(most: u32) -> Self {
        let most = most.clamp(1, u32::MAX >> 4);
        Self { free: Arc::new(Semaphore::new(most as usize)), most }
    }
}

impl Adapter {
    /// Whether it exports this interface.
    pub fn has(&self, interface: Interface) -> bool {
        self.interfaces.has(interface)
    }

    /// The pool of its idle instances.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Leases an instance for one exchange of this tenant (any text that distinguishes tenants; empty for the anonymous
    /// one).
    ///
    /// Waits for its turn and for a free slot, at most [`Limits::lease_wait`](super::Limits::lease_wait) each, and then
    /// fails with [`FaultKind::Exhausted`].
    pub async fn lease(self: &Arc<Self>, tenant: impl Into<Arc<str>>) -> Result<Lease, PluginFault> {
        // The adapter's own limit comes first: a request that waits for it takes no slot from other adapters.
        let turn = self.some_turns(1).await?;
        let slot = self.slots(self.pool.weight()).await?;
        self.lease_with(slot, turn, tenant.into())
    }

    /// Leases an instance without waiting.
    pub fn try_lease(self: &Arc<Self>, tenant: impl Into<Arc<str>>) -> Result<Lease, PluginFault> {
        let turn = self.turns.as_ref().map(|turns| Arc::clone(&turns.free).try_acquire_owned());
        let turn = turn.transpose().map_err(|_| self.no_instance())?;
        self.lease_in(turn, tenant.into())
    }

    /// Leases an instance without waiting and outside of the adapter's own limit: a proof serves no client, and needs
    /// two instances even of an adapter that is limited to one.
    pub fn try_lease_for_proof(self: &Arc<Self>) -> Result<Lease, PluginFault> {
        self.lease_in(None, "".into()).map(|lease| Lease { is_proof: true, ..lease })
    }

    fn lease_in(self: &Arc<Self>, turn: Option<OwnedSemaphorePermit>, tenant: Arc<str>) -> Result<Lease, PluginFault> {
        let slot = Arc::clone(self.engine.leases()).try_acquire_many_owned(self.pool.weight());
        self.lease_with(slot.map_err(|_| self.no_instance())?, turn, tenant)
    }

    fn no_instance(&self) -> PluginFault {
        self.fault("lease", Failure::new(FaultKind::Exhausted, "no free instance"))
    }

    async fn slots(&self, weight: u32) -> Result<OwnedSemaphorePermit, PluginFault> {
        let leases = self.engine.leases();
        if let Ok(slot) = Arc::clone(leases).try_acquire_many_owned(weight) {
            return Ok(slot);
        }
        Box::pin(self.wait(Arc::clone(leases).acquire_many_owned(weight))).await
    }

    /// Acquires `count` turns at once, but not more than exist; `None` if the adapter has no limit.
    async fn some_turns(&self, count: u32) -> Result<Option<OwnedSemaphorePermit>, PluginFault> {
        let Some(turns) = &self.turns else { return Ok(None) };
        let count = count.min(turns.most);
        if let Ok(turn) = Arc::clone(&turns.free).try_acquire_many_owned(count) {
            return Ok(Some(turn));
        }
        Box::pin(self.wait(Arc::clone(&turns.free).acquire_many_owned(count))).await.map(Some)
    }

    async fn wait<T, E>(&self, turn: impl Future<Output = Result<T, E>>) -> Result<T, PluginFault> {
        match tokio::time::timeout(self.engine.limits().lease_wait, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(self.fault("lease", Failure::new(FaultKind::Exhausted, "no instance became free in time"))),
        }
    }

    fn lease_with(
        self: &Arc<Self>,
        slot: OwnedSemaphorePermit,
        turn: Option<OwnedSemaphorePermit>,
        tenant: Arc<str>,
    ) -> Result<Lease, PluginFault> {
        if let Some(reason) = self.state.suspended() {
            return Err(self.fault("lease", Failure::new(FaultKind::Quarantined, &*reason)));
        }
        let caller = stats::caller(&tenant);
        self.stats.leased(caller);
        Ok(Lease {
            instance: None,
            is_spent: false,
            tenant,
            isolation: self.pool.isolation(),
            caller,
            call: self.call,
            adapter: Arc::clone(self),
            is_proof: false,
            taken: 0,
            about: 0,
            _turn: turn,
            _slot: slot,
        })
    }

    /// Takes an instance for a call with this much input: one that waits, or a new one.
    fn take(&self, tenant: &Arc<str>, isolation: Isolation, bytes: usize) -> Result<Box<Instance>, PluginFault> {
        let mut instance = match self.pool.take(tenant, isolation, bytes) {
            Some(waiting) => waiting,
            None => self.make()?,
        };
        if instance.tenant.is_none() && isolation == Isolation::Tenant {
            instance.tenant = Some(Arc::clone(tenant));
        }
        Ok(instance)
    }

    fn make(&self) -> Result<Box<Instance>, PluginFault> {
        self.stats.made();
        let made = on_this_thread(self.pool.starts_slowly(), || self.pool.make());
        made.map_err(|error| self.fault("instantiate", Failure::of(&error, &[])))
    }

    pub(super) fn fault(&self, function: &'static str, failure: Failure) -> PluginFault {
        let Failure { kind, limit, detail } = failure;
        self.stats.failed(kind);
        PluginFault { adapter: Arc::clone(&self.name), digest: self.digest, function, kind, limit, detail }
    }

    /// Runs a call on a thread where it does not block others, chosen by the trust in the adapter and the input's size;
    /// `None` if there is no room for it.
    fn in_its_place<R: Send>(&self, bytes: usize, work: impl FnOnce() -> R + Send) -> Option<R> {
        let mut trust = self.stats.trust();
        while trust != Trust::Proved && is_worker() {
            let is_suspect = trust == Trust::Suspect;
            let timeout = if is_suspect { SUSPECTS_TIMEOUT } else { self.engine.limits().lease_wait };
            let executor = self.engine.untrusted(is_suspect);
            if executor.is_full() {
                return None;
            }
            let turn = tokio::task::block_in_place(|| executor.turn(timeout))?;
            // While it waited, other calls may have changed the trust in the component.
            let now = self.stats.trust();
            if now == trust {
                return tokio::task::block_in_place(|| turn.run(work));
            }
            trust = now;
        }
        if self.engine.is_for_grants() {
            return self.engine.apart(work).ok();
        }
        Some(on_this_thread(bytes > self.engine.limits().blocking_above, work))
    }

    /// Deadline of a call with this much input, which may take `call` without any.
    fn deadline(&self, call: Duration, bytes: usize) -> Duration {
        let more = (u128::from(engine::nanos(self.engine.limits().call_per_mib)) * bytes as u128) >> MIB_BITS;
        call.saturating_add(Duration::from_nanos(u64::try_from(more).unwrap_or(u64::MAX)))
    }

    /// Maximum output in bytes of a call with this much input.
    fn output(&self, bytes: usize) -> usize {
        self.engine.limits().output.saturating_add(bytes.saturating_mul(OUTPUT_PER_BYTE))
    }
}

impl Debug for Adapter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Adapter");
        f.field("name", &self.name).field("digest", &self.digest).field("interfaces", &self.interfaces);
        f.finish_non_exhaustive()
    }
}

/// Leases instances for both sides of an exchange. Both slots are acquired at once, and so are both turns of an adapter
/// that is on both sides; turns of two adapters are acquired in a fixed order. So exchanges cannot deadlock while each
/// holds what the other needs.
pub async fn lease_pair(
    one: &Arc<Adapter>,
    other: &Arc<Adapter>,
    tenant: impl Into<Arc<str>>,
) -> Result<(Lease, Lease), PluginFault> {
    let (turn, other_turn) = turns_of_pair(one, other).await?;
    let mut slot = one.slots(one.pool.weight() + other.pool.weight()).await?;
    let Some(second) = slot.split(other.pool.weight() as usize) else {
        return Err(one.fault("lease", Failure::new(FaultKind::Host, "the slots of a pair cannot be parted")));
    };
    let tenant = tenant.into();
    Ok((one.lease_with(slot, turn, Arc::clone(&tenant))?, other.lease_with(second, other_turn, tenant)?))
}

type LeasePermit = Option<OwnedSemaphorePermit>;

async fn turns_of_pair(one: &Arc<Adapter>, other: &Arc<Adapter>) -> Result<(LeasePermit, LeasePermit), PluginFault> {
    if Arc::ptr_eq(one, other) {
        let mut turn = one.some_turns(2).await?;
        // An adapter limited to one instance serves both sides in one turn.
        let second = turn.as_mut().filter(|turn| turn.num_permits() > 1).and_then(|turn| turn.split(1));
        return Ok((turn, second));
    }
    if Arc::as_ptr(one) <= Arc::as_ptr(other) {
        let turn = one.some_turns(1).await?;
        Ok((turn, other.some_turns(1).await?))
    } else {
        let turn = other.some_turns(1).await?;
        Ok((one.some_turns(1).await?, turn))
    }
}

impl Adapter {
    /// Makes instances in advance, up to the configured number.
    pub fn warm(&self) {
        let chat = [Interface::DialectChat, Interface::ProviderChat, Interface::Guard]
            .into_iter()
            .filter(|i| self.has(*i))
            .collect();
        let mut before = usize::MAX;
        while self.pool.wants_more() && before != self.pool.idle() {
            before = self.pool.idle();
            self.make_ahead(chat);
        }
    }

    /// Drops the idle instances of an adapter that is kept but does not serve.
    pub fn rest(&self) {
        self.state.leave();
        self.pool.empty();
    }

    /// Drops instances that idled too long, and moves the pool if the engine has a new one.
    pub fn sweep(&self, renewed: bool) {
        if self.state.rests() {
            self.pool.empty();
        }
        self.pool.sweep();
        if !renewed {
            if !self.state.rests() {
                self.warm();
            }
            return;
        }
        match self.pool.renew() {
            Ok(()) if self.state.rests() => {}
            Ok(()) => self.warm(),
            Err(error) => tracing::warn!(adapter = %self.name, error = %format!("{error:#}"), "memory not given back"),
        }
    }

    /// Makes one instance in advance. A failure concerns no request, so it is only logged.
    pub(super) fn make_ahead(&self, interfaces: Interfaces) {
        self.stats.made();
        if let Err(error) = self.pool.make_ahead(interfaces) {
            tracing::debug!(adapter = %self.name, error = %format!("{error:#}"), "no instance made ahead");
        }
    }
}

/// Runs work on this thread; work that may take long is announced to the runtime first, if its kind allows that.
fn on_this_thread<R>(long: bool, work: impl FnOnce() -> R) -> R {
    if long && is_worker() { tokio::task::block_in_place(work) } else { work() }
}

/// Whether this thread may be an async worker.
fn is_worker() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}
