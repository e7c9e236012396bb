//! Accounting: records usage, time and outcome of every exchange exactly once, even if the client leaves.

mod abort;
pub mod access;
mod answer;
mod arriving;
mod attempts;
mod branch;
pub mod capture;
pub mod captured;
mod charges;
mod closing;
mod earlier;
mod reported_cost;
pub mod request_log;
pub mod sent_input;
pub(crate) mod session_use;
mod stored;
mod tokens;
mod traced;
pub mod trail;
mod unbooked;
mod unmetered;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use self::access::RequestRecord;
use self::capture::Copies;
use self::charges::Charges;
use self::request_log::ChargedPart;
use self::stored::StoredPart;
use self::tokens::TokenBill;
use self::traced::Traced;
use self::trail::{AttemptTime, Trail};
use crate::admission::AdmissionPermit;
use crate::admission::budgets::{AbandonedBudgets, Charge, HeldBudget};
use crate::dialect::limits::Figure;
use crate::guard::Ends;
use crate::health::Ticket;
use crate::observe::log::current;
use crate::observe::metrics::{Book, Metrics, Series};
use crate::observe::trace::Span;
use crate::pricing::Tariff;
use crate::route::Target;
use weir_ledger::Nano;
use weir_sandbox::Adapter;
use weir_types::in_place::boxed;
use weir_upstream::HandOver;

pub(crate) use self::arriving::ArrivingBody;
pub(crate) use self::reported_cost::believed;
pub(crate) use self::stored::{StoredAnswer, StoredRead, StoredUse};
pub use self::unbooked::{KeptWork, WorkName, WorkSearch, WorkStore, WorkTerms};
pub(crate) use self::unbooked::{OldDebt, Unbooked, Unread};
pub(crate) use self::unmetered::UnmeteredRequest;

/// The end of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Not ended yet. An exchange that is dropped in this state was cancelled by its client.
    Open,
    /// The whole answer was sent.
    Whole,
    /// The answer broke off.
    Failed,
}

/// The arguments of [`Account::open`] that describe the request.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeStart<'a> {
    /// When the request arrived.
    pub begun: Instant,
    /// The request's id in the answer's header and in the log lines.
    pub request_id: &'a Arc<str>,
    /// The operation's name: `chat`, `embeddings`, ...
    pub operation: &'a str,
    /// The request's span.
    pub span: &'a Span,
    /// Whether the operation consumes tokens.
    pub counts: bool,
}

/// Counters that all attempts of a request share, concurrent ones included.
#[derive(Debug, Default)]
struct Shared {
    tries: AtomicU32,
    /// Whether a concurrent attempt ended while its provider worked on the request.
    has_doubt: AtomicBool,
    /// The reservations of concurrent attempts that were ended because another one answered.
    abandoned: OnceLock<Arc<AbandonedBudgets>>,
    forfeited: Mutex<Forfeited>,
}

impl Shared {
    /// Takes the reservations of ended attempts at the providers of these charges.
    fn take_abandoned(&self, charged: &[Charge]) -> Vec<HeldBudget> {
        self.abandoned.get().map_or_else(Vec::new, |abandoned| abandoned.take(charged))
    }
}

/// The estimated cost of requests that providers received and never answered, or answered unreadably.
#[derive(Debug, Default)]
struct Forfeited {
    input: u64,
    output: u64,
    charges: Charges,
    /// What each of them used.
    parts: Vec<ChargedPart>,
}

impl Forfeited {
    fn add(&mut self, [input, output]: [u32; 2]) {
        self.input = self.input.saturating_add(u64::from(input));
        self.output = self.output.saturating_add(u64::from(output));
    }
}

/// The account of one exchange, closed when it is dropped.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Account {
    metrics: Arc<Metrics>,
    series: Arc<Series>,
    begun: Instant,
    /// Until when the client waits, if it sent a time limit.
    own_deadline: Option<Instant>,
    /// Whether that limit ended while a provider worked on the last attempt. The request then ends as if the client had
    /// left.
    is_out_of_time: bool,
    /// Time spent waiting for providers and between attempts.
    waited: Duration,
    status: u16,
    outcome: Outcome,
    streaming: bool,
    first_piece: bool,
    tokens: TokenBill,
    /// The tokens of stored content that the provider reads again for the request.
    earlier_input: u32,
    metered: bool,
    provider: Option<Arc<str>>,
    /// The state of the answering provider's rate limits, for the headers of a translated answer.
    limits: Vec<Figure>,
    shared: Arc<Shared>,
    trail: Trail,
    /// How far the attempt's request has been sent.
    hand_over: HandOver,
    /// The time of the current or answering attempt, once its request was sent.
    attempt_time: Option<AttemptTime>,
    /// The lane of the last attempt.
    lane: Option<&'static str>,
    /// The version of the provider's adapter that the last attempt used, if that is not the one that serves.
    trial: Option<Arc<Adapter>>,
    /// Whether a version on trial took part in the last attempt, on either side.
    has_trial: bool,
    /// The answer's finish reason, if an adapter read it.
    finish: Option<&'static str>,
    /// Whether the operation consumes tokens.
    counts: bool,
    /// Whether the answer's token usage cannot be known, so that the whole reservation stays booked.
    is_unknown: bool,
    /// Whether a request was sent that was neither answered nor refused.
    is_in_doubt: bool,
    /// Whether the client, the model or the address has a token limit.
    is_limited: bool,
    /// The attempt that gave the answer.
    ticket: Option<Ticket>,
    request_id: Arc<str>,
    /// The access log's line, if such lines are written.
    record: Option<Box<RequestRecord>>,
    /// Bytes of the answer's body that were handed over.
    bytes_out: u64,
    /// Output tokens at the last look at budgets that end streams.
    abort_checked_at: u32,
    /// Time from the request to the first piece of a stream.
    first_token: Option<Duration>,
    /// The gateway's own time before the answer.
    own: Option<Duration>,
    traced: Traced,
    /// Whether this is the account of one of several concurrent attempts, which records nothing itself.
    is_branch: bool,
    permit: AdmissionPermit,
    copies: Copies,
    /// How the exchange deals with stored answers, if it does.
    stored: Option<Box<StoredPart>>,
    /// The size of the request, if the answer may not report its usage.
    unmetered: Option<(UnmeteredRequest, Option<Arc<AtomicU64>>)>,
    /// The request's body, if its token usage cannot be known.
    arriving: Option<ArrivingBody>,
    /// Where the cost is written once it is known.
    cost: Option<CostCell>,
    /// The guards that are notified of the end.
    ends: Option<Box<Ends>>,
}

/// A place for what an answer cost, set when its account is closed.
pub(crate) type CostCell = Arc<OnceLock<Option<Nano>>>;

impl Account {
    /// Opens the account of an exchange that has been routed. Boxed, since it is moved often.
    pub fn open(
        metrics: &Arc<Metrics>,
        series: Arc<Series>,
        start: ExchangeStart<'_>,
        permit: AdmissionPermit,
    ) -> Box<Self> {
        metrics.in_flight.inc();
        let ExchangeStart { begun, request_id, operation, span, counts } = start;
        let mut account = boxed(|| Self::empty(Arc::clone(metrics), series, begun, Arc::clone(request_id)));
        account.traced = Traced::new(span, operation);
        account.is_limited = permit.counts_tokens();
        account.permit = permit;
        account.counts = counts;
        account
    }

    #[inline]
    fn empty(metrics: Arc<Metrics>, series: Arc<Series>, begun: Instant, request_id: Arc<str>) -> Self {
        Self {
            metrics,
            series,
            begun,
            own_deadline: None,
            is_out_of_time: false,
            waited: Duration::ZERO,
            status: 0,
            outcome: Outcome::Open,
            streaming: false,
            first_piece: false,
            tokens: TokenBill::default(),
            earlier_input: 0,
            metered: false,
            provider: None,
            limits: Vec::new(),
            shared: Arc::default(),
            trail: Trail::default(),
            finish: None,
            hand_over: HandOver::default(),
            attempt_time: None,
            lane: None,
            trial: None,
            has_trial: false,
            counts: false,
            is_unknown: false,
            is_in_doubt: false,
            is_limited: false,
            ticket: None,
            request_id,
            record: None,
            bytes_out: 0,
            abort_checked_at: 0,
            first_token: None,
            own: None,
            traced: Traced::default(),
            is_branch: false,
            permit: AdmissionPermit::free(),
            copies: Copies::default(),
            stored: None,
            unmetered: None,
            arriving: None,
            cost: None,
            ends: None,
        }
    }

    /// Keeps the permit of a request that was begun before it was admitted, and settles it.
    pub(crate) fn admitted(&mut self, permit: AdmissionPermit) {
        self.is_limited |= permit.counts_tokens();
        self.permit.add(permit);
    }

    /// Reports what the answer cost once it is known.
    pub(crate) fn cost_cell(&mut self) -> CostCell {
        Arc::clone(self.cost.get_or_insert_default())
    }

    /// Sets the access log's line.
    pub(crate) fn set_record(&mut self, record: Option<Box<RequestRecord>>) {
        self.copies = Copies::of(record.as_ref().and_then(|record| record.capture().cloned()));
        self.record = record;
    }

    /// The access log's line.
    pub fn record(&mut self) -> Option<&mut RequestRecord> {
        self.record.as_deref_mut()
    }

    /// Marks this thread as working on the request until the guard is dropped: its log lines get the request's id.
    pub fn enter(&self) -> current::Entered {
        current::enter(&self.request_id)
    }

    /// The metrics that this account is recorded in.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The gateway's own time before the answer: the time since the request arrived, without waits for providers and
    /// between attempts.
    pub fn overhead(&self) -> Duration {
        self.own.unwrap_or_else(|| self.begun.elapsed().saturating_sub(self.waited))
    }

    /// Whether the attempt's tokens have a price, possibly that of the model that serves, or count against a limit.
    pub(crate) fn tokens_matter(&self) -> bool {
        self.is_limited || self.tokens.tariff.as_ref().is_some_and(Tariff::may_be_known)
    }

    /// The metrics of the provider that was tried last.
    fn book(&self) -> Arc<Book> {
        self.metrics.book(&self.series, self.provider.as_deref())
    }

    /// Sets the lane of the attempt: `relay` or `translate`.
    pub(crate) fn set_lane(&mut self, lane: &'static str) {
        self.lane = Some(lane);
    }

    /// Sets the version of the target's adapter that the attempt uses; `None` if it is the one that serves.
    pub(crate) fn set_trial(&mut self, trial: Option<Arc<Adapter>>) {
        self.has_trial = trial.is_some();
        self.trial = trial;
    }

    /// Notes that a version of the dialect's adapter on trial takes part in the attempt.
    pub(crate) fn note_dialect_trial(&mut self) {
        self.has_trial = true;
    }

    /// Whether a version on trial took part in the last attempt, on either side. It may be withdrawn, and then what it
    /// wrote is not to be kept.
    pub(crate) fn has_trial(&self) -> bool {
        self.has_trial
    }

    /// The version of this target's adapter that the last attempt used.
    pub(crate) fn adapter_of<'a>(&'a self, target: &'a Target) -> &'a Adapter {
        self.trial.as_ref().unwrap_or(&target.adapter)
    }

    /// Notes that the answer's usage cannot be known: if there is an answer, the whole reservation stays booked.
    pub(crate) fn mark_usage_unknown(&mut self) {
        self.is_unknown = true;
    }

    /// The lane of the last attempt.
    pub fn lane(&self) -> Option<&'static str> {
        self.lane
    }

    /// Keeps what budgets have reserved for the request.
    pub fn reserve(&mut self, budget: HeldBudget) {
        self.is_limited = true;
        self.permit.reserve(budget);
    }

    /// Keeps the budget reservations of a failed attempt that its provider may charge for.
    pub(crate) fn keep_budgets_of(&mut self, attempt: &mut AdmissionPermit) {
        self.permit.keep_budgets_of(attempt);
    }

    /// Shares the budget reservations of an attempt that begins. If it is one of several and another one answers first,
    /// the request books what it may cost.
    pub(crate) fn share_budgets_of(&self, attempt: &mut AdmissionPermit) {
        if self.is_branch {
            attempt.leave_budgets_to(self.shared.abandoned.get_or_init(Arc::default));
        }
    }

    /// Keeps a permit until the exchange ends.
    pub fn hold(&mut self, permit: AdmissionPermit) {
        self.permit.add(permit);
    }

    /// Sets the state of the provider's rate limits, as its answer reports it.
    pub fn limited(&mut self, limits: Vec<Figure>) {
        self.limits = limits;
    }

    /// The state of the answering provider's rate limits, for the headers of a translated answer.
    pub fn limits(&self) -> &[Figure] {
        &self.limits
    }

    /// Records the gateway's own time before the answer.
    pub(crate) fn note_overhead(&mut self) {
        let own = self.overhead();
        self.own = Some(own);
        self.series.overhead(own.as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
