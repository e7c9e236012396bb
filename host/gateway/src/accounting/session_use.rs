//! The total use of a session's responses, for the session's own line in the access log. Records and metrics have it by
//! response.

use weir_ledger::Nano;

/// The total use of a session's responses so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionUse {
    /// The number of responses.
    pub(super) responses: u32,
    /// Input and output tokens, as far as they were reported.
    pub(super) tokens: u64,
    /// The cost; `None` if that of any response is not known.
    pub(super) cost: Option<Nano>,
}

impl Default for SessionUse {
    fn default() -> Self {
        Self { responses: 0, tokens: 0, cost: Some(Nano::ZERO) }
    }
}

impl SessionUse {
    /// Adds a response that has ended.
    pub(crate) fn add(&mut self, tokens: Option<u32>, cost: Option<Nano>) {
        self.responses = self.responses.saturating_add(1);
        self.tokens = self.tokens.saturating_add(tokens.unwrap_or_default().into());
        self.cost = self.cost.zip(cost).and_then(|(sum, cost)| sum.plus(cost).ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_that_is_not_known_makes_the_sum_unknown() {
        let cents = |cents: i64| Nano::new(cents * 10_000_000).ok();
        let mut used = SessionUse::default();
        used.add(Some(7), cents(1));
        used.add(None, cents(2));
        assert_eq!((used.responses, used.tokens, used.cost), (2, 7, cents(3)));
        used.add(Some(1), None);
        used.add(Some(1), cents(1));
        assert_eq!((used.responses, used.tokens, used.cost), (4, 9, None));
    }
}
