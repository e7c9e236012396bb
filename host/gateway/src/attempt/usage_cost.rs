//! `usage.cost`: what a translated stream costs, in the usage that its client asked for. OpenRouter's name for it.

use weir_ledger::{Facts, Nano, Timestamp};
use weir_types::contract::types::{Extension, Usage};
use weir_types::tokens::Tokens;

use crate::pricing::Tariff;

/// The member's name. It is written as an extension of the client's format.
const MEMBER: &str = "cost";

/// Removes the cost from the usage of an answer: it is that of one exchange.
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
    /// The answer names this model.
    pub(super) fn served_by(&mut self, named: &str) {
        self.tariff = self.tariff.served_by(named);
    }

    /// Adds the cost of everything reported so far to a report. A report that has a cost of its own keeps it, and one
    /// for which a price or a count is missing gets none.
    pub(super) fn add_to(&self, report: &mut Usage, so_far: &Usage) {
        let is_ours = |kept: &Extension| kept.format == self.format && kept.key == MEMBER;
        if report.extensions.iter().any(is_ours) {
            return;
        }
        let tokens = Tokens::from(so_far);
        if tokens.input().is_none() || tokens.output().is_none() || tokens.is_impossible() {
            // The rest will be estimated, once the answer has ended.
            return;
        }
        let facts = Facts::of(so_far, Timestamp::now()).ok();
        let cost = facts.and_then(|facts| self.tariff.cost(&facts).total()?.plus(self.before).ok());
        if let Some(cost) = cost {
            let (format, key) = (self.format.clone(), MEMBER.to_owned());
            report.extensions.push(Extension { format, key, json: cost.to_string() });
        }
    }
}
