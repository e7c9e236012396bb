//! Follows the plugins directory: a new or changed file is loaded and replaces its predecessor; a file that is gone is
//! unloaded after a while.
//!
//! Notifications of the operating system are only hints to scan: they get lost, are merged, are missing (network and
//! container file systems) and differ between systems. The directory is scanned every few seconds anyway. Links are
//! resolved each time, because a `ConfigMap` of Kubernetes changes by a link elsewhere. A file counts as changed by its
//! digest, not by its time.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::catalog::Catalog;
use super::load::Loader;
use super::lock::Lock;
use super::policy::Policy;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::digest::Digest;
use weir_sandbox::limits::AdapterLimits;

mod file;
mod follow;
mod grants;
mod look;
mod proofs;
mod rehearsal;
mod stand_in;
mod writers;

pub use file::signature_beside;
use file::{ComponentFile, Stamp, list, read_signature};
pub use follow::{ScanTrigger, Watching};
pub(crate) use grants::ByName;
pub use grants::Granted;
pub use proofs::ProofError;
use proofs::{Retry, Unproved};
pub use rehearsal::{Rehearsal, RehearsalError};
pub use writers::{Writers, exposed, writers};

/// Maximum number of scans before serving, if files in the directory keep changing.
const FIRST_LOOKS: usize = 20;

/// Checks whether an adapter proves itself: by the fixtures beside this file, or in these bytes, which it was loaded
/// from. They are left out where they hold none.
pub type Proof = dyn Fn(&Arc<Adapter>, &Path, &[u8]) -> Result<(), ProofError> + Send + Sync;

/// Whether an adapter of this name may be proved beside its serving.
pub type Beside = dyn Fn(&str) -> bool + Send + Sync;

/// The plugins directory, and how its files are loaded.
#[derive(Clone)]
pub struct Folder {
    /// The directory; only `NAME.wasm` files directly in it count.
    pub dir: PathBuf,
    /// The lock file; a missing one trusts nothing.
    pub lock: Option<PathBuf>,
    /// Limits of single adapters, by name.
    pub adapter_limits: BTreeMap<String, AdapterLimits>,
    /// Limits of all others.
    pub default_limits: AdapterLimits,
    /// The grants by the adapter's name. They replace the grants in `adapter_limits`.
    pub grants: Arc<Granted>,
    /// Requirements of files before they are loaded.
    pub policy: Policy,
    /// Whether to accept files that every user of this machine may write.
    pub allow_writable: bool,
    /// The proof that an adapter must pass; `None` for none.
    pub proof: Option<Arc<Proof>>,
    /// Which adapters, until [`Watch::follow`] has proved them, serve before their proof if the lock file pins their
    /// digests and nothing else serves their names; `None` for none.
    pub proves_beside: Option<Arc<Beside>>,
    /// Interval of scans without a hint.
    pub every: Duration,
    /// How long a file must stay unchanged before it is read.
    pub settle: Duration,
    /// How long a file may be truncated before it is refused for that.
    pub truncated_for: Duration,
    /// How long a file may be missing before its adapter is unloaded: replacing a file may look like deleting it.
    pub grace: Duration,
    /// The pause before a proof that lacked time is tried again; the next ones are longer.
    pub breather: Duration,
}

impl Folder {
    /// The settings for a directory, with times that suit people and orchestrators.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            lock: None,
            adapter_limits: BTreeMap::new(),
            default_limits: AdapterLimits::default(),
            grants: Arc::default(),
            policy: Policy::default(),
            allow_writable: false,
            proof: None,
            proves_beside: None,
            every: Duration::from_secs(3),
            settle: Duration::from_millis(100),
            truncated_for: Duration::from_secs(5),
            grace: Duration::from_secs(5),
            breather: Duration::from_secs(1),
        }
    }
}

impl Debug for Folder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("dir", &self.dir).field("lock", &self.lock).finish_non_exhaustive()
    }
}

/// The known state of the directory, and the catalog to update.
#[derive(Debug)]
pub struct Watch {
    folder: Folder,
    loader: Loader,
    catalog: Arc<Catalog>,
    lock: Lock,
    files: BTreeMap<String, File>,
    /// The grants at the last scan.
    granted: Arc<ByName>,
    /// Adapters that serve and are yet to be proved.
    unproved: Vec<Unproved>,
}

/// A file that was seen.
#[derive(Debug)]
struct File {
    stamp: Stamp,
    /// The stamp of its signature file.
    signature: Option<Stamp>,
    /// When this stamp was first seen.
    since: Instant,
    state: State,
    /// When the file was first missing.
    gone: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be read once it has settled.
    New,
    /// Truncated when it was read; it may still grow.
    Short,
    /// Could not be read; retried at each scan.
    Unreadable,
    /// Read; nothing to do until it changes. Digest and trust are those of its admission or refusal.
    Done { digest: Digest, trusted: bool },
    /// Conflicted with the other adapters of that generation.
    Conflict { generation: u64 },
    /// Refused since its proof lacked time, and to be proved again.
    Starved { digest: Digest, trusted: bool, retry: Retry },
}

impl Watch {
    /// Creates a watch that has not scanned yet.
    pub fn new(folder: Folder, loader: Loader, catalog: Arc<Catalog>) -> Self {
        let granted = folder.grants.all();
        let (lock, files, unproved) = (Lock::default(), BTreeMap::new(), Vec::new());
        Self { folder, loader, catalog, lock, files, granted, unproved }
    }

    /// The directory and its settings.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Makes the next scan retry the refused files, although they have not changed.
    pub(crate) fn try_anew(&mut self) {
        let snapshot = self.catalog.snapshot();
        for (name, file) in &mut self.files {
            if snapshot.refused.contains_key(name.as_str()) {
                file.state = State::New;
            }
        }
    }

    /// Scans the directory until every file in it has been admitted or refused, or is still being written. For
    /// programs, before they serve. Blocks meanwhile.
    pub fn start(&mut self) {
        for _ in 0..FIRST_LOOKS {
            self.scan();
            if self.files.values().all(|file| file.state != State::New) {
                return;
            }
            std::thread::sleep(self.folder.settle);
        }
    }

    /// Scans the directory and updates the catalog, including loading. Returns how long to wait before the next scan.
    /// Files that have not changed for a while are admitted at the first scan, others at the second.
    pub fn scan(&mut self) -> Duration {
        let now = Instant::now();
        self.read_lock();
        match list(&self.folder.dir) {
            Ok(found) => self.compare(found, now),
            // The files of an unreadable directory are unknown, so the serving adapters stay.
            Err(error) => {
                tracing::warn!(dir = %self.folder.dir.display(), %error, "cannot read the plugins directory");
                return self.folder.every;
            }
        }
        let regranted = self.notice_grants();
        let names: Vec<String> = self.files.keys().cloned().collect();
        let mut new = self.look_at_the_new(now);
        // Those that were there first count where two conflict: one after the other, by name.
        for name in &names {
            if let Some(look) = new.remove(name).or_else(|| self.look(name, now)) {
                self.take(name, look);
            }
        }
        self.withdraw_grants(&regranted);
        self.catalog.sweep(self.loader.engine());
        self.next_look()
    }

    fn read_lock(&mut self) {
        let Some(path) = &self.folder.lock else { return };
        match Lock::read(path) {
            Ok(lock) => self.lock = lock,
            Err(error) => tracing::error!(%error, "the lock file is left aside, the former one counts"),
        }
    }

    /// Records new, changed and missing files.
    fn compare(&mut self, mut found: BTreeMap<String, ComponentFile>, now: Instant) {
        for (name, file) in &mut self.files {
            match found.remove(name) {
                None => _ = file.gone.get_or_insert(now),
                Some(found) => {
                    file.gone = None;
                    if file.stamp != found.stamp || file.signature != found.signature {
                        *file = File::new(found, now);
                    }
                }
            }
        }
        self.files.extend(found.into_iter().map(|(name, found)| (name, File::new(found, now))));
        let grace = self.folder.grace;
        let catalog = &self.catalog;
        self.files.retain(|name, file| {
            let keep = file.gone.is_none_or(|since| now.duration_since(since) < grace);
            if !keep {
                catalog.remove(name);
            }
            keep
        });
    }

    fn next_look(&self) -> Duration {
        let now = Instant::now();
        let waiting = |file: &File| match file.state {
            _ if file.gone.is_some() => Some(self.folder.grace),
            State::New => Some(self.folder.settle),
            State::Short => Some(self.folder.settle * 5),
            State::Starved { retry, .. } => Some(retry.wait(now)),
            _ => None,
        };
        let beside = self.unproved.iter().filter_map(|unproved| unproved.wait(now));
        self.files.values().filter_map(waiting).chain(beside).fold(self.folder.every, Duration::min)
    }
}

impl File {
    fn new(found: ComponentFile, now: Instant) -> Self {
        Self { stamp: found.stamp, signature: found.signature, since: now, state: State::New, gone: None }
    }

    /// Whether it has been unchanged for a while, or was written long before it was seen.
    fn is_settled(&self, settle: Duration, now: Instant) -> bool {
        now.duration_since(self.since) >= settle || self.stamp.age().is_some_and(|age| age > settle * 20)
    }
}

#[cfg(test)]
mod tests;
