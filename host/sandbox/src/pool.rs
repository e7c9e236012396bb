//! Isolation: which instance serves which request.
//!
//! `Fresh` instances are made in advance and used once. A new one is made when another is released, after the answer
//! has been sent, in the slot just freed, whose memory is still cached; if none is ready, a request creates its own.
//! `Tenant` and `Shared` instances are reused within the limits of [`Reuse`]. With `Tenant`, an instance belongs to the
//! tenant of its first exchange until it is dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::OwnedSemaphorePermit;

use super::engine::Engine;
use super::footprint::Footprint;
use super::instance::{Instance, LARGE, Template};
use super::interface::Interfaces;
use super::limits::{Isolation, Reuse};

/// Creation time from which an instance is created on a thread for blocking work.
const SLOW_START: Duration = Duration::from_micros(200);

/// The ready or idle instances of one adapter.
#[derive(Debug)]
pub struct Pool {
    engine: Engine,
    template: ArcSwap<Template>,
    isolation: Isolation,
    /// The isolation once the component is proved reusable.
    proved: Isolation,
    is_proved: AtomicBool,
    /// Whether the component serves before its proof.
    awaits_proof: AtomicBool,
    reuse: Reuse,
    ready: usize,
    /// Number of the engine's slots that an instance takes.
    weight: u32,
    /// Measured time to create an instance.
    start: Duration,
    idle: Mutex<VecDeque<Idle>>,
    /// How many instances are being made in advance.
    being_made: AtomicUsize,
}

/// An idle instance. Fields are dropped in order, so the slot is released after the instance is gone.
#[derive(Debug)]
struct Idle {
    instance: Box<Instance>,
    _slot: OwnedSemaphorePermit,
}

/// Configuration of a pool.
#[derive(Debug)]
pub struct PoolConfig {
    /// Which exchanges may share an instance.
    pub isolation: Isolation,
    /// Which ones may share it once the component is proved reusable.
    pub proved: Isolation,
    /// Limits of reuse.
    pub reuse: Reuse,
    /// Number of instances made in advance.
    pub ready: u32,
    /// Number of the engine's slots that an instance takes.
    pub weight: u32,
    /// Measured time to create an instance.
    pub start: Duration,
}

impl Pool {
    /// Creates an empty pool.
    pub fn new(engine: Engine, template: Arc<Template>, ways: PoolConfig) -> Self {
        let PoolConfig { isolation, proved, reuse, ready, weight, start } = ways;
        let (idle, being_made) = (Mutex::default(), AtomicUsize::new(0));
        let (is_proved, awaits_proof) = (AtomicBool::new(false), AtomicBool::new(false));
        let (template, ready) = (ArcSwap::new(template), ready as usize);
        Self {
            engine,
            template,
            isolation,
            proved,
            is_proved,
            awaits_proof,
            reuse,
            ready,
            weight,
            start,
            idle,
            being_made,
        }
    }

    /// Which exchanges may share an instance.
    pub fn isolation(&self) -> Isolation {
        if self.awaits_proof() {
            return Isolation::Fresh;
        }
        if self.is_proved.load(Relaxed) { self.proved } else { self.isolation }
    }

    /// Whether the component is still to be proved.
    pub fn awaits_proof(&self) -> bool {
        self.awaits_proof.load(Relaxed)
    }

    /// Sets whether the component is still to be proved. Until then, every exchange has an instance of its own,
    /// whatever the configuration and the manifest say, and none is made in advance: the proof must meet no instance
    /// that served a client.
    pub fn set_awaits_proof(&self, awaits: bool) {
        self.awaits_proof.store(awaits, Relaxed);
    }

    /// Notes that used instances of the component answer exactly as fresh ones, so that its instances may be reused.
    pub fn prove_reusable(&self) {
        self.is_proved.store(true, Relaxed);
    }

    /// Number of ready or idle instances.
    pub fn idle(&self) -> usize {
        self.lock().len()
    }

    /// The current template.
    pub(crate) fn template(&self) -> Arc<Template> {
        self.template.load_full()
    }

    /// Resource use of all instances, including the leased ones.
    pub fn footprint(&self) -> Arc<Footprint> {
        Arc::clone(self.template.load().footprint())
    }

    /// Maximum number of ready or idle instances.
    fn capacity(&self) -> usize {
        if self.isolation() == Isolation::Fresh { self.ready } else { self.reuse.idle as usize }
    }

    /// Number of the engine's slots that an instance takes.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether creating an instance is too slow for an async worker.
    pub(super) fn starts_slowly(&self) -> bool {
        self.start > SLOW_START || self.engine.is_for_grants()
    }

    /// Takes an idle instance that this isolation allows, for a call with this much input: for `tenant` the one that
    /// served this tenant last, or an unused one; for `fresh` an unused one.
    ///
    /// A large instance is only taken for a large input: a stream keeps its instance, and with it all of its memory,
    /// until it ends.
    pub(super) fn take(&self, tenant: &str, isolation: Isolation, bytes: usize) -> Option<Box<Instance>> {
        let mut idle = self.lock();
        let current = self.template.load();
        loop {
            let at = match isolation {
                // Another exchange may have kept its instance since the isolation was read.
                Isolation::Fresh => idle.iter().rposition(|one| one.instance.uses == 0)?,
                Isolation::Shared => place_for(&idle, None, bytes >= LARGE)?,
                Isolation::Tenant => place_for(&idle, Some(tenant), bytes >= LARGE)?,
            };
            let found = idle.remove(at)?;
            if Arc::ptr_eq(found.instance.template(), &current) && !self.is_too_old(&found.instance) {
                return Some(found.instance);
            }
        }
    }

    /// Creates an instance now.
    pub(super) fn make(&self) -> wasmtime::Result<Box<Instance>> {
        self.template.load().instantiate().map(Box::new)
    }

    /// Keeps an instance that served an exchange, unless it is worn out.
    pub(super) fn keep(&self, mut instance: Box<Instance>) {
        instance.uses += 1;
        let worn = instance.uses >= self.reuse.uses
            || instance.store.data().memory_used() > self.reuse.memory
            || instance.is_large() && self.engine.growth().is_scarce()
            || self.is_too_old(&instance)
            || !Arc::ptr_eq(instance.template(), &self.template.load());
        if !worn {
            self.store(instance);
        }
    }

    /// Whether another instance should be made in advance.
    pub(super) fn wants_more(&self) -> bool {
        let has_room = |idle: usize| idle + self.being_made.load(Relaxed) < self.ready;
        self.isolation() != Isolation::Shared && !self.awaits_proof() && has_room(self.lock().len())
    }

    /// Counts an instance that will be made in advance as one that is ready, until [`Pool::end_ahead`].
    pub(super) fn begin_ahead(&self) {
        self.being_made.fetch_add(1, Relaxed);
    }

    /// Counts it no longer.
    pub(super) fn end_ahead(&self) {
        self.being_made.fetch_sub(1, Relaxed);
    }

    /// Makes an instance in advance, with what calls of these interfaces would look up in it.
    pub(super) fn make_ahead(&self, interfaces: Interfaces) -> wasmtime::Result<()> {
        let mut instance = self.make()?;
        instance.look_up_ahead(interfaces)?;
        self.store(instance);
        Ok(())
    }

    /// Drops instances that have become too old.
    pub(super) fn sweep(&self) {
        let mut old = VecDeque::new();
        let mut idle = self.lock();
        if self.isolation() == Isolation::Fresh {
            return;
        }
        while idle.front().is_some_and(|one| self.is_too_old(&one.instance)) {
            old.extend(idle.pop_front());
        }
        drop(idle);
    }

    /// Creates further instances in the engine's current pool, and drops idle ones of the former pool.
    pub fn renew(&self) -> wasmtime::Result<()> {
        // Instances of components with grants do not come from wasmtime's pool.
        if self.engine.is_for_grants() {
            return Ok(());
        }
        let reloaded = self.template.load().reloaded()?;
        self.template.store(Arc::new(reloaded));
        let waiting = std::mem::take(&mut *self.lock());
        drop(waiting);
        Ok(())
    }

    /// Drops all idle instances.
    pub(super) fn empty(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        drop(waiting);
    }

    fn store(&self, instance: Box<Instance>) {
        // Without a slot for idle instances it is dropped, so that leases never lack one.
        let Ok(slot) = Arc::clone(self.engine.idle()).try_acquire_many_owned(self.weight) else { return };
        let mut idle = self.lock();
        idle.push_back(Idle { instance, _slot: slot });
        let oldest = if idle.len() > self.capacity() { idle.pop_front() } else { None };
        drop(idle);
        drop(oldest);
    }

    fn is_too_old(&self, instance: &Instance) -> bool {
        self.isolation() != Isolation::Fresh && instance.made.elapsed() > self.reuse.age
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last used instance of this tenant, or else one without a tenant; `None` in place of a tenant is all of them.
fn place_for(idle: &VecDeque<Idle>, tenant: Option<&str>, is_large: bool) -> Option<usize> {
    let own = |one: &Idle| tenant.is_none() || one.instance.tenant.as_deref() == tenant;
    let large = || idle.iter().rposition(|one| own(one) && one.instance.is_large());
    let small = || idle.iter().rposition(|one| own(one) && !one.instance.is_large());
    let found = if is_large { large().or_else(small) } else { small() };
    found.or_else(|| idle.iter().rposition(|one| one.instance.tenant.is_none()))
}
