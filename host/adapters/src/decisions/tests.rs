//! Tests that decisions are read back, and that unreadable files do no harm.

use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn quarantined(millis: u64) -> Quarantined {
    Quarantined { name: "zeta".into(), reason: "it traps".into(), since: at(millis), by: DecidedBy::Judge, times: 1 }
}

fn digest(number: usize) -> Digest {
    Digest::of(&number.to_le_bytes())
}

fn choice(from: usize, to: usize) -> Choice {
    let instead = StandIn { digest: digest(to), trusted: true, signer: Some("key".into()) };
    Choice { rolled_back_from: Some(digest(from)), instead: Some(instead), since: at(1) }
}

fn some() -> Decisions {
    Decisions {
        quarantined: BTreeMap::from([(digest(1), quarantined(1_760_000_000_000))]),
        adapters: BTreeMap::from([("zeta".into(), choice(2, 3))]),
        tried_again: BTreeMap::from([(digest(4), TriedAgain { times: 2, since: at(1) })]),
    }
}

fn files(dir: &TempDir) -> Vec<PathBuf> {
    std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect()
}

#[test]
fn stored_decisions_survive_a_restart_and_are_private() {
    let (dir, plugins, others) = (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let keeper = Keeper::open(dir.path(), plugins.path());
    assert_eq!(keeper.known(), Decisions::default());
    keeper.keep(Decisions::default());
    assert!(files(&dir).is_empty(), "nothing was decided");
    keeper.keep(some());
    assert_eq!(Keeper::open(dir.path(), plugins.path()).known(), some());
    assert_eq!(Keeper::open(dir.path(), others.path()).known(), Decisions::default(), "another folder");
    let [file] = &files(&dir)[..] else { panic!("nothing is left behind") };
    assert!(is_file(file));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn two_processes_that_share_a_file_keep_both_decisions() {
    let (dir, plugins) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let open = || Keeper::open(dir.path(), plugins.path());
    let (one, other) = (open(), open());
    one.keep(some());
    let mut theirs = Decisions::default();
    theirs.quarantined.insert(digest(7), quarantined(7));
    other.keep(theirs.clone());
    assert_eq!(open().known().quarantined.len(), 2);
    // A decision that one process withdraws is gone, and the other process's stays.
    one.keep(Decisions::default());
    assert_eq!(open().known(), theirs);
    // About the same adapter, the later decision wins.
    for (keeper, from) in [(&one, 1), (&other, 2), (&one, 3)] {
        let mut decisions = keeper.known();
        decisions.adapters.insert("zeta".into(), choice(from, 9));
        keeper.keep(decisions);
    }
    assert_eq!(open().known().adapters["zeta"], choice(3, 9));
}

#[test]
fn concurrent_writers_lose_nothing() {
    let (dir, plugins) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (dir, plugins) = (dir.path(), plugins.path());
            scope.spawn(move || {
                let keeper = Keeper::open(dir, plugins);
                for more in 0..8 {
                    let mut decisions = keeper.known();
                    decisions.quarantined.insert(digest(number * 8 + more), quarantined(1));
                    keeper.keep(decisions);
                }
            });
        }
    });
    assert_eq!(Keeper::open(dir.path(), plugins.path()).known().quarantined.len(), 64);
}

#[test]
fn an_unreadable_file_is_ignored_and_replaced() {
    let (dir, plugins) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let open = || Keeper::open(dir.path(), plugins.path());
    open().keep(some());
    let file = files(&dir).remove(0);
    let whole = std::fs::read_to_string(&file).unwrap();
    let long = " ".repeat(2 << 20);
    let later = whole.replace("\"version\": 1", "\"version\": 2");
    let nonsense = whole.replace("sha256:", "md5:");
    for text in ["", "[]", "{\"version\": 1}", &whole[..whole.len() / 2], &later, &nonsense, &long] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(open().known(), Decisions::default(), "{}", head(text, 50));
        open().keep(some());
        assert_eq!(open().known(), some());
    }
}

#[test]
fn the_oldest_are_forgotten_and_reasons_are_bounded() {
    let (dir, plugins) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut many = Decisions::default();
    for number in 0..300 {
        let reason = format!("\u{1b}[31m{}", "x".repeat(10_000));
        many.quarantined.insert(digest(number), Quarantined { reason, ..quarantined(number as u64) });
    }
    Keeper::open(dir.path(), plugins.path()).keep(many);
    let known = Keeper::open(dir.path(), plugins.path()).known();
    assert_eq!(known.quarantined.len(), REMEMBERED);
    assert!(!known.quarantined.contains_key(&digest(43)) && known.quarantined.contains_key(&digest(44)));
    let reason = &known.quarantined[&digest(44)].reason;
    assert!(reason.len() <= REASON && !reason.contains('\u{1b}'), "{reason:?}");
}

fn any_decisions() -> impl Strategy<Value = Decisions> {
    proptest::collection::btree_map(0..9_usize, 0..3_u64, 0..9).prop_map(|all| Decisions {
        quarantined: all.into_iter().map(|(number, since)| (digest(number), quarantined(since))).collect(),
        adapters: BTreeMap::new(),
        tried_again: BTreeMap::new(),
    })
}

proptest! {
    #[test]
    fn a_change_reaches_its_target_and_touches_nothing_else(
        from in any_decisions(), to in any_decisions(), others in any_decisions(),
    ) {
        let mut alone = from.clone();
        alone.change(&from, &to);
        prop_assert_eq!(&alone, &to);
        let mut shared = others.clone();
        shared.change(&from, &to);
        for (digest, value) in &others.quarantined {
            if from.quarantined.get(digest) == to.quarantined.get(digest) {
                prop_assert_eq!(shared.quarantined.get(digest), Some(value));
            }
        }
    }
}
