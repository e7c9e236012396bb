//! An open reservation of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::cell::Cell;
use super::definition::Budget;
use super::refusal::Notice;
use super::resumed::KeptHold;
use super::spend::Spend;
use super::window::Window;

/// A reservation at one budget.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) budget: Arc<Budget>,
    pub(super) cell: Arc<Cell>,
    pub(super) window: Window,
    /// What is not yet used of it.
    pub(super) held: u64,
    /// The change of the window's counts that reserved it.
    pub(super) seq: u64,
    /// Whether it is booked already, since the process that reserved it is gone.
    pub(super) is_booked: bool,
}

impl Hold {
    /// Books an amount, and takes that from what is held.
    fn spend(&mut self, amount: u64) -> Vec<Notice> {
        let mut state = self.cell.lock();
        let (taken, reached) = if self.is_booked {
            state.spend_resumed(&self.budget, self.window, self.held, amount)
        } else {
            state.spend(&self.budget, self.window, self.held, amount)
        };
        self.held -= taken;
        reached
    }

    /// Ends it: the rest of it is returned, or booked.
    fn close(self, is_kept: bool) {
        let mut state = self.cell.lock();
        if self.is_booked {
            state.close_resumed(self.window, self.held, is_kept);
        } else {
            state.close(self.window, self.held, is_kept);
        }
    }
}

/// A stream is over a budget that ends streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abort {
    /// The budget's name.
    pub budget: Arc<str>,
}

/// What a request has reserved, at all budgets of its chain, in the windows of that time.
///
/// It ends once, by [`Reservation::finish`] or [`Reservation::keep`], which consume it. One that is dropped is kept and
/// counted: a task that was cancelled may have cost money all the same.
#[derive(Debug)]
#[must_use = "a reservation that is dropped is booked as spent"]
pub struct Reservation {
    holds: Vec<Hold>,
    dropped: Arc<AtomicU64>,
}

impl Reservation {
    pub(super) fn new(holds: Vec<Hold>, dropped: Arc<AtomicU64>) -> Self {
        Self { holds, dropped }
    }

    /// The amounts that it holds, kept for a process that takes it over if this one ends.
    pub fn kept(&self) -> Vec<KeptHold> {
        self.holds.iter().map(KeptHold::of).collect()
    }

    /// Books what a billed attempt used. A request may have several. What has no price takes all that is left of the
    /// reservation, unless the budget names its cost. Returns the limits that this has reached.
    pub fn spend(&mut self, spend: &Spend) -> Vec<Notice> {
        let mut notices = Vec::new();
        for hold in &mut self.holds {
            let amount = spend.amount(hold.budget.limit, hold.budget.unpriced).unwrap_or(hold.held);
            notices.extend(hold.spend(amount));
        }
        notices
    }

    /// Books what was used besides what was reserved. Returns the limits that this has reached.
    pub fn add(&mut self, spend: &Spend) -> Vec<Notice> {
        let mut notices = Vec::new();
        for hold in &self.holds {
            let amount = spend.amount(hold.budget.limit, hold.budget.unpriced).unwrap_or_default();
            notices.extend(hold.cell.lock().spend(&hold.budget, hold.window, 0, amount).1);
        }
        notices
    }

    /// Ends the request: what its attempts left of the reservation is returned.
    pub fn finish(mut self) {
        self.close(false);
    }

    /// Ends a request whose use is not known: what is left of the reservation stays booked.
    pub fn keep(mut self) {
        self.close(true);
    }

    /// Books the use of the only attempt, and ends the request.
    pub fn settle(mut self, spend: &Spend) -> Vec<Notice> {
        let notices = self.spend(spend);
        self.finish();
        notices
    }

    /// Whether a time is within all windows in which it was reserved: what begins later has to have room in others.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.holds.iter().all(|hold| hold.window.holds(now.as_second()))
    }

    /// Whether any of the budgets ends streams.
    pub fn may_abort(&self) -> bool {
        self.holds.iter().any(|hold| hold.budget.abort_at.is_some())
    }

    /// Whether a stream that has used so much is to be ended: a budget with `abort_at` would be over that share by it.
    /// What other requests have only reserved does not count.
    pub fn abort(&self, so_far: &Spend) -> Option<Abort> {
        self.holds.iter().find_map(|hold| {
            let most = hold.budget.abort_at?.of(hold.budget.limit.amount());
            let amount = so_far.amount(hold.budget.limit, hold.budget.unpriced).unwrap_or_default();
            let settled = hold.cell.lock().settled(hold.window);
            (settled.saturating_add(amount) > most).then(|| Abort { budget: Arc::clone(&hold.budget.name) })
        })
    }

    fn close(&mut self, is_kept: bool) {
        for hold in self.holds.drain(..) {
            hold.close(is_kept);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.holds.is_empty() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.close(true);
        }
    }
}
