//! Tests of starts after decisions: held versions stay back, and replacements serve.

use std::time::Duration;

use tempfile::TempDir;

use super::super::super::decisions::{DecidedBy, Keeper};
use super::super::super::{Cache, Catalog, Loader};
use super::super::Folder;
use super::*;
use crate::guest::{guest, small};
use weir_sandbox::Engine;

/// A plugins folder and a compile cache.
struct Folders {
    plugins: TempDir,
    cache: TempDir,
}

/// One run of a program.
struct Run {
    watch: Watch,
    catalog: Arc<Catalog>,
}

fn folders() -> Folders {
    Folders { plugins: TempDir::new().unwrap(), cache: TempDir::new().unwrap() }
}

impl Folders {
    fn put(&self, bytes: &[u8]) {
        let temporary = self.plugins.path().join("new.tmp");
        std::fs::write(&temporary, bytes).unwrap();
        std::fs::rename(temporary, self.plugins.path().join("zeta.wasm")).unwrap();
    }

    fn start(&self) -> Run {
        self.start_with(|_| {})
    }

    fn start_with(&self, change: impl FnOnce(&mut Folder)) -> Run {
        let mut folder = Folder::new(self.plugins.path());
        (folder.settle, folder.truncated_for, folder.grace) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        folder.lock = Some(self.plugins.path().join("plugins.lock"));
        change(&mut folder);
        let engine = Engine::new(small()).unwrap();
        let cache = Cache::open(self.cache.path(), &engine).unwrap();
        let keeper = Keeper::open(cache.dir(), &folder.dir);
        let catalog = Arc::new(Catalog::new(|_| Ok(())));
        catalog.restore(keeper.known());
        let mut run =
            Run { watch: Watch::new(folder, Loader::new(engine, Some(cache)), Arc::clone(&catalog)), catalog };
        run.watch.scan();
        run.catalog.keep_by(keeper);
        run
    }

    /// Removes the compiled code, as a new version of Weir would.
    fn forget_the_code(&self) {
        for file in std::fs::read_dir(self.cache.path()).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "cwasm") {
                std::fs::remove_file(file).unwrap();
            }
        }
    }
}

impl Run {
    /// The version in the name's place, and why it does not run.
    fn stands(&self) -> (String, Option<String>) {
        let adapter = self.catalog.get("zeta").unwrap();
        (adapter.manifest.version.clone(), adapter.state.suspended().map(|reason| reason.to_string()))
    }

    fn refused(&self) -> Option<String> {
        self.catalog.snapshot().refused.get("zeta").map(|refusal| refusal.reason.clone())
    }
}

fn version(version: &str) -> Vec<u8> {
    let mut zeta = guest("zeta");
    zeta.version = version.into();
    zeta.build()
}

fn runs(version: &str) -> (String, Option<String>) {
    (version.to_owned(), None)
}

/// Folders in which the second version replaced the first, and `act` was applied to the catalog.
fn after(act: impl FnOnce(&Catalog, Digest)) -> Folders {
    let folders = folders();
    folders.put(&version("1"));
    let mut run = folders.start();
    folders.put(&version("2"));
    run.watch.scan();
    act(&run.catalog, Digest::of(&version("2")));
    folders
}

fn quarantined() -> Folders {
    after(|catalog, digest| catalog.quarantine("zeta", digest, "it traps", DecidedBy::Judge).unwrap())
}

fn rolled_back() -> Folders {
    after(|catalog, _| drop(catalog.roll_back("zeta").unwrap()))
}

#[test]
fn a_quarantined_version_stays_back_and_its_replacement_serves() {
    let folders = quarantined();
    for _ in 0..2 {
        let run = folders.start();
        assert_eq!((run.stands(), run.refused().as_deref()), (runs("1"), Some("quarantined: it traps")));
        assert_eq!(run.catalog.snapshot().quarantined[&Digest::of(&version("2"))].by, DecidedBy::Judge);
    }
    let mut run = folders.start();
    run.catalog.release("zeta", None).unwrap();
    run.watch.scan();
    assert_eq!((run.stands(), run.refused()), (runs("2"), None));
    assert_eq!(folders.start().stands(), runs("2"), "and so it is after the next start");
}

#[test]
fn without_a_good_version_nothing_runs_until_a_release_or_another_file() {
    let folders = folders();
    folders.put(&version("1"));
    let run = folders.start();
    run.catalog.quarantine("zeta", Digest::of(&version("1")), "it traps", DecidedBy::Operator).unwrap();
    let run = folders.start();
    assert_eq!(run.stands(), ("1".to_owned(), Some("it traps".to_owned())));
    let adapter = run.catalog.get("zeta").unwrap();
    assert_eq!((run.catalog.snapshot().state(&adapter), adapter.pool().idle()), ("quarantined", 0));
    run.catalog.release("zeta", None).unwrap();
    assert_eq!(run.stands(), runs("1"));
    run.catalog.quarantine("zeta", Digest::of(&version("1")), "it traps", DecidedBy::Operator).unwrap();
    let mut run = folders.start();
    folders.put(&version("2"));
    run.watch.scan();
    assert_eq!((run.stands(), run.refused()), (runs("2"), None));
    assert!(folders.start().catalog.snapshot().quarantined.len() == 1, "those bytes are quarantined all the same");
}

#[test]
fn a_rollback_lasts_until_an_activation_or_another_file() {
    let folders = rolled_back();
    let run = folders.start();
    assert_eq!(run.stands(), runs("1"));
    assert!(run.refused().unwrap().contains("rolled back"));
    run.catalog.activate("zeta", Digest::of(&version("2"))).unwrap();
    assert_eq!((run.stands(), run.refused()), (runs("2"), None));
    assert_eq!(folders.start().stands(), runs("2"));
    let folders = rolled_back();
    folders.put(&version("3"));
    assert_eq!(folders.start().stands(), runs("3"), "another file came between two looks");
    folders.put(&version("2"));
    assert_eq!(folders.start().stands(), runs("2"), "which ended the rolling back");
    // The former file is put back.
    let folders = rolled_back();
    folders.put(&version("1"));
    assert_eq!(folders.start().stands(), runs("1"));
    folders.put(&version("2"));
    assert_eq!(folders.start().stands(), runs("2"));
}

#[test]
fn without_its_former_version_nothing_else_serves() {
    let folders = rolled_back();
    folders.forget_the_code();
    let run = folders.start();
    let (stands, reason) = run.stands();
    assert!(stands == "2" && reason.as_ref().unwrap().contains("not at hand"), "{stands} {reason:?}");
    assert_eq!(run.catalog.snapshot().state(&run.catalog.get("zeta").unwrap()), "rolled back");
    assert!(run.catalog.roll_back("zeta").is_err());
    run.catalog.activate("zeta", Digest::of(&version("2"))).unwrap();
    assert_eq!(run.stands(), runs("2"));
    let folders = quarantined();
    folders.forget_the_code();
    let run = folders.start();
    assert_eq!(run.stands(), ("2".to_owned(), Some("it traps".to_owned())));
    // The former version's file brings it back.
    let mut run = folders.start();
    folders.put(&version("1"));
    run.watch.scan();
    assert_eq!(run.stands(), runs("1"));
}

#[test]
fn a_version_without_valid_evidence_does_not_return() {
    let folders = rolled_back();
    let mut lock = super::super::Lock::default();
    lock.pin("zeta", Digest::of(&version("2")));
    std::fs::write(folders.plugins.path().join("plugins.lock"), lock.text()).unwrap();
    let run = folders.start_with(|folder| folder.policy.usual.pin = true);
    assert!(run.stands().1.is_some_and(|reason| reason.contains("not at hand")), "{:?}", run.stands());
}

#[test]
fn a_file_that_is_gone_is_not_served_from_memory() {
    let folders = rolled_back();
    std::fs::remove_file(folders.plugins.path().join("zeta.wasm")).unwrap();
    assert!(folders.start().catalog.get("zeta").is_none());
    folders.put(&version("2"));
    assert_eq!(folders.start().stands(), runs("1"), "what was decided holds when it comes again");
}

#[test]
fn the_code_of_other_bytes_or_names_is_not_used() {
    let folders = rolled_back();
    let engine = Engine::new(small()).unwrap();
    let loader = Loader::new(engine.clone(), Some(Cache::open(folders.cache.path(), &engine).unwrap()));
    let recall = |name: &str, bytes: &[u8]| loader.recall(name, Digest::of(bytes), &Admission::default());
    assert!(recall("zeta", &version("1")).is_some_and(|made| made.is_ok()));
    assert!(recall("eta", &version("1")).is_none() && recall("zeta", &version("9")).is_none());
}
