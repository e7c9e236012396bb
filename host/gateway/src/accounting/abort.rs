//! Ends a stream early if a budget has `abort_at` and the stream takes it over that share.

use weir_ledger::{Facts, Spend, Timestamp};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::tokens::Tokens;

use super::Account;

/// Output tokens between two checks of the budgets.
const STEP: u32 = 32;

impl Account {
    /// Whether a budget may end the exchange early.
    pub(crate) fn may_abort(&self) -> bool {
        self.permit.may_abort()
    }

    /// The fault that ends a stream with this estimated number of output tokens, if it uses up a budget.
    pub(crate) fn over_budget(&mut self, output: u32) -> Option<Fault> {
        // A stored answer has been made already.
        if self.is_about_stored() || !self.permit.may_abort() || output < self.abort_checked_at.saturating_add(STEP) {
            return None;
        }
        self.abort_checked_at = output;
        let mut facts = Facts::at(Timestamp::now());
        facts.tokens = Tokens::of(self.unanswered(), Some(output));
        let tokens = u64::from(facts.tokens.total().unwrap_or_default());
        let tariff = self.tokens.tariff.as_ref();
        let spend = tariff.map_or(Spend::unpriced(tokens), |tariff| Spend::of(&tariff.cost(&facts), &facts, false));
        let budget = self.permit.over_share(&spend)?;
        let message = format!("budget {budget:?} is used up, and ends streams that go on (`abort_at`)");
        tracing::warn!(request_id = &*self.request_id, budget = &*budget, output, "stream ended by its budget");
        let fault = Fault::new(Side::Client, ErrorKind::Quota, message).with_status(429);
        self.record.iter_mut().for_each(|record| record.failed(&fault));
        Some(fault)
    }
}
