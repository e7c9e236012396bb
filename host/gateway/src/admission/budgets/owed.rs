//! Debts: a provider is already working, whether or not a budget has room for it.

use super::{Budgets, log_notice, owner, tags};
use crate::admission::Demand;
use crate::auth::Caller;
use crate::route::Target;
use weir_ledger::{Granted, Owner};

impl Budgets {
    /// Reserves work that a provider has begun, at the budgets of its caller and of the model with this alias.
    pub(crate) fn owe_at(&self, caller: &Caller, model: &str, target: &Target, demand: &Demand<'_>) -> Option<Granted> {
        let tags = tags(caller);
        self.owe(owner(caller, Some(model), &tags), target, demand)
    }

    /// Reserves an attempt at the budgets of its provider.
    pub(crate) fn owe_attempt(&self, target: &Target, demand: &Demand<'_>) -> Option<Granted> {
        self.owe(Owner::attempt_at(&target.label), target, demand)
    }

    fn owe<'a>(&self, owner: Owner<'a>, target: &Target, demand: &Demand<'a>) -> Option<Granted> {
        let request = self.request(owner, &[target], demand)?;
        let granted = self.set.load().owe(&request, self.now(), &self.budget_sharing());
        granted.notices.iter().for_each(log_notice);
        Some(granted)
    }
}
