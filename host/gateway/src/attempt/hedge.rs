//! Hedging: a second target is tried when the first has not answered for a while, and the first answer wins. Dropping
//! the other attempt's future cancels its exchange.

use std::time::Duration;

use futures_util::future::{Either, select};

use super::tries::{Journey, Visit};
use super::way::Way;
use crate::account::Account;
use crate::route::Stop;

/// Tries a target and, if it has not answered after `after`, also the next one. Returns the outcome and the number of
/// targets tried.
pub(super) async fn visit(
    journey: &Journey<'_>,
    [first, second]: [&Stop; 2],
    after: Duration,
    way: &Way<'_>,
    account: &mut Account,
) -> (Visit, usize) {
    let one = Box::pin(alone(journey, first, way, account.branch()));
    let patience = Box::pin(tokio::time::sleep(after));
    let one = match select(one, patience).await {
        Either::Left(((visit, branch), _)) => {
            account.adopt(branch, Duration::ZERO);
            return (visit, 1);
        }
        Either::Right(((), one)) => one,
    };
    let two = Box::pin(alone(journey, second, way, account.branch()));
    let (visit, branch, waited) = match select(one, two).await {
        Either::Left(((visit, branch), other)) => match visit {
            Visit::Answered(..) => (visit, branch, Duration::ZERO),
            Visit::Failed { .. } | Visit::Closed | Visit::Busy(_) => {
                account.adopt(branch, Duration::ZERO);
                let (visit, branch) = other.await;
                (visit, branch, Duration::ZERO)
            }
        },
        Either::Right(((visit, branch), other)) => match visit {
            Visit::Answered(..) => (visit, branch, after),
            Visit::Failed { .. } | Visit::Closed | Visit::Busy(_) => {
                account.adopt(branch, Duration::ZERO);
                let (visit, branch) = other.await;
                (visit, branch, Duration::ZERO)
            }
        },
    };
    account.adopt(branch, waited);
    if let Visit::Answered(_, target) = &visit {
        account.metrics().tries.hedged(&first.target.id, &second.target.id, &target.id);
    }
    (visit, 2)
}

/// A visit with an account of its own.
async fn alone(journey: &Journey<'_>, stop: &Stop, way: &Way<'_>, mut account: Account) -> (Visit, Account) {
    let visit = journey.visit(stop, way, None, &mut account).await;
    (visit, account)
}
