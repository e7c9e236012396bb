//! What the attempts at one target reserve at the limits of its provider. Each provider counts its own attempts, whatever the
//! request used elsewhere.

use std::time::Instant;

use super::AdmissionPermit;
use crate::rate_limit::Reservation;

/// A reservation at the limits of a provider.
#[derive(Debug)]
pub(super) struct AttemptReservation {
    reservation: Reservation,
    /// Estimated input tokens of attempts that this provider received and did not answer.
    unanswered: u64,
}

impl AttemptReservation {
    pub(super) fn new(reservation: Reservation) -> Self {
        Self { reservation, unanswered: 0 }
    }

    pub(super) fn is_out(&mut self, is_out: bool) {
        self.reservation.is_out(is_out);
    }

    pub(super) fn counts_tokens(&self) -> bool {
        self.reservation.counts_tokens()
    }
}

impl AdmissionPermit {
    /// Adds estimated input tokens of attempts at this permit's provider that were not answered, before the one that was.
    pub(crate) fn left_unanswered(&mut self, input: u64) {
        self.attempts.iter_mut().for_each(|attempt| attempt.unanswered += input);
    }

    /// Settles the reservations at providers by the input and output tokens of the answer, or of the part of it, that came
    /// from there. `None` means that an unknown number was used. What is settled already stays so.
    pub(crate) fn attempts_used(&mut self, tokens: Option<(u64, u64)>) {
        let now = Instant::now();
        for AttemptReservation { reservation, unanswered } in &mut self.attempts {
            reservation.used(tokens.map(|(input, output)| (input.saturating_add(*unanswered), output)), now);
        }
    }
}
