//! The part of an account that the answer fills: its pieces, its usage, its losses, its end.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::charges::Charges;
use super::tokens::Coverage;
use super::{Account, Outcome};
use crate::guard::{Ends, Notes};
use crate::health::Ticket;
use crate::observe::trace::finish_reason;
use crate::pricing::Tariff;
use crate::route::Target;
use weir_ledger::Nano;
use weir_types::contract::types::{FinishReason, Loss, Usage};
use weir_types::fault::{Side, loss_kind};
use weir_types::tokens::{Tokens, remove_impossible};

impl Account {
    /// Sets the answer's status, whether it is streamed, and whether its usage is metered.
    pub fn answering(&mut self, status: u16, streaming: bool, metered: bool) {
        self.status = status;
        self.metered = metered;
        if streaming && !self.streaming {
            self.streaming = true;
            self.metrics.streams_active.inc();
        }
    }

    /// Notes that a piece of a stream is sent. The first one sets the time to the first token.
    pub(crate) fn note_chunk(&mut self) {
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

    /// Counts bytes of the answer's body that the connection takes.
    pub(crate) fn add_bytes_out(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Notes why the answer ended, as the provider's adapter read it.
    pub(crate) fn ended_because(&mut self, reason: Option<FinishReason>) {
        self.finish = reason.map(finish_reason).or(self.finish);
    }

    /// Sets the usage that the provider reported. Figures that no answer can have count as not reported.
    pub(crate) fn set_usage(&mut self, mut usage: Usage) {
        if let Some(cost) = self.cost_place().and_then(|place| place.reported_in(&usage)) {
            self.cost_is_told(&cost);
        }
        if remove_impossible(&mut usage) {
            tracing::warn!(request_id = &*self.request_id, "the provider reports more tokens than an answer can have");
            let is_left = Tokens::from(&usage).total().is_some() || !usage.units.is_empty();
            self.tokens.reported = is_left.then_some(usage);
            return;
        }
        self.tokens.reported = Some(usage);
    }

    /// Notes the service tier that an answer without usage names: its prices apply to the estimate.
    pub(crate) fn served_in(&mut self, tier: Option<String>) {
        self.tokens.tier = tier;
    }

    /// Notes the model that the answer names. Its price applies from now on, if there is one.
    pub(crate) fn served_by(&mut self, named: &str) {
        let Some(tariff) = &self.tokens.tariff else { return };
        let served = tariff.served_by(named);
        self.tokens.tariff = Some(served);
    }

    /// Whether the answer is whole and has a price.
    pub(crate) fn is_priced(&self) -> bool {
        !self.streaming && self.status == 200 && self.has_tariff()
    }

    /// Whether there is a price for the answer of the current target.
    pub(crate) fn has_tariff(&self) -> bool {
        self.tokens.tariff.is_some()
    }

    /// The rates of the answering target, and the cost of the attempts before; `None` if a price is missing.
    pub(crate) fn rates(&self) -> Option<(Tariff, Nano)> {
        let forfeited = self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner);
        let before = Charges::sum(self.tokens.charges.total_so_far()?, forfeited.charges.total_so_far()?)?;
        Some((self.tokens.tariff.clone()?, before))
    }

    /// The cost of a whole answer whose usage is known; `None` for a stream, or if a price is missing.
    pub(crate) fn cost_of_whole(&mut self) -> Option<Nano> {
        let is_whole = !self.streaming && self.status == 200;
        is_whole.then(|| self.cost()).flatten()
    }

    /// What the exchange costs if it ends as it is now; `None` if its usage or a price is not known.
    pub(crate) fn cost(&mut self) -> Option<Nano> {
        let cost = self.tokens.forecast()?;
        let forfeited = self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner);
        Charges::sum(cost, forfeited.charges.total_so_far()?)
    }

    /// Sets the estimated tokens of the content so far. They count if the provider reports no usage, or the answer
    /// breaks off.
    pub fn content(&mut self, tokens: u32) {
        self.tokens.content = Some(tokens);
    }

    /// Estimates the tokens of a whole answer's content, unless the provider has reported its output.
    pub(crate) fn content_of_whole(&mut self, estimate: impl FnOnce() -> u32) {
        if !self.tokens.is_output_reported() {
            self.content(estimate());
        }
    }

    /// Notes the request's limit of output tokens: with a limit of 0, the answer only repeats the prompt.
    pub(crate) fn set_output_limit(&mut self, output: Option<u64>) {
        self.tokens.wants_no_output = output == Some(0);
    }

    /// Sets the tokens of stored content that the provider reads again for the request.
    pub(crate) fn set_earlier_input(&mut self, tokens: u32) {
        self.earlier_input = tokens;
    }

    /// Marks the reported usage as final.
    pub(crate) fn usage_is_final(&mut self) {
        self.tokens.is_final = true;
    }

    /// Notes that the reported usage is incomplete: the whole reservation stays booked, or the reported part if that is
    /// more.
    pub(crate) fn usage_is_partial(&mut self) {
        self.tokens.coverage = Coverage::Part;
    }

    /// Records the fields that the translation lost.
    pub fn lost(&mut self, losses: &[Loss]) {
        for loss in losses {
            self.metrics.lost(&loss.field, loss.kind);
        }
        if !losses.is_empty() {
            let name = |loss: &Loss| format!("{}={}", loss.field, loss_kind(loss.kind));
            let fields: Vec<String> = losses.iter().take(32).map(name).collect();
            tracing::debug!(request_id = &*self.request_id, fields = fields.join(","), "translation lost fields");
            self.record.iter_mut().for_each(|record| record.lost(fields.iter().map(String::as_str)));
        }
    }

    /// Notes the guards that judged the exchange: the log gets their notes, and they are notified of the end.
    pub(crate) fn judged_by(&mut self, notes: &Notes, ends: Option<Ends>) {
        self.record.iter_mut().for_each(|record| record.judged_by(notes));
        self.ends = ends.map(Box::new);
    }

    /// Notes that a guard refused the answer.
    pub(crate) fn answer_refused(&mut self) {
        self.ends.iter_mut().for_each(|ends| ends.refused());
    }

    /// Ends the exchange because a guard refused the stream. The usage that the provider had reported until then need
    /// not be final.
    pub(crate) fn complete_refused(&mut self) {
        self.outcome = Outcome::Whole;
    }

    /// Ends the exchange: the whole answer was sent.
    pub fn complete(&mut self) {
        self.outcome = Outcome::Whole;
        self.usage_is_final();
    }

    /// Ends the exchange: the stream broke, and `side` is at fault.
    pub(crate) fn fail_stream(&mut self, side: &str) {
        self.outcome = Outcome::Failed;
        if side == Side::Upstream.as_str() {
            self.interrupted();
        }
        self.metrics.stream_errors.with_label_values(&[side]).inc();
    }

    /// Sets until when the client waits, if it sent a time limit.
    pub(crate) fn set_own_deadline(&mut self, deadline: Option<Instant>) {
        self.own_deadline = deadline;
    }

    /// Whether the client's time limit is over.
    pub(super) fn is_past_own_time(&self) -> bool {
        self.own_deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Notes that the stream broke by its target's fault. Another target may still continue it. A stream that ran out
    /// of the client's own time does not count against the target, to which other clients give more.
    pub fn interrupted(&mut self) {
        self.traced.broke();
        if self.is_past_own_time() {
            self.is_out_of_time = true;
            return;
        }
        if self.ticket.as_mut().is_some_and(Ticket::broke) {
            tracing::warn!(provider = self.provider.as_deref(), "target fails too often and rests");
        }
    }

    /// Makes this target the one that answers from now on, with its price and adapter.
    pub(crate) fn answered_on_by(&mut self, target: &Target) {
        let Some(model) = self.tokens.tariff.as_ref().map(|tariff| Arc::clone(tariff.model())) else { return };
        let adapter = self.adapter_of(target);
        let adapter = (Arc::clone(&adapter.name), adapter.digest);
        self.record.iter_mut().for_each(|record| record.answered(&model, target.health_id(&model), adapter.clone()));
    }

    /// Another target continues the stream, and `branch` is the account of its attempt. `reported` is the usage
    /// reported so far, `unreported` the estimated tokens of the broken part that the usage does not include.
    pub fn resumed(&mut self, mut branch: Self, reported: Option<&Usage>, unreported: [u32; 2]) {
        let tariff = branch.tokens.tariff.take();
        self.tokens.go_on(reported, unreported, tariff, &self.book());
        self.permit.attempts_used(self.tokens.end_part());
        self.tokens.sent = branch.tokens.sent.take();
        self.provider = branch.provider.take();
        self.trial = branch.trial.take();
        self.has_trial |= branch.has_trial;
        self.ticket = branch.ticket.take();
        self.traced.adopt(&mut branch.traced);
        self.copies.adopt(&mut branch.copies);
        self.hold(std::mem::take(&mut branch.permit));
    }
}
