//! Follows the plugins directory: a file that is new, or changed, is loaded and takes its predecessor's place; one that is
//! gone is unloaded after a while.
//!
//! What the operating system tells about changes is taken as a hint to look, never as a fact: events are lost, merged,
//! missing (network and container file systems) and named differently everywhere. The directory is looked at every few
//! seconds in any case; links are resolved each time, since a `ConfigMap` of Kubernetes changes by a link elsewhere; and whether
//! a file *is* another one its digest says, not its time.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::adapter::Adapter;
use super::catalog::Catalog;
use super::digest::Digest;
use super::limits::Terms;
use super::load::{Admission, Loader};
use super::lock::Lock;

mod file;

use file::{Stamp, directory, list};

/// How often the directory is looked at before serving, should files in it keep changing.
const FIRST_LOOKS: usize = 20;

/// Says whether an adapter, with the file that it lies in, has proved itself; if not, why. Runs before it serves.
pub type Proof = dyn Fn(&Arc<Adapter>, &Path) -> Result<(), String> + Send + Sync;

/// Where adapters are and how they are taken in.
#[derive(Clone)]
pub struct Folder {
    /// The directory; `NAME.wasm` files in it, not below it.
    pub dir: PathBuf,
    /// The lock file; one that is missing trusts nothing.
    pub lock: Option<PathBuf>,
    /// How instances of single adapters are to be used, by name.
    pub terms: BTreeMap<String, Terms>,
    /// How those of all others are.
    pub usual_terms: Terms,
    /// What an adapter must prove; none: nothing.
    pub proof: Option<Arc<Proof>>,
    /// How often the directory is looked at without a hint.
    pub every: Duration,
    /// How long a file must have stayed the same before it is read.
    pub settle: Duration,
    /// How long a file may be cut short before it is refused for that.
    pub patience: Duration,
    /// How long a file may be gone before its adapter is unloaded: replacing a file may look like deleting it.
    pub grace: Duration,
}

impl Folder {
    /// This directory, with times that suit people and orchestrators.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            lock: None,
            terms: BTreeMap::new(),
            usual_terms: Terms::default(),
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

/// What is known about the directory, and the catalog that follows it.
#[derive(Debug)]
pub struct Watch {
    folder: Folder,
    loader: Loader,
    catalog: Arc<Catalog>,
    lock: Lock,
    files: BTreeMap<String, File>,
}

/// A file that was seen.
#[derive(Debug)]
struct File {
    stamp: Stamp,
    /// When this stamp was seen first.
    since: Instant,
    state: State,
    /// When it was missing first.
    gone: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be read when it has settled.
    New,
    /// Cut short when it was read; it may grow yet.
    Short,
    /// Could not be read; tried again at each look.
    Unreadable,
    /// Read; nothing to do until it changes. Digest and trust are those it was admitted or refused with.
    Done { digest: Digest, trusted: bool },
    /// Could not serve beside the others of that generation.
    Conflict { generation: u64 },
}

impl Watch {
    /// Nothing is looked at yet.
    pub fn new(folder: Folder, loader: Loader, catalog: Arc<Catalog>) -> Self {
        Self { folder, loader, catalog, lock: Lock::default(), files: BTreeMap::new() }
    }

    /// Looks at the directory until every file in it has been taken in or refused, or is still being written: what a
    /// program does before it serves. Blocks as long as that takes.
    pub fn start(&mut self) {
        for _ in 0..FIRST_LOOKS {
            self.scan();
            if self.files.values().all(|file| file.state != State::New) {
                return;
            }
            std::thread::sleep(self.folder.settle);
        }
    }

    /// Looks at the directory and brings the catalog up to date; loading happens here. Answers how long to wait before
    /// looking again. Files that have not changed for a while are taken in the first time, others when they have been seen twice.
    pub fn scan(&mut self) -> Duration {
        let now = Instant::now();
        self.read_lock();
        match list(&self.folder.dir) {
            Ok(found) => self.compare(found, now),
            // A directory that cannot be read says nothing about its files: what serves, serves on.
            Err(error) => {
                tracing::warn!(dir = %self.folder.dir.display(), %error, "cannot read the plugins directory");
                return self.folder.every;
            }
        }
        let names: Vec<String> = self.files.keys().cloned().collect();
        for name in &names {
            self.visit(name, now);
        }
        self.catalog.sweep(self.loader.engine());
        self.next_look()
    }

    /// Follows the directory from now on, on a thread of its own.
    pub fn follow(self) -> std::io::Result<Watching> {
        let (hints, waiting) = sync_channel(1);
        let hinting = hints.clone();
        let thread =
            std::thread::Builder::new().name("weir-plugins".into()).spawn(move || follow(self, &waiting, &hinting))?;
        Ok(Watching { hints, thread: Some(thread) })
    }

    fn read_lock(&mut self) {
        let Some(path) = &self.folder.lock else { return };
        match Lock::read(path) {
            Ok(lock) => self.lock = lock,
            Err(error) => tracing::error!(%error, "the lock file is left aside, the former one counts"),
        }
    }

    /// Notes what is there, what has changed, and what is gone.
    fn compare(&mut self, mut found: BTreeMap<String, Stamp>, now: Instant) {
        for (name, file) in &mut self.files {
            match found.remove(name) {
                None => _ = file.gone.get_or_insert(now),
                Some(stamp) => {
                    file.gone = None;
                    if file.stamp != stamp {
                        *file = File::new(stamp, now);
                    }
                }
            }
        }
        self.files.extend(found.into_iter().map(|(name, stamp)| (name, File::new(stamp, now))));
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
            State::Done { digest, trusted } => trusted != self.lock.trusts(name, digest),
            State::Conflict { generation } => generation != self.catalog.snapshot().generation,
        };
        if !due {
            return;
        }
        let bytes = match file::read(&file.stamp, self.loader.engine().limits().structure.bytes) {
            Ok(Some(bytes)) => bytes,
            // It changed under our hands: the next look sees another stamp.
            Ok(None) => return,
            Err(error) => {
                file.state = State::Unreadable;
                return self.catalog.refuse(name, None, format!("cannot read it: {error}"));
            }
        };
        let waited = now.duration_since(file.since).max(file.stamp.age().unwrap_or_default());
        let state = self.admit(name, &bytes, waited);
        if let Some(file) = self.files.get_mut(name) {
            file.state = state;
        }
    }

    /// Takes these bytes into the catalog, or has them refused.
    fn admit(&self, name: &str, bytes: &[u8], waited: Duration) -> State {
        let digest = Digest::of(bytes);
        let trusted = self.lock.trusts(name, digest);
        let done = State::Done { digest, trusted };
        let serving = self.catalog.get(name);
        if serving.is_some_and(|adapter| adapter.digest == digest && adapter.trusted == trusted) {
            self.catalog.pardon(name);
            return done;
        }
        let admission =
            Admission { terms: self.folder.terms.get(name).unwrap_or(&self.folder.usual_terms).clone(), trusted };
        let adapter = match self.loader.load(name, bytes, &admission) {
            Ok(adapter) => adapter,
            Err(error) if error.may_pass() && waited < self.folder.patience => return State::Short,
            Err(error) => {
                self.catalog.refuse(name, Some(digest), error.to_string());
                return done;
            }
        };
        let proof = self.folder.proof.as_ref();
        let path = self.folder.dir.join(format!("{name}.wasm"));
        if let Err(reason) = proof.map_or(Ok(()), |proof| proof(&adapter, &path)) {
            self.catalog.refuse(name, Some(digest), reason);
            return done;
        }
        match self.catalog.publish(&adapter) {
            Ok(()) => done,
            Err(_) => State::Conflict { generation: self.catalog.snapshot().generation },
        }
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
    fn new(stamp: Stamp, now: Instant) -> Self {
        Self { stamp, since: now, state: State::New, gone: None }
    }

    /// Seen unchanged for a while, or written long before it was seen.
    fn is_settled(&self, settle: Duration, now: Instant) -> bool {
        now.duration_since(self.since) >= settle || self.stamp.age().is_some_and(|age| age > settle * 20)
    }
}

/// The thread that follows a directory. Dropping it tells the thread to end when it has done what it is at.
#[derive(Debug)]
pub struct Watching {
    hints: SyncSender<Hint>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Hint {
    Look,
    Stop,
}

impl Watching {
    /// Has the directory looked at soon.
    pub fn rescan(&self) {
        let _ = self.hints.try_send(Hint::Look);
    }

    /// Ends the thread and waits for that.
    pub fn stop(mut self) {
        let _ = self.hints.send(Hint::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if self.thread.is_none() {
            return;
        }
        let hints = self.hints.clone();
        // Not to wait here while something compiles: whoever wants that calls `stop`.
        let _ = std::thread::Builder::new().spawn(move || hints.send(Hint::Stop));
    }
}

fn follow(mut watch: Watch, hints: &Receiver<Hint>, hinting: &SyncSender<Hint>) {
    let dir = watch.folder.dir.clone();
    let mut notifier = None;
    let mut watched = None;
    loop {
        // A directory that was replaced is another one, of which the system would tell nothing.
        let current = directory(&dir);
        if current != watched {
            notifier = current.as_ref().and_then(|_| notify_of(&dir, hinting.clone()));
            watched = current;
        }
        let wait = watch.scan();
        match hints.recv_timeout(wait) {
            Ok(Hint::Look) => std::thread::sleep(watch.folder.settle / 2),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Hint::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(notifier);
}

/// Whether a file was only opened or read, and not closed after writing.
fn is_mere_look(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

fn notify_of(dir: &Path, hints: SyncSender<Hint>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Looking at the directory is an access too: to look again because of that would never end.
        if event.as_ref().is_ok_and(|event| is_mere_look(event.kind)) {
            return;
        }
        let _ = hints.try_send(Hint::Look);
    });
    match watcher.and_then(|mut watcher| watcher.watch(dir, RecursiveMode::NonRecursive).map(|()| watcher)) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::info!(dir = %dir.display(), %error, "no events for the plugins directory, looking at it every few seconds");
            None
        }
    }
}

#[cfg(test)]
mod tests;
