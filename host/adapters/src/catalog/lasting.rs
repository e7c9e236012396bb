//! Decisions that outlive a restart: stored as they are made, and restored before the folder is scanned.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::decisions::{Choice, Decisions, Keeper, StandIn};
use super::versions::{Change, KEPT};
use super::{Catalog, Conflict, Former, FormerState, Service, Snapshot};
use weir_sandbox::adapter::Adapter;

impl Catalog {
    /// Restores earlier decisions. Must be called before anything serves.
    pub fn restore(&self, decisions: Decisions) {
        let _changing = self.lock();
        let mut next = Snapshot::clone(&self.snapshot.load());
        for (name, choice) in decisions.adapters {
            let name: Arc<str> = name.into();
            if let Some(digest) = choice.rolled_back_from {
                next.aside.insert(Arc::clone(&name), digest);
            }
            if let Some(instead) = choice.instead {
                next.instead.insert(name, instead);
            }
        }
        next.quarantined = decisions.quarantined;
        next.tried_again = decisions.tried_again;
        self.snapshot.store(Arc::new(next));
    }

    /// Stores all further decisions, and the changes since the restored ones.
    pub fn keep_by(&self, keeper: Keeper) {
        let _changing = self.lock();
        let keeper = self.keeper.get_or_init(|| keeper);
        keeper.keep(self.snapshot.load().decisions(&keeper.known()));
    }

    /// Puts the version that served before the restart in service, instead of the one in its file.
    pub(in super::super) fn return_to(&self, adapter: &Arc<Adapter>, reason: &str) -> Result<(), Conflict> {
        let _changing = self.lock();
        let cause = format!("it served before, and its file holds a version that is {reason}");
        let change = Change { cause: &cause, status: FormerState::Retired, result: "returned" };
        self.serve(self.next(), adapter, &change)
    }

    /// Keeps a version that was rolled back from as a former one, so that it can be activated.
    pub(in super::super) fn remember(&self, adapter: &Arc<Adapter>) {
        let _changing = self.lock();
        let mut next = self.next();
        let former = next.former.entry(Arc::clone(&adapter.name)).or_default();
        adapter.rest();
        let since = SystemTime::now();
        former.insert(0, Former { adapter: Arc::clone(adapter), status: FormerState::RolledBack, since });
        former.truncate(KEPT);
        self.replace(next);
    }

    /// Puts a version in a name's place without running it: its manifest serves the relay lane and errors, and calls of
    /// the component fail with this reason.
    pub(in super::super) fn suspend(&self, adapter: &Arc<Adapter>, reason: &str) -> Result<(), Conflict> {
        let _changing = self.lock();
        let mut next = self.next();
        let name = Arc::clone(&adapter.name);
        next.adapters.insert(Arc::clone(&name), Arc::clone(adapter));
        (self.together)(&next.adapters.values().map(|adapter| &**adapter).collect::<Vec<&Adapter>>())?;
        tracing::error!(adapter = %name, reason, "adapter out of service: no earlier good version is at hand");
        adapter.state.suspend(reason);
        adapter.rest();
        next.service.insert(name, Service { since: SystemTime::now(), cause: reason.to_owned() });
        self.replace(next);
        Ok(())
    }

    /// Publishes a snapshot, and stores its decisions.
    pub(super) fn store(&self, mut next: Snapshot) {
        next.note_what_serves_instead();
        let next = Arc::new(next);
        self.snapshot.store(Arc::clone(&next));
        if let Some(keeper) = self.keeper.get() {
            keeper.keep(next.decisions(&keeper.known()));
        }
    }
}

impl Snapshot {
    /// Records the serving version of each name of which a version is held back. If none serves, the last one stays
    /// recorded.
    fn note_what_serves_instead(&mut self) {
        let quarantined = self.quarantined.values().map(|quarantined| Arc::from(&*quarantined.name));
        let names: Vec<Arc<str>> = self.aside.keys().cloned().chain(quarantined).collect();
        for name in &names {
            if let Some(adapter) = self.adapters.get(name).filter(|adapter| adapter.state.suspended().is_none()) {
                let (digest, trusted, signer) =
                    (adapter.digest, adapter.trusted, adapter.signer.as_deref().map(str::to_owned));
                self.instead.insert(Arc::clone(name), StandIn { digest, trusted, signer });
            }
        }
        let mut instead = std::mem::take(&mut self.instead);
        instead.retain(|name, one| names.contains(name) && self.held(name, one.digest).is_none());
        self.instead = instead;
    }

    /// The decisions in this snapshot. Decisions that were known before keep their times.
    fn decisions(&self, before: &Decisions) -> Decisions {
        let names = self.aside.keys().chain(self.instead.keys()).cloned();
        let choice = |name: Arc<str>| {
            let (rolled_back_from, instead) = (self.aside.get(&name).copied(), self.instead.get(&name).cloned());
            let known = before.adapters.get(&*name);
            let known = known.filter(|known| known.rolled_back_from == rolled_back_from && known.instead == instead);
            let since = known.map_or_else(SystemTime::now, |known| known.since);
            (name.to_string(), Choice { rolled_back_from, instead, since })
        };
        Decisions {
            quarantined: self.quarantined.clone(),
            adapters: names.map(choice).collect(),
            tried_again: self.tried_again.clone(),
        }
    }
}
