//! Tests of grants that change while adapters serve.

use std::time::{Duration, SystemTime};

use super::*;
use crate::decisions::DecidedBy;
use crate::guest::{call, guest, loader, small};
use crate::watch::Folder;
use crate::watch::ProofError;
use crate::{Catalog, Decisions};
use weir_sandbox::FaultKind;

fn clock() -> Grants {
    Grants { clock: true, ..Grants::default() }
}

fn of_zeta(grants: Grants) -> BTreeMap<String, Grants> {
    [("zeta".to_owned(), grants)].into()
}

struct Bench {
    dir: tempfile::TempDir,
    watch: Watch,
}

/// Scans a folder with the adapter zeta, which then serves with a clock.
fn bench(proof: Option<Arc<crate::watch::Proof>>) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("zeta.wasm"), guest("zeta").build()).unwrap();
    let mut folder = Folder::new(dir.path());
    (folder.settle, folder.truncated_for, folder.grace) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    folder.grants = Arc::new(Granted::new(of_zeta(clock())));
    folder.proof = proof;
    let mut watch = Watch::new(folder, loader(small()), Arc::new(Catalog::new(|_| Ok(()))));
    watch.scan();
    Bench { dir, watch }
}

impl Bench {
    fn grant(&mut self, grants: Grants) {
        self.watch.folder.grants.replace(of_zeta(grants));
        self.watch.scan();
    }

    fn serving(&self) -> Arc<Adapter> {
        self.watch.catalog.get("zeta").unwrap()
    }
}

#[test]
fn other_grants_bring_another_set_of_instances() {
    let mut bench = bench(None);
    let before = bench.serving();
    assert!(before.grants == clock() && before.engine.is_for_grants());
    bench.watch.scan();
    assert!(Arc::ptr_eq(&before, &bench.serving()), "nothing changed");
    bench.grant(Grants::default());
    let after = bench.serving();
    assert!(after.grants.is_none() && !after.engine.is_for_grants() && call(&after).is_ok());
    assert!(before.state.rests());
    bench.grant(clock());
    assert_eq!(bench.serving().grants, clock());
}

#[test]
fn a_former_version_does_not_bring_former_grants_back() {
    let mut bench = bench(None);
    let mut newer = guest("zeta");
    newer.version = "2.0.0".into();
    std::fs::write(bench.dir.path().join("zeta.wasm"), newer.build()).unwrap();
    bench.watch.scan();
    assert_eq!(bench.watch.catalog.snapshot().former["zeta"].len(), 1);
    bench.grant(Grants::default());
    assert!(bench.watch.catalog.snapshot().former["zeta"].is_empty());
    assert!(bench.watch.catalog.roll_back("zeta").is_err());
}

#[test]
fn what_cannot_serve_without_its_grants_does_not_run_on_with_them() {
    let needs_a_clock = |adapter: &Arc<Adapter>, _: &std::path::Path, _: &[u8]| {
        if adapter.grants.clock { Ok(()) } else { Err(ProofError::Failed("it needs a clock".to_owned())) }
    };
    let mut bench = bench(Some(Arc::new(needs_a_clock)));
    bench.grant(Grants::default());
    let serving = bench.serving();
    assert_eq!(call(&serving).unwrap_err().kind, FaultKind::Quarantined);
    assert!(serving.state.suspended().unwrap().contains("withdrawn"));
    assert_eq!(bench.watch.catalog.snapshot().state(&serving), "suspended");
    assert!(bench.watch.catalog.activate("zeta", serving.digest).is_err(), "no decision brings the grants back");
    bench.grant(clock());
    assert!(call(&bench.serving()).is_ok());
    assert_eq!(bench.watch.catalog.snapshot().state(&bench.serving()), "serving");
}

#[test]
fn more_grants_that_do_not_help_leave_the_version_that_serves() {
    let hates_random_numbers = |adapter: &Arc<Adapter>, _: &std::path::Path, _: &[u8]| {
        if adapter.grants.random { Err(ProofError::Failed("it does not like them".to_owned())) } else { Ok(()) }
    };
    let mut bench = bench(Some(Arc::new(hates_random_numbers)));
    bench.grant(Grants { random: true, ..clock() });
    assert!(call(&bench.serving()).is_ok());
    assert_eq!(bench.serving().grants, clock());
    assert!(bench.watch.catalog.snapshot().refused["zeta"].reason.contains("does not like"));
}

/// Lets version 2.0.0 serve instead of 3.0.0, which was rolled back. If `is_known`, the cache also has the code of
/// 2.0.0 without grants.
fn stood_for(bench: &mut Bench, cache: &std::path::Path, is_known: bool) {
    let engine = bench.watch.loader.engine().clone();
    let cache = crate::Cache::open(cache, &engine).unwrap();
    bench.watch.loader = crate::Loader::new(engine, Some(cache));
    for version in ["2.0.0", "3.0.0"] {
        let mut newer = guest("zeta");
        newer.version = version.into();
        let bytes = newer.build();
        if is_known {
            bench.watch.loader.load("zeta", &bytes, &Admission::default()).unwrap();
        }
        std::fs::write(bench.dir.path().join("zeta.wasm"), bytes).unwrap();
        bench.watch.scan();
    }
    bench.watch.catalog.restore(Decisions::default());
    bench.watch.catalog.roll_back("zeta").unwrap();
    bench.watch.scan();
    assert_eq!((&*bench.serving().manifest.version, bench.serving().grants.clone()), ("2.0.0", clock()));
}

#[test]
fn a_version_that_stands_for_one_that_was_rolled_back_loses_its_grants_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = bench(None);
    stood_for(&mut bench, &dir.path().join("cache"), true);
    bench.grant(Grants::default());
    let serving = bench.serving();
    assert!(serving.grants.is_none(), "{:?}", serving.state.suspended());
    assert_eq!(&*serving.manifest.version, "2.0.0");
    assert!(call(&serving).is_ok());
}

#[test]
fn it_is_suspended_where_its_code_was_never_compiled_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = bench(None);
    stood_for(&mut bench, &dir.path().join("cache"), false);
    bench.grant(Grants::default());
    assert!(bench.serving().state.suspended().unwrap().contains("withdrawn"));
    assert_eq!(call(&bench.serving()).unwrap_err().kind, FaultKind::Quarantined);
    bench.grant(clock());
    assert!(call(&bench.serving()).is_ok(), "{:?}", bench.serving().state.suspended());
    assert_eq!((&*bench.serving().manifest.version, bench.serving().grants.clone()), ("2.0.0", clock()));
}

#[test]
fn a_quarantined_adapter_is_not_tried_again_with_grants_that_were_withdrawn() {
    for needs_a_clock in [false, true] {
        let proof = move |adapter: &Arc<Adapter>, _: &std::path::Path, _: &[u8]| {
            if adapter.grants.clock || !needs_a_clock {
                Ok(())
            } else {
                Err(ProofError::Failed("it needs a clock".to_owned()))
            }
        };
        let mut bench = bench(Some(Arc::new(proof)));
        let digest = bench.serving().digest;
        bench.watch.catalog.quarantine("zeta", digest, "a test", DecidedBy::Judge).unwrap();
        bench.grant(Grants::default());
        assert_eq!(call(&bench.serving()).unwrap_err().kind, FaultKind::Quarantined);
        let later = SystemTime::now() + Duration::from_hours(1);
        bench.watch.catalog.try_again(later, |_| Duration::from_secs(1));
        let serving = bench.serving();
        if needs_a_clock {
            assert_eq!(call(&serving).unwrap_err().kind, FaultKind::Quarantined);
        } else {
            assert!(serving.grants.is_none() && call(&serving).is_ok(), "{:?}", serving.state.suspended());
        }
    }
}
