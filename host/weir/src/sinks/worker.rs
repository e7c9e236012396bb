//! The task of a sink: it gathers events, sends them, and tries again with growing waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::delivery::{Delivery, Failure};
use super::event::Event;
use super::metrics::SinkFigures;
use super::queue::Queue;
use weir_config::Sink;

/// The longest wait between two attempts.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// A sink's own state.
pub(super) struct Worker {
    name: String,
    queue: Arc<Queue>,
    delivery: Delivery,
    figures: SinkFigures,
    batch: usize,
    interval: Duration,
    attempts: u32,
    retry_delay: Duration,
}

impl Worker {
    pub(super) fn new(sink: &Sink, queue: Arc<Queue>, delivery: Delivery, figures: SinkFigures) -> Self {
        Self {
            name: sink.name().to_owned(),
            queue,
            delivery,
            figures,
            batch: sink.batch,
            interval: sink.interval,
            attempts: sink.attempts,
            retry_delay: sink.retry_delay,
        }
    }

    /// Sends until `stop` becomes true, and then what is left, once.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.gather() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            let batch = self.queue.take(self.batch);
            self.deliver(&batch, &mut stop).await;
        }
        loop {
            let batch = self.queue.take(self.batch);
            if batch.is_empty() {
                return;
            }
            self.deliver(&batch, &mut stop).await;
        }
    }

    /// Waits until a batch is full, or its first event has waited long enough.
    async fn gather(&self) {
        self.queue.wait().await;
        // It ends by itself, or by the time.
        let _is_full = timeout(self.interval, self.queue.wait_for(self.batch)).await;
    }

    /// Sends a batch. At the end of the program it is not tried again.
    async fn deliver(&self, batch: &[Event], stop: &mut watch::Receiver<bool>) {
        let mut unsent = Unsent { worker: self, events: batch.len() };
        let mut wait = self.retry_delay;
        for attempt in 1..=self.attempts {
            let failure = match self.delivery.send(batch).await {
                Ok(()) => {
                    unsent.events = 0;
                    return self.figures.sent(batch.len());
                }
                Err(failure) => failure,
            };
            self.figures.failed();
            tracing::warn!(sink = self.name, attempt, events = batch.len(), %failure, "a sink did not take a batch");
            if matches!(failure, Failure::Refused(_)) || attempt == self.attempts || *stop.borrow() {
                break;
            }
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            wait = wait.saturating_mul(2).min(MAX_BACKOFF);
        }
    }

    fn give_up(&self, events: usize) {
        if events > 0 {
            self.figures.dead(events);
            tracing::error!(sink = self.name, events, "events for a sink are given up");
        }
    }
}

impl Drop for Worker {
    /// The end of the program does not wait for everything: what still waits is given up, and counted.
    fn drop(&mut self) {
        self.give_up(self.queue.take(usize::MAX).len());
    }
}

/// Events of a batch that no sink has taken yet. They are given up with it, also where it is dropped on its way.
struct Unsent<'a> {
    worker: &'a Worker,
    events: usize,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.worker.give_up(self.events);
    }
}
