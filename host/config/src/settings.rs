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

words! {
    /// How spans are sent to a collector.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum SpanProtocol {
        /// OTLP over HTTP, as protobuf.
        #[default]
        Http = "http",
        /// OTLP over gRPC.
        Grpc = "grpc",
    }
}

words! {
    /// A version of OpenTelemetry's conventions for generative AI.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Conventions {
        /// The last version before the provider's attribute got another name.
        V1_36 = "1.36",
        /// The first one with the provider's present name.
        #[default]
        V1_37 = "1.37",
        /// With cached and reasoned tokens, and the time to a stream's first piece.
        V1_42 = "1.42",
    }
}

words! {
    /// How many buckets histograms have.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Buckets {
        /// Enough for a board.
        #[default]
        Few = "few",
        /// For fine quantiles.
        Many = "many",
        /// As many as are needed, in Prometheus's native histograms.
        Native = "native",
    }
}

words! {
    /// What takes the events of a sink.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum SinkKind {
        /// A server that is sent JSON.
        #[default]
        Webhook = "webhook",
        /// A bucket of storage, in which each batch is an object.
        S3 = "s3",
        /// A chat, which gets messages about failed requests.
        Slack = "slack",
    }
}
