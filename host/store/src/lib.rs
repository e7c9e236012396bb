//! What Weir keeps: the log of requests, use by the hour, budgets, keys and other documents, and the audit log.
//!
//! A [`Store`] is a database: [`Sqlite`] files, which need nothing, or a [`Postgres`] database that several nodes
//! share. Both keep the same promises, by the same tests. A [`Writer`] stands between requests and a store: its
//! [`Recorder`] takes what a request leaves behind, and no call of it waits for a disk or a network.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use weir_store::{Fact, Query, RequestId, Sqlite, Store, Writer, WriterOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path().join("weir.db"))?);
//! let writer = Writer::start(Arc::clone(&store), WriterOptions::default())?;
//!
//! // On a request's path: cheap, never waits.
//! let recorder = writer.recorder();
//! let id = RequestId::at(1_795_262_400_000);
//! let mut fact = Fact::of(id);
//! fact.key = "k_7f3a".to_owned();
//! fact.status = 200;
//! fact.cost_nano = Some(1_250_000);
//! recorder.record(&fact);
//!
//! // On the admin's side, on a thread that may block.
//! recorder.flush(Duration::from_secs(5));
//! let page = store.search(&Query { key: Some("k_7f3a".to_owned()), ..Query::default() })?;
//! assert_eq!((page.facts.len(), page.facts[0].id), (1, id));
//! assert_eq!(store.key_sum("k_7f3a", 1_795_219_200_000, 1_795_305_600_000)?.cost_nano, 1_250_000);
//! assert!(recorder.health().is_well());
//! writer.close(Duration::from_secs(5));
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept where
//!
//! - **Facts** ([`Fact`]) and **bodies** ([`Body`]) by the day, in UTC: a file `weir-2026-11-21.db` beside `weir.db`,
//!   or a partition. A request's day is that of its id, which carries the time it began ([`RequestId`]). A day ends as
//!   a whole ([`Retention`]). Facts have no index but that of their ids, which is cheap to write; the sums of each key
//!   by the hour, written with them, answer for a key's day and lead a search for a key to its hours.
//! - **Sums of use** ([`LedgerKey`]), added to once for each [`MoneyFlush`], and what **budgets** have counted, by all
//!   nodes together ([`BudgetExchange`]).
//! - **Work at providers** that is not booked yet ([`OpenWork`]): it goes with the flush that adds what it used.
//! - What was read of **files of requests** ([`RequestFile`]), so that any node begins batches on them.
//! - **Documents** ([`Document`]): changed with [`Store::change`], all or none, with what is expected of them before
//!   and an [`AuditEvent`] in the same transaction. Other nodes follow with [`Store::changes_after`].
//! - The **audit log** ([`AuditEntry`]), a chain of hashes.
//!
//! # What a failure costs
//!
//! | failure | cost |
//! |---|---|
//! | the process is killed | facts that waited ([`WriterOptions::flush_every`]) and use that waited ([`WriterOptions::money_every`]); nothing that was committed. [`Store::gaps`] shows how many facts, but for those of the last [`WriterOptions::money_every`] |
//! | the machine loses power, or the database crashes | beyond that, the last commits of facts and bodies; none of money, documents or audit |
//! | the disk or the database is full, read-only, gone, hanging | writing is tried again until it works; what the queue cannot hold is dropped and counted in [`Health`] |
//! | a day's file is damaged | it is put aside under another name, and the day goes on in a new one |
//! | the store refuses a row | that row, counted as failed |

mod audit;
mod batch;
mod body;
mod budget_counts;
mod documents;
mod erase;
mod error;
mod export;
mod fact;
mod file_lock;
mod health;
mod hex;
mod id;
mod ledger;
mod object_owners;
mod open_work;
mod parts;
mod postgres;
mod query;
mod request_files;
mod retention;
mod schema;
mod span;
mod sql;
mod sqlite;
mod store;
mod stored_row;
mod usage;
mod writer;

pub use audit::{AuditEntry, AuditEvent, ChainCheck, entry_hash};
pub use batch::Batch;
pub use body::{Body, MAX_BODY, Side};
pub use budget_counts::{BudgetAnswer, BudgetChange, BudgetCount, BudgetExchange, BudgetWindow, RenamedShape};
pub use documents::{Change, Changes, Document, Expect, MAX_DOCUMENTS};
pub use erase::ErasureSubject;
pub use error::StoreError;
pub use export::export_json_lines;
pub use fact::packed::PackedFact;
pub use fact::{Fact, MAX_ERROR_TEXT, MAX_JSON, MAX_NAME, MAX_TAGS, TokenCounts, owner_name};
pub use file_lock::lock_file;
pub use health::{Condition, Drops, Health};
pub use id::{BadDay, BadId, Day, RequestId};
pub use ledger::{LedgerKey, LedgerQuery, LedgerSums, MoneyFlush, Use, UseRow};
pub use object_owners::ObjectOwner;
pub use open_work::{HeldWork, OpenWork, WorkChanges, WorkHold, WorkKey};
pub use postgres::{ForeignDatabase, Postgres, PostgresOptions};
pub use query::search::HOUR_MS;
pub use query::{Cursor, FactCount, Gap, KeySum, MAX_OF_PAGE, Page, Query};
pub use request_files::RequestFile;
pub use retention::{DaySize, Retention};
pub use sqlite::{Sqlite, SqliteOptions};
pub use store::{Head, Store};
pub use stored_row::StoredRow;
pub use usage::{Subjects, UsageBy, UsageQuery, UsageSum, first_hour_kept};
pub use writer::{Recorder, Writer, WriterOptions};
