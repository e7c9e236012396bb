//! Kept answers of other nodes, behind those that this one has in memory.

use std::sync::Arc;
use std::time::Instant;

use super::AnswerCache;
use weir_cache::{Control, Entry, Looked, Mark, Place, Removal, Scope, SharedAnswers, Sharing};

impl AnswerCache {
    /// Answers are shared with other nodes from now on. Only the first server counts.
    pub fn share(&self, server: Arc<dyn SharedAnswers>) {
        // A second one has no use.
        let _is_first = self.shared.set(server);
    }

    /// An answer that another node keeps, which this one keeps from now on, and the mark for a new one. None of both without
    /// a server, or while it is away.
    pub(crate) async fn look(&self, place: &Place, control: &Control) -> (Option<Arc<Entry>>, Option<Mark>) {
        let Some(server) = self.shared.get() else { return (None, None) };
        let moment = self.cache.moment();
        let Looked { entry, mark } = server.look(place).await;
        let entry = entry.filter(|entry| control.takes(entry.age(Instant::now()))).map(Arc::new);
        if let Some(entry) = &entry {
            self.cache.put(place.key, entry, moment);
        }
        (entry, mark)
    }

    /// How the answer to a request will be shared, if there is a server and it answered.
    pub(crate) fn sharing(&self, scope: Scope, mark: Option<Mark>, origin: Option<Mark>) -> Option<Sharing> {
        Some(Sharing::new(Arc::clone(self.shared.get()?), scope, mark?, origin))
    }

    /// Removes the kept answers of this node and of those that share with it. Returns how many this one had in memory, and
    /// whether the others will not use theirs: not while the server between them is away.
    pub async fn remove(&self, removal: Removal<'_>) -> (usize, bool) {
        let is_done = match self.shared.get() {
            Some(server) => server.remove(removal).await,
            None => true,
        };
        let removed = match removal {
            Removal::Key(key) => usize::from(self.cache.remove(key)),
            Removal::Model(model) => self.cache.remove_model(model),
            // The generation is the server's, and was changed with it.
            Removal::All(_) if is_done && self.shared.get().is_some() => 0,
            Removal::All(None) => self.cache.clear() as usize,
            Removal::All(Some(generation)) => self.cache.clear_up_to(generation) as usize,
        };
        (removed, is_done)
    }
}
