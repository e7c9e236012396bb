//! The outages of an hour: generated from a seed, the same each time; at any time at least one provider is up.

use std::time::Duration;

/// The number of providers.
pub(super) const PROVIDERS: usize = 3;
/// The length of the day.
pub(super) const HOUR: Duration = Duration::from_hours(1);

/// How a provider fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// Connections are refused, and existing ones close.
    Refuses,
    /// Every answer is a 500.
    Broken,
    /// Two answers of three are a 500.
    Bursts,
    /// Every answer is a 429 with the end of the limit.
    Limited,
    /// Every answer is a 503 without a `retry-after`.
    Overloaded,
    /// Requests are accepted and never answered.
    Stalls,
    /// Connections are reset when a request has arrived.
    Resets,
    /// Streams break off after their first pieces; other requests succeed.
    Cuts,
}

const WAYS: [Failing; 8] = [
    Failing::Refuses,
    Failing::Broken,
    Failing::Bursts,
    Failing::Limited,
    Failing::Overloaded,
    Failing::Stalls,
    Failing::Resets,
    Failing::Cuts,
];

/// An outage of one provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) provider: usize,
    pub(super) begins: Duration,
    pub(super) ends: Duration,
    pub(super) how: Failing,
}

impl Outage {
    fn meets(&self, begins: Duration, ends: Duration) -> bool {
        self.begins < ends && begins < self.ends
    }
}

/// A pseudo-random number generator (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn seconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_secs(from + self.next() % (to - from))
    }
}

/// The outages of a day, sorted by their start. Each provider is up for one to five minutes and then down for half a
/// minute to four; an outage during which no provider would be up is left out.
pub(super) fn outages(seed: u64) -> Vec<Outage> {
    let mut draw = Draw(seed);
    let mut expected = Vec::new();
    for provider in 0..PROVIDERS {
        let mut at = draw.seconds(5, 180);
        while at < HOUR {
            let (ends, how) = (at + draw.seconds(30, 240), WAYS[draw.next() as usize % WAYS.len()]);
            expected.push(Outage { provider, begins: at, ends: ends.min(HOUR), how });
            at = ends + draw.seconds(60, 300);
        }
    }
    expected.sort_by_key(|outage| outage.begins);
    let mut day: Vec<Outage> = Vec::new();
    for outage in expected {
        if !leaves_nobody(&day, &outage) {
            day.push(outage);
        }
    }
    day
}

/// Whether all other providers are down at some moment of an outage. Such a moment can only begin where an outage
/// begins.
fn leaves_nobody(day: &[Outage], outage: &Outage) -> bool {
    let beside: Vec<&Outage> = day.iter().filter(|other| other.meets(outage.begins, outage.ends)).collect();
    beside.iter().any(|one| {
        let (from, to) = (one.begins.max(outage.begins), one.ends.min(outage.ends));
        beside.iter().any(|other| other.provider != one.provider && other.meets(from, to))
    })
}

/// The outage of a provider at a moment.
pub(super) fn at(day: &[Outage], provider: usize, moment: Duration) -> Option<&Outage> {
    day.iter().find(|one| one.provider == provider && one.begins <= moment && moment < one.ends)
}

#[test]
fn at_any_time_of_any_day_one_provider_is_up() {
    for seed in 0..50 {
        let day = outages(seed);
        assert!(day.len() > 10, "a day without outages is none: {day:?}");
        for second in 0..HOUR.as_secs() {
            let moment = Duration::from_secs(second);
            assert!((0..PROVIDERS).any(|provider| at(&day, provider, moment).is_none()), "{seed} {moment:?}: {day:?}");
        }
        assert_eq!(format!("{day:?}"), format!("{:?}", outages(seed)), "a seed draws the same day each time");
    }
}
