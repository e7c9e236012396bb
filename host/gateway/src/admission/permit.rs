//! The permission to serve a request, with everything that it holds.

use std::sync::Arc;
use std::time::Instant;

use super::attempt_reservation::AttemptReservation;
use super::budgets::{AbandonedBudgets, Charge, HeldBudget, KeptBudget, WorkPart};
use super::concurrency::{ConcurrencyLimiter, Permit};
use super::demand::{Demand, input_of};
use crate::rate_limit::{LimitStatus, Reservation, Scope};
use weir_buffers::Held;
use weir_ledger::{Forecast, Granted, Nano, Spend};
use weir_upstream::HandOver;

/// Permission to serve a request, held until the exchange ends; dropping it returns places and settles reservations.
#[derive(Debug, Default)]
#[must_use]
pub struct AdmissionPermit {
    /// At the limits of the request: its client's, its address's, its model's.
    pub(super) reservations: Vec<Reservation>,
    /// At the limits of providers, for the attempts there.
    pub(super) attempts: Vec<AttemptReservation>,
    /// Places of concurrency limiters; dropping them returns the places.
    pub(super) places: Vec<Permit>,
    /// Bytes of an answer that is being sent.
    held: Vec<Held>,
    /// What budgets have reserved.
    budgets: Vec<HeldBudget>,
    /// The adaptive limiter that learns from this attempt, with its configured maximum.
    pub(super) learns: Option<(Arc<ConcurrencyLimiter>, usize)>,
}

impl AdmissionPermit {
    /// A permit without limits, for the gateway's own requests.
    pub fn free() -> Self {
        Self::default()
    }

    /// Settles the reservations of the request by the total input and output tokens. `None` means that an unknown
    /// number was used. Without this call, none were used.
    pub fn used(&mut self, tokens: Option<(u64, u64)>) {
        let now = Instant::now();
        self.reservations.iter_mut().for_each(|reservation| reservation.used(tokens, now));
    }

    /// Returns all reservations, as if the request had never been made.
    pub(super) fn void(self) {
        self.reservations.into_iter().for_each(Reservation::void);
    }

    /// Sets whether a provider is working on the request. If so, dropping the permit keeps its reservations.
    pub(crate) fn set_in_flight(&mut self, is_out: bool) {
        self.reservations.iter_mut().for_each(|reservation| reservation.set_out(is_out));
        self.attempts.iter_mut().for_each(|attempt| attempt.set_out(is_out));
        self.budgets.iter_mut().for_each(|budget| budget.set_out(is_out));
    }

    /// Marks a provider as working on the request while an attempt's request is sent. If the attempt is dropped
    /// meanwhile, this permit keeps its reservations only if the provider may have received the request.
    pub(crate) fn on_the_way(&mut self, hand_over: &HandOver) -> OnTheWay<'_> {
        self.set_in_flight(true);
        OnTheWay { permit: self, hand_over: hand_over.clone() }
    }

    /// Keeps a budget reservation until the exchange ends.
    pub fn reserve(&mut self, budget: HeldBudget) {
        self.budgets.push(budget);
    }

    /// Keeps the budget reservations of an attempt until the exchange ends.
    pub(crate) fn reserve_all(&mut self, granted: Option<Granted>, provider: &Arc<str>, demand: &Demand<'_>) {
        let held = |granted: Granted| HeldBudget::new(granted.reservation, Some(Arc::clone(provider)));
        self.budgets.extend(granted.map(|granted| held(granted).counting(demand.requests())));
    }

    /// Leaves the budget reservations to `left_to` if this permit is dropped while a provider works on the request.
    pub(crate) fn leave_budgets_to(&mut self, place: &Arc<AbandonedBudgets>) {
        self.budgets.iter_mut().for_each(|budget| budget.leave_to(Some(place)));
    }

    /// Takes over the budget reservations that concurrent attempts have left.
    pub(crate) fn take_over(&mut self, left: Vec<HeldBudget>) {
        self.budgets.extend(left);
    }

    /// Takes over the budget reservations of an attempt whose provider may charge for it. They are booked with the
    /// others when the exchange ends, or as they were reserved if the use is unknown.
    pub(crate) fn keep_budgets_of(&mut self, attempt: &mut Self) {
        attempt.budgets.iter_mut().for_each(|budget| budget.set_out(true));
        self.budgets.append(&mut attempt.budgets);
    }

    /// Books the costs at the budgets: all costs at the request's own budgets, and those of each provider at that
    /// provider's, once for all of its attempts. If the costs are not known, the whole reservations stay booked.
    pub fn book(&mut self, unanswered: &[Charge], answered: &[Charge], is_known: bool) {
        let mut booked: Vec<(Option<Arc<str>>, Option<WorkPart>)> = Vec::new();
        for mut budget in self.budgets.drain(..) {
            budget.leave_to(None);
            let provider = budget.provider().cloned();
            if booked.iter().any(|(provider, part)| budget.is_like(provider.as_ref(), part.as_ref())) {
                // Another attempt at the same provider counts as one more request, whose cost is booked already.
                budget.spend(&[Charge { provider, model: None, spend: Spend::priced(Nano::ZERO, 0) }]);
            } else {
                budget.spend(unanswered.iter().chain(answered));
                booked.push((provider, budget.part().cloned()));
            }
            budget.set_out(!is_known);
        }
    }

    /// Takes the bytes of a body beyond its reserved length from the limits.
    pub(crate) fn raise_limits(&self, ArrivedBody { reserved, arrived }: ArrivedBody) {
        let (more, now) = (input_of(arrived).saturating_sub(input_of(reserved)), Instant::now());
        self.reservations.iter().for_each(|reservation| reservation.raise(more, now));
        self.attempts.iter().for_each(|attempt| attempt.raise(more, now));
    }

    /// Books the same at the budgets, in addition to the reservations.
    pub(crate) fn raise_budgets(&mut self, ArrivedBody { reserved, arrived }: ArrivedBody) {
        let more = Forecast::tokens_of(arrived).saturating_sub(Forecast::tokens_of(reserved));
        if more > 0 {
            self.budgets.iter_mut().for_each(|budget| budget.raise(u64::from(more)));
        }
    }

    /// Takes the budget reservations, for use that is booked later. If it never is, the whole reservations stay booked.
    pub(crate) fn put_off(&mut self) -> Self {
        let mut budgets = std::mem::take(&mut self.budgets);
        for budget in &mut budgets {
            budget.leave_to(None);
            budget.set_out(true);
        }
        Self { budgets, ..Self::default() }
    }

    /// The budget reservations in the form in which they are kept for a later process.
    pub(crate) fn kept_budgets(&self) -> Vec<KeptBudget> {
        self.budgets.iter().filter_map(HeldBudget::kept).collect()
    }

    /// The permit of work that another process began, with its budget reservations. If the work is never booked, they
    /// stay booked.
    pub(crate) fn resumed(mut budgets: Vec<HeldBudget>) -> Self {
        for budget in &mut budgets {
            budget.set_out(true);
        }
        Self { budgets, ..Self::default() }
    }

    /// Whether budgets have reserved anything.
    pub(crate) fn has_budgets(&self) -> bool {
        !self.budgets.is_empty()
    }

    /// Whether a budget ends streams that use it up.
    pub fn may_abort(&self) -> bool {
        self.budgets.iter().any(HeldBudget::may_abort)
    }

    /// The budget that ends a stream with this use, if any does.
    pub(crate) fn over_share(&self, so_far: &Spend) -> Option<Arc<str>> {
        self.budgets.iter().find_map(|budget| budget.over_share(so_far))
    }

    /// Whether a token limit applies to this request.
    pub fn counts_tokens(&self) -> bool {
        self.reservations.iter().any(Reservation::counts_tokens)
            || self.attempts.iter().any(AttemptReservation::counts_tokens)
    }

    /// Raises an adaptive limit, since the provider answered.
    pub(crate) fn record_success(&self) {
        if let Some((limiter, most)) = &self.learns {
            limiter.went_well(*most);
        }
    }

    /// Lowers an adaptive limit: an attempt begun at this time found the provider overloaded.
    pub fn overloaded(&self, begun: Instant) {
        if let Some((limiter, most)) = &self.learns {
            limiter.overloaded(begun, *most);
        }
    }

    /// The state of the caller's narrowest rate limits: its own, its team's, its organisation's, or its address's.
    pub fn limits(&self) -> Vec<LimitStatus> {
        let of = |scope| self.reservations.iter().flat_map(|one| one.limits(scope)).collect::<Vec<_>>();
        let scopes = [Scope::Client, Scope::Key, Scope::Team, Scope::Organisation, Scope::Address];
        scopes.into_iter().map(of).find(|limits| !limits.is_empty()).unwrap_or_default()
    }

    /// A permit that holds these bytes.
    pub(crate) fn to_hold(held: Held) -> Self {
        Self { held: vec![held], ..Self::default() }
    }

    /// Adds another permit's reservations, places and bytes.
    pub fn add(&mut self, other: Self) {
        self.reservations.extend(other.reservations);
        self.attempts.extend(other.attempts);
        self.places.extend(other.places);
        self.held.extend(other.held);
        self.budgets.extend(other.budgets);
    }
}

/// The bytes of a body that was sent on while it arrived, and its reserved length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrivedBody {
    pub(crate) reserved: usize,
    pub(crate) arrived: usize,
}

/// The permit of an attempt whose request is on its way to a provider.
pub(crate) struct OnTheWay<'a> {
    permit: &'a mut AdmissionPermit,
    hand_over: HandOver,
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.permit.set_in_flight(!self.hand_over.is_waiting());
    }
}
