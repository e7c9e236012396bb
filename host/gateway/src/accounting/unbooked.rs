//! Stored answers that are not booked yet, or not completely: they are made in the background, as batches are, or their
//! client left early. Each is booked once, when its client or Weir itself first reads it finished. Bounded, in memory;
//! a store may keep the batches among them for the next process.

mod debts;
mod kept;
mod passing;
mod removal;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use prometheus::{IntCounterVec, Opts};

use self::debts::{Debts, Entry, LIFETIME};
pub use self::kept::{KeptWork, WorkName, WorkSearch, WorkStore, WorkTerms};
use self::passing::Passing;
pub(crate) use self::passing::PassingAnswer;
use super::earlier::EarlierInput;
use super::stored::StoredAnswer;
use crate::admission::AdmissionPermit;
use crate::admission::budgets::Charge;
use crate::auth::Caller;
use crate::observe::metrics::{Book, Metrics};
use crate::pricing::{Pricing, Tariff};
use crate::provenance::Issuer;
use crate::serving::Stored;
use weir_types::tokens::Tokens;
use weir_wire::tap::CompiledTap;

/// The most answers that are kept, and the most other work, such as batches. Each has room of its own: an answer that
/// is forgotten stays booked as it was reserved, but for a batch that may be too little, or nothing.
const KEPT: usize = 8192;
/// The most work of one tenant. A request that would begin more, or more than may be kept at all, is refused before it
/// is sent.
const OF_TENANT: usize = KEPT / 2;
/// How much more work is kept if its requests were sent before others were refused.
const ON_ITS_WAY: usize = 1024;

/// What is still to be booked for an answer.
#[derive(Debug)]
pub(super) struct Debt {
    /// The caller for whom it was made.
    pub(super) caller: Caller,
    /// The provider and key that made it.
    pub(super) issuer: Issuer,
    /// The prices of the target that made it.
    pub(super) tariff: Tariff,
    /// The prices of all models of the target, if it is work: the results name their models, unless the request named
    /// one for all.
    pub(super) pricing: Option<Pricing>,
    /// The metrics of the request for which it was made.
    pub(super) book: Arc<Book>,
    /// The model as the client named it.
    pub(super) alias: Arc<str>,
    pub(super) target: Arc<str>,
    /// What budgets have reserved for it. If it is never read, all of it stays booked.
    pub(super) permit: AdmissionPermit,
    /// The charges that are to be booked already.
    pub(super) charges: Vec<Charge>,
    /// The estimated tokens that were booked when it was made.
    pub(super) booked: Tokens,
    /// The estimated input, if none of it is booked. It counts if the answer ends without reporting its usage.
    pub(super) input: Option<u32>,
}

/// What is still to be booked for work that an earlier process began.
#[derive(Debug)]
pub(crate) struct OldDebt {
    pub(crate) caller: Caller,
    pub(crate) issuer: Issuer,
    /// The target's current prices.
    pub(crate) tariff: Tariff,
    pub(crate) pricing: Pricing,
    pub(crate) book: Arc<Book>,
    /// The model as the client named it.
    pub(crate) alias: Arc<str>,
    pub(crate) target: Arc<str>,
    /// What budgets have reserved for it.
    pub(crate) permit: AdmissionPermit,
}

impl From<OldDebt> for Debt {
    fn from(OldDebt { caller, issuer, tariff, pricing, book, alias, target, permit }: OldDebt) -> Self {
        let (pricing, booked) = (Some(pricing), Tokens::default());
        Self { caller, issuer, tariff, pricing, book, alias, target, permit, charges: Vec::new(), booked, input: None }
    }
}

impl Debt {
    /// Whether it is for work, such as a batch, whose content only its provider knows.
    fn is_work(&self) -> bool {
        self.pricing.is_some()
    }

    /// The name of the work with this id; `None` if the debt is not for work.
    pub(super) fn work(&self, id: &str) -> Option<WorkName> {
        let name = || WorkName { tenant: self.caller.tenant.to_string(), id: id.to_owned() };
        self.is_work().then(name)
    }

    /// Sets the model that the answer names as its maker. If only the answer names the model, that model's price
    /// applies.
    pub(super) fn set_model(&mut self, model: &str) {
        let tariff = match &self.pricing {
            Some(pricing) if self.alias.is_empty() => pricing.tariff(model),
            // An earlier result may have named another model.
            Some(pricing) => pricing.tariff(self.tariff.model()),
            None => self.tariff.clone(),
        };
        self.tariff = tariff.served_by(model);
    }
}

/// An answer that no client has read finished yet.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) id: String,
    /// Reads the usage in its format.
    pub(crate) tap: CompiledTap,
    /// The caller for whom it was made.
    pub(crate) caller: Caller,
    pub(crate) issuer: Issuer,
    /// The model as the client named it.
    pub(crate) alias: Arc<str>,
    /// The kind of request that reads it.
    pub(crate) read_by: Stored,
    /// Whether budgets have reserved anything for it.
    pub(crate) is_reserved: bool,
}

/// Why an answer was dropped without being booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DropReason {
    /// There was no room for it.
    Room,
    /// Its provider does not have it.
    Gone,
    /// It was not finished, or could not be read, for as long as Weir asks.
    Old,
}

impl DropReason {
    const ALL: [Self; 3] = [Self::Room, Self::Gone, Self::Old];

    /// The reason's name in metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Gone => "gone",
            Self::Old => "old",
        }
    }
}

/// The answers that are not booked yet, by tenant and id.
#[derive(Debug)]
pub(crate) struct Unbooked {
    answers: Mutex<Debts>,
    work: Mutex<Debts>,
    dropped: IntCounterVec,
    /// Keeps the work for the next process.
    store: OnceLock<Arc<dyn WorkStore>>,
    /// Until when no other process books the store's work; `None` if none ever can.
    held_until: Mutex<Option<Instant>>,
    /// Answers that are passing to their clients, so that it is not known yet what is to be booked for them.
    passing: Passing,
    /// How many tokens answers add to the input of later requests.
    pub(crate) earlier: EarlierInput,
    /// Locked while work is read for the ids of its results.
    sweeping: tokio::sync::Mutex<()>,
}

impl Unbooked {
    /// No answers.
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let dropped = Opts::new(
            "weir_unbooked_dropped_total",
            "Stored answers and batches that Weir gave up before they were booked",
        );
        let dropped = IntCounterVec::new(dropped, &["reason"])?;
        metrics.registry().register(Box::new(dropped.clone()))?;
        // The counters begin with 0, so that the first drop shows as an increase.
        for reason in DropReason::ALL {
            dropped.with_label_values(&[reason.as_str()]).inc_by(0);
        }
        Ok(Self {
            answers: Mutex::default(),
            work: Mutex::default(),
            dropped,
            store: OnceLock::new(),
            held_until: Mutex::default(),
            passing: Passing::default(),
            earlier: EarlierInput::default(),
            sweeping: tokio::sync::Mutex::default(),
        })
    }

    /// Keeps what is to be booked for an answer.
    pub(super) fn keep(&self, id: &str, answer: &StoredAnswer, debt: Debt) {
        let place = if debt.is_work() { &self.work } else { &self.answers };
        if let Some(store) = self.store.get().filter(|_| debt.is_work()) {
            store.keep(KeptWork::of(answer, id, &debt));
        }
        self.insert(place, Entry::new(id, answer.tap.clone(), debt, Instant::now()));
    }

    fn insert(&self, place: &Mutex<Debts>, entry: Entry) {
        let most = if entry.debt.is_work() { KEPT + ON_ITS_WAY } else { KEPT };
        let evicted = lock(place).insert(entry, most);
        if let Some(entry) = evicted {
            self.give_up(&entry, DropReason::Room);
        }
    }

    /// Keeps work in a store from now on. A store that is set later is ignored.
    pub(crate) fn keep_work_in(&self, store: Arc<dyn WorkStore>) {
        if self.store.set(store).is_err() {
            tracing::error!("work is kept in a store already");
        }
    }

    /// Whether a store keeps the work.
    pub(crate) fn is_kept(&self) -> bool {
        self.store.get().is_some()
    }

    /// Sets which of the store's work this process holds until `until`. Work that it holds no longer is booked by
    /// another process.
    pub(crate) fn hold(&self, names: &HashSet<WorkName>, until: Option<Instant>) {
        let is_held =
            |tenant: &str, id: &str| names.contains(&WorkName { tenant: tenant.to_owned(), id: id.to_owned() });
        let lost = lock(&self.work).note_kept(is_held);
        if lost > 0 {
            tracing::warn!(
                batches = lost,
                "another node books these batches: this one could not reach the store in time"
            );
        }
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// How much more work can be kept.
    pub(crate) fn room_for_work(&self) -> usize {
        KEPT.saturating_sub(self.work())
    }

    /// Whether a tenant may begin more work. Work that cannot be remembered could not be booked.
    pub(crate) fn may_begin_work(&self, tenant: &str) -> bool {
        let work = lock(&self.work);
        work.len() < KEPT && work.len_of(tenant) < OF_TENANT
    }

    /// Whether work of this age is too old for Weir to ask for it.
    pub(crate) fn is_over(age: Duration) -> bool {
        age >= LIFETIME
    }

    /// Keeps what is to be booked for work of this age that the store has.
    pub(crate) fn owe_again(&self, id: &str, tap: CompiledTap, debt: OldDebt, age: Duration) {
        self.insert(&self.work, Entry::kept(id, tap, debt.into(), Instant::now(), age));
    }

    /// Gives up kept work that could never be read.
    pub(crate) fn give_up_kept(&self, KeptWork { name, terms, .. }: &KeptWork) {
        self.note_drop(&terms.caller.id, &terms.target, true, DropReason::Old);
        self.ended(name.clone());
    }

    /// Removes work from the store.
    pub(super) fn ended(&self, work: WorkName) {
        if let Some(store) = self.store.get() {
            store.give_up(work);
        }
    }

    /// The tap for an answer's usage, if it is not booked yet.
    pub(crate) fn tap(&self, tenant: &str, id: &str) -> Option<CompiledTap> {
        self.places().find_map(|place| Some(lock(place).get(tenant, id)?.tap.clone()))
    }

    /// Notes the id by which the results of a tenant's work are read.
    pub(crate) fn note_results(&self, tenant: &str, id: &str, results: &str) {
        lock(&self.work).note_results(tenant, id, results);
    }

    /// The id of the tenant's unbooked work whose results have this id.
    pub(crate) fn work_of_results(&self, tenant: &str, results: &str) -> Option<Arc<str>> {
        lock(&self.work).of_results(tenant, results)
    }

    /// Takes what is to be booked for an answer. If several requests read the answer, only one gets it. While it is
    /// unknown whether another process books it, it stays: a later read books it.
    pub(super) fn take(&self, tenant: &str, id: &str) -> Option<Box<Debt>> {
        let until = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = until.is_none_or(|until| Instant::now() < until);
        self.places().find_map(|place| {
            let mut debts = lock(place);
            debts.get(tenant, id).filter(|entry| is_held || !entry.is_kept)?;
            Some(debts.remove(tenant, id)?.debt)
        })
    }

    /// The answers that Weir is to read now, at most so many. Weir reads each first when no client has done so for the
    /// time `first`, and then at growing intervals. Tenants take turns.
    pub(crate) fn due(&self, now: Instant, first: Duration, most: usize) -> Vec<Unread> {
        let old = self.places().flat_map(|place| lock(place).remove_old(now)).collect::<Vec<_>>();
        for entry in &old {
            self.give_up(entry, DropReason::Old);
        }
        let due = |place| lock(place).due(now, first).into_iter().map(move |turn| (turn, place));
        let mut all: Vec<_> = self.places().flat_map(due).collect();
        all.sort_unstable_by_key(|(turn, _)| (turn.rank, turn.at));
        all.truncate(most);
        all.into_iter().filter_map(|(turn, place)| lock(place).ask(&turn, now)).collect()
    }

    /// Has a tenant's batches read soon, since the tenant asks for other stored objects, which may be their results.
    /// None is read more often than after the first interval.
    pub(crate) fn hurry(&self, tenant: &str) {
        lock(&self.work).hurry(tenant);
    }

    /// Forgets an answer that its provider no longer has.
    pub(crate) fn forget(&self, unread: &Unread) {
        let entry = self.places().find_map(|place| lock(place).remove(&unread.caller.tenant, &unread.id));
        if let Some(entry) = entry {
            self.give_up(&entry, DropReason::Gone);
        }
    }

    /// The number of batches and other work.
    pub(crate) fn work(&self) -> usize {
        lock(&self.work).len()
    }

    fn give_up(&self, entry: &Entry, reason: DropReason) {
        let Debt { caller, target, .. } = &*entry.debt;
        self.note_drop(caller.label(), target, entry.debt.is_work(), reason);
        if let Some(work) = entry.debt.work(&entry.id) {
            self.ended(work);
        }
    }

    fn note_drop(&self, client: &str, upstream: &str, is_batch: bool, reason: DropReason) {
        let reason = reason.as_str();
        self.dropped.with_label_values(&[reason]).inc();
        tracing::warn!(
            client,
            upstream,
            is_batch,
            reason,
            "a stored answer will not be booked: what is reserved for it stays booked"
        );
    }

    fn places(&self) -> impl Iterator<Item = &Mutex<Debts>> {
        [&self.work, &self.answers].into_iter()
    }
}

fn lock(place: &Mutex<Debts>) -> MutexGuard<'_, Debts> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
