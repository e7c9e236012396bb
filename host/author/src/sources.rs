//! A project's files: which they are, and waiting until they change.
//!
//! The system's events only wake; what counts is whether a file has another time or another size than before. So what a
//! build itself writes, events that come twice, and systems without events do no harm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::project::Project;

/// What building leaves behind, and what tools keep beside the sources.
const LEFTOVERS: [&str; 7] = ["target", "build", "dist", "node_modules", "vendor", "__pycache__", "venv"];
/// How long files must have been left alone: editors write in several steps.
const QUIET: Duration = Duration::from_millis(150);
/// How often they are looked at where no event comes.
const INTERVAL: Duration = Duration::from_secs(2);
/// More files than that belong to something else than an adapter.
const MOST: usize = 10_000;

/// The files as they were at one time.
pub type Snapshot = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The files of a project, watched.
#[derive(Debug)]
pub struct Sources {
    roots: Vec<PathBuf>,
    output: PathBuf,
    /// None where the system tells nothing.
    events: Option<(RecommendedWatcher, Receiver<()>)>,
}

impl Sources {
    /// Begins to watch.
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

    /// The files as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let mut found = Snapshot::new();
        for root in &self.roots {
            self.look(root, &mut found);
        }
        found
    }

    /// Returns when the files differ from what they were, and have been left alone for a moment.
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

    /// Until something happens, or for this long.
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
            if *path != self.output && found.len() < MOST {
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
    let told = move |_: notify::Result<notify::Event>| {
        // Nobody listens any more when the program ends.
        let _ = sender.send(());
    };
    let mut watcher = notify::recommended_watcher(told).ok()?;
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
    fn what_building_leaves_is_none_of_the_sources() {
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
    fn a_change_ends_the_waiting() {
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
