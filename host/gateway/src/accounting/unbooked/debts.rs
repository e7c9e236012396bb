//! The unbooked answers of one kind, and when Weir reads each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Debt, Unread};
use crate::serving::Stored;
use weir_wire::tap::CompiledTap;

/// The longest time between two reads of an answer by Weir.
const MAX_WAIT: Duration = Duration::from_mins(30);
/// How long Weir asks for an answer. Batches take a day at most.
pub(super) const LIFETIME: Duration = Duration::from_hours(48);
/// After so many doublings the interval does not grow any more.
const DOUBLINGS: u32 = 20;

/// An unbooked answer.
#[derive(Debug)]
pub(super) struct Entry {
    /// Reads the usage in its format.
    pub(super) tap: CompiledTap,
    pub(super) debt: Box<Debt>,
    pub(super) id: Arc<str>,
    /// The id by which its results are read, if that is another one and is known.
    results: Option<Arc<str>>,
    /// Whether the store has it, so that another process may come to hold it.
    pub(super) is_kept: bool,
    /// When Weir stops asking for it.
    ends: Instant,
    /// When Weir last asked for it or, before that, when it was made.
    asked: Instant,
    /// How often the interval has doubled.
    doublings: u32,
    /// When it was last read because a request was about to remove something.
    swept: Option<Instant>,
    /// Counts up in the order in which entries were added.
    number: u64,
}

impl Entry {
    pub(super) fn new(id: &str, tap: CompiledTap, debt: Debt, now: Instant) -> Self {
        let (debt, id) = (Box::new(debt), Arc::from(id));
        let ends = now + LIFETIME;
        Self { tap, debt, id, results: None, is_kept: false, ends, asked: now, doublings: 0, swept: None, number: 0 }
    }

    /// An entry for work that the store has kept for this long.
    pub(super) fn kept(id: &str, tap: CompiledTap, debt: Debt, now: Instant, age: Duration) -> Self {
        Self { is_kept: true, ends: now + LIFETIME.saturating_sub(age), ..Self::new(id, tap, debt, now) }
    }

    /// Whether a request names it, or its results.
    fn is_named(&self, is_in: impl Fn(&str) -> bool) -> bool {
        is_in(&self.id) || self.results.as_deref().is_some_and(is_in)
    }

    /// The facts that reading it takes.
    fn unread(&self) -> Unread {
        let Debt { caller, issuer, alias, permit, .. } = &*self.debt;
        Unread {
            id: self.id.to_string(),
            tap: self.tap.clone(),
            caller: caller.clone(),
            issuer: issuer.clone(),
            alias: Arc::clone(alias),
            read_by: if self.debt.is_work() { Stored::Work } else { Stored::Answer },
            is_reserved: permit.has_budgets(),
        }
    }

    /// When Weir reads it next.
    fn due(&self, first: Duration) -> Instant {
        self.asked + first.saturating_mul(1 << self.doublings).min(MAX_WAIT.max(first))
    }
}

/// An answer that is due to be read.
#[derive(Debug)]
pub(super) struct DueDebt {
    tenant: Arc<str>,
    id: Arc<str>,
    /// How many of its tenant's answers are due before it.
    pub(super) rank: usize,
    pub(super) at: Instant,
}

/// The answers by tenant and id.
#[derive(Debug, Default)]
pub(super) struct Debts {
    by_tenant: HashMap<Arc<str>, HashMap<Arc<str>, Entry>>,
    count: usize,
    made: u64,
}

impl Debts {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The number of a tenant's answers.
    pub(super) fn len_of(&self, tenant: &str) -> usize {
        self.by_tenant.get(tenant).map_or(0, HashMap::len)
    }

    /// Adds an answer. If there are then more than `most`, the oldest answer of the tenant that has most is removed and
    /// returned, so that no tenant takes the room of one that needs less.
    pub(super) fn insert(&mut self, entry: Entry, most: usize) -> Option<Entry> {
        self.made += 1;
        let (tenant, entry) = (Arc::clone(&entry.debt.caller.tenant), Entry { number: self.made, ..entry });
        if self.by_tenant.entry(tenant).or_default().insert(Arc::clone(&entry.id), entry).is_none() {
            self.count += 1;
        }
        if self.count <= most {
            return None;
        }
        let (tenant, own) = self.by_tenant.iter().max_by_key(|(_, own)| own.len())?;
        let (id, _) = own.iter().min_by_key(|(_, entry)| entry.number)?;
        let (tenant, id) = (Arc::clone(tenant), Arc::clone(id));
        self.remove(&tenant, &id)
    }

    pub(super) fn get(&self, tenant: &str, id: &str) -> Option<&Entry> {
        self.by_tenant.get(tenant)?.get(id)
    }

    pub(super) fn remove(&mut self, tenant: &str, id: &str) -> Option<Entry> {
        let own = self.by_tenant.get_mut(tenant)?;
        let entry = own.remove(id)?;
        if own.is_empty() {
            self.by_tenant.remove(tenant);
        }
        self.count -= 1;
        Some(entry)
    }

    /// Removes and returns the answers that are too old for Weir to ask for them.
    pub(super) fn remove_old(&mut self, now: Instant) -> Vec<Entry> {
        self.remove_if(|_, entry| now >= entry.ends)
    }

    /// Removes and returns the answers for which `is_so` holds, given their tenant.
    fn remove_if(&mut self, mut is_so: impl FnMut(&str, &mut Entry) -> bool) -> Vec<Entry> {
        let mut removed = Vec::new();
        for (tenant, own) in &mut self.by_tenant {
            removed.extend(own.extract_if(|_, entry| is_so(tenant, entry)).map(|(_, entry)| entry));
        }
        if !removed.is_empty() {
            self.by_tenant.retain(|_, own| !own.is_empty());
            self.count -= removed.len();
        }
        removed
    }

    /// Marks the answers for which `is_held` holds as kept by the store. Others that the store had belong to another
    /// process now, and are forgotten.
    pub(super) fn note_kept(&mut self, is_held: impl Fn(&str, &str) -> bool) -> usize {
        let is_lost = |tenant: &str, entry: &mut Entry| {
            let is_held = is_held(tenant, &entry.id);
            let was_kept = entry.is_kept;
            entry.is_kept |= is_held;
            was_kept && !is_held
        };
        self.remove_if(is_lost).len()
    }

    /// The debts that are to be read now.
    pub(super) fn due(&self, now: Instant, first: Duration) -> Vec<DueDebt> {
        let mut all = Vec::new();
        for (tenant, own) in &self.by_tenant {
            let mut due: Vec<_> = own.iter().map(|(id, entry)| (entry.due(first), id)).collect();
            due.retain(|(at, _)| *at <= now);
            due.sort_unstable();
            let turn = |(rank, (at, id)): (usize, (Instant, &Arc<str>))| DueDebt {
                tenant: Arc::clone(tenant),
                id: Arc::clone(id),
                rank,
                at,
            };
            all.extend(due.into_iter().enumerate().map(turn));
        }
        all
    }

    /// Notes that Weir asks for an answer, and returns the facts that reading it takes; `None` if it was booked
    /// meanwhile.
    pub(super) fn ask(&mut self, turn: &DueDebt, now: Instant) -> Option<Unread> {
        let entry = self.by_tenant.get_mut(&turn.tenant)?.get_mut(&turn.id)?;
        entry.asked = now;
        entry.doublings = (entry.doublings + 1).min(DOUBLINGS);
        Some(entry.unread())
    }

    /// Notes the id by which the results of an answer are read.
    pub(super) fn note_results(&mut self, tenant: &str, id: &str, results: &str) {
        let entry = self.by_tenant.get_mut(tenant).and_then(|own| own.get_mut(id));
        if let Some(entry) = entry.filter(|entry| entry.results.as_deref() != Some(results)) {
            entry.results = Some(Arc::from(results));
        }
    }

    /// The id of the answer whose results have this id.
    pub(super) fn of_results(&self, tenant: &str, results: &str) -> Option<Arc<str>> {
        let own = self.by_tenant.get(tenant)?;
        own.values().find(|entry| entry.results.as_deref() == Some(results)).map(|entry| Arc::clone(&entry.id))
    }

    /// The answers that a request names, by their ids or those of their results; each with whether it is this tenant's.
    pub(super) fn named(&self, tenant: &str, is_in: impl Fn(&str) -> bool) -> Vec<(Unread, bool)> {
        let mut named = Vec::new();
        for (owner, own) in &self.by_tenant {
            let unread = own.values().filter(|entry| entry.is_named(&is_in)).map(Entry::unread);
            named.extend(unread.map(|unread| (unread, **owner == *tenant)));
        }
        named
    }

    /// The answers whose results may have an unknown id, and that were not read since this time.
    pub(super) fn without_results(&self, since: Instant, is_wanted: impl Fn(&Unread) -> bool) -> Vec<Unread> {
        let all = self.by_tenant.values().flat_map(HashMap::values);
        let left = all.filter(|entry| entry.results.is_none() && entry.swept.is_none_or(|swept| swept < since));
        left.map(Entry::unread).filter(is_wanted).collect()
    }

    /// Notes when an answer was read before a removal.
    pub(super) fn note_swept(&mut self, tenant: &str, id: &str, at: Instant) {
        if let Some(entry) = self.by_tenant.get_mut(tenant).and_then(|own| own.get_mut(id)) {
            entry.swept = Some(at);
        }
    }

    /// Resets the intervals of a tenant's answers to the first one.
    pub(super) fn hurry(&mut self, tenant: &str) {
        let own = self.by_tenant.get_mut(tenant).into_iter().flat_map(HashMap::values_mut);
        own.for_each(|entry| entry.doublings = 0);
    }
}
