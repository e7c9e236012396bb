//! One response of a session, with what is read of it.

use crate::accounting::Account;
use crate::accounting::session_use::SessionUse;
use crate::admission::AdmissionPermit;
use crate::admission::budgets::HeldBudget;
use weir_types::contract::types::Usage;
use weir_types::fault::Fault;
use weir_wire::tap::{TapReading, TapState};

/// A response that has not ended.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) account: Box<Account>,
    pub(super) tap: TapState,
    pub(super) has_begun: bool,
    /// Whether limits and budgets know of it.
    pub(super) is_admitted: bool,
}

impl Response {
    /// Limits and budgets know of it from now on.
    pub(super) fn admitted(&mut self, permit: AdmissionPermit, budgets: Vec<HeldBudget>) {
        self.is_admitted = true;
        self.account.admitted(permit);
        for budget in budgets {
            self.account.reserve(budget);
        }
    }

    /// It has begun.
    pub(super) fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.account.note_chunk();
        }
    }

    /// Why a budget ends the session before the response has ended, by the output that was reported or seen so far.
    pub(super) fn over_budget(&mut self) -> Option<Fault> {
        if !self.account.may_abort() {
            return None;
        }
        let reported = self.tap.reading().usage.output().unwrap_or_default();
        self.account.over_budget(reported.max(self.tap.content_tokens()))
    }

    /// Takes over the reported usage.
    pub(super) fn take_usage(&mut self) -> TapReading {
        let reading = self.tap.reading();
        self.account.served_by(reading.model.as_deref().unwrap_or_default());
        if has_usage(&reading) {
            self.account.set_usage(usage(&reading));
        }
        reading
    }

    /// Closes its account, and adds what it used to what the session did.
    pub(super) fn close(mut self, used: &mut SessionUse) {
        let tokens = self.tap.reading().usage.total();
        let cost = self.account.cost_cell();
        drop(self);
        used.add(tokens, cost.get().copied().flatten());
    }
}

/// Whether tokens are reported.
pub(super) fn has_usage(reading: &TapReading) -> bool {
    reading.usage.total().is_some()
}

/// The reported tokens, and what their price depends on.
pub(super) fn usage(reading: &TapReading) -> Usage {
    Usage {
        service_tier: reading.service_tier.clone(),
        batch: reading.batch,
        region: reading.region.clone(),
        ..Usage::from(reading.usage)
    }
}
