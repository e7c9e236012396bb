//! What has been tried at one target, and what it may cost.

use std::sync::Arc;

use crate::accounting::Account;
use crate::admission::AdmissionPermit;
use crate::attempt::policy::RetryDecision;
use crate::attempt::{Values, policy};
use crate::route::{Target, keys};
use weir_types::fault::{Fault, Side};

/// The progress at one target.
pub(super) struct Progress {
    pub(super) repeats: u32,
    pub(super) spare_keys: usize,
    /// Which opaque values are sent.
    pub(super) values: Values,
    /// Estimated input and output tokens of requests that were not answered, or with an answer that cannot be read.
    pub(super) unanswered: (u64, u64),
    /// Whether a provider may charge for any of them.
    pub(super) is_in_doubt: bool,
}

impl Progress {
    /// No attempt at this target yet.
    pub(super) fn begin(target: &Arc<Target>) -> Self {
        let spare_keys = keys(target).count() - 1;
        Self { repeats: 0, spare_keys, values: Values::All, unanswered: (0, 0), is_in_doubt: false }
    }

    /// Settles the limits of a provider that has not answered.
    pub(super) fn settle(&self, held: &mut AdmissionPermit, account: &mut Account) {
        if self.unanswered != (0, 0) {
            held.attempts_used(Some(self.unanswered));
        }
        if self.is_in_doubt {
            account.keep_budgets_of(held);
        }
    }

    /// Records what a failed request may cost.
    pub(super) fn note(&mut self, fault: &Fault, account: &mut Account) {
        if fault.side == Side::Upstream && fault.transport.is_none() && !account.is_unreadable() {
            // The provider answered with an error, perhaps within an answer that had begun.
            account.refused();
        }
        let [input, output] = account.pending().unwrap_or_default().map(u64::from);
        self.unanswered = (self.unanswered.0.saturating_add(input), self.unanswered.1.saturating_add(output));
        self.is_in_doubt |= account.is_in_doubt();
    }

    /// Prepares the next attempt at the same target, and returns whether there is one.
    pub(super) async fn goes_on(
        &mut self,
        next: RetryDecision,
        held: &mut AdmissionPermit,
        account: &mut Account,
    ) -> bool {
        match next {
            RetryDecision::Again(wait) => {
                self.repeats += 1;
                // If the request ends meanwhile, as a hedge's loser does, an attempt that was sent may be charged for.
                held.set_in_flight(self.is_in_doubt);
                tokio::time::sleep(wait).await;
                held.set_in_flight(false);
                account.waited(wait);
            }
            RetryDecision::NextKey => self.spare_keys -= 1,
            RetryDecision::Bare => self.values = Values::Own,
            RetryDecision::Next | RetryDecision::Stop => return false,
        }
        true
    }

    pub(super) fn was_vain(&self, fault: &Fault) -> bool {
        self.values == Values::Own && policy::was_vain(fault)
    }
}
