//! The end of a stream, whole or broken, and what is booked then.

use super::super::follow_up::CancelOnDrop;
use super::super::pipeline::{Observed, Pipeline};
use super::{Ending, Translated};
use crate::accounting::Account;
use weir_types::fault::Fault;
use weir_types::tokens::Tokens;

impl Translated {
    /// Ends a broken stream that is not resumed.
    pub(super) fn give_up(&mut self, fault: &Fault) {
        let is_reported = self.pipeline.as_mut().is_some_and(|pipeline| pipeline.fail(fault, &mut self.out));
        self.broken(fault.side.as_str(), is_reported);
    }

    /// Ends the output of a broken stream, which has the failure frame if one was possible. The connection is cut after
    /// it if the protocol shows the client such a cut, so that no client takes the answer for complete.
    pub(super) fn broken(&mut self, side: &str, is_reported: bool) {
        self.ending = if self.can_cut || !is_reported { Ending::Cut } else { Ending::Clean };
        self.close(Some(side));
    }

    /// Releases everything and closes the account.
    pub(super) fn close(&mut self, broken_by: Option<&str>) {
        self.upstream = None;
        self.onward = None;
        self.cancel_on_drop.take().into_iter().for_each(CancelOnDrop::disarm);
        let is_for_program = self.pipeline.as_ref().is_some_and(Pipeline::is_for_program);
        let is_refused = self.pipeline.as_ref().is_some_and(Pipeline::is_refused);
        let seen = self.pipeline.take().map(Pipeline::release);
        self.has_late_losses = seen.as_ref().is_some_and(|seen| !seen.losses.is_empty());
        self.may_be_kept &= seen.as_ref().is_none_or(|seen| !seen.has_made_up_end);
        if let Some(seen) = seen.as_ref().filter(|_| is_for_program) {
            self.closing.losses.extend(seen.losses.iter().cloned());
            self.closing.usage.clone_from(&seen.usage);
        }
        let Some(mut account) = self.account.take() else { return };
        // The end of a broken stream is still in the output.
        account.add_bytes_out(self.out.bytes.len());
        if is_refused {
            account.answer_refused();
        }
        if let Some(seen) = seen {
            account.lost(&seen.losses);
            record(&mut account, seen);
        }
        match broken_by {
            Some(side) => account.fail_stream(side),
            None if is_refused => account.complete_refused(),
            None => account.complete(),
        }
        if is_for_program {
            self.closing.cost = account.cost();
        }
    }
}

impl Drop for Translated {
    /// The client left: accounts for what has been consumed so far.
    fn drop(&mut self) {
        // A target that was asked to continue charges for that: its attempt ends before the account is closed.
        self.resuming = None;
        self.read_for_usage();
        let seen = self.pipeline.take().map(Pipeline::release);
        if let (Some(account), Some(seen)) = (&mut self.account, seen) {
            record(account, seen);
        }
    }
}

/// Adds what the answer reported about itself to the attempt's span. A target that continues the answer has a span of
/// its own.
pub(super) fn record_facts(account: &Account, seen: &mut Observed) {
    if let Some(answer_facts) = &mut seen.answer_facts {
        account.attempt().set_answer(std::mem::take(&mut **answer_facts));
    }
}

fn record(account: &mut Account, mut seen: Observed) {
    record_facts(account, &mut seen);
    account.ended_because(seen.reason);
    account.content(seen.weight.tokens());
    account.served_by(seen.model.as_deref().unwrap_or_default());
    let Some(usage) = seen.usage else { return account.served_in(seen.service_tier) };
    if seen.finished && Tokens::from(&usage).output().is_some() {
        account.usage_is_final();
    }
    account.set_usage(usage);
}
