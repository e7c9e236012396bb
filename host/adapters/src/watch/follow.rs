//! The thread that follows a directory. It scans after a hint of the system, on request, and every few seconds anyway.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Watch;
use super::file::directory;

impl Watch {
    /// Starts a thread that follows the directory. It begins with the proofs that are due.
    pub fn follow(self) -> std::io::Result<Watching> {
        let (hints, waiting) = sync_channel(1);
        let trigger = ScanTrigger { hints: hints.clone(), anew: Arc::default() };
        self.folder.grants.attach(trigger.clone());
        let anew = Arc::clone(&trigger.anew);
        let named = std::thread::Builder::new().name("weir-plugins".into());
        let thread = named.spawn(move || follow(self, &waiting, &trigger))?;
        Ok(Watching { hints, anew, thread: Some(thread) })
    }
}

/// Handle of the thread that follows a directory. Dropping it makes the thread end after its current work.
#[derive(Debug)]
pub struct Watching {
    hints: SyncSender<Hint>,
    anew: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Hint {
    Look,
    Stop,
}

/// Requests scans of a followed directory.
#[derive(Debug, Clone)]
pub struct ScanTrigger {
    hints: SyncSender<Hint>,
    /// Whether to retry refused files. Not part of the hint, because a second hint is dropped while one is pending.
    anew: Arc<AtomicBool>,
}

impl ScanTrigger {
    /// Requests a scan soon.
    pub fn fire(&self) {
        // If a hint is pending already, it will cause the scan.
        let _ = self.hints.try_send(Hint::Look);
    }

    /// Requests a scan that also retries refused files, because the cause of a refusal may lie outside of the file.
    pub fn ring_anew(&self) {
        self.anew.store(true, Ordering::Release);
        self.fire();
    }
}

impl Watching {
    /// A trigger that requests scans of this directory.
    pub fn trigger(&self) -> ScanTrigger {
        ScanTrigger { hints: self.hints.clone(), anew: Arc::clone(&self.anew) }
    }

    /// Requests a scan soon.
    pub fn rescan(&self) {
        self.trigger().fire();
    }

    /// Ends the thread and waits for its end.
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
        // Dropping must not wait for a compilation; `stop` does.
        let _ = std::thread::Builder::new().spawn(move || hints.send(Hint::Stop));
    }
}

fn follow(mut watch: Watch, hints: &Receiver<Hint>, trigger: &ScanTrigger) {
    let dir = watch.folder.dir.clone();
    let mut notifier = None;
    let mut watched = None;
    loop {
        // A replaced directory is a different one, and the system would report no changes of it.
        let current = directory(&dir);
        if current != watched {
            notifier = current.as_ref().and_then(|_| notify_of(&dir, trigger.hints.clone()));
            watched = current;
        }
        if trigger.anew.swap(false, Ordering::AcqRel) {
            watch.try_anew();
        }
        watch.prove_the_rest();
        let wait = watch.scan();
        match hints.recv_timeout(wait) {
            Ok(Hint::Look) => std::thread::sleep(watch.folder.settle / 2),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Hint::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(notifier);
}

/// Whether a file was only opened or read, not closed after writing.
fn is_mere_look(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Whether only files of a database changed: the request log, in the same directory, changes all the time.
fn is_of_database(paths: &[PathBuf]) -> bool {
    let is_of_it = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".db"));
    !paths.is_empty() && paths.iter().all(is_of_it)
}

fn notify_of(dir: &Path, hints: SyncSender<Hint>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Scanning the directory is an access, too; reacting to it would never end.
        if event.as_ref().is_ok_and(|event| is_mere_look(event.kind) || is_of_database(&event.paths)) {
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
