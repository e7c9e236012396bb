//! The thread that follows a directory: it looks when the system hints at a change, when it is asked to, and every few
//! seconds in any case.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Watch;
use super::file::directory;

impl Watch {
    /// Follows the directory from now on, on a thread of its own.
    pub fn follow(self) -> std::io::Result<Watching> {
        let (hints, waiting) = sync_channel(1);
        let bell = Bell { hints: hints.clone(), anew: Arc::default() };
        let anew = Arc::clone(&bell.anew);
        let named = std::thread::Builder::new().name("weir-plugins".into());
        let thread = named.spawn(move || follow(self, &waiting, &bell))?;
        Ok(Watching { hints, anew, thread: Some(thread) })
    }
}

/// The thread that follows a directory. Dropping it tells the thread to end when it has done what it is at.
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

/// Has a followed directory looked at.
#[derive(Debug, Clone)]
pub struct Bell {
    hints: SyncSender<Hint>,
    /// Whether what was refused is to be tried anew. Not part of the hint: where one waits already, another is dropped.
    anew: Arc<AtomicBool>,
}

impl Bell {
    /// Has the directory looked at soon.
    pub fn ring(&self) {
        // Where one hint waits already, it will be looked at.
        let _ = self.hints.try_send(Hint::Look);
    }

    /// The same, and files that were refused are tried anew: what made them fail may lie elsewhere.
    pub fn ring_anew(&self) {
        self.anew.store(true, Ordering::Release);
        self.ring();
    }
}

impl Watching {
    /// What others have the directory looked at with.
    pub fn bell(&self) -> Bell {
        Bell { hints: self.hints.clone(), anew: Arc::clone(&self.anew) }
    }

    /// Has the directory looked at soon.
    pub fn rescan(&self) {
        self.bell().ring();
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

fn follow(mut watch: Watch, hints: &Receiver<Hint>, bell: &Bell) {
    let dir = watch.folder.dir.clone();
    let mut notifier = None;
    let mut watched = None;
    loop {
        // A directory that was replaced is another one, of which the system would tell nothing.
        let current = directory(&dir);
        if current != watched {
            notifier = current.as_ref().and_then(|_| notify_of(&dir, bell.hints.clone()));
            watched = current;
        }
        if bell.anew.swap(false, Ordering::AcqRel) {
            watch.try_anew();
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
