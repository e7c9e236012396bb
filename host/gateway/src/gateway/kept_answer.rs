//! A kept answer that serves a request, and how it is found by what the request means.

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
    /// How near the question is to that of the answer, if it is another one.
    pub(super) similarity: Option<f64>,
    /// Its bytes until the client has read them, if no other request has the same.
    pub(super) held: Option<Held>,
}

impl KeptAnswer {
    /// Holds its bytes: they were made for this request, so that the cache's bound does not count them.
    pub(super) async fn holding(mut self, inbound: &InboundRequest) -> Result<Self, Fault> {
        let mut held = inbound.held.beside();
        held.grow(self.entry.body.len()).await?;
        self.held = Some(held);
        Ok(self)
    }
}

impl Gateway {
    /// A kept answer to a request that means the same, written in the format of this one; and the mark for a new one.
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
