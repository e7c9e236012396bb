//! The close of every exchange: usage, time and outcome, recorded exactly once, also when the client leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::admit::Permit;
use crate::config::Price;
use crate::contract::types::{Loss, Usage};
use crate::dialect::limits::Figure;
use crate::fault::Side;
use crate::health::Ticket;
use crate::observe::metrics::{Metrics, Series};

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Not yet: if it stays so, the client has left.
    Open,
    /// The answer went out whole.
    Whole,
    /// The answer is an error, or broke off.
    Failed,
}

/// The account of one exchange. It is closed when it is dropped.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Account {
    metrics: Arc<Metrics>,
    series: Arc<Series>,
    begun: Instant,
    /// Time spent waiting for the provider.
    waited: Duration,
    status: u16,
    outcome: Outcome,
    streaming: bool,
    first_piece: bool,
    usage: Option<Usage>,
    /// What tokens cost where the answer comes from, if that is known.
    price: Option<Price>,
    /// The tokens that have been charged for: input, cache reads, cache writes, output, reasoning.
    charged: [Option<u32>; 5],
    estimate: Option<[u32; 2]>,
    /// Tokens of answers that broke off and were gone on with, as far as nobody told of them: input and output, by
    /// estimate.
    untold: [u32; 2],
    metered: bool,
    provider: Option<Arc<str>>,
    /// How the limits of the provider that answered stand, where its answer is made anew.
    limits: Vec<Figure>,
    /// Shared with branches: the attempts of all of them are this request's.
    tries: Arc<AtomicU32>,
    /// The attempt that gave the answer.
    ticket: Option<Ticket>,
    request_id: String,
    /// An account of one of several attempts at the same time: it records nothing by itself.
    is_branch: bool,
    permit: Permit,
}

impl Account {
    /// Opens the account of an exchange that has been routed.
    pub fn open(metrics: &Arc<Metrics>, series: Arc<Series>, begun: Instant, request_id: &str, permit: Permit) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics: Arc::clone(metrics),
            series,
            begun,
            waited: Duration::ZERO,
            status: 0,
            outcome: Outcome::Open,
            streaming: false,
            first_piece: false,
            usage: None,
            price: None,
            charged: [None; 5],
            untold: [0; 2],
            estimate: None,
            metered: false,
            provider: None,
            limits: Vec::new(),
            tries: Arc::default(),
            ticket: None,
            request_id: request_id.to_owned(),
            is_branch: false,
            permit,
        }
    }

    /// The metrics that this account goes into.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Time since the request came, less the waits for providers and between attempts so far.
    pub fn overhead(&self) -> Duration {
        self.begun.elapsed().saturating_sub(self.waited)
    }

    /// An attempt begins.
    pub fn tried(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
    }

    /// Attempts so far.
    pub fn tries(&self) -> u32 {
        self.tries.load(Ordering::Relaxed)
    }

    /// An account for one of several attempts at the same time. What it takes in counts once it is adopted.
    #[must_use]
    pub fn branch(&self) -> Self {
        Self {
            metrics: Arc::clone(&self.metrics),
            series: Arc::clone(&self.series),
            begun: self.begun,
            waited: Duration::ZERO,
            status: 0,
            outcome: Outcome::Open,
            streaming: false,
            first_piece: false,
            usage: None,
            price: None,
            charged: [None; 5],
            untold: [0; 2],
            estimate: None,
            metered: false,
            provider: None,
            limits: Vec::new(),
            tries: Arc::clone(&self.tries),
            ticket: None,
            request_id: self.request_id.clone(),
            is_branch: true,
            permit: Permit::free(),
        }
    }

    /// Takes over what an attempt's own account has taken in, `waited` having passed before it began.
    pub fn adopt(&mut self, mut branch: Self, waited: Duration) {
        self.waited += branch.waited + waited;
        self.status = branch.status;
        self.streaming |= std::mem::take(&mut branch.streaming);
        self.first_piece |= branch.first_piece;
        self.metered = branch.metered;
        self.usage = branch.usage.take();
        self.price = branch.price;
        self.estimate = branch.estimate.take();
        self.provider = branch.provider.take();
        self.limits = std::mem::take(&mut branch.limits);
        self.ticket = branch.ticket.take();
        self.hold(std::mem::take(&mut branch.permit));
    }

    /// Keeps leave until the exchange ends.
    pub fn hold(&mut self, permit: Permit) {
        self.permit.add(permit);
    }

    /// Time passed that is none of the gateway's own work: a wait between two attempts.
    pub fn waited(&mut self, wait: Duration) {
        self.waited += wait;
    }

    /// What would have been answered is not: the request goes on.
    pub fn goes_on(&mut self) {
        self.status = 0;
    }

    /// This attempt gives the answer, whose tokens cost so much.
    pub fn serve(&mut self, ticket: Ticket, price: Option<Price>) {
        self.price = price;
        if !self.streaming {
            ticket.first_piece();
        }
        self.ticket = Some(ticket);
    }

    /// A request to the provider took this long until its answer's head came (or it failed).
    pub fn attempted(&mut self, provider: &Arc<str>, took: Duration) {
        self.metrics.attempts.with_label_values(&[provider.as_ref()]).inc();
        self.metrics.upstream.with_label_values(&[provider.as_ref()]).observe(took.as_secs_f64());
        self.waited += took;
        self.provider = Some(Arc::clone(provider));
        self.limits.clear();
    }

    /// An answer tells how its provider's limits stand.
    pub fn limited(&mut self, limits: Vec<Figure>) {
        self.limits = limits;
    }

    /// How the limits of the provider that answered stand, for a client whose answer is made anew.
    pub fn limits(&self) -> &[Figure] {
        &self.limits
    }

    /// A request to the provider failed.
    pub fn failed_upstream(&self, provider: &str, reason: &str) {
        self.metrics.failures.with_label_values(&[provider, reason]).inc();
    }

    /// The gateway's part before the answer is done.
    pub fn note_overhead(&self) {
        self.series.overhead(self.overhead().as_secs_f64());
    }

    /// The answer has this status; whether it is a stream, and whether its tokens matter.
    pub fn answering(&mut self, status: u16, streaming: bool, metered: bool) {
        self.status = status;
        self.metered = metered;
        if streaming && !self.streaming {
            self.streaming = true;
            self.metrics.streams_active.inc();
        }
    }

    /// A piece of a stream goes out.
    pub fn piece(&mut self) {
        if !self.first_piece {
            self.first_piece = true;
            self.series.first_token(self.begun.elapsed().as_secs_f64());
            self.ticket.iter().for_each(Ticket::first_piece);
        }
    }

    /// The tokens of the answer.
    pub fn used(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// What the answer cost by estimate, input and output, for the case that nobody tells.
    pub fn estimated(&mut self, tokens: [u32; 2]) {
        self.estimate = Some(tokens);
    }

    /// Fields that got lost.
    pub fn lost(&self, losses: &[Loss]) {
        for loss in losses {
            self.metrics.lost(&loss.field);
        }
        if !losses.is_empty() {
            let fields: Vec<&str> = losses.iter().take(32).map(|loss| loss.field.as_str()).collect();
            tracing::info!(request_id = self.request_id, ?fields, "translation lost fields");
        }
    }

    /// The answer went out whole.
    pub fn whole(&mut self) {
        self.outcome = Outcome::Whole;
    }

    /// The stream broke, by this side's fault.
    pub fn broke(&mut self, side: &str) {
        self.outcome = Outcome::Failed;
        if side == Side::Upstream.as_str() {
            self.interrupted();
        }
        self.metrics.stream_errors.with_label_values(&[side]).inc();
    }

    /// The stream broke by its target's fault, but another may go on with it.
    pub fn interrupted(&mut self) {
        if self.ticket.as_mut().is_some_and(Ticket::broke) {
            tracing::warn!(provider = self.provider.as_deref(), "target fails too often and rests");
        }
    }

    /// Another target goes on with the stream, of which these tokens have been told, and of the one that broke these not;
    /// `branch` is its attempt's account.
    pub fn resumed(&mut self, mut branch: Self, told: Option<&Usage>, untold: [u32; 2]) {
        for (sum, tokens) in self.untold.iter_mut().zip(untold) {
            *sum = sum.saturating_add(tokens);
        }
        told.into_iter().for_each(|usage| self.charge(usage));
        self.price = branch.price;
        self.provider = branch.provider.take();
        self.ticket = branch.ticket.take();
        self.hold(std::mem::take(&mut branch.permit));
    }

    /// What the limits are told: what was used, whoever says so; nothing where no answer came.
    fn settle_limits(&mut self) {
        let [input, output] = self.untold.map(u64::from);
        let told = self.usage.as_ref().map(|usage| {
            let sum = |counts: &[Option<u32>]| counts.iter().flatten().map(|count| u64::from(*count)).sum::<u64>();
            let told_in = sum(&[usage.input, usage.cache_read, usage.cache_write]);
            (told_in + input, sum(&[usage.output, usage.reasoning]) + output)
        });
        let guessed = self.estimate.map(|[input, output]| (u64::from(input), u64::from(output)));
        let answered = (200..300).contains(&self.status);
        if let Some(tokens) = told.or(guessed) {
            self.permit.used(Some(tokens));
        } else if answered {
            self.permit.used(None);
        }
    }

    /// Charges for tokens, less those that have been charged for.
    fn charge(&mut self, usage: &Usage) {
        let told = buckets(usage);
        let mut fresh = told;
        for (fresh, charged) in fresh.iter_mut().zip(self.charged) {
            *fresh = fresh.map(|tokens| tokens.saturating_sub(charged.unwrap_or_default()));
        }
        if let Some(dollars) = self.price.and_then(|price| price.of(fresh)) {
            self.series.cost(dollars);
        }
        self.charged = told;
    }

    fn settle(&mut self) {
        self.series.estimated(self.untold);
        if let Some(usage) = self.usage.take() {
            self.charge(&usage);
            return self.series.tokens(buckets(&usage));
        }
        if let Some(tokens) = self.estimate {
            self.series.estimated(tokens);
        }
        if self.metered && self.status == 200 && self.outcome == Outcome::Whole {
            let provider = self.provider.as_deref().unwrap_or("none");
            self.metrics.billing_unknown.with_label_values(&[provider]).inc();
        }
    }

    fn close_whole(&self, seconds: f64) {
        if self.status == 200 {
            self.series.ok(seconds);
        } else {
            self.metrics.request(&self.series, self.status, outcome_of(self.status), seconds);
        }
    }
}

/// Input, cache reads, cache writes, output, reasoning.
fn buckets(usage: &Usage) -> [Option<u32>; 5] {
    let Usage { input, cache_read, cache_write, output, reasoning, .. } = usage;
    [*input, *cache_read, *cache_write, *output, *reasoning]
}

fn outcome_of(status: u16) -> &'static str {
    match status {
        0..400 => "ok",
        400..500 => "client_error",
        _ => "error",
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        if self.streaming {
            self.metrics.streams_active.dec();
        }
        if self.is_branch {
            return;
        }
        self.metrics.in_flight.dec();
        self.settle_limits();
        self.settle();
        match self.outcome {
            Outcome::Whole => self.close_whole(seconds),
            Outcome::Failed => self.metrics.request(&self.series, self.status, "broken", seconds),
            Outcome::Open => {
                let phase = match (self.status, self.first_piece) {
                    (0, _) => "waiting",
                    (_, false) => "headers",
                    (_, true) => "body",
                };
                self.metrics.disconnects.with_label_values(&[phase]).inc();
                self.metrics.request(&self.series, 499, "cancelled", seconds);
            }
        }
        tracing::info!(
            request_id = self.request_id,
            status = self.status,
            outcome = ?self.outcome,
            provider = self.provider.as_deref(),
            attempts = self.tries(),
            seconds,
            "request ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Labels;

    const LABELS: Labels<'static> = Labels { dialect: "zeta.talk", route: "fast", operation: "chat", provider: "zeta" };

    fn account(metrics: &Arc<Metrics>) -> Account {
        let series = Arc::new(metrics.series(LABELS));
        Account::open(metrics, series, Instant::now(), "r1", Permit::free())
    }

    #[test]
    fn c27_a_client_that_leaves_is_recorded_as_499() {
        let metrics = Arc::new(Metrics::new().unwrap());
        drop(account(&metrics));
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"outcome="cancelled",route="fast",status="499"} 1"#), "{text}");
        assert!(text.contains(r#"weir_client_disconnects_total{phase="waiting"} 1"#));
        assert!(text.contains("weir_in_flight 0"));
    }

    #[test]
    fn a_whole_answer_counts_its_tokens_once() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        account.answering(200, true, true);
        let usage = Usage {
            input: Some(7),
            cache_read: None,
            cache_write: None,
            output: Some(5),
            reasoning: None,
            extensions: Vec::new(),
        };
        account.used(usage);
        account.whole();
        drop(account);
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"weir_tokens_total{bucket="input",model="fast"} 7"#));
        assert!(text.contains("weir_streams_active 0"));
    }

    #[test]
    fn each_part_of_a_stream_costs_what_it_costs_there() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        account.answering(200, true, true);
        let usage = |input, output| Usage {
            input: Some(input),
            cache_read: None,
            cache_write: None,
            output: Some(output),
            reasoning: None,
            extensions: Vec::new(),
        };
        let price = |input, output| {
            let million = |dollars: f64| Some(dollars * 1_000_000.0);
            Some(Price { input: million(input), output: million(output), ..Price::default() })
        };
        account.price = price(1.0, 2.0);
        let mut branch = account.branch();
        branch.price = price(10.0, 100.0);
        account.resumed(branch, Some(&usage(5, 1)), [0, 3]);
        account.used(usage(12, 8));
        account.whole();
        drop(account);
        let text = metrics.text().unwrap();
        // 5 and 1 of the first, 7 and 7 of the second.
        assert!(text.contains(r#"weir_cost_total{model="fast"} 777"#), "{text}");
        assert!(text.contains(r#"weir_tokens_total{bucket="output",model="fast"} 8"#), "{text}");
        assert!(text.contains(r#"weir_tokens_estimated_total{bucket="output",model="fast"} 3"#), "{text}");
    }

    #[test]
    fn c62_an_answer_without_usage_is_said() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut account = account(&metrics);
        account.answering(200, false, true);
        account.whole();
        drop(account);
        assert!(metrics.text().unwrap().contains(r#"weir_billing_unknown_total{provider="none"} 1"#));
    }
}
