//! Reservations that outlive their process: work of a day at a provider is settled by the process that learns of its
//! end.
//!
//! The reservations of an ended process stay booked. A process that takes one over counts the use against it, so that
//! nothing is booked twice, and returns the unused rest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_lease::Link;

use super::cell::{State, Tally};
use super::definition::{Budget, is_shape};
use super::lent::BudgetSharing;
use super::listed::Entry;
use super::refusal::Notice;
use super::reservation::{Hold, Reservation};
use super::set::BudgetSet;
use super::window::Window;

/// What a reservation holds at one budget, for a later process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptHold {
    budget: String,
    /// [`Budget::shape`]: what is held of another budget of this name is none of this one's.
    shape: String,
    start: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    held: u64,
    /// The change of the window's counts that reserved it: later rows have it.
    seq: u64,
}

impl KeptHold {
    pub(super) fn of(hold: &Hold) -> Self {
        let Hold { budget, window, held, seq, .. } = hold;
        let (budget, shape) = (budget.name.to_string(), budget.shape());
        Self { budget, shape, start: window.start, end: window.end, held: *held, seq: *seq }
    }

    fn window(&self) -> Window {
        Window { start: self.start, end: self.end }
    }
}

impl BudgetSet {
    /// Whether enough is known to take a reservation over. If nodes share the budget, this node must know what the
    /// others have used, since another node's report may include the reservation. The next report asks for that.
    pub fn can_resume(&self, kept: &[KeptHold], sharing: &BudgetSharing) -> bool {
        let BudgetSharing::Shared { status, .. } = sharing else { return true };
        let is_known = |kept: &KeptHold| {
            let Some(entry) = self.entry_of(kept) else { return true };
            let mut state = entry.cell.lock();
            self.listed.add(entry, &mut state, sharing);
            let tally = state.tally(kept.window());
            tally.has_booked(kept, sharing) || tally.lent.share.left().is_some()
        };
        // All of them, so that one report asks for all.
        let known = kept.iter().filter(|kept| is_known(kept)).count();
        known == kept.len() || status.link != Link::Well
    }

    /// Goes on with a reservation of a process that is gone, once what that counted was taken over. Budgets that are
    /// not there any more are left out; `None` if no other is left.
    pub fn resume(&self, kept: &[KeptHold], sharing: &BudgetSharing) -> Option<Reservation> {
        let resumed = |kept: &KeptHold| {
            let entry = self.entry_of(kept)?;
            let (window, mut state) = (kept.window(), entry.cell.lock());
            self.listed.add(entry, &mut state, sharing);
            let is_booked = state.resume(window, kept, sharing);
            let (budget, cell, seq) = (Arc::clone(&entry.budget), Arc::clone(&entry.cell), state.seq_of(window));
            Some(Hold { budget, cell, window, held: kept.held, seq, is_booked })
        };
        let holds: Vec<Hold> = kept.iter().filter_map(resumed).collect();
        (!holds.is_empty()).then(|| Reservation::new(holds, Arc::clone(&self.dropped)))
    }

    /// The budget that a reservation is from.
    fn entry_of(&self, kept: &KeptHold) -> Option<&Entry> {
        let of_name = |budget: &Budget| *budget.name == *kept.budget && is_shape(&kept.shape, &budget.shape());
        self.entries.iter().find(|entry| of_name(&entry.budget))
    }
}

impl Tally {
    /// Whether this node has booked what an earlier process held.
    fn has_booked(&self, kept: &KeptHold, sharing: &BudgetSharing) -> bool {
        // Nodes that share a budget keep the rows of their own processes only, and count others' use apart from it.
        let is_anyones = matches!(sharing, BudgetSharing::Alone);
        let has_it = self.stored.map_or(is_anyones, |stored| stored >= kept.seq);
        has_it && self.settled >= self.resumed.saturating_add(kept.held)
    }

    /// Takes over what a process of another node held, and has reported: from now on it is booked here, and no use of
    /// this process. Returns whether the others' reports have it.
    fn take_over(&mut self, held: u64) -> bool {
        let with_it = self.lent.before.saturating_add(held);
        let is_reported = self.lent.share.others() >= with_it;
        if is_reported {
            self.settled = self.settled.saturating_add(held);
            self.lent.before = with_it;
        }
        is_reported
    }
}

impl State {
    /// Takes over what an ended process held. Returns whether that is booked already; it is reserved again if no row of
    /// that process, and no report of its node, included it.
    fn resume(&mut self, window: Window, kept: &KeptHold, sharing: &BudgetSharing) -> bool {
        let tally = self.touch(window);
        let is_booked = tally.has_booked(kept, sharing) || tally.take_over(kept.held);
        let part = if is_booked { &mut tally.resumed } else { &mut tally.reserved };
        *part = part.saturating_add(kept.held);
        tally.open = tally.open.saturating_add(1);
        is_booked
    }

    /// Books what was used beyond what is held, and booked already. Returns how much of that it takes, and notices of
    /// limits that were reached just now.
    pub(super) fn spend_resumed(
        &mut self,
        budget: &Budget,
        window: Window,
        held: u64,
        amount: u64,
    ) -> (u64, Vec<Notice>) {
        let tally = self.touch(window);
        let taken = held.min(amount);
        tally.settled = tally.settled.saturating_add(amount - taken);
        tally.resumed = tally.resumed.saturating_sub(taken);
        let is_over = tally.settled_by_all() > budget.limit.amount();
        (taken, self.notices(budget, window, is_over, true))
    }

    /// Ends a resumed reservation: the rest of it stays booked, or is taken off.
    pub(super) fn close_resumed(&mut self, window: Window, held: u64, is_kept: bool) {
        let tally = self.touch(window);
        tally.resumed = tally.resumed.saturating_sub(held);
        tally.open = tally.open.saturating_sub(1);
        if !is_kept {
            tally.give_back(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limit, Owner, Period, Request, Row, Scope, Spend};
    use super::*;
    use crate::money::Nano;
    use jiff::Timestamp;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn set() -> BudgetSet {
        BudgetSet::new(vec![Budget::new("all", Scope::All, Limit::Tokens(100), Period::parse("day").unwrap())]).unwrap()
    }

    fn tokens(count: u64) -> Spend {
        Spend::priced(Nano::ZERO, count)
    }

    fn reserve(set: &BudgetSet, count: u64) -> Reservation {
        set.reserve(&Request::whole(Owner::default(), tokens(count)), NOW).unwrap().reservation
    }

    fn used(set: &BudgetSet) -> (u64, u64) {
        set.status(NOW).into_iter().map(|(_, _, settled, reserved)| (settled, reserved)).next().unwrap()
    }

    /// What is kept passes through a store's text.
    fn kept(reservation: &Reservation) -> Vec<KeptHold> {
        serde_json::from_str(&serde_json::to_string(&reservation.kept()).unwrap()).unwrap()
    }

    /// The process that goes on with these rows.
    fn after(rows: &[Row]) -> BudgetSet {
        let again = set();
        again.restore(rows, None);
        again
    }

    #[test]
    fn a_resumed_reservation_is_settled_once_whatever_was_used() {
        for (spent, is_kept, expected) in
            [(Some(30), false, 40), (Some(70), false, 80), (None, false, 10), (None, true, 60), (Some(20), true, 60)]
        {
            let first = set();
            reserve(&first, 10).settle(&tokens(10));
            let open = reserve(&first, 50);
            let (rows, holds) = (first.changes(), kept(&open));
            let again = after(&rows);
            let mut resumed = again.resume(&holds, &BudgetSharing::Alone).unwrap();
            assert_eq!(used(&again), (60, 0), "it counts as before");
            assert!(again.reserve(&Request::whole(Owner::default(), tokens(50)), NOW).is_err());
            if let Some(spent) = spent {
                resumed.spend(&tokens(spent));
            }
            if is_kept {
                resumed.keep();
            } else {
                resumed.finish();
            }
            assert_eq!(used(&again), (expected, 0), "{spent:?} {is_kept}");
            assert_eq!(again.changes().last().map(|row| row.settled), Some(expected));
            open.finish();
        }
    }

    #[test]
    fn what_no_row_has_is_reserved_anew_and_never_takes_the_use_of_others_away() {
        let first = set();
        reserve(&first, 40).settle(&tokens(40));
        let rows = first.changes();
        let open = reserve(&first, 30);
        let holds = kept(&open);
        for rows in [rows.as_slice(), &[]] {
            let again = after(rows);
            let settled = used(&again).0;
            let mut resumed = again.resume(&holds, &BudgetSharing::Alone).unwrap();
            assert_eq!(used(&again), (settled, 30));
            resumed.spend(&tokens(20));
            resumed.finish();
            assert_eq!(used(&again), (settled + 20, 0));
        }
        open.finish();
    }

    #[test]
    fn reservations_are_resumed_over_and_over_and_each_holds_its_own() {
        let mut set = set();
        let mut open = vec![reserve(&set, 20), reserve(&set, 30)];
        for _ in 0..3 {
            let (rows, holds) = (set.snapshot(), open.iter().map(kept).collect::<Vec<_>>());
            open.into_iter().for_each(Reservation::finish);
            set = after(&rows);
            open = holds.iter().map(|holds| set.resume(holds, &BudgetSharing::Alone).unwrap()).collect();
            assert_eq!(used(&set), (50, 0));
        }
        open.remove(0).settle(&tokens(5));
        assert_eq!(used(&set), (35, 0));
        open.remove(0).finish();
        assert_eq!(used(&set), (5, 0));
    }

    #[test]
    fn what_is_held_of_a_budget_that_is_gone_or_another_one_is_left_out() {
        let first = set();
        let open = reserve(&first, 50);
        let holds = kept(&open);
        let other = Budget::new("all", Scope::All, Limit::Requests(100), Period::parse("day").unwrap());
        for budgets in [vec![], vec![other]] {
            assert!(BudgetSet::new(budgets).unwrap().resume(&holds, &BudgetSharing::Alone).is_none());
        }
        open.finish();
    }
}
