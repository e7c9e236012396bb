//! The counts of one budget, by window.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use weir_lease::{Link, NodeStatus};

use super::definition::{Budget, Limit, WhenOver};
use super::lent::{BudgetSharing, Lent};
use super::refusal::{Notice, NoticeKind, Refusal, RefusalReason};
use super::rows::{Correction, Row};
use super::spend::Spend;
use super::window::Window;

/// Windows whose counts are kept although no reservation is open there. A clock that is set back finds them again.
const KEPT_WINDOWS: usize = 3;
/// Windows that are kept until they are stored, which may be never.
const UNSTORED_WINDOWS: usize = 64;

/// The counts of a budget. Reservations hold on to them, so that they settle also after the budgets were replaced.
#[derive(Debug)]
pub(super) struct Cell {
    /// The order in which cells are locked. No other cell of this process ever has it.
    pub(super) number: u64,
    state: Mutex<State>,
}

/// The counts of all windows.
#[derive(Debug, Default)]
pub(super) struct State {
    current: Option<Window>,
    /// The windows that were current before, the last one first. A clock that was ahead has made later ones than those.
    left: [i64; 2],
    pub(super) tallies: BTreeMap<i64, Tally>,
    /// How often windows were dropped.
    drops: u64,
    seq: u64,
    /// Whether it is on the list of budgets whose shares are reported.
    pub(super) is_listed: bool,
}

/// The counts of one window.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) end: Option<i64>,
    pub(super) reserved: u64,
    pub(super) settled: u64,
    /// How often windows had been dropped when it began: it is another one than those of its window that were dropped.
    pub(super) made: u64,
    /// What this node may use of a budget that it shares with others.
    pub(super) lent: Lent,
    /// Open reservations.
    pub(super) open: u32,
    /// The part of what is booked that resumed reservations hold.
    pub(super) resumed: u64,
    /// The last change that an earlier process has stored, if its row was taken over.
    pub(super) stored: Option<u64>,
    /// The last change.
    pub(super) seq: u64,
    is_dirty: bool,
    noticed_soft: bool,
    noticed_over: bool,
}

/// What a budget would reserve for a request.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) window: Window,
    pub(super) amount: u64,
    /// Whether the budget has no room for it, and admits it all the same.
    is_over: bool,
}

/// What a request needs from a budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need<'a> {
    pub(super) most: &'a Spend,
    pub(super) least: &'a Spend,
    pub(super) model: Option<&'a str>,
    pub(super) is_free: bool,
}

impl Cell {
    pub(super) fn new(number: u64) -> Self {
        Self { number, state: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves sums behind, which are as good as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The window of a time.
    fn window(&mut self, budget: &Budget, now: Timestamp) -> Window {
        if let Some(current) = self.current.filter(|current| current.holds(now.as_second())) {
            return current;
        }
        let window = budget.per.window(&budget.zone, now);
        if let Some(left) = self.current.replace(window) {
            let before = self.left.iter().find(|start| **start != left.start).copied().unwrap_or_default();
            self.left = [left.start, before];
        }
        self.prune(window);
        window
    }

    fn prune(&mut self, current: Window) {
        let nth = |count: usize| self.tallies.keys().rev().nth(count - 1).copied();
        let (Some(kept), unstored) = (nth(KEPT_WINDOWS), nth(UNSTORED_WINDOWS)) else { return };
        let is_unstored = |start: &i64, tally: &Tally| tally.is_dirty && unstored.is_none_or(|first| *start >= first);
        let is_near = |start: &i64| *start == current.start || self.left.contains(start);
        let before = self.tallies.len();
        self.tallies
            .retain(|start, tally| *start >= kept || is_near(start) || tally.open > 0 || is_unstored(start, tally));
        self.drops += u64::from(self.tallies.len() < before);
    }

    /// The counts of the window that begins and ends then.
    fn counts(&mut self, start: i64, end: Option<i64>) -> &mut Tally {
        let made = self.drops;
        let tally = self.tallies.entry(start).or_insert_with(|| Tally { made, ..Tally::default() });
        tally.end = end;
        tally
    }

    /// Used and reserved in the window of a time: here, and by other nodes as far as they are known.
    pub(super) fn used(&mut self, budget: &Budget, now: Timestamp) -> (Window, u64, u64) {
        let window = self.window(budget, now);
        let (settled, reserved) =
            self.tallies.get(&window.start).map_or((0, 0), |tally| (tally.settled_by_all(), tally.reserved));
        (window, settled, reserved)
    }

    /// Whether the budget has room for a request. Changes nothing.
    pub(super) fn check(
        &mut self,
        budget: &Budget,
        need: Need<'_>,
        now: Timestamp,
        sharing: &BudgetSharing,
    ) -> Result<Grant, Box<Refusal>> {
        let (window, settled, reserved) = self.used(budget, now);
        if need.is_free && !matches!(budget.limit, Limit::Requests(_)) {
            return Ok(Grant { window, amount: 0, is_over: false });
        }
        let limit = budget.limit.amount();
        let used = settled.saturating_add(reserved);
        let taken = used.max(self.tallies.get(&window.start).map_or(0, |tally| tally.taken(limit, sharing)));
        let refuse = |reason, needed, downgrade, lacks: Option<u64>| {
            let (budget, limit, may_ask) = (Arc::clone(&budget.name), budget.limit, lacks.is_some());
            let lacks = lacks.unwrap_or_default();
            Err(Box::new(Refusal { budget, reason, limit, used: taken, needed, window, downgrade, may_ask, lacks }))
        };
        let amount = |spend: &Spend| spend.amount(budget.limit, budget.unpriced);
        let (most, least) = match (amount(need.most), amount(need.least), &budget.when_over) {
            (Some(most), Some(least), _) => (most.max(least), least),
            (_, _, WhenOver::Notify) => (0, 0),
            _ => return refuse(RefusalReason::Unpriced, 0, None, None),
        };
        let room = match sharing {
            BudgetSharing::Alone => limit.saturating_sub(used),
            BudgetSharing::Shared { status, asked } => {
                let unused = Tally::default();
                let tally = self.tallies.get(&window.start).unwrap_or(&unused);
                let room = tally.room(limit, status);
                if room < most.max(1) && least <= limit && tally.lent.share.may_ask(*asked, status) {
                    return refuse(RefusalReason::Exhausted, least, None, Some(most.max(1)));
                }
                room
            }
        };
        if room > 0 && least <= room {
            return Ok(Grant { window, amount: most.min(room), is_over: false });
        }
        let reason = if least > limit { RefusalReason::TooLarge } else { RefusalReason::Exhausted };
        match &budget.when_over {
            WhenOver::Refuse => refuse(reason, least, None, None),
            WhenOver::Downgrade(model) if need.model != Some(model) => {
                refuse(reason, least, Some(Arc::clone(model)), None)
            }
            WhenOver::Downgrade(_) | WhenOver::Notify => Ok(Grant { window, amount: most, is_over: true }),
        }
    }

    /// Notes what the budget's share lacks for a refused request, so that the next report asks for it.
    pub(super) fn lacks(&mut self, refusal: &Refusal) {
        if refusal.may_ask {
            self.tally(refusal.window).lent.share.lacks(refusal.lacks);
        }
    }

    /// Notes what a request would take that waits for another budget's share, so that the next report does not give it
    /// back.
    pub(super) fn wants(&mut self, grant: &Grant) {
        if let Some(tally) = self.tallies.get_mut(&grant.window.start) {
            tally.lent.share.wants(grant.amount);
        }
    }

    /// What a budget reserves for what is owed already, whether or not it has room. What has no price there reserves
    /// nothing; it is booked when it ends.
    pub(super) fn owe(&mut self, budget: &Budget, most: &Spend, now: Timestamp) -> Grant {
        let window = self.window(budget, now);
        Grant { window, amount: most.amount(budget.limit, budget.unpriced).unwrap_or(0), is_over: false }
    }

    /// Reserves what was granted.
    pub(super) fn reserve(&mut self, budget: &Budget, grant: &Grant) -> Vec<Notice> {
        let tally = self.touch(grant.window);
        tally.reserved = tally.reserved.saturating_add(grant.amount);
        tally.open = tally.open.saturating_add(1);
        self.notices(budget, grant.window, grant.is_over, false)
    }

    /// Books what was used, in the window that reserved. Returns how much of the reservation that takes, and notices
    /// of limits that were reached just now.
    pub(super) fn spend(&mut self, budget: &Budget, window: Window, held: u64, amount: u64) -> (u64, Vec<Notice>) {
        let tally = self.touch(window);
        let taken = held.min(amount);
        tally.settled = tally.settled.saturating_add(amount);
        tally.reserved = tally.reserved.saturating_sub(taken);
        let is_over = tally.settled_by_all() > budget.limit.amount();
        (taken, self.notices(budget, window, is_over, true))
    }

    /// Ends a reservation: the rest of it is returned, or booked.
    pub(super) fn close(&mut self, window: Window, held: u64, is_kept: bool) {
        let tally = self.touch(window);
        tally.reserved = tally.reserved.saturating_sub(held);
        tally.open = tally.open.saturating_sub(1);
        if is_kept {
            tally.settled = tally.settled.saturating_add(held);
        }
    }

    /// The last change of a window.
    pub(super) fn seq_of(&self, window: Window) -> u64 {
        self.tallies.get(&window.start).map_or(0, |tally| tally.seq)
    }

    /// What was booked in a window.
    pub(super) fn settled(&self, window: Window) -> u64 {
        self.tallies.get(&window.start).map_or(0, Tally::settled_by_all)
    }

    /// The counts of a window, which nothing is changed in.
    pub(super) fn tally(&mut self, window: Window) -> &mut Tally {
        self.counts(window.start, window.end)
    }

    pub(super) fn touch(&mut self, window: Window) -> &mut Tally {
        self.seq += 1;
        let seq = self.seq;
        let tally = self.tally(window);
        tally.seq = seq;
        tally.is_dirty = true;
        tally
    }

    /// The notices that a window has reached; only the first of each kind, if so asked.
    pub(super) fn notices(&mut self, budget: &Budget, window: Window, is_over: bool, only_first: bool) -> Vec<Notice> {
        let Some(tally) = self.tallies.get_mut(&window.start) else { return Vec::new() };
        let settled = tally.settled_by_all();
        let is_soft = budget.soft.is_some_and(|soft| settled >= soft.of(budget.limit.amount()));
        let used = settled.saturating_add(tally.reserved);
        let mut notices = Vec::new();
        for (is_reached, noticed, kind) in
            [(is_soft, &mut tally.noticed_soft, NoticeKind::Soft), (is_over, &mut tally.noticed_over, NoticeKind::Over)]
        {
            let is_first = is_reached && !std::mem::replace(noticed, *noticed || is_reached);
            if is_reached && (is_first || !only_first) {
                let (budget, limit) = (Arc::clone(&budget.name), budget.limit);
                notices.push(Notice { budget, kind, limit, used, window, is_first });
            }
        }
        notices
    }

    /// The rows of all windows, or of those that changed since the last call that took the changes.
    pub(super) fn rows(&mut self, budget: &Arc<str>, number: u64, only_changes: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for (start, tally) in &mut self.tallies {
            if only_changes && !std::mem::take(&mut tally.is_dirty) {
                continue;
            }
            let Tally { end, reserved, settled, made, seq, .. } = *tally;
            let (budget, before) = (Arc::clone(budget), tally.lent.before);
            rows.push(Row { budget, start: *start, end, reserved, settled, before, cell: number, made, seq });
        }
        rows
    }

    /// Marks a row's window as changed again, since the row could not be stored.
    pub(super) fn give_back(&mut self, row: &Row) {
        if let Some(tally) = self.tallies.get_mut(&row.start) {
            tally.is_dirty = true;
        }
    }

    /// Takes over a stored row of a process that shared the budget under this name, or of one that did not. What was
    /// reserved is booked: the process that reserved it is gone.
    pub(super) fn restore(&mut self, row: &Row, node: Option<&str>) {
        self.seq = self.seq.max(row.seq);
        let tally = self.counts(row.start, row.end);
        tally.settled = row.settled.saturating_add(row.reserved);
        tally.lent = node.map_or_else(Lent::default, |node| Lent::after(row, node));
        (tally.seq, tally.stored) = (row.seq, Some(row.seq));
        tally.is_dirty = row.reserved > 0;
    }

    /// Counts what another process has counted in a window, or has given back there. It is no use of this process.
    /// Returns [`Row::made`].
    pub(super) fn correct(&mut self, correction: &Correction) -> u64 {
        let tally = self.counts(correction.start, correction.end);
        tally.settled = tally.settled.saturating_add_signed(correction.change);
        tally.lent.before = tally.lent.before.saturating_add_signed(correction.change);
        tally.made
    }
}

impl Tally {
    /// What this process has used and reserved.
    pub(super) fn own(&self) -> u64 {
        self.settled.saturating_add(self.reserved).saturating_sub(self.lent.before)
    }

    /// Returns what an ended process had reserved, which is booked, and did not use. Other nodes know that process's
    /// use from its reports, and learn of the returned amount in the same way.
    pub(super) fn give_back(&mut self, amount: u64) {
        self.settled = self.settled.saturating_sub(amount);
        let of_earlier = amount.min(self.lent.before);
        self.lent.before -= of_earlier;
        self.lent.share.give_back(of_earlier);
    }

    /// Has what this node knows of used amounts reported again; false if it knows of none.
    pub(super) fn repeat(&mut self) -> bool {
        let own = self.own();
        self.lent.share.repeat(own)
    }

    /// What this node may still use. On its own, it goes by all that its processes used.
    fn room(&self, limit: u64, status: &NodeStatus) -> u64 {
        self.lent.share.room(self.own(), self.lent.before, limit, status)
    }

    /// The amount that is used or held by other nodes, by the pool's last answer. What they held then may be used by
    /// now.
    fn taken(&self, limit: u64, sharing: &BudgetSharing) -> u64 {
        match (sharing, self.lent.share.left()) {
            (BudgetSharing::Shared { status, .. }, Some(left)) if status.link == Link::Well => {
                let free = u64::try_from(left).unwrap_or(0).saturating_add(self.room(limit, status));
                limit.saturating_sub(free)
            }
            _ => 0,
        }
    }

    /// What is booked here and, as far as it is known, used by other nodes. These count what earlier processes of this
    /// one used, since they reported it.
    pub(super) fn settled_by_all(&self) -> u64 {
        match self.lent.share.left() {
            Some(_) => self.settled.saturating_add(self.lent.share.others()).saturating_sub(self.lent.before),
            None => self.settled,
        }
    }
}
