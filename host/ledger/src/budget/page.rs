//! Some of many budgets, with their windows: there may be one for each of a million keys.

use std::sync::Arc;

use jiff::Timestamp;

use super::definition::Budget;
use super::listed::Entry;
use super::set::BudgetSet;
use super::window::Window;

/// Some budgets: each with its window, and what is settled and reserved in it, in the budget's measure.
#[derive(Debug, Default)]
pub struct BudgetPage {
    /// At most as many as were asked for.
    pub items: Vec<(Arc<Budget>, Window, u64, u64)>,
    /// How many follow.
    pub more: usize,
}

impl BudgetSet {
    /// The first budgets by name, after a name, of those that are asked for.
    pub fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        is_asked: impl Fn(&Budget) -> bool,
        now: Timestamp,
    ) -> BudgetPage {
        let is_on = |entry: &&Entry| after.is_none_or(|after| &*entry.budget.name > after) && is_asked(&entry.budget);
        let mut wanted: Vec<&Entry> = self.entries.iter().filter(is_on).collect();
        let more = first(&mut wanted, limit, |one, other| one.budget.name.cmp(&other.budget.name));
        BudgetPage { items: wanted.into_iter().map(|entry| entry.status(now)).collect(), more }
    }

    /// The budget of this name.
    pub fn named(&self, name: &str, now: Timestamp) -> Option<(Arc<Budget>, Window, u64, u64)> {
        self.entries.iter().find(|entry| &*entry.budget.name == name).map(|entry| entry.status(now))
    }

    /// The budgets of which the largest part is used, of those that are asked for.
    pub fn most_used(&self, limit: usize, is_asked: impl Fn(&Budget) -> bool, now: Timestamp) -> BudgetPage {
        let wanted = self.entries.iter().filter(|entry| is_asked(&entry.budget));
        let mut items: Vec<_> = wanted.map(|entry| entry.status(now)).collect();
        let part = |(budget, _, settled, reserved): &(Arc<Budget>, Window, u64, u64)| {
            settled.saturating_add(*reserved) as f64 / budget.limit.amount().max(1) as f64
        };
        let more = first(&mut items, limit, |one, other| {
            part(other).total_cmp(&part(one)).then_with(|| one.0.name.cmp(&other.0.name))
        });
        BudgetPage { items, more }
    }
}

/// Keeps the first items in order, and returns how many there were beyond them. Only what is kept is sorted.
fn first<T>(items: &mut Vec<T>, limit: usize, mut order: impl FnMut(&T, &T) -> std::cmp::Ordering) -> usize {
    let more = items.len().saturating_sub(limit);
    if more > 0 {
        items.select_nth_unstable_by(limit, &mut order);
        items.truncate(limit);
    }
    items.sort_by(order);
    more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::definition::{Limit, Scope};
    use crate::budget::set::{Owner, Request};
    use crate::budget::spend::Spend;
    use crate::budget::window::Period;
    use crate::money::Nano;

    fn names(page: &BudgetPage) -> Vec<&str> {
        page.items.iter().map(|(budget, ..)| &*budget.name).collect()
    }

    #[test]
    fn pages_show_each_budget_once_by_name_and_the_fullest_come_first_by_use() {
        let budgets = ["b", "key/2", "a", "key/1", "key/3"].map(|name| {
            let key = name.strip_prefix("key/").unwrap_or(name);
            Budget::new(name, Scope::Of(crate::ScopeKind::Key, key.into()), Limit::Requests(10), Period::Total)
        });
        let set = BudgetSet::new(budgets.into()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let first = set.page(None, 2, |_| true, now);
        assert_eq!((names(&first), first.more), (vec!["a", "b"], 3));
        let rest = set.page(Some("b"), 9, |_| true, now);
        assert_eq!((names(&rest), rest.more), (vec!["key/1", "key/2", "key/3"], 0));
        let of_keys = |budget: &Budget| budget.name.starts_with("key/");
        assert_eq!(names(&set.page(None, 2, of_keys, now)), ["key/1", "key/2"]);
        assert_eq!(set.named("a", now).map(|(budget, ..)| budget.name.to_string()).as_deref(), Some("a"));
        assert!(set.named("c", now).is_none());
        let owner = Owner { key: Some("2"), ..Owner::default() };
        let mut granted = set.reserve(&Request::whole(owner, Spend::priced(Nano::ZERO, 0)), now).unwrap();
        granted.reservation.spend(&Spend { requests: 1, ..Spend::priced(Nano::ZERO, 0) });
        granted.reservation.finish();
        let fullest = set.most_used(2, |_| true, now);
        assert_eq!((names(&fullest), fullest.more), (vec!["key/2", "a"], 3));
        assert_eq!(fullest.items[0].2, 1);
    }
}
