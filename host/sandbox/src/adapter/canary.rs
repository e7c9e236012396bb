//! Canary releases: a new version gets a share of the exchanges before it gets all.
//!
//! Only calls into the component are tried: the manifest (faces, acceptances, error templates) is that of the serving
//! version until the new one is promoted. So trials do not concern the relay lane, in which no component runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use super::Adapter;

/// Rules of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CanaryRule {
    /// Share of the exchanges for the new version, above 0 and up to 1.
    pub share: f64,
    /// Number of exchanges after which the new version is promoted.
    pub requests: u64,
    /// How far its failure rate may exceed that of the serving version.
    pub max_fault_rate: f64,
    /// Maximum duration of a trial; the exchanges until then decide.
    pub max_time: Duration,
}

impl Default for CanaryRule {
    fn default() -> Self {
        Self { share: 0.05, requests: 200, max_fault_rate: 0.01, max_time: Duration::from_mins(10) }
    }
}

/// The results of one version during a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of exchanges.
    pub exchanges: u64,
    /// Failed exchanges: by the component's fault, or because the provider rejected the rendered request.
    pub failed: u64,
}

impl Tally {
    fn rate(self) -> f64 {
        self.failed as f64 / self.exchanges.max(1) as f64
    }
}

/// The result of a trial so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The trial continues.
    Undecided,
    /// The new version gets all exchanges, for this reason.
    Promote(String),
    /// The new version gets none, for this reason.
    Reject(String),
}

impl CanaryRule {
    /// Judges the results of the new version (`tried`) and of the serving one (`beside`), both since the trial began.
    pub fn verdict(&self, tried: Tally, beside: Tally, lasted: Duration) -> Verdict {
        let may_fail = beside.rate() + self.max_fault_rate;
        // Rejected as soon as the rate can no longer become low enough.
        if tried.failed as f64 > may_fail * self.requests.max(tried.exchanges) as f64 {
            return Verdict::Reject(failures(tried, beside));
        }
        if tried.exchanges >= self.requests || lasted >= self.max_time {
            let is_good = tried.rate() <= may_fail;
            return if is_good {
                Verdict::Promote(failures(tried, beside))
            } else {
                Verdict::Reject(failures(tried, beside))
            };
        }
        Verdict::Undecided
    }
}

fn failures(tried: Tally, beside: Tally) -> String {
    format!(
        "{} of its {} exchanges failed, {} of {} on the version beside it",
        tried.failed, tried.exchanges, beside.failed, beside.exchanges
    )
}

/// A trial in progress.
#[derive(Debug)]
pub struct Trial {
    /// The new version.
    pub adapter: Arc<Adapter>,
    /// The rules of this trial.
    pub rule: CanaryRule,
    /// Start of the trial.
    pub since: SystemTime,
    begun: Instant,
    turns: AtomicU64,
    tried: Arm,
    beside: Arm,
}

#[derive(Debug, Default)]
struct Arm {
    exchanges: AtomicU64,
    failed: AtomicU64,
    /// The adapter's faults before the trial.
    faults: u64,
}

impl Arm {
    fn of(adapter: &Adapter) -> Self {
        Self { faults: adapter.stats.faults_of_its_own(), ..Self::default() }
    }

    fn tally(&self, adapter: &Adapter) -> Tally {
        let faults = adapter.stats.faults_of_its_own().saturating_sub(self.faults);
        Tally { exchanges: self.exchanges.load(Relaxed), failed: self.failed.load(Relaxed) + faults }
    }
}

impl Trial {
    /// Begins a trial beside the version that serves.
    pub fn new(adapter: &Arc<Adapter>, serving: &Adapter, rule: CanaryRule) -> Self {
        Self {
            adapter: Arc::clone(adapter),
            rule,
            since: SystemTime::now(),
            begun: Instant::now(),
            turns: AtomicU64::new(0),
            tried: Arm::of(adapter),
            beside: Arm::of(serving),
        }
    }

    /// Results of the new version.
    pub fn tried(&self) -> Tally {
        self.tried.tally(&self.adapter)
    }

    /// Results of the serving version, meanwhile.
    pub fn beside(&self, serving: &Adapter) -> Tally {
        self.beside.tally(serving)
    }

    /// Judges the results of both versions since the trial began.
    pub fn verdict(&self, serving: &Adapter) -> Verdict {
        self.rule.verdict(self.tried(), self.beside(serving), self.begun.elapsed())
    }

    /// Whether the next exchange goes to the new version. Exchanges are spread evenly, so the share is right from the
    /// start.
    fn is_its_turn(&self) -> bool {
        is_its_turn(self.turns.fetch_add(1, Relaxed), self.rule.share)
    }

    fn arm(&self, tried: bool) -> &Arm {
        if tried { &self.tried } else { &self.beside }
    }
}

fn is_its_turn(turn: u64, share: f64) -> bool {
    ((turn + 1) as f64 * share).floor() > (turn as f64 * share).floor()
}

/// The version that serves one exchange from start to end.
#[derive(Debug, Clone)]
pub struct ChosenVersion {
    /// The chosen version.
    pub adapter: Arc<Adapter>,
    /// The trial in progress, and whether the chosen version is the new one.
    trial: Option<(Arc<Trial>, bool)>,
}

impl ChosenVersion {
    /// Records that the exchange failed in a way that may be the adapter's fault. Faults of the component are counted
    /// without this.
    pub fn failed(&self) {
        if let Some((trial, tried)) = &self.trial {
            trial.arm(*tried).failed.fetch_add(1, Relaxed);
        }
    }
}

impl Adapter {
    /// Chooses the version for the next exchange: this one, or the one on trial.
    pub fn choose(self: &Arc<Self>) -> ChosenVersion {
        let Some(trial) = self.state.trial() else { return ChosenVersion { adapter: Arc::clone(self), trial: None } };
        let tried = trial.is_its_turn();
        trial.arm(tried).exchanges.fetch_add(1, Relaxed);
        let adapter = if tried { &trial.adapter } else { self };
        ChosenVersion { adapter: Arc::clone(adapter), trial: Some((Arc::clone(&trial), tried)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(exchanges: u64, failed: u64) -> Tally {
        Tally { exchanges, failed }
    }

    fn verdict(tried: Tally, beside: Tally) -> Verdict {
        CanaryRule::default().verdict(tried, beside, Duration::ZERO)
    }

    #[test]
    fn the_share_is_what_the_rule_says() {
        for (share, expected) in [(0.05, 50), (0.5, 500), (1.0, 1000), (0.001, 1)] {
            let turns = (0..1000).filter(|turn| is_its_turn(*turn, share)).count();
            assert_eq!(turns, expected, "{share}");
        }
    }

    #[test]
    fn it_is_promoted_when_it_has_served_enough_and_not_before() {
        assert_eq!(verdict(tally(199, 0), tally(4000, 0)), Verdict::Undecided);
        assert!(matches!(verdict(tally(200, 2), tally(4000, 0)), Verdict::Promote(_)));
    }

    #[test]
    fn it_is_rejected_as_soon_as_it_cannot_become_good_enough() {
        assert_eq!(verdict(tally(3, 2), tally(50, 0)), Verdict::Undecided);
        assert!(matches!(verdict(tally(3, 3), tally(50, 0)), Verdict::Reject(_)));
    }

    #[test]
    fn failures_of_the_serving_version_do_not_count_against_it() {
        assert!(matches!(verdict(tally(200, 20), tally(4000, 400)), Verdict::Promote(_)));
        assert!(matches!(verdict(tally(200, 23), tally(4000, 400)), Verdict::Reject(_)));
    }

    #[test]
    fn a_trial_without_exchanges_ends() {
        let rule = CanaryRule::default();
        assert!(matches!(rule.verdict(tally(0, 0), tally(0, 0), rule.max_time), Verdict::Promote(_)));
        assert!(matches!(rule.verdict(tally(10, 2), tally(10, 0), rule.max_time), Verdict::Reject(_)));
    }
}
