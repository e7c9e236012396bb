//! Reservations that an exchange holds until it ends.

use std::sync::Arc;

use super::log_notice;
use weir_ledger::{Reservation, Spend};

/// What an attempt used, and the provider that charges it; `None` if no attempt was made.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// What it used.
    pub spend: Spend,
}

/// A reservation that an exchange holds. Dropped while a provider works on the request, it stays booked: the provider
/// may charge for it. Otherwise the rest of it is returned.
#[derive(Debug)]
pub struct HeldBudget {
    reservation: Option<Reservation>,
    /// The provider whose attempts it is for; `None` if it is the whole request's.
    provider: Option<Arc<str>>,
    is_out: bool,
}

impl HeldBudget {
    /// Holds the reservation of a request, or of attempts at a provider.
    pub fn new(reservation: Reservation, provider: Option<Arc<str>>) -> Self {
        Self { reservation: Some(reservation), provider, is_out: false }
    }

    pub(in crate::admission) fn is_out(&mut self, is_out: bool) {
        self.is_out = is_out;
    }

    pub(in crate::admission) fn may_abort(&self) -> bool {
        self.reservation.as_ref().is_some_and(Reservation::may_abort)
    }

    pub(in crate::admission) fn over_share(&self, so_far: &Spend) -> Option<Arc<str>> {
        Some(self.reservation.as_ref()?.abort(so_far)?.budget)
    }

    pub(in crate::admission) fn provider(&self) -> Option<&Arc<str>> {
        self.provider.as_ref()
    }

    /// Books what was used, as far as it is of this provider, and counts the request.
    pub(in crate::admission) fn spend<'a>(&mut self, charges: impl IntoIterator<Item = &'a Charge>) {
        let Some(reservation) = &mut self.reservation else { return };
        let mut requests = 1;
        let is_own = |charge: &&Charge| self.provider.is_none() || self.provider == charge.provider;
        for Charge { spend, .. } in charges.into_iter().filter(is_own) {
            let spend = Spend { requests: std::mem::take(&mut requests), ..*spend };
            reservation.spend(&spend).iter().for_each(log_notice);
        }
    }
}

impl Drop for HeldBudget {
    fn drop(&mut self) {
        match self.reservation.take() {
            Some(reservation) if self.is_out => reservation.keep(),
            Some(reservation) => reservation.finish(),
            None => {}
        }
    }
}
