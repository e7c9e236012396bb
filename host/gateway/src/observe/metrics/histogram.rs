//! Histograms with classic buckets and, by choice, native ones.
//!
//! What is observed is counted in one of two shards. A reader makes the other shard the one that is counted in, waits
//! for those that still count in the first, and has a picture in which count, sum and all buckets agree. So observing
//! is a few additions of atomics, and only readers wait.

mod exponential;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc, Describer, Metric, MetricVec, MetricVecBuilder};
use prometheus::proto::{self, LabelPair, MetricType};
use prometheus::{Error, Opts, Registry};

use exponential::SparseCounters;

pub(super) use exponential::{ExponentialBuckets, ZERO};

/// The bit of `begun` that names the shard in which is counted.
const SECOND: u64 = 1 << 63;

/// One series.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Series>);

#[derive(Debug)]
struct Series {
    labels: Vec<LabelPair>,
    bounds: &'static [f64],
    /// How many observations began, and the shard in which the next is counted.
    begun: AtomicU64,
    shards: [Shard; 2],
    /// Held by the only reader.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct Shard {
    /// Observations that are counted to their end.
    ended: AtomicU64,
    /// The bits of the sum.
    sum: AtomicU64,
    /// What is in each bucket alone; the last has no upper bound.
    classic: Box<[AtomicU64]>,
    native: Option<Box<SparseCounters>>,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// The upper bounds of the classic buckets, and what is at most as large.
    pub(super) classic: Vec<(f64, u64)>,
    pub(super) native: Option<ExponentialBuckets>,
}

impl Histogram {
    fn new(labels: Vec<LabelPair>, bounds: &'static [f64], is_native: bool) -> Self {
        let shards = [Shard::new(bounds.len(), is_native), Shard::new(bounds.len(), is_native)];
        Self(Arc::new(Series { labels, bounds, begun: AtomicU64::new(0), shards, reading: Mutex::default() }))
    }

    /// Counts a value. What is below zero, or no number, is not expected, and counts as zero.
    pub fn observe(&self, value: f64) {
        let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, f64::MAX) };
        let series = &*self.0;
        // What follows stays behind this line, and `ended` behind what precedes it: a reader waits for that.
        let begun = series.begun.fetch_add(1, Ordering::Acquire);
        let shard = series.shard(begun);
        shard.count(series.bounds.partition_point(|bound| *bound < value), value);
        shard.ended.fetch_add(1, Ordering::Release);
    }

    /// What was observed so far.
    pub(super) fn picture(&self) -> Picture {
        let series = &*self.0;
        let _only = series.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = series.begun.fetch_add(SECOND, Ordering::AcqRel);
        let (still, busy) = (series.shard(begun), series.shard(begun ^ SECOND));
        let count = begun & !SECOND;
        while still.ended.load(Ordering::Acquire) != count {
            std::thread::yield_now();
        }
        still.drain_to(busy, series.bounds)
    }

    fn labels(&self) -> &[LabelPair] {
        &self.0.labels
    }
}

impl Series {
    fn shard(&self, begun: u64) -> &Shard {
        let [first, second] = &self.shards;
        if begun & SECOND == 0 { first } else { second }
    }
}

impl Shard {
    fn new(bounds: usize, is_native: bool) -> Self {
        Self {
            ended: AtomicU64::new(0),
            sum: AtomicU64::new(0.0_f64.to_bits()),
            classic: (0..=bounds).map(|_| AtomicU64::new(0)).collect(),
            native: is_native.then(|| Box::new(SparseCounters::new())),
        }
    }

    fn count(&self, bucket: usize, value: f64) {
        if let Some(counter) = self.classic.get(bucket) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(native) = &self.native {
            native.observe(value);
        }
        self.add(value);
    }

    fn add(&self, value: f64) {
        let more = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // It never refuses.
        let _before = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Moves everything to the other shard, and returns it. Nothing may be counted here meanwhile.
    fn drain_to(&self, other: &Self, bounds: &[f64]) -> Picture {
        let count = self.ended.swap(0, Ordering::Relaxed);
        let sum = f64::from_bits(self.sum.swap(0.0_f64.to_bits(), Ordering::Relaxed));
        let mut below = 0;
        let mut classic = Vec::with_capacity(bounds.len());
        for (at, (own, others)) in self.classic.iter().zip(&other.classic).enumerate() {
            let moved = own.swap(0, Ordering::Relaxed);
            others.fetch_add(moved, Ordering::Relaxed);
            below += moved;
            classic.extend(bounds.get(at).map(|bound| (*bound, below)));
        }
        let native = self.native.as_ref().zip(other.native.as_ref()).map(|(own, others)| own.drain_to(others));
        other.add(sum);
        other.ended.fetch_add(count, Ordering::Relaxed);
        Picture { count, sum, classic, native }
    }
}

impl Metric for Histogram {
    /// The classic histogram: the crate knows no other.
    fn metric(&self) -> proto::Metric {
        let picture = self.picture();
        let bucket = |(bound, count)| {
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        };
        let mut histogram = proto::Histogram::default();
        histogram.set_sample_count(picture.count);
        histogram.set_sample_sum(picture.sum);
        histogram.set_bucket(picture.classic.into_iter().map(bucket).collect());
        let mut metric = proto::Metric::from_label(self.0.labels.clone());
        metric.set_histogram(histogram);
        metric
    }
}

/// The series of one name.
pub type HistogramVec = MetricVec<Maker>;

/// Makes the series of one name, and remembers them.
#[derive(Debug, Clone)]
pub struct Maker {
    bounds: &'static [f64],
    is_native: bool,
    made: Arc<Mutex<Vec<Histogram>>>,
}

/// The name of a histogram, its help and the names of its labels.
#[derive(Debug, Clone)]
pub struct About(Opts);

impl Describer for About {
    fn describe(&self) -> Result<Desc, Error> {
        self.0.describe()
    }
}

impl MetricVecBuilder for Maker {
    type M = Histogram;
    type P = About;

    fn build<V: AsRef<str>>(&self, about: &About, values: &[V]) -> Result<Histogram, Error> {
        let pair = |(name, value): (&String, &V)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.clone());
            pair.set_value(value.as_ref().to_owned());
            pair
        };
        let mut labels: Vec<LabelPair> = about.0.variable_labels.iter().zip(values).map(pair).collect();
        labels.sort_by(|a, b| a.name().cmp(b.name()));
        let made = Histogram::new(labels, self.bounds, self.is_native);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(made.clone());
        Ok(made)
    }
}

/// All histograms of a registry.
#[derive(Debug)]
pub(super) struct Histograms {
    registry: Registry,
    is_native: bool,
    by_name: Mutex<BTreeMap<String, Maker>>,
}

impl Histograms {
    pub(super) fn new(registry: &Registry, is_native: bool) -> Self {
        Self { registry: registry.clone(), is_native, by_name: Mutex::default() }
    }

    /// Makes and registers a histogram with these classic buckets.
    pub(super) fn add(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &'static [f64],
    ) -> Result<HistogramVec, Error> {
        let about = Opts::new(name, help).variable_labels(labels.iter().copied().map(str::to_owned).collect());
        let maker = Maker { bounds, is_native: self.is_native, made: Arc::default() };
        let made = MetricVec::create(MetricType::HISTOGRAM, maker.clone(), About(about))?;
        let collector: Box<dyn Collector> = Box::new(made.clone());
        self.registry.register(collector)?;
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), maker);
        Ok(made)
    }

    /// The series of this name.
    pub(super) fn of(&self, name: &str) -> Vec<(Vec<LabelPair>, Picture)> {
        let maker = self.by_name.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let made = maker.map(|maker| maker.made.lock().unwrap_or_else(PoisonError::into_inner).clone());
        made.into_iter().flatten().map(|series| (series.labels().to_vec(), series.picture())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[f64] = &[0.5, 1.0];

    fn with(values: &[f64]) -> Picture {
        let histogram = Histogram::new(Vec::new(), BOUNDS, true);
        for value in values {
            histogram.observe(*value);
        }
        let picture = histogram.picture();
        assert_eq!(histogram.picture(), picture, "reading changes nothing");
        picture
    }

    #[test]
    fn count_sum_and_both_kinds_of_buckets_agree() {
        let picture = with(&[0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 4.0]);
        assert_eq!((picture.count, picture.sum), (7, 7.5));
        assert_eq!(picture.classic, [(0.5, 3), (1.0, 6)]);
        let native = picture.native.unwrap();
        assert_eq!((native.schema, native.zero), (3, 1));
        assert_eq!(native.counts, [(-16, 1), (-8, 1), (-3, 1), (0, 2), (16, 1)]);
    }

    #[test]
    fn what_no_time_is_counts_as_zero_and_what_is_too_large_as_the_largest() {
        let picture = with(&[-1.0, f64::NAN, f64::NEG_INFINITY]);
        assert_eq!((picture.count, picture.sum, &picture.classic[..]), (3, 0.0, &[(0.5, 3), (1.0, 3)][..]));
        assert_eq!(picture.native.unwrap().zero, 3);
        let picture = with(&[f64::INFINITY]);
        assert_eq!((picture.count, picture.sum, &picture.classic[..]), (1, f64::MAX, &[(0.5, 0), (1.0, 0)][..]));
        assert_eq!(picture.native.unwrap().counts, [(8192, 1)]);
    }

    #[test]
    fn without_native_buckets_there_are_none() {
        let histogram = Histogram::new(Vec::new(), BOUNDS, false);
        histogram.observe(0.75);
        let classic = vec![(0.5, 0), (1.0, 1)];
        assert_eq!(histogram.picture(), Picture { count: 1, sum: 0.75, classic, native: None });
    }

    /// Each observation is 1, so that the sum is the count.
    #[test]
    fn a_reader_among_writers_sees_whole_observations_only() {
        const EACH: u64 = 20_000;
        let histogram = Histogram::new(Vec::new(), BOUNDS, true);
        let is_whole = |picture: &Picture| {
            let native = picture.native.as_ref().unwrap();
            let counts: u64 = native.zero + native.counts.iter().map(|(_, count)| count).sum::<u64>();
            assert_eq!(
                (counts, picture.classic[1].1, picture.sum),
                (picture.count, picture.count, picture.count as f64)
            );
        };
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                (0..3).map(|_| scope.spawn(|| (0..EACH).for_each(|_| histogram.observe(1.0)))).collect();
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                is_whole(&histogram.picture());
            }
        });
        let picture = histogram.picture();
        is_whole(&picture);
        assert_eq!(picture.count, 3 * EACH);
    }

    #[test]
    fn the_registry_shows_the_classic_buckets_with_labels_in_order() {
        let registry = Registry::new();
        let histograms = Histograms::new(&registry, true);
        let vec = histograms.add("b_seconds", "Of b", &["y", "x"], BOUNDS).unwrap();
        vec.with_label_values(&["2", "1"]).observe(0.75);
        vec.with_label_values(&["2", "1"]).observe(0.75);
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert_eq!(
            text,
            "# HELP b_seconds Of b\n# TYPE b_seconds histogram\nb_seconds_bucket{x=\"1\",y=\"2\",le=\"0.5\"} 0\n\
             b_seconds_bucket{x=\"1\",y=\"2\",le=\"1\"} 2\nb_seconds_bucket{x=\"1\",y=\"2\",le=\"+Inf\"} 2\n\
             b_seconds_sum{x=\"1\",y=\"2\"} 1.5\nb_seconds_count{x=\"1\",y=\"2\"} 2\n"
        );
        let all = histograms.of("b_seconds");
        assert_eq!(all.len(), 1, "the same labels are the same series");
        assert_eq!(all[0].1.native.as_ref().unwrap().counts, [(-3, 2)]);
        assert!(histograms.of("other").is_empty());
    }
}
