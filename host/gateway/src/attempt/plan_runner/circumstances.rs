//! The circumstances of a failure, on which the decision after it depends.

use std::time::{Duration, Instant};

use super::PlanRunner;
use super::progress::Progress;
use crate::attempt::Values;
use crate::attempt::candidates::Candidates;
use crate::attempt::policy::{self, Situation};
use crate::health::{Blame, Rest, TargetStatus};
use crate::route::{Candidate, Target, chance};
use weir_types::contract::about::Operation;
use weir_types::fault::{Fault, TransportFailure};

impl PlanRunner<'_> {
    /// The circumstances for the decision after a failure.
    pub(super) fn situation(
        &self,
        candidate: &Candidate,
        target: &Target,
        remaining: &Candidates<'_>,
        progress: &Progress,
    ) -> Situation {
        Situation {
            repeats: progress.repeats,
            retry: target.retry,
            is_repeatable: self.is_repeatable(),
            creates: self.creates(),
            has_next: target.enable_fallback && remaining.next_besides(candidate).is_some(),
            has_key: progress.spare_keys > 0 && candidate.has_other_key(self.health, target.key, Instant::now()),
            rests: self.rests(candidate),
            left: self.left(),
            may_unfilter: candidate.route.fallback_when_filtered,
            may_strip: progress.values == Values::All && self.may_strip(target),
            draw: chance::draw(),
        }
    }

    /// Whether a retry is safe although a provider may have seen the request. Uploading a file or starting a batch
    /// twice is not.
    pub(super) fn is_repeatable(&self) -> bool {
        !self.inbound.operation().is_relayed_only() || self.inbound.method.is_idempotent()
    }

    /// Whether the request creates something that must not be created twice. A request without a model concerns files
    /// and batches, not answers.
    pub(super) fn creates(&self) -> bool {
        !self.is_repeatable() && self.inbound.peek.model.is_none()
    }

    /// Whether another target's opaque values may be left out for this one.
    pub(super) fn may_strip(&self, target: &Target) -> bool {
        let is_strict = self.inbound.peek.strict || target.strict;
        *self.inbound.operation() == Operation::Chat && !is_strict && self.plan.carried.is_foreign_to(&target.issuer())
    }

    /// The target or key that a failure counts against. A timeout because of the request's own deadline counts
    /// against neither.
    pub(super) fn blame(&self, fault: &Fault) -> Blame {
        let hurried = fault.transport == Some(TransportFailure::Slow) && self.left().is_some_and(|left| left.is_zero());
        if hurried { Blame::Neither } else { policy::blame(fault) }
    }

    /// How long the target's cool-down lasts after a failure, if it has one.
    pub(super) fn rests(&self, candidate: &Candidate) -> Option<Duration> {
        let now = Instant::now();
        match candidate.status(self.health, now) {
            TargetStatus::Resting(until, Rest::Limited | Rest::Unstated | Rest::Failing) => {
                Some(until.saturating_duration_since(now))
            }
            TargetStatus::Resting(_, Rest::Refused) | TargetStatus::Well => None,
        }
    }
}
