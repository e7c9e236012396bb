//! Watches how adapters do, and takes out of service what fails too often: quarantine, and the verdict on trials.
//!
//! What counts is not how often a component fails but at how many *different* requests: a poisoned request that is sent
//! again and again is one. They must also be a share of all exchanges, and where several callers use the adapter they
//! must not all be one caller's: nobody takes an adapter away from others alone. Deadlines that several adapters miss at
//! the same time are the machine's fault and count for nothing, and so do limits that were met at large inputs.
//!
//! What it took out of service is tried again after a pause, where no other version serves instead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::catalog::Catalog;
use super::decisions::By;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::canary::{CanaryRule, Verdict};
use weir_sandbox::digest::Digest;
use weir_sandbox::fault::FaultKind;
use weir_sandbox::stats::Offence;

/// How often the judge should look.
pub const EVERY: Duration = Duration::from_millis(250);
/// Samples that make a window.
const SAMPLES: u32 = 16;

/// How an adapter is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Care {
    /// When it is quarantined; never if none.
    pub quarantine: Option<QuarantineRule>,
    /// How new versions are tried; not at all if none.
    pub canary: Option<CanaryRule>,
}

/// When an adapter is quarantined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuarantineRule {
    /// Different requests that it fails at within the window; up to 64.
    pub faults: usize,
    /// The time over which they are counted.
    pub window: Duration,
    /// The share of exchanges in that time that must have failed.
    pub share: f64,
    /// How long it is out of service before it is tried again, the first time.
    pub pause: Duration,
}

impl Default for QuarantineRule {
    fn default() -> Self {
        Self { faults: 5, window: Duration::from_mins(1), share: 0.1, pause: Duration::from_mins(1) }
    }
}

/// What happened to an adapter until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at: Instant,
    leases: u64,
    faults: u64,
    /// Who came since the sample before, a bit each.
    callers: u64,
}

/// What happened within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    exchanges: u64,
    faults: u64,
    callers: u64,
}

#[derive(Debug)]
struct Watched {
    digest: Digest,
    samples: VecDeque<Sample>,
}

/// The one who watches.
#[derive(Debug)]
pub struct Judge {
    catalog: Arc<Catalog>,
    watched: BTreeMap<Arc<str>, Watched>,
}

impl Judge {
    /// Has seen nothing yet.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, watched: BTreeMap::new() }
    }

    /// Looks at all adapters and acts. To be called every [`EVERY`], off the request path.
    pub fn look(&mut self) {
        let snapshot = self.catalog.snapshot();
        for (name, trial) in &snapshot.trials {
            let Some(serving) = snapshot.adapters.get(name) else { continue };
            let done = match trial.verdict(serving) {
                Verdict::Undecided => Ok(()),
                Verdict::Promote(why) => self.catalog.promote(name, &why),
                Verdict::Reject(why) => {
                    let reason = format!("it failed its trial: {why}");
                    self.catalog.quarantine(name, trial.adapter.digest, &reason, By::Judge)
                }
            };
            if let Err(error) = done {
                tracing::warn!(adapter = %name, %error, "the trial stays as it is");
            }
        }
        let pause = |name: &str| self.catalog.care(name).quarantine.unwrap_or_default().pause;
        self.catalog.try_again(SystemTime::now(), pause);
        let now = Instant::now();
        self.watched.retain(|name, _| snapshot.adapters.contains_key(name));
        let spares_deadlines = several_missed_deadlines(snapshot.adapters.values(), now);
        for (name, adapter) in &snapshot.adapters {
            let Some(rule) = self.catalog.care(name).quarantine else { continue };
            if adapter.duty.suspended().is_some() {
                continue;
            }
            let window = self.window(name, adapter, rule.window, now);
            let mut offences = adapter.stats.offences(now.checked_sub(rule.window));
            offences.retain(|offence| !(spares_deadlines && offence.kind == FaultKind::Deadline));
            if let Some(reason) = rule.reason(&offences, window)
                && let Err(error) = self.catalog.quarantine(name, adapter.digest, &reason, By::Judge)
            {
                tracing::warn!(adapter = %name, %error, "not quarantined");
            }
        }
    }

    /// Notes what happened until now, and answers what did within the window.
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
                    *watched = Watched::begin(adapter, sample, length);
                }
            })
            .or_insert_with(|| Watched::begin(adapter, sample, length));
        watched.note(sample, length)
    }
}

impl Watched {
    fn begin(adapter: &Adapter, first: Sample, length: Duration) -> Self {
        // What was loaded just now is known from its beginning.
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
    /// Why an adapter that did this is to be quarantined, if it is.
    fn reason(&self, offences: &[Offence], window: Window) -> Option<String> {
        let share = window.faults as f64 / window.exchanges.max(1) as f64;
        if offences.len() < self.faults || share < self.share {
            return None;
        }
        let failing = offences.iter().fold(0, |all, offence| all | offence.caller);
        if failing.is_power_of_two() && window.callers & !failing != 0 {
            return None;
        }
        let kinds = FaultKind::ALL.into_iter().filter_map(|kind| {
            let count = offences.iter().filter(|offence| offence.kind == kind).count();
            (count > 0).then(|| format!("{} {count}", kind.name()))
        });
        Some(format!(
            "it failed at {} different requests within {:?} ({}); {} of {} exchanges failed",
            offences.len(),
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
        let offences = adapter.stats.offences(lately);
        offences.iter().any(|offence| offence.kind == FaultKind::Deadline)
    };
    adapters.filter(missed).count() > 1
}

#[cfg(test)]
mod tests;
