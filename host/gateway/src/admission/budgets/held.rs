//! Reservations that an exchange holds until it ends.

use std::sync::{Arc, Mutex, PoisonError};

use super::log_notice;
use super::work::WorkPart;
use weir_ledger::{Reservation, Spend, Timestamp};

/// The use of an attempt, and the provider that charges for it; `None` if no attempt was made.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The provider's name for the model that it asked for.
    pub model: Option<Arc<str>>,
    /// What it used.
    pub spend: Spend,
}

/// A reservation that an exchange holds. Dropped while a provider works on the request, it stays booked: the provider
/// may charge for it. Otherwise the rest of it is returned.
#[derive(Debug)]
pub struct HeldBudget {
    pub(super) reservation: Option<Reservation>,
    /// The provider whose attempts it is for; `None` if it is the whole request's.
    pub(super) provider: Option<Arc<str>>,
    /// The model that it is for, where the request begins work of several; `None` if it is for all of it.
    pub(super) part: Option<WorkPart>,
    is_out: bool,
    /// How many requests are counted when it is booked; 0 if they were counted before.
    pub(super) requests: u64,
    /// Takes the reservation if it is dropped while a provider works on the request.
    left_to: Option<Arc<AbandonedBudgets>>,
}

/// The reservations of attempts that ended before their providers answered, because another attempt answered first. The
/// request books them like any unanswered attempt; what it does not take over stays booked as it was reserved.
#[derive(Debug, Default)]
pub(crate) struct AbandonedBudgets(Mutex<Vec<HeldBudget>>);

impl AbandonedBudgets {
    /// Takes the reservations at providers whose unanswered attempts are charged.
    pub(crate) fn take(&self, charged: &[Charge]) -> Vec<HeldBudget> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_charged = |budget: &mut HeldBudget| charged.iter().any(|charge| charge.provider == budget.provider);
        all.extract_if(.., is_charged).collect()
    }
}

impl HeldBudget {
    /// Holds the reservation of a request, or of attempts at a provider.
    pub fn new(reservation: Reservation, provider: Option<Arc<str>>) -> Self {
        Self { reservation: Some(reservation), provider, part: None, is_out: false, requests: 1, left_to: None }
    }

    /// Like [`Self::new`], for use that was counted as a request before.
    pub(crate) fn of_counted(reservation: Reservation, provider: Option<Arc<str>>) -> Self {
        Self::new(reservation, provider).counting(0)
    }

    /// Counts this many requests instead of one.
    #[must_use]
    pub(crate) fn counting(mut self, requests: u64) -> Self {
        self.requests = requests;
        self
    }

    /// Makes it the reservation for the requests of work that are for one model.
    #[must_use]
    pub(super) fn of_part(mut self, part: Option<WorkPart>) -> Self {
        self.part = part;
        self
    }

    pub(in crate::admission) fn set_out(&mut self, is_out: bool) {
        self.is_out = is_out;
    }

    /// Sets what takes the reservation if it is dropped while a provider works on the request; nothing, once that is
    /// booked.
    pub(in crate::admission) fn leave_to(&mut self, place: Option<&Arc<AbandonedBudgets>>) {
        self.left_to = place.cloned();
    }

    /// Whether the windows in which it was reserved have not ended.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        self.reservation.as_ref().is_none_or(|reservation| reservation.is_current(now))
    }

    pub(in crate::admission) fn may_abort(&self) -> bool {
        self.reservation.as_ref().is_some_and(Reservation::may_abort)
    }

    pub(in crate::admission) fn over_share(&self, so_far: &Spend) -> Option<Arc<str>> {
        Some(self.reservation.as_ref()?.abort(so_far)?.budget)
    }

    /// Books tokens that the reservation did not foresee, in addition to it.
    pub(in crate::admission) fn raise(&mut self, tokens: u64) {
        let spend = Spend { requests: 0, ..Spend::unpriced(tokens) };
        self.reservation
            .iter_mut()
            .flat_map(|reservation| reservation.add(&spend))
            .for_each(|notice| log_notice(&notice));
    }

    pub(in crate::admission) fn provider(&self) -> Option<&Arc<str>> {
        self.provider.as_ref()
    }

    /// Whether it is for the same attempts as another one.
    pub(in crate::admission) fn is_like(&self, provider: Option<&Arc<str>>, part: Option<&WorkPart>) -> bool {
        self.provider.as_ref() == provider && self.part.as_ref() == part
    }

    pub(in crate::admission) fn part(&self) -> Option<&WorkPart> {
        self.part.as_ref()
    }

    /// Books what was used at this provider, and counts the request.
    pub(in crate::admission) fn spend<'a>(&mut self, charges: impl IntoIterator<Item = &'a Charge>) {
        let Some(reservation) = &mut self.reservation else { return };
        let mut requests = self.requests;
        let is_of_part = |charge: &Charge| self.part.as_ref().is_none_or(|part| part.has(charge.model.as_deref()));
        let is_of_provider = |charge: &Charge| self.provider.is_none() || self.provider == charge.provider;
        let is_own = |charge: &&Charge| is_of_provider(charge) && is_of_part(charge);
        for Charge { spend, .. } in charges.into_iter().filter(is_own) {
            let spend = Spend { requests: std::mem::take(&mut requests), ..*spend };
            reservation.spend(&spend).iter().for_each(log_notice);
        }
    }
}

impl Drop for HeldBudget {
    fn drop(&mut self) {
        match self.reservation.take() {
            Some(reservation) if self.is_out => match self.left_to.take() {
                Some(place) => {
                    let mut left = Self::new(reservation, self.provider.take());
                    left.is_out = true;
                    place.0.lock().unwrap_or_else(PoisonError::into_inner).push(left);
                }
                None => reservation.keep(),
            },
            Some(reservation) => reservation.finish(),
            None => {}
        }
    }
}
