//! Files come, change and go; the catalog follows. Each look is made by hand, with all waits at zero.

use std::fs;

use tempfile::TempDir;

use super::super::guest::{Guest, guest, loader, small};
use super::*;

struct Bench {
    dir: TempDir,
    watch: Watch,
}

fn bench() -> Bench {
    with(|_| {})
}

fn with(change: impl FnOnce(&mut Folder)) -> Bench {
    let dir = TempDir::new().unwrap();
    let mut folder = Folder::new(dir.path());
    folder.lock = Some(dir.path().join("plugins.lock"));
    (folder.settle, folder.patience, folder.grace) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    change(&mut folder);
    let catalog = Arc::new(Catalog::new(|manifests| {
        let clash = manifests.len() > 1 && manifests.iter().any(|manifest| manifest.name == "rival");
        if clash { Err("rival goes with nobody".into()) } else { Ok(()) }
    }));
    let watch = Watch::new(folder, loader(small()), catalog);
    Bench { dir, watch }
}

impl Bench {
    fn put(&self, file: &str, bytes: &[u8]) {
        // Renamed into its place, as whoever installs a file should do it.
        let temporary = self.dir.path().join("new.tmp");
        fs::write(&temporary, bytes).unwrap();
        fs::rename(temporary, self.dir.path().join(file)).unwrap();
    }

    fn look(&mut self) -> Vec<(String, String)> {
        self.watch.scan();
        let snapshot = self.watch.catalog.snapshot();
        snapshot.adapters.values().map(|a| (a.name.to_string(), a.manifest.version.clone())).collect()
    }

    fn refused(&self, name: &str) -> Option<String> {
        self.watch.catalog.snapshot().refused.get(name).map(|refusal| refusal.reason.clone())
    }
}

fn version(version: &str) -> Guest {
    let mut zeta = guest("zeta");
    zeta.version = version.into();
    zeta
}

fn serving(versions: &[&str]) -> Vec<(String, String)> {
    versions.iter().map(|version| ("zeta".to_owned(), (*version).to_owned())).collect()
}

#[test]
fn a_file_is_loaded_replaced_and_unloaded() {
    let mut bench = bench();
    assert_eq!(bench.look(), serving(&[]));
    bench.put("zeta.wasm", &version("1").build());
    assert_eq!(bench.look(), serving(&["1"]));
    bench.put("zeta.wasm", &version("2").build());
    assert_eq!(bench.look(), serving(&["2"]));
    fs::remove_file(bench.dir.path().join("zeta.wasm")).unwrap();
    assert_eq!(bench.look(), serving(&[]));
}

#[test]
fn a_broken_successor_is_refused_and_the_last_good_one_serves_on() {
    let mut bench = bench();
    let good = version("1").build();
    bench.put("zeta.wasm", &good);
    bench.look();
    bench.put("zeta.wasm", &good[..good.len() - 5]);
    assert_eq!(bench.look(), serving(&["1"]));
    assert!(bench.refused("zeta").unwrap().contains("cut short"));
    bench.put("zeta.wasm", &good);
    assert_eq!(bench.look(), serving(&["1"]));
    assert_eq!(bench.refused("zeta"), None);
}

#[test]
fn the_same_bytes_again_change_nothing() {
    let mut bench = bench();
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    let before = bench.watch.catalog.get("zeta").unwrap();
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    assert!(Arc::ptr_eq(&before, &bench.watch.catalog.get("zeta").unwrap()));
    assert_eq!(bench.watch.catalog.snapshot().generation, 1);
}

#[test]
fn a_file_that_is_still_written_is_waited_for() {
    let mut bench = with(|folder| folder.patience = Duration::from_hours(1));
    let whole = version("1").build();
    bench.put("zeta.wasm", &whole[..whole.len() / 2]);
    assert_eq!(bench.look(), serving(&[]));
    assert_eq!(bench.refused("zeta"), None, "it may grow yet");
    fs::write(bench.dir.path().join("zeta.wasm"), &whole).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
}

#[test]
fn a_file_that_was_just_written_is_left_to_settle() {
    let mut bench = with(|folder| folder.settle = Duration::from_hours(1));
    bench.put("zeta.wasm", &version("1").build());
    assert_eq!(bench.look(), serving(&[]));
    let file = fs::File::options().write(true).open(bench.dir.path().join("zeta.wasm")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(bench.look(), serving(&["1"]), "written long ago, so it is whole");
}

#[test]
fn what_was_written_just_before_the_start_serves_from_the_start() {
    let mut bench = with(|folder| folder.settle = Duration::from_millis(1));
    bench.put("zeta.wasm", &version("1").build());
    bench.watch.start();
    assert!(bench.watch.catalog.get("zeta").is_some());
}

#[test]
fn a_missing_file_is_given_time_to_come_back() {
    let mut bench = with(|folder| folder.grace = Duration::from_hours(1));
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    fs::remove_file(bench.dir.path().join("zeta.wasm")).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    bench.put("zeta.wasm", &version("2").build());
    assert_eq!(bench.look(), serving(&["2"]));
}

#[test]
fn a_directory_that_is_gone_unloads_nothing() {
    let mut bench = bench();
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    fs::remove_dir_all(bench.dir.path()).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    fs::create_dir(bench.dir.path()).unwrap();
    bench.put("zeta.wasm", &version("2").build());
    assert_eq!(bench.look(), serving(&["2"]));
}

#[test]
fn hidden_and_temporary_files_and_directories_do_not_count() {
    let mut bench = bench();
    let bytes = version("1").build();
    for name in [".zeta.wasm", "zeta.wasm.tmp", "zeta.wasm~", "zeta.wasm.part", "..data", ".wasm", "zeta"] {
        bench.put(name, &bytes);
    }
    fs::create_dir(bench.dir.path().join("eta.wasm")).unwrap();
    assert_eq!(bench.look(), serving(&[]));
    assert!(bench.watch.catalog.snapshot().refused.is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_where_they_lead_now() {
    use std::os::unix::fs::symlink;
    let mut bench = bench();
    let dir = bench.dir.path().to_owned();
    for (data, guest) in [("..1", version("1")), ("..2", version("2"))] {
        fs::create_dir(dir.join(data)).unwrap();
        fs::write(dir.join(data).join("zeta.wasm"), guest.build()).unwrap();
    }
    // As Kubernetes does it: the file is a link through a link, and only that one is swapped.
    symlink("..1", dir.join("..data")).unwrap();
    symlink("..data/zeta.wasm", dir.join("zeta.wasm")).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    symlink("..2", dir.join("..next")).unwrap();
    fs::rename(dir.join("..next"), dir.join("..data")).unwrap();
    assert_eq!(bench.look(), serving(&["2"]));
}

#[test]
fn two_that_do_not_go_together_are_tried_again_when_one_is_gone() {
    let mut bench = bench();
    bench.put("rival.wasm", &guest("rival").build());
    bench.look();
    bench.put("zeta.wasm", &version("1").build());
    assert_eq!(bench.look(), [("rival".to_owned(), "1.0.0".to_owned())]);
    assert!(bench.refused("zeta").unwrap().contains("nobody"));
    fs::remove_file(bench.dir.path().join("rival.wasm")).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    assert_eq!(bench.refused("zeta"), None);
}

#[test]
fn trust_follows_the_lock_file() {
    let mut bench = bench();
    let bytes = version("1").build();
    bench.put("zeta.wasm", &bytes);
    bench.look();
    let trusted = |bench: &Bench| bench.watch.catalog.get("zeta").unwrap().trusted;
    assert!(!trusted(&bench));
    let mut lock = Lock::default();
    lock.pin("zeta", Digest::of(&bytes));
    bench.put("plugins.lock", lock.text().as_bytes());
    bench.look();
    assert!(trusted(&bench));
    bench.put("zeta.wasm", &version("2").build());
    bench.look();
    assert!(!trusted(&bench), "other bytes are not those that the lock names");
}

#[test]
fn what_does_not_prove_itself_does_not_serve() {
    let mut bench = with(|folder| {
        folder.proof = Some(Arc::new(|adapter: &Arc<Adapter>, _: &Path| match &*adapter.manifest.version {
            "2" => Err("drops a tool call".into()),
            _ => Ok(()),
        }));
    });
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    bench.put("zeta.wasm", &version("2").build());
    assert_eq!(bench.look(), serving(&["1"]));
    assert_eq!(bench.refused("zeta").unwrap(), "drops a tool call");
}

#[test]
fn a_thread_follows_until_it_is_stopped() {
    let mut bench = bench();
    bench.watch.scan();
    let (catalog, dir) = (Arc::clone(&bench.watch.catalog), bench.dir);
    let mut told = catalog.subscribe();
    let watching = bench.watch.follow().unwrap();
    fs::write(dir.path().join("zeta.wasm"), version("1").build()).unwrap();
    watching.rescan();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(told.changed()).unwrap();
    assert!(catalog.get("zeta").is_some());
    watching.stop();
}
