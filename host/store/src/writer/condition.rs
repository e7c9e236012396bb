//! Whether writes go well: counts failures, chooses the waits between them, and logs each change of state once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::WriterOptions;
use crate::error::StoreError;
use crate::health::Condition;

/// The condition of one thread's writes.
#[derive(Debug)]
pub(super) struct Writes {
    /// What is written, for the log.
    what: &'static str,
    state: Mutex<State>,
    backoff: Duration,
    most_backoff: Duration,
    slow: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// When the write that runs now began.
    began: Option<Instant>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    failures: u32,
    reason: String,
}

impl Writes {
    pub(super) fn new(what: &'static str, options: WriterOptions) -> Self {
        let WriterOptions { backoff, most_backoff, slow, .. } = options;
        Self { what, state: Mutex::default(), backoff, most_backoff, slow }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a write and keeps its result in mind.
    pub(super) fn run(&self, write: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.state().began = Some(Instant::now());
        let result = write();
        let mut state = self.state();
        state.began = None;
        match &result {
            Err(error) if error.is_transient() => self.note_failure(&mut state, error),
            // A row that is refused is no sign of trouble.
            Err(_) => {}
            Ok(()) => {
                if let Some(failing) = state.failing.take() {
                    let seconds = failing.since.elapsed().as_secs();
                    tracing::info!(
                        what = self.what,
                        seconds,
                        failures = failing.failures,
                        "the store is written again"
                    );
                }
            }
        }
        result
    }

    fn note_failure(&self, state: &mut State, error: &StoreError) {
        let reason = error.to_string();
        if let Some(failing) = &mut state.failing {
            failing.failures = failing.failures.saturating_add(1);
            failing.reason = reason;
            return;
        }
        tracing::warn!(what = self.what, reason, "the store cannot be written; it is tried again");
        state.failing = Some(Failing { since: Instant::now(), failures: 1, reason });
    }

    /// How long to wait after the last failure: doubled each time, up to a bound.
    pub(super) fn wait(&self) -> Duration {
        let failures = self.state().failing.as_ref().map_or(1, |failing| failing.failures);
        let factor = 1_u32.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(factor).min(self.most_backoff)
    }

    pub(super) fn condition(&self) -> Condition {
        let state = self.state();
        if let Some(failing) = &state.failing {
            return Condition::Failing { since: failing.since.elapsed(), reason: failing.reason.clone() };
        }
        match state.began.map(|began| began.elapsed()) {
            Some(since) if since > self.slow => Condition::Slow { since },
            _ => Condition::Working,
        }
    }
}
