//! The schedule of checks and their results so far. Pure: time and random numbers are arguments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gateway::Checked;
use crate::route::Target;
use weir_config::Check;

/// The fraction of its interval by which a check is earlier or later, so that many instances of Weir spread their
/// checks.
const JITTER: f64 = 0.1;

/// The checked providers, by name.
#[derive(Debug, Default)]
pub(super) struct Round(HashMap<Arc<str>, ScheduledCheck>);

#[derive(Debug)]
struct ScheduledCheck {
    check: Check,
    due: Instant,
    /// Whether a check is in progress.
    is_asked: bool,
    /// Consecutive failures.
    failed: u32,
}

impl Round {
    /// Schedules exactly these checks. The first check of a new provider comes at a random time within its interval.
    pub(super) fn keep(&mut self, wanted: &[(Arc<Target>, Check)], now: Instant, draw: impl Fn() -> f64) {
        let wanted = wanted.iter().map(|(target, check)| (&target.label, check));
        self.keep_named(wanted.collect(), now, draw);
    }

    fn keep_named(&mut self, wanted: Vec<(&Arc<str>, &Check)>, now: Instant, draw: impl Fn() -> f64) {
        self.0.retain(|name, _| wanted.iter().any(|(wanted, _)| *wanted == name));
        for (name, check) in wanted {
            let first = || now + check.every.mul_f64(draw().clamp(0.0, 1.0));
            let turn = self.0.entry(Arc::clone(name)).or_insert_with(|| ScheduledCheck {
                check: check.clone(),
                due: first(),
                is_asked: false,
                failed: 0,
            });
            if turn.check != *check {
                turn.check = check.clone();
                turn.due = turn.due.min(now + check.every);
            }
        }
    }

    /// Whether to check a provider now. If so, no other check of it begins until the result is recorded.
    pub(super) fn begins(&mut self, name: &str, now: Instant) -> bool {
        let Some(turn) = self.0.get_mut(name).filter(|turn| !turn.is_asked && turn.due <= now) else { return false };
        turn.is_asked = true;
        true
    }

    /// Time until the next check is due.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let due = self.0.values().filter(|turn| !turn.is_asked).map(|turn| turn.due).min();
        due.map_or(Duration::MAX, |due| due.saturating_duration_since(now))
    }

    /// Records the result of a check. Returns how long the provider rests, if it does.
    pub(super) fn record(&mut self, name: &str, checked: Checked, now: Instant, draw: f64) -> Option<Duration> {
        let turn = self.0.get_mut(name)?;
        turn.is_asked = false;
        turn.due = now + turn.check.every.mul_f64(1.0 - JITTER + 2.0 * JITTER * draw.clamp(0.0, 1.0));
        turn.failed = if checked == Checked::Failed { turn.failed.saturating_add(1) } else { 0 };
        // Until the next check has succeeded or timed out.
        let rest = turn.check.every.mul_f64(1.0 + JITTER).saturating_add(turn.check.timeout);
        (turn.failed >= turn.check.failures).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: Check =
        Check { every: Duration::from_secs(10), timeout: Duration::from_secs(1), failures: 2, model: None };

    fn round(now: Instant) -> (Round, Arc<str>) {
        let (mut round, name) = (Round::default(), Arc::from("p"));
        round.keep_named(vec![(&name, &CHECK)], now, || 0.5);
        (round, name)
    }

    #[test]
    fn the_first_check_comes_within_the_interval_and_later_ones_around_it() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        assert_eq!(round.wait(now), Duration::from_secs(5));
        assert!(!round.begins(&name, now));
        let due = now + Duration::from_secs(5);
        assert!(round.begins(&name, due) && !round.begins(&name, due), "one at a time");
        assert_eq!(round.wait(due), Duration::MAX);
        for (draw, millis) in [(0.0, 9_000), (0.5, 10_000), (1.0, 11_000)] {
            round.record(&name, Checked::Well, due, draw);
            let off = round.wait(due).abs_diff(Duration::from_millis(millis));
            assert!(off < Duration::from_millis(1), "{draw}: {:?}", round.wait(due));
        }
    }

    #[test]
    fn a_provider_rests_after_the_configured_failures_in_a_row() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        for (checked, rests) in [
            (Checked::Failed, false),
            (Checked::Well, false),
            (Checked::Failed, false),
            (Checked::Unclear, false),
            (Checked::Failed, false),
            (Checked::Failed, true),
            (Checked::Failed, true),
            (Checked::Well, false),
        ] {
            assert_eq!(round.record(&name, checked, now, 0.5).is_some(), rests, "{checked:?}");
        }
    }

    #[test]
    fn a_rest_lasts_at_least_until_the_next_check_is_over() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        round.record(&name, Checked::Failed, now, 1.0);
        let rest = round.record(&name, Checked::Failed, now, 1.0).unwrap();
        assert!(rest + Duration::from_millis(1) >= round.wait(now) + CHECK.timeout);
    }

    #[test]
    fn a_provider_that_is_no_longer_checked_is_forgotten() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        round.keep_named(Vec::new(), now, || 0.0);
        assert!(!round.begins(&name, now + CHECK.every));
        assert_eq!(round.record(&name, Checked::Failed, now, 0.0), None);
    }
}
