//! What an exchange costs, attempt by attempt, in the metrics and for the budgets that reserved it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::admission::budgets::Charge;
use crate::observe::metrics::Book;
use crate::pricing::Tariff;
use weir_ledger::{Cost, Facts, Nano, REPORTED, Spend, Timestamp};
use weir_types::tokens::Tokens;

/// The facts of estimated input and output tokens.
pub(super) fn estimated([input, output]: [u32; 2]) -> Facts {
    let mut facts = Facts::at(Timestamp::now());
    facts.tokens = Tokens::of(Some(input), Some(output));
    facts.estimated = true;
    facts
}

/// The charges at one point in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    total: Nano,
    unpriced: u32,
}

/// The costs of the attempts that were billed.
#[derive(Debug, Default)]
pub(super) struct Charges {
    total: Nano,
    /// Whether any part has a known price.
    is_priced: bool,
    /// The number of parts without a known price.
    unpriced: u32,
    /// The version of the prices.
    version: Option<Arc<str>>,
    /// The spends that budgets are to book, with the providers that charge them.
    spends: SmallVec<[Charge; 1]>,
}

impl Charges {
    /// Charges for what an attempt used. Without a tariff it has no price. `known` is the cost that the answer reports,
    /// or the tariff's cost if that was calculated before.
    pub(super) fn add(&mut self, facts: &Facts, tariff: Option<&Tariff>, known: Option<Cost>, book: &Book) {
        if facts.is_empty() && !matches!(known, Some(Cost::Priced(_))) {
            return;
        }
        let unpriced = Spend { requests: 0, ..Spend::unpriced(u64::from(facts.tokens.total().unwrap_or_default())) };
        let Some(tariff) = tariff else {
            self.unpriced = self.unpriced.saturating_add(1);
            return self.spends.push(Charge { provider: None, model: None, spend: unpriced });
        };
        let cost = known.unwrap_or_else(|| tariff.cost(facts));
        book.charge(&cost);
        match &cost {
            // A reported part makes the whole a cost that no price list gives.
            Cost::Priced(bill) if *bill.version == *REPORTED => self.version = Some(Arc::clone(&bill.version)),
            _ => _ = self.version.get_or_insert_with(|| Arc::clone(tariff.version())),
        }
        match &cost {
            Cost::Priced(bill) => {
                self.total = Self::sum(self.total, bill.total).unwrap_or(Nano::MAX);
                self.is_priced = true;
            }
            Cost::Unpriced(_) | Cost::NoUsage => self.unpriced = self.unpriced.saturating_add(1),
        }
        let [provider, model] = [tariff.provider(), tariff.model()].map(|name| Some(Arc::clone(name)));
        self.spends.push(Charge { provider, model, spend: Spend::of(&cost, facts, false) });
    }

    /// Charges for estimated input and output tokens.
    pub(super) fn add_estimate(&mut self, tokens: [u32; 2], tariff: Option<&Tariff>, book: &Book) {
        self.add(&estimated(tokens), tariff, None, book);
    }

    /// Charges for about this many tokens of a use that has no price.
    pub(super) fn add_unknown(&mut self, tokens: u32, tariff: Option<&Tariff>) {
        self.unpriced = self.unpriced.saturating_add(1);
        let spend = Spend { requests: 0, ..Spend::unpriced(u64::from(tokens)) };
        let provider = tariff.map(|tariff| Arc::clone(tariff.provider()));
        self.spends.push(Charge { provider, model: None, spend });
    }

    /// The whole cost, with other charges; `None` if it is not known.
    pub(super) fn total(&self, others: &Self) -> Option<Nano> {
        let is_priced = self.is_priced || others.is_priced;
        let is_unpriced = self.unpriced > 0 || others.unpriced > 0;
        (is_priced && !is_unpriced).then(|| Self::sum(self.total, others.total)).flatten()
    }

    /// The cost so far, if everything that was charged for has a price. Zero if nothing was.
    pub(super) fn total_so_far(&self) -> Option<Nano> {
        (self.unpriced == 0).then_some(self.total)
    }

    /// The charges as they are now, for [`Charges::since`].
    pub(super) fn mark(&self) -> Mark {
        Mark { total: self.total, unpriced: self.unpriced }
    }

    /// What was charged since; `None` if any of it has no price.
    pub(super) fn since(&self, mark: Mark) -> Option<Nano> {
        let added = self.total.get().checked_sub(mark.total.get())?;
        Nano::new(added).ok().filter(|_| self.unpriced == mark.unpriced)
    }

    /// The version of the prices.
    pub(super) fn version(&self) -> Option<&Arc<str>> {
        self.version.as_ref()
    }

    /// The spends that budgets are to book.
    pub(super) fn spends(&self) -> &[Charge] {
        &self.spends
    }

    /// The sum of two amounts; `None` on overflow.
    pub(super) fn sum(one: Nano, other: Nano) -> Option<Nano> {
        Nano::new(one.get().checked_add(other.get())?).ok()
    }
}
