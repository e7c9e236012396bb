//! Stored answers that are passing to their clients. What is to be booked for them is known when they have ended.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Unbooked;

/// The answers, as hashes of their tenants and ids, with how often each passes.
#[derive(Debug, Default)]
pub(super) struct Passing {
    answers: Mutex<HashMap<u64, usize>>,
    hasher: RandomState,
}

impl Passing {
    fn key(&self, tenant: &str, id: &str) -> u64 {
        self.hasher.hash_one((tenant, id))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Whether a tenant's answer passes.
    pub(super) fn has(&self, tenant: &str, id: &str) -> bool {
        self.lock().contains_key(&self.key(tenant, id))
    }
}

/// An answer that passes until this is dropped.
#[derive(Debug)]
pub(crate) struct PassingAnswer {
    unbooked: Arc<Unbooked>,
    key: u64,
}

impl PassingAnswer {
    /// Notes that a tenant's answer with this id begins to pass.
    pub(in crate::accounting) fn begin(unbooked: &Arc<Unbooked>, tenant: &str, id: &str) -> Self {
        let key = unbooked.passing.key(tenant, id);
        *unbooked.passing.lock().entry(key).or_default() += 1;
        Self { unbooked: Arc::clone(unbooked), key }
    }
}

impl Drop for PassingAnswer {
    fn drop(&mut self) {
        let mut answers = self.unbooked.passing.lock();
        let Some(count) = answers.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            answers.remove(&self.key);
        }
    }
}
