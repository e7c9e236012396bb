//! Why the program cannot start.

use std::io::ErrorKind;

use crate::kept_budgets::RestoreError;
use crate::keys::TokensError;
use crate::shared_answers::ShareAnswersError;
use crate::shared_limits::ShareError;
use crate::sinks::SinkError;
use crate::store::OpenError;
use crate::ui::NoRandomness;
use weir_gateway::observe::trace::TraceError;
use weir_server::tls::TlsError;
use weir_upstream::HttpClientError;

/// A listener, by the settings that name its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// `server.host` and `server.port`.
    Main,
    /// `admin.listen`.
    Admin,
}

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes that only show with the adapters loaded.
    #[error(transparent)]
    Config(#[from] weir_config::Problems),
    /// The sandbox cannot be created.
    #[error("the sandbox cannot be made: {0}")]
    Engine(#[from] weir_sandbox::engine::EngineError),
    /// The metrics cannot be registered.
    #[error("the metrics cannot be made: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The exporter of traces cannot be created.
    #[error("traces cannot be sent: {0}")]
    Traces(#[from] TraceError),
    /// There is no client for the way to the collector.
    #[error("traces cannot be sent: {0}")]
    Client(#[from] HttpClientError),
    /// There is no way to providers through the proxy.
    #[error(transparent)]
    Outbound(#[from] weir_upstream::BadProxy),
    /// The threads that serve connections cannot be started.
    #[error("no threads for connections: {0}")]
    Workers(std::io::Error),
    /// The certificate cannot be loaded.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// A socket cannot be opened.
    #[error("cannot listen on {address}: {source}{}", remedy(*listener, source))]
    Listen {
        /// For whom it was to listen: clients, or the admin endpoints.
        listener: Listener,
        /// The address of the socket.
        address: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// No adapter is present, so nothing could be served.
    #[error(
        "there is no adapter in {dir}: {why}. Set `plugins.dir` (WEIR_PLUGINS__DIR) to the folder with the adapters \
         (NAME.wasm) or put them there; `plugins.allow_empty = true` starts without, and serves as soon as one is there"
    )]
    NoAdapters {
        /// The folder.
        dir: String,
        /// The problem with the folder.
        why: String,
    },
    /// The state of budgets cannot be read.
    #[error("budgets cannot go on where they stopped: {0}")]
    Budgets(#[from] RestoreError),
    /// Kept answers cannot be shared.
    #[error(transparent)]
    Answers(#[from] ShareAnswersError),
    /// A sink cannot be used.
    #[error(transparent)]
    Sinks(#[from] SinkError),
    /// The store can never be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Limits and budgets cannot be shared as it is configured.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// Issuers of tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The sessions of browsers would have no secrets.
    #[error(transparent)]
    Sessions(#[from] NoRandomness),
    /// The adapters conflict with each other.
    #[error(transparent)]
    Faces(#[from] weir_translate::dialect::endpoints::FaceError),
}

impl StartError {
    /// Whether the configuration has to be changed, rather than what it meets: commands exit with 2 then.
    pub(crate) fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Certificate(_) | Self::Tokens(_))
    }
}

/// What helps if a socket cannot be opened, as the end of the message.
fn remedy(listener: Listener, source: &std::io::Error) -> String {
    let (port, port_variable, host, host_variable) = match listener {
        Listener::Main => ("server.port", "WEIR_SERVER__PORT", "server.host", "WEIR_SERVER__HOST"),
        Listener::Admin => ("admin.listen", "WEIR_ADMIN__LISTEN", "admin.listen", "WEIR_ADMIN__LISTEN"),
    };
    match source.kind() {
        ErrorKind::AddrInUse => {
            format!(". Stop the program that listens there, or set another port (`{port}`, {port_variable})")
        }
        ErrorKind::PermissionDenied => {
            format!(". Ports below 1024 need a privilege; set another one (`{port}`, {port_variable})")
        }
        ErrorKind::AddrNotAvailable => {
            format!(". This machine does not have that address: see `{host}` ({host_variable})")
        }
        _ => String::new(),
    }
}
