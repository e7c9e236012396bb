//! Opens the store of the configuration (`[store]`), and owns the threads that write into it.
//!
//! Requests are served whatever the store does. A database that does not answer is waited for by the writing threads,
//! and a file that cannot be opened now is tried again by them; only an address that can never work keeps Weir from
//! starting.

pub mod bill;
mod bodies;
pub(crate) mod charged;
pub(crate) mod drops;
pub(crate) mod facts;
mod late;
pub(crate) mod latency;
mod metrics;
pub(crate) mod otlp;
pub(crate) mod parquet;
pub(crate) mod redaction;
mod request_log;
pub(crate) mod shown;
pub(crate) mod sums;
pub(crate) mod unknown_callers;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_config::{Config, StoreSettings, StoreUrl};
use weir_store::{
    Health, Postgres, PostgresOptions, Recorder, Retention, Sqlite, Store, StoreError, Writer, WriterOptions,
};

use bodies::BodyLog;
use drops::Dropped;
use late::LateStore;
use metrics::StoreMetrics;
use redaction::Redaction;
pub(crate) use request_log::{Recorded, StoreLog, key_of};
use unknown_callers::UnknownCallerLimit;
use weir_fixtures::fixture::RulesError;
use weir_gateway::serving::Serving;
use weir_upstream::HttpClientError;

/// The file of a store beside the configuration.
const FILE: &str = "weir.db";
/// How long a start waits for files to be opened.
const OPENING: Duration = Duration::from_secs(3);
/// How long the end of the program waits for the store to take what is left.
const CLOSING: Duration = Duration::from_secs(5);

/// Why a store can never be opened as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address or another setting is wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules for what is removed from contents cannot be used.
    #[error("`store.redaction_rules`: {0}")]
    Rules(#[from] RulesError),
    /// Encrypted connections cannot be set up.
    #[error("no TLS for the store: {0}")]
    Tls(#[from] HttpClientError),
}

/// What kind of store is open, for pages and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQLite files.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
}

impl Kind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The store of this process with its writer.
#[derive(Debug)]
pub struct OpenStore {
    store: Arc<dyn Store>,
    kind: Kind,
    recorder: Recorder,
    bodies: Arc<BodyLog>,
    redaction: Arc<Redaction>,
    unknown_callers: Arc<UnknownCallerLimit>,
    version_mark: Option<PathBuf>,
    /// None after the end.
    writer: Mutex<Option<Writer>>,
}

impl OpenStore {
    /// Opens the store of a configuration; `None` if there is none, which the log explains.
    pub async fn open(config: &Config) -> Result<Option<Self>, OpenError> {
        let version_mark = version_mark(config);
        let (store, kind): (Arc<dyn Store>, Kind) = match &config.store.url {
            StoreUrl::Off => return Ok(None),
            StoreUrl::Beside if config.path.is_none() => {
                tracing::warn!(
                    "without a configuration file no request log is kept; `WEIR_STORE__URL=sqlite://weir.db` keeps one"
                );
                return Ok(None);
            }
            StoreUrl::Beside => match open_files(config.folder.join(FILE), true).await? {
                Some(store) => (store, Kind::Sqlite),
                None => return Ok(None),
            },
            StoreUrl::Sqlite(path) => match open_files(path.clone(), false).await? {
                Some(store) => (store, Kind::Sqlite),
                None => return Ok(None),
            },
            StoreUrl::Postgres(url) => (open_database(url.expose())?, Kind::Postgres),
        };
        let writer = Writer::start(Arc::clone(&store), options(&config.store))?;
        let recorder = writer.recorder();
        let redaction = Arc::new(Redaction::of(&config.store)?);
        let bodies = Arc::new(BodyLog::start(&config.store, recorder.clone(), Arc::clone(&redaction))?);
        let unknown_callers = Arc::default();
        let writer = Mutex::new(Some(writer));
        Ok(Some(Self { store, kind, recorder, bodies, redaction, unknown_callers, version_mark, writer }))
    }

    /// The store itself. Its calls block.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The file in which this node keeps the newest version of the store's documents that it has known.
    pub(crate) fn version_mark(&self) -> Option<&Path> {
        self.version_mark.as_deref()
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Takes what requests leave behind, and never waits.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The log that the gateway gives its records to.
    pub fn request_log(&self) -> Arc<StoreLog> {
        Arc::new(StoreLog::new(self.recorder.clone(), Arc::clone(&self.bodies), Arc::clone(&self.unknown_callers)))
    }

    /// The rules for what no log keeps.
    pub(crate) fn redaction(&self) -> Arc<Redaction> {
        Arc::clone(&self.redaction)
    }

    /// Reads the messages of spans with the adapters of this from now on.
    pub(crate) fn read_messages_with(&self, serving: impl Fn() -> Arc<Serving> + Send + Sync + 'static) {
        self.bodies.read_with(Box::new(serving));
    }

    /// Waits until the store has what the requests that ended before have left; false if it does not take it for so
    /// long. Contents go to the writer when they are cleaned.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        self.bodies.flush(within) && self.recorder.flush(until.saturating_duration_since(Instant::now()))
    }

    /// The metrics of the writer.
    pub fn metrics(&self) -> Result<StoreMetrics, prometheus::Error> {
        StoreMetrics::new(self.recorder.clone(), Arc::clone(&self.bodies), Arc::clone(&self.unknown_callers))
    }

    /// How writing goes.
    pub fn health(&self) -> Health {
        self.recorder.health()
    }

    /// What was lost, as this health says too, by its reason.
    pub(crate) fn dropped(&self, health: &Health) -> Vec<Dropped> {
        drops::dropped(health, &self.bodies, &self.unknown_callers)
    }

    /// Writes what is left. Other owners of the store may still read.
    pub async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        let bodies = Arc::clone(&self.bodies);
        let close = move || {
            bodies.close(CLOSING);
            writer.close(CLOSING)
        };
        match tokio::task::spawn_blocking(close).await {
            Ok(Health { queued_rows: 0, money_pending: 0, .. }) => {}
            Ok(Health { queued_rows, money_pending, .. }) => {
                tracing::warn!(queued_rows, money_pending, "the store did not take everything before the end");
            }
            Err(error) => tracing::error!(%error, "the store was not closed in order"),
        }
    }
}

/// The file in which this node keeps the newest version of the store's documents; `None` without a store or a place.
fn version_mark(config: &Config) -> Option<PathBuf> {
    let has_store = config.store.url != StoreUrl::Off;
    has_store.then(|| file_of_node(config, |store| Some(format!("{}.version", store.file_name()?.to_str()?)))).flatten()
}

/// A file that is this node's own, named after the store's file: beside that file, or else, as for a database, in
/// `store.state_dir` or beside the configuration. `None` if there is no such place.
pub(crate) fn file_of_node(config: &Config, name: impl Fn(&Path) -> Option<String>) -> Option<PathBuf> {
    let store = match &config.store.url {
        StoreUrl::Sqlite(path) => path.clone(),
        StoreUrl::Off | StoreUrl::Beside | StoreUrl::Postgres(_) => {
            let beside = || config.path.is_some().then(|| config.folder.clone());
            config.store.state_dir.clone().or_else(beside)?.join(FILE)
        }
    };
    Some(store.with_file_name(name(&store)?))
}

/// The writer's settings.
fn options(settings: &StoreSettings) -> WriterOptions {
    WriterOptions {
        most_rows: settings.max_queue_rows,
        most_bytes: settings.max_queue_bytes,
        retention: Some(Retention { days: settings.retention, bytes: settings.max_bytes as u64 }),
        ..WriterOptions::default()
    }
}

/// Opens SQLite files; those of the default place are done without where their folder cannot be written.
async fn open_files(path: PathBuf, is_default: bool) -> Result<Option<Arc<dyn Store>>, StoreError> {
    let error = match opened(&path).await {
        Ok(store) => return Ok(Some(Arc::new(store))),
        Err(error) => error,
    };
    let (path, reason) = (path, error.to_string());
    match error {
        StoreError::Settings(_) => Err(error),
        StoreError::Unavailable(_) if is_default && !path.exists() => {
            tracing::warn!(
                path = %path.display(),
                reason,
                "no request log is kept: its file cannot be made. Set `store.url` to a file or a database that can be \
                 written, or to \"none\""
            );
            Ok(None)
        }
        StoreError::Unavailable(_) | StoreError::InUse(_) => {
            tracing::warn!(
                path = %path.display(),
                reason,
                "the store cannot be opened now, and it is tried again: until then no request log is kept, and nothing \
                 is served without a key of the configuration, since the store may have keys"
            );
            Ok(Some(late(path)))
        }
        _ => {
            tracing::error!(
                path = %path.display(),
                reason,
                "the store's file cannot be used, and it is tried again: no request log is kept, and nothing is served \
                 without a key of the configuration, since the store may have keys. Mend or remove the file, or set \
                 `store.url`"
            );
            Ok(Some(late(path)))
        }
    }
}

/// Files that are opened when they can be.
fn late(path: PathBuf) -> Arc<dyn Store> {
    let of_reader = path.clone();
    Arc::new(LateStore::new(
        move || Ok(Box::new(Sqlite::open(&path)?)),
        move || Ok(Box::new(Sqlite::open_to_read(&of_reader)?)),
    ))
}

/// Opens files on a thread of their own: a disk that hangs must not keep the program from starting, or from ending.
async fn opened(path: &Path) -> Result<Sqlite, StoreError> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let of = path.to_owned();
    std::thread::Builder::new().name("weir-store-open".to_owned()).spawn(move || {
        // A start that waited for too long has gone on.
        let _ = answer.send(Sqlite::open(of));
    })?;
    match tokio::time::timeout(OPENING, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(StoreError::Unavailable("the thread that opens it has ended".to_owned())),
        Err(_) => Err(StoreError::Unavailable(format!("it was not opened within {} s", OPENING.as_secs()))),
    }
}

/// A database. It is connected to in the background, so that a start does not wait for it.
fn open_database(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let tls = weir_upstream::tls_config().map_err(HttpClientError::from)?;
    let options = PostgresOptions { tls: Some(Arc::new(tls)), ..PostgresOptions::default() };
    let store: Arc<dyn Store> = Arc::new(Postgres::open(url, options)?);
    let checked = Arc::clone(&store);
    std::thread::Builder::new()
        .name("weir-store-open".to_owned())
        .spawn(move || match checked.check() {
            Ok(()) => tracing::info!("the store's database is there"),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the store's database cannot be reached yet: only keys of `[[clients]]` are accepted until it can"
                );
            }
        })
        .map_err(StoreError::from)?;
    Ok(store)
}

#[cfg(test)]
mod tests;
