//! Hedging: a second target is tried when the first has not answered for a while, and the first answer wins. Dropping
//! the other attempt's future cancels its exchange.

use std::time::Duration;

use futures_util::future::{Either, select};

use super::candidates::Candidates;
use super::plan_runner::{AttemptOutcome, PlanRunner};
use crate::accounting::Account;
use crate::route::Candidate;

/// Tries a target and, if it has not answered after `after`, also the next one. Returns the outcome and the number of
/// targets tried.
pub(super) async fn race(
    runner: &PlanRunner<'_>,
    [first, second]: [&Candidate; 2],
    after: Duration,
    remaining: &Candidates<'_>,
    account: &mut Account,
) -> (AttemptOutcome, usize) {
    let one = Box::pin(try_on_branch(runner, first, remaining, account.branch()));
    let delay = Box::pin(tokio::time::sleep(after));
    let one = match select(one, delay).await {
        Either::Left(((outcome, branch), _)) => {
            account.adopt(branch, Duration::ZERO);
            return (outcome, 1);
        }
        Either::Right(((), one)) => one,
    };
    let two = Box::pin(try_on_branch(runner, second, remaining, account.branch()));
    // The first answer counts; where the first to end has none, the other one's outcome does.
    let is_answer = |outcome: &AttemptOutcome| matches!(outcome, AttemptOutcome::Answered { .. });
    let (outcome, branch, waited) = match select(one, two).await {
        Either::Left(((outcome, branch), _)) if is_answer(&outcome) => (outcome, branch, Duration::ZERO),
        Either::Right(((outcome, branch), _)) if is_answer(&outcome) => (outcome, branch, after),
        Either::Left(((_, failed), two)) => {
            account.adopt(failed, Duration::ZERO);
            let (outcome, branch) = two.await;
            (outcome, branch, Duration::ZERO)
        }
        Either::Right(((_, failed), one)) => {
            account.adopt(failed, Duration::ZERO);
            let (outcome, branch) = one.await;
            (outcome, branch, Duration::ZERO)
        }
    };
    account.adopt(branch, waited);
    if let AttemptOutcome::Answered { target, .. } = &outcome {
        account.metrics().tries.hedged(&first.target.id, &second.target.id, &target.id);
    }
    (outcome, 2)
}

/// An attempt with an account of its own.
async fn try_on_branch(
    runner: &PlanRunner<'_>,
    candidate: &Candidate,
    remaining: &Candidates<'_>,
    mut account: Account,
) -> (AttemptOutcome, Account) {
    let outcome = runner.try_candidate(candidate, remaining, None, &mut account).await;
    (outcome, account)
}
