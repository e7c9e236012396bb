//! Budget reservations for work, in the form in which they are kept for a later process.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::work::WorkPart;
use super::{Budgets, HeldBudget};
use weir_ledger::{BudgetSharing, KeptHold};

/// A reservation for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBudget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<WorkPart>,
    requests: u64,
    holds: Vec<KeptHold>,
}

impl HeldBudget {
    /// The reservation in the form in which it is kept.
    pub(in crate::admission) fn kept(&self) -> Option<KeptBudget> {
        let holds = self.reservation.as_ref()?.kept();
        let (provider, part) = (self.provider.as_ref().map(ToString::to_string), self.part.clone());
        Some(KeptBudget { provider, part, requests: self.requests, holds })
    }
}

impl Budgets {
    /// Whether enough is known about the use of other nodes to take these reservations over.
    pub(crate) fn can_resume(&self, kept: &[KeptBudget]) -> bool {
        let (set, sharing) = (self.set.load(), self.budget_sharing());
        // All are checked, so that one report asks for all of them.
        kept.iter().filter(|kept| set.can_resume(&kept.holds, &sharing)).count() == kept.len()
    }

    /// Takes over the reservations of an ended process, as far as their budgets still exist.
    pub(crate) fn resume(&self, kept: &[KeptBudget]) -> Vec<HeldBudget> {
        let sharing = self.budget_sharing();
        let resumed = |KeptBudget { provider, part, requests, holds }: &KeptBudget| {
            let reservation = self.set.load().resume(holds, &sharing)?;
            let held = HeldBudget::new(reservation, provider.as_deref().map(Arc::from)).counting(*requests);
            Some(held.of_part(part.clone()))
        };
        kept.iter().filter_map(resumed).collect()
    }

    /// The state of this node among those that share its budgets, for an operation that asks no budget.
    pub(super) fn budget_sharing(&self) -> BudgetSharing {
        let shared =
            |sharing: &Arc<crate::sharing::Sharing>| BudgetSharing::Shared { status: sharing.status(), asked: 0 };
        self.sharing.get().map_or(BudgetSharing::Alone, shared)
    }
}
