//! The adapters in service, and their former versions. The state is one immutable snapshot, replaced in one step: a
//! request keeps the snapshot that it loaded to its end, whatever changes meanwhile.
//!
//! A version is *serving*, a *candidate* (on trial beside the serving one, [`weir_sandbox::canary`]), or a former one
//! that is kept compiled: *retired* when a newer one replaced it, *rolled back* by the operator, or *quarantined*. Only
//! a retired version counts as good, so that Weir returns to it by itself.

mod history;
mod lasting;
mod probation;
mod tallies;
mod trials;
mod versions;

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::decisions::{Keeper, Quarantined, StandIn, TriedAgain};
use super::rollout_policy::RolloutPolicy;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::Trial;
use weir_sandbox::digest::Digest;
use weir_sandbox::engine::Engine;
use weir_sandbox::grants::Grants;

pub use history::{ChangeDenied, Former, FormerState, Service};
use tallies::Tallies;
use trials::AskedTrials;

/// Why adapters cannot serve side by side: the words name both adapters in conflict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Conflict(pub String);

/// Checks whether adapters can serve side by side.
type Together = dyn Fn(&[&Adapter]) -> Result<(), Conflict> + Send + Sync;

/// The state of all adapters: serving, former and refused.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Incremented with every change of the serving adapters; a refusal alone does not change it.
    pub generation: u64,
    /// The serving adapters, by name.
    pub adapters: BTreeMap<Arc<str>, Arc<Adapter>>,
    /// Since when each adapter serves, and why.
    pub service: BTreeMap<Arc<str>, Service>,
    /// The last refusal of each file, by its name. An adapter of the same name may still serve.
    pub refused: BTreeMap<Arc<str>, Refusal>,
    /// Versions on trial beside the serving one.
    pub trials: BTreeMap<Arc<str>, Arc<Trial>>,
    /// Former versions, latest first.
    pub former: BTreeMap<Arc<str>, Vec<Former>>,
    /// Digests that must not serve, whichever file contains them.
    pub quarantined: BTreeMap<Digest, Quarantined>,
    /// Digests that the judge quarantined and that are on probation again.
    pub tried_again: BTreeMap<Digest, TriedAgain>,
    /// The version that the operator rolled back from. Its file is still there, and is ignored.
    pub aside: BTreeMap<Arc<str>, Digest>,
    /// The version that serves, or served last, in place of one that is held back. It serves again after a restart.
    pub instead: BTreeMap<Arc<str>, StandIn>,
}

/// Why a file does not serve.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The refused bytes; `None` if they could not be read.
    pub digest: Option<Digest>,
    /// The reason, for the operator.
    pub reason: String,
    /// Time of the refusal.
    pub since: SystemTime,
}

/// The rollout policies of adapters, by name.
#[derive(Debug, Clone, Default)]
pub struct RolloutPolicies {
    /// For adapters without an entry of their own.
    pub usual: RolloutPolicy,
    /// For single adapters.
    pub of: BTreeMap<String, RolloutPolicy>,
}

/// The catalog of adapters. Readers take snapshots; changes are serialised.
pub struct Catalog {
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is replaced, so that changes are serialised.
    changing: Mutex<()>,
    changed: watch::Sender<u64>,
    together: Box<Together>,
    policies: RolloutPolicies,
    tallies: Tallies,
    asked_trials: AskedTrials,
    keeper: OnceLock<Keeper>,
    /// Whether the program starts, so that the log has a summary of what is loaded.
    is_starting: AtomicBool,
}

impl Catalog {
    /// Creates an empty catalog. `together` checks before each change whether the resulting adapters can serve side by
    /// side.
    pub fn new(together: impl Fn(&[&Adapter]) -> Result<(), Conflict> + Send + Sync + 'static) -> Self {
        Self {
            snapshot: ArcSwap::default(),
            changing: Mutex::default(),
            changed: watch::Sender::new(0),
            together: Box::new(together),
            policies: RolloutPolicies::default(),
            tallies: Tallies::default(),
            asked_trials: AskedTrials::default(),
            keeper: OnceLock::new(),
            is_starting: AtomicBool::new(false),
        }
    }

    /// Sets whether the program starts. What is loaded and proved then has the log target [`START`], because the many
    /// lines of one start have a summary.
    ///
    /// [`START`]: crate::START
    pub fn set_starting(&self, is_starting: bool) {
        self.is_starting.store(is_starting, Relaxed);
    }

    /// Whether the program starts.
    pub fn is_starting(&self) -> bool {
        self.is_starting.load(Relaxed)
    }

    /// Sets the rollout policies.
    #[must_use]
    pub fn with_policies(mut self, policies: RolloutPolicies) -> Self {
        self.policies = policies;
        self
    }

    /// The rollout policy of the adapter with this name.
    pub(crate) fn care(&self, name: &str) -> &RolloutPolicy {
        self.policies.of.get(name).unwrap_or(&self.policies.usual)
    }

    /// The adapter with this name.
    pub fn get(&self, name: &str) -> Option<Arc<Adapter>> {
        self.snapshot.load().adapters.get(name).cloned()
    }

    /// The current state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// A receiver of every further snapshot's generation, for tables that are derived from manifests.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How often each kind of change has happened to each name.
    pub fn activations(&self) -> Vec<(Arc<str>, &'static str, u64)> {
        self.tallies.all()
    }

    /// Checks whether an adapter can serve beside the others, in the place of the one with its name.
    pub(crate) fn check_beside(&self, adapter: &Arc<Adapter>) -> Result<(), Conflict> {
        let mut serving = self.snapshot.load().adapters.clone();
        serving.insert(Arc::clone(&adapter.name), Arc::clone(adapter));
        (self.together)(&serving.values().map(|adapter| &**adapter).collect::<Vec<&Adapter>>())
    }

    /// Records that a file was refused. The adapter of its name keeps serving.
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

    /// Takes a version that failed its proof while it served out of service, and refuses its file. It is not kept, so
    /// that nothing returns to it.
    pub(crate) fn expel(&self, adapter: &Arc<Adapter>, reason: &str) {
        let _changing = self.lock();
        let mut next = self.next();
        let name = &adapter.name;
        tracing::error!(adapter = %name, reason, "adapter refused: it failed its proof, and leaves service");
        self.tallies.count(name, "refused");
        if let Some(former) = next.former.get_mut(name) {
            former.retain(|former| !Arc::ptr_eq(&former.adapter, adapter));
        }
        if next.adapters.get(name).is_some_and(|serving| Arc::ptr_eq(serving, adapter)) {
            next.end_trial(name).into_iter().for_each(|trial| trial.adapter.rest());
            next.adapters.remove(name);
            next.service.remove(name);
            next.refuse(name, adapter.digest, reason.to_owned());
        }
        self.replace(next);
        adapter.rest();
    }

    /// Clears the refusal of a file, because its adapter is in place again.
    pub(crate) fn clear_refusal(&self, name: &str) {
        let _changing = self.lock();
        let mut next = Snapshot::clone(&self.snapshot.load());
        if next.refused.remove(name).is_some() {
            self.snapshot.store(Arc::new(next));
        }
    }

    /// Takes an adapter out of service, and forgets its refusal and its former versions.
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

    /// Drops the former versions and the trial of an adapter that were loaded with other grants than these.
    pub(super) fn forget_grants_but(&self, name: &str, grants: &Grants) {
        let _changing = self.lock();
        let mut next = self.next();
        if let Some(former) = next.former.get_mut(name) {
            former.retain(|former| former.adapter.grants == *grants);
        }
        if next.trials.get(name).is_some_and(|trial| trial.adapter.grants != *grants)
            && let Some(trial) = next.end_trial(name)
        {
            trial.adapter.rest();
        }
        self.replace(next);
    }

    /// Drops instances that have idled too long and unloaded components, and frees memory after a burst. Must be called
    /// every few seconds, off the request path.
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
        // Only now: a change that is not accepted leaves a trial as it is.
        let before = self.snapshot();
        let has_ended = |(name, _): &(&Arc<str>, &Arc<Adapter>)| {
            before.trials.contains_key(*name) && !next.trials.contains_key(*name)
        };
        before.adapters.iter().filter(has_ended).for_each(|(_, serving)| serving.state.set_trial(None));
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
