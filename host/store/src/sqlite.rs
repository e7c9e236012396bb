//! A store of files: `weir.db` for money, keys and the audit log, and `weir-2026-11-21.db` beside it for the facts and
//! bodies of a day.

mod connection;
mod files;
mod layout;
mod open;
mod parts;
mod readers;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::{self, AuditEntry, AuditEvent, ChainCheck};
use crate::batch::{Batch, write_day};
use crate::body::{self, Side};
use crate::budget_counts::{self, BudgetAnswer, BudgetExchange};
use crate::documents::{self, Change, Changes, Document};
use crate::erase::ErasureSubject;
use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::ledger::{self, LedgerKey, LedgerQuery, LedgerSums, MoneyFlush};
use crate::object_owners::{self, ObjectOwner};
use crate::open_work::{self, HeldWork, WorkHold, WorkKey};
use crate::parts::newest;
use crate::query::search::{self, HOUR_MS, TextWords};
use crate::query::{Gap, KeySum, Page, Query, gaps};
use crate::request_files::{self, RequestFile};
use crate::retention::{DaySize, Retention};
use crate::schema;
use crate::sql::Sql;
use crate::store::{Store, collect_page};
use crate::stored_row::{self, StoredRow};
use crate::usage::{self, UsageQuery, UsageSum};
use connection::{Lite, Purpose, transact};
use files::Files;
use layout::Layout;
use open::{Open, OpenDay};
use parts::put_aside;
use readers::Readers;

/// Most files of days that are open for writing at the same time.
const MAX_OPEN: usize = 4;
/// How SQLite finds texts.
const TEXT_WORDS: TextWords = TextWords { like: "like", place: "instr" };

/// A store of SQLite files. One process writes; others may read ([`Sqlite::open_to_read`]).
#[derive(Debug)]
pub struct Sqlite {
    files: Files,
    options: SqliteOptions,
    /// None where the files are open for reading only.
    lock: Option<File>,
    /// Before `main`, so that its connection is closed last: that moves the write-ahead log into the file.
    readers: Readers,
    main: Mutex<Option<Open>>,
    days: Mutex<BTreeMap<Day, OpenDay>>,
}

/// Settings of a [`Sqlite`] store.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqliteOptions {
    /// Most pages (of 4 KiB) of each file. A file that is full refuses what would make it larger, as a full disk does.
    pub most_pages: Option<u32>,
}

impl Sqlite {
    /// Opens a store for writing, and makes its file if there is none. The folder has to exist. A store that exists but
    /// cannot be written now, because the disk is full, is opened as well: it is written when that is possible.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// The same with settings.
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let files = Files::of(path.as_ref())?;
        let lock = Some(files::lock(&files)?);
        let store =
            Self { files, options, lock, readers: Readers::default(), main: Mutex::default(), days: Mutex::default() };
        match store.check() {
            Err(StoreError::Unavailable(reason)) if store.files.main().exists() => {
                tracing::warn!(reason, "the store cannot be written now");
                Ok(store)
            }
            checked => checked.map(|()| store),
        }
    }

    /// Opens a store for reading, also while another process writes into it.
    pub fn open_to_read(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let files = Files::of(path.as_ref())?;
        let options = SqliteOptions::default();
        let (main, days) = (Mutex::default(), Mutex::default());
        let store = Self { files, options, lock: None, readers: Readers::default(), main, days };
        store.read(|_| Ok(()))?;
        Ok(store)
    }

    fn is_for_reading(&self) -> Result<(), StoreError> {
        if self.lock.is_none() {
            return Err(StoreError::Refused("it is open for reading only".to_owned()));
        }
        Ok(())
    }

    /// Runs a transaction on the main file.
    fn write<T>(&self, run: impl FnOnce(&mut Lite<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.is_for_reading()?;
        let path = self.files.main();
        let mut main = locked(&self.main);
        if !main.as_ref().is_some_and(|open| open.is_current(path)) {
            *main = None;
        }
        let open = match &mut *main {
            Some(open) => open,
            empty => empty.insert(Open::new(path, Purpose::Main, self.options)?),
        };
        let result = transact(&mut open.connection, run);
        if result.as_ref().is_err_and(is_of_the_file) {
            *main = None;
        }
        result
    }

    /// Reads the main file through another connection than the writer's, so that readers do not wait for a write.
    fn read<T>(&self, run: impl FnOnce(&mut Lite<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.readers.read(self.files.main(), run)
    }

    /// Runs a transaction on a day's file, which is made if there is none.
    fn write_day<T>(
        &self,
        day: Day,
        run: impl FnOnce(&mut Lite<'_>, &mut Layout) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.is_for_reading()?;
        let path = self.files.day(day);
        let mut days = locked(&self.days);
        let mut open = match days.remove(&day).filter(|open| open.is_current(&path)) {
            Some(open) => open,
            None => self.open_day(&path)?,
        };
        let layout = &mut open.layout;
        let result = transact(&mut open.open.connection, |lite| run(lite, layout));
        match &result {
            Err(StoreError::Damaged(reason)) => {
                drop(open);
                put_aside(&path, reason);
            }
            Err(error) if is_of_the_file(error) => {}
            _ => {
                if result.is_err() {
                    open.layout.forget();
                }
                while days.len() >= MAX_OPEN && days.pop_first().is_some() {}
                days.insert(day, open);
            }
        }
        result
    }

    fn open_day(&self, path: &Path) -> Result<OpenDay, StoreError> {
        match OpenDay::new(path, self.options) {
            Err(StoreError::Damaged(reason)) if put_aside(path, &reason) => OpenDay::new(path, self.options),
            opened => opened,
        }
    }
}

/// Whether an error may be one of the connection, which is then reopened.
fn is_of_the_file(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Damaged(_))
}

/// A lock whose holder panicked is used on: the connection's transaction was rolled back.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Sqlite {
    fn is_in_process(&self) -> bool {
        true
    }

    fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        for (day, part) in &batch.by_day() {
            self.write_day(*day, |lite, layout| write_day(lite, *day, part, |lite, facts| layout.insert(lite, facts)))?;
        }
        Ok(())
    }

    fn search(&self, query: &Query) -> Result<Page, StoreError> {
        let days = self.files.days()?;
        collect_page(query, days.iter().rev().map(|size| size.day), |day, most| {
            let found = self.read_day(day, |sql| search::search_day(sql, day, query, most, TEXT_WORDS))?;
            Ok(newest(found, most))
        })
    }

    fn body(&self, id: &RequestId, side: Side) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read_day(id.day(), |sql| body::read(sql, id, side))?.into_iter().flatten().next())
    }

    fn key_sum(&self, key: &str, from_ms: u64, to_ms: u64) -> Result<KeySum, StoreError> {
        let mut sum = KeySum::default();
        for size in self.files.days()? {
            if size.day < Day::of(from_ms) || size.day > Day::of(to_ms) {
                continue;
            }
            let parts = self.read_day(size.day, |sql| {
                search::key_sum_of_day(sql, size.day, key, from_ms / HOUR_MS, to_ms / HOUR_MS)
            })?;
            for part in &parts {
                sum.merge(part);
            }
        }
        Ok(sum)
    }

    fn gaps(&self, day: Day) -> Result<Vec<Gap>, StoreError> {
        let runs = |day| Ok(self.read_day(day, |sql| gaps::runs(sql, day))?.concat());
        let counted = self.read(|lite| gaps::counted(lite, day))?;
        gaps::gaps(day, &counted, runs, |process| self.read_day(day, |sql| gaps::times(sql, day, process)))
    }

    fn erase(&self, subject: &ErasureSubject) -> Result<u64, StoreError> {
        let mut removed = 0;
        for size in self.files.days()? {
            let day = size.day;
            if self.files.parts(day).next().is_none() {
                continue;
            }
            let count = self.write_day(day, |lite, layout| parts::erase(lite, layout, day, subject))?;
            if count > 0
                && let Some(open) = locked(&self.days).get(&day)
            {
                // The write-ahead log still has the old pages.
                connection::truncate_log(&open.open.connection)?;
            }
            removed += self.erase_earlier(day, subject)?;
            removed += count;
        }
        Ok(removed)
    }

    fn days(&self) -> Result<Vec<DaySize>, StoreError> {
        self.files.days()
    }

    fn retain(&self, now_ms: u64, retention: &Retention) -> Result<Vec<Day>, StoreError> {
        self.is_for_reading()?;
        let (today, sizes) = (Day::of(now_ms), self.files.days()?);
        let ending = retention.ending(today, &sizes);
        for day in &ending {
            let mut days = locked(&self.days);
            days.remove(day);
            self.files.remove(*day)?;
        }
        self.bound_days(&sizes, today, retention)?;
        self.write(|lite| gaps::end_counts(lite, today, retention))?;
        self.write(|lite| budget_counts::end(lite, now_ms))?;
        self.write(|lite| request_files::end(lite, now_ms))?;
        self.write(|lite| object_owners::end(lite, now_ms))?;
        usage::end_hours(now_ms, |first| self.write(|lite| lite.execute(schema::SQLITE_END_HOURS, first)))?;
        Ok(ending)
    }

    fn flush_money(&self, flush: &MoneyFlush) -> Result<(), StoreError> {
        self.write(|lite| ledger::write(lite, flush, open_work::SQLITE))
    }

    fn hold_work(&self, hold: WorkHold) -> Result<HeldWork, StoreError> {
        self.write(|lite| {
            let kept = open_work::hold(lite, hold, open_work::SQLITE)?;
            Ok(HeldWork { kept, taken: open_work::take(lite, hold, open_work::SQLITE)? })
        })
    }

    fn work_elsewhere(&self, process: i64, ids: &[String]) -> Result<Vec<WorkKey>, StoreError> {
        self.read(|lite| open_work::elsewhere(lite, process, ids))
    }

    fn leave_work(&self, process: i64) -> Result<(), StoreError> {
        self.write(|lite| open_work::leave(lite, process))
    }

    fn keep_request_files(&self, files: &[RequestFile]) -> Result<(), StoreError> {
        self.write(|lite| request_files::keep(lite, files))
    }

    fn request_files(&self, ids: &[String]) -> Result<Vec<RequestFile>, StoreError> {
        self.read(|lite| request_files::find(lite, ids))
    }

    fn keep_object_owners(&self, owners: &[ObjectOwner]) -> Result<(), StoreError> {
        self.write(|lite| object_owners::keep(lite, owners))
    }

    fn object_owners(&self, from_ms: u64) -> Result<Vec<ObjectOwner>, StoreError> {
        self.read(|lite| object_owners::since(lite, from_ms))
    }

    fn ledger(&self, query: &LedgerQuery) -> Result<Vec<(LedgerKey, LedgerSums)>, StoreError> {
        self.read(|lite| ledger::read(lite, query))
    }

    fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageSum>, StoreError> {
        self.read(|lite| {
            let has_days = connection::has_days(lite.0)?;
            usage::read(lite, query, has_days)
        })
    }

    fn exchange_budgets(&self, exchange: &BudgetExchange) -> Result<BudgetAnswer, StoreError> {
        self.write(|lite| budget_counts::exchange(lite, exchange))
    }

    fn change(&self, changes: &[Change], event: Option<&AuditEvent>) -> Result<Vec<Document>, StoreError> {
        self.write(|lite| documents::change(lite, changes, event))
    }

    fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
        self.read(|lite| documents::get(lite, kind, id))
    }

    fn documents(&self, kind: &str, after: &str, limit: usize) -> Result<Vec<Document>, StoreError> {
        self.read(|lite| documents::page(lite, kind, after, limit))
    }

    fn changes_after(&self, version: u64, limit: usize) -> Result<Changes, StoreError> {
        self.read(|lite| documents::changes_after(lite, version, limit))
    }

    fn all_documents(&self, take: &mut dyn FnMut(Vec<Document>) -> bool) -> Result<(), StoreError> {
        self.read(|lite| lite.all_documents(take))
    }

    fn each_row(&self, take: &mut dyn FnMut(StoredRow)) -> Result<(), StoreError> {
        self.read(|lite| lite.each_row(take))
    }

    fn remove_row(&self, row: &StoredRow, changes: &[Change], event: &AuditEvent) -> Result<bool, StoreError> {
        self.write(|lite| stored_row::remove(lite, row, changes, event, stored_row::SQLITE))
    }

    fn version(&self) -> Result<u64, StoreError> {
        self.read(|lite| documents::version(lite))
    }

    fn audit(&self, event: &AuditEvent) -> Result<AuditEntry, StoreError> {
        self.write(|lite| audit::append(lite, event))
    }

    fn audit_page(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(|lite| audit::page(lite, before, limit))
    }

    fn check_audit(&self) -> Result<ChainCheck, StoreError> {
        self.read(|lite| {
            let has_head = connection::has_audit_head(lite.0)?;
            audit::check(|at| audit::check_part(lite, at, audit::PART, has_head))
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.lock.is_none() {
            return self.read(|_| Ok(()));
        }
        // A write that changes nothing finds a disk that is full or read-only.
        self.write(|lite| lite.execute("update counters set value = value where name = 'documents'", &[]).map(|_| ()))
    }
}
