//! The adapters that serve now. One immutable snapshot, replaced in one step: a request takes what it needs from the
//! snapshot that it sees and keeps that to its end, whatever comes after.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::adapter::Adapter;
use super::digest::Digest;
use super::engine::Engine;
use crate::contract::about::exports::weir::adapter::about::Manifest;

/// Says whether manifests can serve side by side, and if not, why, naming both.
type Together = dyn Fn(&[&Manifest]) -> Result<(), String> + Send + Sync;

/// What serves, and what was refused.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Raised with every change of what serves; a refusal alone changes nothing.
    pub generation: u64,
    /// What serves, by name.
    pub adapters: BTreeMap<Arc<str>, Arc<Adapter>>,
    /// What was refused last, by the name that its file has. An adapter of the same name may serve on all the same.
    pub refused: BTreeMap<Arc<str>, Refusal>,
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

/// The adapters that serve now.
pub struct Catalog {
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is replaced, so that changes follow each other.
    changing: Mutex<()>,
    changed: watch::Sender<u64>,
    together: Box<Together>,
}

impl Catalog {
    /// Nothing serves yet. `together` is asked before a change whether what would serve then goes together.
    pub fn new(together: impl Fn(&[&Manifest]) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self {
            snapshot: ArcSwap::default(),
            changing: Mutex::default(),
            changed: watch::Sender::new(0),
            together: Box::new(together),
        }
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

    /// Puts an adapter in the place of the one with its name. Answers why not, where it does not go together with the
    /// others; then the former one serves on.
    pub fn publish(&self, adapter: &Arc<Adapter>) -> Result<(), String> {
        let changing = self.lock();
        let mut next = self.next();
        let name = Arc::clone(&adapter.name);
        let digest = adapter.digest;
        next.adapters.insert(Arc::clone(&name), Arc::clone(adapter));
        let manifests: Vec<&Manifest> = next.adapters.values().map(|adapter| &adapter.manifest).collect();
        if let Err(reason) = (self.together)(&manifests) {
            drop(changing);
            self.refuse(&name, Some(digest), reason.clone());
            return Err(reason);
        }
        next.refused.remove(&name);
        adapter.warm();
        tracing::info!(adapter = %name, digest = digest.short(), version = adapter.manifest.version, "adapter serves");
        self.replace(next);
        Ok(())
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

    /// Takes an adapter out of service and forgets that it was refused.
    pub fn remove(&self, name: &str) {
        let _changing = self.lock();
        let mut next = self.next();
        next.refused.remove(name);
        if next.adapters.remove(name).is_none() {
            next.generation -= 1;
            self.snapshot.store(Arc::new(next));
            return;
        }
        tracing::info!(adapter = name, "adapter unloaded");
        self.replace(next);
    }

    /// Drops instances that have waited too long and unloaded components, and after a burst gives memory back. To be
    /// called every few seconds, off the request path.
    pub fn sweep(&self, engine: &Engine) {
        let snapshot = self.snapshot.load();
        let renewed = engine.sweep() && engine.renew();
        for adapter in snapshot.adapters.values() {
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
        self.snapshot.store(Arc::new(next));
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
mod tests {
    use super::super::guest::guest;
    use super::*;

    fn catalog() -> Catalog {
        Catalog::new(|manifests| {
            let names: Vec<&str> = manifests.iter().map(|manifest| &*manifest.name).collect();
            if names.contains(&"zeta") && names.contains(&"rival") {
                Err(names.join(" and ") + " clash")
            } else {
                Ok(())
            }
        })
    }

    #[test]
    fn a_change_is_one_step_and_is_told() {
        let catalog = catalog();
        let mut told = catalog.subscribe();
        let first = guest("zeta").load();
        catalog.publish(&first).unwrap();
        assert!(told.has_changed().unwrap());
        assert_eq!(*told.borrow_and_update(), 1);
        let before = catalog.snapshot();
        let second = guest("zeta").load();
        catalog.publish(&second).unwrap();
        assert!(Arc::ptr_eq(&before.adapters["zeta"], &first), "who has the old snapshot keeps the old adapter");
        assert!(Arc::ptr_eq(&catalog.get("zeta").unwrap(), &second));
        catalog.remove("zeta");
        assert!(catalog.get("zeta").is_none());
        assert_eq!(*told.borrow_and_update(), 3);
        catalog.remove("zeta");
        assert_eq!(catalog.snapshot().generation, 3);
    }

    #[test]
    fn what_does_not_go_together_is_refused_and_the_former_serves_on() {
        let catalog = catalog();
        catalog.publish(&guest("zeta").load()).unwrap();
        let reason = catalog.publish(&guest("rival").load()).unwrap_err();
        assert!(reason.contains("zeta") && reason.contains("rival"));
        let snapshot = catalog.snapshot();
        assert!(snapshot.adapters.contains_key("zeta") && !snapshot.adapters.contains_key("rival"));
        assert_eq!(snapshot.refused["rival"].reason, reason);
        assert_eq!(snapshot.generation, 1, "a refusal changes nothing of what serves");
        catalog.remove("zeta");
        catalog.publish(&guest("rival").load()).unwrap();
        assert!(catalog.snapshot().refused.is_empty());
    }

    #[test]
    fn instances_lie_ready_when_an_adapter_begins_to_serve() {
        let catalog = catalog();
        let adapter = guest("zeta").load();
        assert_eq!(adapter.pool().idle(), 0);
        catalog.publish(&adapter).unwrap();
        assert_eq!(adapter.pool().idle(), 4);
    }
}
