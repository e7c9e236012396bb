//! What a request may use, or has used, in the units of all budgets.

use super::definition::{Limit, Unpriced};
use crate::cost::Cost;
use crate::facts::Facts;
use crate::money::Nano;

/// The cost of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// An amount that the price files give.
    Known(Nano),
    /// Not known, and not zero.
    Unknown,
}

/// An amount in the units of all budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend {
    /// The cost.
    pub price: Price,
    /// Tokens, input and output.
    pub tokens: u64,
    /// Requests: one for a reservation, none for the second attempt of a request.
    pub requests: u64,
}

impl Spend {
    /// A request of so many tokens at a known cost.
    pub const fn priced(cost: Nano, tokens: u64) -> Self {
        Self { price: Price::Known(cost), tokens, requests: 1 }
    }

    /// A request whose cost is unknown.
    pub const fn unpriced(tokens: u64) -> Self {
        Self { price: Price::Unknown, tokens, requests: 1 }
    }

    /// What an attempt used, by its bill. Only the first attempt of a request counts as a request.
    pub fn of(cost: &Cost, facts: &Facts, is_first: bool) -> Self {
        let price = cost.total().map_or(Price::Unknown, Price::Known);
        let tokens = facts.tokens.total().unwrap_or_default();
        Self { price, tokens: u64::from(tokens), requests: u64::from(is_first) }
    }

    /// The amount in the unit of a limit; `None` if it has no price, and the budget has no rule for that.
    pub(super) fn amount(&self, limit: Limit, unpriced: Unpriced) -> Option<u64> {
        match (limit, self.price, unpriced) {
            (Limit::Tokens(_), ..) => Some(self.tokens),
            (Limit::Requests(_), ..) => Some(self.requests),
            (Limit::Usd(_), Price::Known(nano), _) => Some(u64::try_from(nano.get()).unwrap_or_default()),
            (Limit::Usd(_), Price::Unknown, Unpriced::Refuse) => None,
            (Limit::Usd(_), Price::Unknown, Unpriced::Allow) => Some(0),
            (Limit::Usd(_), Price::Unknown, Unpriced::Assume(rate)) => Some(Unpriced::cost(rate, self.tokens)),
        }
    }
}
