//! The log: coloured lines on a terminal, JSON elsewhere. A separate thread writes it, for which no request waits.

pub mod clean;
pub mod current;
mod line;
mod queue;
pub mod tap;

pub use line::Line;

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use self::queue::{Lines, Queue};
use weir_adapters::START;
use weir_config::{Log, LogFormat, LogLevel};

/// The target of the lines of the access log.
pub(crate) const ACCESS: &str = "weir::access";
/// How long the end of the process waits for a stalled reader of the log.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The queue of this process's log.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Starts logging to standard error. Does nothing if a log has been started already.
pub fn begin(log: Log) {
    let human = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let filter = EnvFilter::new(directives(log.level, human));
    let Ok(queue) = Queue::start(log.buffer, std::io::stderr()) else { return };
    let lines = Lines(Arc::clone(&queue));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || lines.clone());
    let look = if human { Line::Human } else { Line::Json };
    let begun = base.with_ansi(human && std::io::stderr().is_terminal()).event_format(look).try_init();
    if begun.is_ok() {
        let _first = QUEUE.set(queue);
    }
}

/// Which lines are written. For people, the many adapters of a start have one line together, unless details are asked
/// for.
fn directives(level: LogLevel, human: bool) -> String {
    let start = if human && level == LogLevel::Info { format!("{START}=warn,") } else { String::new() };
    format!("weir={},{start}warn", level.as_str())
}

/// Waits until all lines so far are written, but at most two seconds.
pub fn flush() {
    QUEUE.get().into_iter().for_each(|queue| queue.flush(TIMEOUT));
}

/// The number of lines dropped because the log's reader was too slow.
pub fn dropped() -> u64 {
    QUEUE.get().map_or(0, |queue| queue.dropped())
}

#[cfg(test)]
pub(crate) mod tests;
