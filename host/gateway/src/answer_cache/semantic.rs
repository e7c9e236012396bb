//! Questions whose answers are kept, and metrics of how later questions compare with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::Semaphore;

use weir_cache::Key;
use weir_cache::similar::{Demand, Nearest, PendingQuestion, Question, Questions};

/// How many numbers are compared on the request's own thread, which takes about 50 microseconds. More are compared on
/// another thread.
const AT_ONCE: usize = 200_000;
/// Threads that compare at the same time. Further requests wait.
const SCANS: usize = 4;

/// The result for a question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SemanticResult {
    /// It got the answer to a similar question.
    Hit,
    /// No question was similar enough.
    Miss,
    /// A question was similar enough, but has other words where they matter.
    Near,
    /// It has no vector.
    Failed,
}

impl SemanticResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Near => "near",
            Self::Failed => "failed",
        }
    }
}

/// A caller's verdict on an answer that it got for a question that means the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answered the question.
    Right,
    /// It answered another one.
    Wrong,
}

impl Verdict {
    /// Parses its name, as [`Self::as_str`] writes it.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Right, Self::Wrong].into_iter().find(|verdict| verdict.as_str() == word)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
        }
    }
}

/// The bounds for questions with vectors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuestionBounds {
    /// The bytes of all of them.
    pub(crate) bytes: usize,
    /// The most of a partition.
    pub(crate) of_partition: usize,
}

/// The questions, with their figures.
#[derive(Debug)]
pub(crate) struct SemanticIndex {
    questions: Arc<Questions>,
    scans: Arc<Semaphore>,
    results: IntCounterVec,
    verdicts: IntCounterVec,
    entries: IntGauge,
    bytes: IntGauge,
}

impl SemanticIndex {
    pub(crate) fn new(bounds: QuestionBounds, registry: &Registry) -> Result<Self, prometheus::Error> {
        let results = Opts::new("weir_cache_semantic_total", "Questions for models with a semantic cache");
        let verdicts =
            Opts::new("weir_cache_feedback_total", "Reported verdicts on answers to questions that mean the same");
        let made = Self {
            questions: Arc::new(Questions::new(bounds.bytes, bounds.of_partition)),
            scans: Arc::new(Semaphore::new(SCANS)),
            results: IntCounterVec::new(results, &["model", "result"])?,
            verdicts: IntCounterVec::new(verdicts, &["verdict"])?,
            entries: IntGauge::new("weir_cache_semantic_entries", "Questions with vectors")?,
            bytes: IntGauge::new("weir_cache_semantic_bytes", "Bytes of questions with vectors")?,
        };
        registry.register(Box::new(made.results.clone()))?;
        registry.register(Box::new(made.verdicts.clone()))?;
        registry.register(Box::new(made.entries.clone()))?;
        registry.register(Box::new(made.bytes.clone()))?;
        Ok(made)
    }

    pub(crate) fn resize(&self, bounds: QuestionBounds) {
        self.questions.resize(bounds.bytes, bounds.of_partition);
    }

    /// The questions themselves.
    pub(super) fn all(&self) -> &Arc<Questions> {
        &self.questions
    }

    pub(crate) fn count(&self, model: &str, result: SemanticResult) {
        self.results.with_label_values(&[model, result.as_str()]).inc();
    }

    /// Updates the gauges.
    pub(super) fn note(&self) {
        self.entries.set(i64::try_from(self.questions.len()).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(self.questions.bytes()).unwrap_or(i64::MAX));
    }

    /// The results of questions for each model, and the verdicts on them.
    pub(super) fn figures(&self) -> (BTreeMap<String, BTreeMap<String, u64>>, BTreeMap<String, u64>) {
        let verdicts = super::counts(&self.verdicts, "verdict", "verdict").into_keys();
        let verdicts = verdicts.map(|verdict| {
            let count = self.verdicts.with_label_values(&[verdict.as_str()]).get();
            (verdict, count)
        });
        (super::counts(&self.results, "model", "result"), verdicts.collect())
    }

    /// Counts a verdict on an answer. After a wrong one, the answer's question serves no further requests. Returns
    /// whether there was such a question.
    pub(super) fn judge(&self, key: &Key, verdict: Verdict) -> bool {
        self.verdicts.with_label_values(&[verdict.as_str()]).inc();
        verdict == Verdict::Wrong && self.questions.remove(key)
    }

    /// A question in a partition of a model, whose answer is awaited.
    pub(crate) fn pending(&self, partition: Key, model: &Arc<str>, question: Question) -> PendingQuestion {
        PendingQuestion::new(&self.questions, partition, model, question)
    }

    /// The nearest question to one.
    pub(crate) async fn nearest(&self, asked: &PendingQuestion, demand: Demand) -> Option<Nearest> {
        if asked.numbers() <= AT_ONCE {
            return asked.nearest(demand);
        }
        let turn = Arc::clone(&self.scans).acquire_owned().await.ok()?;
        let asked = asked.clone();
        let compared = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            asked.nearest(demand)
        });
        compared.await.ok().flatten()
    }
}
