//! Keeps the state of budgets in a file beside the configuration, so that a restart continues them. What requests had
//! only reserved when the program was killed counts as spent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use weir_adapters::install::{self, Readers};
use weir_config::Config;
use weir_gateway::gateway::Gateway;
use weir_ledger::StoredRows;

/// How often changes are written: at most so much of the use is not known after a crash.
const INTERVAL: Duration = Duration::from_secs(1);
/// Its name, in the folder of the configuration.
const NAME: &str = "weir-budgets.json";
/// The format of the file.
const VERSION: u32 = 1;
/// Writing takes at most this part of the time: a file with the budgets of a million keys is written less often.
const SHARE: u32 = 20;
/// The largest file that is read, in bytes: some million budgets.
const LARGEST: u64 = 1 << 30;

/// Why the state of budgets cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BudgetFileError {
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("{path}: {reason}; without it, every budget begins anew")]
    Content {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    version: u32,
    #[serde(flatten)]
    rows: StoredRows,
}

/// The file with the state of budgets.
#[derive(Debug, Clone)]
pub struct BudgetFile(PathBuf);

impl BudgetFile {
    /// The file of a configuration; `None` without a file beside which it could be.
    pub fn of(config: &Config) -> Option<Self> {
        config.path.as_ref().map(|_| Self(config.folder.join(NAME)))
    }

    /// Reads what was counted; nothing if there is no file.
    pub fn read(&self) -> Result<StoredRows, BudgetFileError> {
        let text = match fs::metadata(&self.0).and_then(|about| bounded(&self.0, about.len())) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StoredRows::default()),
            Err(cause) => return Err(self.failed(cause)),
        };
        let content = |reason: String| BudgetFileError::Content { path: self.0.clone(), reason };
        let Content { version, rows } = serde_json::from_str(&text).map_err(|error| content(error.to_string()))?;
        if version != VERSION {
            return Err(content(format!("has version {version}, and this program reads {VERSION}")));
        }
        Ok(rows)
    }

    /// Replaces the file in one step.
    fn write(&self, rows: StoredRows) -> Result<(), BudgetFileError> {
        let written = || {
            let mut text = serde_json::to_vec(&Content { version: VERSION, rows })?;
            text.push(b'\n');
            install::put(&self.0, &text, Readers::All)
        };
        written().map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> BudgetFileError {
        BudgetFileError::Io { path: self.0.clone(), cause }
    }
}

fn bounded(path: &Path, bytes: u64) -> io::Result<String> {
    if bytes > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {LARGEST} bytes")));
    }
    fs::read_to_string(path)
}

/// The task that writes changes. Requests never wait for it.
#[derive(Debug)]
pub struct Keeping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Keeping {
    /// Starts to write.
    pub fn start(file: BudgetFile, gateway: &Arc<Gateway>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(keep(file, Arc::clone(gateway), stopped)) }
    }

    /// Writes the rest, after the last request has ended.
    pub async fn end(self) {
        self.stop.send_replace(true);
        let _ended = self.task.await;
    }
}

/// Writes changes until `stop` is set.
async fn keep(file: BudgetFile, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let (mut is_failing, mut took) = (false, Duration::ZERO);
    loop {
        let pause = INTERVAL.max(took * SHARE);
        let stopped = tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok();
        let (file, gateway) = (file.clone(), Arc::clone(&gateway));
        let begun = Instant::now();
        let flushed = tokio::task::spawn_blocking(move || flush(&file, &gateway)).await;
        took = begun.elapsed();
        is_failing = match flushed {
            Ok(Err(error)) => {
                if !is_failing {
                    tracing::error!(%error, "the state of budgets is not kept");
                }
                true
            }
            Ok(Ok(())) if is_failing => {
                tracing::info!("the state of budgets is kept again");
                false
            }
            _ => false,
        };
        if stopped {
            return;
        }
    }
}

/// Writes all rows if any has changed.
fn flush(file: &BudgetFile, gateway: &Gateway) -> Result<(), BudgetFileError> {
    let budgets = gateway.budgets();
    let changes = budgets.changes();
    if changes.is_empty() {
        return Ok(());
    }
    file.write(budgets.rows()).inspect_err(|_| budgets.give_back(&changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_ledger::{Budget, Limit, Period, Row, Scope};

    #[test]
    fn rows_are_read_as_they_were_written_and_other_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = BudgetFile(folder.path().join(NAME));
        assert_eq!(file.read().unwrap(), StoredRows::default());
        let budget = |name: &str, limit| Budget::new(name, Scope::All, limit, Period::Minute);
        let tokens = budget("b", Limit::Tokens(10));
        let row = |name: &str| Row {
            budget: name.into(),
            start: 0,
            end: Some(60),
            reserved: 3,
            settled: 7,
            before: 0,
            cell: 0,
            seq: 1,
        };
        let shapes = ["a", "b"].map(|name| (name.to_owned(), tokens.shape())).into();
        let rows = StoredRows { shapes, rows: vec![row("a"), row("b")], node: None };
        file.write(rows.clone()).unwrap();
        assert_eq!(file.read().unwrap(), rows);
        let mut waiting = rows.clone();
        assert_eq!(waiting.take([&tokens].into_iter()), [row("b")]);
        assert_eq!(waiting.take([&tokens].into_iter()), []);
        assert_eq!(waiting.rows, [row("a")], "the other budget's counts wait for it");
        let requests = budget("b", Limit::Requests(10));
        assert_eq!(rows.clone().take([&requests].into_iter()), [], "tokens are no requests");
        fs::write(&file.0, "{\"version\":2,\"shapes\":{},\"rows\":[]}").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("has version 2"));
        fs::write(&file.0, "no").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("every budget begins anew"));
    }
}
