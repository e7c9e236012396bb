//! Metrics of tokens and their cost, by the client, the model, and the provider that answered.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use prometheus::core::{Atomic, GenericCounter, GenericCounterVec};
use prometheus::{Counter, CounterVec, IntCounter, IntCounterVec, Registry};

use super::bound::SeriesBound;
use super::gen_ai::{GenAi, GenAiBook};
use super::histogram::{Histogram, HistogramVec};
use super::{counters, dollars};
use weir_ledger::{Cost, Nano};
use weir_types::contract::about::Bucket;
use weir_types::contract::types::UnitCount;
use weir_types::tokens::Tokens;

const TOKENS: &str = "weir_tokens_total";
const ESTIMATED: &str = "weir_tokens_estimated_total";
const UNITS: &str = "weir_units_total";
const COST: &str = "weir_cost_total";
const UNPRICED: &str = "weir_price_unknown_total";
const UNKNOWN: &str = "weir_billing_unknown_total";
const REFUSED: &str = "weir_told_cost_refused_total";

/// The metrics of tokens and cost.
#[derive(Debug)]
pub(super) struct Spending {
    bound: Arc<SeriesBound>,
    tokens: IntCounterVec,
    estimated: IntCounterVec,
    units: CounterVec,
    cost: CounterVec,
    unpriced: IntCounterVec,
    unknown: IntCounterVec,
    refused: IntCounterVec,
    /// `None` unless the operator asks for them.
    gen_ai: Option<Arc<GenAi>>,
}

/// The labels of token metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenLabels<'a> {
    pub(super) operation: &'a str,
    pub(super) route: &'a str,
    /// The client's name; empty if anonymous.
    pub(super) client: &'a str,
    pub(super) provider: &'a str,
}

impl Spending {
    pub(super) fn new(r: &Registry, bound: Arc<SeriesBound>, gen_ai: Option<GenAi>) -> Result<Self, prometheus::Error> {
        let bought = &["bucket", "client", "model", "provider"];
        let target = &["model", "provider"];
        Ok(Self {
            bound,
            tokens: counters(r, TOKENS, "Tokens by bucket, as providers report them", bought)?,
            estimated: counters(r, ESTIMATED, "Tokens by estimate, where the provider reports none", bought)?,
            units: dollars(
                r,
                UNITS,
                "What is billed by the piece: searches, tool runs, seconds, pages, images, characters",
                &["client", "model", "provider", "unit"],
            )?,
            cost: dollars(
                r,
                COST,
                "US dollars, by the prices of tokens, reported or estimated",
                &["client", "model", "provider"],
            )?,
            unpriced: counters(r, UNPRICED, "Answers whose tokens have no known price", target)?,
            unknown: counters(r, UNKNOWN, "Complete answers without a count of tokens", target)?,
            refused: counters(r, REFUSED, "Costs that answers tell and that cannot be any", target)?,
            gen_ai: gen_ai.map(Arc::new),
        })
    }

    /// Begins a count at 0, so that its first answer shows as an increase.
    pub(super) fn may_be_unpriced(&self, model: &str, provider: &str) {
        self.counter(UNPRICED, &self.unpriced, [model, provider], &[0]).inc_by(0);
    }

    fn book(self: &Arc<Self>, at: TokenLabels<'_>) -> Book {
        let TokenLabels { operation, route, client, provider } = at;
        Book {
            all: Arc::clone(self),
            labels: [client, route, provider].map(str::to_owned),
            tokens: Bucket::ALL.map(|_| OnceLock::new()),
            estimated: Default::default(),
            cost: OnceLock::new(),
            unpriced: OnceLock::new(),
            unknown: OnceLock::new(),
            attempts: OnceLock::new(),
            gen_ai: self.gen_ai.as_ref().map(|all| all.book([operation, provider, route])),
        }
    }

    /// A counter, of which the labels at these positions name clients and models.
    fn counter<P: Atomic, const N: usize>(
        &self,
        name: &str,
        counters: &GenericCounterVec<P>,
        labels: [&str; N],
        open: &[usize],
    ) -> GenericCounter<P> {
        counters.with_label_values(&self.bound.fit(name, 1, labels, open))
    }
}

/// The handles of one client and route, by provider.
#[derive(Debug, Default)]
pub(super) struct Books(RwLock<Vec<(Arc<str>, Arc<Book>)>>);

impl Books {
    pub(super) fn of(&self, spending: &Arc<Spending>, at: TokenLabels<'_>) -> Arc<Book> {
        let find = |books: &[(Arc<str>, Arc<Book>)]| {
            books.iter().find(|(name, _)| **name == *at.provider).map(|(_, book)| Arc::clone(book))
        };
        if let Some(book) = find(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return book;
        }
        let mut books = self.0.write().unwrap_or_else(PoisonError::into_inner);
        find(&books).unwrap_or_else(|| {
            let book = Arc::new(spending.book(at));
            books.push((Arc::from(at.provider), Arc::clone(&book)));
            book
        })
    }
}

/// The metric handles of one client, route and provider. Each is made when it is first used: most exchanges use few of
/// them, and a cost that is not known does not show as 0.
#[derive(Debug)]
pub struct Book {
    all: Arc<Spending>,
    /// The client, the route and the provider.
    labels: [String; 3],
    tokens: [OnceLock<IntCounter>; Bucket::ALL.len()],
    /// Of input and output.
    estimated: [OnceLock<IntCounter>; 2],
    cost: OnceLock<Counter>,
    unpriced: OnceLock<IntCounter>,
    unknown: OnceLock<IntCounter>,
    attempts: OnceLock<(IntCounter, Histogram)>,
    gen_ai: Option<GenAiBook>,
}

impl Book {
    /// Records a request to the provider, and the time until the head of its answer.
    pub(super) fn attempted(&self, attempts: &IntCounterVec, upstream: &HistogramVec, seconds: f64) {
        let [.., provider] = self.labels();
        let made = || (attempts.with_label_values(&[provider]), upstream.with_label_values(&[provider]));
        let (attempts, upstream) = self.attempts.get_or_init(made);
        attempts.inc();
        upstream.observe(seconds);
    }

    fn labels(&self) -> [&str; 3] {
        self.labels.each_ref().map(String::as_str)
    }

    /// Records tokens that the provider reported.
    pub fn reported(&self, tokens: Tokens) {
        let [client, route, provider] = self.labels();
        for (bucket, count) in tokens.known() {
            let Some(counter) = self.tokens.get(bucket as usize) else { continue };
            let labels = [bucket.name(), client, route, provider];
            let made = || self.all.counter(TOKENS, &self.all.tokens, labels, &[1, 2]);
            counter.get_or_init(made).inc_by(u64::from(count));
        }
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.used(tokens);
        }
    }

    /// Records what is billed by the piece.
    pub fn units(&self, units: &[UnitCount]) {
        let [client, route, provider] = self.labels();
        for count in units {
            let labels = [client, route, provider, count.unit.name()];
            self.all.counter(UNITS, &self.all.units, labels, &[0, 1]).inc_by(count.count);
        }
    }

    /// Records estimated input and output tokens.
    pub fn estimated(&self, tokens: [u32; 2]) {
        let [client, route, provider] = self.labels();
        for ((counter, bucket), tokens) in self.estimated.iter().zip(["input", "output"]).zip(tokens) {
            if tokens > 0 {
                let labels = [bucket, client, route, provider];
                let made = || self.all.counter(ESTIMATED, &self.all.estimated, labels, &[1, 2]);
                counter.get_or_init(made).inc_by(u64::from(tokens));
            }
        }
    }

    /// Records that a complete answer reported no usage.
    pub(crate) fn unreported(&self) {
        let [_, route, provider] = self.labels();
        let made = || self.all.counter(UNKNOWN, &self.all.unknown, [route, provider], &[0]);
        self.unknown.get_or_init(made).inc();
    }

    /// Records that an answer reported a cost that cannot be one.
    pub(crate) fn refused_cost(&self) {
        let [_, route, provider] = self.labels();
        self.all.counter(REFUSED, &self.all.refused, [route, provider], &[0]).inc();
    }

    /// Records the duration of an exchange.
    pub fn took(&self, seconds: f64) {
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.took(seconds);
        }
    }

    /// Records the time to the first piece of a stream.
    pub fn first_token(&self, seconds: f64) {
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.first_token(seconds);
        }
    }

    /// Records what an attempt, or a part of it, costs.
    pub fn charge(&self, cost: &Cost) {
        match cost {
            Cost::Priced(bill) => {
                let made = || self.all.counter(COST, &self.all.cost, self.labels(), &[0, 1]);
                self.cost.get_or_init(made).inc_by(dollars_of(bill.total));
            }
            Cost::Unpriced(_) => {
                let [_, route, provider] = self.labels();
                let made = || self.all.counter(UNPRICED, &self.all.unpriced, [route, provider], &[0]);
                self.unpriced.get_or_init(made).inc();
            }
            Cost::NoUsage => {}
        }
    }
}

/// An amount in dollars, for metrics and log lines, which have no exact type.
pub(crate) fn dollars_of(nano: Nano) -> f64 {
    nano.get() as f64 / 1e9
}
