//! A guest with grants can use what was granted, and nothing else.

use std::sync::Arc;

use super::wasi::{STDERR, WRITE, wasi};
use crate::guest::{Guest, ZEROS, call, guest, loader, small};
use crate::{Admission, LoadError};
use weir_sandbox::{Adapter, AdapterLimits, FaultKind, Grants};

fn admission(grants: Grants) -> Admission {
    Admission { adapter_limits: AdapterLimits { grants, ..AdapterLimits::default() }, ..Admission::default() }
}

fn granted(guest: &Guest, grants: Grants) -> Arc<Adapter> {
    loader(small()).load("zeta", &guest.build(), &admission(grants)).unwrap()
}

fn clock() -> Grants {
    Grants { clock: true, ..Grants::default() }
}

fn random() -> Grants {
    Grants { random: true, ..Grants::default() }
}

/// A guest that traps unless the clock is constant.
fn clock_watcher() -> Guest {
    let imports = [("wasi:clocks/monotonic-clock", "now", "$now (result i64)")];
    let does = format!("(if (i64.ne (call $now) (i64.const 1)) (then unreachable)) (i32.const {ZEROS})");
    wasi(&imports, &does)
}

/// A guest that traps unless the random numbers are those of the inert WASI.
fn gambler() -> Guest {
    let imports = [("wasi:random/random", "get-random-bytes", "$random (param i64 i32)")];
    let does = format!(
        "(call $random (i64.const 8) (i32.const 33000))
         (if (i64.ne (i64.load (i32.load (i32.const 33000))) (i64.const 0x0706050403020100)) (then unreachable))
         (i32.const {ZEROS})"
    );
    wasi(&imports, &does)
}

#[test]
fn a_clock_runs_and_random_numbers_are_random_only_where_they_are_granted() {
    let is_inert = |guest: &Guest, grants| call(&granted(guest, grants)).is_ok();
    assert!(is_inert(&clock_watcher(), Grants::default()) && is_inert(&gambler(), Grants::default()));
    assert!(is_inert(&clock_watcher(), random()) && is_inert(&gambler(), clock()), "what is not granted stays inert");
    assert!(!is_inert(&clock_watcher(), clock()) && !is_inert(&gambler(), random()));
}

#[test]
fn a_component_without_grants_stays_in_the_pool_beside_one_that_has_some() {
    let loader = loader(small());
    let bytes = clock_watcher().build();
    let with = loader.load("zeta", &bytes, &admission(clock())).unwrap();
    let without = loader.load("zeta", &bytes, &Admission::default()).unwrap();
    assert!(with.engine.is_for_grants() && !without.engine.is_for_grants());
    assert!(call(&with).is_err() && call(&without).is_ok());
    assert!(without.grants.is_none() && without.grants.impurity().is_none());
}

#[test]
fn output_of_a_component_with_grants_is_kept_for_the_log() {
    let imports = [STDERR, WRITE];
    let does = "(i32.store (i32.const 32768) (i32.const 0x6d6f6f62))
        (call $write (call $stderr) (i32.const 32768) (i32.const 4) (i32.const 33000))
        unreachable";
    let fault = call(&granted(&wasi(&imports, does), clock())).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.detail.ends_with("stderr: boom"), "{fault}");
}

#[test]
fn exit_ends_the_call_only() {
    let imports = [("wasi:cli/exit", "exit", "$exit (param i32)")];
    let fault = call(&granted(&wasi(&imports, "(call $exit (i32.const 0)) unreachable"), clock())).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
}

#[test]
fn a_folder_that_is_gone_is_not_the_components_fault() {
    let folder = tempfile::tempdir().unwrap();
    let grants = Grants { read: vec![folder.path().to_owned()], ..Grants::default() };
    let loader = loader(small());
    let adapter = loader.load("zeta", &guest("zeta").build(), &admission(grants.clone())).unwrap();
    assert!(call(&adapter).is_ok());
    drop(folder);
    let fault = call(&adapter).unwrap_err();
    assert_eq!((fault.kind, fault.kind.is_the_adapters()), (FaultKind::Host, false));
    assert!(fault.detail.contains("cannot open the granted folder"), "{fault}");
    let refused = loader.load("zeta", &guest("zeta").build(), &admission(grants)).unwrap_err();
    assert!(matches!(refused, LoadError::Describe { kind: "host", .. }), "{refused}");
}

#[test]
fn limits_hold_with_grants_too() {
    let mut greedy = guest("zeta");
    greedy.parse_error = format!("(drop (memory.grow (i32.const 2000))) (i32.const {ZEROS})");
    assert_eq!(call(&granted(&greedy, clock())).unwrap_err().kind, FaultKind::Memory);
    let mut spinning = guest("zeta");
    spinning.parse_error = "(loop $again (br $again)) unreachable".into();
    assert_eq!(call(&granted(&spinning, clock())).unwrap_err().kind, FaultKind::Deadline);
}

#[tokio::test]
async fn calls_work_on_a_runtime_of_one_thread() {
    assert!(call(&granted(&clock_watcher(), clock())).is_err(), "the clock runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_work_on_a_runtime_of_many_threads_also_when_it_is_known() {
    let imports = [STDERR, WRITE];
    let does =
        format!("(call $write (call $stderr) (i32.const 32768) (i32.const 4) (i32.const 33000)) (i32.const {ZEROS})");
    let adapter = granted(&wasi(&imports, &does), clock());
    for _ in 0..200 {
        assert!(call(&adapter).is_ok());
    }
}

#[test]
fn the_cache_keeps_manifests_of_components_with_grants_apart() {
    let dir = tempfile::tempdir().unwrap();
    let loader = loader(small());
    let cache = crate::Cache::open(&dir.path().join("cache"), loader.engine()).unwrap();
    let loader = crate::Loader::new(loader.engine().clone(), Some(cache));
    let bytes = guest("zeta").build();
    let entries = || {
        let files = std::fs::read_dir(dir.path().join("cache")).unwrap();
        files.flatten().filter(|file| file.path().extension().is_some_and(|is| is == "cwasm")).count()
    };
    for (admission, expected) in [(Admission::default(), 1), (admission(clock()), 2), (admission(random()), 2)] {
        assert!(call(&loader.load("zeta", &bytes, &admission).unwrap()).is_ok());
        assert_eq!(entries(), expected);
    }
    let digest = weir_sandbox::Digest::of(&bytes);
    let recalled = loader.recall("zeta", digest, &admission(clock())).unwrap().unwrap();
    assert_eq!(recalled.grants, clock());
}
