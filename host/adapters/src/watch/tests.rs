//! Tests of files that are added, changed and removed. Each scan is made by hand, with all waits at zero.

use std::fs;

use tempfile::TempDir;

use super::super::catalog::Conflict;
use super::super::decisions::DecidedBy;
use super::*;
use crate::guest::{Guest, guest, loader, small};

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
    (folder.settle, folder.truncated_for, folder.grace) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    change(&mut folder);
    let catalog = Arc::new(Catalog::new(|manifests| {
        let clash = manifests.len() > 1 && manifests.iter().any(|manifest| *manifest.name == *"rival");
        if clash { Err(Conflict("rival excludes the others".into())) } else { Ok(()) }
    }));
    let watch = Watch::new(folder, loader(small()), catalog);
    Bench { dir, watch }
}

impl Bench {
    fn put(&self, file: &str, bytes: &[u8]) {
        // Renamed into place, as every installer should do.
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
fn a_file_that_is_still_written_is_awaited() {
    let mut bench = with(|folder| folder.truncated_for = Duration::from_hours(1));
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
fn files_written_just_before_the_start_serve_from_the_start() {
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
    // As Kubernetes does it: the file is a link through another link, and only that one is swapped.
    symlink("..1", dir.join("..data")).unwrap();
    symlink("..data/zeta.wasm", dir.join("zeta.wasm")).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    symlink("..2", dir.join("..next")).unwrap();
    fs::rename(dir.join("..next"), dir.join("..data")).unwrap();
    assert_eq!(bench.look(), serving(&["2"]));
}

#[test]
fn conflicting_adapters_are_retried_when_one_is_gone() {
    let mut bench = bench();
    bench.put("rival.wasm", &guest("rival").build());
    bench.look();
    bench.put("zeta.wasm", &version("1").build());
    assert_eq!(bench.look(), [("rival".to_owned(), "1.0.0".to_owned())]);
    assert!(bench.refused("zeta").unwrap().contains("excludes the others"));
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
fn an_adapter_that_does_not_prove_itself_does_not_serve() {
    let mut bench = with(|folder| {
        folder.proof = Some(Arc::new(|adapter: &Arc<Adapter>, _: &Path, _: &[u8]| match &*adapter.manifest.version {
            "2" => Err(ProofError::Failed("drops a tool call".into())),
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
    let mut changes = catalog.subscribe();
    let watching = bench.watch.follow().unwrap();
    fs::write(dir.path().join("zeta.wasm"), version("1").build()).unwrap();
    watching.rescan();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(changes.changed()).unwrap();
    assert!(catalog.get("zeta").is_some());
    watching.stop();
}

fn lock_of(bytes: &[u8]) -> String {
    let mut lock = Lock::default();
    lock.pin("zeta", Digest::of(bytes));
    lock.text()
}

#[test]
fn a_touch_loads_nothing() {
    let mut bench = bench();
    let bytes = version("1").build();
    bench.put("zeta.wasm", &bytes);
    bench.look();
    let before = bench.watch.catalog.snapshot();
    let file = fs::File::options().write(true).open(bench.dir.path().join("zeta.wasm")).unwrap();
    for age in 0..5 {
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(age)).unwrap();
        bench.look();
    }
    fs::write(bench.dir.path().join("zeta.wasm"), &bytes).unwrap();
    bench.look();
    let after = bench.watch.catalog.snapshot();
    assert_eq!(after.generation, before.generation);
    assert!(Arc::ptr_eq(&after.adapters["zeta"], &before.adapters["zeta"]));
}

#[test]
fn a_storm_of_changes_ends_in_the_last_state() {
    let mut bench = bench();
    let builds: Vec<Vec<u8>> = ["1", "2", "3"].map(|text| version(text).build()).into();
    for round in 0..60 {
        let build = &builds[round % 3];
        match round % 5 {
            0 => bench.put("zeta.wasm", &build[..build.len() / 2]),
            1 => _ = fs::remove_file(bench.dir.path().join("zeta.wasm")),
            2 => bench.put(&format!("noise-{round}.tmp"), build),
            _ => bench.put("zeta.wasm", build),
        }
        if round % 7 == 0 {
            bench.look();
        }
    }
    bench.put("zeta.wasm", &builds[1]);
    assert_eq!(bench.look(), serving(&["2"]));
    assert_eq!(bench.refused("zeta"), None);
    let kept = bench.watch.catalog.snapshot().former.get("zeta").map_or(0, Vec::len);
    assert!(kept <= 3, "{kept}");
}

#[test]
fn a_lock_file_that_cannot_be_read_leaves_the_former_one_in_force() {
    let mut bench = with(|folder| folder.policy.usual.pin = true);
    let bytes = version("1").build();
    bench.put("plugins.lock", lock_of(&bytes).as_bytes());
    bench.put("zeta.wasm", &bytes);
    assert_eq!(bench.look(), serving(&["1"]));
    bench.put("plugins.lock", b"[adapters.zeta\n");
    assert_eq!(bench.look(), serving(&["1"]));
    assert_eq!(bench.refused("zeta"), None);
    let next = version("2").build();
    bench.put("zeta.wasm", &next);
    assert_eq!(bench.look(), serving(&["1"]));
    assert!(bench.refused("zeta").unwrap().contains("not the one in the lock file"));
    bench.put("plugins.lock", lock_of(&next).as_bytes());
    assert_eq!(bench.look(), serving(&["2"]), "the file is tried again when the lock names it");
    assert_eq!(bench.refused("zeta"), None);
}

#[test]
fn a_signature_that_comes_later_is_noticed() {
    let (key, _) = super::super::sign::SigningKey::generate().unwrap();
    let public = key.public().unwrap();
    let mut bench = with(|folder| {
        folder.policy.usual.signature = true;
        folder.policy.keys.push(public);
    });
    let bytes = version("1").build();
    bench.put("zeta.wasm", &bytes);
    assert_eq!(bench.look(), serving(&[]));
    assert!(bench.refused("zeta").unwrap().contains("zeta.wasm.sig"));
    bench.put("zeta.wasm.sig", &[b'x'; 10_000]);
    assert_eq!(bench.look(), serving(&[]));
    bench.put("zeta.wasm.sig", key.sign(Digest::of(&bytes)).as_bytes());
    assert_eq!(bench.look(), serving(&["1"]));
    assert_eq!(bench.watch.catalog.get("zeta").unwrap().signer.as_deref(), Some(&*public.to_string()));
    // The old signature does not cover other bytes.
    bench.put("zeta.wasm", &version("2").build());
    assert_eq!(bench.look(), serving(&["1"]));
    assert!(bench.refused("zeta").unwrap().contains("no trusted key"));
}

#[test]
fn a_rolled_back_version_stays_away_until_another_file_comes() {
    let mut bench = bench();
    let second = version("2").build();
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    bench.put("zeta.wasm", &second);
    bench.look();
    bench.watch.catalog.roll_back("zeta").unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    bench.put("zeta.wasm", &second);
    assert_eq!(bench.look(), serving(&["1"]), "the same bytes again are the same version");
    assert!(bench.refused("zeta").unwrap().contains("rolled back"));
    bench.put("zeta.wasm", &version("3").build());
    assert_eq!(bench.look(), serving(&["3"]));
    assert_eq!(bench.refused("zeta"), None);
}

#[test]
fn a_quarantined_version_is_not_loaded_until_it_is_released() {
    let mut bench = bench();
    let second = version("2").build();
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    bench.put("zeta.wasm", &second);
    bench.look();
    bench.watch.catalog.quarantine("zeta", Digest::of(&second), "it traps", DecidedBy::Operator).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    bench.put("zeta.wasm", &second);
    assert_eq!(bench.look(), serving(&["1"]), "whatever file brings it");
    assert_eq!(bench.refused("zeta").unwrap(), "quarantined: it traps");
    bench.watch.catalog.release("zeta", None).unwrap();
    assert_eq!(bench.look(), serving(&["2"]));
    assert_eq!(bench.refused("zeta"), None);
}

#[test]
fn a_directory_that_comes_back_empty_unloads_what_was_in_it() {
    let mut bench = bench();
    bench.put("zeta.wasm", &version("1").build());
    bench.look();
    fs::remove_dir_all(bench.dir.path()).unwrap();
    assert_eq!(bench.look(), serving(&["1"]));
    fs::create_dir(bench.dir.path()).unwrap();
    assert_eq!(bench.look(), serving(&[]));
}

#[test]
fn files_are_noticed_without_any_event() {
    let mut bench = bench();
    bench.watch.folder.every = Duration::from_millis(1);
    bench.watch.scan();
    let (catalog, dir) = (Arc::clone(&bench.watch.catalog), bench.dir);
    let mut changes = catalog.subscribe();
    // A directory behind a link that is swapped: the system reports no changes of the new target.
    let watching = bench.watch.follow().unwrap();
    let elsewhere = TempDir::new().unwrap();
    let far = elsewhere.path().join("data");
    fs::write(&far, version("1").build()).unwrap();
    std::os::unix::fs::symlink(&far, dir.path().join("zeta.wasm")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(changes.changed()).unwrap();
    fs::write(&far, version("2").build()).unwrap();
    runtime.block_on(changes.changed()).unwrap();
    assert_eq!(catalog.get("zeta").unwrap().manifest.version, "2");
    watching.stop();
}
