//! Metrics of tokens and their cost, by the client, the model, and the provider that answered.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use prometheus::{Counter, CounterVec, Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::{SECONDS, counters, dollars, seconds};
use weir_ledger::{Cost, Nano};
use weir_types::contract::about::Bucket;
use weir_types::contract::types::UnitCount;
use weir_types::tokens::Tokens;

/// Labels of OpenTelemetry's conventions for generative AI, with underscores for dots.
const GEN_AI: &[&str] = &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];
const GEN_AI_TOKENS: &[&str] =
    &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"];
/// The buckets that these conventions recommend.
const TOKENS: &[f64] =
    &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// The metrics of tokens and cost.
#[derive(Debug)]
pub(super) struct Spending {
    tokens: IntCounterVec,
    estimated: IntCounterVec,
    units: CounterVec,
    cost: CounterVec,
    unpriced: IntCounterVec,
    untold: IntCounterVec,
    operation: HistogramVec,
    first_token: HistogramVec,
    usage: HistogramVec,
}

/// The labels of token metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Where<'a> {
    pub(super) operation: &'a str,
    pub(super) route: &'a str,
    /// The client's name; empty if anonymous.
    pub(super) client: &'a str,
    pub(super) provider: &'a str,
}

impl Spending {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let bought = &["bucket", "client", "model", "provider"];
        Ok(Self {
            tokens: counters(r, "weir_tokens_total", "Tokens by bucket, as providers told", bought)?,
            estimated: counters(
                r,
                "weir_tokens_estimated_total",
                "Tokens by estimate, where the provider told none",
                bought,
            )?,
            units: dollars(
                r,
                "weir_units_total",
                "What is billed by the piece: searches, tool runs, seconds, pages, images, characters",
                &["client", "model", "provider", "unit"],
            )?,
            cost: dollars(
                r,
                "weir_cost_total",
                "US dollars, by the prices of tokens, told or estimated",
                &["client", "model", "provider"],
            )?,
            unpriced: counters(
                r,
                "weir_price_unknown_total",
                "Answers whose tokens have no known price",
                &["model", "provider"],
            )?,
            untold: counters(
                r,
                "weir_billing_unknown_total",
                "Complete answers without a count of tokens",
                &["model", "provider"],
            )?,
            operation: seconds(
                r,
                "gen_ai_client_operation_duration_seconds",
                "Duration of a GenAI operation",
                GEN_AI,
                SECONDS,
            )?,
            first_token: seconds(
                r,
                "gen_ai_server_time_to_first_token_seconds",
                "Time to the first token of a streamed answer",
                GEN_AI,
                SECONDS,
            )?,
            usage: seconds(r, "gen_ai_client_token_usage", "Tokens used by an operation", GEN_AI_TOKENS, TOKENS)?,
        })
    }

    fn book(&self, at: Where<'_>) -> Book {
        let Where { operation, route, client, provider } = at;
        let gen_ai = [operation, provider, route];
        let usage = |kind| self.usage.with_label_values(&[operation, provider, route, kind]);
        Book {
            tokens: Bucket::ALL.map(|_| OnceLock::new()),
            all_tokens: self.tokens.clone(),
            units: self.units.clone(),
            estimated: ["input", "output"]
                .map(|bucket| self.estimated.with_label_values(&[bucket, client, route, provider])),
            cost: OnceLock::new(),
            costs: self.cost.clone(),
            labels: [client, route, provider].map(str::to_owned),
            unpriced: self.unpriced.with_label_values(&[route, provider]),
            untold: self.untold.with_label_values(&[route, provider]),
            operation: self.operation.with_label_values(&gen_ai),
            first_token: self.first_token.with_label_values(&gen_ai),
            usage: ["input", "output"].map(usage),
        }
    }
}

/// The handles of one client and route, by provider.
#[derive(Debug, Default)]
pub(super) struct Books(RwLock<Vec<(Arc<str>, Arc<Book>)>>);

impl Books {
    pub(super) fn of(&self, spending: &Spending, at: Where<'_>) -> Arc<Book> {
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

/// The metric handles of one client, route and provider.
#[derive(Debug)]
pub struct Book {
    /// Made when a bucket is first used: most providers have few of them.
    tokens: [OnceLock<IntCounter>; Bucket::ALL.len()],
    all_tokens: IntCounterVec,
    units: CounterVec,
    estimated: [IntCounter; 2],
    /// Created with the first known price, so that an unknown cost does not show as 0.
    cost: OnceLock<Counter>,
    costs: CounterVec,
    labels: [String; 3],
    unpriced: IntCounter,
    untold: IntCounter,
    operation: Histogram,
    first_token: Histogram,
    usage: [Histogram; 2],
}

impl Book {
    /// Records tokens that the provider reported.
    pub fn reported(&self, tokens: Tokens) {
        let [client, route, provider] = self.labels.each_ref().map(String::as_str);
        for (bucket, count) in tokens.known() {
            let Some(counter) = self.tokens.get(bucket as usize) else { continue };
            let made = || self.all_tokens.with_label_values(&[bucket.name(), client, route, provider]);
            counter.get_or_init(made).inc_by(u64::from(count));
        }
        let [into, out] = &self.usage;
        into.observe(tokens.input().map_or(0.0, f64::from));
        out.observe(tokens.output().map_or(0.0, f64::from));
    }

    /// Records what is billed by the piece.
    pub fn units(&self, units: &[UnitCount]) {
        let [client, route, provider] = self.labels.each_ref().map(String::as_str);
        for count in units {
            self.units.with_label_values(&[client, route, provider, count.unit.name()]).inc_by(count.count);
        }
    }

    /// Records estimated input and output tokens.
    pub fn estimated(&self, tokens: [u32; 2]) {
        for (counter, tokens) in self.estimated.iter().zip(tokens) {
            counter.inc_by(u64::from(tokens));
        }
    }

    /// Records that a complete answer reported no usage.
    pub(crate) fn unreported(&self) {
        self.untold.inc();
    }

    /// Records the duration of an exchange.
    pub fn took(&self, seconds: f64) {
        self.operation.observe(seconds);
    }

    /// Records the time to the first piece of a stream.
    pub fn first_token(&self, seconds: f64) {
        self.first_token.observe(seconds);
    }

    /// Records what an attempt, or a part of it, costs.
    pub fn charge(&self, cost: &Cost) {
        match cost {
            Cost::Priced(bill) => {
                let cost = || self.costs.with_label_values(&self.labels.each_ref().map(String::as_str));
                self.cost.get_or_init(cost).inc_by(dollars_of(bill.total));
            }
            Cost::Unpriced(_) => self.unpriced.inc(),
            Cost::NoUsage => {}
        }
    }
}

/// An amount in dollars, for metrics and log lines, which have no exact type.
pub(crate) fn dollars_of(nano: Nano) -> f64 {
    nano.get() as f64 / 1e9
}
