//! The adapters that serve now, and the versions that did before. One immutable snapshot, replaced in one step: a request
//! takes what it needs from the snapshot that it sees and keeps that to its end, whatever comes after.
//!
//! A version is *serving*, a *candidate* (on trial beside the one that serves, [`weir_sandbox::canary`]), or a former one
//! that is kept compiled: *retired* when a newer one replaced it, *rolled back* by the operator, or *quarantined*. Only a
//! retired one is a last good one, to which Weir returns of its own accord.

mod history;
mod lasting;
mod probation;
mod tallies;
mod versions;

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::decisions::{Instead, Keeper, Quarantined, TriedAgain};
use super::judge::Care;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::Trial;
use weir_sandbox::digest::Digest;
use weir_sandbox::engine::Engine;

pub use history::{Denied, Former, Service, Standing};
use tallies::Tallies;

/// Says whether adapters can serve side by side, and if not, why, naming both.
type Together = dyn Fn(&[&Adapter]) -> Result<(), String> + Send + Sync;

/// What serves, what did, and what was refused.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Raised with every change of what serves; a refusal alone changes nothing.
    pub generation: u64,
    /// What serves, by name.
    pub adapters: BTreeMap<Arc<str>, Arc<Adapter>>,
    /// Since when, and how it came to that.
    pub service: BTreeMap<Arc<str>, Service>,
    /// What was refused last, by the name that its file has. An adapter of the same name may serve on all the same.
    pub refused: BTreeMap<Arc<str>, Refusal>,
    /// What is tried beside the version that serves.
    pub trials: BTreeMap<Arc<str>, Arc<Trial>>,
    /// What served before, the latest first.
    pub former: BTreeMap<Arc<str>, Vec<Former>>,
    /// Bytes that are not to serve, whatever file brings them.
    pub quarantined: BTreeMap<Digest, Quarantined>,
    /// Bytes that were quarantined by the judge and are tried again.
    pub tried_again: BTreeMap<Digest, TriedAgain>,
    /// The version that the operator has rolled back from: its file is still there, and does not count.
    pub aside: BTreeMap<Arc<str>, Digest>,
    /// What serves, or served last, under the names of which something is held back: what is to serve after a restart.
    pub instead: BTreeMap<Arc<str>, Instead>,
}

/// Why a file does not serve.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Which bytes; none where they could not be read.
    pub digest: Option<Digest>,
    /// For the operator.
    pub reason: String,
    /// Since when.
    pub since: SystemTime,
}

/// How the catalog looks after adapters, by name.
#[derive(Debug, Clone, Default)]
pub struct Cares {
    /// For those without an entry of their own.
    pub usual: Care,
    /// For single ones.
    pub of: BTreeMap<String, Care>,
}

/// The adapters that serve now.
pub struct Catalog {
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is replaced, so that changes follow each other.
    changing: Mutex<()>,
    changed: watch::Sender<u64>,
    together: Box<Together>,
    cares: Cares,
    tallies: Tallies,
    keeper: OnceLock<Keeper>,
}

impl Catalog {
    /// Nothing serves yet. `together` is asked before a change whether what would serve then goes together.
    pub fn new(together: impl Fn(&[&Adapter]) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self {
            snapshot: ArcSwap::default(),
            changing: Mutex::default(),
            changed: watch::Sender::new(0),
            together: Box::new(together),
            cares: Cares::default(),
            tallies: Tallies::default(),
            keeper: OnceLock::new(),
        }
    }

    /// Looks after adapters in this way.
    #[must_use]
    pub fn with_cares(mut self, cares: Cares) -> Self {
        self.cares = cares;
        self
    }

    /// How the adapter of this name is looked after.
    pub fn care(&self, name: &str) -> &Care {
        self.cares.of.get(name).unwrap_or(&self.cares.usual)
    }

    /// The adapter of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Adapter>> {
        self.snapshot.load().adapters.get(name).cloned()
    }

    /// What serves now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Tells the generation of every snapshot from now on, for whoever derives tables from manifests.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How often each result has come of changing what serves under each name.
    pub fn activations(&self) -> Vec<(Arc<str>, &'static str, u64)> {
        self.tallies.all()
    }

    /// Records that a file was refused. What served under its name serves on.
    pub fn refuse(&self, name: &str, digest: Option<Digest>, reason: String) {
        let _changing = self.lock();
        let mut next = Snapshot::clone(&self.snapshot.load());
        if next.refused.get(name).is_some_and(|former| former.digest == digest && former.reason == reason) {
            return;
        }
        let serving = next.adapters.get(name).map(|adapter| adapter.digest.short());
        tracing::error!(adapter = name, reason, serving, "adapter refused");
        self.tallies.count(name, "refused");
        next.refused.insert(name.into(), Refusal { digest, reason, since: SystemTime::now() });
        self.snapshot.store(Arc::new(next));
    }

    /// Forgets that a file was refused, since what serves under its name is in its place again.
    pub fn pardon(&self, name: &str) {
        let _changing = self.lock();
        let mut next = Snapshot::clone(&self.snapshot.load());
        if next.refused.remove(name).is_some() {
            self.snapshot.store(Arc::new(next));
        }
    }

    /// Takes an adapter out of service and forgets that it was refused, and what served before it.
    pub fn remove(&self, name: &str) {
        let _changing = self.lock();
        let mut next = self.next();
        next.refused.remove(name);
        next.former.remove(name);
        next.trials.remove(name);
        next.aside.remove(name);
        next.service.remove(name);
        let Some(gone) = next.adapters.remove(name) else {
            next.generation -= 1;
            return self.store(next);
        };
        tracing::info!(adapter = name, "adapter unloaded");
        self.tallies.count(name, "unloaded");
        self.replace(next);
        gone.rest();
    }

    /// Drops instances that have waited too long and unloaded components, and after a burst gives memory back. To be
    /// called every few seconds, off the request path.
    pub fn sweep(&self, engine: &Engine) {
        let snapshot = self.snapshot.load();
        let renewed = engine.sweep() && engine.renew();
        let kept = snapshot.former.values().flatten().map(|former| &former.adapter);
        let tried = snapshot.trials.values().map(|trial| &trial.adapter);
        for adapter in snapshot.adapters.values().chain(kept).chain(tried) {
            adapter.sweep(renewed);
        }
    }

    fn next(&self) -> Snapshot {
        let mut next = Snapshot::clone(&self.snapshot.load());
        next.generation += 1;
        next
    }

    fn replace(&self, next: Snapshot) {
        let generation = next.generation;
        self.store(next);
        self.changed.send_replace(generation);
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Catalog {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("snapshot", &self.snapshot.load()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
