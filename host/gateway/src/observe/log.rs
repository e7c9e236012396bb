//! The log: coloured lines on a terminal, JSON elsewhere; written by a thread of its own, which nothing waits for.

pub mod current;
mod line;
mod queue;

pub use line::Line;

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use self::queue::{Lines, Queue};
use weir_config::{Log, LogFormat};

/// How long the end of the process waits for a reader that has stopped reading.
const PATIENCE: Duration = Duration::from_secs(2);

/// The queue of this process's log.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Begins to log to standard error. Does nothing where a log has begun already.
pub fn begin(log: Log) {
    let filter = EnvFilter::new(format!("weir={0},warn", log.level.as_str()));
    let human = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let Ok(queue) = Queue::start(log.buffer, std::io::stderr()) else { return };
    let lines = Lines(Arc::clone(&queue));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || lines.clone());
    let look = if human { Line::Human } else { Line::Json };
    let begun = base.with_ansi(human && std::io::stderr().is_terminal()).event_format(look).try_init();
    if begun.is_ok() {
        let _first = QUEUE.set(queue);
    }
}

/// Waits until every line so far has been written, though not for long where the reader has stopped reading.
pub fn flush() {
    QUEUE.get().into_iter().for_each(|queue| queue.flush(PATIENCE));
}

/// How many lines were dropped since the log began, because its reader was too slow.
pub fn dropped() -> u64 {
    QUEUE.get().map_or(0, |queue| queue.dropped())
}

#[cfg(test)]
pub(crate) mod tests;
