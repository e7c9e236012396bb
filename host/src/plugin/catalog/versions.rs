//! From one version to another: publishing, trying, rolling back, quarantining, returning.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::adapter::Adapter;
use super::super::canary::Trial;
use super::super::digest::Digest;
use super::{Catalog, Refusal, Snapshot};
use crate::contract::about::exports::weir::adapter::about::Manifest;

/// Former versions that are kept of each adapter, compiled.
const KEPT: usize = 3;
/// Digests that are remembered as quarantined, the latest.
const QUARANTINED: usize = 256;

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

/// Bytes that are not to serve.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// The name that they served under.
    pub name: Arc<str>,
    /// For the operator.
    pub reason: String,
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
        if let Some(quarantined) = self.quarantined.get(&digest) {
            return Some(format!("quarantined: {}", quarantined.reason));
        }
        let is_aside = self.aside.get(name) == Some(&digest);
        is_aside.then(|| "rolled back by the operator; activate it, or put another file in its place".to_owned())
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

    fn knows(&self, name: &str) -> Result<(), Denied> {
        let known = self.adapters.contains_key(name) || self.refused.contains_key(name);
        if known { Ok(()) } else { Err(Denied::Unknown(name.to_owned())) }
    }

    fn refuse(&mut self, name: &str, digest: Digest, reason: String) {
        let refusal = Refusal { digest: Some(digest), reason, since: SystemTime::now() };
        self.refused.insert(name.into(), refusal);
    }

    /// Forgets a refusal of these bytes.
    fn pardon(&mut self, name: &str, digest: Digest) {
        if self.refused.get(name).is_some_and(|refusal| refusal.digest == Some(digest)) {
            self.refused.remove(name);
        }
    }

    /// Ends a trial, whatever it came to.
    fn end_trial(&mut self, name: &str) -> Option<Arc<Trial>> {
        if let Some(serving) = self.adapters.get(name) {
            serving.duty.set_trial(None);
        }
        self.trials.remove(name)
    }

    /// The last version that was good to the end.
    fn last_good(&self, name: &str) -> Option<Arc<Adapter>> {
        let mut kept = self.former.get(name)?.iter();
        let good = |former: &&Former| {
            former.standing == Standing::Retired && !self.quarantined.contains_key(&former.adapter.digest)
        };
        kept.find(good).map(|former| Arc::clone(&former.adapter))
    }
}

/// How a version takes another's place.
struct Change<'a> {
    cause: &'a str,
    /// What the one before is from then on.
    standing: Standing,
    /// For the metrics.
    result: &'static str,
}

impl Catalog {
    /// Puts an adapter in the place of the one with its name, or beside it where new versions are tried first. Answers
    /// why not, where it does not go together with the others; then the former one serves on.
    pub fn publish(&self, adapter: &Arc<Adapter>) -> Result<(), String> {
        let changing = self.lock();
        let mut next = self.next();
        let name = Arc::clone(&adapter.name);
        next.refused.remove(&name);
        next.aside.remove(&name);
        let trial = next.adapters.get(&name).and_then(|serving| self.trial(adapter, serving));
        let change = Change { cause: "its file came", standing: Standing::Retired, result: "activated" };
        let done = match trial {
            Some(trial) => self.try_out(next, trial),
            None => self.serve(next, adapter, &change),
        };
        drop(changing);
        if let Err(reason) = &done {
            self.refuse(&name, Some(adapter.digest), reason.clone());
        }
        done
    }

    /// The trial that a new version is to pass, if it is to pass one: where it can stand in for the one that serves.
    fn trial(&self, adapter: &Arc<Adapter>, serving: &Arc<Adapter>) -> Option<Trial> {
        let rule = self.care(&adapter.name).canary?;
        let stands_in = serving.interfaces.iter().all(|interface| adapter.has(interface));
        let is_sound = serving.duty.suspended().is_none() && serving.digest != adapter.digest;
        if is_sound && !stands_in {
            tracing::info!(adapter = %adapter.name, "not tried first, since it lacks interfaces of the one that serves");
        }
        (is_sound && stands_in).then(|| Trial::new(adapter, serving, rule))
    }

    fn try_out(&self, mut next: Snapshot, trial: Trial) -> Result<(), String> {
        let (name, trial) = (Arc::clone(&trial.adapter.name), Arc::new(trial));
        next.end_trial(&name);
        let manifests = next
            .adapters
            .iter()
            .map(|(served, adapter)| if *served == name { &trial.adapter.manifest } else { &adapter.manifest });
        (self.together)(&manifests.collect::<Vec<&Manifest>>())?;
        let Some(serving) = next.adapters.get(&name).cloned() else { return Ok(()) };
        trial.adapter.duty.begin();
        trial.adapter.warm();
        tracing::info!(adapter = %name, digest = trial.adapter.digest.short(), share = trial.rule.share, "adapter on trial");
        self.tallies.count(&name, "tried");
        next.trials.insert(name, Arc::clone(&trial));
        serving.duty.set_trial(Some(trial));
        self.replace(next);
        Ok(())
    }

    /// Puts an adapter in service; the one before it is kept.
    fn serve(&self, mut next: Snapshot, adapter: &Arc<Adapter>, change: &Change<'_>) -> Result<(), String> {
        let name = Arc::clone(&adapter.name);
        let trial = next.trials.remove(&name);
        let before = next.adapters.insert(Arc::clone(&name), Arc::clone(adapter));
        let manifests: Vec<&Manifest> = next.adapters.values().map(|adapter| &adapter.manifest).collect();
        (self.together)(&manifests)?;
        adapter.duty.begin();
        adapter.warm();
        let since = SystemTime::now();
        next.service.insert(Arc::clone(&name), Service { since, cause: change.cause.to_owned() });
        let former = next.former.entry(Arc::clone(&name)).or_default();
        former.retain(|kept| kept.adapter.digest != adapter.digest);
        let before = before.filter(|before| !Arc::ptr_eq(before, adapter));
        if let Some(before) = before.clone().filter(|before| before.digest != adapter.digest) {
            former.insert(0, Former { adapter: before, standing: change.standing, since });
            former.truncate(KEPT);
        }
        let (digest, version) = (adapter.digest.short(), &adapter.manifest.version);
        tracing::info!(adapter = %name, digest, version, cause = change.cause, "adapter serves");
        self.tallies.count(&name, change.result);
        self.replace(next);
        let tried = trial.map(|trial| Arc::clone(&trial.adapter)).filter(|tried| !Arc::ptr_eq(tried, adapter));
        [before, tried].into_iter().flatten().for_each(|left| left.rest());
        Ok(())
    }

    /// Gives the version on trial all exchanges.
    pub fn promote(&self, name: &str, why: &str) -> Result<(), Denied> {
        let _changing = self.lock();
        let mut next = self.next();
        let Some(trial) = next.end_trial(name) else { return Err(nothing_on_trial(name)) };
        let cause = format!("promoted: {why}");
        let change = Change { cause: &cause, standing: Standing::Retired, result: "promoted" };
        self.serve(next, &trial.adapter, &change).map_err(Denied::Impossible)
    }

    /// Ends a trial of other bytes than these, which the file holds now.
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

    /// Goes back to the last good version, until another file comes or the operator activates one. Where a version is on
    /// trial, it is that one which goes.
    pub fn roll_back(&self, name: &str) -> Result<Arc<Adapter>, Denied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        if let Some(trial) = next.end_trial(name) {
            let serving = next.adapters.get(name).cloned().ok_or_else(|| nothing_on_trial(name))?;
            self.set_aside(&mut next, name, trial.adapter.digest);
            self.tallies.count(name, "rolled_back");
            self.replace(next);
            trial.adapter.rest();
            return Ok(serving);
        }
        let none = || Denied::Impossible(format!("no earlier good version of `{name}` is kept"));
        let earlier = next.last_good(name).ok_or_else(none)?;
        if let Some(serving) = next.adapters.get(name).map(|serving| serving.digest) {
            self.set_aside(&mut next, name, serving);
        }
        let change =
            Change { cause: "rolled back by the operator", standing: Standing::RolledBack, result: "rolled_back" };
        self.serve(next, &earlier, &change).map_err(Denied::Impossible)?;
        Ok(earlier)
    }

    /// Remembers that the operator does not want the file's version; where that was told already, of which file.
    fn set_aside(&self, next: &mut Snapshot, name: &str, digest: Digest) {
        let aside = *next.aside.entry(name.into()).or_insert(digest);
        if let Some(reason) = next.held(name, aside) {
            next.refuse(name, aside, reason);
        }
    }

    /// Puts a version that is kept in service.
    pub fn activate(&self, name: &str, digest: Digest) -> Result<Arc<Adapter>, Denied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        if let Some(quarantined) = next.quarantined.get(&digest) {
            let message = format!("it is quarantined ({}); release it first", quarantined.reason);
            return Err(Denied::Impossible(message));
        }
        let Some(chosen) = next.version(name, digest).cloned() else {
            let message = format!("no version of `{name}` with the digest {digest} is kept; put its file in place");
            return Err(Denied::Impossible(message));
        };
        let serving = next.adapters.get(name).map(|serving| serving.digest);
        if serving == Some(digest) && !next.trials.contains_key(name) {
            return Ok(chosen);
        }
        let left = next.trials.get(name).map(|trial| trial.adapter.digest).or(serving);
        if next.aside.get(name) == Some(&digest) {
            next.aside.remove(name);
        } else if let Some(left) = left.filter(|left| *left != digest) {
            self.set_aside(&mut next, name, left);
        }
        next.pardon(name, digest);
        next.end_trial(name);
        let change = Change { cause: "activated by the operator", standing: Standing::RolledBack, result: "activated" };
        self.serve(next, &chosen, &change).map_err(Denied::Impossible)?;
        Ok(chosen)
    }

    /// Keeps these bytes from serving until they are released. If they serve, the last good version returns; if there is
    /// none, the component does not run any more, and whoever needs it is told so.
    pub fn quarantine(&self, name: &str, digest: Digest, reason: &str) -> Result<(), Denied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        if next.quarantined.contains_key(&digest) {
            return Err(Denied::Impossible("it is quarantined already".to_owned()));
        }
        tracing::error!(adapter = name, %digest, reason, "adapter quarantined");
        self.tallies.count(name, "quarantined");
        let since = SystemTime::now();
        next.quarantined.insert(digest, Quarantined { name: name.into(), reason: reason.to_owned(), since });
        forget_the_oldest(&mut next);
        next.refuse(name, digest, format!("quarantined: {reason}"));
        for former in next.former.get_mut(name).into_iter().flatten() {
            if former.adapter.digest == digest {
                (former.standing, former.since) = (Standing::Quarantined, since);
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

    /// Has the last good version serve in place of the one that was quarantined; what is on trial waits for nothing then.
    fn step_in(&self, mut next: Snapshot, name: &str, reason: &str) {
        let tried = next.trials.get(name).map(|trial| Arc::clone(&trial.adapter));
        let cause = format!("the one before was quarantined: {reason}");
        let change = Change { cause: &cause, standing: Standing::Quarantined, result: "returned" };
        if let Some(good) = next.last_good(name).or(tried) {
            match self.serve(next.clone(), &good, &change) {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(adapter = name, error, "the last good version does not go with the others")
                }
            }
        }
        if let Some(trial) = next.end_trial(name) {
            trial.adapter.rest();
        }
        if let Some(serving) = next.adapters.get(name) {
            tracing::error!(adapter = name, "adapter out of service: no earlier good version is kept");
            serving.duty.suspend(reason);
            serving.rest();
        }
        self.replace(next);
    }

    /// Lets quarantined bytes serve again: at once where nothing else could, else when their file is looked at next.
    pub fn release(&self, name: &str, digest: Option<Digest>) -> Result<Digest, Denied> {
        let _changing = self.lock();
        let mut next = self.next();
        next.knows(name)?;
        let of_name = |(_, quarantined): &(&Digest, &Quarantined)| *quarantined.name == *name;
        let latest = || next.quarantined.iter().filter(of_name).max_by_key(|(_, q)| q.since).map(|(digest, _)| *digest);
        let none = || Denied::Impossible(format!("nothing of `{name}` is quarantined"));
        let digest = digest.or_else(latest).ok_or_else(none)?;
        if next.quarantined.remove(&digest).is_none() {
            return Err(Denied::Impossible(format!("{digest} is not quarantined")));
        }
        next.pardon(name, digest);
        for former in next.former.get_mut(name).into_iter().flatten() {
            if former.adapter.digest == digest {
                former.adapter.stats.forgive();
                former.standing = Standing::RolledBack;
            }
        }
        if let Some(serving) = next.adapters.get(name).filter(|serving| serving.digest == digest) {
            serving.stats.forgive();
            serving.duty.begin();
        }
        tracing::warn!(adapter = name, %digest, "adapter released from quarantine");
        self.tallies.count(name, "released");
        self.replace(next);
        Ok(digest)
    }
}

fn nothing_on_trial(name: &str) -> Denied {
    Denied::Impossible(format!("no version of `{name}` is on trial"))
}

fn forget_the_oldest(next: &mut Snapshot) {
    while next.quarantined.len() > QUARANTINED {
        let oldest =
            next.quarantined.iter().min_by_key(|(_, quarantined)| quarantined.since).map(|(digest, _)| *digest);
        let Some(oldest) = oldest else { return };
        next.quarantined.remove(&oldest);
    }
}
