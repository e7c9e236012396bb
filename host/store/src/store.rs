//! What every store can do, whatever it is built on.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::audit::{AuditEntry, AuditEvent, ChainCheck};
use crate::batch::Batch;
use crate::body::Side;
use crate::budget_counts::{BudgetAnswer, BudgetExchange};
use crate::documents::{Change, Changes, Document, MAX_DOCUMENTS};
use crate::erase::ErasureSubject;
use crate::error::StoreError;
use crate::fact::Fact;
use crate::id::{Day, RequestId};
use crate::ledger::{LedgerKey, LedgerQuery, LedgerSums, MoneyFlush};
use crate::object_owners::ObjectOwner;
use crate::open_work::{HeldWork, WorkHold, WorkKey};
use crate::query::{Gap, KeySum, Page, Query};
use crate::request_files::RequestFile;
use crate::retention::{DaySize, Retention};
use crate::stored_row::StoredRow;
use crate::usage::{UsageQuery, UsageSum};

/// A store. Its calls block for as long as the disk or the database takes: they belong on threads of their own
/// (`spawn_blocking`), and nothing on a request's path may wait for one.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Whether the calling thread does the store's work itself, and does not only wait for a server.
    fn is_in_process(&self) -> bool {
        false
    }

    /// Writes facts and bodies: those of one day all or none. Repeating a batch does no harm.
    fn append(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Facts that meet a query, newest first.
    fn search(&self, query: &Query) -> Result<Page, StoreError>;

    /// The fact of one request.
    fn fact(&self, id: &RequestId) -> Result<Option<Fact>, StoreError> {
        let query = Query { id: Some(*id), limit: 1, ..Query::default() };
        Ok(self.search(&query)?.facts.pop())
    }

    /// A request's body, as it was given.
    fn body(&self, id: &RequestId, side: Side) -> Result<Option<Vec<u8>>, StoreError>;

    /// What a key used from a time to another, both rounded down to hours.
    fn key_sum(&self, key: &str, from_ms: u64, to_ms: u64) -> Result<KeySum, StoreError>;

    /// The facts that are missing on a day, by process.
    fn gaps(&self, day: Day) -> Result<Vec<Gap>, StoreError>;

    /// Removes facts with their bodies and all pieces that no other body needs. Sums of use stay. Returns how many
    /// facts were removed. What is removed stays removed if it fails on the way.
    fn erase(&self, subject: &ErasureSubject) -> Result<u64, StoreError>;

    /// The days that the log has, oldest first.
    fn days(&self) -> Result<Vec<DaySize>, StoreError>;

    /// The time, in milliseconds since 1970, by the clock that all processes of the store have in common: this
    /// machine's, where all of them are on it.
    fn clock_ms(&self) -> Result<u64, StoreError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Removes the days of the log that end, and returns them. Sums by the hour before [`crate::first_hour_kept`], and
    /// counts of budgets in windows that ended long ago, end too, and what was read of files of requests after a month.
    fn retain(&self, now_ms: u64, retention: &Retention) -> Result<Vec<Day>, StoreError>;

    /// Adds sums of use, all or none, with the changes of work that is not booked yet. Durable when it returns.
    fn flush_money(&self, flush: &MoneyFlush) -> Result<(), StoreError>;

    /// Sums of use by the hour, as far as they are kept: see [`crate::first_hour_kept`].
    fn ledger(&self, query: &LedgerQuery) -> Result<Vec<(LedgerKey, LedgerSums)>, StoreError>;

    /// Use put together by key, model, provider or day: exactly what the sums by the hour came to.
    fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageSum>, StoreError>;

    /// Holds the process's work that is not booked yet for some time more, and takes work that no process holds.
    fn hold_work(&self, hold: WorkHold) -> Result<HeldWork, StoreError>;

    /// Work with one of these ids that another process holds.
    fn work_elsewhere(&self, process: i64, ids: &[String]) -> Result<Vec<WorkKey>, StoreError>;

    /// Leaves the work that a process holds to the next one that asks for some.
    fn leave_work(&self, process: i64) -> Result<(), StoreError>;

    /// Keeps what was read of files of requests; what is there already stays. Durable when it returns. Each tenant has
    /// so many rows, of which the oldest go first, and [`Store::retain`] removes old ones.
    fn keep_request_files(&self, files: &[RequestFile]) -> Result<(), StoreError>;

    /// What was read of the files of requests with these ids, of all clients.
    fn request_files(&self, ids: &[String]) -> Result<Vec<RequestFile>, StoreError>;

    /// Keeps who made objects; a known owner stays. Durable when it returns. [`Store::retain`] removes rows that are
    /// too old or too many.
    fn keep_object_owners(&self, owners: &[ObjectOwner]) -> Result<(), StoreError>;

    /// Who made the objects that were made from this time on, in milliseconds since 1970.
    fn object_owners(&self, from_ms: u64) -> Result<Vec<ObjectOwner>, StoreError>;

    /// Adds what a node has counted at its budgets, and returns what changed since it asked last. Durable when it
    /// returns.
    fn exchange_budgets(&self, exchange: &BudgetExchange) -> Result<BudgetAnswer, StoreError>;

    /// Makes all of these changes or none, and records the event with them. Returns the documents as they are now.
    fn change(&self, changes: &[Change], event: Option<&AuditEvent>) -> Result<Vec<Document>, StoreError>;

    /// A document; a deleted one has no body.
    fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, StoreError>;

    /// Documents of a kind whose ids follow this one, by id. The last id of a page is the next one's `after`.
    fn documents(&self, kind: &str, after: &str, limit: usize) -> Result<Vec<Document>, StoreError>;

    /// What changed after a version. A node that finds [`Store::version`] below its own has an older database before
    /// it, such as a restored backup, and reads everything from version 0.
    fn changes_after(&self, version: u64, limit: usize) -> Result<Changes, StoreError>;

    /// Hands over all documents, deleted ones too, in parts and in no order, until `take` refuses one. A document that
    /// changes meanwhile may come twice, and then its newer revision counts.
    fn all_documents(&self, take: &mut dyn FnMut(Vec<Document>) -> bool) -> Result<(), StoreError> {
        let mut part = self.changes_after(0, MAX_DOCUMENTS)?;
        while take(part.documents) && part.more {
            part = self.changes_after(part.version, MAX_DOCUMENTS)?;
        }
        Ok(())
    }

    /// Hands over every row of documents as it stands, also those that a damaged kind or id names nothing, in no order.
    fn each_row(&self, take: &mut dyn FnMut(StoredRow)) -> Result<(), StoreError>;

    /// Removes a row as it stands, makes those of the changes whose documents are what they expect, and records the
    /// event with that. Returns whether the row was there.
    fn remove_row(&self, row: &StoredRow, changes: &[Change], event: &AuditEvent) -> Result<bool, StoreError>;

    /// The version of the log of documents.
    fn version(&self) -> Result<u64, StoreError>;

    /// How far the logs of documents and of the audit are. By the audit's entry, a node finds a store that was put back
    /// to an older state also after it has reached the version that the node knew.
    fn head(&self) -> Result<Head, StoreError> {
        Ok(Head { version: self.version()?, last: self.audit_page(None, 1)?.pop() })
    }

    /// Records an event that changed no document.
    fn audit(&self, event: &AuditEvent) -> Result<AuditEntry, StoreError>;

    /// Entries of the audit log before a number (none for the last ones), newest first.
    fn audit_page(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;

    /// Checks the whole audit log.
    fn check_audit(&self) -> Result<ChainCheck, StoreError>;

    /// Whether the store can be used now.
    fn check(&self) -> Result<(), StoreError>;
}

/// How far a store's logs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The version of the log of documents.
    pub version: u64,
    /// The last entry of the audit log.
    pub last: Option<AuditEntry>,
}

/// Pages through days, newest first, until a page is full.
pub(crate) fn collect_page(
    query: &Query,
    days: impl IntoIterator<Item = Day>,
    mut search: impl FnMut(Day, usize) -> Result<Vec<Fact>, StoreError>,
) -> Result<Page, StoreError> {
    if query.is_hopeless() {
        return Ok(Page::default());
    }
    let size = query.page_size();
    let (from, end) = query.id_range();
    let mut facts = Vec::new();
    for day in days {
        let is_before = end.is_some_and(|end| RequestId::first_of(day.start_ms()) >= end);
        if is_before || day < from.day() || facts.len() > size {
            continue;
        }
        // One more than a page shows whether there is another.
        facts.extend(search(day, size + 1 - facts.len())?);
    }
    let more = facts.len() > size;
    facts.truncate(size);
    let next = facts.last().filter(|_| more).map(|last| crate::query::Cursor(last.id));
    Ok(Page { facts, next })
}
