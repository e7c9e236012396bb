//! One loaded adapter, and the lease of an instance of it.

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::digest::Digest;
use super::duty::Duty;
use super::engine::Engine;
use super::fault::{Called, Failure, FaultKind, PluginFault, clean, head};
use super::instance::{Instance, Interface, Interfaces};
use super::limits::Isolation;
use super::pool::Pool;
use super::shape::Shape;
use super::stats::{self, Offence, Standing, Stats};
use super::version::Said;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::ErrorKind;

const MIB: f64 = (1 << 20) as f64;
/// Bytes that a call may hand back for each that it takes in: a small message is a large value.
const OUTPUT_PER_BYTE: usize = 8;
/// Bytes of what a component says of its own failure, for the log.
const EXCEPTION: usize = 1024;
/// How long a call of a suspect waits for its turn. Those before it may well spin to their deadlines.
const SUSPECTS_PATIENCE: Duration = Duration::from_millis(100);

/// A component that was checked and compiled. Whoever serves a request keeps its `Arc` to the end, whatever replaces it
/// in the catalog meanwhile.
pub struct Adapter {
    /// The name by which configuration refers to it.
    pub name: Arc<str>,
    /// Which bytes it is.
    pub digest: Digest,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The interfaces that it has.
    pub interfaces: Interfaces,
    /// Bytes of the component.
    pub size: usize,
    /// What it is made of.
    pub shape: Shape,
    /// Whether the lock file vouches for these bytes, so that the manifest's suggestions count without asking.
    pub trusted: bool,
    /// The key that signed these bytes, where one that the operator trusts did.
    pub signer: Option<Arc<str>>,
    /// How many fixtures it has passed; not set where it was not asked to prove itself.
    pub proved: OnceLock<usize>,
    /// What happened to it.
    pub stats: Stats,
    /// Whether it is to serve now.
    pub duty: Duty,
    /// Its instances.
    pub pool: Pool,
    /// The engine that compiled it.
    pub engine: Engine,
    /// Deadline of a call.
    pub call: Duration,
    /// Whose turn it is where its instances are limited.
    pub turns: Option<Turns>,
}

/// Leases of one adapter at the same time, where the operator limits them.
#[derive(Debug, Clone)]
pub struct Turns {
    free: Arc<Semaphore>,
    most: u32,
}

impl Turns {
    /// So many, one at least.
    pub fn new(most: u32) -> Self {
        let most = most.clamp(1, u32::MAX >> 4);
        Self { free: Arc::new(Semaphore::new(most as usize)), most }
    }
}

impl Adapter {
    /// Whether it has this interface.
    pub fn has(&self, interface: Interface) -> bool {
        self.interfaces.has(interface)
    }

    /// The instances that wait.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// An instance for one exchange of this tenant (any text that tells tenants apart; empty for the anonymous one).
    ///
    /// Waits for its turn and for a free slot, for [`Limits::lease_wait`](super::Limits::lease_wait) each at the most, and
    /// then answers [`FaultKind::Exhausted`].
    pub async fn lease(self: &Arc<Self>, tenant: &str) -> Result<Lease, PluginFault> {
        // The adapter's own turns come first: who waits for one keeps no slot from other adapters.
        let turn = self.some_turns(1).await?;
        let slot = self.slots(self.pool.weight()).await?;
        self.lease_with(slot, turn, tenant)
    }

    /// The same without waiting.
    pub fn try_lease(self: &Arc<Self>, tenant: &str) -> Result<Lease, PluginFault> {
        let turn = self.turns.as_ref().map(|turns| Arc::clone(&turns.free).try_acquire_owned());
        let turn = turn.transpose().map_err(|_| self.no_instance())?;
        self.lease_in(turn, tenant)
    }

    /// An instance that takes no turn of the adapter's, without waiting: a proof needs two of an adapter that may have
    /// one, and serves nobody.
    pub fn try_lease_for_proof(self: &Arc<Self>) -> Result<Lease, PluginFault> {
        self.lease_in(None, "")
    }

    fn lease_in(self: &Arc<Self>, turn: Option<OwnedSemaphorePermit>, tenant: &str) -> Result<Lease, PluginFault> {
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
        self.wait(Arc::clone(leases).acquire_many_owned(weight)).await
    }

    /// So many turns at once, as many as there are at the most; none where they are not limited.
    async fn some_turns(&self, count: u32) -> Result<Option<OwnedSemaphorePermit>, PluginFault> {
        let Some(turns) = &self.turns else { return Ok(None) };
        let count = count.min(turns.most);
        if let Ok(turn) = Arc::clone(&turns.free).try_acquire_many_owned(count) {
            return Ok(Some(turn));
        }
        self.wait(Arc::clone(&turns.free).acquire_many_owned(count)).await.map(Some)
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
        tenant: &str,
    ) -> Result<Lease, PluginFault> {
        if let Some(reason) = self.duty.suspended() {
            return Err(self.fault("lease", Failure::new(FaultKind::Quarantined, &*reason)));
        }
        let caller = stats::caller(tenant);
        self.stats.leased(caller);
        let instance = match self.pool.take(tenant) {
            Some(waiting) => waiting,
            None => self.make()?,
        };
        let tenant = (self.pool.isolation() == Isolation::Tenant).then(|| tenant.into());
        let (instance, adapter) = (Some(instance), Arc::clone(self));
        Ok(Lease { instance, tenant, caller, adapter, taken: 0, _turn: turn, _slot: slot })
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

    /// Runs a call that takes in so many bytes where it does no harm to others; none if there is no room for it.
    fn in_its_place<R: Send>(&self, bytes: usize, work: impl FnOnce() -> R + Send) -> Option<R> {
        let mut standing = self.stats.standing();
        while standing != Standing::Proved && is_worker() {
            let is_suspect = standing == Standing::Suspect;
            let patience = if is_suspect { SUSPECTS_PATIENCE } else { self.engine.limits().lease_wait };
            let aside = self.engine.aside(is_suspect);
            if aside.is_full() {
                return None;
            }
            let turn = tokio::task::block_in_place(|| aside.turn(patience))?;
            // While it waited, others of its calls may have shown what it is.
            let now = self.stats.standing();
            if now == standing {
                return tokio::task::block_in_place(|| turn.run(work));
            }
            standing = now;
        }
        Some(on_this_thread(bytes > self.engine.limits().blocking_above, work))
    }

    /// Ticks until the deadline of a call that takes in so many bytes.
    fn deadline(&self, bytes: usize) -> u64 {
        let more = self.engine.limits().call_per_mib.mul_f64(bytes as f64 / MIB);
        self.engine.ticks(self.call.saturating_add(more))
    }

    /// What a call that takes in so many bytes may hand back.
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

/// Leases of both sides of an exchange. Both slots are taken at once, and so are both turns of an adapter that is on both
/// sides; turns of two adapters are taken in one order, whichever side each is on. So exchanges that have one never wait
/// for each other's other.
pub async fn lease_pair(one: &Arc<Adapter>, other: &Arc<Adapter>, tenant: &str) -> Result<(Lease, Lease), PluginFault> {
    let (turn, other_turn) = turns_of_pair(one, other).await?;
    let mut slot = one.slots(one.pool.weight() + other.pool.weight()).await?;
    let Some(second) = slot.split(other.pool.weight() as usize) else {
        return Err(one.fault("lease", Failure::new(FaultKind::Host, "the slots of a pair cannot be parted")));
    };
    Ok((one.lease_with(slot, turn, tenant)?, other.lease_with(second, other_turn, tenant)?))
}

type Turn = Option<OwnedSemaphorePermit>;

async fn turns_of_pair(one: &Arc<Adapter>, other: &Arc<Adapter>) -> Result<(Turn, Turn), PluginFault> {
    if Arc::ptr_eq(one, other) {
        let mut turn = one.some_turns(2).await?;
        // An adapter that may have one instance serves both sides in one turn.
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

/// An instance, for one exchange. The contract's functions are its methods ([`crate::call`]).
///
/// Calls run where they are made: they take microseconds, less than handing them to another thread. One that takes in more
/// than [`Limits::blocking_above`](super::Limits::blocking_above) bytes first tells the runtime to move the worker's other
/// tasks elsewhere (`block_in_place`; on a current-thread runtime it just runs). One that goes to a component that missed a
/// deadline lately, or that is new, runs on one of a few threads for these; where too many of them do already, it answers
/// [`FaultKind::Exhausted`] and leaves the instance as it is. Callers need not decide anything.
///
/// After any other fault the instance is gone, and every further call answers [`FaultKind::Host`].
#[derive(Debug)]
pub struct Lease {
    // The order matters: the instance goes before its slot does.
    instance: Option<Box<Instance>>,
    /// Only where instances belong to tenants.
    tenant: Option<Box<str>>,
    /// Whose it is, as one bit of many.
    caller: u64,
    adapter: Arc<Adapter>,
    /// Bytes that its calls took in, all together.
    taken: usize,
    _turn: Option<OwnedSemaphorePermit>,
    _slot: OwnedSemaphorePermit,
}

impl Lease {
    /// Whose instance it is.
    pub fn adapter(&self) -> &Arc<Adapter> {
        &self.adapter
    }

    /// Whether a call has failed, so that there is no instance any more.
    pub fn is_spent(&self) -> bool {
        self.instance.is_none()
    }

    /// Gives the instance back: it serves others where the isolation allows that, and else a fresh one is made ahead in
    /// its place. Best called after the answer has left. Dropping the lease instead just drops the instance.
    pub fn release(mut self) {
        let Some(instance) = self.instance.take() else { return };
        let pool = &self.adapter.pool;
        if pool.isolation() != Isolation::Fresh {
            pool.keep(instance, self.tenant.take());
            return;
        }
        let used = instance.prepared();
        drop(instance);
        if !pool.wants_more() || self.adapter.duty.rests() {
            return;
        }
        let adapter = Arc::clone(&self.adapter);
        match Handle::try_current() {
            Ok(runtime) if pool.starts_slowly() => drop(runtime.spawn_blocking(move || adapter.make_ahead(used))),
            _ => adapter.make_ahead(used),
        }
    }

    /// Calls a function that may say that it cannot. One that says `internal` failed itself, as if it had trapped: the kits
    /// of languages with exceptions tell them so.
    pub(super) fn ask<R>(
        &mut self,
        function: &'static str,
        bytes: usize,
        call: impl FnOnce(&mut Instance) -> Said<R> + Send,
    ) -> Called<R>
    where
        R: Send,
    {
        match self.run(function, bytes, call)? {
            Err(error) if error.kind == ErrorKind::Internal => {
                let detail = clean(head(&error.message, EXCEPTION));
                let fault = self.adapter.fault(function, Failure::new(FaultKind::Exception, detail));
                self.adapter.stats.offended(Offence::new(fault.kind, self.caller, function, bytes));
                self.instance = None;
                Err(fault)
            }
            answered => Ok(answered),
        }
    }

    /// Calls into the instance under its deadline. `bytes` is what the call takes in, roughly.
    pub(super) fn run<R>(
        &mut self,
        function: &'static str,
        bytes: usize,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R> + Send,
    ) -> Result<R, PluginFault>
    where
        R: Send,
    {
        let adapter = &self.adapter;
        let Some(instance) = self.instance.as_deref_mut() else {
            return Err(
                adapter.fault(function, Failure::new(FaultKind::Host, "an earlier call on this instance failed"))
            );
        };
        self.taken = self.taken.saturating_add(bytes);
        let begun = Instant::now();
        let result = adapter.in_its_place(bytes, || {
            let _active = adapter.engine.ticker().begin();
            instance.arm(adapter.deadline(bytes), adapter.output(bytes));
            call(instance)
        });
        let Some(result) = result else {
            return Err(adapter.fault(function, Failure::new(FaultKind::Exhausted, "too many calls of its kind run")));
        };
        adapter.stats.called(begun.elapsed());
        let stderr = instance.store.data_mut().take_stderr();
        match result {
            Ok(value) => {
                if !stderr.is_empty() {
                    let said = clean(&String::from_utf8_lossy(&stderr));
                    tracing::debug!(adapter = %adapter.name, function, stderr = said, "adapter wrote to standard error");
                }
                Ok(value)
            }
            Err(error) => {
                let failure = Failure::of(&error, &stderr).at_input_of(bytes, self.taken);
                let fault = adapter.fault(function, failure);
                adapter.stats.offended(Offence::new(fault.kind, self.caller, function, bytes));
                self.instance = None;
                Err(fault)
            }
        }
    }
}

impl Adapter {
    /// Makes instances ahead, as many as are to lie ready.
    pub fn warm(&self) {
        let chat = [Interface::DialectChat, Interface::ProviderChat].into_iter().filter(|i| self.has(*i)).collect();
        let mut before = usize::MAX;
        while self.pool.wants_more() && before != self.pool.idle() {
            before = self.pool.idle();
            self.make_ahead(chat);
        }
    }

    /// Drops the instances that lie ready, of an adapter that is kept and does not serve.
    pub fn rest(&self) {
        self.duty.leave();
        self.pool.empty();
    }

    /// Lets the pool drop what has waited too long, and move where the engine has a new pool.
    pub fn sweep(&self, renewed: bool) {
        if self.duty.rests() {
            self.pool.empty();
        }
        self.pool.sweep();
        if !renewed {
            return;
        }
        match self.pool.renew() {
            Ok(()) if self.duty.rests() => {}
            Ok(()) => self.warm(),
            Err(error) => tracing::warn!(adapter = %self.name, error = %format!("{error:#}"), "memory not given back"),
        }
    }

    /// Makes an instance ahead. A failure is no request's, so it is only told in the log.
    pub(super) fn make_ahead(&self, interfaces: Interfaces) {
        self.stats.made();
        if let Err(error) = self.pool.make_ahead(interfaces) {
            tracing::debug!(adapter = %self.name, error = %format!("{error:#}"), "no instance made ahead");
        }
    }
}

/// Runs here; where it may take long, after telling the runtime, if its kind allows that.
fn on_this_thread<R>(long: bool, work: impl FnOnce() -> R) -> R {
    if long && is_worker() { tokio::task::block_in_place(work) } else { work() }
}

/// Whether this may be a thread on which others' tasks wait.
fn is_worker() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}
