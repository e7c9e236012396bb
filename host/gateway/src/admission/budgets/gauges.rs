//! How much of each budget is used, as gauges.

use super::Budgets;
use weir_ledger::{Budget, Limit};

/// Most budgets of the store with gauges: one for each of a million keys would be too much.
const MOST_STORED: usize = 100;

impl Budgets {
    /// Updates the gauges: those of the configuration's budgets, and those of the store's of which the largest part is
    /// used.
    pub(in crate::admission) fn note(&self) {
        self.used.reset();
        self.limit.reset();
        let configured = self.configured.load();
        let is_configured = |budget: &Budget| configured.contains(&budget.name);
        let configured = self.most_used(usize::MAX, is_configured).items;
        let stored = self.most_used(MOST_STORED, |budget| !is_configured(budget)).items;
        for (budget, _, settled, reserved) in configured.into_iter().chain(stored) {
            let figure =
                |amount: u64| if matches!(budget.limit, Limit::Usd(_)) { amount as f64 / 1e9 } else { amount as f64 };
            self.used.with_label_values(&[&budget.name]).set(figure(settled.saturating_add(reserved)));
            self.limit.with_label_values(&[&budget.name]).set(figure(budget.limit.amount()));
        }
    }
}
