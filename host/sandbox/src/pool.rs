//! Isolation: which instance serves which request.
//!
//! `Fresh` instances are made ahead and used once. A new one is made where another was just given back, after the answer
//! has left, in the slot that this one freed, so its memory is still in the cache; when none is ready, a request makes its
//! own. `Tenant` and `Shared` instances come back for the next request within the bounds of [`Reuse`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::OwnedSemaphorePermit;

use super::engine::Engine;
use super::footprint::Footprint;
use super::instance::{Instance, Interfaces, Template};
use super::limits::{Isolation, Reuse};

/// An instance that takes longer than this to make is made on a thread for blocking work.
const SLOW_START: Duration = Duration::from_micros(200);

/// The instances of one adapter that lie ready or idle.
#[derive(Debug)]
pub struct Pool {
    engine: Engine,
    template: ArcSwap<Template>,
    isolation: Isolation,
    reuse: Reuse,
    ready: usize,
    /// Pool slots that an instance takes.
    weight: u32,
    /// How long it took to make one.
    start: Duration,
    idle: Mutex<VecDeque<Idle>>,
}

/// An instance that waits. Its slot is given back after the instance is gone: fields are dropped in order.
#[derive(Debug)]
struct Idle {
    instance: Box<Instance>,
    /// Whose it is; none for an instance that served nobody, or everybody.
    tenant: Option<Box<str>>,
    _slot: OwnedSemaphorePermit,
}

/// How a pool behaves.
#[derive(Debug)]
pub struct Ways {
    /// Who shares an instance.
    pub isolation: Isolation,
    /// How long one is used again.
    pub reuse: Reuse,
    /// How many are made ahead.
    pub ready: u32,
    /// How many places one takes in the engine.
    pub weight: u32,
    /// How long one may take to be made.
    pub start: Duration,
}

impl Pool {
    /// An empty pool.
    pub fn new(engine: Engine, template: Arc<Template>, ways: Ways) -> Self {
        let Ways { isolation, reuse, ready, weight, start } = ways;
        let idle = Mutex::default();
        let template = ArcSwap::new(template);
        Self { engine, template, isolation, reuse, ready: ready as usize, weight, start, idle }
    }

    /// Who may meet in one instance.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Instances that lie ready or idle.
    pub fn idle(&self) -> usize {
        self.lock().len()
    }

    /// What all instances take, those at work too.
    pub fn footprint(&self) -> Arc<Footprint> {
        Arc::clone(self.template.load().footprint())
    }

    /// How many may lie here.
    fn capacity(&self) -> usize {
        if self.isolation == Isolation::Fresh { self.ready } else { self.reuse.idle as usize }
    }

    /// Slots of the engine's pool that an instance takes.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether making an instance takes so long that an async worker ought not to do it.
    pub(super) fn starts_slowly(&self) -> bool {
        self.start > SLOW_START
    }

    /// A waiting instance for this tenant.
    pub(super) fn take(&self, tenant: &str) -> Option<Box<Instance>> {
        let mut idle = self.lock();
        let current = self.template.load();
        loop {
            let at = match self.isolation {
                Isolation::Fresh | Isolation::Shared => idle.len().checked_sub(1)?,
                Isolation::Tenant => idle.iter().rposition(|one| one.tenant.as_deref() == Some(tenant))?,
            };
            let found = idle.remove(at)?;
            if Arc::ptr_eq(found.instance.template(), &current) && !self.is_too_old(&found.instance) {
                return Some(found.instance);
            }
        }
    }

    /// Makes an instance now.
    pub(super) fn make(&self) -> wasmtime::Result<Box<Instance>> {
        self.template.load().instantiate().map(Box::new)
    }

    /// Keeps an instance that served an exchange, if this pool does so.
    pub(super) fn keep(&self, mut instance: Box<Instance>, tenant: Option<Box<str>>) {
        instance.uses += 1;
        let worn = instance.uses >= self.reuse.uses
            || instance.store.data().memory_used() > self.reuse.memory
            || self.is_too_old(&instance)
            || !Arc::ptr_eq(instance.template(), &self.template.load());
        if !worn {
            self.store(instance, tenant);
        }
    }

    /// Whether another instance should be made ahead.
    pub(super) fn wants_more(&self) -> bool {
        self.isolation == Isolation::Fresh && self.lock().len() < self.ready
    }

    /// Makes an instance ahead, with the functions of these interfaces looked up.
    pub(super) fn make_ahead(&self, interfaces: Interfaces) -> wasmtime::Result<()> {
        let mut instance = self.make()?;
        instance.prepare(interfaces)?;
        self.store(instance, None);
        Ok(())
    }

    /// Drops what has waited too long.
    pub(super) fn sweep(&self) {
        let mut old = VecDeque::new();
        let mut idle = self.lock();
        if self.isolation == Isolation::Fresh {
            return;
        }
        while idle.front().is_some_and(|one| self.is_too_old(&one.instance)) {
            old.extend(idle.pop_front());
        }
        drop(idle);
    }

    /// Makes instances in the engine's current pool from now on, and drops those that wait in the former one.
    pub fn renew(&self) -> wasmtime::Result<()> {
        let twin = self.template.load().twin()?;
        self.template.store(Arc::new(twin));
        let waiting = std::mem::take(&mut *self.lock());
        drop(waiting);
        Ok(())
    }

    /// Drops all that wait.
    pub(super) fn empty(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        drop(waiting);
    }

    fn store(&self, instance: Box<Instance>, tenant: Option<Box<str>>) {
        // Without a slot for waiting instances it is dropped, so that those at work never lack one.
        let Ok(slot) = Arc::clone(self.engine.idle()).try_acquire_many_owned(self.weight) else { return };
        let mut idle = self.lock();
        idle.push_back(Idle { instance, tenant, _slot: slot });
        let oldest = if idle.len() > self.capacity() { idle.pop_front() } else { None };
        drop(idle);
        drop(oldest);
    }

    fn is_too_old(&self, instance: &Instance) -> bool {
        self.isolation != Isolation::Fresh && instance.made.elapsed() > self.reuse.age
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
