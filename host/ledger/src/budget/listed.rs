//! The shared budgets that are in use: those whose shares are reported.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::{Cell, Grant, State};
use super::definition::Budget;
use super::lent::BudgetSharing;

/// The budgets that have shares, as far as they are in use.
#[derive(Debug, Default)]
pub(super) struct SharedBudgets {
    /// Never held while a cell is locked after it: cells come first.
    entries: Mutex<HashMap<u64, Entry>>,
    /// Shared budgets that were removed: what was used of them is still reported, and their shares end.
    gone: Mutex<HashSet<u64>>,
    urgent: Mutex<HashSet<u64>>,
    is_urgent: AtomicBool,
    /// From which of all budgets on those that are not in use are still to be reported again.
    again: Mutex<Option<usize>>,
}

/// A budget with its counts.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) budget: Arc<Budget>,
    pub(super) cell: Arc<Cell>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedBudgets {
    /// Lists a budget that is about to be used.
    pub(super) fn add(&self, entry: &Entry, state: &mut State, sharing: &BudgetSharing) {
        if matches!(sharing, BudgetSharing::Shared { .. }) {
            self.insert(entry, state);
        }
    }

    /// Lists a budget.
    pub(super) fn insert(&self, entry: &Entry, state: &mut State) {
        if !std::mem::replace(&mut state.is_listed, true) {
            lock(&self.entries).insert(entry.cell.number, entry.clone());
        }
    }

    /// Has all budgets reported again, in use or not.
    pub(super) fn repeat(&self) {
        *lock(&self.again) = Some(0);
    }

    /// From which of all budgets on there is something to report again.
    pub(super) fn take_again(&self) -> Option<usize> {
        lock(&self.again).take()
    }

    /// Goes on from there with the next round, unless all begins anew.
    pub(super) fn go_on(&self, from: usize) {
        lock(&self.again).get_or_insert(from);
    }

    /// Notes what was reserved, and whether more is to be asked for.
    pub(super) fn took(&self, entry: &Entry, state: &mut State, grant: &Grant, sharing: &BudgetSharing) {
        let BudgetSharing::Shared { status, .. } = sharing else { return };
        let Some(tally) = state.tallies.get_mut(&grant.window.start) else { return };
        let own = tally.own();
        if tally.lent.share.took(grant.amount, own, entry.budget.limit.amount(), status.at) {
            self.hurry(&[entry]);
        }
    }

    /// Reports these at once.
    pub(super) fn hurry(&self, entries: &[&Entry]) {
        lock(&self.urgent).extend(entries.iter().map(|entry| entry.cell.number));
        self.is_urgent.store(true, Ordering::Release);
    }

    /// Takes over changed limits, and notes which budgets are gone.
    pub(super) fn replace(&self, entries: &[Entry]) {
        // They may stand in another order now.
        lock(&self.again).as_mut().into_iter().for_each(|from| *from = 0);
        let mut listed = lock(&self.entries);
        if listed.is_empty() {
            return;
        }
        let mut gone: HashSet<u64> = listed.keys().copied().collect();
        for entry in entries {
            if let Some(known) = listed.get_mut(&entry.cell.number) {
                *known = entry.clone();
                gone.remove(&entry.cell.number);
            }
        }
        *lock(&self.gone) = gone;
    }

    /// Whether a listed budget is none any more.
    pub(super) fn is_gone(&self, number: u64) -> bool {
        lock(&self.gone).contains(&number)
    }

    /// The listed budgets, or those only that are in a hurry.
    pub(super) fn some(&self, only_urgent: bool) -> Vec<Entry> {
        self.is_urgent.store(false, Ordering::Release);
        let urgent = std::mem::take(&mut *lock(&self.urgent));
        let entries = lock(&self.entries);
        if only_urgent {
            return urgent.iter().filter_map(|number| entries.get(number).cloned()).collect();
        }
        entries.values().cloned().collect()
    }

    /// Whether a report should not wait.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent.load(Ordering::Acquire)
    }

    /// Takes a budget off the list, while its cell is locked.
    pub(super) fn remove(&self, number: u64) {
        lock(&self.entries).remove(&number);
        lock(&self.gone).remove(&number);
    }
}
