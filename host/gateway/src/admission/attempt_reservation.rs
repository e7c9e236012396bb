//! Reservations at the limits of a provider for the attempts at one of its targets. Each provider counts its own
//! attempts, whatever the request used elsewhere.

use std::time::Instant;

use super::AdmissionPermit;
use crate::rate_limit::Reservation;

/// A reservation at the limits of a provider.
#[derive(Debug)]
pub(super) struct AttemptReservation {
    reservation: Reservation,
    /// Estimated input and output tokens of attempts that this provider received and did not answer, or answered
    /// unreadably.
    unanswered: (u64, u64),
}

impl AttemptReservation {
    pub(super) fn new(reservation: Reservation) -> Self {
        Self { reservation, unanswered: (0, 0) }
    }

    pub(super) fn set_out(&mut self, is_out: bool) {
        self.reservation.set_out(is_out);
    }

    pub(super) fn raise(&self, input: u64, now: Instant) {
        self.reservation.raise(input, now);
    }

    pub(super) fn counts_tokens(&self) -> bool {
        self.reservation.counts_tokens()
    }
}

impl AdmissionPermit {
    /// Adds estimated input and output tokens of attempts at this permit's provider that were not answered, before the
    /// one that was.
    pub(crate) fn left_unanswered(&mut self, tokens: (u64, u64)) {
        self.attempts.iter_mut().for_each(|attempt| attempt.unanswered = sum(attempt.unanswered, tokens));
    }

    /// Settles the reservations at providers by the input and output tokens of the answer, or of the part of it, that
    /// came from there. `None` means that an unknown number was used. What is settled already stays so.
    pub(crate) fn attempts_used(&mut self, tokens: Option<(u64, u64)>) {
        let now = Instant::now();
        for AttemptReservation { reservation, unanswered } in &mut self.attempts {
            reservation.used(tokens.map(|tokens| sum(tokens, *unanswered)), now);
        }
    }
}

fn sum((input, output): (u64, u64), more: (u64, u64)) -> (u64, u64) {
    (input.saturating_add(more.0), output.saturating_add(more.1))
}
