//! The state of a loaded adapter that changes while requests hold it: resting, suspended, on trial.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

use super::canary::Trial;

/// The mutable state of an adapter.
#[derive(Debug, Default)]
pub struct AdapterState {
    /// Whether it is kept without serving, so that no instances are made in advance.
    resting: AtomicBool,
    /// Why it must not run; its manifest still counts.
    suspended: ArcSwapOption<String>,
    /// Why it must never run again, whatever the decisions about its version.
    barred: OnceLock<Arc<String>>,
    /// The trial of its successor, which gets a share of its exchanges.
    trial: ArcSwapOption<Trial>,
}

impl AdapterState {
    /// Whether the adapter is kept without serving.
    pub fn rests(&self) -> bool {
        self.resting.load(Relaxed)
    }

    /// Why the adapter must not run; `None` if it may.
    pub fn suspended(&self) -> Option<Arc<String>> {
        self.barred.get().cloned().or_else(|| self.suspended.load_full())
    }

    /// The trial of its successor, if one is in progress.
    pub fn trial(&self) -> Option<Arc<Trial>> {
        self.trial.load_full()
    }

    /// Whether the adapter must never run again. Its file may be loaded again.
    pub fn is_barred(&self) -> bool {
        self.barred.get().is_some()
    }

    /// Puts the adapter in service and clears the rest of its state.
    pub fn begin(&self) {
        self.resting.store(false, Relaxed);
        self.suspended.store(None);
        self.trial.store(None);
    }

    pub(super) fn leave(&self) {
        self.resting.store(true, Relaxed);
        self.trial.store(None);
    }

    /// Suspends the adapter for this reason.
    pub fn suspend(&self, reason: &str) {
        self.suspended.store(Some(Arc::new(reason.to_owned())));
    }

    /// Bars the adapter from running ever again, for this reason.
    pub fn bar(&self, reason: &str) {
        let _first_reason = self.barred.set(Arc::new(reason.to_owned()));
    }

    /// Starts or ends the trial of its successor.
    pub fn set_trial(&self, trial: Option<Arc<Trial>>) {
        self.trial.store(trial);
    }
}
