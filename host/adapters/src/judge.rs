//! Watches the adapters' counters: quarantines those that fail too often, and decides trials.
//!
//! Failures are counted by *different* requests, so that a poisoned request that is sent again and again counts once.
//! They must also be a minimum share of all exchanges, and if several callers use the adapter, they must come from more
//! than one: no single caller can take an adapter away from the others. Deadlines that several adapters miss at the
//! same time are attributed to the machine and not counted, and neither are limits exceeded by large inputs.
//!
//! A quarantined adapter is retried after a pause if no other version serves instead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::catalog::Catalog;
use super::decisions::DecidedBy;
use super::rollout_policy::QuarantineRule;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::Verdict;
use weir_sandbox::digest::Digest;
use weir_sandbox::fault::FaultKind;
use weir_sandbox::stats::RecentFailure;

/// Interval at which [`Judge::look`] should be called.
pub const INTERVAL: Duration = Duration::from_millis(250);
/// Number of samples per window.
const SAMPLES: u32 = 16;

/// An adapter's counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at: Instant,
    leases: u64,
    faults: u64,
    /// Callers since the previous sample, as a bit set.
    callers: u64,
}

/// The activity within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    exchanges: u64,
    faults: u64,
    callers: u64,
}

#[derive(Debug)]
struct WatchedVersion {
    digest: Digest,
    samples: VecDeque<Sample>,
}

/// Quarantines failing adapters and decides trials.
#[derive(Debug)]
pub struct Judge {
    catalog: Arc<Catalog>,
    watched: BTreeMap<Arc<str>, WatchedVersion>,
}

impl Judge {
    /// Creates a judge without any history.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, watched: BTreeMap::new() }
    }

    /// Checks all adapters and acts. Must be called every [`INTERVAL`], off the request path.
    pub fn look(&mut self) {
        let snapshot = self.catalog.snapshot();
        for (name, trial) in &snapshot.trials {
            let Some(serving) = snapshot.adapters.get(name) else { continue };
            let done = match trial.verdict(serving) {
                Verdict::Undecided => Ok(()),
                Verdict::Promote(why) => self.catalog.promote(name, trial.adapter.digest, &why),
                Verdict::Reject(why) => {
                    let reason = format!("it failed its trial: {why}");
                    self.catalog.quarantine(name, trial.adapter.digest, &reason, DecidedBy::Judge)
                }
            };
            if let Err(error) = done {
                tracing::warn!(adapter = %name, %error, "the trial's result has no effect");
            }
        }
        let pause = |name: &str| self.catalog.care(name).quarantine.unwrap_or_default().pause;
        self.catalog.try_again(SystemTime::now(), pause);
        let now = Instant::now();
        self.watched.retain(|name, _| snapshot.adapters.contains_key(name));
        let spares_deadlines = several_missed_deadlines(snapshot.adapters.values(), now);
        for (name, adapter) in &snapshot.adapters {
            let Some(rule) = self.catalog.care(name).quarantine else { continue };
            if adapter.state.suspended().is_some() {
                continue;
            }
            let window = self.window(name, adapter, rule.window, now);
            let mut failures = adapter.stats.recent_failures(now.checked_sub(rule.window));
            failures.retain(|failure| !(spares_deadlines && failure.kind == FaultKind::Deadline));
            if let Some(reason) = rule.reason(&failures, window)
                && let Err(error) = self.catalog.quarantine(name, adapter.digest, &reason, DecidedBy::Judge)
            {
                tracing::warn!(adapter = %name, %error, "not quarantined");
            }
        }
    }

    /// Records the current counters, and returns the activity within the window.
    fn window(&mut self, name: &Arc<str>, adapter: &Adapter, length: Duration, now: Instant) -> Window {
        let stats = &adapter.stats;
        let sample = Sample {
            at: now,
            leases: stats.leases(),
            faults: stats.faults_of_its_own(),
            callers: stats.take_callers(),
        };
        let watched = self
            .watched
            .entry(Arc::clone(name))
            .and_modify(|watched| {
                if watched.digest != adapter.digest {
                    *watched = WatchedVersion::begin(adapter, sample, length);
                }
            })
            .or_insert_with(|| WatchedVersion::begin(adapter, sample, length));
        watched.note(sample, length)
    }
}

impl WatchedVersion {
    fn begin(adapter: &Adapter, first: Sample, length: Duration) -> Self {
        // The counters of an adapter that was just loaded start at zero.
        let is_new = adapter.stats.age() < length;
        let begin = if is_new { Sample { leases: 0, faults: 0, callers: 0, ..first } } else { first };
        Self { digest: adapter.digest, samples: VecDeque::from([begin]) }
    }

    fn note(&mut self, sample: Sample, length: Duration) -> Window {
        while self.samples.get(1).is_some_and(|second| sample.at.duration_since(second.at) >= length) {
            self.samples.pop_front();
        }
        let first = self.samples.front().copied().unwrap_or(sample);
        match self.samples.back_mut() {
            Some(last) if sample.at.duration_since(last.at) < length / SAMPLES => last.callers |= sample.callers,
            _ => self.samples.push_back(sample),
        }
        Window {
            exchanges: sample.leases.saturating_sub(first.leases),
            faults: sample.faults.saturating_sub(first.faults),
            callers: self.samples.iter().fold(0, |all, sample| all | sample.callers),
        }
    }
}

impl QuarantineRule {
    /// The reason to quarantine an adapter with these failures; `None` if there is none.
    fn reason(&self, failures: &[RecentFailure], window: Window) -> Option<String> {
        let share = window.faults as f64 / window.exchanges.max(1) as f64;
        if failures.len() < self.faults || share < self.share {
            return None;
        }
        let failing = failures.iter().fold(0, |all, failure| all | failure.caller);
        if failing.is_power_of_two() && window.callers & !failing != 0 {
            return None;
        }
        let kinds = FaultKind::ALL.into_iter().filter_map(|kind| {
            let count = failures.iter().filter(|failure| failure.kind == kind).count();
            (count > 0).then(|| format!("{} {count}", kind.name()))
        });
        Some(format!(
            "it failed at {} different requests within {:?} ({}); {} of {} exchanges failed",
            failures.len(),
            self.window,
            kinds.collect::<Vec<_>>().join(", "),
            window.faults,
            window.exchanges,
        ))
    }
}

/// Whether more than one adapter missed deadlines lately: then the machine is too busy, or was asleep.
fn several_missed_deadlines<'a>(adapters: impl Iterator<Item = &'a Arc<Adapter>>, now: Instant) -> bool {
    let lately = now.checked_sub(QuarantineRule::default().window);
    let missed = |adapter: &&Arc<Adapter>| {
        let failures = adapter.stats.recent_failures(lately);
        failures.iter().any(|failure| failure.kind == FaultKind::Deadline)
    };
    adapters.filter(missed).count() > 1
}

#[cfg(test)]
mod tests;
