//! A store that could not be opened at the start, and is opened when it can be. Until then its documents are read
//! beside the process that has it: keys that were made there count here, and so does that there are none. So are the
//! owners of objects: what was made through the other process is out of reach of other clients here too.

use std::fmt;
use std::sync::{Mutex, OnceLock};

use weir_store::{
    AuditEntry, AuditEvent, Batch, BudgetAnswer, BudgetExchange, ChainCheck, Change, Changes, Day, DaySize, Document,
    ErasureSubject, Gap, HeldWork, KeySum, LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, ObjectOwner, Page, Query,
    RequestFile, RequestId, Retention, Side, Store, StoreError, StoredRow, UsageQuery, UsageSum, WorkHold, WorkKey,
};

type Open = dyn Fn() -> Result<Box<dyn Store>, StoreError> + Send + Sync;

/// A store that each call tries to open, until one succeeds. The writer's waits between its attempts bound how often.
pub(super) struct LateStore {
    open: Box<Open>,
    opening: Mutex<()>,
    store: OnceLock<Box<dyn Store>>,
    open_to_read: Box<Open>,
    reader: OnceLock<Box<dyn Store>>,
}

impl fmt::Debug for LateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LateStore").field(&self.store.get()).finish()
    }
}

impl LateStore {
    pub(super) fn new(
        open: impl Fn() -> Result<Box<dyn Store>, StoreError> + Send + Sync + 'static,
        open_to_read: impl Fn() -> Result<Box<dyn Store>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
            opening: Mutex::default(),
            store: OnceLock::new(),
            open_to_read: Box::new(open_to_read),
            reader: OnceLock::new(),
        }
    }

    /// The store for reading documents and owners of objects. Once it can be read, only the writing thread tries to
    /// open it: each attempt waits for the other process, and changes of keys would be followed too slowly.
    fn reader(&self) -> Result<&dyn Store, StoreError> {
        if let Some(open) = self.store.get().or(self.reader.get()) {
            return Ok(&**open);
        }
        if let Ok(store) = self.get() {
            return Ok(store);
        }
        let opened = (self.open_to_read)()?;
        Ok(&**self.reader.get_or_init(|| opened))
    }

    /// The store. While one thread opens it, the others do not wait.
    fn get(&self) -> Result<&dyn Store, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(&**store);
        }
        let Ok(_turn) = self.opening.try_lock() else {
            return Err(StoreError::Unavailable("it is being opened".to_owned()));
        };
        if let Some(store) = self.store.get() {
            return Ok(&**store);
        }
        let opened = (self.open)()?;
        tracing::info!("the store is open now");
        Ok(&**self.store.get_or_init(|| opened))
    }
}

impl Store for LateStore {
    fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        self.get()?.append(batch)
    }

    fn search(&self, query: &Query) -> Result<Page, StoreError> {
        self.get()?.search(query)
    }

    fn body(&self, id: &RequestId, side: Side) -> Result<Option<Vec<u8>>, StoreError> {
        self.get()?.body(id, side)
    }

    fn key_sum(&self, key: &str, from_ms: u64, to_ms: u64) -> Result<KeySum, StoreError> {
        self.get()?.key_sum(key, from_ms, to_ms)
    }

    fn gaps(&self, day: Day) -> Result<Vec<Gap>, StoreError> {
        self.get()?.gaps(day)
    }

    fn erase(&self, subject: &ErasureSubject) -> Result<u64, StoreError> {
        self.get()?.erase(subject)
    }

    fn days(&self) -> Result<Vec<DaySize>, StoreError> {
        self.get()?.days()
    }

    fn clock_ms(&self) -> Result<u64, StoreError> {
        self.reader()?.clock_ms()
    }

    fn retain(&self, now_ms: u64, retention: &Retention) -> Result<Vec<Day>, StoreError> {
        self.get()?.retain(now_ms, retention)
    }

    fn flush_money(&self, flush: &MoneyFlush) -> Result<(), StoreError> {
        self.get()?.flush_money(flush)
    }

    fn work_elsewhere(&self, process: i64, ids: &[String]) -> Result<Vec<WorkKey>, StoreError> {
        self.get()?.work_elsewhere(process, ids)
    }

    fn hold_work(&self, hold: WorkHold) -> Result<HeldWork, StoreError> {
        self.get()?.hold_work(hold)
    }

    fn leave_work(&self, process: i64) -> Result<(), StoreError> {
        self.get()?.leave_work(process)
    }

    fn keep_request_files(&self, files: &[RequestFile]) -> Result<(), StoreError> {
        self.get()?.keep_request_files(files)
    }

    fn request_files(&self, ids: &[String]) -> Result<Vec<RequestFile>, StoreError> {
        self.get()?.request_files(ids)
    }

    fn keep_object_owners(&self, owners: &[ObjectOwner]) -> Result<(), StoreError> {
        self.get()?.keep_object_owners(owners)
    }

    fn object_owners(&self, from_ms: u64) -> Result<Vec<ObjectOwner>, StoreError> {
        self.reader()?.object_owners(from_ms)
    }

    fn ledger(&self, query: &LedgerQuery) -> Result<Vec<(LedgerKey, LedgerSums)>, StoreError> {
        self.get()?.ledger(query)
    }

    fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageSum>, StoreError> {
        self.get()?.usage(query)
    }

    fn exchange_budgets(&self, exchange: &BudgetExchange) -> Result<BudgetAnswer, StoreError> {
        self.get()?.exchange_budgets(exchange)
    }

    fn change(&self, changes: &[Change], event: Option<&AuditEvent>) -> Result<Vec<Document>, StoreError> {
        self.get()?.change(changes, event)
    }

    fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
        self.reader()?.document(kind, id)
    }

    fn documents(&self, kind: &str, after: &str, limit: usize) -> Result<Vec<Document>, StoreError> {
        self.reader()?.documents(kind, after, limit)
    }

    fn changes_after(&self, version: u64, limit: usize) -> Result<Changes, StoreError> {
        self.reader()?.changes_after(version, limit)
    }

    fn all_documents(&self, take: &mut dyn FnMut(Vec<Document>) -> bool) -> Result<(), StoreError> {
        self.reader()?.all_documents(take)
    }

    fn each_row(&self, take: &mut dyn FnMut(StoredRow)) -> Result<(), StoreError> {
        self.reader()?.each_row(take)
    }

    fn remove_row(&self, row: &StoredRow, changes: &[Change], event: &AuditEvent) -> Result<bool, StoreError> {
        self.get()?.remove_row(row, changes, event)
    }

    fn version(&self) -> Result<u64, StoreError> {
        self.reader()?.version()
    }

    fn audit(&self, event: &AuditEvent) -> Result<AuditEntry, StoreError> {
        self.get()?.audit(event)
    }

    fn audit_page(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.reader()?.audit_page(before, limit)
    }

    fn check_audit(&self) -> Result<ChainCheck, StoreError> {
        self.get()?.check_audit()
    }

    fn check(&self) -> Result<(), StoreError> {
        self.get()?.check()
    }
}
