//! Settings with a fixed set of words: log level, log format, isolation of adapters.

use super::section::words;

words! {
    /// How much is logged.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum LogLevel {
        /// Everything.
        Trace = "trace",
        /// Details for debugging.
        Debug = "debug",
        /// Normal operation.
        #[default]
        Info = "info",
        /// Events that may need attention.
        Warn = "warn",
        /// Failures.
        Error = "error",
    }
}

impl LogLevel {
    /// The word in the configuration and in log filters.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

words! {
    /// How log lines look.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum LogFormat {
        /// For people on a terminal, JSON otherwise.
        #[default]
        Auto = "auto",
        /// Text for people.
        Human = "human",
        /// One JSON object per line.
        Json = "json",
    }
}

words! {
    /// How instances of an adapter are shared.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Isolation {
        /// A fresh instance for each exchange and side.
        Fresh = "fresh",
        /// An instance serves the exchanges of one client key.
        Tenant = "tenant",
        /// An instance serves all clients.
        Shared = "shared",
    }
}

words! {
    /// What a node admits while the server is away through which it shares limits and budgets.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum WhenLost {
        /// Its part: the limit divided by the nodes that were last known.
        #[default]
        Share = "share",
        /// Everything.
        Open = "open",
        /// What it has leased already.
        Closed = "closed",
    }
}

impl WhenLost {
    /// The word in the configuration and in the log.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}
