//! Tests of changes: which versions serve, are kept, and return.

use super::super::decisions::DecidedBy;
use super::*;
use crate::guest::{Guest, guest};
use weir_sandbox::canary::CanaryRule;

fn catalog() -> Catalog {
    Catalog::new(|manifests| {
        let names: Vec<&str> = manifests.iter().map(|manifest| &*manifest.name).collect();
        if names.contains(&"zeta") && names.contains(&"rival") {
            Err(Conflict(names.join(" and ") + " clash"))
        } else {
            Ok(())
        }
    })
}

#[test]
fn a_change_is_one_step_and_is_announced() {
    let catalog = catalog();
    let mut changes = catalog.subscribe();
    let first = guest("zeta").load();
    catalog.publish(&first).unwrap();
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), 1);
    let before = catalog.snapshot();
    let second = guest("zeta").load();
    catalog.publish(&second).unwrap();
    assert!(Arc::ptr_eq(&before.adapters["zeta"], &first), "who has the old snapshot keeps the old adapter");
    assert!(Arc::ptr_eq(&catalog.get("zeta").unwrap(), &second));
    catalog.remove("zeta");
    assert!(catalog.get("zeta").is_none());
    assert_eq!(*changes.borrow_and_update(), 3);
    catalog.remove("zeta");
    assert_eq!(catalog.snapshot().generation, 3);
}

#[test]
fn a_conflicting_adapter_is_refused_and_the_former_serves_on() {
    let catalog = catalog();
    catalog.publish(&guest("zeta").load()).unwrap();
    let reason = catalog.publish(&guest("rival").load()).unwrap_err();
    let reason = reason.to_string();
    assert!(reason.contains("zeta") && reason.contains("rival"));
    let snapshot = catalog.snapshot();
    assert!(snapshot.adapters.contains_key("zeta") && !snapshot.adapters.contains_key("rival"));
    assert_eq!(snapshot.refused["rival"].reason, reason);
    assert_eq!(snapshot.generation, 1, "a refusal changes nothing of what serves");
    catalog.remove("zeta");
    catalog.publish(&guest("rival").load()).unwrap();
    assert!(catalog.snapshot().refused.is_empty());
}

#[test]
fn instances_are_ready_when_an_adapter_begins_to_serve() {
    let catalog = catalog();
    let adapter = guest("zeta").load();
    assert_eq!(adapter.pool().idle(), 0);
    catalog.publish(&adapter).unwrap();
    assert_eq!(adapter.pool().idle(), 4);
}

fn version(version: &str) -> Arc<Adapter> {
    Guest { version: version.into(), ..guest("zeta") }.load()
}

fn serves(catalog: &Catalog) -> String {
    catalog.get("zeta").unwrap().manifest.version.clone()
}

fn kept(catalog: &Catalog) -> Vec<(String, FormerState)> {
    let snapshot = catalog.snapshot();
    let former = snapshot.former["zeta"].iter();
    former.map(|former| (former.adapter.manifest.version.clone(), former.status)).collect()
}

fn with_versions(versions: &[&str]) -> (Catalog, Vec<Arc<Adapter>>) {
    let catalog = catalog();
    let all: Vec<_> = versions.iter().map(|text| version(text)).collect();
    for adapter in &all {
        catalog.publish(adapter).unwrap();
    }
    (catalog, all)
}

#[test]
fn a_few_former_versions_are_kept_and_rest() {
    let (catalog, all) = with_versions(&["1", "2", "3", "4", "5"]);
    let retired = |version: &str| (version.to_owned(), FormerState::Retired);
    assert_eq!(kept(&catalog), [retired("4"), retired("3"), retired("2")]);
    assert_eq!(all[3].pool().idle(), 0, "nothing lies ready for what does not serve");
    assert_eq!(Arc::strong_count(&all[0]), 1, "the oldest is let go of");
    catalog.publish(&all[3]).unwrap();
    assert_eq!(kept(&catalog), [retired("5"), retired("3"), retired("2")], "each is there once");
    assert_eq!(all[3].pool().idle(), 4);
}

#[test]
fn rolling_back_goes_on_to_earlier_ones_and_not_back_and_forth() {
    let (catalog, all) = with_versions(&["1", "2", "3"]);
    catalog.roll_back("zeta").unwrap();
    assert_eq!(serves(&catalog), "2");
    let reason = catalog.snapshot().held("zeta", all[2].digest).unwrap();
    assert!(reason.contains("rolled back"), "{reason}");
    catalog.roll_back("zeta").unwrap();
    assert_eq!(serves(&catalog), "1");
    assert!(matches!(catalog.roll_back("zeta"), Err(ChangeDenied::Impossible(_))));
    assert_eq!(catalog.snapshot().aside["zeta"], all[2].digest, "still the file's version");
    catalog.activate("zeta", all[2].digest).unwrap();
    assert_eq!((serves(&catalog), catalog.snapshot().held("zeta", all[2].digest)), ("3".to_owned(), None));
    assert!(!catalog.snapshot().refused.contains_key("zeta"));
    assert_eq!(catalog.roll_back("nobody").unwrap_err(), ChangeDenied::Unknown("nobody".to_owned()));
}

#[test]
fn another_file_ends_a_rollback() {
    let (catalog, all) = with_versions(&["1", "2"]);
    catalog.roll_back("zeta").unwrap();
    catalog.publish(&version("3")).unwrap();
    assert_eq!((serves(&catalog), catalog.snapshot().held("zeta", all[1].digest)), ("3".to_owned(), None));
    let rolled_back = ("2".to_owned(), FormerState::RolledBack);
    assert!(kept(&catalog).contains(&rolled_back), "{:?}", kept(&catalog));
}

#[test]
fn only_a_release_ends_a_quarantine() {
    let (catalog, all) = with_versions(&["1", "2"]);
    catalog.quarantine("zeta", all[1].digest, "it traps", DecidedBy::Operator).unwrap();
    assert_eq!(serves(&catalog), "1");
    let refused = catalog.activate("zeta", all[1].digest).unwrap_err();
    assert!(refused.to_string().contains("it traps"), "{refused}");
    assert!(catalog.quarantine("zeta", all[1].digest, "again", DecidedBy::Operator).is_err());
    assert!(!catalog.snapshot().former["zeta"].iter().any(|former| former.status == FormerState::Retired));
    assert_eq!(catalog.release("zeta", None), Ok(all[1].digest));
    assert!(!catalog.snapshot().accounts_for("zeta", all[1].digest), "its file is to be looked at again");
    catalog.activate("zeta", all[1].digest).unwrap();
    assert_eq!(serves(&catalog), "2");
}

fn trying(rule: CanaryRule) -> Catalog {
    let usual = RolloutPolicy { canary: Some(rule), quarantine: None };
    catalog().with_policies(RolloutPolicies { usual, of: BTreeMap::new() })
}

#[test]
fn a_new_version_gets_its_share_until_it_is_promoted() {
    let catalog = trying(CanaryRule { share: 0.25, requests: 5, ..CanaryRule::default() });
    let (first, second) = (version("1"), version("2"));
    catalog.publish(&first).unwrap();
    catalog.publish(&second).unwrap();
    assert_eq!(serves(&catalog), "1", "it is only tried");
    let chosen: Vec<String> = (0..8).map(|_| first.choose().adapter.manifest.version.clone()).collect();
    assert_eq!(chosen, ["1", "1", "1", "2", "1", "1", "1", "2"]);
    let trial = catalog.snapshot().trials["zeta"].clone();
    assert_eq!((trial.tried().exchanges, trial.beside(&first).exchanges), (2, 6));
    catalog.promote("zeta", second.digest, "5 exchanges").unwrap();
    assert_eq!((serves(&catalog), kept(&catalog)), ("2".to_owned(), vec![("1".to_owned(), FormerState::Retired)]));
    assert!(catalog.snapshot().trials.is_empty() && first.state.trial().is_none());
    assert_eq!(first.choose().adapter.manifest.version, "1", "who holds the former one still goes on with it");
}

#[test]
fn a_change_that_is_not_accepted_leaves_a_trial_as_it_is() {
    let refuses_third = |manifests: &[&Adapter]| {
        if manifests.iter().any(|adapter| adapter.manifest.version == "3") {
            Err(Conflict("no".to_owned()))
        } else {
            Ok(())
        }
    };
    let usual = RolloutPolicy { canary: Some(CanaryRule::default()), quarantine: None };
    let catalog = Catalog::new(refuses_third).with_policies(RolloutPolicies { usual, of: BTreeMap::new() });
    let (first, second) = (version("1"), version("2"));
    catalog.publish(&first).unwrap();
    catalog.publish(&second).unwrap();
    assert!(catalog.publish(&version("3")).is_err());
    assert_eq!(catalog.snapshot().trials["zeta"].adapter.digest, second.digest);
    assert!(first.state.trial().is_some(), "it gets its exchanges still");
}

#[test]
fn a_version_that_goes_with_the_others_no_more_ends_its_trial() {
    let refuses_second = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&refuses_second);
    let together = move |manifests: &[&Adapter]| {
        let has_second = manifests.iter().any(|adapter| adapter.manifest.version == "2");
        if has_second && refuses.load(Relaxed) { Err(Conflict("no".to_owned())) } else { Ok(()) }
    };
    let usual = RolloutPolicy { canary: Some(CanaryRule::default()), quarantine: None };
    let catalog = Catalog::new(together).with_policies(RolloutPolicies { usual, of: BTreeMap::new() });
    let (first, second) = (version("1"), version("2"));
    catalog.publish(&first).unwrap();
    catalog.publish(&second).unwrap();
    assert!(catalog.promote("zeta", first.digest, "another's result").is_err());
    assert!(first.state.trial().is_some());
    refuses_second.store(true, Relaxed);
    assert!(catalog.promote("zeta", second.digest, "enough exchanges").is_err());
    let snapshot = catalog.snapshot();
    assert!(snapshot.trials.is_empty() && first.state.trial().is_none() && serves(&catalog) == "1");
    assert_eq!(snapshot.refused["zeta"].digest, Some(second.digest));
}

#[test]
fn a_trial_ends_with_its_version_or_its_file() {
    let catalog = trying(CanaryRule::default());
    let (first, second, third) = (version("1"), version("2"), version("3"));
    for adapter in [&first, &second, &third] {
        catalog.publish(adapter).unwrap();
    }
    assert_eq!(catalog.snapshot().trials["zeta"].adapter.digest, third.digest, "the latest is tried");
    catalog.roll_back("zeta").unwrap();
    assert!(catalog.snapshot().trials.is_empty() && first.state.trial().is_none());
    assert!(catalog.snapshot().held("zeta", third.digest).is_some());
    catalog.publish(&second).unwrap();
    catalog.quarantine("zeta", second.digest, "it traps", DecidedBy::Operator).unwrap();
    assert_eq!(serves(&catalog), "1");
    assert!(catalog.snapshot().trials.is_empty());
    catalog.publish(&third).unwrap();
    catalog.withdraw("zeta", first.digest);
    assert!(catalog.snapshot().trials.is_empty(), "its file was taken back");
    catalog.publish(&third).unwrap();
    catalog.quarantine("zeta", first.digest, "it traps", DecidedBy::Operator).unwrap();
    assert_eq!(serves(&catalog), "3", "where the one that serves fails first, the one on trial steps in");
}
