//! The prices of one model, looked up in the price book once for many requests.

use std::sync::Arc;

use crate::cost::{Cost, price_by};
use crate::facts::Facts;
use crate::money::MoneyError;
use crate::price_book::{Candidate, MatchingOffers, PriceBook, Subject};

/// What a price book has for one model of a provider, whatever the conditions.
#[derive(Debug, Clone)]
pub struct ModelPrices {
    book: Arc<PriceBook>,
    /// The provider's kind: it decides what the words for tiers mean.
    kind: Box<str>,
    candidates: Vec<Candidate>,
}

impl ModelPrices {
    /// Looks a model up.
    pub fn of(book: &Arc<PriceBook>, subject: Subject<'_>) -> Self {
        Self { book: Arc::clone(book), kind: subject.kind.into(), candidates: book.candidates(subject) }
    }

    /// The prices of another model, in the same book.
    #[must_use]
    pub fn of_other(&self, subject: Subject<'_>) -> Self {
        Self::of(&self.book, subject)
    }

    /// Whether there is any price, under any condition; a surcharge alone is none.
    pub fn is_known(&self) -> bool {
        self.book.prices_a_model(&self.candidates)
    }

    /// Whether the operator has set a price of the model.
    pub fn is_own(&self) -> bool {
        self.book.has_own_price(&self.candidates)
    }

    /// The book that the prices stand in.
    pub fn book(&self) -> &PriceBook {
        &self.book
    }

    /// Prices an attempt. The only error is a sum beyond nine billion dollars.
    pub fn price(&self, facts: &Facts) -> Result<Cost, MoneyError> {
        price_by(&self.book, facts, || self.find(facts))
    }

    /// The offers that hold for a request, the most specific first.
    pub(crate) fn find(&self, facts: &Facts) -> MatchingOffers<'_> {
        self.book.find_among(&self.candidates, &self.kind, facts)
    }
}
