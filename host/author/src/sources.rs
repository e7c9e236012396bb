//! Lists a project's files, and waits for changes.
//!
//! The system's events only wake the thread; a change means another time or size of a file. So files written by a
//! build, duplicate events, and systems without events do no harm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::project::Project;

/// Folders with products of builds and files of tools, which are ignored.
const LEFTOVERS: [&str; 7] = ["target", "build", "dist", "node_modules", "vendor", "__pycache__", "venv"];
/// How long files must stay unchanged, because editors write in several steps.
const QUIET: Duration = Duration::from_millis(150);
/// Interval of checks without an event.
const INTERVAL: Duration = Duration::from_secs(2);
/// Maximum number of files; a folder with more is not an adapter's project.
const MAX_FILES: usize = 10_000;

/// Time and size of each file at one moment.
pub type Snapshot = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The watched files of a project.
#[derive(Debug)]
pub struct Sources {
    roots: Vec<PathBuf>,
    output: PathBuf,
    /// `None` if the system reports no events.
    events: Option<(RecommendedWatcher, Receiver<()>)>,
}

impl Sources {
    /// Starts to watch a project.
    pub fn of(project: &Project) -> Self {
        let mut roots: Vec<PathBuf> = match &project.watch {
            Some(paths) => paths.iter().map(|path| project.dir.join(path)).collect(),
            None => vec![project.dir.clone()],
        };
        if project.watch.is_some() {
            roots.push(project.fixtures.clone());
        }
        let events = watcher(&roots);
        Self { roots, output: project.output(), events }
    }

    /// The current state of the files.
    pub fn snapshot(&self) -> Snapshot {
        let mut found = Snapshot::new();
        for root in &self.roots {
            self.look(root, &mut found);
        }
        found
    }

    /// Blocks until the files differ from `before` and have stayed unchanged for a moment.
    pub fn wait(&self, before: &Snapshot) {
        loop {
            self.sleep(INTERVAL);
            let mut now = self.snapshot();
            if now == *before {
                continue;
            }
            loop {
                self.sleep(QUIET);
                let later = self.snapshot();
                if later == now {
                    return;
                }
                now = later;
            }
        }
    }

    /// Waits for an event, at most this long.
    fn sleep(&self, most: Duration) {
        let Some((_, events)) = &self.events else { return std::thread::sleep(most.min(QUIET * 3)) };
        match events.recv_timeout(most) {
            Ok(()) => while events.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(most),
        }
    }

    fn look(&self, path: &Path, found: &mut Snapshot) {
        let Ok(metadata) = path.metadata() else { return };
        if metadata.is_file() {
            if *path != self.output && found.len() < MAX_FILES {
                found.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
            }
            return;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !LEFTOVERS.contains(&&*name) {
                self.look(&entry.path(), found);
            }
        }
    }
}

fn watcher(roots: &[PathBuf]) -> Option<(RecommendedWatcher, Receiver<()>)> {
    let (sender, events) = channel();
    let on_event = move |_: notify::Result<notify::Event>| {
        // The receiver is gone when the program ends.
        let _ = sender.send(());
    };
    let mut watcher = notify::recommended_watcher(on_event).ok()?;
    for root in roots {
        watcher.watch(root, RecursiveMode::Recursive).ok()?;
    }
    Some((watcher, events))
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::*;

    fn project(dir: &Path) -> Project {
        Project {
            dir: dir.to_owned(),
            name: "zeta".into(),
            language: Language::C,
            watch: None,
            fixtures: dir.join("fixtures"),
            build: None,
        }
    }

    #[test]
    fn products_of_a_build_are_not_sources() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["src/a.c", "build/core.wasm", ".git/HEAD", "zeta.wasm", "target/x", "fixtures/chat.json"] {
            let file = dir.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let sources = Sources::of(&project(dir.path()));
        let found: Vec<PathBuf> = sources.snapshot().into_keys().collect();
        assert_eq!(found, [dir.path().join("fixtures/chat.json"), dir.path().join("src/a.c")]);
    }

    #[test]
    fn a_change_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.c");
        std::fs::write(&file, "1").unwrap();
        let sources = Sources::of(&project(dir.path()));
        let before = sources.snapshot();
        std::fs::write(&file, "22").unwrap();
        sources.wait(&before);
        assert_ne!(sources.snapshot(), before);
    }
}
