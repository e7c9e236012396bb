//! Whether a loaded adapter is to serve now: what changes in its life while requests hold on to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

use super::canary::Trial;

/// The changing part of an adapter.
#[derive(Debug, Default)]
pub struct Duty {
    /// Kept, but not serving: nothing is made ahead for it.
    resting: AtomicBool,
    /// Why it must not run, although what its manifest says still counts.
    suspended: ArcSwapOption<String>,
    /// The version that gets a share of its exchanges.
    trial: ArcSwapOption<Trial>,
}

impl Duty {
    /// Whether it is kept without serving.
    pub fn rests(&self) -> bool {
        self.resting.load(Relaxed)
    }

    /// Why it must not run, if so.
    pub fn suspended(&self) -> Option<Arc<String>> {
        self.suspended.load_full()
    }

    /// The trial of its successor, while there is one.
    pub fn trial(&self) -> Option<Arc<Trial>> {
        self.trial.load_full()
    }

    /// It serves from now on.
    pub fn begin(&self) {
        self.resting.store(false, Relaxed);
        self.suspended.store(None);
        self.trial.store(None);
    }

    pub(super) fn leave(&self) {
        self.resting.store(true, Relaxed);
        self.trial.store(None);
    }

    /// It must not run any more; why.
    pub fn suspend(&self, reason: &str) {
        self.suspended.store(Some(Arc::new(reason.to_owned())));
    }

    /// Begins or ends the trial of its successor.
    pub fn set_trial(&self, trial: Option<Arc<Trial>>) {
        self.trial.store(trial);
    }
}
