//! The way to the server of kept answers: how long it is waited for, and what is known of its state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use weir_cache::sealed::MAX_SEALED;

use crate::address::Address;
use crate::error::ServerError;
use crate::values::Values;

/// The most bytes of an answer of the server: an entry with what is around it.
const MAX_BYTES: usize = MAX_SEALED + (16 << 10);
/// Requests that ask at the same time; further ones do without.
const MAX_READS: usize = 64;
/// Answers that are written at the same time; further ones are not.
const MAX_WRITES: usize = 16;

/// Requests about questions at the same time; further ones are not made.
const MAX_ASIDE: usize = 16;

/// What became of something that the server was asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// It had an answer.
    Hit,
    /// It had none.
    Miss,
    /// What it had was not sealed by a node for this place.
    Invalid,
    /// It took an answer, a question, a verdict or a removal.
    Written,
    /// An answer was too large for it.
    Large,
    /// Too much was under way.
    Dropped,
    /// It did not answer in the time that a request waits.
    Late,
    /// The connection broke, or the server refused.
    Failed,
}

impl Outcome {
    const ALL: [Self; 8] =
        [Self::Hit, Self::Miss, Self::Invalid, Self::Written, Self::Large, Self::Dropped, Self::Late, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Invalid => "invalid",
            Self::Written => "written",
            Self::Large => "large",
            Self::Dropped => "dropped",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }
}

/// The connection, if there is one.
#[derive(Debug, Clone)]
pub(super) struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: Address,
    tls: Arc<ClientConfig>,
    wait: Duration,
    /// The name of a value by which the server is tried.
    tried: String,
    /// None while the server is away.
    open: ArcSwapOption<Values>,
    /// Whether the log says that the server is away.
    is_loss_logged: AtomicBool,
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    aside: Arc<Semaphore>,
    /// Whether the log says that the server has no place for questions.
    is_refusal_logged: AtomicBool,
    outcomes: IntCounterVec,
    is_lost: IntGauge,
}

impl Link {
    pub(super) fn new(
        address: Address,
        tls: Arc<ClientConfig>,
        wait: Duration,
        tried: String,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let outcomes = Opts::new("weir_cache_server_requests_total", "Requests to the server that keeps answers");
        let outcomes = IntCounterVec::new(outcomes, &["result"])?;
        for outcome in Outcome::ALL {
            outcomes.with_label_values(&[outcome.as_str()]);
        }
        let is_lost =
            IntGauge::new("weir_cache_server_state", "Whether the server that keeps answers works: 0 yes, 1 no")?;
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(is_lost.clone()))?;
        let (reads, writes) = (Arc::new(Semaphore::new(MAX_READS)), Arc::new(Semaphore::new(MAX_WRITES)));
        let aside = Arc::new(Semaphore::new(MAX_ASIDE));
        let (open, is_loss_logged, is_refusal_logged) =
            (ArcSwapOption::empty(), AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self(Arc::new(Shared {
            address,
            tls,
            wait,
            tried,
            open,
            is_loss_logged,
            reads,
            writes,
            aside,
            is_refusal_logged,
            outcomes,
            is_lost,
        })))
    }

    /// How long a request waits at most.
    pub(super) fn wait(&self) -> Duration {
        self.0.wait
    }

    /// Counts one request to the server.
    pub(super) fn count(&self, outcome: Outcome) {
        self.0.outcomes.with_label_values(&[outcome.as_str()]).inc();
    }

    /// Whether the server is there, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.0.open.load().is_some()
    }

    /// Opens a connection, and says in the log if the server works again.
    pub(super) async fn connect(&self) -> Result<(), ServerError> {
        match Values::open(&self.0.address, &self.0.tls, MAX_BYTES, &self.0.tried).await {
            Ok(values) => {
                self.0.open.store(Some(Arc::new(values)));
                self.0.is_lost.set(0);
                if self.0.is_loss_logged.swap(false, Ordering::Relaxed) {
                    tracing::info!("the server that keeps answers works again");
                }
                Ok(())
            }
            Err(error) => {
                self.0.tell_lost(&error);
                Err(error)
            }
        }
    }

    /// The values of these names, for a request: none if that takes too long or the server is away.
    pub(super) async fn read(&self, names: Vec<String>) -> Option<Vec<Option<Vec<u8>>>> {
        let values = self.0.open.load_full()?;
        let Ok(permit) = Arc::clone(&self.0.reads).try_acquire_owned() else {
            self.count(Outcome::Dropped);
            return None;
        };
        let link = self.clone();
        // On a task of its own, so that a request which waits no longer leaves no half-read answer.
        let read = tokio::spawn(async move {
            let read = values.get(&names).await;
            drop(permit);
            link.judged(&values, read)
        });
        if let Ok(read) = tokio::time::timeout(self.0.wait, read).await {
            return read.ok().flatten();
        }
        self.count(Outcome::Late);
        None
    }

    /// The values of these names, for no request.
    pub(super) async fn follow(&self, names: Vec<String>) -> Option<Vec<Option<Vec<u8>>>> {
        let values = self.0.open.load_full()?;
        let read = values.get(&names).await;
        self.judged(&values, read)
    }

    /// Changes something; none if the server is away.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl AsyncFnOnce(&Values) -> Result<T, ServerError>,
    ) -> Option<T> {
        let (values, written) = self.permitted(&self.0.writes, write).await?;
        let written = self.judged(&values, written)?;
        self.count(Outcome::Written);
        Some(written)
    }

    /// Asks for something about questions; none if the server is away. One that refuses this alone, since its user may
    /// not use streams, still serves answers.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        ask: impl AsyncFnOnce(&Values) -> Result<T, ServerError>,
    ) -> Option<T> {
        let (values, answered) = self.permitted(&self.0.aside, ask).await?;
        match answered {
            Err(error @ (ServerError::NotAllowed(_) | ServerError::Refused(_))) => {
                self.count(Outcome::Failed);
                if !self.0.is_refusal_logged.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the server that keeps answers takes no questions: its user needs xadd and xrange");
                }
                None
            }
            answered => self.judged(&values, answered),
        }
    }

    /// What the server answers, with the connection; none if it is away, or has to answer too many of these already.
    async fn permitted<T: Send + 'static>(
        &self,
        most: &Semaphore,
        ask: impl AsyncFnOnce(&Values) -> Result<T, ServerError>,
    ) -> Option<(Arc<Values>, Result<T, ServerError>)> {
        let values = self.0.open.load_full()?;
        let Ok(_permit) = most.try_acquire() else {
            self.count(Outcome::Dropped);
            return None;
        };
        let answered = ask(&values).await;
        Some((values, answered))
    }

    /// What was answered; after a failure the connection is given up.
    fn judged<T>(&self, values: &Arc<Values>, answered: Result<T, ServerError>) -> Option<T> {
        let error = match answered {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        self.count(Outcome::Failed);
        let before = self.0.open.compare_and_swap(values, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, values)) {
            self.0.tell_lost(&error);
        }
        None
    }
}

impl Shared {
    fn tell_lost(&self, error: &ServerError) {
        self.is_lost.set(1);
        if !self.is_loss_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the server that keeps answers is away: this node goes by its own memory");
        }
    }
}
