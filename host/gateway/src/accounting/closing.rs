//! The end of an exchange: settles limits and cost, and writes the spans, the log line and the metrics, once, when the
//! account is dropped.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use weir_ledger::{Nano, Spend};
use weir_types::contract::types::ErrorKind;

use crate::admission::budgets::Charge;

use super::access::{self, ExchangeSummary};
use super::stored::{StoredAnswer, StoredPart};
use super::tokens::Coverage;
use super::{Account, Forfeited, Outcome, traced};

impl Account {
    /// Settles the token limits by the usage, reported or estimated. The reservation stays if a provider is still
    /// working on the request or the usage is unknown, and is returned if nothing was used. The limits of providers
    /// count what the answer used there.
    fn settle_limits(&mut self, is_under_way: bool) {
        let (more_input, more_output) = {
            let forfeited = self.forfeited();
            (forfeited.input, forfeited.output)
        };
        let answered = (200..300).contains(&self.status);
        match self.tokens.sums() {
            Some((input, output)) if !is_under_way && self.tokens.coverage != Coverage::Part => {
                self.permit.used(Some((input + more_input, output + more_output)));
                self.permit.attempts_used(self.tokens.of_part());
            }
            _ if is_under_way || answered => {
                self.arrived().into_iter().for_each(|body| self.permit.raise_limits(body));
                self.permit.used(None);
                self.permit.attempts_used(None);
            }
            _ if more_input > 0 => self.permit.used(Some((more_input, more_output))),
            _ => {}
        }
    }

    pub(super) fn forfeited(&self) -> MutexGuard<'_, Forfeited> {
        self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client left, or its time limit ended, after the head of an answer and before its first content.
    /// Nothing shows what the provider made until then, since a model may think for minutes before its first word;
    /// leaving must not make that cheaper.
    fn was_left_unseen(&self) -> bool {
        let is_answered = (200..300).contains(&self.status);
        let is_unseen = !self.tokens.is_final && self.tokens.content.unwrap_or_default() == 0;
        let is_left = self.outcome == Outcome::Open || self.is_out_of_time;
        is_left && self.counts && is_answered && is_unseen
    }

    /// Whether the client no longer waited for an answer that had not begun: the client left, or its own time ended.
    fn was_left_waiting(&self) -> bool {
        self.status == 0 || self.is_out_of_time && !(200..300).contains(&self.status)
    }

    /// Whether everything that the provider charges for is known, even if the client left before its answer began.
    fn is_read(&self) -> bool {
        self.tokens.is_final && self.tokens.reported.is_some()
    }

    /// Charges for all tokens, unless the exchange is about a stored answer, or its answer is booked when it is read.
    fn settle(&mut self) {
        let answer = match self.stored.take().map(|part| *part) {
            Some(StoredPart::Reads(read)) => return self.settle_read(read.into_debt()),
            Some(StoredPart::Makes(answer)) if self.is_put_off(&answer) => return self.put_off(answer),
            Some(StoredPart::Makes(answer)) => Some(answer),
            None => None,
        };
        if self.was_left_unseen() {
            self.usage_is_partial();
        }
        let is_under_way = self.was_left_waiting() && self.tokens.sent.is_some() && !self.is_read();
        // An answer that was read but not given to the client, because a guard failed at it, is charged by the usage
        // that it reports.
        if !(200..400).contains(&self.status) && self.tokens.reported.is_none() {
            self.forfeit();
        }
        self.charge_unmetered();
        let book = self.book();
        let is_reported = self.tokens.settle(&book) && self.tokens.coverage == Coverage::All;
        let is_uncounted = self.metered && self.status == 200 && self.outcome == Outcome::Whole;
        if !is_reported && (is_uncounted || self.is_unknown && (200..300).contains(&self.status)) {
            book.unreported();
        }
        self.settle_limits(is_under_way);
        if let Some(answer) = &answer {
            self.note_earlier(answer);
        }
        let may_wait = answer.as_ref().is_some_and(StoredAnswer::can_be_read);
        let charges = self.settle_budgets(is_under_way, may_wait);
        if let Some(answer) = answer {
            self.remember_cut(answer, charges);
        }
    }

    /// Books the costs at the budgets. Usage that the provider did not report stays reserved; with `may_wait`, the
    /// costs of such an answer are returned instead of being booked.
    pub(super) fn settle_budgets(&mut self, is_under_way: bool, may_wait: bool) -> Vec<Charge> {
        let forfeited = self.shared.forfeited.lock().unwrap_or_else(PoisonError::into_inner);
        let is_answered = (200..300).contains(&self.status);
        // An exchange without tokens still counts as a request.
        let plain = [Charge { provider: self.provider.clone(), model: None, spend: Spend::priced(Nano::ZERO, 0) }];
        let answered = match self.tokens.charges.spends() {
            [] if is_answered && !self.counts && !self.is_unknown => &plain,
            spends => spends,
        };
        let is_unreported = is_answered && (answered.is_empty() || self.tokens.coverage == Coverage::Part);
        let has_doubt = self.is_in_doubt || self.shared.has_doubt.load(Ordering::Relaxed);
        let is_left = is_under_way || self.was_left_waiting() && has_doubt && !self.is_read();
        self.permit.take_over(self.shared.take_abandoned(forfeited.charges.spends()));
        if may_wait && is_unreported {
            return [forfeited.charges.spends(), answered].concat();
        }
        let is_known = !is_left && !is_unreported;
        if let Some(body) = self.arrived().filter(|_| !is_known) {
            self.permit.raise_budgets(body);
        }
        self.permit.book(forfeited.charges.spends(), answered, is_known);
        Vec::new()
    }

    fn fill_spans(&self) {
        let outcome = match self.outcome {
            Outcome::Whole => outcome_of(self.status),
            Outcome::Failed => "broken",
            Outcome::Open => "cancelled",
        };
        let ended = traced::SpanEnd {
            tries: self.tries(),
            provider: self.provider.as_deref(),
            usage: self.tokens.reported.as_ref(),
            is_streamed: self.streaming,
            first_piece: self.first_token,
        };
        self.traced.ends(outcome, ended);
    }

    /// Notifies guards of the end. For a client that left, the answer did not come in time.
    fn notify_guards(&mut self) {
        let Some(mut ends) = self.ends.take() else { return };
        let failure = match self.outcome {
            Outcome::Whole => kind_of(self.status),
            Outcome::Failed => Some(ErrorKind::Upstream),
            Outcome::Open => Some(ErrorKind::Timeout),
        };
        ends.ended(failure, self.tokens.reported.clone());
    }

    /// Completes the access log's line.
    fn fill_line(&mut self) {
        let used = {
            let forfeited = self.forfeited();
            self.tokens.used(&forfeited)
        };
        if let Some(cost) = &self.cost {
            // It is set once.
            let _first = cost.set(used.cost);
        }
        let attempts = self.tries();
        let Some(record) = &mut self.record else { return };
        record.set_lane(self.lane);
        record.tried(&self.trail);
        let end = match self.outcome {
            Outcome::Open => None,
            Outcome::Whole => Some(access::RequestOutcome::Ok),
            Outcome::Failed => Some(access::RequestOutcome::Cut),
        };
        let (status, provider) = (self.status, self.provider.clone());
        let reported = self.tokens.reported.as_ref();
        record.finish(ExchangeSummary {
            status,
            end,
            provider,
            attempts,
            used,
            units: reported.map(|usage| usage.units.clone()).unwrap_or_default(),
            searched: self.tokens.searched,
            service_tier: self.tokens.tier(reported).map(str::to_owned),
            batch: reported.and_then(|usage| usage.batch),
            finish: self.finish,
            first_token: self.first_token,
            own: self.own,
            answered_in: self.attempt_time,
            bytes_out: self.bytes_out,
        });
    }
}

/// The kind of an answer that is an error.
fn kind_of(status: u16) -> Option<ErrorKind> {
    Some(match status {
        0..=399 => return None,
        401 => ErrorKind::Authentication,
        402 => ErrorKind::Quota,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        503 | 529 => ErrorKind::Overloaded,
        500.. => ErrorKind::Upstream,
        _ => ErrorKind::InvalidRequest,
    })
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
        self.forget_unsent();
        if self.streaming {
            self.metrics.streams_active.dec();
        }
        if self.is_branch {
            self.shared.has_doubt.fetch_or(self.is_in_doubt, Ordering::Relaxed);
            self.forfeit();
            return self.traced.cancelled();
        }
        self.metrics.in_flight.dec();
        self.copies.close(self.traced.attempt());
        self.fill_spans();
        self.settle();
        self.book().took(seconds);
        let (status, outcome) = match self.outcome {
            Outcome::Whole => (self.status, outcome_of(self.status)),
            Outcome::Failed => (self.status, "broken"),
            Outcome::Open => {
                let phase = match (self.status, self.first_piece) {
                    (0, _) => "waiting",
                    (_, false) => "headers",
                    (_, true) => "body",
                };
                self.metrics.disconnects.with_label_values(&[phase]).inc();
                (499, "cancelled")
            }
        };
        self.series.ended(status, outcome, seconds, &self.request_id, self.traced.trace());
        self.fill_line();
        self.notify_guards();
    }
}
