//! What is known of versions: which serve, which did, which are not to.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::decisions::{self, keep_the_latest};
use super::{Refusal, Snapshot};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::Trial;
use weir_sandbox::digest::Digest;

/// How a version came to serve.
#[derive(Debug, Clone)]
pub struct Service {
    /// Since when it serves.
    pub since: SystemTime,
    /// Why, for the operator.
    pub cause: String,
}

/// Why a former version serves no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Another one took its place. It was good: Weir returns to it where that one fails.
    Retired,
    /// The operator went back to an earlier one.
    RolledBack,
    /// It failed too often, or the operator said so.
    Quarantined,
}

impl Standing {
    /// As operators read it.
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
    /// That version, compiled.
    pub adapter: Arc<Adapter>,
    /// Why it serves no more.
    pub standing: Standing,
    /// Since when.
    pub since: SystemTime,
}

/// Why the operator cannot have what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing is known under this name.
    #[error("there is no adapter `{0}`")]
    Unknown(String),
    /// It cannot be done now.
    #[error("{0}")]
    Impossible(String),
}

impl Snapshot {
    /// Why these bytes are not to serve under this name although nothing is wrong with the file.
    pub fn held(&self, name: &str, digest: Digest) -> Option<String> {
        decisions::held(self.quarantined.get(&digest), self.aside.get(name) == Some(&digest))
    }

    /// What the version that stands for a name is now, as operators read it.
    pub fn state(&self, adapter: &Adapter) -> &'static str {
        match adapter.duty.suspended() {
            None => "serving",
            Some(_) if self.quarantined.contains_key(&adapter.digest) => Standing::Quarantined.name(),
            Some(_) => Standing::RolledBack.name(),
        }
    }

    /// Whether it is plain what became of these bytes: they serve, are tried, or were turned away.
    pub(in super::super) fn accounts_for(&self, name: &str, digest: Digest) -> bool {
        self.adapters.get(name).is_some_and(|adapter| adapter.digest == digest)
            || self.trials.get(name).is_some_and(|trial| trial.adapter.digest == digest)
            || self.refused.get(name).is_some_and(|refusal| refusal.digest == Some(digest))
            || self.held(name, digest).is_some()
    }

    /// A version of these bytes that is kept, whether it serves or not.
    pub fn version(&self, name: &str, digest: Digest) -> Option<&Arc<Adapter>> {
        self.versions(name).find(|adapter| adapter.digest == digest)
    }

    /// All versions of an adapter: the one that serves, the one that is tried, the former ones.
    pub fn versions(&self, name: &str) -> impl Iterator<Item = &Arc<Adapter>> {
        let former = self.former.get(name).into_iter().flatten().map(|former| &former.adapter);
        let tried = self.trials.get(name).map(|trial| &trial.adapter);
        self.adapters.get(name).into_iter().chain(tried).chain(former)
    }

    pub(super) fn knows(&self, name: &str) -> Result<(), Denied> {
        let known = self.adapters.contains_key(name) || self.refused.contains_key(name);
        if known { Ok(()) } else { Err(Denied::Unknown(name.to_owned())) }
    }

    pub(super) fn refuse(&mut self, name: &str, digest: Digest, reason: String) {
        let refusal = Refusal { digest: Some(digest), reason, since: SystemTime::now() };
        self.refused.insert(name.into(), refusal);
    }

    /// Forgets a refusal of these bytes.
    pub(super) fn pardon(&mut self, name: &str, digest: Digest) {
        if self.refused.get(name).is_some_and(|refusal| refusal.digest == Some(digest)) {
            self.refused.remove(name);
        }
    }

    /// Ends a trial, whatever it came to.
    pub(super) fn end_trial(&mut self, name: &str) -> Option<Arc<Trial>> {
        if let Some(serving) = self.adapters.get(name) {
            serving.duty.set_trial(None);
        }
        self.trials.remove(name)
    }

    /// Remembers that the operator does not want the file's version; where that was told already, of which file.
    pub(super) fn set_aside(&mut self, name: &str, digest: Digest) {
        let aside = *self.aside.entry(name.into()).or_insert(digest);
        if let Some(reason) = self.held(name, aside) {
            self.refuse(name, aside, reason);
        }
    }

    /// The last version that was good to the end.
    pub(super) fn last_good(&self, name: &str) -> Option<Arc<Adapter>> {
        let mut kept = self.former.get(name)?.iter();
        let good = |former: &&Former| {
            former.standing == Standing::Retired && !self.quarantined.contains_key(&former.adapter.digest)
        };
        kept.find(good).map(|former| Arc::clone(&former.adapter))
    }

    /// Bounds how many digests are remembered as quarantined.
    pub(super) fn forget_the_oldest(&mut self) {
        keep_the_latest(&mut self.quarantined, |quarantined| quarantined.since);
    }
}
