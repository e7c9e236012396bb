//! Keeps the counts of budgets, so that a restart continues them: in the store's database, or in a file of this node.
//!
//! The database counts for all nodes together. Nodes that share budgets through a server of their own keep only what
//! the server may not know yet, in their files.

mod database;
mod file;
mod merge;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::{Kind, OpenStore};
use database::BudgetDatabase;
use file::BudgetFile;
pub use file::BudgetFileError;
use weir_config::Config;
use weir_gateway::gateway::Gateway;
use weir_ledger::StoredRows;
use weir_store::StoreError;

/// How often changes are kept: at most so much of the use is not known after a crash.
const INTERVAL: Duration = Duration::from_secs(1);
/// Keeping many rows takes at most this part of the time: the budgets of a million keys are written less often.
const SHARE: u32 = 20;
/// So few rows are kept each interval, however long a slow disk or a distant database takes for them.
const FEW: usize = 4_096;
/// How long a start waits for the database, and the end of the program for the last flush.
const WAIT: Duration = Duration::from_secs(3);

/// Why the earlier counts of budgets cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] BudgetFileError),
    /// The gauge of their state cannot be shown.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Why the counts of budgets cannot be read or kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    File(#[from] BudgetFileError),
    #[error("{0}; it is tried again")]
    Store(#[from] StoreError),
}

/// Where the counts are kept.
#[derive(Debug)]
enum CountStorage {
    File(Box<BudgetFile>),
    Database(Box<BudgetDatabase>),
}

impl CountStorage {
    /// Keeps what the gateway has counted, and takes in what others have; returns how many rows the place was given.
    /// `is_first` makes sure that the place can be written.
    fn flush(&mut self, gateway: &Gateway, is_first: bool) -> Result<usize, KeepError> {
        match self {
            Self::File(file) => Ok(file.flush(gateway, is_first)?),
            Self::Database(database) => Ok(database.flush(gateway.budgets())?),
        }
    }
}

/// What budgets have counted, and where that is kept.
#[derive(Debug)]
pub struct KeptBudgets {
    place: Arc<Mutex<CountStorage>>,
    metrics: KeptMetrics,
}

/// Whether the counts of budgets are kept, and how often they were.
#[derive(Debug)]
struct KeptMetrics {
    /// 0 if it is kept.
    state: IntGauge,
    kept: IntCounter,
}

impl KeptMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let state = IntGauge::new(
            "weir_budgets_state",
            "Whether the counts of budgets are kept for the next start: 0 yes, 1 no",
        )?;
        let kept =
            IntCounter::new("weir_budgets_kept_total", "How often the counts of budgets were kept for the next start")?;
        registry.register(Box::new(state.clone()))?;
        registry.register(Box::new(kept.clone()))?;
        Ok(Self { state, kept })
    }

    /// Shows how a flush has ended. A change is logged once.
    fn note(&self, flushed: Option<&Result<usize, KeepError>>) {
        match flushed {
            Some(Err(error)) => {
                let was_kept = self.state.get() == 0;
                // Before the line in the log: who reads that asks for the state.
                self.state.set(1);
                if was_kept {
                    log_failure(error);
                }
            }
            Some(Ok(_)) => {
                let was_kept = self.state.get() == 0;
                self.state.set(0);
                if !was_kept {
                    tracing::info!("the state of budgets is kept again");
                }
                self.kept.inc();
            }
            None => {}
        }
    }
}

fn log_failure(error: &KeepError) {
    match error {
        KeepError::File(error @ BudgetFileError::Io { has_former: true, .. }) => tracing::error!(
            %error,
            "the counts of budgets are not kept: after a restart they go on from those that were kept last. Make room, or set \
             `store.state_dir` to a folder that Weir can write to"
        ),
        KeepError::File(error @ BudgetFileError::Io { .. }) => tracing::error!(
            %error,
            "the counts of budgets are not kept: after a restart they start from zero. Set `store.state_dir` to a folder that \
             Weir can write to"
        ),
        KeepError::File(error) => {
            tracing::error!(%error, "the counts of budgets are not kept: after a restart they are those of before");
        }
        KeepError::Store(_) => {
            tracing::error!(%error, "the counts of budgets are not kept: the store's database fails");
        }
    }
}

impl KeptBudgets {
    /// Continues with what was counted before; `None` if there is no place where it is kept. A database that does not
    /// answer is not waited for: what it has counts as soon as it can be read.
    pub async fn restore(
        config: &Config,
        store: Option<&OpenStore>,
        gateway: &Arc<Gateway>,
    ) -> Result<Option<Self>, RestoreError> {
        let mut file = BudgetFile::of(config);
        let rows = file.as_mut().map_or_else(|| Ok(StoredRows::default()), BudgetFile::take)?;
        let database = store.filter(|store| store.kind() == Kind::Postgres && config.shared.is_none());
        let place = match (database, file) {
            (Some(store), file) => {
                let file = file.filter(|_| !rows.rows.is_empty());
                CountStorage::Database(Box::new(BudgetDatabase::new(store.store(), file.map(|file| (file, rows)))))
            }
            (None, Some(file)) => {
                gateway.budgets().restore(rows, gateway.stored_keys().is_unread());
                CountStorage::File(Box::new(file))
            }
            (None, None) => return Ok(None),
        };
        let metrics = KeptMetrics::new(gateway.metrics().registry())?;
        let kept = Self { place: Arc::new(Mutex::new(place)), metrics };
        if database.is_some() {
            kept.read_first(gateway).await;
        }
        Ok(Some(kept))
    }

    /// Reads what the database has, before the first request.
    async fn read_first(&self, gateway: &Arc<Gateway>) {
        let flush = flush(Arc::clone(&self.place), Arc::clone(gateway), true);
        if let Ok(flushed) = tokio::time::timeout(WAIT, flush).await {
            return self.metrics.note(flushed.as_ref());
        }
        tracing::error!(
            "the counts of budgets are not kept: the store's database does not answer. Until it does, they start from zero"
        );
        self.metrics.state.set(1);
    }

    /// Whether what is counted is kept: 0 if so.
    pub fn state(&self) -> IntGauge {
        self.metrics.state.clone()
    }
}

/// Keeps what has changed, on a thread that may wait; returns how many rows that were. None if that panicked.
async fn flush(
    place: Arc<Mutex<CountStorage>>,
    gateway: Arc<Gateway>,
    is_first: bool,
) -> Option<Result<usize, KeepError>> {
    let flush = move || place.lock().unwrap_or_else(PoisonError::into_inner).flush(&gateway, is_first);
    tokio::task::spawn_blocking(flush).await.ok()
}

/// The task that keeps changes. Requests never wait for it.
#[derive(Debug)]
pub struct Keeping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Keeping {
    /// Starts to keep changes.
    pub fn start(kept: KeptBudgets, gateway: &Arc<Gateway>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(keep(kept, Arc::clone(gateway), stopped)) }
    }

    /// Keeps the rest, after the last request has ended.
    pub async fn end(self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(WAIT, self.task).await.is_err() {
            tracing::warn!("the last counts of budgets were not kept in time");
        }
    }
}

/// Keeps changes until `stop` is set.
async fn keep(kept: KeptBudgets, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let KeptBudgets { place, metrics } = kept;
    let (mut pause, mut is_first) = (Duration::ZERO, true);
    loop {
        let stopped = tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok();
        let begun = Instant::now();
        let flushed = flush(Arc::clone(&place), Arc::clone(&gateway), is_first).await;
        metrics.note(flushed.as_ref());
        is_first &= !matches!(flushed, Some(Ok(_)));
        pause = pause_after(flushed.as_ref(), begun.elapsed());
        if stopped {
            return;
        }
    }
}

/// How long to wait after a flush that took so long.
fn pause_after(flushed: Option<&Result<usize, KeepError>>, took: Duration) -> Duration {
    match flushed {
        Some(Ok(FEW..)) => INTERVAL.max(took * SHARE),
        // A database that does not answer is asked again soon too: that costs it nothing.
        _ => INTERVAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_kept_each_second_on_a_slow_disk_too_and_many_less_often() {
        let after = |rows, millis| pause_after(Some(&Ok(rows)), Duration::from_millis(millis));
        for millis in [1, 200, 3_000] {
            assert_eq!(after(10, millis), INTERVAL);
        }
        assert_eq!((after(1_000_000, 10), after(1_000_000, 500)), (INTERVAL, Duration::from_secs(10)));
        let failed = Err(KeepError::Store(StoreError::Unavailable(String::new())));
        assert_eq!(pause_after(Some(&failed), Duration::from_secs(5)), INTERVAL);
    }
}
