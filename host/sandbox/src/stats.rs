//! Counters of an adapter, for metrics and for the decision how far to trust it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::fault::FaultKind;

mod failures;
mod losses;

pub use failures::RecentFailure;
use failures::RecentFailures;
pub use failures::caller;
use losses::Losses;
pub use losses::{LossCount, Step};
use weir_types::contract::types::Loss;

/// How long calls stay off the async workers after a missed deadline: this time for each miss, up to a maximum number.
const SUSPECT_FOR: Duration = Duration::from_mins(1);
const MISSES: u32 = 60;
/// Number of calls after which a component's cost is known.
const TRIALS: u64 = 32;

/// How far a component is trusted with an async worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It meets its deadlines.
    Proved,
    /// It has had too few calls to judge.
    New,
    /// It missed a deadline lately.
    Suspect,
}

/// Counts since the adapter was loaded.
#[derive(Debug)]
pub struct Stats {
    loaded: Instant,
    calls: AtomicU64,
    nanos: AtomicU64,
    /// Calls by proofs, which are no traffic.
    proof_calls: AtomicU64,
    instances: AtomicU64,
    leases: AtomicU64,
    /// Callers since the last [`Self::take_callers`], as a bit set.
    callers: AtomicU64,
    failures: Mutex<RecentFailures>,
    losses: Losses,
    faults: [AtomicU64; FaultKind::ALL.len()],
    /// When it stops being suspect, in milliseconds after `loaded`.
    suspect_until: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            loaded: Instant::now(),
            calls: AtomicU64::default(),
            nanos: AtomicU64::default(),
            proof_calls: AtomicU64::default(),
            instances: AtomicU64::default(),
            leases: AtomicU64::default(),
            callers: AtomicU64::default(),
            failures: Mutex::default(),
            losses: Losses::default(),
            faults: Default::default(),
            suspect_until: AtomicU64::default(),
        }
    }
}

impl Stats {
    /// Number of calls for clients' exchanges; those of proofs are left out.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Whether nothing called it, no proof either.
    pub fn is_unused(&self) -> bool {
        self.all_calls() == 0
    }

    /// Calls of clients' exchanges and of proofs.
    fn all_calls(&self) -> u64 {
        self.calls().saturating_add(self.proof_calls.load(Relaxed))
    }

    /// Total duration of the calls for clients' exchanges.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Relaxed))
    }

    /// Number of instances created.
    pub fn instances(&self) -> u64 {
        self.instances.load(Relaxed)
    }

    /// Number of leases; an exchange leases one for each side.
    pub fn leases(&self) -> u64 {
        self.leases.load(Relaxed)
    }

    /// Time since it was loaded.
    pub fn age(&self) -> Duration {
        self.loaded.elapsed()
    }

    /// The different requests that it failed at since a point in time, as far as they are remembered.
    pub fn recent_failures(&self, since: Option<Instant>) -> Vec<RecentFailure> {
        self.lock().since(since)
    }

    /// Takes the callers since the last call of this, as a bit set.
    pub fn take_callers(&self) -> u64 {
        self.callers.swap(0, Relaxed)
    }

    /// Forgets the remembered failures.
    pub fn forgive(&self) {
        self.lock().forget();
    }

    /// What its translations of requests lost, the most frequent first.
    pub fn losses(&self) -> Vec<LossCount> {
        self.losses.all()
    }

    pub(super) fn lost(&self, step: Step, losses: &[Loss]) {
        self.losses.count(step, losses);
    }

    pub(super) fn leased(&self, caller: u64) {
        self.leases.fetch_add(1, Relaxed);
        if self.callers.load(Relaxed) & caller == 0 {
            self.callers.fetch_or(caller, Relaxed);
        }
    }

    /// Records a failed request, if the component is to blame.
    pub fn record_failure(&self, failure: RecentFailure) {
        if failure.kind.is_the_adapters() {
            self.lock().note(failure);
        }
    }

    fn lock(&self) -> MutexGuard<'_, RecentFailures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of faults of this kind.
    pub fn faults(&self, kind: FaultKind) -> u64 {
        self.count(kind).map_or(0, |count| count.load(Relaxed))
    }

    /// Number of faults that the component is to blame for.
    pub fn faults_of_its_own(&self) -> u64 {
        FaultKind::ALL.into_iter().filter(|kind| kind.is_the_adapters()).map(|kind| self.faults(kind)).sum()
    }

    /// How far the component is trusted now.
    pub fn trust(&self) -> Trust {
        // A proof shows what a call costs as well as traffic does.
        match self.all_calls() {
            _ if self.is_suspect() => Trust::Suspect,
            0..TRIALS => Trust::New,
            _ => Trust::Proved,
        }
    }

    /// Whether it missed a deadline lately: within a minute for each miss, up to an hour.
    pub fn is_suspect(&self) -> bool {
        let until = self.suspect_until.load(Relaxed);
        until != 0 && (self.loaded.elapsed().as_millis() as u64) < until
    }

    pub(super) fn called(&self, took: Duration) {
        self.calls.fetch_add(1, Relaxed);
        self.nanos.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn called_by_proof(&self) {
        self.proof_calls.fetch_add(1, Relaxed);
    }

    pub(super) fn made(&self) {
        self.instances.fetch_add(1, Relaxed);
    }

    /// Counts a failure of this kind.
    pub fn failed(&self, kind: FaultKind) {
        if let Some(count) = self.count(kind) {
            count.fetch_add(1, Relaxed);
        }
        if kind == FaultKind::Deadline {
            let misses = u32::try_from(self.faults(kind)).unwrap_or(MISSES).min(MISSES);
            let until = self.loaded.elapsed() + SUSPECT_FOR * misses;
            self.suspect_until.store(until.as_millis() as u64, Relaxed);
        }
    }

    fn count(&self, kind: FaultKind) -> Option<&AtomicU64> {
        self.faults.get(kind as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_proofs_are_no_traffic_but_show_what_it_costs() {
        let stats = Stats::default();
        assert!(stats.is_unused());
        (0..TRIALS).for_each(|_| stats.called_by_proof());
        assert_eq!((stats.calls(), stats.busy(), stats.trust()), (0, Duration::ZERO, Trust::Proved));
        assert!(!stats.is_unused());
        stats.called(Duration::from_micros(5));
        assert_eq!((stats.calls(), stats.busy()), (1, Duration::from_micros(5)));
    }

    #[test]
    fn a_missed_deadline_makes_it_suspect_and_a_trap_does_not() {
        let stats = Stats::default();
        stats.failed(FaultKind::Trap);
        assert!(!stats.is_suspect());
        stats.failed(FaultKind::Deadline);
        assert!(stats.is_suspect());
        stats.failed(FaultKind::Exhausted);
        assert_eq!((stats.faults(FaultKind::Trap), stats.faults_of_its_own()), (1, 2));
    }

    #[test]
    fn it_is_new_until_it_was_called_some_times_and_suspect_for_longer_with_each_miss() {
        let stats = Stats::default();
        for _ in 0..TRIALS {
            assert_eq!(stats.trust(), Trust::New);
            stats.called(Duration::ZERO);
        }
        assert_eq!(stats.trust(), Trust::Proved);
        let mut until = 0;
        for _ in 0..3 {
            stats.failed(FaultKind::Deadline);
            assert_eq!(stats.trust(), Trust::Suspect);
            let now = stats.suspect_until.load(Relaxed);
            assert!(now >= until + SUSPECT_FOR.as_millis() as u64);
            until = now;
        }
    }

    #[test]
    fn every_kind_has_its_own_count() {
        for (at, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
