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

use super::age::is_older;
use super::catalog::Catalog;
use super::load::{Admission, Loader};
use super::lock::Lock;
use super::policy::Policy;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::digest::Digest;
use weir_sandbox::limits::AdapterLimits;

mod file;
mod follow;
mod grants;
mod rehearsal;
mod stand_in;
mod writers;

pub use file::signature_beside;
use file::{Found, Stamp, list, read_signature};
pub use follow::{Bell, Watching};
pub(crate) use grants::ByName;
pub use grants::Granted;
pub use rehearsal::Rehearsal;
pub use writers::{Writers, exposed, writers};

/// Maximum number of scans before serving, if files in the directory keep changing.
const FIRST_LOOKS: usize = 20;

/// Checks whether an adapter, loaded from this file, proves itself, before it serves; the error is the reason.
pub type Proof = dyn Fn(&Arc<Adapter>, &Path) -> Result<(), String> + Send + Sync;

/// The plugins directory, and how its files are loaded.
#[derive(Clone)]
pub struct Folder {
    /// The directory; only `NAME.wasm` files directly in it count.
    pub dir: PathBuf,
    /// The lock file; a missing one trusts nothing.
    pub lock: Option<PathBuf>,
    /// Limits of single adapters, by name.
    pub terms: BTreeMap<String, AdapterLimits>,
    /// Limits of all others.
    pub usual_terms: AdapterLimits,
    /// The grants by the adapter's name. They replace the grants in `terms`.
    pub grants: Arc<Granted>,
    /// Requirements of files before they are loaded.
    pub policy: Policy,
    /// Whether to accept files that every user of this machine may write.
    pub allow_writable: bool,
    /// The proof that an adapter must pass; `None` for none.
    pub proof: Option<Arc<Proof>>,
    /// Interval of scans without a hint.
    pub every: Duration,
    /// How long a file must stay unchanged before it is read.
    pub settle: Duration,
    /// How long a file may be truncated before it is refused for that.
    pub patience: Duration,
    /// How long a file may be missing before its adapter is unloaded: replacing a file may look like deleting it.
    pub grace: Duration,
}

impl Folder {
    /// The settings for a directory, with times that suit people and orchestrators.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            lock: None,
            terms: BTreeMap::new(),
            usual_terms: AdapterLimits::default(),
            grants: Arc::default(),
            policy: Policy::default(),
            allow_writable: false,
            proof: None,
            every: Duration::from_secs(3),
            settle: Duration::from_millis(100),
            patience: Duration::from_secs(5),
            grace: Duration::from_secs(5),
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
}

impl Watch {
    /// Creates a watch that has not scanned yet.
    pub fn new(folder: Folder, loader: Loader, catalog: Arc<Catalog>) -> Self {
        let granted = folder.grants.all();
        Self { folder, loader, catalog, lock: Lock::default(), files: BTreeMap::new(), granted }
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
        for name in &names {
            self.visit(name, now);
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
    fn compare(&mut self, mut found: BTreeMap<String, Found>, now: Instant) {
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

    fn visit(&mut self, name: &str, now: Instant) {
        let Some(file) = self.files.get_mut(name) else { return };
        if file.gone.is_some() {
            return;
        }
        let due = match file.state {
            State::New => file.is_settled(self.folder.settle, now),
            State::Short | State::Unreadable => true,
            // A file that neither serves nor was refused has been released: from quarantine, or by a rollback of the
            // operator.
            State::Done { digest, trusted } => {
                trusted != self.lock.trusts(name, digest) || !self.catalog.snapshot().accounts_for(name, digest)
            }
            State::Conflict { generation } => generation != self.catalog.snapshot().generation,
        };
        if !due {
            return;
        }
        if !self.folder.allow_writable
            && let Some(reason) = exposed([self.folder.dir.as_path(), file.stamp.path()])
        {
            file.state = State::Unreadable;
            return self.catalog.refuse(name, None, reason);
        }
        let bytes = match file::read(&file.stamp, self.loader.engine().limits().structure.bytes) {
            Ok(Some(bytes)) => bytes,
            // It changed while it was read: the next scan sees another stamp.
            Ok(None) => return,
            Err(error) => {
                file.state = State::Unreadable;
                return self.catalog.refuse(name, None, format!("cannot read it: {error}"));
            }
        };
        let waited = now.duration_since(file.since).max(file.stamp.age().unwrap_or_default());
        let signature =
            file.signature.as_ref().filter(|_| self.folder.policy.reads_signatures()).and_then(read_signature);
        let state = self.admit(name, &bytes, signature.as_deref(), waited);
        if let Some(file) = self.files.get_mut(name) {
            file.state = state;
        }
    }

    /// Admits these bytes to the catalog, or refuses them.
    fn admit(&self, name: &str, bytes: &[u8], signature: Option<&str>, waited: Duration) -> State {
        let digest = Digest::of(bytes);
        let trusted = self.lock.trusts(name, digest);
        let done = State::Done { digest, trusted };
        let snapshot = self.catalog.snapshot();
        if let Some(reason) = snapshot.held(name, digest) {
            self.catalog.refuse(name, Some(digest), reason.clone());
            self.stand_in(name, bytes, signature, &reason);
            return done;
        }
        let signer = match self.folder.policy.check(name, digest, &self.lock, signature) {
            Ok(vouched) => vouched.signer,
            Err(missing) => {
                self.catalog.refuse(name, Some(digest), missing.to_string());
                return done;
            }
        };
        let terms = self.terms(name);
        let known = snapshot.version(name, digest).filter(|adapter| grants::has(adapter, &terms.grants));
        let known = known.filter(|adapter| adapter.trusted == trusted && adapter.signer == signer);
        let serves = known.is_some_and(|known| !known.duty.rests());
        if serves {
            self.catalog.withdraw(name, digest);
            self.catalog.pardon(name);
            return done;
        }
        let path = self.folder.dir.join(format!("{name}.wasm"));
        let adapter = match known {
            // It has proved itself before.
            Some(known) => Arc::clone(known),
            None => match self.load(&path, bytes, &Admission { terms, trusted, signer }, (name, waited)) {
                Ok(adapter) => adapter,
                Err(None) => return State::Short,
                Err(Some(reason)) => {
                    self.catalog.refuse(name, Some(digest), reason);
                    return done;
                }
            },
        };
        if let Some(reason) = self.downgrade(&adapter) {
            self.catalog.refuse(name, Some(digest), reason);
            return done;
        }
        match self.catalog.publish(&adapter) {
            Ok(()) => done,
            Err(_) => State::Conflict { generation: self.catalog.snapshot().generation },
        }
    }

    /// Why a signed version must not replace a later one that is pinned: an old signature stays valid although the
    /// version has defects.
    fn downgrade(&self, adapter: &Adapter) -> Option<String> {
        let version = &adapter.manifest.version;
        let pinned = self.lock.version(&adapter.name).filter(|_| !adapter.trusted && adapter.signer.is_some())?;
        is_older(version, pinned).then(|| {
            format!(
                "its version {version} is older than {pinned}, which is pinned: `weir plugin install --allow-downgrade`"
            )
        })
    }

    /// Loads and proves an adapter. The error is the reason; `None` if the file may just be incomplete yet.
    fn load(
        &self,
        file: &Path,
        bytes: &[u8],
        admission: &Admission,
        (name, waited): (&str, Duration),
    ) -> Result<Arc<Adapter>, Option<String>> {
        let adapter = match self.loader.load(name, bytes, admission) {
            Ok(adapter) => adapter,
            Err(error) if error.may_pass() && waited < self.folder.patience => return Err(None),
            Err(error) => return Err(Some(error.to_string())),
        };
        let proof = self.folder.proof.as_ref();
        proof.map_or(Ok(()), |proof| proof(&adapter, file)).map_err(Some)?;
        Ok(adapter)
    }

    fn next_look(&self) -> Duration {
        let waiting = |file: &File| match file.state {
            _ if file.gone.is_some() => Some(self.folder.grace),
            State::New => Some(self.folder.settle),
            State::Short => Some(self.folder.settle * 5),
            _ => None,
        };
        self.files.values().filter_map(waiting).fold(self.folder.every, Duration::min)
    }
}

impl File {
    fn new(found: Found, now: Instant) -> Self {
        Self { stamp: found.stamp, signature: found.signature, since: now, state: State::New, gone: None }
    }

    /// Whether it has been unchanged for a while, or was written long before it was seen.
    fn is_settled(&self, settle: Duration, now: Instant) -> bool {
        now.duration_since(self.since) >= settle || self.stamp.age().is_some_and(|age| age > settle * 20)
    }
}

#[cfg(test)]
mod tests;
