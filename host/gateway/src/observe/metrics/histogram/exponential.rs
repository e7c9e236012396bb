//! The buckets of Prometheus's native histograms: each as much wider than the one before as the schema says, and kept
//! only where something fell into them. Counting takes no lock. A histogram with too many buckets is shown in a coarser
//! schema; what counts does not notice.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted as zero: a microsecond, the resolution of the gateway's times. It is an upper bound of a bucket.
pub(in super::super) const ZERO: f64 = 1.0 / 1_048_576.0;
/// The schema in which is counted: 2^3 buckets between powers of two, each wider than the last by the factor 1.09.
const SCHEMA: i32 = 3;
/// The coarsest schema there is: a bucket is wider than the last by the factor 65,536.
const COARSEST: i32 = -4;
/// The most buckets that a histogram is shown with.
const MAX_BUCKETS: usize = 160;

/// The lower bounds of the buckets between 1 and 2.
const BOUNDS: [f64; 1 << SCHEMA] = [
    1.0,
    1.090_507_732_665_257_7,
    1.189_207_115_002_721,
    1.296_839_554_651_009_6,
    std::f64::consts::SQRT_2,
    1.542_210_825_407_940_7,
    1.681_792_830_507_429,
    1.834_008_086_409_342_2,
];

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
const EXPONENT_OF_ONE: i32 = f64::MAX_EXP - 1;
/// The number of the bucket directly above `ZERO`, which is 2^-20.
const FIRST: i32 = (-20 << SCHEMA) + 1;
/// The number of the bucket that ends at 2^1024, and holds the largest number there is.
const LAST: i32 = f64::MAX_EXP << SCHEMA;
/// Buckets whose room is made together: of 16 powers of two.
const BLOCK: usize = 16 << SCHEMA;
const BLOCKS: usize = ((LAST - FIRST + 1) as usize).div_ceil(BLOCK);

/// The number of the bucket of a finite value; `None` is that of zero. The bucket 0 ends at 1, which belongs to it.
fn number(value: f64) -> Option<i32> {
    // Also what is no number.
    if value.partial_cmp(&ZERO).is_none_or(std::cmp::Ordering::is_le) {
        return None;
    }
    // Above `ZERO`, there are no subnormal numbers and no signs.
    let bits = value.to_bits();
    let exponent = (bits >> MANTISSA_BITS) as i32 - EXPONENT_OF_ONE;
    let fraction = f64::from_bits((bits & ((1 << MANTISSA_BITS) - 1)) | 1.0_f64.to_bits());
    let within = BOUNDS.partition_point(|bound| *bound < fraction);
    Some((exponent << SCHEMA) + i32::from(within as u8))
}

type Block = [AtomicU64; BLOCK];

/// Counters of the buckets.
#[derive(Debug)]
pub(super) struct SparseCounters {
    zero: AtomicU64,
    /// Made when something falls into them, which is seldom more than twice.
    blocks: [OnceLock<Box<Block>>; BLOCKS],
}

impl SparseCounters {
    pub(super) fn new() -> Self {
        Self { zero: AtomicU64::new(0), blocks: [const { OnceLock::new() }; BLOCKS] }
    }

    /// Counts a finite value.
    pub(super) fn observe(&self, value: f64) {
        self.add(number(value), 1);
    }

    fn add(&self, number: Option<i32>, count: u64) {
        let Some(number) = number else {
            self.zero.fetch_add(count, Ordering::Relaxed);
            return;
        };
        let at = (number - FIRST) as usize;
        let made = || Box::new([const { AtomicU64::new(0) }; BLOCK]);
        if let Some(block) = self.blocks.get(at / BLOCK) {
            block.get_or_init(made)[at % BLOCK].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Moves all counts to others, and returns them. Nothing may be counted here meanwhile.
    pub(super) fn drain_to(&self, other: &Self) -> ExponentialBuckets {
        let zero = self.zero.swap(0, Ordering::Relaxed);
        other.add(None, zero);
        let mut counts = Vec::new();
        let blocks = self.blocks.iter().enumerate().filter_map(|(at, block)| Some((at * BLOCK, block.get()?)));
        for (start, block) in blocks {
            for (at, counter) in block.iter().enumerate() {
                let count = counter.swap(0, Ordering::Relaxed);
                if count > 0 {
                    let number = FIRST + i32::from((start + at) as u16);
                    other.add(Some(number), count);
                    counts.push((number, count));
                }
            }
        }
        ExponentialBuckets { schema: SCHEMA, zero, counts }.bounded(MAX_BUCKETS)
    }
}

/// What is in the buckets at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ExponentialBuckets {
    /// Each bound is the one below times 2^(2^-schema).
    pub(in super::super) schema: i32,
    /// What was at most `ZERO`.
    pub(in super::super) zero: u64,
    /// The numbers of the buckets that are not empty, in order, and what is in them. The bucket 0 ends at 1.
    pub(in super::super) counts: Vec<(i32, u64)>,
}

impl ExponentialBuckets {
    /// In the finest schema that has at most so many buckets. Buckets are never emptied, so that from scrape to scrape
    /// it stays or gets coarser.
    fn bounded(mut self, most: usize) -> Self {
        while self.counts.len() > most && self.schema > COARSEST {
            self = self.coarser();
        }
        self
    }

    /// With two buckets in each: the odd one and the even one above it, which ends at the same bound.
    fn coarser(self) -> Self {
        let mut counts: Vec<(i32, u64)> = Vec::with_capacity(self.counts.len());
        for (number, count) in self.counts {
            let number = (number + 1) >> 1;
            match counts.last_mut() {
                Some((last, sum)) if *last == number => *sum += count,
                _ => counts.push((number, count)),
            }
        }
        Self { schema: self.schema - 1, zero: self.zero, counts }
    }
}

#[cfg(test)]
mod tests;
