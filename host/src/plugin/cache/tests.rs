//! Entries that are whole are used, and no others.

use std::path::PathBuf;

use tempfile::TempDir;

use super::super::guest::{guest, small};
use super::super::{Adapter, Admission, Limits, Loader};
use super::*;

fn entry(dir: &Path, extension: &str) -> PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files = files.filter(|file| file.extension().is_some_and(|e| e == extension));
    let file = files.next().unwrap();
    assert!(files.next().is_none());
    file
}

fn load(dir: &Path, limits: Limits) -> std::sync::Arc<Adapter> {
    let engine = Engine::new(limits).unwrap();
    let cache = Cache::open(dir, &engine).unwrap();
    Loader::new(engine, Some(cache)).load("zeta", &guest("zeta").build(), &Admission::default()).unwrap()
}

/// Whether the cache answers for the component.
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
    entry(&dir, "cwasm");
    assert!(super::super::guest::call(&again).is_ok());
}

type Harm = fn(&mut Vec<u8>);

#[test]
fn a_damaged_entry_is_made_anew() {
    let dir = TempDir::new().unwrap();
    load(dir.path(), small());
    let damage: [(&str, Harm); 4] = [
        ("cwasm", |bytes| bytes[1000] ^= 1),
        ("cwasm", |bytes| bytes.truncate(1000)),
        ("json", |bytes| bytes.truncate(100)),
        ("json", Vec::clear),
    ];
    for (extension, harm) in damage {
        let file = entry(dir.path(), extension);
        let mut bytes = std::fs::read(&file).unwrap();
        harm(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        assert!(!is_hit(dir.path()));
        load(dir.path(), small());
        assert!(is_hit(dir.path()));
    }
}

#[test]
fn nothing_is_left_over_beside_the_entries() {
    let dir = TempDir::new().unwrap();
    load(dir.path(), small());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn what_is_left_behind_and_what_is_too_much_goes() {
    let dir = TempDir::new().unwrap();
    let engine = Engine::new(small()).unwrap();
    let put = |name: &str, hours: u64| {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    };
    for age in 0..ENTRIES as u64 + 2 {
        put(&format!("{age}.json"), age);
        put(&format!("{age}.cwasm"), age);
    }
    for (name, age) in [("new.tmp", 0), ("old.tmp", 2), ("new-orphan.cwasm", 0), ("old-orphan.cwasm", 2)] {
        put(name, age);
    }
    Cache::open(dir.path(), &engine).unwrap();
    let is_there = |name: &str| dir.path().join(name).exists();
    assert!(is_there("new.tmp") && is_there("new-orphan.cwasm") && is_there("127.json") && is_there("127.cwasm"));
    for name in ["old.tmp", "old-orphan.cwasm", "128.json", "128.cwasm", "129.json", "129.cwasm"] {
        assert!(!is_there(name), "{name}");
    }
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
