//! Budgets of the models that the requests of a batch are for; each model reserves its own part.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Budgets, HeldBudget, owner, tags};
use crate::admission::Demand;
use crate::auth::Caller;
use crate::route::{Routes, Target};
use weir_ledger::{Granted, Notice, Owner, Refusal};

/// The requests of a batch that are for one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkPart {
    /// The model's index in `models`.
    at: usize,
    /// The names of all models, as the requests have them.
    models: Vec<Box<str>>,
}

impl WorkPart {
    /// Whether the use of this model belongs to this part. Answers also name a model's version. Use that may belong to
    /// any part counts at each.
    pub(super) fn has(&self, model: Option<&str>) -> bool {
        let is_it = |name: &str| model.is_some_and(|model| model.starts_with(name));
        let named = self.models.iter().enumerate().filter(|(_, name)| is_it(name));
        named.max_by_key(|(_, name)| name.len()).is_none_or(|(at, _)| at == self.at)
    }
}

impl Budgets {
    /// Holds the reservations granted to a request and, if it begins work, reserves the use of each model of that work.
    /// If a budget of one of these has no room, the granted reservations are returned.
    pub(crate) async fn with_parts(
        &self,
        granted: Option<Granted>,
        routes: &Routes,
        targets: &[&Target],
        demand: &Demand<'_>,
    ) -> Result<(SmallVec<[HeldBudget; 1]>, Vec<Notice>), Box<Refusal>> {
        let (mut held, mut notices) = (SmallVec::new(), Vec::new());
        if let Some(granted) = granted {
            held.push(HeldBudget::new(granted.reservation, None).counting(demand.requests()));
            notices = granted.notices;
        }
        if !demand.work.is_empty() {
            let (parts, more) = Box::pin(self.reserve_parts(routes, targets, demand)).await?;
            held.extend(parts);
            notices.extend(more);
        }
        Ok((held, notices))
    }

    /// Reserves the use of each model that the requests of work name, at the budgets of all aliases that the
    /// configuration has for this model at these targets' providers. If the beginning request itself names the model,
    /// there is no other.
    async fn reserve_parts(
        &self,
        routes: &Routes,
        targets: &[&Target],
        demand: &Demand<'_>,
    ) -> Result<(Vec<HeldBudget>, Vec<Notice>), Box<Refusal>> {
        let (mut held, mut notices) = (Vec::new(), Vec::new());
        let models: Vec<Box<str>> = demand.work.iter().map(|work| work.name.clone()).collect();
        for (at, work) in demand.work.iter().enumerate().filter(|(_, work)| !work.name.is_empty()) {
            let names = names_of(routes, targets, &work.name);
            let Some((model, same_models)) = names.split_first() else { continue };
            // All other budgets have reserved for the work as a whole.
            let owner = Owner { model: Some(model), same_models, is_attempt: true, ..Owner::default() };
            let demand = Demand { work: std::slice::from_ref(work), ..*demand };
            if let Some(granted) = self.reserve_for(owner, targets, &demand).await? {
                let part = WorkPart { at, models: models.clone() };
                let own = HeldBudget::new(granted.reservation, None).counting(demand.requests());
                held.push(own.of_part(Some(part)));
                notices.extend(granted.notices);
            }
        }
        Ok((held, notices))
    }

    /// The name of a budget that counts this caller's use of these targets and refuses requests without room. `alias`
    /// is the model's; without one, any model counts.
    pub(crate) fn enforcing(&self, caller: &Caller, model: Option<&str>, targets: &[&Target]) -> Option<Arc<str>> {
        let (set, tags) = (self.set.load(), tags(caller));
        let of_targets = || targets.iter().find_map(|target| set.enforcing(&Owner::attempt_at(&target.label)));
        let of_models = || if model.is_none() { set.enforcing_a_model() } else { None };
        set.enforcing(&owner(caller, model, &tags)).or_else(of_targets).or_else(of_models)
    }
}

/// The configuration's names for a model that requests name as its provider does: the alias or pattern that matches
/// this name, and the aliases of the model at these targets' providers.
fn names_of<'a>(routes: &'a Routes, targets: &'a [&'a Target], model: &'a str) -> Vec<&'a str> {
    let is_at = |label: &str| targets.iter().any(|target| *target.label == *label);
    let met = routes.find(model).map(|route| route.alias.as_str());
    let mut names: Vec<&str> = routes.aliases_at(is_at, model).filter(|alias| met != Some(*alias)).collect();
    names.extend(met);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_used_is_of_the_part_that_names_it() {
        let models: Vec<Box<str>> = ["a", "a-mini", "b"].map(Box::from).into();
        let of = |model: Option<&str>| {
            (0..3).map(|at| WorkPart { at, models: models.clone() }.has(model)).collect::<Vec<_>>()
        };
        assert_eq!(of(Some("a-2025-01-01")), [true, false, false]);
        assert_eq!(of(Some("a-mini-2025-01-01")), [false, true, false]);
        assert_eq!(of(Some("b")), [false, false, true]);
        for model in [Some("c"), None] {
            assert_eq!(of(model), [true; 3], "it is not free");
        }
    }
}
