//! Tests of when an adapter is quarantined.

use super::*;
use crate::guest::{Guest, call, guest};
use crate::rollout_policy::RolloutPolicy;
use weir_sandbox::stats;

const RULE: QuarantineRule =
    QuarantineRule { faults: 3, window: Duration::from_mins(1), share: 0.1, pause: Duration::from_mins(1) };

fn failure(caller: &str, bytes: usize) -> RecentFailure {
    RecentFailure::new(FaultKind::Trap, stats::caller(caller), "f", bytes)
}

fn window(exchanges: u64, faults: u64, callers: &[&str]) -> Window {
    Window { exchanges, faults, callers: callers.iter().fold(0, |all, caller| all | stats::caller(caller)) }
}

/// Two tenants with different bits, whatever this process's hash key is.
fn two() -> [String; 2] {
    let others = (0..100).map(|n| format!("caller-{n}"));
    let other = others.into_iter().find(|other| stats::caller(other) != stats::caller("one"));
    ["one".to_owned(), other.unwrap()]
}

#[test]
fn different_requests_that_fail_are_a_reason() {
    let failures: Vec<RecentFailure> = (0..3).map(|bytes| failure("one", bytes)).collect();
    let reason = RULE.reason(&failures, window(10, 3, &["one"])).unwrap();
    assert_eq!(reason, "it failed at 3 different requests within 60s (trap 3); 3 of 10 exchanges failed");
    assert_eq!(RULE.reason(&failures[..2], window(10, 900, &["one"])), None);
}

#[test]
fn a_small_share_of_all_exchanges_is_none() {
    let failures: Vec<RecentFailure> = (0..3).map(|bytes| failure("one", bytes)).collect();
    assert_eq!(RULE.reason(&failures, window(31, 3, &["one"])), None);
    assert!(RULE.reason(&failures, window(30, 3, &["one"])).is_some());
}

#[test]
fn one_caller_alone_cannot_quarantine_an_adapter() {
    let [one, other] = two();
    let mut failures: Vec<RecentFailure> = (0..9).map(|bytes| failure(&one, bytes)).collect();
    assert!(RULE.reason(&failures, window(10, 9, &[&one])).is_some(), "no other caller uses it");
    assert_eq!(RULE.reason(&failures, window(10, 9, &[&one, &other])), None);
    failures.push(failure(&other, 1));
    assert!(RULE.reason(&failures, window(10, 9, &[&one, &other])).is_some(), "it fails for both");
}

#[test]
fn failures_before_the_window_do_not_count() {
    let begun = Instant::now();
    let sample = |seconds, leases, faults, callers| {
        let at = begun + Duration::from_secs(seconds);
        Sample { at, leases, faults, callers }
    };
    let digest = Digest::of(b"x");
    let mut watched = WatchedVersion { digest, samples: VecDeque::from([sample(0, 0, 0, 0)]) };
    let minute = Duration::from_mins(1);
    assert_eq!(watched.note(sample(30, 10, 10, 1), minute), Window { exchanges: 10, faults: 10, callers: 1 });
    assert_eq!(watched.note(sample(80, 20, 10, 2), minute), Window { exchanges: 20, faults: 10, callers: 3 });
    assert_eq!(watched.note(sample(100, 30, 10, 0), minute), Window { exchanges: 20, faults: 0, callers: 3 });
    assert_eq!(watched.note(sample(200, 31, 10, 4), minute).exchanges, 1);
    for n in 0..1000 {
        watched.note(sample(200 + n, 31 + n, 10, 4), minute);
    }
    assert!(watched.samples.len() <= SAMPLES as usize + 2, "{}", watched.samples.len());
}

/// A guest that traps at every call.
fn broken() -> Guest {
    Guest { parse_error: "unreachable".into(), ..guest("zeta") }
}

fn gateway(rule: QuarantineRule) -> (Arc<Catalog>, Judge) {
    let usual = RolloutPolicy { quarantine: Some(rule), canary: None };
    let policies = super::super::catalog::RolloutPolicies { usual, of: BTreeMap::new() };
    let catalog = Arc::new(Catalog::new(|_| Ok(())).with_policies(policies));
    (Arc::clone(&catalog), Judge::new(catalog))
}

#[test]
fn the_same_request_over_and_over_is_one() {
    let (catalog, mut judge) = gateway(RULE);
    let adapter = broken().load();
    catalog.publish(&adapter).unwrap();
    for _ in 0..100 {
        call(&adapter).unwrap_err();
        judge.look();
    }
    assert!(adapter.state.suspended().is_none());
}

/// A good version, and one that took its place and has failed as often as the rule allows.
fn with_a_failing_version() -> (Arc<Catalog>, Judge, Arc<Adapter>, Arc<Adapter>) {
    let (catalog, judge) = gateway(RULE);
    let (good, bad) = (guest("zeta").load(), broken().load());
    catalog.publish(&good).unwrap();
    catalog.publish(&bad).unwrap();
    for bytes in 0..3 {
        call(&bad).unwrap_err();
        bad.stats.record_failure(failure("", 100 + bytes));
    }
    (catalog, judge, good, bad)
}

#[test]
fn an_adapter_that_fails_too_often_is_replaced_by_the_last_good_one() {
    let (catalog, mut judge, good, bad) = with_a_failing_version();
    judge.look();
    assert!(Arc::ptr_eq(&catalog.get("zeta").unwrap(), &good));
    let snapshot = catalog.snapshot();
    assert!(snapshot.quarantined[&bad.digest].reason.contains("different requests"));
    assert!(snapshot.refused["zeta"].reason.starts_with("quarantined: "));
    assert!(!good.state.rests() && bad.state.rests());
}

#[test]
fn without_a_good_one_the_component_runs_no_more_until_it_is_released() {
    let (catalog, mut judge) = gateway(RULE);
    let bad = broken().load();
    catalog.publish(&bad).unwrap();
    for bytes in 0..3 {
        call(&bad).unwrap_err();
        bad.stats.record_failure(failure("", 100 + bytes));
    }
    judge.look();
    assert!(Arc::ptr_eq(&catalog.get("zeta").unwrap(), &bad), "its manifest still counts");
    let fault = call(&bad).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Quarantined);
    assert!(fault.detail.contains("different requests"), "{}", fault.detail);
    assert_eq!(catalog.release("zeta", None), Ok(bad.digest));
    assert_eq!(call(&bad).unwrap_err().kind, FaultKind::Trap);
    judge.look();
    assert!(bad.state.suspended().is_none(), "what it did before is forgiven");
}

/// Makes it fail often enough to be quarantined.
fn fail(judge: &mut Judge, bad: &Arc<Adapter>) {
    for bytes in 0..3 {
        call(bad).unwrap_err();
        bad.stats.record_failure(failure("", 100 + bytes));
    }
    judge.look();
    assert!(bad.state.suspended().is_some());
}

#[test]
fn an_adapter_without_a_replacement_is_retried_after_a_growing_pause() {
    let (catalog, mut judge) = gateway(RULE);
    let bad = broken().load();
    catalog.publish(&bad).unwrap();
    let minute = Duration::from_mins(1);
    let after = |pause: Duration| {
        catalog.try_again(SystemTime::now() + pause, |_| minute);
        bad.state.suspended().is_none()
    };
    fail(&mut judge, &bad);
    assert!(!after(Duration::from_secs(50)) && after(minute));
    assert_eq!(call(&bad).unwrap_err().kind, FaultKind::Trap, "it runs");
    fail(&mut judge, &bad);
    assert!(!after(minute) && after(2 * minute), "the second pause is longer");
    assert_eq!(catalog.snapshot().tried_again[&bad.digest].times, 2);
}

#[test]
fn an_operators_quarantine_stays() {
    let (catalog, _) = gateway(RULE);
    let adapter = guest("zeta").load();
    catalog.publish(&adapter).unwrap();
    catalog.quarantine("zeta", adapter.digest, "I do not like it", DecidedBy::Operator).unwrap();
    catalog.try_again(SystemTime::now() + Duration::from_hours(1000), |_| Duration::ZERO);
    assert!(adapter.state.suspended().is_some());
}

#[test]
fn an_adapter_with_a_replacement_is_not_retried() {
    let (catalog, mut judge, good, bad) = with_a_failing_version();
    judge.look();
    catalog.try_again(SystemTime::now() + Duration::from_hours(1000), |_| Duration::ZERO);
    assert!(catalog.snapshot().quarantined.contains_key(&bad.digest));
    assert!(Arc::ptr_eq(&catalog.get("zeta").unwrap(), &good));
}

#[test]
fn limits_exceeded_by_large_inputs_do_not_count() {
    let (catalog, mut judge) = gateway(RULE);
    let adapter = guest("zeta").load();
    catalog.publish(&adapter).unwrap();
    for bytes in 0..9 {
        adapter.stats.failed(FaultKind::TooLarge);
        adapter.stats.record_failure(RecentFailure::new(FaultKind::TooLarge, 1, "f", bytes));
    }
    judge.look();
    assert!(adapter.state.suspended().is_none() && !adapter.stats.is_suspect());
}

#[test]
fn deadlines_that_several_miss_are_the_machines_fault() {
    let (catalog, mut judge) = gateway(RULE);
    let all = [guest("zeta").load(), guest("eta").load()];
    for adapter in &all {
        catalog.publish(adapter).unwrap();
        for bytes in 0..9 {
            adapter.stats.failed(FaultKind::Deadline);
            adapter.stats.record_failure(RecentFailure::new(FaultKind::Deadline, 1, "f", bytes));
        }
    }
    judge.look();
    assert!(all.iter().all(|adapter| adapter.state.suspended().is_none()));
    catalog.remove("eta");
    judge.look();
    assert!(all[0].state.suspended().is_some());
}
