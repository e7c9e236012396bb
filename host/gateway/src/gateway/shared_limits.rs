//! Limits and budgets that other nodes share, as the rounds of reports need them.

use std::sync::Arc;
use std::time::Duration;

use weir_lease::Answer;

use super::Gateway;
use crate::rate_limit::BucketReport;
use crate::sharing::Sharing;

impl Gateway {
    /// Shares limits and budgets with other nodes from now on: before the first request.
    pub fn share(&self, sharing: &Arc<Sharing>) {
        self.admission.share(sharing);
    }

    /// What there is to report about limits: about all in use, or about those only whose share is short.
    pub fn limit_reports(&self, only_urgent: bool, at: Duration) -> Vec<BucketReport> {
        self.admission.shared().map(|shared| shared.reports(only_urgent, at)).unwrap_or_default()
    }

    /// Takes the answer to a report about a limit that was sent at this time; none came if it is `None`.
    pub fn limit_answered(&self, report: &BucketReport, answer: Option<Answer>, sent: Duration) {
        if let Some(shared) = self.admission.shared() {
            shared.answered(report, answer, sent);
        }
    }

    /// Gives back what is not used of all shares: the next reports say so.
    pub fn leave_shares(&self) {
        self.admission.budgets.leave();
        if let Some(shared) = self.admission.shared() {
            shared.leave();
        }
    }
}
