//! The price book: all offers of the bundled file and the operator's, found by provider and model.
//!
//! A book never changes. A file that is replaced makes another book, with another [`PriceBook::version`]; a request
//! keeps the book that it began with.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use weir_types::contract::types::Unit;

use crate::facts::Facts;
use crate::measure::Measure;
use crate::money::Rate;
use crate::rule::{Circumstances, NameRank, Offer, Specificity};

mod file;
mod parse;
mod problem;
mod raw;

pub use file::PriceFile;
pub use parse::WrittenOffer;
pub use problem::{PriceFileError, PriceProblem};

/// The word for the tier that has no price of its own.
const STANDARD: &str = "standard";

/// Whose price is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// The provider's kind: the name of its adapter.
    pub kind: &'a str,
    /// The model that served, as the answer names it.
    pub served: &'a str,
    /// The model that was asked for. Its price holds where the book does not know the one that served, or where a later
    /// file has it and has none for the one that served: the operator's price for a name of theirs.
    pub asked: &'a str,
}

impl<'a> Subject<'a> {
    /// A model of a provider that has no name but its kind.
    pub fn of(kind: &'a str, model: &'a str) -> Self {
        Self { provider: kind, kind, served: model, asked: model }
    }
}

/// All offers, in layers: later files over earlier ones.
#[derive(Debug, Default)]
pub struct PriceBook {
    version: Arc<str>,
    files: Vec<Arc<str>>,
    /// The layer of the file that comes with Weir.
    bundled: Option<u8>,
    offers: Vec<(u8, Offer)>,
    providers: HashMap<Arc<str>, Models, RandomState>,
    /// By kind of provider or `*`, and the provider's word in lower case: the price file's word.
    tiers: HashMap<String, HashMap<String, String, RandomState>, RandomState>,
}

/// Places in [`PriceBook::offers`].
#[derive(Debug, Default)]
struct Models {
    exact: HashMap<Box<str>, Vec<usize>, RandomState>,
    patterns: Vec<usize>,
}

/// An offer for a model, whatever its conditions: its place in [`PriceBook::offers`], and how specific it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    place: usize,
    rank: Specificity,
    /// Whether it is for a name by which the model's tokens are not priced.
    is_of_other_name: bool,
}

/// An offer that holds for a request, with the file that it stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding<'a> {
    pub(crate) offer: &'a Offer,
    pub(crate) file: &'a Arc<str>,
    rank: Specificity,
    /// Whether it is for a name by which the model's tokens are not priced: only its surcharges hold.
    pub(crate) is_of_other_name: bool,
}

impl Holding<'_> {
    /// The price of a measure.
    pub(crate) fn rate(&self, measure: Measure) -> Option<Rate> {
        let is_meant = !self.is_of_other_name || measure.is_surcharge() || measure == Measure::Pieces(Unit::Search);
        self.offer.rate(measure).filter(|_| is_meant)
    }
}

/// What the book knows about a request: the offers that hold, the most specific first.
#[derive(Debug)]
pub(crate) struct MatchingOffers<'a> {
    pub(crate) holding: Vec<Holding<'a>>,
    /// Whether the served tier is the standard one, or has a price at this model.
    pub(crate) knows_tier: bool,
    /// Whether batches have a price at this model.
    pub(crate) knows_batch: bool,
}

impl PriceBook {
    /// The bundled prices alone.
    pub fn bundled() -> Result<Self, PriceFileError> {
        Ok(Self::new(vec![PriceFile::bundled()?]))
    }

    /// The bundled prices with an operator's file over them.
    pub fn with(name: &str, text: &str) -> Result<Self, PriceFileError> {
        Ok(Self::new(vec![PriceFile::bundled()?, PriceFile::parse(name, text)?]))
    }

    /// A book of these files; later ones are laid over earlier ones.
    pub fn new(files: Vec<PriceFile>) -> Self {
        let mut book = Self::default();
        let versions: Vec<String> = files.iter().map(|file| file.version.to_string()).collect();
        book.version = versions.join("+").into();
        for (layer, file) in files.into_iter().enumerate() {
            let layer = u8::try_from(layer).unwrap_or(u8::MAX);
            for new in file.offers.iter().filter(|offer| offer.replaces) {
                book.offers.retain(|(own, old)| *own == layer || !is_replaced(old, new));
            }
            book.offers.reserve_exact(file.offers.len());
            book.offers.extend(file.offers.into_iter().map(|offer| (layer, offer)));
            book.files.push(file.version);
            book.bundled = book.bundled.or(file.is_bundled.then_some(layer));
            for ((kind, word), tier) in file.tiers {
                book.tiers.entry(kind).or_default().insert(word, tier);
            }
        }
        book.index();
        book
    }

    fn index(&mut self) {
        for (at, (_, offer)) in self.offers.iter().enumerate() {
            let models = self.providers.entry(Arc::clone(&offer.provider)).or_default();
            if offer.model.is_exact() {
                models.exact.entry(offer.model.as_str().into()).or_default().push(at);
            } else {
                models.patterns.push(at);
            }
        }
    }

    /// The versions of its files, for log lines and bills: `litellm-1.109.1@1f0c2a3b+prices@9e107d9d`.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The number of prices.
    pub fn len(&self) -> usize {
        self.offers.iter().map(|(_, offer)| offer.rates.len()).sum()
    }

    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// Whether there is any price for a model, under any condition. A surcharge alone is none: most such prices are for
    /// all models of a provider, also for those whose tokens have no price.
    pub fn knows(&self, subject: Subject<'_>) -> bool {
        self.prices_a_model(&self.candidates(subject))
    }

    /// Whether a file other than the one that comes with Weir has a price for a model, under any condition.
    pub fn has_own(&self, subject: Subject<'_>) -> bool {
        self.has_own_price(&self.candidates(subject))
    }

    /// Whether any of these offers says what a model costs.
    pub(crate) fn prices_a_model(&self, candidates: &[Candidate]) -> bool {
        let own = candidates.iter().filter(|candidate| !candidate.is_of_other_name);
        let mut offers = own.filter_map(|candidate| self.offers.get(candidate.place));
        offers.any(|(_, offer)| offer.prices_a_model())
    }

    /// Whether any of these offers that says what a model costs is the operator's.
    pub(crate) fn has_own_price(&self, candidates: &[Candidate]) -> bool {
        let is_own = |(layer, offer): &(u8, Offer)| Some(*layer) != self.bundled && offer.prices_a_model();
        candidates
            .iter()
            .any(|candidate| !candidate.is_of_other_name && self.offers.get(candidate.place).is_some_and(is_own))
    }

    /// The word of the price files for a tier that a provider names; `None` for the standard one.
    fn tier(&self, kind: &str, word: &str) -> Option<Cow<'_, str>> {
        let word = word.to_ascii_lowercase();
        let named = [kind, "*"].into_iter().find_map(|kind| self.tiers.get(kind)?.get(&word));
        let tier = named.map_or(Cow::Owned(word), |tier| Cow::Borrowed(tier.as_str()));
        (tier != STANDARD && !tier.is_empty()).then_some(tier)
    }

    /// The offers that hold for a request, the most specific first.
    pub(crate) fn find(&self, subject: Subject<'_>, facts: &Facts) -> MatchingOffers<'_> {
        self.find_among(&self.candidates(subject), subject.kind, facts)
    }

    /// Of these offers, all for one model of a provider of this kind, the ones that hold for a request, most specific
    /// first.
    pub(crate) fn find_among(&self, candidates: &[Candidate], kind: &str, facts: &Facts) -> MatchingOffers<'_> {
        let tier = facts.service_tier.as_deref().and_then(|word| self.tier(kind, word));
        let now = Circumstances { facts, tier: tier.as_deref() };
        let is_begun = |offer: &Offer| offer.valid_from.is_none_or(|from| from <= facts.at);
        let mut found = MatchingOffers { holding: Vec::new(), knows_tier: tier.is_none(), knows_batch: false };
        for candidate in candidates {
            let Some(holding) = self.holding(*candidate) else { continue };
            let (offer, is_own) = (holding.offer, !holding.is_of_other_name);
            let is_for_tier =
                offer.when.service_tier.is_some() && offer.when.service_tier.as_deref() == tier.as_deref();
            found.knows_tier |= is_own && is_for_tier;
            found.knows_batch |= is_own && offer.when.batch == Some(true);
            if is_begun(offer) && offer.when.holds(now) {
                found.holding.push(holding);
            }
        }
        found.holding.sort_by(|a, b| {
            let (one, other) = (a.offer, b.offer);
            let models = || one.model.as_str().cmp(other.model.as_str());
            let ties = || one.when.cmp(&other.when).then_with(models).then_with(|| one.provider.cmp(&other.provider));
            a.is_of_other_name.cmp(&b.is_of_other_name).then_with(|| b.rank.cmp(&a.rank)).then_with(ties)
        });
        found
    }

    fn holding(&self, Candidate { place, rank, is_of_other_name }: Candidate) -> Option<Holding<'_>> {
        let (layer, offer) = self.offers.get(place)?;
        Some(Holding { offer, file: self.files.get(usize::from(*layer))?, rank, is_of_other_name })
    }

    /// The offers for a subject's model, whatever their conditions: those for one of its two names, which are never
    /// mixed, and the surcharges for both.
    pub(crate) fn candidates(&self, subject: Subject<'_>) -> Vec<Candidate> {
        let served = self.named(subject, subject.served, true);
        if subject.asked == subject.served {
            return served;
        }
        let asked = self.named(subject, subject.asked, false);
        let is_of_asked = self.best_alone(&asked, &served) > self.best_alone(&served, &asked);
        let (mut those, others) = if is_of_asked { (asked, served) } else { (served, asked) };
        let is_new = |other: &Candidate| !those.iter().any(|one| one.place == other.place);
        let others: Vec<_> = others.into_iter().filter(is_new).collect();
        those.extend(others.into_iter().map(|other| Candidate { is_of_other_name: true, ..other }));
        those
    }

    /// How good the best of these offers is that says what a model costs and is not for the other name as well; offers
    /// of later files are better.
    fn best_alone(&self, these: &[Candidate], others: &[Candidate]) -> Option<NameRank> {
        let is_alone = |one: &&Candidate| !others.iter().any(|other| other.place == one.place);
        let alone = these.iter().filter(is_alone).filter(|one| self.prices_a_model(&[**one]));
        alone.map(|one| one.rank.of_name()).max()
    }

    /// The offers for one name of a model.
    fn named(&self, subject: Subject<'_>, model: &str, is_served: bool) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut last = None;
        for label in [subject.provider, subject.kind, "*"] {
            if last.replace(label) == Some(label) {
                continue;
            }
            let Some(models) = self.providers.get(label) else { continue };
            let is_named = label == subject.provider && label != subject.kind;
            self.add(&mut candidates, models, model, (is_named, is_served));
        }
        candidates
    }

    fn add(&self, to: &mut Vec<Candidate>, models: &Models, model: &str, rank: (bool, bool)) {
        let exact = models.exact.get(model).into_iter().flatten();
        for &place in exact.chain(&models.patterns) {
            if let Some((layer, offer)) = self.offers.get(place).filter(|(_, offer)| offer.model.matches(model)) {
                to.push(Candidate {
                    place,
                    rank: Specificity::new(offer, *layer, rank.0, rank.1),
                    is_of_other_name: false,
                });
            }
        }
    }
}

/// Whether a later file's offer makes an earlier one void.
fn is_replaced(old: &Offer, new: &Offer) -> bool {
    (old.provider == new.provider || &*new.provider == "*")
        && (old.model == new.model || new.model.matches(old.model.as_str()))
}

#[cfg(test)]
mod tests;
