//! What the program does with a gateway besides requests: it creates one, replaces what is served, and reads its state.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;

use super::Gateway;
use crate::accounting::Unbooked;
use crate::accounting::request_log::RequestLog;
use crate::admission::budgets::Budgets;
use crate::admission::headroom::Headroom;
use crate::admission::{Admission, AdmitMetrics};
use crate::answer_cache::{AnswerCache, QuestionBounds};
use crate::auth::{OwnSeal, StoredKeys, WrongKeys};
use crate::guard::GuardMetrics;
use crate::health::{Health, TargetStatus};
use crate::model_list;
use crate::observe::metrics::Metrics;
use crate::observe::trace::Tracer;
use crate::provenance::Provenance;
use crate::realtime::Sessions;
use crate::reasoning_cache::ReasoningCache;
use crate::serving::Serving;
use weir_buffers::BufferLimit;
use weir_config::Secret;
use weir_upstream::Upstreams;

impl Gateway {
    /// Creates a gateway.
    pub fn new(
        serving: Serving,
        upstreams: Upstreams,
        metrics: Arc<Metrics>,
        tracer: Tracer,
    ) -> Result<Self, prometheus::Error> {
        let reasoning_cache = Arc::new(ReasoningCache::new(serving.config.server.recall_bytes));
        let answers = {
            let server = &serving.config.server;
            let questions =
                QuestionBounds { bytes: server.semantic_cache_bytes, of_partition: server.semantic_cache_questions };
            AnswerCache::new(server.cache_bytes, questions, &metrics)?
        };
        let lists = model_list::Lists::default();
        let guard_metrics = GuardMetrics::new(&metrics)?;
        let sessions = Sessions::new(&metrics)?;
        let unbooked = Arc::new(Unbooked::new(&metrics)?);
        let admission = Arc::new(Admission::new(AdmitMetrics::new(&metrics)?, Budgets::new(&metrics)?));
        admission.budgets.replace(&serving.config.budgets);
        serving.begin_counts(&metrics);
        let (health, buffers) = (Arc::default(), Arc::new(BufferLimit::new(metrics.registry())?));
        buffers.set_limit(serving.config.server.max_buffered_bytes, serving.config.server.max_body_bytes);
        Ok(Self {
            serving: Arc::new(ArcSwap::from_pointee(serving)),
            upstreams,
            metrics,
            tracer,
            lists,
            reasoning_cache,
            unbooked,
            answers,
            health,
            admission,
            wrong_keys: WrongKeys::default(),
            stored_keys: Arc::default(),
            buffers,
            guard_metrics,
            sessions,
            seal: OwnSeal::new(),
            log: OnceLock::new(),
        })
    }

    /// Gives the record of each request to a log from now on. The first log stays.
    pub fn log_to(&self, log: Arc<dyn RequestLog>) {
        if self.log.set(log).is_err() {
            tracing::error!("the gateway has a request log already");
        }
    }

    /// Replaces what requests are served from. Requests in progress keep what they began with.
    pub fn replace(&self, serving: Serving) {
        let targets: HashSet<Arc<str>> = serving.targets().map(|target| Arc::clone(&target.id)).collect();
        let server = &serving.config.server;
        self.buffers.set_limit(server.max_buffered_bytes, server.max_body_bytes);
        self.admission.budgets.replace(&serving.config.budgets);
        self.answers.kept().resize(server.cache_bytes);
        serving.begin_counts(&self.metrics);
        self.forget_replaced_keys(&serving);
        let questions =
            QuestionBounds { bytes: server.semantic_cache_bytes, of_partition: server.semantic_cache_questions };
        self.answers.questions().resize(questions);
        self.serving.store(Arc::new(serving));
        self.stored_keys.note_change();
        self.lists.forget();
        self.health.retain(|name| targets.contains(name));
        self.metrics.tries.forget();
        self.admission.forget();
    }

    /// A key that takes the number of another one begins without its pauses.
    fn forget_replaced_keys(&self, serving: &Serving) {
        let before = self.serving.load();
        for provider in &serving.config.providers {
            let Some(known) = before.config.providers.iter().find(|known| known.name == provider.name) else {
                continue;
            };
            if provider.keys.iter().map(Secret::expose).eq(known.keys.iter().map(Secret::expose)) {
                continue;
            }
            let of_it = serving.targets().filter(|target| *target.label == *provider.name);
            let ids: HashSet<&str> = of_it.map(|target| &*target.id).collect();
            self.health.forget_keys(&provider.name, |name| ids.contains(name));
        }
    }

    /// What may be spent, and what has been.
    pub fn budgets(&self) -> &Budgets {
        &self.admission.budgets
    }

    /// Shows each limit in force, and how near it is, to `visit`: in no order, and possibly very many.
    pub fn headroom(&self, visit: &mut dyn FnMut(&Headroom<'_>)) {
        let serving = self.serving.load_full();
        let config = &*serving.config;
        self.admission.headroom(config, &self.stored_keys.directory(), visit);
        visit(&Headroom::of_server("buffered_bytes", config.server.max_buffered_bytes, self.buffers.used()));
        visit(&Headroom::of_server("sessions", config.realtime.max_sessions, self.sessions.open()));
    }

    /// Returns what requests are served from at the time of each call. It holds no gateway.
    pub fn serving_now(&self) -> impl Fn() -> Arc<Serving> + Send + Sync + 'static {
        let serving = Arc::clone(&self.serving);
        move || serving.load_full()
    }

    /// What requests are served from now.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// The answers that are kept for equal requests.
    pub fn answers(&self) -> &AnswerCache {
        &self.answers
    }

    /// The health of all targets.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The recorded issuers of opaque values and objects.
    pub fn provenance(&self) -> &Provenance {
        self.reasoning_cache.provenance()
    }

    /// The throttle for wrong keys and tokens, by address.
    pub fn wrong_keys(&self) -> &WrongKeys {
        &self.wrong_keys
    }

    /// The keys of the store, and whose tokens are accepted.
    pub fn stored_keys(&self) -> &Arc<StoredKeys> {
        &self.stored_keys
    }

    /// The limit on bytes that are held.
    pub fn buffers(&self) -> &Arc<BufferLimit> {
        &self.buffers
    }

    /// The gateway's metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Updates the gauges of all targets' health, the limits and the buffers.
    pub fn note_health(&self) {
        let now = Instant::now();
        let serving = self.serving.load();
        self.admission.note(serving.targets().map(|target| &*target.provider));
        self.buffers.note();
        self.answers.note();
        for target in serving.targets() {
            // A target with a pattern of models reports the worst of its models.
            let models = if target.model.is_none() { self.health.of_pattern(&target.id) } else { Vec::new() };
            let subject = target.subject();
            let statuses = models.iter().map(|model| model.status(subject.key, now, &subject.settings));
            let rests = match statuses.fold(self.health.status(subject, now), TargetStatus::later) {
                // Rounded up, so that a resting target never reports 0.
                TargetStatus::Resting(until, _) => {
                    until.saturating_duration_since(now).as_nanos().div_ceil(1_000_000_000)
                }
                TargetStatus::Well => 0,
            };
            let own = self.health.of(&target.id).position(now).figure();
            let position = models.iter().map(|model| model.position(now).figure()).fold(own, i64::max);
            let rests = u64::try_from(rests).unwrap_or(u64::MAX);
            self.metrics.tries.set_gauges(&target.label, target.model_label(), position, rests);
        }
    }
}
