//! Whose turn it is to be checked, and what the checks so far came to. Pure: the time and chance are arguments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gateway::Checked;
use crate::route::Target;
use weir_config::Check;

/// A check comes this share of its interval earlier or later, so that many Weirs do not ask at the same time.
const JITTER: f64 = 0.1;

/// The providers that are checked.
#[derive(Debug, Default)]
pub(super) struct Round(HashMap<Arc<str>, Turn>);

#[derive(Debug)]
struct Turn {
    check: Check,
    due: Instant,
    /// Whether one is under way.
    is_asked: bool,
    /// How many failed in a row.
    failed: u32,
}

impl Round {
    /// Checks these from now on and no others. The first check of a new one comes somewhen within its interval.
    pub(super) fn keep(&mut self, wanted: &[(Arc<Target>, Check)], now: Instant, draw: impl Fn() -> f64) {
        let wanted = wanted.iter().map(|(target, check)| (&target.label, check));
        self.keep_named(wanted.collect(), now, draw);
    }

    fn keep_named(&mut self, wanted: Vec<(&Arc<str>, &Check)>, now: Instant, draw: impl Fn() -> f64) {
        self.0.retain(|name, _| wanted.iter().any(|(wanted, _)| *wanted == name));
        for (name, check) in wanted {
            let first = || now + check.every.mul_f64(draw().clamp(0.0, 1.0));
            let turn = self.0.entry(Arc::clone(name)).or_insert_with(|| Turn {
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

    /// Whether a provider is to be asked now. It is then not asked again before it was heard of.
    pub(super) fn begins(&mut self, name: &str, now: Instant) -> bool {
        let Some(turn) = self.0.get_mut(name).filter(|turn| !turn.is_asked && turn.due <= now) else { return false };
        turn.is_asked = true;
        true
    }

    /// How long until somebody is to be asked.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let due = self.0.values().filter(|turn| !turn.is_asked).map(|turn| turn.due).min();
        due.map_or(Duration::MAX, |due| due.saturating_duration_since(now))
    }

    /// A check came to this. For how long the provider is to rest, if it is.
    pub(super) fn heard(&mut self, name: &str, checked: Checked, now: Instant, draw: f64) -> Option<Duration> {
        let turn = self.0.get_mut(name)?;
        turn.is_asked = false;
        turn.due = now + turn.check.every.mul_f64(1.0 - JITTER + 2.0 * JITTER * draw.clamp(0.0, 1.0));
        turn.failed = if checked == Checked::Failed { turn.failed.saturating_add(1) } else { 0 };
        // Until the next one has been answered, or not in time.
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
    fn the_first_comes_within_the_interval_and_the_others_around_it() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        assert_eq!(round.wait(now), Duration::from_secs(5));
        assert!(!round.begins(&name, now));
        let due = now + Duration::from_secs(5);
        assert!(round.begins(&name, due) && !round.begins(&name, due), "one at a time");
        assert_eq!(round.wait(due), Duration::MAX);
        for (draw, millis) in [(0.0, 9_000), (0.5, 10_000), (1.0, 11_000)] {
            round.heard(&name, Checked::Well, due, draw);
            let off = round.wait(due).abs_diff(Duration::from_millis(millis));
            assert!(off < Duration::from_millis(1), "{draw}: {:?}", round.wait(due));
        }
    }

    #[test]
    fn it_rests_after_as_many_failures_in_a_row_as_configured() {
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
            assert_eq!(round.heard(&name, checked, now, 0.5).is_some(), rests, "{checked:?}");
        }
    }

    #[test]
    fn it_rests_at_least_until_the_next_check_is_over() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        round.heard(&name, Checked::Failed, now, 1.0);
        let rest = round.heard(&name, Checked::Failed, now, 1.0).unwrap();
        assert!(rest + Duration::from_millis(1) >= round.wait(now) + CHECK.timeout);
    }

    #[test]
    fn who_is_no_longer_to_be_checked_is_forgotten() {
        let now = Instant::now();
        let (mut round, name) = round(now);
        round.keep_named(Vec::new(), now, || 0.0);
        assert!(!round.begins(&name, now + CHECK.every));
        assert_eq!(round.heard(&name, Checked::Failed, now, 0.0), None);
    }
}
