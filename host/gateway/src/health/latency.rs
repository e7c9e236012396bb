//! A target's latency to the first piece: a mean in which old values decay. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// The time after which a value has half the weight of a new one.
const HALF_LIFE: Duration = Duration::from_secs(30);
/// The age at which the mean is discarded, so that a slow target is tried again.
const STALE: Duration = Duration::from_mins(5);
/// The least weight of a new value.
const SHARE: f64 = 0.1;

/// A decaying mean.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latency {
    mean: Option<(f64, Instant)>,
}

impl Latency {
    /// Adds a value.
    pub(super) fn observe(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let mean = match self.mean {
            None => took,
            Some((mean, at)) => {
                let age = now.saturating_duration_since(at).as_secs_f64() / HALF_LIFE.as_secs_f64();
                let keep = (-age).exp2() * (1.0 - SHARE);
                mean * keep + took * (1.0 - keep)
            }
        };
        self.mean = Some((mean, now));
    }

    /// The mean; `None` if there is no recent value.
    pub(super) fn of(&self, now: Instant) -> Option<Duration> {
        let (mean, at) = self.mean?;
        (now.saturating_duration_since(at) < STALE).then(|| Duration::try_from_secs_f64(mean).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_changes_and_expires() {
        let begun = Instant::now();
        let mut latency = Latency::default();
        assert_eq!(latency.of(begun), None);
        latency.observe(Duration::from_millis(100), begun);
        assert_eq!(latency.of(begun), Some(Duration::from_millis(100)));
        for _ in 0..60 {
            latency.observe(Duration::from_secs(1), begun);
        }
        assert!(latency.of(begun) > Some(Duration::from_millis(950)));
        let later = begun + HALF_LIFE * 4;
        latency.observe(Duration::from_millis(100), later);
        assert!(latency.of(later) < Some(Duration::from_millis(200)), "{:?}", latency.of(later));
        assert_eq!(latency.of(later + STALE), None);
    }
}
