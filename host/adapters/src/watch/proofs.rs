//! The proofs of adapters: before they serve, or beside it where the lock file pins them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;

use super::Watch;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::component_file;

/// How often a proof that lacked time is tried again.
const RETRIES: u32 = 5;
/// How many times longer each pause is than the one before.
const GROWTH: u32 = 4;

/// Why an adapter is not proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It fails its proof.
    #[error("{0}")]
    Failed(String),
    /// Its calls got too little of a busy machine, and nothing else is known against it: another attempt may pass.
    #[error("{0}")]
    LackedTime(String),
}

/// When a proof that lacked time is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retry {
    /// How many there were before.
    number: u32,
    due: Instant,
}

impl Retry {
    /// The one after `former`, counted from now; `None` after the last.
    pub(super) fn next(former: Option<Self>, breather: Duration) -> Option<Self> {
        let number = former.map_or(0, |former| former.number + 1);
        let pause = breather.saturating_mul(GROWTH.saturating_pow(number));
        let due = Instant::now().checked_add(pause)?;
        (number < RETRIES).then_some(Self { number, due })
    }

    pub(super) fn is_due(self, now: Instant) -> bool {
        self.due <= now
    }

    /// The time until it is due.
    pub(super) fn wait(self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }
}

/// What a later proof needs of the bytes of a component: all of them, or none if they hold no fixtures.
pub(super) fn needed_of(bytes: Vec<u8>) -> Vec<u8> {
    let holds_fixtures = memmem::find(&bytes, component_file::FIXTURES.as_bytes()).is_some();
    if holds_fixtures { bytes } else { Vec::new() }
}

/// An adapter that serves and is yet to be proved.
#[derive(Debug)]
pub(super) struct Unproved {
    adapter: Arc<Adapter>,
    /// What its proof needs of the bytes that it was loaded from: its file may be another one by then.
    bytes: Vec<u8>,
    /// When its proof is tried again; `None` if it was not tried yet.
    retry: Option<Retry>,
}

impl Unproved {
    pub(super) fn new(adapter: Arc<Adapter>, bytes: Vec<u8>) -> Self {
        Self { adapter, bytes, retry: None }
    }

    /// The time until its proof is tried again; `None` if it was not tried yet.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.retry.map(|retry| retry.wait(now))
    }
}

impl Watch {
    /// Checks whether an adapter proves itself by the fixtures beside this file, or in the bytes that it was loaded
    /// from.
    pub(super) fn prove(&self, adapter: &Arc<Adapter>, file: &Path, bytes: &[u8]) -> Result<(), ProofError> {
        self.folder.proof.as_ref().map_or(Ok(()), |proof| proof(adapter, file, bytes))
    }

    /// Whether an adapter of this name may serve before its proof, if the lock file pins it.
    pub(super) fn may_prove_beside(&self, name: &str) -> bool {
        self.folder.proves_beside.as_ref().is_some_and(|may| may(name))
    }

    /// Proves the adapters that serve already because the lock file pins them ([`super::Folder::proves_beside`]). What
    /// fails is refused and leaves service; nothing takes its place. What lacks time serves on, and is proved again
    /// after a pause. [`Watch::follow`] begins with this, and the start is over then: what comes later is proved before
    /// it serves.
    pub(crate) fn prove_the_rest(&mut self) {
        self.folder.proves_beside = None;
        let now = Instant::now();
        let is_due = |unproved: &Unproved| unproved.retry.is_none_or(|retry| retry.is_due(now));
        let (due, later) = std::mem::take(&mut self.unproved).into_iter().partition(is_due);
        self.unproved = later;
        let (begun, mut proved) = (Instant::now(), 0u32);
        for unproved in due {
            let adapter = &unproved.adapter;
            match self.prove(adapter, &self.file(&adapter.name), &unproved.bytes) {
                Ok(()) => {
                    proved += 1;
                    adapter.pool().set_awaits_proof(false);
                    adapter.warm();
                }
                Err(error) => self.put_off(unproved, &error),
            }
        }
        if self.catalog.is_starting() && proved > 0 {
            let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(proved, millis, "adapters proved beside serving");
        }
        self.catalog.set_starting(false);
    }

    /// Has an adapter that serves proved again if its proof lacked time, or takes it out of service.
    fn put_off(&mut self, Unproved { adapter, bytes, retry }: Unproved, error: &ProofError) {
        let next = match error {
            ProofError::LackedTime(_) => Retry::next(retry, self.folder.breather),
            ProofError::Failed(_) => None,
        };
        let Some(next) = next else { return self.catalog.expel(&adapter, &error.to_string()) };
        let reason = error.to_string();
        tracing::warn!(adapter = %adapter.name, reason, "the proof lacked time: the adapter serves on and is proved again");
        self.unproved.push(Unproved { adapter, bytes, retry: Some(next) });
    }
}

#[cfg(test)]
mod tests;
