//! Examples of requests for the buckets of a histogram: which request took so long, and in which trace it is found.
//! They are kept once a reader asked for a format that shows them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use opentelemetry::TraceId;

/// The most characters that the labels of an exemplar may have together (`OpenMetrics` 1.0, "Exemplars").
const MAX_LABEL_CHARS: usize = 128;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Exemplar {
    pub(super) seconds: f64,
    pub(super) request_id: Arc<str>,
    /// The trace, if it is sampled.
    pub(super) trace: Option<TraceId>,
    pub(super) at: SystemTime,
}

impl Exemplar {
    /// The names of the request. A client may choose its request's id, so that it is left out where it is too long.
    pub(super) fn labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = Vec::new();
        if let Some(trace) = self.trace {
            labels.push(("trace_id", trace.to_string()));
        }
        let room = MAX_LABEL_CHARS - labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if "request_id".len() + self.request_id.chars().count() <= room {
            labels.push(("request_id", self.request_id.to_string()));
        }
        labels
    }
}

/// The last request of each bucket of one series; the last bucket has no upper bound.
#[derive(Debug)]
pub(super) struct Exemplars {
    bounds: &'static [f64],
    last: Vec<Mutex<Option<Exemplar>>>,
}

impl Exemplars {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, last: (0..=bounds.len()).map(|_| Mutex::default()).collect() }
    }

    /// Keeps a request, unless another thread does so for the same bucket right now.
    fn keep(&self, exemplar: Exemplar) {
        let bucket = self.bounds.partition_point(|bound| *bound < exemplar.seconds);
        if let Some(Ok(mut last)) = self.last.get(bucket).map(Mutex::try_lock) {
            *last = Some(exemplar);
        }
    }

    /// The request of a bucket.
    pub(super) fn of(&self, bucket: usize) -> Option<Exemplar> {
        self.last.get(bucket)?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The exemplars of all series of the duration of requests.
#[derive(Debug)]
pub(super) struct ExemplarStore {
    bounds: &'static [f64],
    is_asked_for: AtomicBool,
    by_labels: Mutex<HashMap<[String; 2], Arc<Exemplars>>>,
}

impl ExemplarStore {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, is_asked_for: AtomicBool::new(false), by_labels: Mutex::default() }
    }

    /// The exemplars of the series with these labels.
    pub(super) fn of(&self, labels: [&str; 2]) -> Arc<Exemplars> {
        let mut all = self.by_labels.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(labels.map(str::to_owned)).or_insert_with(|| Arc::new(Exemplars::new(self.bounds))))
    }

    /// Begins to keep exemplars.
    pub(super) fn ask(&self) {
        self.is_asked_for.store(true, Ordering::Relaxed);
    }

    /// Keeps a request, if exemplars are asked for.
    pub(super) fn keep(&self, exemplars: &Exemplars, seconds: f64, request_id: &Arc<str>, trace: Option<TraceId>) {
        if self.is_asked_for.load(Ordering::Relaxed) {
            exemplars.keep(Exemplar { seconds, request_id: Arc::clone(request_id), trace, at: SystemTime::now() });
        }
    }
}
