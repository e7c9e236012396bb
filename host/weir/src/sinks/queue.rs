//! The bounded queue of a sink, by events and by bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::metrics::SinkFigures;
use weir_store::Fact;

/// Facts that wait.
#[derive(Debug)]
pub(super) struct Queue {
    most_rows: usize,
    most_bytes: usize,
    waiting: Mutex<Waiting>,
    arrived: Notify,
    figures: SinkFigures,
}

#[derive(Debug, Default)]
struct Waiting {
    facts: VecDeque<Arc<Fact>>,
    bytes: usize,
}

impl Queue {
    pub(super) fn new((most_rows, most_bytes): (usize, usize), figures: SinkFigures) -> Self {
        Self { most_rows, most_bytes, waiting: Mutex::default(), arrived: Notify::new(), figures }
    }

    /// Adds a fact, or counts it as dropped.
    pub(super) fn offer(&self, fact: &Arc<Fact>) {
        let weight = fact.weight();
        let mut waiting = self.lock();
        if waiting.facts.len() >= self.most_rows || waiting.bytes.saturating_add(weight) > self.most_bytes {
            drop(waiting);
            return self.figures.dropped();
        }
        waiting.bytes += weight;
        waiting.facts.push_back(Arc::clone(fact));
        self.figures.queued(waiting.facts.len());
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Waits until there is a fact.
    pub(super) async fn wait(&self) {
        while self.len() == 0 {
            self.arrived.notified().await;
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().facts.len()
    }

    /// Waits until a batch is full.
    pub(super) async fn wait_for(&self, count: usize) {
        while self.len() < count.min(self.most_rows) {
            self.arrived.notified().await;
        }
    }

    /// The oldest facts, which are gone from the queue.
    pub(super) fn take(&self, most: usize) -> Vec<Arc<Fact>> {
        let mut waiting = self.lock();
        let count = most.min(waiting.facts.len());
        let taken: Vec<_> = waiting.facts.drain(..count).collect();
        let weight: usize = taken.iter().map(|fact| fact.weight()).sum();
        waiting.bytes = waiting.bytes.saturating_sub(weight);
        self.figures.queued(waiting.facts.len());
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use weir_store::RequestId;

    use super::super::metrics::SinkMetrics;
    use super::*;

    #[test]
    fn a_queue_is_bounded_by_events_and_by_bytes() {
        let fact = Arc::new(Fact::of(RequestId::new(0, [1; 10])));
        let registry = Registry::new();
        let figures = SinkMetrics::new(&registry).unwrap().of("a");
        let queue = Queue::new((3, 2 * fact.weight()), figures.clone());
        for _ in 0..3 {
            queue.offer(&fact);
        }
        assert_eq!(queue.take(9).len(), 2, "bytes");
        let queue = Queue::new((1, usize::MAX), figures);
        queue.offer(&fact);
        queue.offer(&fact);
        assert_eq!(queue.take(9).len(), 1, "events");
        queue.offer(&fact);
        assert_eq!(queue.take(9).len(), 1, "what was taken makes room");
    }
}
