//! Why a call has no answer, and why there is no client.

use std::path::PathBuf;
use std::time::Duration;

use super::answer::Attempt;
use weir_config::Problems;
use weir_gateway::attempt::REFUSED_CODE;
use weir_gateway::gateway::{CallError, CallTrace};
use weir_sandbox::engine::EngineError;
use weir_translate::dialect::endpoints::FaceError;
use weir_translate::dialect::reply::usual_status;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No provider was described.
    #[error("the client has no provider: add one with `Builder::provider`")]
    NoProvider,
    /// A route leads to something that is no target.
    #[error("`{target}` is not a target: write `PROVIDER/MODEL`")]
    Target {
        /// As it was written.
        target: String,
    },
    /// Settings are not TOML.
    #[error("{what} cannot be read: {source}")]
    Settings {
        /// Which settings.
        what: String,
        /// What is wrong with them.
        source: Box<toml::de::Error>,
    },
    /// A key of the settings has a value of another kind.
    #[error("`{key}` must be {kind}")]
    Kind {
        /// The name of the key.
        key: &'static str,
        /// The kind that it must be of.
        kind: &'static str,
    },
    /// An option has a value that a configuration cannot hold.
    #[error("the option `{option}` must not be null or hold null")]
    Option {
        /// The name of the option.
        option: String,
    },
    /// A path is not Unicode.
    #[error("the path `{}` is not Unicode", path.display())]
    Path {
        /// The path as far as it can be shown.
        path: PathBuf,
    },
    /// The configuration has mistakes, or names adapters that are not loaded.
    #[error("{0}")]
    Config(Problems),
    /// There is no adapter in the folder.
    #[error("there is no adapter in {}: put NAME.wasm there, or set the folder with `Builder::plugins`", dir.display())]
    NoAdapters {
        /// The folder.
        dir: PathBuf,
    },
    /// The sandbox cannot be created.
    #[error("the sandbox cannot be made: {0}")]
    Sandbox(#[from] EngineError),
    /// The adapters conflict with each other.
    #[error(transparent)]
    Adapters(#[from] FaceError),
    /// The client's own metrics cannot be made.
    #[error("the metrics cannot be made: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Loading the adapters was broken off, since the runtime ends.
    #[error("loading the adapters was broken off")]
    BrokenOff,
}

impl From<Problems> for BuildError {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

/// Why a call has no answer, or why a stream broke.
#[derive(Debug, thiserror::Error)]
#[error("{}", inner.fault)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    fault: Fault,
    request_id: String,
    target: Option<String>,
    attempts: u32,
    others: Vec<Attempt>,
}

impl Error {
    /// The reason, as the contract names it. A key that the provider refuses is [`ErrorKind::Authentication`].
    pub fn kind(&self) -> ErrorKind {
        self.inner.fault.error.kind
    }

    /// The side at fault: this program's call ([`Side::Client`]), its configuration, an adapter, or the provider.
    pub fn side(&self) -> Side {
        self.inner.fault.side
    }

    /// The HTTP status that means the same: the provider's own where it is a usual one.
    pub fn status(&self) -> u16 {
        self.inner.fault.error.status.unwrap_or_else(|| usual_status(self.kind()))
    }

    /// The reason in the words of the provider or of Weir, for programs: `model_not_found`.
    pub fn code(&self) -> Option<&str> {
        self.inner.fault.error.code.as_deref()
    }

    /// The field of the request that is at fault.
    pub fn field(&self) -> Option<&str> {
        self.inner.fault.error.param.as_deref()
    }

    /// How long to wait before the next call.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.fault.error.retry_after_ms.map(|millis| Duration::from_millis(millis.into()))
    }

    /// The target that failed last, as `provider/model`; none where none was asked.
    pub fn target(&self) -> Option<&str> {
        self.inner.target.as_deref()
    }

    /// How many requests went out, over all targets.
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// The targets that failed or were left out, in order.
    pub fn tried(&self) -> &[Attempt] {
        &self.inner.others
    }

    /// The request's id, which the log names too.
    pub fn request_id(&self) -> &str {
        &self.inner.request_id
    }

    /// A failure of a call whose way is known.
    pub(super) fn new(fault: Fault, trace: &CallTrace) -> Self {
        let inner = Inner {
            fault: own(fault),
            request_id: trace.request_id.clone(),
            target: trace.target.as_deref().map(str::to_owned),
            attempts: trace.attempts,
            others: trace.steps.iter().map(Attempt::from).collect(),
        };
        Self { inner: Box::new(inner) }
    }
}

impl From<Box<CallError>> for Error {
    fn from(error: Box<CallError>) -> Self {
        let CallError { fault, trace } = *error;
        Self::new(fault, &trace)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let trace = CallTrace { request_id: String::new(), target: None, attempts: 0, steps: Vec::new() };
        Self::new(fault, &trace)
    }
}

/// A failure as a program sees it. A gateway's clients must not take a refused key for their own; here it is the
/// program's.
fn own(mut fault: Fault) -> Fault {
    if fault.error.code.as_deref() == Some(REFUSED_CODE) {
        fault.error.kind = ErrorKind::Authentication;
        fault.error.status = Some(401);
        "the provider refused the key".clone_into(&mut fault.error.message);
    }
    fault
}
