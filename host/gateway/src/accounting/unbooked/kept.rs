//! Unbooked work as a store keeps it, so that a restart does not make it free.

use std::fmt;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Debt;
use crate::accounting::stored::StoredAnswer;
use crate::admission::budgets::KeptBudget;
use crate::auth::KeptCaller;

/// The result of a search for work; `None` if the store cannot be asked.
pub type WorkSearch = Pin<Box<dyn Future<Output = Option<Vec<WorkName>>> + Send>>;

/// Keeps work until it is booked. No method waits for anything.
pub trait WorkStore: fmt::Debug + Send + Sync {
    /// Keeps new work, as well as possible, some time later.
    fn keep(&self, work: KeptWork);

    /// Finds work with one of these ids that another process holds.
    fn held_elsewhere(&self, ids: Vec<String>) -> WorkSearch;

    /// Removes work that was given up. Booked work ends with the record of the request that books it
    /// ([`FinishedRequest::booked`](crate::accounting::request_log::FinishedRequest::booked)).
    fn give_up(&self, work: WorkName);
}

/// Names a piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkName {
    /// The tenant for which it was made.
    pub tenant: String,
    /// The provider's id for it.
    pub id: String,
}

/// A piece of work that is not booked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWork {
    /// What names it.
    pub name: WorkName,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// How to read and book it.
    pub terms: WorkTerms,
}

/// How to read work and to book it. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTerms {
    pub(crate) caller: KeptCaller,
    /// The provider that made it, the id of its target, and the number of the provider's key.
    pub(crate) provider: String,
    pub(crate) issuer: String,
    pub(crate) key: usize,
    /// The format and the operation of the request for which it was made.
    pub(crate) format: String,
    pub(crate) operation: String,
    /// The model as the client named it, and the target in the log.
    pub(crate) alias: String,
    pub(crate) target: String,
    /// What budgets have reserved for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) budgets: Vec<KeptBudget>,
}

impl KeptWork {
    /// The terms of the work that an answer with this id began.
    pub(in crate::accounting) fn of(answer: &StoredAnswer, id: &str, debt: &Debt) -> Self {
        let name = WorkName { tenant: debt.caller.tenant.to_string(), id: id.to_owned() };
        let (format, operation) = answer.made_by.as_deref().cloned().unwrap_or_default();
        let terms = WorkTerms {
            caller: KeptCaller::of(&debt.caller),
            provider: debt.issuer.provider.to_string(),
            issuer: debt.issuer.target.to_string(),
            key: debt.issuer.key,
            format,
            operation,
            alias: debt.alias.to_string(),
            target: debt.target.to_string(),
            budgets: debt.permit.kept_budgets(),
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { name, made_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), terms }
    }
}
