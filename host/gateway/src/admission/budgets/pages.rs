//! Some of many budgets, for the admin endpoints.

use super::Budgets;
use weir_ledger::BudgetPage;

impl Budgets {
    /// The first budgets by name whose names begin with `prefix`, after a name: with what other nodes have used, as far as
    /// this one knows.
    pub fn page(&self, after: Option<&str>, prefix: &str, limit: usize) -> BudgetPage {
        self.set.load().page(after, prefix, limit, self.now())
    }

    /// The budgets of which the largest part is used, of those whose names begin with `prefix`.
    pub fn most_used(&self, prefix: &str, limit: usize) -> BudgetPage {
        self.set.load().most_used(prefix, limit, self.now())
    }
}
