//! Tokens by bucket: what an answer used, in the contract's disjoint buckets.

use crate::contract::about::Bucket;
use crate::contract::types::Usage;

/// Counts of tokens, one for each [`Bucket`]; none where the provider reported none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens([Option<u32>; Bucket::ALL.len()]);

/// The buckets whose sum is the input.
pub const INPUT: [Bucket; 6] = [
    Bucket::Input,
    Bucket::InputAudio,
    Bucket::InputImage,
    Bucket::CacheRead,
    Bucket::CacheWrite,
    Bucket::CacheWriteHour,
];
/// The buckets whose sum is the output.
pub const OUTPUT: [Bucket; 4] = [Bucket::Output, Bucket::OutputAudio, Bucket::OutputImage, Bucket::Reasoning];

/// Most tokens that are believed of one answer, on either side: a thousand times the longest context there is. Adapters
/// and the tap give a larger number as the greatest that fits, which is far beyond this.
const MAX_TOKENS: u32 = 1_000_000_000;

/// Removes the input, the output and the units that no answer can have. Returns whether there were any.
pub fn remove_impossible(usage: &mut Usage) -> bool {
    let tokens = Tokens::from(&*usage);
    let wrong = |count: Option<u32>| count.is_some_and(|count| count > MAX_TOKENS);
    let (input, output) = (wrong(tokens.input()), wrong(tokens.output()));
    for (is_wrong, buckets) in [(input, &INPUT[..]), (output, &OUTPUT[..])] {
        buckets.iter().filter(|_| is_wrong).for_each(|bucket| *usage.bucket_mut(*bucket) = None);
    }
    let units = usage.units.len();
    usage.units.retain(|unit| (0.0..=f64::from(MAX_TOKENS)).contains(&unit.count));
    input || output || usage.units.len() < units
}

/// Adds the counts of another usage. What prices depend on besides, such as the tier, stays that of the first.
pub fn add_counts(sum: &mut Usage, more: &Usage) {
    let both = |one: Option<u32>, other: Option<u32>| match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    };
    for bucket in Bucket::ALL {
        let count = both(sum.bucket(bucket), more.bucket(bucket));
        *sum.bucket_mut(bucket) = count;
    }
    for more in &more.units {
        match sum.units.iter_mut().find(|known| known.unit == more.unit) {
            Some(known) => known.count += more.count,
            None => sum.units.push(*more),
        }
    }
}

impl Tokens {
    /// Input and output, not divided any further.
    pub fn of(input: Option<u32>, output: Option<u32>) -> Self {
        Self::default().with(Bucket::Input, input).with(Bucket::Output, output)
    }

    /// These counts plus tokens of input and output that are not divided any further.
    #[must_use]
    pub fn plus(mut self, input: u32, output: u32) -> Self {
        for (bucket, more) in [(Bucket::Input, input), (Bucket::Output, output)] {
            if more > 0 {
                let count = self.slot(bucket);
                *count = Some(count.unwrap_or_default().saturating_add(more));
            }
        }
        self
    }

    /// The count of a bucket.
    pub fn get(&self, bucket: Bucket) -> Option<u32> {
        self.0.get(bucket as usize).copied().flatten()
    }

    /// The count of a bucket, to be changed.
    pub fn slot(&mut self, bucket: Bucket) -> &mut Option<u32> {
        &mut self.0[bucket as usize]
    }

    /// These counts with another count in one bucket.
    #[must_use]
    pub fn with(mut self, bucket: Bucket, count: Option<u32>) -> Self {
        *self.slot(bucket) = count;
        self
    }

    /// Both counts of each bucket made one.
    #[must_use]
    pub fn zip(self, other: Self, both: impl Fn(Option<u32>, Option<u32>) -> Option<u32>) -> Self {
        Self(Bucket::ALL.map(|bucket| both(self.get(bucket), other.get(bucket))))
    }

    /// The buckets whose count is known, in the contract's order.
    pub fn known(&self) -> impl Iterator<Item = (Bucket, u32)> {
        let counts = self.0;
        Bucket::ALL.into_iter().filter_map(move |bucket| Some((bucket, counts.get(bucket as usize).copied()??)))
    }

    /// All input; none if no bucket of it is known.
    pub fn input(&self) -> Option<u32> {
        self.sum(&INPUT)
    }

    /// All output, reasoning included; none if no bucket of it is known.
    pub fn output(&self) -> Option<u32> {
        self.sum(&OUTPUT)
    }

    /// Input and output; none if no bucket is known.
    pub fn total(&self) -> Option<u32> {
        self.sum(&Bucket::ALL)
    }

    /// Whether no answer can have so many tokens.
    pub fn is_impossible(&self) -> bool {
        [self.input(), self.output()].into_iter().flatten().any(|count| count > MAX_TOKENS)
    }

    fn sum(&self, buckets: &[Bucket]) -> Option<u32> {
        buckets.iter().filter_map(|bucket| self.get(*bucket)).reduce(u32::saturating_add)
    }
}

impl From<&Usage> for Tokens {
    fn from(usage: &Usage) -> Self {
        Self(Bucket::ALL.map(|bucket| usage.bucket(bucket)))
    }
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        let mut usage = Self::default();
        for (bucket, count) in tokens.known() {
            *usage.bucket_mut(bucket) = Some(count);
        }
        usage
    }
}

impl Bucket {
    /// Its name in metrics, logs and prices.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWriteHour => "cache_write_hour",
            Self::Output => "output",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::Reasoning => "reasoning",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Unit, UnitCount};

    #[test]
    fn a_side_that_no_answer_can_have_is_removed() {
        let mut usage = Usage::of(Some(7), Some(u32::MAX));
        usage.reasoning = Some(3);
        assert!(Tokens::from(&usage).is_impossible() && remove_impossible(&mut usage));
        assert_eq!(usage, Usage::of(Some(7), None));
        assert!(!Tokens::from(&usage).is_impossible() && !remove_impossible(&mut usage));
        let mut usage = Usage { cache_read: Some(40), ..Usage::of(Some(u32::MAX - 40), Some(1_000_000_000)) };
        assert!(remove_impossible(&mut usage));
        assert_eq!(usage, Usage::of(None, Some(1_000_000_000)));
        let count = |unit, count| UnitCount { unit, count };
        usage.units = vec![count(Unit::BilledInput, 5e9), count(Unit::Search, 2.0), count(Unit::Second, f64::NAN)];
        assert!(remove_impossible(&mut usage));
        assert_eq!(usage.units, [count(Unit::Search, 2.0)]);
    }

    #[test]
    fn counts_are_added_by_bucket_and_unit_and_do_not_wrap() {
        let unit = |unit, count| UnitCount { unit, count };
        let mut sum = Usage { units: vec![unit(Unit::Search, 1.0)], ..Usage::of(Some(u32::MAX), None) };
        sum.service_tier = Some("batch".into());
        let units = vec![unit(Unit::Search, 2.0), unit(Unit::Second, 0.5)];
        add_counts(&mut sum, &Usage { units, cache_read: Some(4), ..Usage::of(Some(1), Some(2)) });
        let expected = Usage { cache_read: Some(4), ..Usage::of(Some(u32::MAX), Some(2)) };
        assert_eq!(Tokens::from(&sum), Tokens::from(&expected));
        assert_eq!(sum.units, [unit(Unit::Search, 3.0), unit(Unit::Second, 0.5)]);
        assert_eq!(sum.service_tier.as_deref(), Some("batch"));
    }

    #[test]
    fn every_bucket_counts_in_input_or_output_once() {
        for bucket in Bucket::ALL {
            let tokens = Tokens::default().with(bucket, Some(5));
            assert_eq!(tokens.total(), Some(5));
            assert_eq!(tokens.input().is_some(), tokens.output().is_none(), "{bucket:?}");
            assert_eq!(tokens.known().collect::<Vec<_>>(), [(bucket, 5)]);
            assert_eq!(Tokens::from(&Usage::from(tokens)), tokens);
        }
        assert_eq!(Tokens::default().total(), None);
    }
}
