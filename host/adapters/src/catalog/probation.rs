//! Retries an adapter that the judge quarantined, if no other version serves in its place, after a pause that doubles
//! each time. An adapter quarantined by the operator stays so, and so does one that another version has replaced.

use std::time::{Duration, SystemTime};

use super::super::decisions::{DecidedBy, Quarantined, TriedAgain};
use super::{Catalog, Snapshot};
use weir_sandbox::digest::Digest;

/// Maximum pause. After serving for this long, an adapter starts again with the first pause.
const MAX_PAUSE: Duration = Duration::from_hours(24);

impl Catalog {
    /// Retries adapters whose pause is over; `pause` returns the first pause for an adapter's name.
    pub(in super::super) fn try_again(&self, now: SystemTime, pause: impl Fn(&str) -> Duration) {
        // Almost always there is nothing to do, which needs no lock.
        if self.snapshot.load().due(now, &pause).is_empty() {
            return;
        }
        let _changing = self.lock();
        let mut next = self.next();
        for digest in next.due(now, &pause) {
            let Some(quarantined) = next.quarantined.remove(&digest) else { continue };
            let name = &*quarantined.name;
            next.tried_again.insert(digest, TriedAgain { times: quarantined.times, since: now });
            next.clear_refusal(name, digest);
            if let Some(adapter) = next.adapters.get(name) {
                adapter.stats.forgive();
                adapter.state.begin();
                adapter.warm();
            }
            tracing::warn!(adapter = name, %digest, times = quarantined.times, "quarantined adapter is tried again");
            self.tallies.count(name, "tried_again");
        }
        self.replace(next);
    }
}

impl Snapshot {
    /// The digests to be retried now.
    fn due(&self, now: SystemTime, pause: &impl Fn(&str) -> Duration) -> Vec<Digest> {
        let is_due = |(digest, quarantined): &(&Digest, &Quarantined)| {
            let name = &*quarantined.name;
            let is_out = self
                .adapters
                .get(name)
                .is_some_and(|adapter| adapter.digest == **digest && adapter.state.suspended().is_some());
            let is_over =
                now.duration_since(quarantined.since).is_ok_and(|is| is >= of(pause(name), quarantined.times));
            quarantined.by == DecidedBy::Judge && is_out && is_over
        };
        self.quarantined.iter().filter(is_due).map(|(digest, _)| *digest).collect()
    }

    /// How often in a row this digest was quarantined and retried before.
    pub(super) fn times(&self, digest: Digest, now: SystemTime) -> u32 {
        let tried = self.tried_again.get(&digest);
        // If the clock was set back, the age counts as zero.
        let lately = |tried: &&TriedAgain| now.duration_since(tried.since).unwrap_or_default() < MAX_PAUSE;
        tried.filter(lately).map_or(0, |tried| tried.times)
    }
}

/// The pause after this many quarantines.
fn of(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.saturating_sub(1).min(20)).min(MAX_PAUSE.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_as_the_one_before_up_to_a_day() {
        let minute = Duration::from_mins(1);
        let pauses: Vec<u64> = [0, 1, 2, 3, 11, 12, u32::MAX].map(|times| of(minute, times).as_secs() / 60).to_vec();
        assert_eq!(pauses, [1, 1, 2, 4, 1024, 1440, 1440]);
    }
}
