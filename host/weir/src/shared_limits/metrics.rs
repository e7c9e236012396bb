//! The metrics of what is shared with other nodes.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use weir_gateway::sharing::Sharing;

/// The metrics of the rounds of reports.
#[derive(Debug, Clone)]
pub(super) struct SharingMetrics {
    sharing: Arc<Sharing>,
    state: IntGauge,
    nodes: IntGauge,
    alike: IntGauge,
    rounds: IntCounterVec,
    reports: IntCounter,
}

impl SharingMetrics {
    pub(super) fn new(sharing: Arc<Sharing>) -> Result<Self, prometheus::Error> {
        let rounds = Opts::new("weir_shared_rounds_total", "Rounds of reports to the server between the nodes");
        let made = Self {
            sharing,
            state: IntGauge::new("weir_shared_state", "Whether the server between the nodes answers: 0 yes, 1 no")?,
            nodes: IntGauge::new("weir_shared_nodes", "Nodes that share limits and budgets")?,
            alike: IntGauge::new("weir_shared_nodes_alike", "Nodes that share and serve with the same adapters")?,
            rounds: IntCounterVec::new(rounds, &["result"])?,
            reports: IntCounter::new("weir_shared_reports_total", "Reports about shares of limits and budgets")?,
        };
        for result in ["answered", "failed"] {
            made.rounds.with_label_values(&[result]);
        }
        Ok(made)
    }

    /// Counts a round with so many reports.
    pub(super) fn exchanged(&self, reports: usize, is_answered: bool) {
        self.rounds.with_label_values(&[if is_answered { "answered" } else { "failed" }]).inc();
        self.reports.inc_by(reports as u64);
    }

    fn all(&self) -> [&dyn Collector; 5] {
        [&self.state, &self.nodes, &self.alike, &self.rounds, &self.reports]
    }
}

impl Collector for SharingMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.state.set(i64::from(!self.sharing.is_well()));
        self.nodes.set(i64::from(self.sharing.nodes()));
        self.alike.set(i64::from(self.sharing.alike()));
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}
