//! Trials: a new version beside the one that serves, by the adapter's policy or because the operator asked for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::versions::{Change, nothing_on_trial};
use super::{Catalog, ChangeDenied, Conflict, FormerState, Snapshot};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::{CanaryRule, Trial};
use weir_sandbox::digest::Digest;

/// The most files whose trial is asked for before they come.
const ASKED: usize = 16;

/// Trials that the operator asked for, for files that are still to come.
#[derive(Debug, Default)]
pub(super) struct AskedTrials(Mutex<VecDeque<(Digest, CanaryRule)>>);

impl AskedTrials {
    fn add(&self, digest: Digest, rule: CanaryRule) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|(other, _)| *other != digest);
        asked.push_back((digest, rule));
        let excess = asked.len().saturating_sub(ASKED);
        asked.drain(..excess);
    }

    fn take(&self, digest: Digest) -> Option<CanaryRule> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = asked.iter().position(|(other, _)| *other == digest)?;
        asked.remove(at).map(|(_, rule)| rule)
    }
}

impl Catalog {
    /// Has the file with this digest tried by this rule when it comes, whatever the adapter's policy is.
    pub fn try_first(&self, digest: Digest, rule: CanaryRule) {
        self.asked_trials.add(digest, rule);
    }

    /// Puts the version in the folder on trial, although the operator rolled back from it, or begins its trial anew
    /// with another rule.
    pub fn try_again_by(&self, name: &str, digest: Digest, rule: CanaryRule) -> Result<(), ChangeDenied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        let impossible = |reason: &str| Err(ChangeDenied::Impossible(reason.to_owned()));
        let is_tried = next.trials.get(name).is_some_and(|trial| trial.adapter.digest == digest);
        if !is_tried && next.aside.get(name) != Some(&digest) {
            return impossible(
                "only the version that is on trial, or that was rolled back from, can be tried; to return to an earlier \
                 version, activate it",
            );
        }
        if next.quarantined.contains_key(&digest) {
            return impossible("it is quarantined; release it first");
        }
        let Some(chosen) = next.version(name, digest).cloned() else {
            return impossible("this version is not kept; upload its file again");
        };
        let Some(serving) = next.adapters.get(name).cloned() else { return Err(nothing_on_trial(name)) };
        if serving.state.suspended().is_some() || !stands_in(&chosen, &serving) {
            return impossible(
                "no version that does the same serves beside it, so there is nothing to compare it with",
            );
        }
        next.aside.remove(name);
        next.clear_refusal(name, digest);
        Ok(self.try_out(next, Trial::new(&chosen, &serving, rule))?)
    }

    /// Lets a version serve again that the operator rolled back from, as soon as its file comes.
    pub fn take_back(&self, name: &str, digest: Digest) {
        let _changing = self.lock();
        let mut next = self.next();
        if next.aside.get(name) == Some(&digest) {
            next.aside.remove(name);
            next.clear_refusal(name, digest);
            self.replace(next);
        }
    }

    /// The trial that a new version must pass; `None` if none is asked for, or it cannot replace the serving version.
    pub(super) fn trial(&self, adapter: &Arc<Adapter>, serving: &Arc<Adapter>) -> Option<Trial> {
        let asked = self.asked_trials.take(adapter.digest);
        let rule = asked.or(self.care(&adapter.name).canary)?;
        let stands_in = stands_in(adapter, serving);
        let is_sound = serving.state.suspended().is_none() && serving.digest != adapter.digest;
        if is_sound && !stands_in {
            tracing::info!(adapter = %adapter.name, "not tried first, since it lacks interfaces of the one that serves");
        }
        (is_sound && stands_in).then(|| Trial::new(adapter, serving, rule))
    }

    pub(super) fn try_out(&self, mut next: Snapshot, trial: Trial) -> Result<(), Conflict> {
        let (name, trial) = (Arc::clone(&trial.adapter.name), Arc::new(trial));
        next.end_trial(&name);
        let beside =
            next.adapters.iter().map(|(served, adapter)| if *served == name { &trial.adapter } else { adapter });
        (self.together)(&beside.map(|adapter| &**adapter).collect::<Vec<&Adapter>>())?;
        let Some(serving) = next.adapters.get(&name).cloned() else { return Ok(()) };
        trial.adapter.state.begin();
        trial.adapter.warm();
        tracing::info!(adapter = %name, digest = trial.adapter.digest.short(), share = trial.rule.share, "adapter on trial");
        self.tallies.count(&name, "tried");
        next.trials.insert(name, Arc::clone(&trial));
        serving.state.set_trial(Some(trial));
        self.replace(next);
        Ok(())
    }

    /// Gives the version on trial all exchanges. One that conflicts with the others by now is refused.
    pub fn promote(&self, name: &str, digest: Digest, why: &str) -> Result<(), ChangeDenied> {
        let _changing = self.lock();
        let mut next = self.next();
        let trial = next.end_trial(name).filter(|trial| trial.adapter.digest == digest);
        let Some(trial) = trial else { return Err(nothing_on_trial(name)) };
        let cause = format!("promoted: {why}");
        let change = Change { cause: &cause, status: FormerState::Retired, result: "promoted" };
        self.serve(next.clone(), &trial.adapter, &change).map_err(|conflict| {
            next.refuse(name, digest, conflict.to_string());
            self.tallies.count(name, "refused");
            self.replace(next);
            trial.adapter.rest();
            conflict.into()
        })
    }

    /// Ends a trial whose bytes are not those of the current file.
    pub(in super::super) fn withdraw(&self, name: &str, digest: Digest) {
        let _changing = self.lock();
        let mut next = self.next();
        if next.trials.get(name).is_none_or(|trial| trial.adapter.digest == digest) {
            return;
        }
        if let Some(trial) = next.end_trial(name) {
            self.tallies.count(name, "withdrawn");
            self.replace(next);
            trial.adapter.rest();
        }
    }
}

/// Whether a version can do all that the serving one does.
fn stands_in(adapter: &Adapter, serving: &Adapter) -> bool {
    serving.interfaces.iter().all(|interface| adapter.has(interface))
}
