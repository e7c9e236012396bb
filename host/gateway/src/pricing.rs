//! What the models of a target cost: the bundled prices, those of the store and the operator's price file over them, or
//! the price that the configuration sets for a model or target.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use weir_config::{Config, CostPointer, Price, Problem};
use weir_ledger::{Cost, Facts, ModelPrices, Nano, PriceBook, PriceFile, PriceFileError, Subject, Timestamp};
use weir_types::contract::about::Bucket;
use weir_types::regular_file;
use weir_types::tokens::Tokens;
use weir_wire::tap::CostPlace;

/// The largest price file that is read: many times the bundled one.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The book of the bundled file alone, which most configurations use.
static USUAL: LazyLock<Arc<PriceBook>> = LazyLock::new(|| Arc::new(PriceBook::new(bundled().into_iter().collect())));

/// The bundled file. It is parsed for each book: thousands of offers are not kept twice.
fn bundled() -> Option<PriceFile> {
    PriceFile::bundled().inspect_err(|error| tracing::error!(%error, "the bundled prices cannot be read")).ok()
}

/// All prices: the bundled ones, over them those of the store, and over all the operator's file.
#[derive(Debug, Clone)]
pub struct Prices {
    pub(crate) book: Arc<PriceBook>,
    own: Option<Arc<PriceFile>>,
}

impl Prices {
    /// The prices of a configuration, and of the store if there are any. If the operator's file cannot be used, the
    /// others hold alone, and the problem is reported.
    pub(crate) fn new(config: &Config, stored: Option<&PriceFile>, problems: &mut Vec<Problem>) -> Self {
        let own = config.price_file.as_deref().and_then(|file| {
            read(file).map_err(|error| problems.push(Problem::error(&config.price_place, error.to_string()))).ok()
        });
        if own.is_none() && stored.is_none() {
            return Self { book: Arc::clone(&USUAL), own: None };
        }
        let files = bundled().into_iter().chain(stored.cloned()).chain(own.clone()).collect();
        Self { book: Arc::new(PriceBook::new(files)), own: own.map(Arc::new) }
    }

    /// The operator's file, if there is one.
    pub fn own(&self) -> Option<&PriceFile> {
        self.own.as_deref()
    }
}

/// Why the operator's file cannot be used.
#[derive(Debug, thiserror::Error)]
enum PricesError {
    /// It cannot be read.
    #[error("the prices {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It has a mistake.
    #[error(transparent)]
    Wrong(#[from] PriceFileError),
}

fn read(file: &Path) -> Result<PriceFile, PricesError> {
    let text = text_of(file).map_err(|source| PricesError::Unreadable { path: file.to_owned(), source })?;
    Ok(PriceFile::parse(&file.display().to_string(), &text)?)
}

/// The text of a file of bounded length.
fn text_of(file: &Path) -> io::Result<String> {
    let bytes = regular_file::read(file, MAX_FILE_BYTES)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// The prices of one target.
#[derive(Debug, Clone, Default)]
pub struct Pricing {
    book: Arc<PriceBook>,
    provider: Arc<str>,
    /// The name of the provider's adapter.
    kind: Arc<str>,
    /// The region that serves, in the words of price files; `None` where it is not known.
    region: Option<Arc<str>>,
    /// Where answers report their cost.
    cost_place: Option<CostPlace>,
    /// The rates of the model that was asked for first. Most targets have no other.
    first: Arc<OnceLock<Tariff>>,
}

impl Pricing {
    /// Prices of a provider by a book, or by the price that the configuration sets.
    pub fn new(book: &Arc<PriceBook>, provider: &Arc<str>, kind: &Arc<str>, set: Option<Price>) -> Self {
        let set = set.and_then(of_configuration).map(Arc::new);
        let book = set.unwrap_or_else(|| Arc::clone(book));
        let (provider, kind) = (Arc::clone(provider), Arc::clone(kind));
        Self { book, provider, kind, region: None, cost_place: None, first: Arc::default() }
    }

    /// These prices for answers that report their cost at this place.
    #[must_use]
    pub(crate) fn with_cost_place(self, place: Option<&CostPointer>) -> Self {
        let compiled = |place: &CostPointer| {
            let compiled = CostPlace::new(place.as_str());
            compiled.inspect_err(|error| tracing::error!(%error, "the place of a cost cannot be used")).ok()
        };
        Self { cost_place: place.and_then(compiled), first: Arc::default(), ..self }
    }

    /// The prices of this region.
    #[must_use]
    pub(crate) fn within(self, region: Option<Arc<str>>) -> Self {
        Self { region, first: Arc::default(), ..self }
    }

    /// Whether any price of a model is known.
    pub(crate) fn knows(&self, model: &str) -> bool {
        self.book.knows(self.subject(model))
    }

    fn subject<'a>(&'a self, model: &'a str) -> Subject<'a> {
        Subject { provider: &self.provider, kind: &self.kind, served: model, asked: model }
    }

    /// The rates of one attempt.
    pub fn tariff(&self, model: &str) -> Tariff {
        let first = self.first.get_or_init(|| self.look_up(model));
        if *first.0.model == *model { first.clone() } else { self.look_up(model) }
    }

    fn look_up(&self, model: &str) -> Tariff {
        Tariff(Arc::new(ModelTariff {
            prices: ModelPrices::of(&self.book, self.subject(model)),
            provider: Arc::clone(&self.provider),
            kind: Arc::clone(&self.kind),
            model: model.into(),
            served: None,
            region: self.region.clone(),
            cost_place: self.cost_place.clone(),
            other: OnceLock::new(),
        }))
    }
}

/// A book that has one price for every model.
fn of_configuration(set: Price) -> Option<PriceBook> {
    let rates = Bucket::ALL.into_iter().filter_map(|bucket| Some((bucket.name(), set.of_bucket(bucket)?)));
    let rates: serde_json::Map<_, _> = rates.map(|(name, dollars)| (name.to_owned(), rate(dollars))).collect();
    let file = serde_json::json!({"version": "configuration", "providers": {"*": {"*": rates}}}).to_string();
    let file = PriceFile::parse("configuration", &file);
    file.inspect_err(|error| tracing::error!(%error, "the configured price cannot be read"))
        .ok()
        .map(|file| PriceBook::new(vec![file]))
}

/// Dollars for a million tokens, as a price file has them. Beyond the largest amount of such a file, for one token.
fn rate(dollars: f64) -> serde_json::Value {
    const MILLION: f64 = 1e6;
    if dollars <= MILLION {
        return dollars.to_string().into();
    }
    serde_json::json!({"amount": (dollars / MILLION).to_string(), "per": 1})
}

/// The rates of one attempt: a target's prices for the model that it is asked for.
#[derive(Debug, Clone)]
pub struct Tariff(Arc<ModelTariff>);

#[derive(Debug)]
struct ModelTariff {
    prices: ModelPrices,
    provider: Arc<str>,
    kind: Arc<str>,
    model: Arc<str>,
    /// The model that the answer names, if that is another one.
    served: Option<Arc<str>>,
    region: Option<Arc<str>>,
    cost_place: Option<CostPlace>,
    /// The rates for the first other name that an answer had. Most models have one such name at most.
    other: OnceLock<Tariff>,
}

/// The longest name of a model, in bytes.
const MAX_MODEL_NAME: usize = 512;

impl Tariff {
    /// The rates where the answer names this model as the one that served. Of the two names the price book decides;
    /// where it does not know the one that served, the rates stay those of the model that was asked for.
    #[must_use]
    pub fn served_by(&self, named: &str) -> Self {
        let is_same = named == &*self.0.model || self.served().is_some_and(|served| **served == *named);
        if is_same || named.is_empty() || named.len() > MAX_MODEL_NAME {
            return self.clone();
        }
        let other = self.0.other.get_or_init(|| self.look_up_served(named));
        if other.served().is_some_and(|served| **served == *named) {
            return other.clone();
        }
        self.look_up_served(named)
    }

    fn look_up_served(&self, named: &str) -> Self {
        let ModelTariff { prices, provider, kind, model, region, cost_place, .. } = &*self.0;
        let subject = Subject { provider, kind, served: named, asked: model };
        Self(Arc::new(ModelTariff {
            prices: prices.of_other(subject),
            provider: Arc::clone(provider),
            kind: Arc::clone(kind),
            model: Arc::clone(model),
            served: Some(named.into()),
            region: region.clone(),
            cost_place: cost_place.clone(),
            other: OnceLock::new(),
        }))
    }

    /// The model that the answer names, if that is another than the one that was asked for.
    pub(crate) fn served(&self) -> Option<&Arc<str>> {
        self.0.served.as_ref()
    }

    /// What so much costs, in the target's region unless the facts name another. A sum beyond all bounds has no price.
    pub fn cost(&self, facts: &Facts) -> Cost {
        match self.region().filter(|_| facts.region.is_none()) {
            Some(region) => self.cost_as_stored(&Facts { region: Some(region.to_string()), ..facts.clone() }),
            None => self.cost_as_stored(facts),
        }
    }

    /// What so much costs in the region that the facts name; where they name none, that of no region: the target's may
    /// have changed since.
    pub fn cost_as_stored(&self, facts: &Facts) -> Cost {
        self.0.prices.price(facts).unwrap_or(Cost::NoUsage)
    }

    /// US dollars for a million tokens of input and as many of output, at the usual prices of the target's region; of
    /// input alone where output has no price. `None` where input has none either.
    #[expect(clippy::cast_precision_loss, reason = "it is compared, not booked")]
    pub(crate) fn dearness(&self) -> Option<f64> {
        // So few at once that no threshold of context is reached.
        const FEW: u32 = 1_000;
        let cost = |output| {
            let facts = Facts { tokens: Tokens::of(Some(FEW), output), ..Facts::at(Timestamp::now()) };
            self.cost(&facts).total()
        };
        let nanos = cost(Some(FEW)).or_else(|| cost(None))?.get();
        Some(nanos as f64 / (f64::from(FEW) * 1e3))
    }

    /// Whether output costs nothing while input does, as where the model makes none.
    pub(crate) fn has_free_output(&self) -> bool {
        let cost = |tokens| self.cost(&Facts { tokens, ..Facts::at(Timestamp::now()) }).total();
        let [input, output] = [Tokens::of(Some(1_000), None), Tokens::of(None, Some(1_000))].map(cost);
        output == Some(Nano::ZERO) && input.is_some_and(|cost| cost > Nano::ZERO)
    }

    /// The region that serves, in the words of price files.
    pub(crate) fn region(&self) -> Option<&Arc<str>> {
        self.0.region.as_ref()
    }

    /// Where answers report their cost.
    pub(crate) fn cost_place(&self) -> Option<&CostPlace> {
        self.0.cost_place.as_ref()
    }

    /// Whether the cost that answers report is booked: a price that the operator has set goes first.
    pub(crate) fn takes_told(&self) -> bool {
        self.0.cost_place.is_some() && !self.0.prices.is_own()
    }

    /// The prices of the model.
    pub(crate) fn prices(&self) -> &ModelPrices {
        &self.0.prices
    }

    /// The provider that charges.
    pub fn provider(&self) -> &Arc<str> {
        &self.0.provider
    }

    /// The name of the provider's adapter.
    pub(crate) fn adapter(&self) -> &Arc<str> {
        &self.0.kind
    }

    /// The provider's name for the model.
    pub(crate) fn model(&self) -> &Arc<str> {
        &self.0.model
    }

    /// Whether any price of the model is known.
    pub fn is_known(&self) -> bool {
        self.0.prices.is_known()
    }

    /// Whether any price of the model is known, or of the one that an answer of it has named before.
    pub(crate) fn may_be_known(&self) -> bool {
        self.is_known() || self.0.other.get().is_some_and(Self::is_known)
    }

    /// The version of the prices.
    pub fn version(&self) -> &Arc<str> {
        self.0.prices.book().version()
    }
}

#[cfg(test)]
mod tests;
