//! A store in a PostgreSQL database, which several nodes share: partitions by day, `COPY` for facts, tables made on the
//! first connection under a lock.

mod connection;
mod copy;
mod erasing;
mod foreign;
mod partitions;
mod parts;
mod sessions;
mod tls;

use std::sync::Arc;
use std::time::Duration;

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
use crate::parts::{most_bytes, newest};
use crate::query::search::{self, HOUR_MS, TextWords};
use crate::query::{Gap, KeySum, Page, Query, gaps};
use crate::request_files::{self, RequestFile};
use crate::retention::{DaySize, Retention};
use crate::schema;
use crate::sql::Sql;
use crate::store::{Head, Store, collect_page};
use crate::stored_row::{self, StoredRow};
use crate::usage::{self, UsageQuery, UsageSum};
use connection::Pg;
use sessions::Sessions;

pub use foreign::ForeignDatabase;

/// How PostgreSQL finds texts.
const TEXT_WORDS: TextWords = TextWords { like: "ilike", place: "strpos" };

/// A store in PostgreSQL. Its connections run on threads of their own: a call returns after
/// [`PostgresOptions::timeout`] also if the database hangs.
#[derive(Debug)]
pub struct Postgres {
    sessions: Sessions,
    /// What reads and erases the log, which may take long: money, keys and new facts never wait for it.
    log: Sessions,
}

/// Settings of a [`Postgres`] store.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The schema that the tables are in. It is made if there is none.
    pub schema: String,
    /// Most connections for money, keys and new facts.
    pub connections: usize,
    /// Most connections beside them, for what reads and erases the log.
    pub log_connections: usize,
    /// How long a call may take.
    pub timeout: Duration,
    /// How connections are encrypted. Without it, an address that requires encryption is refused.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(30);
        Self { schema: "weir".to_owned(), connections: 8, log_connections: 2, timeout, tls: None }
    }
}

impl Postgres {
    /// A store at an address such as `postgres://weir@db.internal/weir`. It connects when it is first used: a gateway
    /// starts without its database. [`Store::check`] returns whether the database is there.
    pub fn open(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let log_connections = options.log_connections;
        let sessions = Sessions::new(url, options)?;
        Ok(Self { log: sessions.beside(log_connections), sessions })
    }

    /// Runs a transaction.
    fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Pg<'_, '_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sessions.run(move |connection| connection.transact(false, run))
    }

    /// Runs a transaction that reads.
    fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Pg<'_, '_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sessions.run(move |connection| connection.transact(true, run))
    }

    /// Runs a transaction that reads the log.
    fn read_log<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Pg<'_, '_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.log.run(move |connection| connection.transact(true, run))
    }

    /// Reads each part of a day of the log.
    fn read_day<T: Send + 'static>(
        &self,
        day: Day,
        run: impl FnMut(&mut Pg<'_, '_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Vec<T>, StoreError> {
        self.read_log(move |pg| {
            let earlier = parts::days(pg)?;
            parts::each(pg, day, &earlier, run)
        })
    }
}

impl Store for Postgres {
    fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        // The thread of the connection outlives a call that gave up.
        let batch = Arc::new(batch.clone());
        self.sessions.run(move |connection| {
            for (day, part) in &batch.by_day() {
                connection.ensure_day(*day)?;
                connection.transact(false, |pg| {
                    // As with files: a crash of the database may cost the last commits of the log, but not of money.
                    pg.execute("set local synchronous_commit = off", &[])?;
                    write_day(pg, *day, part, Pg::insert_facts)
                })?;
            }
            Ok(())
        })
    }

    fn search(&self, query: &Query) -> Result<Page, StoreError> {
        let query = query.clone();
        self.read_log(move |pg| {
            // A page is read along the order of ids. Without statistics of a day that has just begun, the planner would
            // rather sort the whole of it.
            pg.execute("set local enable_sort = off", &[])?;
            pg.execute("set local enable_bitmapscan = off", &[])?;
            let days = partitions::names(pg)?;
            let earlier = parts::days(pg)?;
            collect_page(&query, days.into_iter().rev(), |day, most| {
                let found = parts::each(pg, day, &earlier, |pg| search::search_day(pg, day, &query, most, TEXT_WORDS))?;
                Ok(newest(found, most))
            })
        })
    }

    fn body(&self, id: &RequestId, side: Side) -> Result<Option<Vec<u8>>, StoreError> {
        let id = *id;
        Ok(self.read_day(id.day(), move |pg| body::read(pg, &id, side))?.into_iter().flatten().next())
    }

    fn key_sum(&self, key: &str, from_ms: u64, to_ms: u64) -> Result<KeySum, StoreError> {
        let key = key.to_owned();
        self.read_log(move |pg| {
            let mut sum = KeySum::default();
            let (days, earlier) = (partitions::names(pg)?, parts::days(pg)?);
            for day in days.into_iter().filter(|day| (Day::of(from_ms)..=Day::of(to_ms)).contains(day)) {
                let hours = (from_ms / HOUR_MS, to_ms / HOUR_MS);
                let sums =
                    parts::each(pg, day, &earlier, |pg| search::key_sum_of_day(pg, day, &key, hours.0, hours.1))?;
                for part in &sums {
                    sum.merge(part);
                }
            }
            Ok(sum)
        })
    }

    fn gaps(&self, day: Day) -> Result<Vec<Gap>, StoreError> {
        let runs = |day| Ok(self.read_day(day, move |pg| gaps::runs(pg, day))?.concat());
        let counted = self.read_log(move |pg| gaps::counted(pg, day))?;
        gaps::gaps(day, &counted, runs, |process| self.read_day(day, move |pg| gaps::times(pg, day, process)))
    }

    fn erase(&self, subject: &ErasureSubject) -> Result<u64, StoreError> {
        let days = self.read_log(partitions::names)?;
        days.into_iter().try_fold(0, |removed, day| Ok(removed + erasing::erase(&self.log, day, subject)?))
    }

    fn days(&self) -> Result<Vec<DaySize>, StoreError> {
        self.read(partitions::sizes)
    }

    fn clock_ms(&self) -> Result<u64, StoreError> {
        let asked = format!("select {}", open_work::POSTGRES.now);
        self.read(move |pg| pg.query(&asked, &[])?.pop().map_or(Ok(0), |mut row| row.count()))
    }

    fn retain(&self, now_ms: u64, retention: &Retention) -> Result<Vec<Day>, StoreError> {
        let retention = *retention;
        self.sessions.run(move |connection| {
            let today = Day::of(now_ms);
            // Made before they are needed, so that midnight costs no request's fact a wait.
            connection.ensure_day(today)?;
            connection.ensure_day(today.next())?;
            let sizes = connection.transact(true, partitions::sizes)?;
            let ending = retention.ending(today, &sizes);
            for day in &ending {
                connection.drop_day(*day)?;
            }
            connection.transact(false, |pg| gaps::end_counts(pg, today, &retention))?;
            connection.transact(false, |pg| budget_counts::end(pg, now_ms))?;
            connection.transact(false, |pg| request_files::end(pg, now_ms))?;
            connection.transact(false, |pg| object_owners::end(pg, now_ms))?;
            usage::end_hours(now_ms, |first| {
                connection.transact(false, |pg| pg.execute(schema::POSTGRES_END_HOURS, first))
            })?;
            // Of days that a node ended which knows no parts.
            for day in connection.transact(true, parts::left_over)? {
                connection.drop_day(day)?;
            }
            for size in sizes.iter().filter(|size| size.day >= today) {
                connection.bound_day(size.day, most_bytes(&retention))?;
            }
            Ok(ending)
        })
    }

    fn flush_money(&self, flush: &MoneyFlush) -> Result<(), StoreError> {
        let flush = flush.clone();
        self.write(move |pg| ledger::write(pg, &flush, open_work::POSTGRES))
    }

    fn hold_work(&self, hold: WorkHold) -> Result<HeldWork, StoreError> {
        // One after the other: nodes that hold their own rows and wait for each other's would stand still.
        let kept = self.write(move |pg| open_work::hold(pg, hold, open_work::POSTGRES))?;
        let taken = self.write(move |pg| open_work::take(pg, hold, open_work::POSTGRES))?;
        Ok(HeldWork { kept, taken })
    }

    fn work_elsewhere(&self, process: i64, ids: &[String]) -> Result<Vec<WorkKey>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |pg| open_work::elsewhere(pg, process, &ids))
    }

    fn leave_work(&self, process: i64) -> Result<(), StoreError> {
        self.write(move |pg| open_work::leave(pg, process))
    }

    fn keep_request_files(&self, files: &[RequestFile]) -> Result<(), StoreError> {
        let files = files.to_vec();
        self.write(move |pg| request_files::keep(pg, &files))
    }

    fn request_files(&self, ids: &[String]) -> Result<Vec<RequestFile>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |pg| request_files::find(pg, &ids))
    }

    fn keep_object_owners(&self, owners: &[ObjectOwner]) -> Result<(), StoreError> {
        let owners = owners.to_vec();
        self.write(move |pg| object_owners::keep(pg, &owners))
    }

    fn object_owners(&self, from_ms: u64) -> Result<Vec<ObjectOwner>, StoreError> {
        self.read(move |pg| object_owners::since(pg, from_ms))
    }

    fn ledger(&self, query: &LedgerQuery) -> Result<Vec<(LedgerKey, LedgerSums)>, StoreError> {
        let query = query.clone();
        self.read(move |pg| ledger::read(pg, &query))
    }

    fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageSum>, StoreError> {
        let query = query.clone();
        self.read(move |pg| usage::read(pg, &query, true))
    }

    fn exchange_budgets(&self, exchange: &BudgetExchange) -> Result<BudgetAnswer, StoreError> {
        let exchange = exchange.clone();
        self.write(move |pg| budget_counts::exchange(pg, &exchange))
    }

    fn change(&self, changes: &[Change], event: Option<&AuditEvent>) -> Result<Vec<Document>, StoreError> {
        let (changes, event) = (changes.to_vec(), event.cloned());
        self.write(move |pg| documents::change(pg, &changes, event.as_ref()))
    }

    fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.read(move |pg| documents::get(pg, &kind, &id))
    }

    fn documents(&self, kind: &str, after: &str, limit: usize) -> Result<Vec<Document>, StoreError> {
        let (kind, after) = (kind.to_owned(), after.to_owned());
        self.read(move |pg| documents::page(pg, &kind, &after, limit))
    }

    fn changes_after(&self, version: u64, limit: usize) -> Result<Changes, StoreError> {
        self.read(move |pg| documents::changes_after(pg, version, limit))
    }

    fn each_row(&self, take: &mut dyn FnMut(StoredRow)) -> Result<(), StoreError> {
        let mut after = Some(i64::MIN);
        // A call for each part: all of them may take longer than one call may.
        while let Some(from) = after {
            let part = self.read(move |pg| stored_row::part(pg, from, stored_row::POSTGRES))?;
            after = part.last().and_then(|(_, revision)| *revision).filter(|_| part.len() == stored_row::PART);
            for (row, _) in part {
                take(row);
            }
        }
        Ok(())
    }

    fn remove_row(&self, row: &StoredRow, changes: &[Change], event: &AuditEvent) -> Result<bool, StoreError> {
        let (row, changes, event) = (row.clone(), changes.to_vec(), event.clone());
        self.write(move |pg| stored_row::remove(pg, &row, &changes, &event, stored_row::POSTGRES))
    }

    fn version(&self) -> Result<u64, StoreError> {
        self.read(|pg| documents::version(pg))
    }

    fn head(&self) -> Result<Head, StoreError> {
        self.read(|pg| Ok(Head { version: documents::version(pg)?, last: audit::page(pg, None, 1)?.pop() }))
    }

    fn audit(&self, event: &AuditEvent) -> Result<AuditEntry, StoreError> {
        let event = event.clone();
        self.write(move |pg| audit::append(pg, &event))
    }

    fn audit_page(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |pg| audit::page(pg, before, limit))
    }

    fn check_audit(&self) -> Result<ChainCheck, StoreError> {
        // A call for each part: a long log takes longer than one call may.
        audit::check(|at| self.read(move |pg| audit::check_part(pg, at, audit::PART, true)))
    }

    fn check(&self) -> Result<(), StoreError> {
        self.write(|pg| pg.execute("update counters set value = value where name = 'documents'", &[]).map(|_| ()))
    }
}
