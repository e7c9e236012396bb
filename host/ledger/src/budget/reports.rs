//! Reports of shared budgets to the other nodes.

use std::sync::Arc;
use std::time::Duration;

use weir_lease::{Answer, Kind, Report};

use super::cell::Cell;
use super::lent::entry_name;
use super::listed::{Entry, SharedBudgets};
use super::rows::CountsId;
use super::set::BudgetSet;

/// How many budgets that are not in use are reported again with one round: those in use must not wait for all.
const AGAIN: usize = 500;

/// The share of one window of a budget.
#[derive(Debug)]
pub struct PoolShare {
    cell: Arc<Cell>,
    start: i64,
    listed: Arc<SharedBudgets>,
}

impl PoolShare {
    /// Has what this node used of all its budgets reported again, in use or not, some with each of the next rounds: the
    /// server has lost its data, and would hear of a budget only with the next request.
    pub fn repeat_all(&self) {
        self.listed.repeat();
    }

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

    /// Notes that the server answered others, and not this report. It is made again, unless the budget is gone and
    /// nothing is reserved of it: then it may never be answered, and nobody waits for it.
    pub fn passed_over(&self) {
        self.unanswered();
        let (number, mut state) = (self.cell.number, self.cell.lock());
        if self.listed.is_gone(number) && state.tallies.values().all(|tally| tally.open == 0) {
            state.is_listed = false;
            self.listed.remove(number);
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

    /// What there is to report to the other nodes, under this node's name: about all budgets in use, or about those
    /// only whose share is short.
    pub fn reports(&self, node: &str, only_urgent: bool, at: Duration) -> Vec<PoolReport> {
        let mut reports = Vec::new();
        if !only_urgent {
            self.list_again();
        }
        for entry in self.listed.some(only_urgent) {
            let mut state = entry.cell.lock();
            let limit = entry.budget.limit.amount();
            let mut is_idle = true;
            for (start, tally) in &mut state.tallies {
                let own = tally.own();
                if let Some(report) = tally.lent.share.report(own, limit, Kind::Window, at) {
                    reports.push(PoolReport {
                        pool: format!("{{{}}}:{}:{start}", entry.budget.name, entry.budget.shape()),
                        entry: entry_name(node, CountsId { cell: entry.cell.number, made: tally.made }),
                        limit,
                        end: tally.end,
                        report,
                        share: self.share_of(&entry, *start),
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

    fn share_of(&self, entry: &Entry, start: i64) -> PoolShare {
        PoolShare { cell: Arc::clone(&entry.cell), start, listed: Arc::clone(&self.listed) }
    }

    /// Lists the next budgets that are to be reported again.
    fn list_again(&self) {
        let Some(from) = self.listed.take_again() else { return };
        let mut found = 0;
        for (at, entry) in self.entries.iter().enumerate().skip(from) {
            if found == AGAIN {
                self.listed.go_on(at);
                return;
            }
            let mut state = entry.cell.lock();
            // Earlier windows have ended: nothing is reserved from them.
            if state.tallies.last_entry().is_some_and(|mut newest| newest.get_mut().repeat()) {
                found += 1;
                self.listed.insert(entry, &mut state);
            }
        }
    }

    /// Returns what is unused with the next reports.
    pub fn leave(&self) {
        for entry in self.listed.some(false) {
            for tally in entry.cell.lock().tallies.values_mut() {
                tally.lent.share.leave();
            }
        }
    }
}
