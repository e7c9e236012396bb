//! Choices among words: of the log, of how adapters run.

use super::section::words;

words! {
    /// How much is logged.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum LogLevel {
        /// Everything.
        Trace = "trace",
        /// What helps to find a mistake.
        Debug = "debug",
        /// What an operator wants to know.
        #[default]
        Info = "info",
        /// What may need attention.
        Warn = "warn",
        /// What failed.
        Error = "error",
    }
}

impl LogLevel {
    /// As it is written in the configuration and in log filters.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

words! {
    /// How log lines look.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum LogFormat {
        /// Human on a terminal, JSON otherwise.
        #[default]
        Auto = "auto",
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// How instances of an adapter are shared.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Isolation {
        /// A fresh instance for each exchange and side.
        Fresh = "fresh",
        /// An instance serves exchanges of one client key.
        Tenant = "tenant",
        /// An instance serves all.
        Shared = "shared",
    }
}
