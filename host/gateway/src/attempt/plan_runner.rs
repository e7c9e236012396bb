//! Attempts one after another, until one answers or none can help. Nothing is tried after the first byte of an
//! answer.

mod circumstances;
mod progress;
mod record;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;

use self::progress::Progress;
use self::record::reason;
use super::candidates::Candidates;
use super::failure::Failure;
use super::policy;
use super::reply::ReplyBody;
use super::{FallbackGuards, InboundRequest, RequestContext, attempt, hedge};
use crate::accounting::Account;
use crate::accounting::access::RequestRecord;
use crate::admission::{Admission, AdmissionPermit, Demand};
use crate::health::{Health, Ticket};
use crate::route::skipped::{SkipReason, Skipped};
use crate::route::{Candidate, Plan, Target};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::Fault;

/// A request with its plan.
#[derive(Debug)]
pub struct PlanRunner<'a> {
    /// The services and settings that attempts use.
    pub context: RequestContext<'a>,
    /// The client's request.
    pub inbound: &'a InboundRequest,
    /// The request's candidates.
    pub plan: &'a Plan,
    /// The health of all targets.
    pub health: &'a Health,
    /// The limits of providers.
    pub admission: &'a Admission,
    /// The properties of the request that the limits depend on.
    pub demand: Demand<'a>,
    /// The guards of models that the request is passed on to.
    pub further_guards: FallbackGuards<'a>,
}

/// The outcome of a plan.
#[derive(Debug)]
pub struct AttemptResponse {
    /// The answer, or the error for the client.
    pub answer: Result<Response<ReplyBody>, Fault>,
    /// The target that gave it; `None` if none was tried.
    pub target: Option<Arc<Target>>,
    /// Whether another model answered than the one asked for: a fallback's, or a budget's cheaper one.
    pub stands_in: bool,
}

/// The outcome of one target.
pub(super) enum AttemptOutcome {
    Answered {
        response: Response<ReplyBody>,
        target: Arc<Target>,
        /// Whether another model answered than the one asked for.
        stands_in: bool,
    },
    Failed {
        failure: Failure,
        target: Arc<Target>,
        /// Whether another target may be tried.
        onward: bool,
    },
    /// The target rests.
    NotAdmitted,
    /// The provider's rate or concurrency limits are used up.
    Busy(Fault),
    /// A guard of the model that the request would be passed on to refused it.
    Refused(Fault),
}

/// How an attempt failed, and at which target.
type Failed = (Failure, Arc<Target>);

/// The target of the last failure.
#[derive(Clone, Copy)]
struct LastTarget<'a> {
    target: &'a Target,
    /// Whether the request was too long for it.
    was_too_short: bool,
}

impl<'a> LastTarget<'a> {
    fn of((failure, target): &'a Failed) -> Self {
        Self { target, was_too_short: failure.fault.error.kind == ErrorKind::ContextLength }
    }

    /// Whether the request was too long for it, and is known to be too long for this candidate, too.
    fn rules_out(&self, candidate: &Candidate) -> bool {
        let known = candidate.target.capabilities.context.zip(self.target.capabilities.context);
        self.was_too_short && known.is_some_and(|(next, this)| next <= this)
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
        let mut last: Option<Failed> = None;
        let (mut busy, mut refused) = (None, None);
        let mut has_last_try = true;
        let mut remaining = Candidates::new(self.plan, self.health);
        for Skipped { candidate, why } in &self.plan.skipped {
            account.skipped(&candidate.health, &candidate.target.label, why.reason());
        }
        loop {
            let next = self.next(&mut remaining, last.as_ref().map(LastTarget::of), account).await;
            let Some((candidate, is_again)) = next else { break };
            let begun = Instant::now();
            // One retry needs no budget: it is rare, late, and the only remaining attempt.
            let mut may_repeat = || candidate.route.take_repetition(begun) || std::mem::take(&mut has_last_try);
            if is_again && !may_repeat() {
                continue;
            }
            let outcome = pin!(self.try_or_hedge(candidate, &mut remaining, last.as_ref().map(fallen), account)).await;
            match outcome {
                AttemptOutcome::Answered { response, target, stands_in } => {
                    return AttemptResponse { answer: Ok(response), target: Some(target), stands_in };
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
                AttemptOutcome::NotAdmitted => remaining.put_back(candidate),
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
        if let Some((failure, target)) = last {
            return unanswered(failure, target, account);
        }
        let fault = refused.or(busy).unwrap_or_else(|| self.exhausted());
        AttemptResponse { answer: Err(fault), target: None, stands_in: false }
    }

    /// The candidate to try after the last failure, and whether it was given up before. It waits for targets that
    /// recover in time; `None` if there is no candidate or no time left.
    async fn next<'a>(
        &'a self,
        remaining: &mut Candidates<'a>,
        last: Option<LastTarget<'_>>,
        account: &mut Account,
    ) -> Option<(&'a Candidate, bool)> {
        loop {
            if last.is_some() && self.left().is_some_and(|left| left.is_zero()) {
                return None;
            }
            let Some((candidate, is_again)) = remaining.take() else {
                if !remaining.reopen_slow_probe() {
                    let retry = last?.target.retry;
                    account.waited(remaining.recovery(retry, self.context.deadline).await?);
                }
                continue;
            };
            if last.is_some_and(|last| last.rules_out(candidate)) {
                account.skipped(&candidate.health, &candidate.target.label, SkipReason::Long.reason());
                continue;
            }
            return Some((candidate, is_again));
        }
    }

    /// Tries one target. If it is the first and slow to answer, and the route has hedging, the next one is tried
    /// beside it.
    async fn try_or_hedge<'a>(
        &'a self,
        candidate: &'a Candidate,
        remaining: &mut Candidates<'a>,
        fallen: Option<Fallback>,
        account: &mut Account,
    ) -> AttemptOutcome {
        let may_hedge =
            fallen.is_none() && candidate.target.enable_fallback && !self.inbound.operation().is_relayed_only();
        let hedge = self.plan.route.hedge.filter(|_| may_hedge);
        let Some((after, other)) = hedge.and_then(|after| Some((after, remaining.next_besides(candidate)?))) else {
            return pin!(self.try_candidate(candidate, remaining, fallen, account)).await;
        };
        let (outcome, tried) = Box::pin(hedge::race(self, [candidate, other], after, remaining, account)).await;
        if tried > 1 {
            remaining.remove(other);
        }
        outcome
    }

    /// Tries one target until it answers or no further attempt there can help.
    pub(super) async fn try_candidate(
        &self,
        candidate: &Candidate,
        remaining: &Candidates<'_>,
        fallen: Option<Fallback>,
        account: &mut Account,
    ) -> AttemptOutcome {
        match pin!(self.further_guards.judge(self.context, self.inbound, candidate)).await {
            Ok(further) => {
                let judged = further.as_deref().or(self.inbound.judged());
                let context = RequestContext { judged, ..self.context };
                pin!(self.try_judged(context, candidate, remaining, fallen, account)).await
            }
            Err(fault) => AttemptOutcome::Refused(fault),
        }
    }

    /// Tries one target with the request as the guards of its model judged it.
    async fn try_judged(
        &self,
        context: RequestContext<'_>,
        candidate: &Candidate,
        remaining: &Candidates<'_>,
        mut fallen: Option<Fallback>,
        account: &mut Account,
    ) -> AttemptOutcome {
        let mut last: Option<Failed> = None;
        let mut held = match pin!(self.admit_to(&candidate.target)).await {
            Ok(held) => held,
            Err(fault) => return AttemptOutcome::Busy(fault),
        };
        account.share_budgets_of(&mut held);
        let mut progress = Progress::begin(&candidate.target);
        loop {
            let begun = Instant::now();
            let Some((target, mut ticket)) = candidate.admit(self.health, begun, &self.plan.carried) else {
                progress.settle(&mut held, account);
                return match last {
                    Some((failure, target)) => self.given_up(candidate, failure, target),
                    None => AttemptOutcome::NotAdmitted,
                };
            };
            self.start_attempt(candidate, &target, fallen.take(), account);
            let on_the_way = held.on_the_way(account.hand_over());
            let answered = pin!(attempt(context, self.inbound, &target, progress.values, account)).await;
            drop(on_the_way);
            let failure = match answered {
                Ok(response) => {
                    ticket.answers();
                    held.record_success();
                    held.left_unanswered(progress.unanswered);
                    account.serve(ticket);
                    account.hold(held);
                    return AttemptOutcome::Answered { response, target, stands_in: candidate.name.is_some() };
                }
                Err(failure) => failure,
            };
            held.set_in_flight(false);
            progress.note(&failure.fault, account);
            account.failed(reason(&failure));
            let ended = Instant::now();
            self.note_trail(candidate, &failure, ended, account);
            self.attribute_failure(&failure.fault, &target, ticket, &mut held, [begun, ended], account);
            if let Some((refused, target)) = last.take_if(|_| progress.was_vain(&failure.fault)) {
                progress.settle(&mut held, account);
                return self.given_up(candidate, refused, target);
            }
            let situation = self.situation(candidate, &target, remaining, &progress);
            let next = policy::decide(&failure.fault, situation, || candidate.route.take_repetition(Instant::now()));
            self.note(&failure, &target, next, account);
            if !progress.goes_on(next, &mut held, account).await {
                progress.settle(&mut held, account);
                return self.given_up(candidate, failure, target);
            }
            last = Some((failure, target));
        }
    }

    /// Has the account begin an attempt at a target, which may be a fallback.
    fn start_attempt(&self, candidate: &Candidate, target: &Target, fallen: Option<Fallback>, account: &mut Account) {
        if let Some(Fallback { from, reason }) = fallen {
            account.metrics().tries.fell_back(&from.id, &target.id, reason);
        }
        let model = self.inbound.model();
        account.start_attempt(&target.label, target.model(model), target.tariff(model));
        if candidate.names_model(model) {
            account.record().into_iter().for_each(RequestRecord::note_model_known);
        }
    }

    /// Counts a failure against whatever is to blame for it: the target or the key, and the provider's limits.
    fn attribute_failure(
        &self,
        fault: &Fault,
        target: &Target,
        ticket: Ticket,
        held: &mut AdmissionPermit,
        [begun, ended]: [Instant; 2],
        account: &Account,
    ) {
        let blame = self.blame(fault);
        if policy::is_overload(fault, blame) {
            held.overloaded(begun);
        }
        if ticket.failed_at(blame, ended) {
            self.note_rest(target, account);
        }
    }

    /// Admits an attempt to the limits and budgets of its provider.
    async fn admit_to(&self, target: &Target) -> Result<AdmissionPermit, Fault> {
        let admitted = pin!(self.admission.admit_to(&target.provider, &self.demand)).await;
        let mut held = admitted.map_err(|refused| refused.fault)?;
        let granted = pin!(self.admission.budgets.reserve_attempt(target, &self.demand)).await;
        let granted = granted.map_err(|refusal| self.admission.budgets.refused(&refusal))?;
        held.reserve_all(granted, &target.label, &self.demand);
        Ok(held)
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

/// The outcome of a plan whose last failure this is: the provider's own answer if that goes to the client, or the
/// fault.
fn unanswered(failure: Failure, target: Arc<Target>, account: &mut Account) -> AttemptResponse {
    let Failure { response, fault } = failure;
    // There is no answer that the cache could keep, whichever model failed.
    let (target, stands_in) = (Some(target), false);
    let Some(response) = response else { return AttemptResponse { answer: Err(fault), target, stands_in } };
    account.record().into_iter().for_each(|record| record.failed(&fault));
    account.answering(response.status().as_u16(), false, false);
    AttemptResponse { answer: Ok(*response), target, stands_in }
}

fn fallen((failure, from): &Failed) -> Fallback {
    Fallback { from: Arc::clone(from), reason: reason(failure) }
}
