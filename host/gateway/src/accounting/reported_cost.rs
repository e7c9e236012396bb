//! Costs that providers' answers report, at the place that the operator names.

use super::Account;
use weir_ledger::{MoneyError, Nano};
use weir_wire::tap::CostPlace;

/// More than any answer costs: ten thousand dollars, in nano-dollars.
const MOST: i64 = 10_000 * 1_000_000_000;

/// An amount that may be the cost of an answer.
pub(crate) fn believed(text: &str) -> Result<Nano, MoneyError> {
    let cost = Nano::nearest(text)?;
    if cost.get() > MOST { Err(MoneyError::TooLarge) } else { Ok(cost) }
}

impl Account {
    /// The place at which the answering provider reports the cost of its answers.
    pub(crate) fn cost_place(&self) -> Option<&CostPlace> {
        self.tokens.tariff.as_ref()?.cost_place()
    }

    /// Notes the cost in dollars that the answer reports. A text that cannot be a cost is counted, and the answer is
    /// priced by its tokens.
    pub(crate) fn cost_is_told(&mut self, text: &str) {
        match believed(text) {
            Ok(cost) => self.tokens.reported_cost = Some(cost),
            Err(error) => {
                self.book().refused_cost();
                tracing::warn!(request_id = &*self.request_id, %error, "the answer's cost at `cost_place` is not a cost");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_cost_is_believed() {
        assert_eq!(believed("0.00014").map(Nano::get), Ok(140_000));
        assert_eq!(believed("10000").map(Nano::get), Ok(MOST));
        for text in ["10000.000000001", "-1", "NaN", "", "1e300", "free"] {
            assert!(believed(text).is_err(), "{text}");
        }
    }
}
