//! The close of every exchange: usage, time and outcome, recorded exactly once, also when the client leaves.

pub mod access;
mod tokens;
mod traced;
pub mod trail;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::access::{AccessLine, Ended};
use self::tokens::TokenBill;
use self::traced::Traced;
use self::trail::{End, Trail};
use crate::admit::Permit;
use crate::dialect::limits::Figure;
use crate::health::Ticket;
use crate::observe::log::current;
use crate::observe::metrics::{Book, Metrics, Series};
use crate::observe::trace::Span;
use weir_config::Price;
use weir_types::contract::types::{Loss, Usage};
use weir_types::fault::{Side, loss_kind};

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

/// What an account is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// When the request came.
    pub begun: Instant,
    /// Its id.
    pub request_id: &'a str,
    /// What it asks for: `chat`, `embeddings`, ...
    pub operation: &'a str,
    /// Its span.
    pub span: &'a Span,
    /// Whether it costs tokens.
    pub counts: bool,
}

/// What all attempts of a request share, those at the same time too.
#[derive(Debug, Default)]
struct Shared {
    tries: AtomicU32,
    forfeited: Mutex<Forfeited>,
}

/// Requests that providers got and never answered, by estimate.
#[derive(Debug, Default, Clone, Copy)]
struct Forfeited {
    input: u64,
    dollars: f64,
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
    tokens: TokenBill,
    metered: bool,
    provider: Option<Arc<str>>,
    /// How the limits of the provider that answered stand, where its answer is made anew.
    limits: Vec<Figure>,
    shared: Arc<Shared>,
    trail: Trail,
    /// The lane of the last attempt: `relay` or `translate`.
    lane: Option<&'static str>,
    /// Whether requests cost tokens.
    counts: bool,
    /// Whether tokens are limited, for the client, the model or the address.
    is_limited: bool,
    /// The attempt that gave the answer.
    ticket: Option<Ticket>,
    request_id: Arc<str>,
    /// What the log is told of it at its end.
    line: Option<Box<AccessLine>>,
    /// Until the first piece of a stream.
    first_token: Option<Duration>,
    /// The gateway's own part before the answer.
    own: Option<Duration>,
    traced: Traced,
    /// An account of one of several attempts at the same time: it records nothing by itself.
    is_branch: bool,
    permit: Permit,
}

impl Account {
    /// Opens the account of an exchange that has been routed.
    pub fn open(metrics: &Arc<Metrics>, series: Arc<Series>, opening: Opening<'_>, permit: Permit) -> Self {
        metrics.in_flight.inc();
        let Opening { begun, request_id, operation, span, counts } = opening;
        let mut account = Self::empty(Arc::clone(metrics), series, begun, Arc::from(request_id));
        account.traced = Traced::new(span, operation);
        account.is_limited = permit.counts_tokens();
        account.permit = permit;
        account.counts = counts;
        account
    }

    fn empty(metrics: Arc<Metrics>, series: Arc<Series>, begun: Instant, request_id: Arc<str>) -> Self {
        Self {
            metrics,
            series,
            begun,
            waited: Duration::ZERO,
            status: 0,
            outcome: Outcome::Open,
            streaming: false,
            first_piece: false,
            tokens: TokenBill::default(),
            metered: false,
            provider: None,
            limits: Vec::new(),
            shared: Arc::default(),
            trail: Trail::default(),
            lane: None,
            counts: false,
            is_limited: false,
            ticket: None,
            request_id,
            line: None,
            first_token: None,
            own: None,
            traced: Traced::default(),
            is_branch: false,
            permit: Permit::free(),
        }
    }

    /// Has this line written at the end.
    pub fn tell(&mut self, line: Option<Box<AccessLine>>) {
        self.line = line;
    }

    /// The line that is written at the end.
    pub fn line(&mut self) -> Option<&mut AccessLine> {
        self.line.as_deref_mut()
    }

    /// This thread works on the request until the guard is dropped: what is logged meanwhile has its id.
    pub fn enter(&self) -> current::Entered {
        current::enter(&self.request_id)
    }

    /// The metrics that this account goes into.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Time since the request came, less the waits for providers and between attempts so far.
    pub fn overhead(&self) -> Duration {
        self.begun.elapsed().saturating_sub(self.waited)
    }

    /// An attempt begins, at this provider, with its name for the model and at this price.
    pub fn tries_at(&mut self, provider: &Arc<str>, model: &str, price: Option<Price>) {
        self.forfeit();
        let number = self.shared.tries.fetch_add(1, Ordering::Relaxed) + 1;
        self.traced.begins(number, provider, model);
        self.line.iter_mut().for_each(|line| line.begins(model));
        self.provider = Some(Arc::clone(provider));
        self.tokens.price = price;
    }

    /// A request goes out; `input` estimates its tokens. From now on they are charged for, unless the provider tells of
    /// others or refuses it. Returns whether it is the first request of its attempt, the one that costs.
    pub fn sends(&mut self, input: impl FnOnce() -> u32) -> bool {
        let is_first = self.counts && self.tokens.sent.is_none();
        if is_first {
            self.tokens.sent = Some(input());
        }
        is_first
    }

    /// Whether it matters how many tokens the attempt costs: they have a price, or there is a limit.
    pub fn tokens_matter(&self) -> bool {
        self.tokens.price.is_some() || self.is_limited
    }

    /// The request that went out was refused, or has never arrived: it costs nothing.
    pub fn refused(&mut self) {
        self.tokens.sent = None;
    }

    /// The estimated input of a request that a provider got and has not answered.
    pub fn unanswered(&self) -> Option<u32> {
        self.tokens.sent
    }

    /// The request that is with a provider will not be answered: its input is charged for, by estimate.
    fn forfeit(&mut self) {
        let Some(input) = self.tokens.sent.take() else { return };
        let dollars = self.book().estimated([input, 0], self.tokens.price);
        let mut forfeited = self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner);
        forfeited.input += u64::from(input);
        forfeited.dollars += dollars.unwrap_or_default();
    }

    /// The book of the provider that was asked last.
    fn book(&self) -> Arc<Book> {
        self.metrics.book(&self.series, self.provider.as_deref())
    }

    /// The span of the attempt that is under way.
    pub fn attempt(&self) -> &Span {
        self.traced.attempt()
    }

    /// Attempts so far.
    pub fn tries(&self) -> u32 {
        self.shared.tries.load(Ordering::Relaxed)
    }

    /// What became of the targets that did not answer.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// A target was asked and failed, for this reason.
    pub fn tried(&mut self, target: &Arc<str>, reason: &'static str) {
        self.trail.add(target, End::Failed(reason));
    }

    /// A target is left out, for this reason.
    pub fn skipped(&mut self, target: &Arc<str>, provider: &str, reason: &'static str) {
        self.metrics.tries.skipped(provider, reason);
        tracing::info!(request_id = &*self.request_id, target = &**target, reason, "target skipped");
        self.trail.add(target, End::Skipped(reason));
    }

    /// The attempt goes this way: `relay` or `translate`.
    pub fn goes(&mut self, lane: &'static str) {
        self.lane = Some(lane);
    }

    /// The lane of the last attempt.
    pub fn lane(&self) -> Option<&'static str> {
        self.lane
    }

    /// An account for one of several attempts at the same time. What it takes in counts once it is adopted.
    #[must_use]
    pub fn branch(&self) -> Self {
        let (metrics, series) = (Arc::clone(&self.metrics), Arc::clone(&self.series));
        let mut branch = Self::empty(metrics, series, self.begun, Arc::clone(&self.request_id));
        branch.shared = Arc::clone(&self.shared);
        branch.counts = self.counts;
        branch.is_limited = self.is_limited;
        branch.traced = self.traced.branch();
        branch.is_branch = true;
        branch
    }

    /// Takes over what an attempt's own account has taken in, `waited` having passed before it began.
    pub fn adopt(&mut self, mut branch: Self, waited: Duration) {
        self.forfeit();
        self.waited += branch.waited + waited;
        self.status = branch.status;
        self.streaming |= std::mem::take(&mut branch.streaming);
        self.first_piece |= branch.first_piece;
        self.metered = branch.metered;
        self.tokens = std::mem::take(&mut branch.tokens);
        self.provider = branch.provider.take();
        self.limits = std::mem::take(&mut branch.limits);
        self.ticket = branch.ticket.take();
        self.traced.adopt(&mut branch.traced);
        self.trail.adopt(&branch.trail);
        self.lane = branch.lane.or(self.lane);
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

    /// The attempt failed, for this reason: what would have been answered is not.
    pub fn failed(&mut self, reason: &'static str) {
        self.status = 0;
        self.traced.failed(reason);
    }

    /// This attempt gives the answer.
    pub fn serve(&mut self, ticket: Ticket) {
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
    pub fn note_overhead(&mut self) {
        let own = self.overhead();
        self.own = Some(own);
        self.series.overhead(own.as_secs_f64());
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
            let took = self.begun.elapsed();
            self.first_token = Some(took);
            let seconds = took.as_secs_f64();
            self.series.first_token(seconds);
            self.book().first_token(seconds);
            self.ticket.iter().for_each(Ticket::first_piece);
        }
    }

    /// The tokens of the answer.
    pub fn used(&mut self, usage: Usage) {
        self.tokens.told = Some(usage);
    }

    /// The tokens of the content that has come, by estimate, for the case that the provider does not tell or that the
    /// answer does not end.
    pub fn content(&mut self, tokens: u32) {
        self.tokens.content = Some(tokens);
    }

    /// What the provider told of the tokens is all that it will tell.
    pub fn told_all(&mut self) {
        self.tokens.is_final = true;
    }

    /// Fields that got lost.
    pub fn lost(&mut self, losses: &[Loss]) {
        for loss in losses {
            self.metrics.lost(&loss.field, loss.kind);
        }
        if !losses.is_empty() {
            let name = |loss: &Loss| format!("{}={}", loss.field, loss_kind(loss.kind));
            let fields: Vec<String> = losses.iter().take(32).map(name).collect();
            tracing::debug!(request_id = &*self.request_id, fields = fields.join(","), "translation lost fields");
            self.line.iter_mut().for_each(|line| line.lost(fields.iter().map(String::as_str)));
        }
    }

    /// The answer went out whole.
    pub fn whole(&mut self) {
        self.outcome = Outcome::Whole;
        self.told_all();
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
        self.traced.broke();
        if self.ticket.as_mut().is_some_and(Ticket::broke) {
            tracing::warn!(provider = self.provider.as_deref(), "target fails too often and rests");
        }
    }

    /// Another target goes on with the stream, of which these tokens have been told, and of the one that broke these not;
    /// `branch` is its attempt's account.
    pub fn resumed(&mut self, mut branch: Self, told: Option<&Usage>, untold: [u32; 2]) {
        self.tokens.go_on(told, untold, branch.tokens.price, &self.book());
        self.tokens.sent = branch.tokens.sent.take();
        self.provider = branch.provider.take();
        self.ticket = branch.ticket.take();
        self.traced.adopt(&mut branch.traced);
        self.hold(std::mem::take(&mut branch.permit));
    }

    /// What the limits are told: what was used, told or estimated; the reservation stays where a provider works on the
    /// request or has not told, and goes back where nothing was used.
    fn settle_limits(&mut self, is_under_way: bool) {
        let forfeited = self.forfeited().input;
        let answered = (200..300).contains(&self.status);
        match self.tokens.sums() {
            _ if is_under_way => self.permit.used(None),
            Some((input, output)) => self.permit.used(Some((input + forfeited, output))),
            None if answered => self.permit.used(None),
            None if forfeited > 0 => self.permit.used(Some((forfeited, 0))),
            None => {}
        }
    }

    fn forfeited(&self) -> Forfeited {
        *self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges for all tokens.
    fn settle(&mut self) {
        let is_under_way = self.status == 0 && self.tokens.sent.is_some();
        if !(200..400).contains(&self.status) {
            self.forfeit();
        }
        let book = self.book();
        let is_told = self.tokens.settle(&book);
        if !is_told && self.metered && self.status == 200 && self.outcome == Outcome::Whole {
            book.untold();
        }
        self.settle_limits(is_under_way);
    }

    fn tell_spans(&self) {
        let outcome = match self.outcome {
            Outcome::Whole => outcome_of(self.status),
            Outcome::Failed => "broken",
            Outcome::Open => "cancelled",
        };
        self.traced.ends(outcome, self.tries(), self.provider.as_deref(), self.tokens.told.as_ref());
    }

    /// Has its line say how it ended.
    fn tell_line(&mut self) {
        let Forfeited { input, dollars } = self.forfeited();
        let used = self.tokens.used((u32::try_from(input).unwrap_or(u32::MAX), dollars));
        let attempts = self.tries();
        let Some(line) = &mut self.line else { return };
        line.went(self.lane);
        line.tried(&self.trail);
        let end = match self.outcome {
            Outcome::Open => None,
            Outcome::Whole => Some(access::End::Whole),
            Outcome::Failed => Some(access::End::Broken),
        };
        let (status, provider) = (self.status, self.provider.clone());
        let told = self.tokens.told.as_ref();
        line.ends(Ended {
            status,
            end,
            provider,
            attempts,
            used,
            units: told.map(access::units).unwrap_or_default(),
            service_tier: told.and_then(|usage| usage.service_tier.clone()),
            batch: told.and_then(|usage| usage.batch),
            first_token: self.first_token,
            own: self.own,
        });
    }

    fn close_whole(&self, seconds: f64) {
        if self.status == 200 {
            self.series.ok(seconds);
        } else {
            self.metrics.request(&self.series, self.status, outcome_of(self.status), seconds);
        }
    }
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
            self.forfeit();
            return self.traced.cancelled();
        }
        self.metrics.in_flight.dec();
        self.tell_spans();
        self.settle();
        self.book().took(seconds);
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
        self.tell_line();
    }
}

#[cfg(test)]
mod tests;
