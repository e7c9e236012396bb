//! The bounded queue of a sink, by events and by bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::event::Event;
use super::metrics::SinkFigures;
/// Events that wait.
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
    events: VecDeque<Event>,
    bytes: usize,
    /// Whether an event found no room since some were taken.
    is_full: bool,
}

impl Queue {
    pub(super) fn new(most_rows: usize, most_bytes: usize, figures: SinkFigures) -> Self {
        Self { most_rows, most_bytes, waiting: Mutex::default(), arrived: Notify::new(), figures }
    }

    /// Adds an event, or counts it as dropped.
    pub(super) fn offer(&self, event: Event) {
        let weight = event.weight();
        let mut waiting = self.lock();
        if waiting.events.len() >= self.most_rows || waiting.bytes.saturating_add(weight) > self.most_bytes {
            waiting.is_full = true;
            drop(waiting);
            self.arrived.notify_one();
            return self.figures.dropped();
        }
        waiting.bytes += weight;
        waiting.events.push_back(event);
        self.figures.queued(waiting.events.len());
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Waits until there is an event.
    pub(super) async fn wait(&self) {
        while self.len() == 0 {
            self.arrived.notified().await;
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().events.len()
    }

    /// Waits until a batch is full, or the queue is.
    pub(super) async fn wait_for(&self, count: usize) {
        while !self.has(count) {
            self.arrived.notified().await;
        }
    }

    fn has(&self, count: usize) -> bool {
        let waiting = self.lock();
        waiting.is_full || waiting.events.len() >= count.min(self.most_rows)
    }

    /// The oldest events, which are gone from the queue.
    pub(super) fn take(&self, most: usize) -> Vec<Event> {
        let mut waiting = self.lock();
        waiting.is_full = false;
        let count = most.min(waiting.events.len());
        let taken: Vec<_> = waiting.events.drain(..count).collect();
        let weight: usize = taken.iter().map(Event::weight).sum();
        waiting.bytes = waiting.bytes.saturating_sub(weight);
        self.figures.queued(waiting.events.len());
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::Registry;
    use weir_store::{Fact, RequestId};

    use super::super::event::LogLine;
    use super::super::metrics::SinkMetrics;
    use super::*;

    #[tokio::test]
    async fn a_queue_that_is_full_by_bytes_is_sent_before_its_batch_is_full() {
        let fact = Event::Request(Arc::new(Fact::of(RequestId::new(0, [1; 10]))));
        let figures = SinkMetrics::new(&Registry::new()).unwrap().of("a");
        let queue = Queue::new(100, 2 * fact.weight(), figures);
        (0..3).for_each(|_| queue.offer(fact.clone()));
        queue.wait_for(50).await;
        assert_eq!(queue.take(50).len(), 2);
        assert!(!queue.has(50));
    }

    #[test]
    fn a_queue_is_bounded_by_events_and_by_bytes() {
        let fact = Event::Request(Arc::new(Fact::of(RequestId::new(0, [1; 10]))));
        let registry = Registry::new();
        let figures = SinkMetrics::new(&registry).unwrap().of("a");
        let queue = Queue::new(3, 2 * fact.weight(), figures.clone());
        for _ in 0..3 {
            queue.offer(fact.clone());
        }
        assert_eq!(queue.take(9).len(), 2, "bytes");
        let queue = Queue::new(1, usize::MAX, figures.clone());
        queue.offer(fact.clone());
        queue.offer(fact.clone());
        assert_eq!(queue.take(9).len(), 1, "events");
        queue.offer(fact.clone());
        assert_eq!(queue.take(9).len(), 1, "what was taken makes room");
        let text = "x".repeat(1_000);
        let line = Event::Line(Arc::new(LogLine { id: RequestId::new(0, [1; 10]), level: "WARN", text }));
        let queue = Queue::new(9, 2_500, figures);
        for _ in 0..3 {
            queue.offer(line.clone());
        }
        assert_eq!(queue.take(9).len(), 2, "lines count with their bytes");
    }
}
