//! Selections of many budgets, for the admin endpoints.

use super::{Budgets, Status};
use weir_ledger::{Budget, BudgetPage};

impl Budgets {
    /// The first budgets by name, after a name, of those that are asked for: with what other nodes have used, as far as
    /// this one knows.
    pub fn page(&self, after: Option<&str>, limit: usize, is_asked: impl Fn(&Budget) -> bool) -> BudgetPage {
        self.set.load().page(after, limit, is_asked, self.now())
    }

    /// The budgets of which the largest part is used, of those that are asked for.
    pub fn most_used(&self, limit: usize, is_asked: impl Fn(&Budget) -> bool) -> BudgetPage {
        self.set.load().most_used(limit, is_asked, self.now())
    }

    /// The state of the budget with this name.
    pub fn named(&self, name: &str) -> Option<Status> {
        self.set.load().named(name, self.now())
    }
}
