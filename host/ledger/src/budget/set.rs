//! All budgets: which ones a request counts against, and reservations from all of them at once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::cell::{Cell, Grant, Need, State};
use super::definition::{Budget, Limit, Scope, ScopeKind, WhenOver};
use super::error::BudgetError;
use super::lent::BudgetSharing;
use super::listed::{Entry, SharedBudgets};
use super::refusal::{Notice, Refusal};
use super::reservation::{Hold, Reservation};
use super::rows::{Correction, CountsId, Row};
use super::spend::Spend;
use super::window::Window;

/// Numbers for cells, in which order they are locked.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Who uses something, and what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owner<'a> {
    /// The id of the client key.
    pub key: Option<&'a str>,
    /// The key's team.
    pub team: Option<&'a str>,
    /// The team's organisation.
    pub organisation: Option<&'a str>,
    /// The request's tags.
    pub tags: &'a [&'a str],
    /// The model under the name that the client uses.
    pub model: Option<&'a str>,
    /// Other names that the configuration has for this model.
    pub same_models: &'a [&'a str],
    /// The provider. It is known for each attempt only: see [`Owner::attempt_at`].
    pub provider: Option<&'a str>,
    /// Whether this is an attempt of a request that has its own reservation: budgets for all requests count that one.
    pub is_attempt: bool,
}

impl<'a> Owner<'a> {
    /// An attempt at a provider, which reserves from the provider's budgets only. The request's own reservation, at all
    /// other budgets, is another one.
    pub fn attempt_at(provider: &'a str) -> Self {
        Self { provider: Some(provider), is_attempt: true, ..Self::default() }
    }
}

/// A request for a reservation.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub owner: Owner<'a>,
    /// The model that is asked for, as a budget's downgrade names it. [`Owner::model`] may be a pattern that it meets.
    pub model: Option<&'a str>,
    /// The most that the request may use. This much is reserved, or what is left of a budget.
    pub most: Spend,
    /// What must be left of every budget; the same as `most` to never exceed one.
    pub least: Spend,
    /// Whether it uses nothing but a request, whatever it is about: budgets of money and of tokens have room for it
    /// also if nothing is left of them.
    pub is_free: bool,
}

impl<'a> Request<'a> {
    /// A request that reserves all that it may use, or is refused.
    pub fn whole(owner: Owner<'a>, most: Spend) -> Self {
        Self { owner, model: owner.model, most, least: most, is_free: false }
    }
}

/// A reservation that all budgets of the chain have granted.
#[derive(Debug)]
pub struct Granted {
    /// The reserved amounts, to be settled or given back.
    pub reservation: Reservation,
    /// Warnings for the answer and events.
    pub notices: Vec<Notice>,
}

/// All budgets.
#[derive(Debug, Default)]
pub struct BudgetSet {
    pub(super) entries: Vec<Entry>,
    /// Places in [`BudgetSet::entries`] by whose use counts, in the order of [`ScopeKind`].
    by_scope: [HashMap<Arc<str>, Vec<usize>, RandomState>; ScopeKind::COUNT],
    for_all: Vec<usize>,
    pub(super) dropped: Arc<AtomicU64>,
    /// The budgets whose shares are reported.
    pub(super) listed: Arc<SharedBudgets>,
}

impl Entry {
    fn rows(&self, only_changes: bool) -> Vec<Row> {
        self.cell.lock().rows(&self.budget.name, self.cell.number, only_changes)
    }

    /// The hold on what was granted, and reserved just now.
    pub(super) fn hold(&self, state: &State, grant: &Grant) -> Hold {
        let (budget, cell, window) = (Arc::clone(&self.budget), Arc::clone(&self.cell), grant.window);
        Hold { budget, cell, window, held: grant.amount, seq: state.seq_of(window), is_booked: false }
    }

    /// The budget with its window, and what is booked and reserved there.
    pub(super) fn status(&self, now: Timestamp) -> (Arc<Budget>, Window, u64, u64) {
        let (window, settled, reserved) = self.cell.lock().used(&self.budget, now);
        (Arc::clone(&self.budget), window, settled, reserved)
    }
}

impl BudgetSet {
    /// Budgets without any use so far.
    pub fn new(budgets: Vec<Budget>) -> Result<Self, BudgetError> {
        Self::default().with(budgets)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Other budgets in place of these. Those that have the same name, unit and windows, count the use of the same and
    /// were made at the same time keep their counts, also those of requests that are running.
    pub fn with(&self, budgets: Vec<Budget>) -> Result<Self, BudgetError> {
        let mut names = HashSet::new();
        let old: HashMap<&str, &Entry> = self.entries.iter().map(|entry| (&*entry.budget.name, entry)).collect();
        let (dropped, listed) = (Arc::clone(&self.dropped), Arc::clone(&self.listed));
        let mut set = Self { dropped, listed, ..Self::default() };
        for budget in budgets {
            if !names.insert(Arc::clone(&budget.name)) {
                return Err(BudgetError::Repeated(budget.name.to_string()));
            }
            let is_same = |old: &Budget| {
                let counts_alike = old.limit.is_like(budget.limit) && old.per == budget.per && old.zone == budget.zone;
                counts_alike && old.scope == budget.scope && old.made == budget.made
            };
            let kept = old.get(&*budget.name).filter(|entry| is_same(&entry.budget));
            let cell = kept.map_or_else(
                || Arc::new(Cell::new(NUMBERS.fetch_add(1, Ordering::Relaxed))),
                |entry| Arc::clone(&entry.cell),
            );
            let at = set.entries.len();
            match &budget.scope {
                Scope::All => set.for_all.push(at),
                Scope::Of(kind, name) => {
                    if let Some(by_name) = set.by_scope.get_mut(*kind as usize) {
                        by_name.entry(Arc::clone(name)).or_default().push(at);
                    }
                }
            }
            set.entries.push(Entry { budget: Arc::new(budget), cell });
        }
        set.listed.replace(&set.entries);
        Ok(set)
    }

    /// The budgets that count something, from the narrowest scope to the widest.
    pub(super) fn chain(&self, owner: &Owner<'_>) -> Vec<&Entry> {
        let mut places: Vec<usize> = Vec::new();
        let mut add = |kind: ScopeKind, name: Option<&str>| {
            let by_name = self.by_scope.get(kind as usize).filter(|by_name| !by_name.is_empty());
            if let Some(found) = name.and_then(|name| by_name?.get(name)) {
                places.extend_from_slice(found);
            }
        };
        add(ScopeKind::Key, owner.key);
        owner.tags.iter().for_each(|tag| add(ScopeKind::Tag, Some(tag)));
        add(ScopeKind::Team, owner.team);
        add(ScopeKind::Organisation, owner.organisation);
        owner.model.iter().chain(owner.same_models).for_each(|model| add(ScopeKind::Model, Some(model)));
        add(ScopeKind::Provider, owner.provider);
        if !owner.is_attempt {
            places.extend_from_slice(&self.for_all);
        }
        // A tag may stand twice in a request.
        if owner.tags.len() > 1 {
            let mut seen = HashSet::new();
            places.retain(|at| seen.insert(*at));
        }
        places.iter().filter_map(|at| self.entries.get(*at)).collect()
    }

    /// Reserves from all budgets of the owner, or from none. A refusal names a budget that refuses outright before one
    /// that names another model.
    pub fn reserve(&self, request: &Request<'_>, now: Timestamp) -> Result<Granted, Box<Refusal>> {
        self.reserve_on(request, now, &BudgetSharing::Alone)
    }

    /// Reserves on budgets that other nodes share, too. A refusal with [`Refusal::may_ask`] is not final.
    pub fn reserve_on(
        &self,
        request: &Request<'_>,
        now: Timestamp,
        sharing: &BudgetSharing,
    ) -> Result<Granted, Box<Refusal>> {
        let mut chain = self.chain(&request.owner);
        chain.sort_by_key(|entry| entry.cell.number);
        let mut states: Vec<_> = chain.iter().map(|entry| entry.cell.lock()).collect();
        let Request { most, least, model, is_free, .. } = request;
        let need = Need { most, least, model: *model, is_free: *is_free };
        let check = |(entry, state): (&&Entry, &mut MutexGuard<'_, State>)| {
            self.listed.add(entry, state, sharing);
            state.check(&entry.budget, need, now, sharing)
        };
        let checked: Vec<Result<Grant, Box<Refusal>>> = chain.iter().zip(&mut states).map(check).collect();
        let refusals = checked.iter().filter_map(|checked| checked.as_ref().err());
        if let Some(refusal) = refusals.reduce(|old, new| if new.is_before(old) { new } else { old }) {
            // Where one budget refuses outright, nothing is asked for at the others: it would be leased in vain.
            if refusal.may_ask {
                for (state, checked) in states.iter_mut().zip(&checked) {
                    match checked {
                        Ok(grant) => state.wants(grant),
                        Err(refusal) => state.lacks(refusal),
                    }
                }
                self.listed.hurry(&chain);
            }
            return Err(refusal.clone());
        }
        let (mut holds, mut notices) = (Vec::new(), Vec::new());
        for ((entry, state), grant) in chain.iter().zip(&mut states).zip(checked.iter().flatten()) {
            notices.extend(state.reserve(&entry.budget, grant));
            self.listed.took(entry, state, grant, sharing);
            holds.push(entry.hold(state, grant));
        }
        drop(states);
        Ok(Granted { reservation: Reservation::new(holds, Arc::clone(&self.dropped)), notices })
    }

    /// Whether any budget of this owner is in dollars; `None` if it has no budget.
    pub fn counts_money(&self, owner: &Owner<'_>) -> Option<bool> {
        let chain = self.chain(owner);
        let counts = chain.iter().any(|entry| matches!(entry.budget.limit, Limit::Usd(_)));
        (!chain.is_empty()).then_some(counts)
    }

    /// The first budget of this owner that refuses what it has no room for.
    pub fn enforcing(&self, owner: &Owner<'_>) -> Option<Arc<str>> {
        let refuses = |entry: &&&Entry| entry.budget.when_over != WhenOver::Notify;
        self.chain(owner).iter().find(refuses).map(|entry| Arc::clone(&entry.budget.name))
    }

    /// The first budget of any model that refuses what it has no room for.
    pub fn enforcing_a_model(&self) -> Option<Arc<str>> {
        let of_models = self.by_scope.get(ScopeKind::Model as usize)?.values().flatten();
        let mut budgets = of_models.filter_map(|at| Some(&self.entries.get(*at)?.budget));
        budgets.find(|budget| budget.when_over != WhenOver::Notify).map(|budget| Arc::clone(&budget.name))
    }

    /// Each budget with its window, and what is booked and reserved there.
    pub fn status(&self, now: Timestamp) -> Vec<(Arc<Budget>, Window, u64, u64)> {
        self.entries.iter().map(|entry| entry.status(now)).collect()
    }

    /// How many reservations were dropped without an end. Each is a mistake of the caller or a cancelled task.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The rows that changed since the last call, to be stored.
    pub fn changes(&self) -> Vec<Row> {
        self.entries.iter().flat_map(|entry| entry.rows(true)).collect()
    }

    /// All rows.
    pub fn snapshot(&self) -> Vec<Row> {
        self.entries.iter().flat_map(|entry| entry.rows(false)).collect()
    }

    /// Takes rows back that could not be stored: the next [`BudgetSet::changes`] has newer ones.
    pub fn give_back(&self, rows: &[Row]) {
        for row in rows {
            if let Some(entry) = self.entries.iter().find(|entry| entry.budget.name == row.budget) {
                entry.cell.lock().give_back(row);
            }
        }
    }

    /// Takes over the rows of an earlier process, in any order, before the first request. What was reserved then is
    /// booked. Rows of budgets that are gone are left out. `node` is the name under which that process shared its
    /// budgets.
    pub fn restore(&self, rows: &[Row], node: Option<&str>) {
        let mut latest: HashMap<(&str, i64), &Row> = HashMap::new();
        for row in rows {
            let known = latest.entry((&row.budget, row.start)).or_insert(row);
            if row.is_after(known) {
                *known = row;
            }
        }
        let entries: HashMap<&str, &Entry> = self.entries.iter().map(|entry| (&*entry.budget.name, entry)).collect();
        for ((name, _), row) in latest {
            if let Some(entry) = entries.get(name) {
                entry.cell.lock().restore(row, node);
            }
        }
        if node.is_some() {
            // What the earlier process had not reported counts for the other nodes also before a request comes.
            self.listed.repeat();
        }
    }

    /// Takes in what other processes that keep the same rows have counted. Budgets that are gone are left out. Returns
    /// which counts have it now, for each.
    pub fn correct(&self, corrections: &[Correction]) -> Vec<Option<CountsId>> {
        if corrections.is_empty() {
            return Vec::new();
        }
        let entries: HashMap<&str, &Entry> = self.entries.iter().map(|entry| (&*entry.budget.name, entry)).collect();
        let correct = |correction: &Correction| {
            let cell = &entries.get(&*correction.budget)?.cell;
            Some(CountsId { cell: cell.number, made: cell.lock().correct(correction) })
        };
        corrections.iter().map(correct).collect()
    }
}
