//! Unbooked answers that a request would remove from their provider.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Instant;

use tokio::sync::MutexGuard;

use super::{Unbooked, Unread, WorkName, lock};

/// The unbooked answers that a request names.
#[derive(Debug, Default)]
pub(crate) struct NamedUnbooked {
    /// The tenant's own, with the facts that reading them takes.
    pub(crate) own: Vec<Unread>,
    /// The id of one of the tenant's own that cannot be read now, because it still passes to its client.
    pub(crate) passing: Option<String>,
    /// The id of one that is another tenant's.
    pub(crate) anothers: Option<String>,
}

impl Unbooked {
    /// Whether there are no answers that a request could remove.
    pub(crate) fn is_empty(&self) -> bool {
        self.passing.is_empty() && self.places().all(|place| lock(place).len() == 0)
    }

    /// The unbooked answers that a tenant's request names by these ids, their own or those of their results.
    pub(crate) fn named(&self, tenant: &str, names: &HashSet<String>) -> NamedUnbooked {
        let mut named = NamedUnbooked {
            passing: names.iter().find(|id| self.passing.has(tenant, id)).cloned(),
            ..NamedUnbooked::default()
        };
        for (unread, is_own) in self.places().flat_map(|place| lock(place).named(tenant, |id| names.contains(id))) {
            if is_own {
                named.own.push(unread);
            } else {
                named.anothers = Some(unread.id);
            }
        }
        named
    }

    /// Whether other processes may hold work of the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_kept() && self.held_until.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Work with one of these ids that another process holds; `None` if that cannot be known now.
    pub(crate) async fn elsewhere(&self, ids: Vec<String>) -> Option<Vec<WorkName>> {
        match self.store.get().filter(|_| self.is_shared()) {
            Some(store) => store.held_elsewhere(ids).await,
            None => Some(Vec::new()),
        }
    }

    /// Waits until no other request reads the results of work.
    pub(crate) async fn begin_sweep(&self) -> MutexGuard<'_, ()> {
        self.sweeping.lock().await
    }

    /// The work of all tenants whose results have no known id, unless it was read since this time.
    pub(crate) fn without_results(&self, since: Instant, is_wanted: impl Fn(&Unread) -> bool) -> Vec<Unread> {
        lock(&self.work).without_results(since, is_wanted)
    }

    /// Notes when a tenant's work was read.
    pub(crate) fn note_swept(&self, tenant: &str, id: &str, at: Instant) {
        lock(&self.work).note_swept(tenant, id, at);
    }
}
