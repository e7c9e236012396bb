//! A kept answer that serves a request, and the search for one by the request's meaning.

use std::sync::Arc;

use super::Gateway;
use crate::answer_cache::{AnswerCache, CacheResult};
use crate::attempt::{InboundRequest, Meaning, rewritten};
use crate::route::Route;
use weir_buffers::Held;
use weir_cache::{Control, Entry, Key, Mark};
use weir_types::fault::Fault;

/// A kept answer for a request.
pub(super) struct KeptAnswer {
    pub(super) key: Key,
    pub(super) entry: Arc<Entry>,
    pub(super) result: CacheResult,
    pub(super) route: Arc<Route>,
    /// How similar the request's question is to that of the answer; `None` if it is the same.
    pub(super) similarity: Option<f64>,
    /// The bytes of the answer until the client has read them, if no other request uses the same copy.
    pub(super) held: Option<Held>,
}

impl KeptAnswer {
    /// The answer to an equal request.
    pub(super) fn of_equal(key: Key, entry: Arc<Entry>, route: &Arc<Route>, result: CacheResult) -> Self {
        Self { key, entry, result, route: Arc::clone(route), similarity: None, held: None }
    }

    /// Holds the answer's bytes: they were made for this request, so the cache's bound does not count them.
    pub(super) async fn holding(mut self, inbound: &InboundRequest) -> Result<Self, Fault> {
        let mut held = inbound.held.beside();
        held.grow(self.entry.body.len()).await?;
        self.held = Some(held);
        Ok(self)
    }
}

impl Gateway {
    /// A kept answer to a request that means the same, written in the format of this one, and the mark under which a
    /// new answer is shared.
    pub(super) async fn find_in_another_format(
        &self,
        inbound: &InboundRequest,
        origin: Key,
        meaning: &Meaning,
        model: &Arc<str>,
        control: &Control,
    ) -> (Option<Arc<Entry>>, Option<Mark>) {
        let (found, mark) = match self.answers.get(&origin, control) {
            Some(entry) => (Some(entry), None),
            None => self.answers.look(&AnswerCache::place(inbound, origin, model), control).await,
        };
        let Some(entry) = found else { return (None, mark) };
        let Ok(chat) = serde_json::from_slice(&entry.body) else { return (None, mark) };
        let Some((headers, body)) = rewritten(inbound, meaning, chat).await else { return (None, mark) };
        let Entry { ref model, stored, lifetime, cost, .. } = *entry;
        let entry = Entry { model: Arc::clone(model), headers, body, stored, lifetime, cost, origin: Some(origin) };
        (Some(Arc::new(entry)), mark)
    }
}
