//! Reports of shared budgets to the other nodes.

use std::sync::Arc;
use std::time::Duration;

use weir_lease::{Answer, Kind, Report};

use super::cell::Cell;
use super::lent::entry_name;
use super::set::BudgetSet;

/// The share of one window of a budget.
#[derive(Debug)]
pub struct PoolShare {
    cell: Arc<Cell>,
    start: i64,
}

impl PoolShare {
    /// Takes the answer to a report that was sent at this time.
    pub fn answered(&self, answer: Answer, sent: Duration) {
        if let Some(tally) = self.cell.lock().tallies.get_mut(&self.start) {
            tally.lent.share.answered(answer, sent);
        }
    }

    /// Notes that no answer came.
    pub fn unanswered(&self) {
        if let Some(tally) = self.cell.lock().tallies.get_mut(&self.start) {
            tally.lent.share.unanswered();
        }
    }
}

/// What there is to report about the share of one window.
#[derive(Debug)]
pub struct PoolReport {
    /// The name of the pool: the same on all nodes whose budgets have this name, unit and windows.
    pub pool: String,
    /// The name of this node's entry.
    pub entry: String,
    /// The limit of the window.
    pub limit: u64,
    /// The second after the window's last.
    pub end: Option<i64>,
    /// What this node used, holds and lacks.
    pub report: Report,
    /// What the answer is for.
    pub share: PoolShare,
}

impl BudgetSet {
    /// Whether there is something to report that should not wait.
    pub fn is_urgent(&self) -> bool {
        self.listed.is_urgent()
    }

    /// What there is to report to the other nodes, under this node's name: about all budgets in use, or about those only
    /// whose share is short.
    pub fn reports(&self, node: &str, only_urgent: bool, at: Duration) -> Vec<PoolReport> {
        let mut reports = Vec::new();
        for entry in self.listed.some(only_urgent) {
            let mut state = entry.cell.lock();
            let limit = entry.budget.limit.amount();
            let mut is_idle = true;
            for (start, tally) in &mut state.tallies {
                let own = tally.own();
                if let Some(report) = tally.lent.share.report(own, limit, Kind::Window, at) {
                    reports.push(PoolReport {
                        pool: format!("{{{}}}:{}:{start}", entry.budget.name, entry.budget.shape()),
                        entry: entry_name(node, entry.cell.number),
                        limit,
                        end: tally.end,
                        report,
                        share: PoolShare { cell: Arc::clone(&entry.cell), start: *start },
                    });
                }
                is_idle &= tally.open == 0 && tally.lent.share.is_idle(own, at);
            }
            if is_idle {
                state.is_listed = false;
                self.listed.remove(entry.cell.number);
            }
        }
        reports
    }

    /// Gives back what is not used: the next reports say so.
    pub fn leave(&self) {
        for entry in self.listed.some(false) {
            for tally in entry.cell.lock().tallies.values_mut() {
                tally.lent.share.leave();
            }
        }
    }
}
