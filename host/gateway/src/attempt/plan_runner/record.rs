//! Records the outcome of each attempt: in metrics, in the log, in the account.

use std::time::Instant;

use super::PlanRunner;
use crate::accounting::Account;
use crate::attempt::failure::Failure;
use crate::attempt::policy::{self, RetryDecision};
use crate::observe::log::clean::{cleaned, cleaned_name};
use crate::route::{Candidate, Target};
use weir_types::fault::{Side, TransportFailure};

impl PlanRunner<'_> {
    /// Counts and logs that a target's breaker opened.
    pub(super) fn note_rest(&self, target: &Target, account: &Account) {
        account.metrics().tries.tripped(&target.label, target.model_label());
        let model = cleaned_name(target.model(self.inbound.model()));
        tracing::warn!(
            request_id = &*self.inbound.exchange.id,
            provider = %target.label,
            model = &*model,
            "target fails too often and rests"
        );
    }

    /// Records the outcome of a target. One to which the request could not be rendered counts as skipped.
    pub(super) fn note_trail(&self, candidate: &Candidate, failure: &Failure, ended: Instant, account: &mut Account) {
        let fault = &failure.fault;
        if fault.side != Side::Client || !policy::another_may_help(fault, false) {
            return account.tried(&candidate.health, reason(failure), Some(ended));
        }
        let is_strict = self.inbound.peek.strict || candidate.target.strict;
        let is_lost = fault.error.code.as_deref() == Some("unsupported_parameter");
        let reason = if is_strict && is_lost { "strict" } else { "unsupported" };
        account.skipped(&candidate.health, &candidate.target.label, reason);
    }

    /// Counts and logs a failed attempt.
    pub(super) fn note(&self, failure: &Failure, target: &Target, next: RetryDecision, account: &Account) {
        let (reason, side) = (reason(failure), failure.fault.side.as_str());
        account.metrics().tries.failed(&target.label, reason, side);
        if let RetryDecision::Again(_) | RetryDecision::NextKey | RetryDecision::Bare = next {
            account.metrics().tries.repeated(&target.label, reason);
        }
        tracing::warn!(
            request_id = &*self.inbound.exchange.id,
            attempt = account.tries(),
            provider = %target.label,
            model = target.model_label(),
            key = target.key,
            reason,
            side,
            error = cleaned(&failure.fault),
            next = next.as_str(),
            "attempt failed"
        );
    }
}

/// The name of a failure's reason in metrics.
pub(super) fn reason(failure: &Failure) -> &'static str {
    match failure.fault.transport {
        Some(TransportFailure::Unreachable) => "connect",
        Some(TransportFailure::Slow) => "timeout",
        Some(TransportFailure::Gone) => "reset",
        Some(TransportFailure::Credential) => "credential",
        Some(TransportFailure::Garbled) => "garbled",
        None => weir_types::fault::error_kind_name(failure.fault.error.kind),
    }
}
