//! Accounts of concurrent attempts, and how they are merged.

use std::sync::Arc;
use std::time::Duration;

use super::Account;

impl Account {
    /// An account for one of several concurrent attempts. Its records count once it is adopted.
    #[must_use]
    pub fn branch(&self) -> Self {
        let (metrics, series) = (Arc::clone(&self.metrics), Arc::clone(&self.series));
        let mut branch = Self::empty(metrics, series, self.begun, Arc::clone(&self.request_id));
        branch.shared = Arc::clone(&self.shared);
        branch.own_deadline = self.own_deadline;
        branch.counts = self.counts;
        branch.is_limited = self.is_limited;
        branch.tokens.wants_no_output = self.tokens.wants_no_output;
        branch.earlier_input = self.earlier_input;
        branch.traced = self.traced.branch();
        branch.is_branch = true;
        branch.copies = self.copies.branch();
        branch
    }

    /// Merges the account of an attempt that has ended; `waited` passed before that attempt began.
    pub(crate) fn adopt(&mut self, mut branch: Self, waited: Duration) {
        self.forfeit();
        self.is_in_doubt = std::mem::take(&mut branch.is_in_doubt);
        self.waited += branch.waited + waited;
        self.status = branch.status;
        self.is_out_of_time = branch.is_out_of_time;
        self.streaming |= std::mem::take(&mut branch.streaming);
        self.first_piece |= branch.first_piece;
        self.metered = branch.metered;
        self.tokens = std::mem::take(&mut branch.tokens);
        self.provider = branch.provider.take();
        self.attempt_time = branch.attempt_time.take();
        self.hand_over = std::mem::take(&mut branch.hand_over);
        self.limits = std::mem::take(&mut branch.limits);
        self.ticket = branch.ticket.take();
        self.traced.adopt(&mut branch.traced);
        self.trail.adopt(&branch.trail);
        self.copies.adopt(&mut branch.copies);
        self.lane = branch.lane.or(self.lane);
        self.trial = branch.trial.take();
        self.has_trial = branch.has_trial;
        self.finish = branch.finish;
        self.hold(std::mem::take(&mut branch.permit));
    }
}
