//! Attempts one after another, until one answers or none can help. Nothing is tried after the first byte of an
//! answer.

mod record;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;

use self::record::reason;
use super::candidates::Candidates;
use super::failure::Failure;
use super::policy::{self, RetryDecision, Situation};
use super::reply::ReplyBody;
use super::{FurtherGuards, InboundRequest, RequestContext, Values, attempt, hedge};
use crate::accounting::Account;
use crate::admission::budgets;
use crate::admission::{Admission, AdmissionPermit, Demand};
use crate::health::{Blame, Health, Rest, TargetStatus};
use crate::route::skipped::{Skipped, Why};
use crate::route::{Candidate, Plan, Target, chance, keys};
use weir_types::contract::about::Operation;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side, TransportFailure};

/// A request with its plan.
#[derive(Debug)]
pub struct PlanRunner<'a> {
    /// The services and settings that attempts use.
    pub context: RequestContext<'a>,
    /// The client's request.
    pub asked: &'a InboundRequest,
    /// The request's candidates.
    pub plan: &'a Plan,
    /// The health of all targets.
    pub health: &'a Health,
    /// The limits of providers.
    pub admission: &'a Admission,
    /// The properties of the request that the limits depend on.
    pub demand: Demand<'a>,
    /// The guards of models that the request is passed on to.
    pub further_guards: FurtherGuards<'a>,
}

/// The outcome of a plan.
#[derive(Debug)]
pub struct AttemptResponse {
    /// The answer, or the error for the client.
    pub answer: Result<Response<ReplyBody>, Fault>,
    /// The target that gave it; `None` if none was tried.
    pub target: Option<Arc<Target>>,
}

/// The outcome of one target.
pub(super) enum AttemptOutcome {
    Answered(Response<ReplyBody>, Arc<Target>),
    Failed {
        failure: Failure,
        target: Arc<Target>,
        /// Whether another target may be tried.
        onward: bool,
    },
    /// The target rests.
    Closed,
    /// The provider's rate or concurrency limits are used up.
    Busy(Fault),
    /// A guard of the model that the request would be passed on to refused it.
    Refused(Fault),
}

/// The progress at one target.
struct SoFar {
    repeats: u32,
    spare_keys: usize,
    /// Which opaque values are sent.
    values: Values,
    /// Estimated input tokens of requests that were not answered.
    unanswered: u64,
    /// Whether a provider may charge for any of them.
    is_in_doubt: bool,
}

impl SoFar {
    /// No attempt at this target yet.
    fn begin(target: &Arc<Target>) -> Self {
        let spare_keys = keys(target).count() - 1;
        Self { repeats: 0, spare_keys, values: Values::All, unanswered: 0, is_in_doubt: false }
    }

    /// Settles the limits of a provider that has not answered.
    fn settle(&self, held: &mut AdmissionPermit, account: &mut Account) {
        if self.unanswered > 0 {
            held.attempts_used(Some((self.unanswered, 0)));
        }
        if self.is_in_doubt {
            account.keep_budgets_of(held);
        }
    }

    /// Records what a failed request may cost.
    fn note(&mut self, fault: &Fault, account: &mut Account) {
        if fault.side == Side::Upstream && fault.lapse.is_none() {
            // The provider answered with an error, perhaps within an answer that had begun.
            account.refused();
        }
        self.unanswered += u64::from(account.unanswered().unwrap_or_default());
        self.is_in_doubt |= account.is_in_doubt();
    }

    fn was_vain(&self, fault: &Fault) -> bool {
        self.values == Values::Own && policy::was_vain(fault)
    }
}

/// The target that a request falls back from, and the reason.
pub(super) struct Fallback {
    from: Arc<Target>,
    reason: &'static str,
}

impl PlanRunner<'_> {
    /// Tries the plan's candidates in order.
    pub async fn run(&self, account: &mut Account) -> AttemptResponse {
        let mut last: Option<(Failure, Arc<Target>)> = None;
        let (mut busy, mut refused) = (None, None);
        let mut has_last_try = true;
        let mut remaining = Candidates::new(self.plan, self.health);
        for Skipped { candidate, why } in &self.plan.skipped {
            account.skipped(&candidate.health, &candidate.target.label, why.reason());
        }
        loop {
            if last.is_some() && self.left().is_some_and(|left| left.is_zero()) {
                break;
            }
            let Some((candidate, is_again)) = remaining.take() else {
                if remaining.doubt() {
                    continue;
                }
                let Some((_, target)) = &last else { break };
                let Some(waited) = remaining.recovery(target.retry, self.context.deadline).await else { break };
                account.waited(waited);
                continue;
            };
            if last.as_ref().is_some_and(|(failure, target)| is_as_short(candidate, failure, target)) {
                account.skipped(&candidate.health, &candidate.target.label, Why::Long.reason());
                continue;
            }
            let begun = Instant::now();
            // One retry needs no budget: it is rare, late, and the only remaining attempt.
            let mut may_repeat = || candidate.route.take_repetition(begun) || std::mem::take(&mut has_last_try);
            if is_again && !may_repeat() {
                continue;
            }
            let visit = self.visit_or_hedge(candidate, &mut remaining, last.as_ref().map(fallen), account).await;
            match visit {
                AttemptOutcome::Answered(response, target) => {
                    return AttemptResponse { answer: Ok(response), target: Some(target) };
                }
                AttemptOutcome::Failed { failure, target, onward } => {
                    let is_slow = policy::is_slow(&failure.fault);
                    if onward && !is_again && self.is_repeatable() && policy::time_may_help(&failure.fault) {
                        // A timed-out target is judged by its state at the time of the request, not now.
                        remaining.give_up(candidate, if is_slow { begun } else { Instant::now() });
                    }
                    remaining.record_failure(is_slow);
                    last = Some((failure, target));
                    if !onward {
                        break;
                    }
                }
                AttemptOutcome::Closed => remaining.put_back(candidate),
                AttemptOutcome::Busy(fault) => {
                    account.skipped(&candidate.health, &candidate.target.label, "busy");
                    busy = Some(fault);
                }
                AttemptOutcome::Refused(fault) => {
                    account.skipped(&candidate.health, &candidate.target.label, "guard");
                    refused = Some(fault);
                }
            }
        }
        match last {
            Some((Failure { told: Some(response), fault }, target)) => {
                account.line().into_iter().for_each(|line| line.failed(&fault));
                account.answering(response.status().as_u16(), false, false);
                AttemptResponse { answer: Ok(*response), target: Some(target) }
            }
            Some((Failure { fault, .. }, target)) => AttemptResponse { answer: Err(fault), target: Some(target) },
            None => AttemptResponse { answer: Err(refused.or(busy).unwrap_or_else(|| self.exhausted())), target: None },
        }
    }

    /// Tries one target. If it is the first and slow to answer, and the route has hedging, the next one is tried
    /// beside it.
    async fn visit_or_hedge<'a>(
        &'a self,
        candidate: &'a Candidate,
        remaining: &mut Candidates<'a>,
        fallen: Option<Fallback>,
        account: &mut Account,
    ) -> AttemptOutcome {
        let may_hedge = fallen.is_none() && !self.asked.operation().is_relayed_only();
        let (Some(after), Some(other)) =
            (self.plan.route.hedge.filter(|_| may_hedge), remaining.next_besides(candidate))
        else {
            return self.visit(candidate, remaining, fallen, account).await;
        };
        let (visit, tried) = Box::pin(hedge::visit(self, [candidate, other], after, remaining, account)).await;
        if tried > 1 {
            remaining.remove(other);
        }
        visit
    }

    /// Tries one target until it answers or no further attempt there can help.
    pub(super) async fn visit(
        &self,
        candidate: &Candidate,
        remaining: &Candidates<'_>,
        fallen: Option<Fallback>,
        account: &mut Account,
    ) -> AttemptOutcome {
        match self.further_guards.judge(self.context, self.asked, candidate).await {
            Ok(further) => {
                let judged = further.as_deref().or(self.asked.judged.get());
                let context = RequestContext { judged, ..self.context };
                self.visit_judged(context, candidate, remaining, fallen, account).await
            }
            Err(fault) => AttemptOutcome::Refused(fault),
        }
    }

    /// Tries one target with the request as the guards of its model judged it.
    async fn visit_judged(
        &self,
        context: RequestContext<'_>,
        candidate: &Candidate,
        remaining: &Candidates<'_>,
        mut fallen: Option<Fallback>,
        account: &mut Account,
    ) -> AttemptOutcome {
        let mut last: Option<(Failure, Arc<Target>)> = None;
        let mut held = match self.admit_to(&candidate.target).await {
            Ok(held) => held,
            Err(fault) => return AttemptOutcome::Busy(fault),
        };
        let mut so_far = SoFar::begin(&candidate.target);
        loop {
            let Some((target, mut ticket)) = candidate.admit(self.health, Instant::now(), &self.plan.carried) else {
                so_far.settle(&mut held, account);
                return match last {
                    Some((failure, target)) => self.given_up(candidate, failure, target),
                    None => AttemptOutcome::Closed,
                };
            };
            if let Some(Fallback { from, reason }) = fallen.take() {
                account.metrics().tries.fell_back(&from.id, &target.id, reason);
            }
            let model = self.asked.model();
            account.tries_at(&target.label, target.model(model), target.tariff(model));
            held.is_out(true);
            let begun = Instant::now();
            let failure = match attempt(context, self.asked, &target, so_far.values, account).await {
                Ok(response) => {
                    ticket.answers();
                    held.went_well();
                    held.left_unanswered(so_far.unanswered);
                    account.serve(ticket);
                    account.hold(held);
                    return AttemptOutcome::Answered(response, target);
                }
                Err(failure) => failure,
            };
            held.is_out(false);
            so_far.note(&failure.fault, account);
            account.failed(reason(&failure));
            self.note_trail(candidate, &failure, account);
            let blame = self.blame(&failure.fault);
            if policy::is_overload(&failure.fault, blame) {
                held.overloaded(begun);
            }
            if ticket.failed(blame) {
                self.note_rest(&target, account);
            }
            if let Some((refused, target)) = last.take_if(|_| so_far.was_vain(&failure.fault)) {
                so_far.settle(&mut held, account);
                return self.given_up(candidate, refused, target);
            }
            let situation = self.situation(candidate, &target, remaining, &so_far);
            let next = policy::decide(&failure.fault, situation, || candidate.route.take_repetition(Instant::now()));
            self.note(&failure, &target, next, account);
            match next {
                RetryDecision::Again(wait) => {
                    so_far.repeats += 1;
                    tokio::time::sleep(wait).await;
                    account.waited(wait);
                }
                RetryDecision::NextKey => so_far.spare_keys -= 1,
                RetryDecision::Bare => so_far.values = Values::Own,
                RetryDecision::Next | RetryDecision::Stop => {
                    so_far.settle(&mut held, account);
                    return self.given_up(candidate, failure, target);
                }
            }
            last = Some((failure, target));
        }
    }

    /// Admits an attempt to the limits and budgets of its provider.
    async fn admit_to(&self, target: &Target) -> Result<AdmissionPermit, Fault> {
        let admitted = self.admission.admit_to(&target.provider, &self.demand).await;
        let mut held = admitted.map_err(|refused| refused.fault)?;
        let granted = self.admission.budgets.reserve_attempt(target, &self.demand).await;
        held.reserve_all(granted.map_err(|refusal| budgets::refused(&refusal))?, &target.label);
        Ok(held)
    }

    /// The circumstances for the decision after a failure.
    fn situation(
        &self,
        candidate: &Candidate,
        target: &Target,
        remaining: &Candidates<'_>,
        so_far: &SoFar,
    ) -> Situation {
        Situation {
            repeats: so_far.repeats,
            retry: target.retry,
            is_repeatable: self.is_repeatable(),
            creates: self.creates(),
            has_next: target.enable_fallback && remaining.next_besides(candidate).is_some(),
            has_key: so_far.spare_keys > 0,
            rests: self.rests(candidate),
            left: self.left(),
            may_unfilter: candidate.route.fallback_when_filtered,
            may_strip: so_far.values == Values::All && self.may_strip(target),
            draw: chance::draw(),
        }
    }

    /// Whether a retry is safe although a provider may have seen the request. Uploading a file or starting a batch
    /// twice is not.
    fn is_repeatable(&self) -> bool {
        !self.asked.operation().is_relayed_only() || self.asked.method.is_idempotent()
    }

    /// Whether the request creates something that must not be created twice. A request without a model concerns files
    /// and batches, not answers.
    fn creates(&self) -> bool {
        !self.is_repeatable() && self.asked.reading.model.is_none()
    }

    /// Whether another target's opaque values may be left out for this one.
    fn may_strip(&self, target: &Target) -> bool {
        let is_strict = self.asked.reading.strict || target.strict;
        *self.asked.operation() == Operation::Chat && !is_strict && self.plan.carried.is_foreign_to(&target.issuer())
    }

    /// The target or key that a failure counts against. A timeout because of the request's own deadline counts
    /// against neither.
    fn blame(&self, fault: &Fault) -> Blame {
        let hurried = fault.lapse == Some(TransportFailure::Slow) && self.left().is_some_and(|left| left.is_zero());
        if hurried { Blame::Neither } else { policy::blame(fault) }
    }

    /// How long the target's cool-down lasts after a failure, if it has one.
    fn rests(&self, candidate: &Candidate) -> Option<Duration> {
        let now = Instant::now();
        match candidate.standing(self.health, now) {
            TargetStatus::Resting(until, Rest::Limited | Rest::Untold | Rest::Failing) => {
                Some(until.saturating_duration_since(now))
            }
            TargetStatus::Resting(_, Rest::Refused) | TargetStatus::Well => None,
        }
    }

    fn left(&self) -> Option<Duration> {
        self.context.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Gives a target up, and decides whether another target may be tried.
    fn given_up(&self, candidate: &Candidate, failure: Failure, target: Arc<Target>) -> AttemptOutcome {
        let fault = &failure.fault;
        let may_be_twice = self.creates() && policy::may_have_been_done(fault);
        let helps = policy::another_may_help(fault, candidate.route.fallback_when_filtered);
        let onward = target.enable_fallback && helps && !may_be_twice;
        AttemptOutcome::Failed { failure, target, onward }
    }

    /// The error for the client when every target rests.
    fn exhausted(&self) -> Fault {
        let now = Instant::now();
        self.plan.exhausted(self.health, now)
    }
}

fn fallen((failure, from): &(Failure, Arc<Target>)) -> Fallback {
    Fallback { from: Arc::clone(from), reason: reason(failure) }
}

/// Whether a request that was too long for one target is known to be too long for another.
fn is_as_short(candidate: &Candidate, failure: &Failure, target: &Target) -> bool {
    let known = candidate.target.capabilities.context.zip(target.capabilities.context);
    failure.fault.error.kind == ErrorKind::ContextLength && known.is_some_and(|(next, this)| next <= this)
}
