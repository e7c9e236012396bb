//! Tests that intact entries are used, and no others.

use std::path::PathBuf;
use std::time::SystemTime;

use tempfile::TempDir;

use super::super::{Admission, Loader};
use super::*;
use crate::guest::{guest, small};
use weir_sandbox::{Adapter, Limits};

fn entry(dir: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let file = files.next().unwrap();
    assert!(files.next().is_none());
    file
}

fn load(dir: &Path, limits: Limits) -> std::sync::Arc<Adapter> {
    let engine = Engine::new(limits).unwrap();
    let cache = Cache::open(dir, &engine).unwrap();
    Loader::new(engine, Some(cache)).load("zeta", &guest("zeta").build(), &Admission::default()).unwrap()
}

/// Whether the cache has the component.
fn is_hit(dir: &Path) -> bool {
    let engine = Engine::new(small()).unwrap();
    Cache::open(dir, &engine).unwrap().get(Digest::of(&guest("zeta").build())).is_some()
}

#[test]
fn a_component_is_compiled_once_also_for_an_engine_of_another_size() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path().join("cache");
    let first = load(&dir, small());
    assert!(is_hit(&dir));
    let again = load(&dir, Limits { instances: 5, ..small() });
    assert_eq!((first.digest, &first.manifest, &first.shape), (again.digest, &again.manifest, &again.shape));
    entry(&dir);
    assert!(crate::guest::call(&again).is_ok());
}

type Harm = fn(&mut Vec<u8>);

#[test]
fn a_damaged_entry_is_replaced() {
    let dir = TempDir::new().unwrap();
    load(dir.path(), small());
    let damage: [Harm; 7] = [
        |bytes| bytes[0] ^= 1,
        |bytes| bytes[20] ^= 1,
        |bytes| bytes[41] ^= 1,
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes.truncate(1000),
        |bytes| bytes.push(0),
        Vec::clear,
    ];
    for harm in damage {
        let file = entry(dir.path());
        let mut bytes = std::fs::read(&file).unwrap();
        harm(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        assert!(!is_hit(dir.path()));
        load(dir.path(), small());
        assert!(is_hit(dir.path()));
    }
}

#[test]
fn a_component_that_cannot_be_stored_still_serves() {
    let dir = TempDir::new().unwrap();
    let engine = Engine::new(small()).unwrap();
    let cache = Cache::open(dir.path(), &engine).unwrap();
    let bytes = guest("zeta").build();
    // No file can be created under this name.
    std::fs::create_dir(cache.file(Digest::of(&bytes))).unwrap();
    let adapter = Loader::new(engine, Some(cache)).load("zeta", &bytes, &Admission::default()).unwrap();
    assert!(crate::guest::call(&adapter).is_ok());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing lies about");
}

#[test]
fn a_folder_that_is_gone_costs_the_cache_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let engine = Engine::new(small()).unwrap();
    let cache = Cache::open(&dir.path().join("cache"), &engine).unwrap();
    let loader = Loader::new(engine, Some(cache));
    dir.close().unwrap();
    assert!(loader.load("zeta", &guest("zeta").build(), &Admission::default()).is_ok());
}

#[test]
fn concurrent_users_do_not_disturb_each_other() {
    let dir = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        let loads: Vec<_> = (0..6).map(|_| scope.spawn(|| load(dir.path(), small()))).collect();
        let adapters = loads.into_iter().map(|load| load.join().unwrap());
        assert!(adapters.into_iter().all(|adapter| crate::guest::call(&adapter).is_ok()));
    });
    assert!(is_hit(dir.path()));
    entry(dir.path());
}

#[test]
fn nothing_is_left_over_beside_the_entries() {
    let dir = TempDir::new().unwrap();
    load(dir.path(), small());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// A file of this age.
fn put(dir: &Path, name: &str, minutes: u64) -> File {
    let file = File::create(dir.join(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_mins(minutes)).unwrap();
    file
}

#[test]
fn leftovers_and_surplus_entries_are_removed() {
    let dir = TempDir::new().unwrap();
    let put = |name: &str, minutes| put(dir.path(), name, minutes);
    for age in 0..ENTRIES as u64 + 2 {
        put(&format!("{age}.cwasm"), age);
    }
    for (name, age) in [("new.tmp", 0), ("old.tmp", 2), ("old.json", 2)] {
        put(name, age);
    }
    tidy(dir.path()).unwrap();
    let is_there = |name: &str| dir.path().join(name).exists();
    assert!(is_there("new.tmp") && is_there("127.cwasm"));
    for name in ["old.tmp", "old.json", "128.cwasm", "129.cwasm"] {
        assert!(!is_there(name), "{name}");
    }
}

#[test]
fn a_file_that_is_being_written_stays() {
    let dir = TempDir::new().unwrap();
    let writing = put(dir.path(), "slow.tmp", 2);
    writing.lock().unwrap();
    tidy(dir.path()).unwrap();
    assert!(dir.path().join("slow.tmp").exists());
    drop(writing);
    tidy(dir.path()).unwrap();
    assert!(!dir.path().join("slow.tmp").exists());
}

#[test]
fn all_entries_together_are_bounded() {
    let dir = TempDir::new().unwrap();
    for (name, age) in [("new.cwasm", 0), ("middle.cwasm", 1), ("old.cwasm", 2)] {
        put(dir.path(), name, 0).set_len(BYTES / 2).unwrap();
        put_age(dir.path(), name, age);
    }
    tidy(dir.path()).unwrap();
    let is_there = |name: &str| dir.path().join(name).exists();
    assert_eq!(["new.cwasm", "middle.cwasm", "old.cwasm"].map(is_there), [true, true, false]);
}

fn put_age(dir: &Path, name: &str, minutes: u64) {
    let file = File::options().write(true).open(dir.join(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_mins(minutes)).unwrap();
}

#[cfg(unix)]
#[test]
fn the_directory_is_private_or_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let dir = dir.path().join("cache");
    let engine = Engine::new(small()).unwrap();
    Cache::open(&dir, &engine).unwrap();
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Cache::open(&dir, &engine), Err(CacheError::NotOurs { .. })));
}
