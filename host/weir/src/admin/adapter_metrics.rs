//! The adapters' metrics, read from the adapters at each scrape, so that calls have no cost.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, IntCounterVec, IntGaugeVec, Opts};

use weir_adapters::catalog::{Catalog, Snapshot};
use weir_sandbox::Adapter;
use weir_sandbox::fault::FaultKind;

/// The metrics of every version that is kept.
#[derive(Debug)]
pub struct AdapterMetrics {
    catalog: Arc<Catalog>,
    families: Mutex<Families>,
    descriptions: Vec<Desc>,
}

#[derive(Debug)]
struct Families {
    calls: IntCounterVec,
    seconds: CounterVec,
    traps: IntCounterVec,
    made: IntCounterVec,
    idle: IntGaugeVec,
    live: IntGaugeVec,
    memory: IntGaugeVec,
    highest: IntGaugeVec,
    state: IntGaugeVec,
    active: IntGaugeVec,
    activations: IntCounterVec,
}

impl AdapterMetrics {
    /// Creates the metrics of this catalog's adapters.
    ///
    /// # Errors
    ///
    /// Never in practice: the names are fixed.
    pub fn new(catalog: Arc<Catalog>) -> Result<Self, prometheus::Error> {
        let families = Families::new()?;
        let descriptions = families.all().iter().flat_map(|family| family.desc()).cloned().collect();
        Ok(Self { catalog, families: Mutex::new(families), descriptions })
    }
}

impl Families {
    fn new() -> Result<Self, prometheus::Error> {
        let version = &["plugin", "digest"];
        let counters = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let gauges = |name: &str, help: &str, labels: &[&str]| IntGaugeVec::new(Opts::new(name, help), labels);
        Ok(Self {
            calls: counters("weir_plugin_calls_total", "Calls into a version of an adapter", version)?,
            seconds: CounterVec::new(
                Opts::new("weir_plugin_call_seconds_total", "Time spent in calls into a version of an adapter"),
                version,
            )?,
            traps: counters(
                "weir_plugin_traps_total",
                "Calls that failed, by the kind of fault",
                &["plugin", "digest", "kind"],
            )?,
            made: counters("weir_plugin_instances_made_total", "Instances made of a version of an adapter", version)?,
            idle: gauges("weir_plugin_instances_idle", "Instances that are ready for an exchange or idle", version)?,
            live: gauges("weir_plugin_instances_live", "Instances at work, ready or idle", version)?,
            memory: gauges("weir_plugin_memory_bytes", "Linear memory of all live instances, in bytes", version)?,
            highest: gauges(
                "weir_plugin_memory_highest_bytes",
                "The largest linear memory that one instance has had, in bytes",
                version,
            )?,
            state: gauges(
                "weir_plugin_state",
                "What a version is now: serving, candidate, retired, rolled back, quarantined, suspended, refused",
                &["plugin", "digest", "state"],
            )?,
            active: gauges(
                "weir_plugin_active_info",
                "The version and digest of an adapter that serves; 1",
                &["plugin", "version", "digest"],
            )?,
            activations: counters(
                "weir_plugin_activations_total",
                "Changes of the version that serves, by their result",
                &["plugin", "result"],
            )?,
        })
    }

    fn all(&self) -> [&dyn Collector; 11] {
        let Self { calls, seconds, traps, made, idle, live, memory, highest, state, active, activations } = self;
        [calls, seconds, traps, made, idle, live, memory, highest, state, active, activations]
    }

    fn clear(&self) {
        self.calls.reset();
        self.seconds.reset();
        self.traps.reset();
        self.made.reset();
        self.idle.reset();
        self.live.reset();
        self.memory.reset();
        self.highest.reset();
        self.state.reset();
        self.active.reset();
        self.activations.reset();
    }

    fn fill(&self, catalog: &Catalog) {
        let snapshot = catalog.snapshot();
        for name in snapshot.adapters.keys() {
            for adapter in snapshot.versions(name) {
                self.count(adapter);
            }
        }
        self.set_states(&snapshot);
        for (name, result, count) in catalog.activations() {
            self.activations.with_label_values(&[&*name, result]).inc_by(count);
        }
    }

    fn count(&self, adapter: &Adapter) {
        let (digest, stats) = (adapter.digest.short(), &adapter.stats);
        let labels = [&*adapter.name, &digest];
        let footprint = adapter.pool().footprint();
        let set = |gauge: &IntGaugeVec, figure: u64| {
            gauge.with_label_values(&labels).set(i64::try_from(figure).unwrap_or(i64::MAX));
        };
        set(&self.memory, footprint.bytes());
        // An adapter that nothing called has little to show.
        if stats.is_unused() {
            return;
        }
        self.calls.with_label_values(&labels).inc_by(stats.calls());
        self.seconds.with_label_values(&labels).inc_by(stats.busy().as_secs_f64());
        self.made.with_label_values(&labels).inc_by(stats.instances());
        set(&self.idle, adapter.pool().idle() as u64);
        set(&self.live, footprint.instances());
        set(&self.highest, footprint.highest());
        for kind in FaultKind::ALL {
            let count = stats.faults(kind);
            if count > 0 || kind == FaultKind::Trap {
                self.traps.with_label_values(&[&*adapter.name, &digest, kind.name()]).inc_by(count);
            }
        }
    }

    fn set_states(&self, snapshot: &Snapshot) {
        let set = |name: &str, digest: &str, state: &str| self.state.with_label_values(&[name, digest, state]).set(1);
        for (name, adapter) in &snapshot.adapters {
            let digest = adapter.digest.short();
            let is_suspended = adapter.state.suspended().is_some();
            set(name, &digest, snapshot.state(adapter));
            self.active.with_label_values(&[&**name, &adapter.manifest.version, &digest]).set(i64::from(!is_suspended));
        }
        for (name, trial) in &snapshot.trials {
            set(name, &trial.adapter.digest.short(), "candidate");
        }
        for (name, former) in &snapshot.former {
            for one in former {
                set(name, &one.adapter.digest.short(), one.status.name());
            }
        }
        for (name, refusal) in &snapshot.refused {
            set(name, &refusal.digest.map(|digest| digest.short()).unwrap_or_default(), "refused");
        }
    }
}

impl Collector for AdapterMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Cleared and filled each time, so that removed versions leave no series behind.
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        families.clear();
        families.fill(&self.catalog);
        families.all().iter().flat_map(|family| family.collect()).collect()
    }
}
