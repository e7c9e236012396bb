//! The log: coloured lines on a terminal, JSON elsewhere.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Begins to log to standard error. Does nothing where a log has begun already.
pub fn begin(log: Log) {
    let filter = EnvFilter::new(format!("weir={0},warn", log.level.as_str()));
    let human = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = if human {
        base.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    } else {
        base.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    drop(begun);
}
