//! Answers that are kept for equal requests of one caller: their keys, and the figures of their use.

mod comparisons;
mod meaning;
mod semantic;
mod shared;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use prometheus::core::Collector as _;
use prometheus::{CounterVec, IntCounterVec, IntGauge, Opts};

use crate::accept::Filling;
use crate::accounting::captured::CaptureRoom;
use crate::attempt::InboundRequest;
use crate::observe::metrics::Metrics;
use crate::route::Route;
use crate::serving::Serving;
use weir_cache::similar::Questions;
use weir_cache::{Cache, ComparedBody, Control, Entry, KeyWriter, Place, Scope, SharedAnswers};
use weir_types::contract::types::ChatRequest;
use weir_types::headers;

use comparisons::Comparisons;
pub use semantic::Verdict;
pub(crate) use semantic::{QuestionBounds, SemanticIndex, SemanticResult};
pub use weir_cache::{Key, Removal};

/// How a request was answered, for its header and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// By a kept answer.
    Hit,
    /// By a provider; the answer is kept if it can be.
    Miss,
    /// By a provider; the request or its answer is not one to keep.
    Bypass,
    /// By the answer to an equal request that was in progress.
    Coalesced,
    /// By a kept answer to a question that means the same.
    Semantic,
}

impl CacheResult {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Coalesced => "coalesced",
            Self::Semantic => "semantic",
        }
    }
}

/// The kept answers, with figures of their use.
#[derive(Debug)]
pub struct AnswerCache {
    cache: Arc<Cache>,
    /// The cache that other nodes share.
    shared: OnceLock<Arc<dyn SharedAnswers>>,
    /// The questions of the kept answers, for models with a semantic cache.
    questions: Arc<SemanticIndex>,
    /// Memory for answers that are copied while they pass.
    room: Arc<CaptureRoom>,
    results: IntCounterVec,
    saved: CounterVec,
    entries: IntGauge,
    bytes: IntGauge,
    waiting: IntGauge,
    comparisons: Comparisons,
}

/// Counts a request that waits for an equal one, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waits(IntGauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How much more memory answers in progress may take, as a fraction (one in so many) of the memory for kept answers.
const UNDER_WAY: usize = 2;

impl AnswerCache {
    /// An empty cache for so many bytes of answers, and for questions within these bounds.
    pub(crate) fn new(bytes: usize, questions: QuestionBounds, metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let results = Opts::new("weir_cache_requests_total", "Requests for models whose answers are kept");
        let saved = Opts::new("weir_cache_saved_usd_total", "What kept answers cost when they were made");
        let made = Self {
            cache: Arc::new(Cache::new(bytes)),
            shared: OnceLock::new(),
            questions: Arc::new(SemanticIndex::new(questions, metrics.registry())?),
            room: Arc::new(CaptureRoom::new(bytes / UNDER_WAY)),
            results: IntCounterVec::new(results, &["model", "result"])?,
            saved: CounterVec::new(saved, &["model"])?,
            entries: IntGauge::new("weir_cache_entries", "Kept answers")?,
            bytes: IntGauge::new("weir_cache_bytes", "Bytes of kept answers")?,
            waiting: IntGauge::new("weir_cache_waiting", "Requests that wait for an equal one")?,
            comparisons: Comparisons::default(),
        };
        let registry = metrics.registry();
        registry.register(Box::new(made.results.clone()))?;
        registry.register(Box::new(made.saved.clone()))?;
        registry.register(Box::new(made.entries.clone()))?;
        registry.register(Box::new(made.bytes.clone()))?;
        registry.register(Box::new(made.waiting.clone()))?;
        Ok(made)
    }

    /// The kept answers.
    pub fn kept(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// How many requests for each model were answered in each way.
    pub fn results(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        counts(&self.results, "model", "result")
    }

    /// The results of questions for each model with a semantic cache, and the verdicts on their answers.
    pub fn semantic_results(&self) -> (BTreeMap<String, BTreeMap<String, u64>>, BTreeMap<String, u64>) {
        self.questions.figures()
    }

    /// The questions, for a server that several nodes share.
    pub fn all_questions(&self) -> &Arc<Questions> {
        self.questions.all()
    }

    /// The questions that kept answers answer.
    pub(crate) fn questions(&self) -> &Arc<SemanticIndex> {
        &self.questions
    }

    pub(crate) fn room(&self) -> &Arc<CaptureRoom> {
        &self.room
    }

    /// Updates the gauges.
    pub(crate) fn note(&self) {
        self.entries.set(i64::try_from(self.cache.len()).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(self.cache.weight()).unwrap_or(i64::MAX));
        self.questions.note();
    }

    /// Counts a request that begins to wait.
    pub(crate) fn waits(&self) -> Waits {
        self.waiting.inc();
        Waits(self.waiting.clone())
    }

    /// Counts a request.
    pub(crate) fn count(&self, model: &str, result: CacheResult) {
        self.results.with_label_values(&[model, result.as_str()]).inc();
    }

    /// Counts what an answer would have cost.
    pub(crate) fn count_saved(&self, entry: &Entry) {
        if let Some(nano) = entry.cost.filter(|nano| *nano > 0) {
            self.saved.with_label_values(&[&entry.model]).inc_by(nano as f64 / 1e9);
        }
    }

    /// The place of a request's answer.
    pub(crate) fn place(inbound: &InboundRequest, key: Key, model: &Arc<str>) -> Place {
        Place { scope: Scope::of(&inbound.caller.tenant), key, model: Arc::clone(model) }
    }

    /// The kept answer to a request, if it may be used.
    pub(crate) fn get(&self, key: &Key, control: &Control) -> Option<Arc<Entry>> {
        self.cache.get(key, control, Instant::now())
    }

    /// A request's body in the form that is compared with others.
    pub(crate) async fn compared(&self, inbound: &InboundRequest) -> Option<ComparedBody> {
        self.comparisons.read(&inbound.body).await
    }

    /// The key of a request: everything that its answer may depend on.
    pub(crate) fn key(&self, serving: &Serving, inbound: &InboundRequest, route: &Route, body: &ComparedBody) -> Key {
        let mut key = self.begin_key(serving, inbound, route);
        key.part("adapter", inbound.endpoint.adapter.as_bytes());
        key.part("format", inbound.endpoint.format().as_bytes());
        key.part("operation", inbound.operation().name().as_bytes());
        key.part("method", inbound.method.as_str().as_bytes());
        key.part("path", inbound.path.as_bytes());
        key.part("query", inbound.query.as_bytes());
        let read = inbound.endpoint.face.request_headers.iter().filter_map(|name| name.parse::<HeaderName>().ok());
        let usual = [header::ACCEPT_ENCODING, header::CONTENT_TYPE, header::CONTENT_ENCODING];
        write_headers(&mut key, inbound, route, &read.chain(usual).collect::<Vec<_>>(), |_, _| true);
        key.body(body);
        key.finish()
    }

    /// The key of a chat request's meaning, the same for requests of other formats that mean the same. Headers that its
    /// adapter reads belong to the meaning, as far as the adapter reads them: it may, for example, know only one
    /// version.
    pub(crate) fn meaning_key(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        route: &Route,
        chat: &ChatRequest,
    ) -> Key {
        let mut key = self.begin_key(serving, inbound, route);
        for (name, value) in meaning::parameters(&inbound.endpoint.face, &inbound.query) {
            key.part("parameter", name.as_bytes());
            key.part("value", value.as_bytes());
        }
        let is_read =
            |name: &HeaderName| inbound.endpoint.face.request_headers.iter().any(|read| read == name.as_str());
        write_headers(&mut key, inbound, route, &[], |name, value| {
            !is_read(name) || is_unusual(inbound, route, name, value)
        });
        key.part("meaning", &meaning::canonical(chat, inbound.model()));
        key.finish()
    }

    /// The first parts of the key: who asks, what serves, and which model.
    fn begin_key(&self, serving: &Serving, inbound: &InboundRequest, route: &Route) -> KeyWriter {
        let mut key = KeyWriter::new(&Scope::of(&inbound.caller.tenant), self.cache.generation());
        // Models, targets, options and settings.
        key.part("configuration", &serving.config.answering);
        for (name, adapter) in &serving.adapters.adapters {
            key.part(name, adapter.digest.bytes());
        }
        key.part("route", route.alias.as_bytes());
        key.part("model", inbound.model().as_bytes());
        key
    }
}

/// The values of a counter by two of its labels.
fn counts(counter: &IntCounterVec, by: &str, then: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counts = BTreeMap::<String, BTreeMap<String, u64>>::new();
    for family in counter.collect() {
        for series in family.get_metric() {
            let label = |name: &str| {
                let found = series.get_label().iter().find(|label| label.name() == name);
                found.map(|label| label.value().to_owned()).unwrap_or_default()
            };
            let count = series.get_counter().get_value() as u64;
            counts.entry(label(by)).or_default().insert(label(then), count);
        }
    }
    counts
}

/// Weir's own headers that influence an answer.
static OWN: [&HeaderName; 3] = [&headers::STRICT, &headers::TARGET, &headers::PROVIDER];

/// Adds these headers to the key, and those that a provider gets or that Weir itself obeys, as far as they make a
/// difference.
fn write_headers(
    key: &mut KeyWriter,
    inbound: &InboundRequest,
    route: &Route,
    named: &[HeaderName],
    counts: impl Fn(&HeaderName, &HeaderValue) -> bool,
) {
    let mut all = HeaderMap::new();
    for name in named.iter().chain(OWN) {
        for value in inbound.headers.get_all(name) {
            all.append(name.clone(), value.clone());
        }
    }
    for target in route.targets.iter().flatten() {
        if let Some(acceptance) = target.accepts(inbound.endpoint.format(), inbound.operation()) {
            acceptance.request_headers.forward(&inbound.headers, &mut all);
        }
    }
    let counted = all.iter().filter(|(name, value)| counts(name, value));
    let mut pairs: Vec<(&str, &[u8])> = counted.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    // Values of one name keep their order, since a reader may take the first.
    pairs.sort_by_key(|(name, _)| *name);
    for (name, value) in pairs {
        key.part("header", name.as_bytes());
        key.part("value", value);
    }
}

/// Whether a provider that the request reaches unchanged gets another value of this header than if the client had sent
/// none.
fn is_unusual(inbound: &InboundRequest, route: &Route, name: &HeaderName, value: &HeaderValue) -> bool {
    route.targets.iter().flatten().any(|target| {
        let Some(acceptance) = target.accepts(inbound.endpoint.format(), inbound.operation()) else { return false };
        let option = |name: &str| target.option(name);
        let filling = Filling { model: target.model(inbound.model()), id: "", option: &option };
        // The first acceptance applies.
        let usual = acceptance.set_headers(&filling).find(|(set, _)| *set == name);
        usual.is_some_and(|(_, usual)| usual != *value)
    })
}
