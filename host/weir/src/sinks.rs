//! Sends the facts of requests, and lines of the log, to other systems (`[[sinks]]`): webhooks, buckets, chats. Each
//! sink has a bounded queue and a task of its own. No request waits for a sink: what finds no room is dropped, and
//! counted.

mod delivery;
mod event;
mod lines;
mod log;
mod metrics;
mod queue;
mod summary;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use delivery::Delivery;
pub use delivery::SinkError;
use event::Event;
use lines::LogLines;
pub(crate) use log::EventLog;
use metrics::SinkMetrics;
use queue::Queue;
use weir_config::{Config, SinkKind};
use weir_gateway::observe::log::tap::{self, LineTap};
use weir_store::{Fact, PackedFact};
use worker::Worker;

/// How long the end of the program waits for the sinks to take what is left.
const CLOSING: Duration = Duration::from_secs(5);

/// The queues of all sinks.
#[derive(Debug)]
pub(crate) struct Sinks(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    queue: Arc<Queue>,
    only_failed: bool,
}

/// The tasks that send.
#[derive(Debug)]
pub(crate) struct Sending {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Takes lines of the log while this lives.
    _lines: Arc<dyn LineTap>,
}

/// Starts the sinks of a configuration.
///
/// # Errors
///
/// If an address or a key cannot be used.
pub(crate) fn start(config: &Config, registry: &Registry) -> Result<(Arc<Sinks>, Sending), SinkError> {
    let settings = &config.sinks;
    let (stop, stopped) = watch::channel(false);
    let metrics = if settings.is_empty() { None } else { Some(SinkMetrics::new(registry)?) };
    let (mut entries, mut tasks, mut lines) = (Vec::new(), Vec::new(), LogLines::default());
    for (sink, metrics) in settings.iter().zip(std::iter::repeat(metrics).flatten()) {
        let figures = metrics.of(sink.name());
        let queue = Arc::new(Queue::new(sink.max_queue_rows, sink.max_queue_bytes, figures.clone()));
        let worker = Worker::new(sink, Arc::clone(&queue), Delivery::new(sink, config.outbound.as_ref())?, figures);
        // What a sink logs while it sends would come back to it.
        tasks.push(tokio::spawn(tap::unshown(worker.run(stopped.clone()))));
        if let Some(least) = sink.log {
            lines.add(&queue, least);
        }
        if sink.requests {
            entries.push(Entry { queue, only_failed: sink.only_failed || sink.kind == SinkKind::Slack });
        }
    }
    let least = lines.least();
    let lines: Arc<dyn LineTap> = Arc::new(lines);
    if let Some(least) = least {
        tap::show_to(&lines, least);
    }
    Ok((Arc::new(Sinks(entries)), Sending { stop, tasks, _lines: lines }))
}

impl Sinks {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives a fact to the sinks that take it. It never waits.
    fn offer<T: AsRef<str>>(&self, fact: &Fact<T>) {
        let takers: Vec<_> = self.0.iter().filter(|entry| !entry.only_failed || fact.has_error()).collect();
        if takers.is_empty() {
            return;
        }
        // As it is stored, with its texts within their bounds. A row that was just made can be read.
        let Ok(fact) = PackedFact::from(fact).unpack().map(Arc::new) else { return };
        for entry in takers {
            entry.queue.offer(Event::Request(Arc::clone(&fact)));
        }
    }
}

impl Sending {
    /// Sends what is left, within a few seconds. What is left then is given up.
    pub(crate) async fn end(mut self) {
        self.stop.send_replace(true);
        let all = futures_util::future::join_all(&mut self.tasks);
        if tokio::time::timeout(CLOSING, all).await.is_ok() {
            return;
        }
        tracing::warn!("not all sinks took their last events before the end");
        let late: Vec<_> = self.tasks.into_iter().filter(|task| !task.is_finished()).collect();
        late.iter().for_each(JoinHandle::abort);
        futures_util::future::join_all(late).await;
    }
}
