//! Takes lines of the log for the sinks that get them. A sink's own failures are not among them.

use std::sync::Arc;

use tracing::Level;

use super::event::{Event, LogLine};
use super::queue::Queue;
use weir_config::LogLevel;
use weir_gateway::observe::log::tap::LineTap;
use weir_store::RequestId;

/// The queues of the sinks that get lines.
#[derive(Debug, Default)]
pub(super) struct LogLines(Vec<(Arc<Queue>, Level)>);

impl LogLines {
    /// Adds a sink that gets lines of at least this level.
    pub(super) fn add(&mut self, queue: &Arc<Queue>, least: LogLevel) {
        self.0.push((Arc::clone(queue), level(least)));
    }

    /// The least severe lines that any of them gets; `None` if none gets any.
    pub(super) fn least(&self) -> Option<Level> {
        self.0.iter().map(|(_, least)| *least).max()
    }
}

impl LineTap for LogLines {
    fn take(&self, level: Level, line: String) {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let mut random = [0; 10];
        // Without random numbers ids may repeat, which costs a reader the second line.
        let _is_random = getrandom::fill(&mut random);
        let line = Arc::new(LogLine { id: RequestId::new(now, random), level: level.as_str(), text: line });
        for (queue, _) in self.0.iter().filter(|(_, least)| level <= *least) {
            queue.offer(Event::Line(Arc::clone(&line)));
        }
    }
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}
