//! A sliding window of successes and failures, counted in time slices. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// The number of slices of a window. Old outcomes expire one slice at a time.
const SLICES: usize = 10;

/// A sliding window of outcomes.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    slices: [Slice; SLICES],
    /// The number of the newest slice since `origin`.
    newest: u64,
    origin: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slice {
    successes: u32,
    failures: u32,
}

impl Window {
    /// Counts a success.
    pub(super) fn succeeded(&mut self, now: Instant, length: Duration) {
        let slice = self.slice(now, length);
        slice.successes = slice.successes.saturating_add(1);
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, now: Instant, length: Duration) {
        let slice = self.slice(now, length);
        slice.failures = slice.failures.saturating_add(1);
    }

    /// Removes the last success, which turned out to be a failure.
    pub(super) fn retract(&mut self) {
        for back in 0..SLICES as u64 {
            let Some(number) = self.newest.checked_sub(back) else { return };
            let slice = &mut self.slices[place(number)];
            if slice.successes > 0 {
                slice.successes -= 1;
                return;
            }
        }
    }

    /// The number of outcomes and the fraction of failures among them.
    pub(super) fn rate(&mut self, now: Instant, length: Duration) -> (u32, f64) {
        self.slice(now, length);
        let add = |sum: u32, n: u32| sum.saturating_add(n);
        let failures = self.slices.iter().map(|slice| slice.failures).fold(0, add);
        let all = self.slices.iter().map(|slice| slice.successes).fold(failures, add);
        (all, if all == 0 { 0.0 } else { f64::from(failures) / f64::from(all) })
    }

    /// Removes all outcomes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The slice of this moment, after emptying the slices that have passed since the last one. An earlier time (from
    /// another thread) counts as the newest slice.
    fn slice(&mut self, now: Instant, length: Duration) -> &mut Slice {
        let origin = *self.origin.get_or_insert(now);
        let step = (length / SLICES as u32).max(Duration::from_millis(1));
        let passed = now.saturating_duration_since(origin).as_nanos() / step.as_nanos();
        let number = u64::try_from(passed).unwrap_or(u64::MAX).max(self.newest);
        for gone in 1..=(number - self.newest).min(SLICES as u64) {
            self.slices[place(self.newest + gone)] = Slice::default();
        }
        if number - self.newest > SLICES as u64 {
            self.slices = Default::default();
        }
        self.newest = number;
        &mut self.slices[place(number)]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "less than the number of slices")]
fn place(number: u64) -> usize {
    (number % SLICES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(10);

    fn after(begun: Instant, millis: u64) -> Instant {
        begun + Duration::from_millis(millis)
    }

    #[test]
    fn outcomes_older_than_the_window_expire() {
        let begun = Instant::now();
        let mut window = Window::default();
        for second in 0..10 {
            window.failed(after(begun, second * 1000), LENGTH);
        }
        assert_eq!(window.rate(after(begun, 9999), LENGTH), (10, 1.0));
        window.succeeded(after(begun, 14_000), LENGTH);
        assert_eq!(window.rate(after(begun, 14_000), LENGTH).0, 6, "five seconds of failures and a success");
        assert_eq!(window.rate(after(begun, 60_000), LENGTH), (0, 0.0));
    }

    #[test]
    fn a_success_that_turned_into_a_failure_is_removed() {
        let begun = Instant::now();
        let mut window = Window::default();
        window.succeeded(begun, LENGTH);
        window.failed(after(begun, 3000), LENGTH);
        window.retract();
        assert_eq!(window.rate(after(begun, 3000), LENGTH), (1, 1.0));
        window.retract();
        assert_eq!(window.rate(after(begun, 3000), LENGTH).0, 1, "there is nothing more to take back");
    }

    #[test]
    fn a_time_before_the_newest_slice_does_no_harm() {
        let begun = Instant::now();
        let mut window = Window::default();
        window.failed(after(begun, 5000), LENGTH);
        window.failed(after(begun, 2000), LENGTH);
        assert_eq!(window.rate(after(begun, 5000), LENGTH).0, 2);
    }
}
