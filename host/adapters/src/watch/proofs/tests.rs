//! Tests of proofs that run beside the serving.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::catalog::Catalog;
use crate::guest::{guest, loader, small};
use crate::lock::Lock;
use crate::watch::Folder;
use weir_sandbox::Isolation;
use weir_sandbox::digest::Digest;

/// A directory with `zeta`, and the versions that were proved: 1 passes, `late` lacks time twice before, `never` always
/// does, and others fail.
struct Bench {
    dir: TempDir,
    watch: Watch,
    proved: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut folder = Folder::new(dir.path());
        folder.lock = Some(dir.path().join("plugins.lock"));
        (folder.settle, folder.truncated_for, folder.grace) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        folder.breather = Duration::ZERO;
        folder.proves_beside = Some(Arc::new(|name: &str| name != "strict"));
        let proved = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&proved);
        folder.proof = Some(Arc::new(move |adapter: &Arc<Adapter>, _: &Path, _: &[u8]| {
            let version = adapter.manifest.version.clone();
            let mut proved = tell.lock().unwrap();
            proved.push(version.clone());
            match (version.as_str(), proved.len()) {
                ("1", _) | ("late", 3..) => Ok(()),
                ("late" | "never", _) => Err(ProofError::LackedTime("no time".to_owned())),
                _ => Err(ProofError::Failed("its fixtures fail".to_owned())),
            }
        }));
        let watch = Watch::new(folder, loader(small()), Arc::new(Catalog::new(|_| Ok(()))));
        Self { dir, watch, proved }
    }

    fn put(&self, version: &str, is_pinned: bool) {
        self.put_as("zeta", version, is_pinned);
    }

    fn put_as(&self, name: &str, version: &str, is_pinned: bool) {
        let mut guest = guest(name);
        // A pinned manifest may wish for instances that serve all.
        (guest.version, guest.isolation) = (version.into(), 2);
        let bytes = guest.build();
        if is_pinned {
            Lock::pin_in(&self.dir.path().join("plugins.lock"), name, Digest::of(&bytes)).unwrap();
        }
        fs::write(self.dir.path().join(format!("{name}.wasm")), bytes).unwrap();
    }

    fn serving(&self) -> Option<String> {
        self.watch.catalog.get("zeta").map(|adapter| adapter.manifest.version.clone())
    }

    fn proved(&self) -> Vec<String> {
        self.proved.lock().unwrap().clone()
    }

    fn refusal(&self) -> Option<String> {
        self.watch.catalog.snapshot().refused.get("zeta").map(|refusal| refusal.reason.clone())
    }
}

#[test]
fn a_pinned_adapter_serves_before_its_proof_and_keeps_serving_after_it() {
    let mut bench = Bench::new();
    bench.put("1", true);
    bench.watch.scan();
    assert_eq!((bench.serving().as_deref(), bench.proved().len()), (Some("1"), 0));
    let adapter = bench.watch.catalog.get("zeta").unwrap();
    assert_eq!(
        (adapter.pool().isolation(), adapter.pool().idle()),
        (Isolation::Fresh, 0),
        "whatever the manifest wishes"
    );
    bench.watch.prove_the_rest();
    assert_eq!(adapter.pool().isolation(), Isolation::Shared);
    bench.watch.prove_the_rest();
    assert_eq!((bench.serving().as_deref(), bench.proved()), (Some("1"), vec!["1".to_owned()]), "once");
    assert_eq!(bench.refusal(), None);
}

#[test]
fn a_pinned_adapter_that_fails_its_proof_leaves_service_and_is_not_tried_again() {
    let mut bench = Bench::new();
    bench.put("2", true);
    bench.watch.scan();
    let served = bench.watch.catalog.get("zeta").unwrap();
    bench.watch.prove_the_rest();
    assert_eq!(bench.serving(), None);
    assert_eq!(bench.refusal().as_deref(), Some("its fixtures fail"));
    assert!(served.state.rests(), "its instances are dropped");
    bench.watch.scan();
    bench.watch.prove_the_rest();
    assert_eq!((bench.serving(), bench.proved().len()), (None, 1));
}

#[test]
fn an_adapter_that_is_not_pinned_or_replaces_another_is_proved_before_it_serves() {
    let mut bench = Bench::new();
    bench.put("2", false);
    bench.watch.scan();
    assert_eq!((bench.serving(), bench.proved().len()), (None, 1));
    bench.put("1", true);
    bench.watch.scan();
    bench.watch.prove_the_rest();
    bench.put("3", true);
    bench.watch.scan();
    assert_eq!(bench.serving().as_deref(), Some("1"), "the last good one serves on");
    assert_eq!(bench.refusal().as_deref(), Some("its fixtures fail"));
}

#[test]
fn a_pinned_adapter_that_comes_after_the_start_is_proved_before_it_serves() {
    let mut bench = Bench::new();
    bench.watch.scan();
    bench.watch.prove_the_rest();
    bench.put("2", true);
    bench.watch.scan();
    assert_eq!((bench.serving(), bench.proved()), (None, vec!["2".to_owned()]));
}

#[test]
fn a_pinned_adapter_that_must_not_serve_unproved_is_proved_first() {
    let mut bench = Bench::new();
    bench.put_as("strict", "2", true);
    bench.watch.scan();
    assert!(bench.watch.catalog.get("strict").is_none());
    assert_eq!(bench.proved(), ["2"]);
}

#[test]
fn a_version_that_was_replaced_meanwhile_does_not_come_back_after_a_failed_proof() {
    let mut bench = Bench::new();
    bench.put("2", true);
    bench.watch.scan();
    bench.put("1", true);
    bench.watch.scan();
    bench.watch.prove_the_rest();
    assert_eq!(bench.serving().as_deref(), Some("1"));
    assert!(bench.watch.catalog.roll_back("zeta").is_err(), "no earlier good version is kept");
}

#[test]
fn a_pinned_adapter_whose_proof_lacks_time_serves_on_and_is_proved_again() {
    let mut bench = Bench::new();
    bench.put("late", true);
    bench.watch.scan();
    let adapter = bench.watch.catalog.get("zeta").unwrap();
    for tries in 1..=3 {
        bench.watch.prove_the_rest();
        let expected = if tries < 3 { Isolation::Fresh } else { Isolation::Shared };
        assert_eq!((bench.proved().len(), adapter.pool().isolation()), (tries, expected));
        assert_eq!((bench.serving().as_deref(), bench.refusal()), (Some("late"), None));
        assert_eq!(bench.watch.scan() == Duration::ZERO, tries < 3, "the next attempt is due");
    }
    bench.watch.prove_the_rest();
    assert_eq!(bench.proved().len(), 3);
}

#[test]
fn a_pinned_adapter_whose_proofs_all_lack_time_leaves_service_after_the_last() {
    let mut bench = Bench::new();
    bench.put("never", true);
    bench.watch.scan();
    for tries in 1..=10 {
        bench.watch.prove_the_rest();
        bench.watch.scan();
        assert_eq!(bench.serving().is_some(), tries <= RETRIES, "{tries}");
    }
    assert_eq!((bench.proved().len(), bench.refusal().as_deref()), (RETRIES as usize + 1, Some("no time")));
}

#[test]
fn an_adapter_that_does_not_serve_yet_is_proved_again_if_its_proof_lacked_time() {
    let mut bench = Bench::new();
    bench.put("late", false);
    for tries in 1..=3 {
        assert_eq!(bench.watch.scan() == Duration::ZERO, tries < 3, "the next attempt is due");
        assert_eq!((bench.serving().is_some(), bench.proved().len()), (tries == 3, tries));
        assert_eq!(bench.refusal().is_some(), tries < 3);
    }
    bench.put("never", false);
    for _ in 0..10 {
        bench.watch.scan();
    }
    assert_eq!(bench.proved().len(), 3 + RETRIES as usize + 1);
    assert_eq!((bench.serving().as_deref(), bench.refusal().as_deref()), (Some("late"), Some("no time")));
}

#[test]
fn an_adapter_is_proved_with_the_bytes_that_serve_whatever_its_file_holds_by_then() {
    let build = |version: &str| {
        let mut guest = guest("zeta");
        guest.version = version.into();
        // What holds fixtures names their section.
        guest.more = format!("(@custom \"{}\" \"[]\")", component_file::FIXTURES);
        guest.build()
    };
    for is_pinned in [true, false] {
        let mut bench = Bench::new();
        let proved: Arc<Mutex<Vec<Digest>>> = Arc::default();
        let (tell, file) = (Arc::clone(&proved), bench.dir.path().join("zeta.wasm"));
        let (first, second) = (build("1"), build("2.0"));
        let (other, place) = (second.clone(), file.clone());
        bench.watch.folder.proof = Some(Arc::new(move |_: &Arc<Adapter>, _: &Path, bytes: &[u8]| {
            // The file is replaced while the first proof runs.
            fs::write(&place, &other).unwrap();
            tell.lock().unwrap().push(Digest::of(bytes));
            Ok(())
        }));
        if is_pinned {
            Lock::pin_in(&bench.dir.path().join("plugins.lock"), "zeta", Digest::of(&first)).unwrap();
        }
        fs::write(&file, &first).unwrap();
        bench.watch.scan();
        if is_pinned {
            // Or before it begins.
            fs::write(&file, &second).unwrap();
            bench.watch.prove_the_rest();
        }
        bench.watch.scan();
        assert_eq!(*proved.lock().unwrap(), [Digest::of(&first), Digest::of(&second)], "pinned: {is_pinned}");
        assert_eq!(bench.serving().as_deref(), Some("2.0"));
    }
}

#[test]
fn bytes_that_hold_no_fixtures_are_not_kept_for_a_proof() {
    let mut bench = Bench::new();
    bench.put("1", true);
    bench.watch.scan();
    assert_eq!(bench.watch.unproved.len(), 1);
    assert!(bench.watch.unproved[0].bytes.is_empty());
}

#[test]
fn pauses_between_proofs_grow_and_end() {
    let mut pauses = Vec::new();
    let mut retry = None;
    while let Some(next) = Retry::next(retry, Duration::from_secs(1)) {
        pauses.push(next.wait(Instant::now()).as_secs_f64().round() as u64);
        retry = Some(next);
    }
    assert_eq!(pauses, [1, 4, 16, 64, 256]);
}
