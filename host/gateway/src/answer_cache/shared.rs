//! Kept answers of other nodes, which are asked after this node's memory.

use std::sync::Arc;
use std::time::Instant;

use super::{AnswerCache, Verdict};
use crate::attempt::InboundRequest;
use weir_cache::similar::PendingQuestion;
use weir_cache::similar::shared_list::Removals;
use weir_cache::{Control, Entry, Key, Looked, Mark, Place, Removal, Scope, SharedAnswers, Sharing};

impl AnswerCache {
    /// Shares answers with other nodes from now on. A server that is set later is ignored.
    pub fn share(&self, server: Arc<dyn SharedAnswers>) {
        // A second server is ignored.
        let _is_first = self.shared.set(server);
    }

    /// An answer that another node keeps, which this node keeps from now on too, and the mark for sharing a new one.
    /// Neither without a server, or while it cannot be reached.
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

    /// How the answer to a request will be shared; `None` without a server, or if it did not answer.
    pub(crate) fn sharing(&self, scope: Scope, mark: Option<Mark>, origin: Option<Mark>) -> Option<Sharing> {
        Some(Sharing::new(Arc::clone(self.shared.get()?), scope, mark?, origin))
    }

    /// Whether answers are shared with other nodes.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.get().is_some()
    }

    /// Learns which questions of this partition other nodes know, and shares this one once it is answered. `mark` was
    /// returned with the request's own look-up.
    pub(crate) async fn learn(&self, inbound: &InboundRequest, pending: &mut PendingQuestion, mark: &Mark) {
        let Some(server) = self.shared.get() else { return };
        let removals = Removals { all: mark.all, model: mark.model };
        if let Some(reading) = pending.share(Scope::of(&inbound.caller.tenant), removals) {
            server.learn(reading).await;
        }
    }

    /// Whether the answer with this key was judged wrong for other questions than its own, on any node.
    pub(crate) async fn was_called_wrong(&self, key: &Key, entry: &Entry) -> bool {
        match self.shared.get() {
            Some(server) => server.was_called_wrong(key, entry.stored).await,
            None => false,
        }
    }

    /// Counts a verdict on an answer that was given to a question which means the same. After a wrong one it is not
    /// given to such questions again. Returns whether it could have been, and whether other nodes know of the verdict:
    /// they do not while the server between them cannot be reached.
    pub async fn judge(&self, key: &Key, verdict: Verdict) -> (bool, bool) {
        let was_there = self.questions.judge(key, verdict);
        match self.shared.get() {
            Some(server) if verdict == Verdict::Wrong => {
                let is_done = server.call_wrong(key).await;
                // Another node may have had it.
                (was_there || is_done, is_done)
            }
            _ => (was_there, true),
        }
    }

    /// Removes the kept answers of this node and of those that share with it. Returns how many this node had in memory,
    /// and whether the others will not use theirs: they still may while the server between them cannot be reached.
    pub async fn remove(&self, removal: Removal<'_>) -> (usize, bool) {
        let is_done = match self.shared.get() {
            Some(server) => server.remove(removal).await,
            None => true,
        };
        let before = self.cache.generation();
        let removed = match removal {
            Removal::Key(key) => {
                self.questions.all().remove(&self.cache.origin_of(key));
                usize::from(self.cache.remove(key))
            }
            Removal::Model(model) => {
                let removed = self.cache.remove_model(model);
                self.questions.all().remove_model(model);
                removed
            }
            // The generation is the server's, and changed with the removal.
            Removal::All(_) if is_done && self.shared.get().is_some() => 0,
            Removal::All(None) => self.cache.clear() as usize,
            Removal::All(Some(generation)) => self.cache.clear_up_to(generation) as usize,
        };
        if self.cache.generation() != before {
            self.questions.all().clear();
        }
        (removed, is_done)
    }
}
