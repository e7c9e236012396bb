//! Fetching keys by the caller's HTTP client: one fetch at a time, for which other tokens of the issuer wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;

use super::key_set::MAX_KEY_SET_BYTES;
use super::{Discovery, IssuerSettings, KeySet, KeySource, Ticket, Timing, discovery_address};

/// The caller's HTTP client.
pub trait Fetch: Sync {
    /// Gets a document: status 200, at most so many bytes, within a deadline of the caller's choice. Redirects are not
    /// followed to other hosts.
    fn get(&self, address: &str, most: usize) -> impl Future<Output = Result<Vec<u8>, FetchFailed>> + Send;
}

/// A document could not be fetched. The reason is for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchFailed(pub String);

/// The keys of one issuer, shared by all requests.
#[derive(Debug)]
pub(super) struct SharedKeys {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    source: KeySource,
    waiting: Vec<Waker>,
}

impl SharedKeys {
    pub(super) fn new(timing: Timing) -> Self {
        Self { state: Mutex::new(State { source: KeySource::new(timing), waiting: Vec::new() }) }
    }

    /// Uses the state machine. The lock is held for a moment only.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut KeySource) -> T) -> T {
        act(&mut self.lock().source)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports the end of a fetch and wakes those that wait for it.
    fn end(&self, report: impl FnOnce(&mut KeySource)) {
        let waiting = {
            let mut state = self.lock();
            report(&mut state.source);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A fetch that the caller has to carry out. One that is dropped before its end counts as failed.
#[derive(Debug)]
pub struct FetchJob {
    keys: Arc<SharedKeys>,
    settings: Arc<IssuerSettings>,
    ticket: Option<Ticket>,
    now: Timestamp,
}

impl FetchJob {
    pub(super) fn new(keys: &Arc<SharedKeys>, settings: &Arc<IssuerSettings>, ticket: Ticket, now: Timestamp) -> Self {
        Self { keys: Arc::clone(keys), settings: Arc::clone(settings), ticket: Some(ticket), now }
    }

    /// The name of the issuer whose keys are fetched.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Resolves when this fetch has ended.
    pub fn arrival(&self) -> Arrival {
        Arrival::new(&self.keys)
    }

    /// Fetches the keys, by way of the discovery document if their place is not configured, and wakes all that wait.
    ///
    /// # Errors
    ///
    /// A document cannot be fetched or used. The failure has already been counted.
    pub async fn run(mut self, client: &impl Fetch) -> Result<(), FetchFailed> {
        let result = fetch(&self.settings, client).await;
        let (Some(ticket), now) = (self.ticket.take(), self.now) else { return Ok(()) };
        match result {
            Ok(keys) => self.keys.end(|source| source.succeeded(ticket, keys, now)),
            Err(error) => {
                self.keys.end(|source| source.failed(ticket, now));
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for FetchJob {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.keys.end(|source| source.failed(ticket, self.now));
        }
    }
}

async fn fetch(settings: &IssuerSettings, client: &impl Fetch) -> Result<KeySet, FetchFailed> {
    let place = if let Some(place) = &settings.jwks_uri {
        place.clone()
    } else {
        let text = client.get(&discovery_address(&settings.issuer), MAX_KEY_SET_BYTES).await?;
        let discovery = Discovery::parse(&text, &settings.issuer, settings.allow_http);
        discovery.map_err(|error| FetchFailed(error.to_string()))?.jwks_uri
    };
    let text = client.get(&place, MAX_KEY_SET_BYTES).await?;
    KeySet::parse(&text).map_err(|error| FetchFailed(error.to_string()))
}

/// Resolves when the fetch that is under way has ended.
#[derive(Debug)]
pub struct Arrival {
    keys: Arc<SharedKeys>,
}

impl Arrival {
    pub(super) fn new(keys: &Arc<SharedKeys>) -> Self {
        Self { keys: Arc::clone(keys) }
    }
}

impl Future for Arrival {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.keys.lock();
        if !state.source.is_under_way() {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}
