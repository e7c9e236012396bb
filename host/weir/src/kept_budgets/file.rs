//! Keeps the state of budgets in a file, so that a restart continues them. What requests had only reserved when the
//! program was killed counts as spent.
//!
//! Processes with the same file, such as two of which one takes the other's place, count together: each adds what it
//! has counted since to the sums of the file, in turns, and learns there what the others have counted.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::merge::Agreed;
use weir_adapters::atomic_file::{self, Readers};
use weir_config::Config;
use weir_gateway::gateway::Gateway;
use weir_ledger::{Correction, StoredRows, Timestamp};
use weir_store::lock_file;

use crate::store::file_of_node;

/// Its name beside the configuration.
const NAME: &str = "weir-budgets.json";
/// The format of the file.
const VERSION: u32 = 1;
/// The largest file that is read, in bytes: some million budgets.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// How long this process waits for its turn to write.
const TURN: Duration = Duration::from_secs(5);

/// Why the state of budgets cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BudgetFileError {
    /// The file cannot be written, or no other process lets this one.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
        /// Whether a file from before is there, with which the next start goes on.
        has_former: bool,
    },
    /// The file cannot be read.
    #[error(
        "{path}, which has what budgets have counted, cannot be read: {cause}. Let Weir's user read and write it, or move it \
         away: then every budget starts from zero"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{path}, which has what budgets have counted, is damaged: {reason}. Put it back from a backup, or move it away: then \
         every budget starts from zero"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// Another version of the program wrote the file.
    #[error(
        "{path}, which has what budgets have counted, has version {version}, and this program reads {VERSION}: start the version \
         of Weir that wrote it, or move it away: then every budget starts from zero"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
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
#[derive(Debug)]
pub(super) struct BudgetFile {
    path: PathBuf,
    /// Where earlier versions had it.
    former: PathBuf,
    agreed: Agreed,
    /// The file that was written or read last.
    known: Option<Stamp>,
    /// The generation of the budgets that it was written with.
    generation: Option<u64>,
}

/// What distinguishes a file from one that has taken its place: its number, its time and its length.
type Stamp = (u64, SystemTime, u64);

impl BudgetFile {
    /// The file of a configuration; `None` if there is no place for it.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let path = file_of_node(config, |store| Some(format!("{}-budgets.json", store.file_stem()?.to_str()?)))?;
        Some(Self::at(path, config.folder.join(NAME)))
    }

    pub(super) fn at(path: PathBuf, former: PathBuf) -> Self {
        Self { path, former, agreed: Agreed::default(), known: None, generation: None }
    }

    /// Reads what was counted; nothing if there is no file.
    pub(super) fn take(&mut self) -> Result<StoredRows, BudgetFileError> {
        // First, so that what takes its place meanwhile is read later.
        let stamp = self.stamp();
        let rows = match Self::read(&self.path)? {
            Some(rows) => rows,
            None => Self::read(&self.former)?.unwrap_or_default(),
        };
        (self.known, self.agreed) = (stamp, Agreed::on(&rows));
        Ok(rows)
    }

    /// Puts the files aside, once what they have is kept elsewhere.
    pub(super) fn put_aside(&self) -> io::Result<()> {
        for path in [&self.path, &self.former].into_iter().filter(|path| path.exists()) {
            fs::rename(path, path.with_extension("json.moved"))?;
        }
        Ok(())
    }

    fn read(path: &Path) -> Result<Option<StoredRows>, BudgetFileError> {
        let content = |reason: String| BudgetFileError::Content { path: path.to_owned(), reason };
        let text = match fs::metadata(path).and_then(|about| bounded(path, about.len())) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(content("it is no text".to_owned()));
            }
            Err(cause) => return Err(BudgetFileError::Unreadable { path: path.to_owned(), cause }),
        };
        let Content { version, rows } = serde_json::from_str(&text).map_err(|error| content(error.to_string()))?;
        if version != VERSION {
            let path = path.to_owned();
            return Err(BudgetFileError::Version { path, version });
        }
        Ok(Some(rows))
    }

    /// Adds what the gateway has counted to the file, and to the gateway's counts what other processes have added;
    /// returns how many rows the file has. `is_first` makes sure that the file can be written if there are budgets.
    pub(super) fn flush(&mut self, gateway: &Gateway, is_first: bool) -> Result<usize, BudgetFileError> {
        let budgets = gateway.budgets();
        let changes = budgets.changes();
        let generation = budgets.generation();
        // A budget that is gone leaves the file, lest another one of its name takes over what it counted.
        let is_other = self.generation.is_some_and(|known| known != generation);
        let is_due = !changes.is_empty() || is_other || (is_first && !budgets.is_empty());
        let exchanged = self.exchange(is_due, || budgets.rows());
        let corrections = exchanged.inspect_err(|_| budgets.give_back(&changes))?;
        self.generation = Some(generation);
        budgets.correct(&corrections);
        Ok(self.agreed.rows())
    }

    /// The same with these rows: returns what other processes have added.
    fn exchange(
        &mut self,
        has_changed: bool,
        rows: impl FnOnce() -> StoredRows,
    ) -> Result<Vec<Correction>, BudgetFileError> {
        if !has_changed && self.stamp() == self.known {
            return Ok(Vec::new());
        }
        let _turn = turn(&self.path).map_err(|cause| self.failed(cause))?;
        let stamp = self.stamp();
        let kept = if stamp == self.known { None } else { Some(Self::read(&self.path)?.unwrap_or_default()) };
        let merged = self.agreed.merge(rows(), kept, Timestamp::now().as_second());
        if has_changed || merged.is_other {
            self.write(merged.content)?;
        }
        self.agreed = merged.agreed;
        self.known = self.stamp();
        Ok(merged.corrections)
    }

    /// Replaces the file in one step.
    pub(super) fn write(&self, rows: StoredRows) -> Result<(), BudgetFileError> {
        let written = || {
            let mut text = serde_json::to_vec(&Content { version: VERSION, rows })?;
            text.push(b'\n');
            atomic_file::put(&self.path, &text, Readers::All)
        };
        written().map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> BudgetFileError {
        let has_former = self.path.exists() || self.former.exists();
        BudgetFileError::Io { path: self.path.clone(), cause, has_former }
    }

    fn stamp(&self) -> Option<Stamp> {
        let about = fs::metadata(&self.path).ok()?;
        Some((number(&about), about.modified().ok()?, about.len()))
    }
}

#[cfg(unix)]
fn number(about: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

/// Waits until no other process writes the file. The turn ends with the value, and with the process.
fn turn(path: &Path) -> io::Result<Option<File>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match lock_file(&path.with_extension("lock"), TURN) {
        Ok(file) => Ok(Some(file)),
        // Where files have no locks, no other process is expected.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "another process does not let this one write it"))
        }
        Err(error) => Err(error),
    }
}

fn bounded(path: &Path, bytes: u64) -> io::Result<String> {
    if bytes > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MAX_FILE_BYTES} bytes")));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests;
