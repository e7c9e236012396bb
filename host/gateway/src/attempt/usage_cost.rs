//! `usage.cost`: what a translated stream costs, in the usage that its client asked for. OpenRouter's name for it.

use weir_ledger::{Facts, Nano, Timestamp};
use weir_types::contract::types::{Extension, Usage};
use weir_types::tokens::Tokens;

use crate::accounting::believed;
use crate::pricing::Tariff;

/// The member's name. It is written as an extension of the client's format.
const MEMBER: &str = "cost";

/// Removes the cost from the usage of an answer that is kept: the cost is that of one exchange.
pub(super) fn without_cost(usage: &mut Usage) {
    usage.extensions.retain(|member| member.key != MEMBER);
}

/// Prices the usage of one stream.
#[derive(Debug)]
pub(super) struct UsageCost {
    /// The client's format.
    pub(super) format: String,
    pub(super) tariff: Tariff,
    /// The cost of the attempts before.
    pub(super) before: Nano,
}

impl UsageCost {
    /// Notes the model that the answer names.
    pub(super) fn served_by(&mut self, named: &str) {
        self.tariff = self.tariff.served_by(named);
    }

    /// Adds the cost so far to a usage report: the amount that is booked if nothing more arrives. A report with a cost
    /// of its own keeps it, and one for which a price or a count is missing gets none.
    pub(super) fn add_to(&self, report: &mut Usage, so_far: &Usage) {
        let is_ours = |kept: &Extension| kept.format == self.format && kept.key == MEMBER;
        if report.extensions.iter().any(is_ours) {
            return;
        }
        let cost = self.reported(so_far).or_else(|| self.priced(so_far));
        if let Some(cost) = cost.and_then(|cost| cost.plus(self.before).ok()) {
            let (format, key) = (self.format.clone(), MEMBER.to_owned());
            report.extensions.push(Extension { format, key, json: cost.to_string() });
        }
    }

    /// The cost that the answer reports, if the provider's reported costs are booked.
    fn reported(&self, so_far: &Usage) -> Option<Nano> {
        let place = self.tariff.cost_place().filter(|_| self.tariff.takes_told())?;
        believed(&place.reported_in(so_far)?).ok()
    }

    /// The cost of the tokens; `None` if a count is missing, or is an implausible 0. Such a count is estimated once the
    /// answer has ended.
    fn priced(&self, so_far: &Usage) -> Option<Nano> {
        let tokens = Tokens::from(so_far);
        let is_counted = [tokens.input(), tokens.output()].iter().all(|count| count.is_some_and(|count| count > 0));
        if !is_counted || tokens.is_impossible() {
            return None;
        }
        self.tariff.cost(&Facts::of(so_far, Timestamp::now()).ok()?).total()
    }
}
