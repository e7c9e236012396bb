//! Transitions between versions: publish, try, roll back, quarantine, return.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::decisions::{DecidedBy, Quarantined};
use super::{Catalog, ChangeDenied, Conflict, Former, FormerState, Service, Snapshot};
use crate::START;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::digest::Digest;

/// Number of former versions of each adapter that are kept compiled.
pub(super) const KEPT: usize = 3;

/// How one version replaces another.
pub(super) struct Change<'a> {
    pub(super) cause: &'a str,
    /// The status of the replaced version.
    pub(super) status: FormerState,
    /// Label for the metrics.
    pub(super) result: &'static str,
}

impl Catalog {
    /// Puts an adapter in the place of the one with its name, or on trial beside it if its policy requires that. If it
    /// conflicts with the others, returns the reason, and the former one serves on.
    pub fn publish(&self, adapter: &Arc<Adapter>) -> Result<(), Conflict> {
        let changing = self.lock();
        let mut next = self.next();
        let name = Arc::clone(&adapter.name);
        next.refused.remove(&name);
        next.aside.remove(&name);
        let trial = next.adapters.get(&name).and_then(|serving| self.trial(adapter, serving));
        let change = Change { cause: "found in the plugins folder", status: FormerState::Retired, result: "activated" };
        let done = match trial {
            Some(trial) => self.try_out(next, trial),
            None => self.serve(next, adapter, &change),
        };
        drop(changing);
        if let Err(conflict) = &done {
            self.refuse(&name, Some(adapter.digest), conflict.to_string());
        }
        done
    }

    /// Puts an adapter in service; the previous version is kept.
    pub(super) fn serve(
        &self,
        mut next: Snapshot,
        adapter: &Arc<Adapter>,
        change: &Change<'_>,
    ) -> Result<(), Conflict> {
        let name = Arc::clone(&adapter.name);
        let trial = next.trials.remove(&name);
        let before = next.adapters.insert(Arc::clone(&name), Arc::clone(adapter));
        (self.together)(&next.adapters.values().map(|adapter| &**adapter).collect::<Vec<&Adapter>>())?;
        adapter.state.begin();
        adapter.warm();
        let since = SystemTime::now();
        next.service.insert(Arc::clone(&name), Service { since, cause: change.cause.to_owned() });
        let former = next.former.entry(Arc::clone(&name)).or_default();
        former.retain(|kept| kept.adapter.digest != adapter.digest);
        let before = before.filter(|before| !Arc::ptr_eq(before, adapter));
        // A rollback must not restore former grants.
        former.retain(|kept| kept.adapter.grants == adapter.grants);
        let stays = |before: &Arc<Adapter>| before.digest != adapter.digest && before.grants == adapter.grants;
        if let Some(before) = before.clone().filter(stays) {
            former.insert(0, Former { adapter: before, status: change.status, since });
            former.truncate(KEPT);
        }
        let (digest, version) = (adapter.digest.short(), &adapter.manifest.version);
        if self.is_starting() {
            tracing::info!(target: START, adapter = %name, digest, version, cause = change.cause, "adapter serves");
        } else {
            tracing::info!(adapter = %name, digest, version, cause = change.cause, "adapter serves");
        }
        self.tallies.count(&name, change.result);
        self.replace(next);
        let tried = trial.map(|trial| Arc::clone(&trial.adapter)).filter(|tried| !Arc::ptr_eq(tried, adapter));
        [before, tried].into_iter().flatten().for_each(|left| left.rest());
        Ok(())
    }

    /// Goes back to the last good version, until another file arrives or the operator activates a version. If a version
    /// is on trial, that one is rolled back.
    pub fn roll_back(&self, name: &str) -> Result<Arc<Adapter>, ChangeDenied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        if let Some(trial) = next.end_trial(name) {
            let serving = next.adapters.get(name).cloned().ok_or_else(|| nothing_on_trial(name))?;
            next.set_aside(name, trial.adapter.digest);
            self.tallies.count(name, "rolled_back");
            self.replace(next);
            trial.adapter.rest();
            return Ok(serving);
        }
        let none = || ChangeDenied::Impossible(format!("no earlier good version of `{name}` is kept"));
        let earlier = next.last_good(name).ok_or_else(none)?;
        if let Some(serving) = next.adapters.get(name).map(|serving| serving.digest) {
            next.set_aside(name, serving);
        }
        let change =
            Change { cause: "rolled back by the operator", status: FormerState::RolledBack, result: "rolled_back" };
        self.serve(next, &earlier, &change)?;
        Ok(earlier)
    }

    /// Puts a version that is kept in service.
    pub fn activate(&self, name: &str, digest: Digest) -> Result<Arc<Adapter>, ChangeDenied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        if let Some(quarantined) = next.quarantined.get(&digest) {
            let message = format!("it is quarantined ({}); release it first", quarantined.reason);
            return Err(ChangeDenied::Impossible(message));
        }
        let Some(chosen) = next.version(name, digest).cloned() else {
            let message = format!("no version of `{name}` with the digest {digest} is kept; put its file in place");
            return Err(ChangeDenied::Impossible(message));
        };
        if let Some(reason) = chosen.state.suspended().filter(|_| chosen.state.is_barred()) {
            return Err(ChangeDenied::Impossible(reason.to_string()));
        }
        let serving = next.adapters.get(name).map(|serving| serving.digest);
        if serving == Some(digest) && !next.trials.contains_key(name) && chosen.state.suspended().is_none() {
            return Ok(chosen);
        }
        let left = next.trials.get(name).map(|trial| trial.adapter.digest).or(serving);
        if next.aside.get(name) == Some(&digest) {
            next.aside.remove(name);
        } else if let Some(left) = left.filter(|left| *left != digest) {
            next.set_aside(name, left);
        }
        next.clear_refusal(name, digest);
        next.end_trial(name);
        let change =
            Change { cause: "activated by the operator", status: FormerState::RolledBack, result: "activated" };
        self.serve(next, &chosen, &change)?;
        Ok(chosen)
    }

    /// Keeps these bytes from serving until they are released. If they serve, the last good version returns; if there
    /// is none, the component no longer runs, and calls of it fail with the reason.
    pub fn quarantine(&self, name: &str, digest: Digest, reason: &str, by: DecidedBy) -> Result<(), ChangeDenied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        if next.quarantined.contains_key(&digest) {
            return Err(ChangeDenied::Impossible("it is quarantined already".to_owned()));
        }
        tracing::error!(adapter = name, %digest, reason, "adapter quarantined");
        self.tallies.count(name, "quarantined");
        let since = SystemTime::now();
        let times = next.times(digest, since) + 1;
        let (owner, why) = (name.to_owned(), reason.to_owned());
        next.quarantined.insert(digest, Quarantined { name: owner, reason: why, since, by, times });
        next.forget_the_oldest();
        next.refuse(name, digest, format!("quarantined: {reason}"));
        for former in next.former.get_mut(name).into_iter().flatten() {
            if former.adapter.digest == digest {
                (former.status, former.since) = (FormerState::Quarantined, since);
            }
        }
        if next.trials.get(name).is_some_and(|trial| trial.adapter.digest == digest)
            && let Some(trial) = next.end_trial(name)
        {
            trial.adapter.rest();
        }
        if next.adapters.get(name).is_some_and(|serving| serving.digest == digest) {
            self.step_in(next, name, reason);
        } else {
            self.replace(next);
        }
        Ok(())
    }

    /// Replaces a quarantined version by the last good one, or else by the one on trial.
    fn step_in(&self, mut next: Snapshot, name: &str, reason: &str) {
        let tried = next.trials.get(name).map(|trial| Arc::clone(&trial.adapter));
        let cause = format!("the one before was quarantined: {reason}");
        let change = Change { cause: &cause, status: FormerState::Quarantined, result: "returned" };
        if let Some(good) = next.last_good(name).or(tried) {
            match self.serve(next.clone(), &good, &change) {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(adapter = name, %error, "the last good version conflicts with the others");
                }
            }
        }
        if let Some(trial) = next.end_trial(name) {
            trial.adapter.rest();
        }
        if let Some(serving) = next.adapters.get(name) {
            tracing::error!(adapter = name, "adapter out of service: no earlier good version is kept");
            serving.state.suspend(reason);
            serving.rest();
        }
        self.replace(next);
    }

    /// Ends a quarantine: the version serves at once if it is still in its name's place; otherwise its file is admitted
    /// at the next scan.
    pub fn release(&self, name: &str, digest: Option<Digest>) -> Result<Digest, ChangeDenied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        let of_name = |(_, quarantined): &(&Digest, &Quarantined)| quarantined.name == name;
        let latest = || next.quarantined.iter().filter(of_name).max_by_key(|(_, q)| q.since).map(|(digest, _)| *digest);
        let none = || ChangeDenied::Impossible(format!("nothing of `{name}` is quarantined"));
        let digest = digest.or_else(latest).ok_or_else(none)?;
        if next.quarantined.remove(&digest).is_none() {
            return Err(ChangeDenied::Impossible(format!("{digest} is not quarantined")));
        }
        next.tried_again.remove(&digest);
        next.clear_refusal(name, digest);
        for former in next.former.get_mut(name).into_iter().flatten() {
            if former.adapter.digest == digest {
                former.adapter.stats.forgive();
                former.status = FormerState::RolledBack;
            }
        }
        if let Some(serving) = next.adapters.get(name).filter(|serving| serving.digest == digest) {
            serving.stats.forgive();
            serving.state.begin();
        }
        tracing::warn!(adapter = name, %digest, "adapter released from quarantine");
        self.tallies.count(name, "released");
        self.replace(next);
        Ok(digest)
    }
}

pub(super) fn nothing_on_trial(name: &str) -> ChangeDenied {
    ChangeDenied::Impossible(format!("no version of `{name}` is on trial"))
}
