//! Stored answers that are not booked yet, or not as a whole: they are made in the background, or were left before their
//! end. Each is booked once, when its client reads it finished. Bounded, in memory; ids are kept as hashes.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use crate::admission::AdmissionPermit;
use crate::admission::budgets::Charge;
use crate::observe::metrics::Book;
use crate::pricing::{Pricing, Tariff};
use weir_types::tokens::Tokens;
use weir_wire::tap::CompiledTap;

/// The most answers that are kept.
const ANSWERS: usize = 8192;

/// What is still to be booked for an answer.
#[derive(Debug)]
pub(super) struct Debt {
    /// What the target that made it charges.
    pub(super) tariff: Tariff,
    /// The target's prices, if only the finished answer tells the model.
    pub(super) pricing: Option<Pricing>,
    /// The metrics of the request that had it made.
    pub(super) book: Arc<Book>,
    /// The model as that request named it, and the target.
    pub(super) alias: Arc<str>,
    pub(super) target: Arc<str>,
    /// What budgets have reserved for it. If it is never read, all of it stays booked.
    pub(super) permit: AdmissionPermit,
    /// What is to be booked of that already.
    pub(super) charges: Vec<Charge>,
    /// The tokens that were booked when it was made, by estimate.
    pub(super) booked: Tokens,
    /// The estimated input, if none of it is booked: an answer that ends without a report of its usage is estimated.
    pub(super) input: Option<u32>,
}

/// What is known of one answer.
#[derive(Debug, Clone)]
struct Entry {
    /// Where its format reports its usage.
    tap: CompiledTap,
    /// `None` once it is taken.
    debt: Arc<Mutex<Option<Box<Debt>>>>,
}

/// The answers that are not booked yet, by the tenant that had them made and their ids.
#[derive(Debug)]
pub(crate) struct Unbooked {
    answers: Cache<u128, Entry>,
    hashers: [RandomState; 2],
}

impl Default for Unbooked {
    fn default() -> Self {
        Self { answers: Cache::new(ANSWERS), hashers: [RandomState::new(), RandomState::new()] }
    }
}

impl Unbooked {
    /// Keeps what is to be booked for an answer.
    pub(super) fn keep(&self, tenant: &str, id: &[u8], tap: CompiledTap, debt: Debt) {
        let debt = Arc::new(Mutex::new(Some(Box::new(debt))));
        self.answers.insert(self.key(tenant, id), Entry { tap, debt });
    }

    /// Where the usage of an answer is reported, if it is not booked yet.
    pub(super) fn tap(&self, tenant: &str, id: &[u8]) -> Option<CompiledTap> {
        self.answers.get(&self.key(tenant, id)).map(|entry| entry.tap)
    }

    /// Takes what is to be booked for an answer: only one of several that read it gets it.
    pub(super) fn take(&self, tenant: &str, id: &[u8]) -> Option<Box<Debt>> {
        let (_, entry) = self.answers.remove(&self.key(tenant, id))?;
        entry.debt.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn key(&self, tenant: &str, id: &[u8]) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one((tenant, id)));
        u128::from(high) << 64 | u128::from(low)
    }
}
