//! Mistakes in budgets.

use crate::money::MoneyError;

/// A mistake in a budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The period is unknown.
    #[error("{0:?} is not a period: minute, hour, day, week, month, total, or days such as 30d")]
    Period(String),
    /// The time zone is unknown.
    #[error("{0:?} is not a time zone")]
    Zone(String),
    /// The share is not between its bounds.
    #[error("{0:?} is not a share of a budget: {1}")]
    Share(String, &'static str),
    /// The amount is not valid.
    #[error("the amount {0:?} {1}")]
    Amount(String, MoneyError),
    /// Two budgets have one name.
    #[error("two budgets have the name {0:?}")]
    Repeated(String),
}
