//! The part of an account that concerns attempts: requests that were sent, failures, and what a provider may charge for
//! without an answer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::Account;
use super::capture::SentCopy;
use super::request_log::ChargedPart;
use super::sent_input::SentInput;
use super::trail::{AttemptTime, End, Trail};
use crate::health::Ticket;
use crate::observe::trace::Span;
use crate::pricing::Tariff;
use weir_types::tokens::Tokens;
use weir_upstream::{HandOver, UpstreamRequest};

impl Account {
    /// Begins an attempt at this provider, with the provider's name for the model and what its tokens cost.
    pub(crate) fn start_attempt(&mut self, provider: &Arc<str>, model: &str, tariff: Tariff) {
        self.forget_unsent();
        self.forfeit();
        let number = self.shared.tries.fetch_add(1, Ordering::Relaxed) + 1;
        self.traced.begins(number, provider, model);
        self.record.iter_mut().for_each(|record| record.start_attempt(model));
        self.provider = Some(Arc::clone(provider));
        self.attempt_time = None;
        self.hand_over.renew();
        self.is_out_of_time = false;
        self.tokens.tariff = Some(tariff);
    }

    /// Notes a request that is sent; `input` estimates its tokens. They are charged unless the provider reports usage
    /// or refuses the request. Returns whether this is the attempt's first request, the only one that costs.
    pub(crate) fn note_sent_input<I: Into<SentInput>>(&mut self, input: impl FnOnce() -> I) -> bool {
        self.is_in_doubt = true;
        let is_first = self.counts && self.tokens.sent.is_none();
        if is_first {
            let input: SentInput = input().into();
            self.tokens.sent = Some(match self.earlier_input {
                0 => input,
                earlier => input.tokens().saturating_add(earlier).into(),
            });
        }
        is_first
    }

    /// Copies a request that is about to be sent, if the content of the exchange is captured.
    pub(crate) fn capture_request(&mut self, request: &UpstreamRequest<'_>) -> Option<Arc<SentCopy>> {
        self.copies.sends(request)
    }

    /// Notes that the request was refused or never arrived, so that it costs nothing.
    pub fn refused(&mut self) {
        self.tokens.sent = None;
        self.tokens.unread = None;
        self.is_in_doubt = false;
    }

    /// The state of the attempt's request: whether a connection has taken it.
    pub(crate) fn hand_over(&self) -> &HandOver {
        &self.hand_over
    }

    /// Drops the cost of a request that was given up before a connection took it.
    pub(super) fn forget_unsent(&mut self) {
        if self.hand_over.is_waiting() {
            self.refused();
        }
    }

    /// Notes that the provider's answer cannot be read. The provider charges for it nevertheless; `output` estimates
    /// its tokens.
    pub(crate) fn unreadable(&mut self, output: u32) {
        self.tokens.unread = Some(output);
    }

    /// Whether the last answer could not be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.tokens.unread.is_some()
    }

    /// Whether a provider may charge for a request that it has not answered.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// The estimated input tokens of a request that a provider received and has not answered.
    pub(crate) fn unanswered(&self) -> Option<u32> {
        self.tokens.sent.as_ref().map(SentInput::tokens)
    }

    /// The estimated input and output tokens of a request that a provider received and did not answer, or answered
    /// unreadably.
    pub(crate) fn pending(&self) -> Option<[u32; 2]> {
        Some([self.unanswered()?, self.tokens.unread.unwrap_or_default()])
    }

    /// Charges the estimated usage of a pending request, which will not be answered any more.
    pub(super) fn forfeit(&mut self) {
        let pending = self.pending();
        (self.tokens.sent, self.tokens.unread) = (None, None);
        let Some(pending) = pending else { return };
        let book = self.book();
        book.estimated(pending);
        let mut forfeited = self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner);
        forfeited.add(pending);
        let part = self.tokens.tariff.as_ref().map(|tariff| ChargedPart::of(tariff, Tokens::default(), pending));
        let mark = forfeited.charges.mark();
        forfeited.charges.add_estimate(pending, self.tokens.tariff.as_ref(), &book);
        let cost = forfeited.charges.since(mark);
        forfeited.parts.extend(part.map(|part| ChargedPart { cost, ..part }));
    }

    /// The span of the current attempt.
    pub fn attempt(&self) -> &Span {
        self.traced.attempt()
    }

    /// The number of attempts so far.
    pub fn tries(&self) -> u32 {
        self.shared.tries.load(Ordering::Relaxed)
    }

    /// The outcome of the targets that did not answer.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Records that a target was tried and failed, with the reason, and when if that was after the head of an answer.
    pub fn tried(&mut self, target: &Arc<str>, reason: &'static str, ended: Option<Instant>) {
        let until = ended.map(|ended| ended.saturating_duration_since(self.begun));
        let lasted = |time: AttemptTime| match until {
            Some(until) => AttemptTime { took: until.saturating_sub(time.began), ..time },
            None => time,
        };
        let time = self.attempt_time.take().map(lasted);
        self.trail.add(target, End::Failed(reason), time);
    }

    /// Records that a target was skipped, with the reason.
    pub fn skipped(&mut self, target: &Arc<str>, provider: &str, reason: &'static str) {
        self.metrics.tries.skipped(provider, reason);
        tracing::info!(request_id = &*self.request_id, upstream = &**target, reason, "target skipped");
        self.trail.add(target, End::Skipped(reason), None);
    }

    /// Adds a wait between two attempts, which is not the gateway's own time.
    pub fn waited(&mut self, wait: Duration) {
        self.waited += wait;
    }

    /// Ends the attempt as failed, with the reason.
    pub fn failed(&mut self, reason: &'static str) {
        self.status = 0;
        self.is_out_of_time = self.is_past_own_time();
        self.traced.failed(reason);
    }

    /// Makes this attempt the one that answers.
    pub fn serve(&mut self, ticket: Ticket) {
        if !self.streaming {
            ticket.first_piece();
        }
        self.ticket = Some(ticket);
    }

    /// Records the time that a request to the provider, sent at `begun`, took until the head of its answer, or until it
    /// failed. An attempt with several requests begins with its first one.
    pub(crate) fn attempted(&mut self, provider: &Arc<str>, begun: Instant, took: Duration) {
        let sent = begun.saturating_duration_since(self.begun);
        let began = self.attempt_time.map_or(sent, |time| time.began);
        self.attempt_time = Some(AttemptTime { began, took: (sent + took).saturating_sub(began) });
        self.metrics.attempted(&self.metrics.book(&self.series, Some(provider)), took.as_secs_f64());
        self.waited += took;
        self.provider = Some(Arc::clone(provider));
        self.limits.clear();
    }

    /// Counts a failed request to the provider.
    pub(crate) fn failed_upstream(&self, provider: &str, reason: &str) {
        self.metrics.failures.with_label_values(&[provider, reason]).inc();
    }
}
