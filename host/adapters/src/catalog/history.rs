//! The history of versions: serving, former and refused.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::decisions::{self, keep_the_latest};
use super::{Conflict, Refusal, Snapshot};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::Trial;
use weir_sandbox::digest::Digest;

/// Since when a version serves, and why.
#[derive(Debug, Clone)]
pub struct Service {
    /// Start of service.
    pub since: SystemTime,
    /// The cause, for the operator.
    pub cause: String,
}

/// Why a former version no longer serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormerState {
    /// A newer version replaced it. It was good: Weir returns to it if the newer one fails.
    Retired,
    /// The operator went back to an earlier version.
    RolledBack,
    /// It failed too often, or the operator quarantined it.
    Quarantined,
}

impl FormerState {
    /// The name that operators see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::RolledBack => "rolled back",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A version that served before.
#[derive(Debug, Clone)]
pub struct Former {
    /// The compiled version.
    pub adapter: Arc<Adapter>,
    /// Why it no longer serves.
    pub status: FormerState,
    /// Since when it no longer serves.
    pub since: SystemTime,
}

/// Why a request of the operator is denied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeDenied {
    /// No adapter has this name.
    #[error("there is no adapter `{0}`")]
    Unknown(String),
    /// The request is impossible now; the text is the reason.
    #[error("{0}")]
    Impossible(String),
}

impl From<Conflict> for ChangeDenied {
    fn from(conflict: Conflict) -> Self {
        Self::Impossible(conflict.to_string())
    }
}

impl Snapshot {
    /// Why these bytes must not serve under this name, although the file itself is sound.
    pub fn held(&self, name: &str, digest: Digest) -> Option<String> {
        decisions::held(self.quarantined.get(&digest), self.aside.get(name) == Some(&digest))
    }

    /// The state of the version in a name's place, as operators see it.
    pub fn state(&self, adapter: &Adapter) -> &'static str {
        match adapter.state.suspended() {
            None => "serving",
            Some(_) if self.quarantined.contains_key(&adapter.digest) => FormerState::Quarantined.name(),
            Some(_) if self.aside.contains_key(&adapter.name) => FormerState::RolledBack.name(),
            // It cannot serve without a grant that was withdrawn.
            Some(_) => "suspended",
        }
    }

    /// Whether the fate of these bytes is settled: they serve, are on trial, were refused, or are held back.
    pub(in super::super) fn accounts_for(&self, name: &str, digest: Digest) -> bool {
        self.adapters.get(name).is_some_and(|adapter| adapter.digest == digest)
            || self.trials.get(name).is_some_and(|trial| trial.adapter.digest == digest)
            || self.refused.get(name).is_some_and(|refusal| refusal.digest == Some(digest))
            || self.held(name, digest).is_some()
    }

    /// A version with this digest that is kept, whether it serves or not.
    pub fn version(&self, name: &str, digest: Digest) -> Option<&Arc<Adapter>> {
        self.versions(name).find(|adapter| adapter.digest == digest)
    }

    /// All versions of an adapter: the serving one, the one on trial, the former ones.
    pub fn versions(&self, name: &str) -> impl Iterator<Item = &Arc<Adapter>> {
        let former = self.former.get(name).into_iter().flatten().map(|former| &former.adapter);
        let tried = self.trials.get(name).map(|trial| &trial.adapter);
        self.adapters.get(name).into_iter().chain(tried).chain(former)
    }

    pub(super) fn knows(&self, name: &str) -> Result<(), ChangeDenied> {
        let known = self.adapters.contains_key(name) || self.refused.contains_key(name);
        if known { Ok(()) } else { Err(ChangeDenied::Unknown(name.to_owned())) }
    }

    pub(super) fn refuse(&mut self, name: &str, digest: Digest, reason: String) {
        let refusal = Refusal { digest: Some(digest), reason, since: SystemTime::now() };
        self.refused.insert(name.into(), refusal);
    }

    /// Clears the refusal of these bytes.
    pub(super) fn clear_refusal(&mut self, name: &str, digest: Digest) {
        if self.refused.get(name).is_some_and(|refusal| refusal.digest == Some(digest)) {
            self.refused.remove(name);
        }
    }

    /// Ends a trial, whatever its result.
    pub(super) fn end_trial(&mut self, name: &str) -> Option<Arc<Trial>> {
        self.trials.remove(name)
    }

    /// Records that the operator rolled back from a version. If one is recorded already, that one stays.
    pub(super) fn set_aside(&mut self, name: &str, digest: Digest) {
        let aside = *self.aside.entry(name.into()).or_insert(digest);
        if let Some(reason) = self.held(name, aside) {
            self.refuse(name, aside, reason);
        }
    }

    /// The latest former version that was good until it was replaced.
    pub(super) fn last_good(&self, name: &str) -> Option<Arc<Adapter>> {
        let mut kept = self.former.get(name)?.iter();
        let good = |former: &&Former| {
            former.status == FormerState::Retired && !self.quarantined.contains_key(&former.adapter.digest)
        };
        kept.find(good).map(|former| Arc::clone(&former.adapter))
    }

    /// Bounds the number of quarantined digests.
    pub(super) fn forget_the_oldest(&mut self) {
        keep_the_latest(&mut self.quarantined, |quarantined| quarantined.since);
    }
}
