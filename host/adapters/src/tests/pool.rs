//! Tests of sharing instances, and of an exhausted pool. The guest counts its calls and returns the count as the
//! error's status, so that a used instance is recognised.

use std::sync::Arc;
use std::time::Duration;

use crate::Admission;
use crate::guest::{context, guest, loader, response, small};
use weir_sandbox::{Adapter, AdapterLimits, FaultKind, Isolation, Lease, Limits, Reuse, lease_pair};
use weir_types::contract::types::{Body, HttpResponse};

/// An adapter whose error status is the number of earlier calls of its instance.
fn counting(limits: Limits, adapter_limits: AdapterLimits) -> Arc<Adapter> {
    let mut zeta = guest("zeta");
    // An error: status is present (12), its value (14); everything else is absent or empty.
    zeta.parse_error = "(i32.store8 (i32.const 16396) (i32.const 1))
        (i32.store16 (i32.const 16398) (global.get $calls))
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.const 16384)"
        .into();
    loader(limits).load("zeta", &zeta.build(), &Admission { adapter_limits, ..Admission::default() }).unwrap()
}

fn with(isolation: Isolation, reuse: Reuse) -> Arc<Adapter> {
    counting(small(), AdapterLimits { isolation: Some(isolation), reuse, ..AdapterLimits::default() })
}

/// Number of earlier calls of the instance.
fn calls(lease: &mut Lease) -> u16 {
    lease.parse_error(&context(), &response()).unwrap().status.unwrap()
}

/// A lease that has its instance.
fn begun(adapter: &Arc<Adapter>) -> Lease {
    let mut lease = adapter.try_lease("").unwrap();
    calls(&mut lease);
    lease
}

/// As `calls`, with a large input.
fn large(lease: &mut Lease) -> u16 {
    let http = HttpResponse { body: Body::Text("x".repeat(20 * 1024)), ..response() };
    lease.parse_error(&context(), &http).unwrap().status.unwrap()
}

/// Runs one exchange of this tenant.
fn exchange(adapter: &Arc<Adapter>, tenant: &str) -> u16 {
    let mut lease = adapter.try_lease(tenant).unwrap();
    let calls = calls(&mut lease);
    lease.release();
    calls
}

#[test]
fn a_fresh_instance_serves_one_exchange() {
    let adapter = with(Isolation::Fresh, Reuse::default());
    for _ in 0..10 {
        assert_eq!(exchange(&adapter, ""), 0);
    }
    assert_eq!(adapter.pool().idle(), 1, "one is made where one was given back");
    let six: Vec<_> = (0..6).map(|_| begun(&adapter)).collect();
    six.into_iter().for_each(Lease::release);
    assert_eq!((adapter.pool().idle(), adapter.engine.usage().idle), (4, 4), "and no more than are to lie ready");
}

#[test]
fn of_many_slow_starters_that_are_given_back_at_once_few_are_made_ahead() {
    let mut zeta = guest("zeta");
    // Longer than the fifth of a millisecond from which a start is slow.
    zeta.more = "(func $wait (local $left i32)
        (local.set $left (i32.const 4000000))
        (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
        (start $wait)"
        .into();
    let adapter_limits = AdapterLimits { isolation: Some(Isolation::Fresh), ..AdapterLimits::default() };
    let admission = Admission { adapter_limits, ..Admission::default() };
    let adapter = loader(small()).load("zeta", &zeta.build(), &admission).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (busy, until_free) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let thread = runtime.spawn_blocking(move || until_free.recv().is_err());
        for _ in 0..20 {
            let mut lease = adapter.try_lease("").unwrap();
            lease.parse_error(&context(), &response()).unwrap();
            lease.release();
        }
        drop(busy);
        assert!(thread.await.unwrap());
        runtime.spawn_blocking(|| ()).await.unwrap();
    });
    assert_eq!((adapter.pool().idle(), adapter.stats.instances()), (4, 20 + 4));
}

#[test]
fn a_tenants_instance_serves_that_tenant() {
    let adapter = with(Isolation::Tenant, Reuse::default());
    assert_eq!((exchange(&adapter, "a"), exchange(&adapter, "a")), (0, 1));
    assert_eq!((exchange(&adapter, "b"), exchange(&adapter, "a")), (0, 2));
    let mut one = adapter.try_lease("a").unwrap();
    assert_eq!((calls(&mut one), exchange(&adapter, "a")), (3, 0), "one exchange at a time");
}

#[test]
fn an_instance_made_ahead_becomes_the_first_tenants_own() {
    let adapter = with(Isolation::Tenant, Reuse::default());
    adapter.warm();
    assert_eq!((adapter.pool().idle(), adapter.stats.instances()), (4, 4));
    assert_eq!((exchange(&adapter, "a"), exchange(&adapter, "b"), exchange(&adapter, "a")), (0, 0, 1));
    assert_eq!(adapter.stats.instances(), 4, "no other was made");
}

#[test]
fn a_component_that_is_proved_reusable_serves_one_tenant_an_instance() {
    let adapter = |wish, adapter_limits| {
        let mut zeta = guest("zeta");
        zeta.isolation = wish;
        loader(small()).load("zeta", &zeta.build(), &Admission { adapter_limits, ..Admission::default() }).unwrap()
    };
    let fresh = AdapterLimits { isolation: Some(Isolation::Fresh), ..AdapterLimits::default() };
    for (wish, adapter_limits, proved) in [
        (0, AdapterLimits::default(), Isolation::Fresh),
        (1, AdapterLimits::default(), Isolation::Tenant),
        (2, AdapterLimits::default(), Isolation::Tenant),
        (1, fresh, Isolation::Fresh),
    ] {
        let adapter = adapter(wish, adapter_limits);
        assert_eq!(adapter.pool().isolation(), Isolation::Fresh, "unproved");
        adapter.pool().prove_reusable();
        assert_eq!(adapter.pool().isolation(), proved, "the manifest's wish is {wish}");
    }
}

#[test]
fn an_instance_that_served_a_client_before_the_proof_serves_nobody_after_it() {
    // The manifest's wish or the configuration may let instances be shared, or only the proof.
    for adapter_limits in [Some(Isolation::Shared), Some(Isolation::Tenant), None] {
        let adapter = counting(small(), AdapterLimits { isolation: adapter_limits, ..AdapterLimits::default() });
        adapter.pool().set_awaits_proof(true);
        let mut begun = adapter.try_lease("a").unwrap();
        assert_eq!((calls(&mut begun), exchange(&adapter, "a"), adapter.pool().idle()), (0, 0, 0));
        adapter.pool().prove_reusable();
        adapter.pool().set_awaits_proof(false);
        begun.release();
        assert_eq!(exchange(&adapter, "b"), 0, "{adapter_limits:?}");
        if adapter_limits != Some(Isolation::Shared) {
            assert_eq!(exchange(&adapter, "a"), 0, "{adapter_limits:?}");
        }
    }
    let adapter = counting(small(), AdapterLimits::default());
    let mut begun = adapter.try_lease("a").unwrap();
    assert_eq!(calls(&mut begun), 0);
    adapter.pool().prove_reusable();
    begun.release();
    assert_eq!(exchange(&adapter, "b"), 0, "also where it is proved again while it serves");
}

#[test]
fn a_shared_instance_serves_all_within_its_bounds() {
    let adapter = with(Isolation::Shared, Reuse { uses: 2, ..Reuse::default() });
    assert_eq!((exchange(&adapter, "a"), exchange(&adapter, "b"), exchange(&adapter, "c")), (0, 1, 0));
    let adapter = with(Isolation::Shared, Reuse { memory: 1, ..Reuse::default() });
    assert_eq!((exchange(&adapter, "a"), exchange(&adapter, "a")), (0, 0));
    let adapter = with(Isolation::Shared, Reuse { age: Duration::ZERO, ..Reuse::default() });
    assert_eq!((exchange(&adapter, "a"), exchange(&adapter, "a")), (0, 0));
}

#[test]
fn a_large_instance_serves_others_while_the_provider_works() {
    let adapter = with(Isolation::Tenant, Reuse::default());
    let mut one = adapter.try_lease("a").unwrap();
    assert_eq!((large(&mut one), adapter.pool().idle()), (0, 0));
    one.rest();
    assert_eq!(adapter.pool().idle(), 1);
    let mut two = adapter.try_lease("a").unwrap();
    assert_eq!(large(&mut two), 1, "the next large request's");
    two.rest();
    assert_eq!((calls(&mut one), calls(&mut two)), (0, 0), "each answer has a small one");
    let mut other = adapter.try_lease("b").unwrap();
    assert_eq!(large(&mut other), 0, "never another tenant's");
    [one, two, other].into_iter().for_each(Lease::release);
    assert_eq!((exchange(&adapter, "a"), adapter.pool().idle()), (1, 4), "no small request's, while there are others");
}

#[test]
fn a_small_instance_stays_with_its_exchange() {
    let adapter = with(Isolation::Tenant, Reuse::default());
    let mut lease = begun(&adapter);
    lease.rest();
    assert_eq!((adapter.pool().idle(), calls(&mut lease)), (0, 1));
}

#[test]
fn an_exchange_that_rests_keeps_its_isolation() {
    let adapter = with(Isolation::Fresh, Reuse::default());
    let mut lease = adapter.try_lease("").unwrap();
    assert_eq!(large(&mut lease), 0);
    lease.rest();
    assert_eq!((calls(&mut lease), exchange(&adapter, "")), (0, 0), "nobody has an instance that served");
    let adapter = with(Isolation::Shared, Reuse::default());
    let mut lease = adapter.try_lease("a").unwrap();
    assert_eq!(large(&mut lease), 0);
    lease.rest();
    let mut other = adapter.try_lease("b").unwrap();
    assert_eq!((large(&mut other), calls(&mut lease)), (1, 0));
}

#[test]
fn a_failed_instance_never_comes_back() {
    let mut zeta = guest("zeta");
    zeta.parse_error = "unreachable".into();
    let adapter_limits = AdapterLimits { isolation: Some(Isolation::Shared), ..AdapterLimits::default() };
    let adapter =
        loader(small()).load("zeta", &zeta.build(), &Admission { adapter_limits, ..Admission::default() }).unwrap();
    let mut lease = adapter.try_lease("").unwrap();
    assert!(lease.parse_error(&context(), &response()).is_err());
    lease.rest();
    assert!(lease.parse_error(&context(), &response()).is_err_and(|fault| fault.kind == FaultKind::Host));
    lease.release();
    assert_eq!(adapter.pool().idle(), 0);
}

#[test]
fn old_instances_and_those_of_a_former_template_are_dropped() {
    let adapter = with(Isolation::Shared, Reuse::default());
    exchange(&adapter, "");
    assert_eq!(adapter.pool().idle(), 1);
    let out = begun(&adapter);
    adapter.pool.renew().unwrap();
    out.release();
    assert_eq!(adapter.pool().idle(), 0);
    assert_eq!(exchange(&adapter, ""), 0);
}

#[test]
fn a_burst_gives_its_memory_back_when_its_last_instance_is_done() {
    let adapter = with(Isolation::Fresh, Reuse::default());
    let engine = adapter.engine.clone();
    let mut burst: Vec<_> = (0..8).map(|_| begun(&adapter)).collect();
    let mut last = burst.pop().unwrap();
    drop(burst);
    assert_eq!(engine.usage().warm_slots, 7);
    assert!(engine.renew());
    adapter.sweep(true);
    assert_eq!((engine.usage().warm_slots, adapter.pool().idle()), (0, 4));
    assert_eq!((calls(&mut last), exchange(&adapter, "")), (1, 0), "both pools serve, and keep deadlines");
    assert!(!engine.renew(), "never more than two pools");
    last.release();
    engine.sweep();
    assert!(engine.renew());
}

#[tokio::test(start_paused = true)]
async fn without_a_free_instance_a_request_fails_after_a_while() {
    let adapter = counting(Limits { instances: 2, ..small() }, AdapterLimits::default());
    let one = adapter.lease("").await.unwrap();
    let two = adapter.lease("").await.unwrap();
    assert_eq!(adapter.try_lease("").unwrap_err().kind, FaultKind::Exhausted);
    let fault = adapter.lease("").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Exhausted);
    assert_eq!(adapter.engine.usage().leases_free, 0);
    drop(one);
    assert!(adapter.lease("").await.is_ok());
    drop(two);
    assert_eq!(adapter.engine.usage().leases_free, 2);
}

#[tokio::test(start_paused = true)]
async fn a_pair_is_leased_together_or_not_at_all() {
    let adapter = counting(Limits { instances: 3, ..small() }, AdapterLimits::default());
    let pair = lease_pair(&adapter, &adapter, "").await.unwrap();
    assert_eq!(lease_pair(&adapter, &adapter, "").await.unwrap_err().kind, FaultKind::Exhausted);
    assert_eq!(adapter.engine.usage().leases_free, 1);
    drop(pair);
    assert_eq!(adapter.engine.usage().leases_free, 3);
}

#[tokio::test(start_paused = true)]
async fn an_adapters_own_bound_holds_before_the_engines_does() {
    let adapter = counting(small(), AdapterLimits { concurrency: Some(1), ..AdapterLimits::default() });
    let one = adapter.lease("").await.unwrap();
    assert_eq!(adapter.lease("").await.unwrap_err().kind, FaultKind::Exhausted);
    assert_eq!(adapter.engine.usage().leases_free, 7);
    drop(one);
    assert!(adapter.lease("").await.is_ok());
}

/// Takes pairs of leases concurrently, holds each for a moment, releases it, and returns how many succeeded.
async fn pairs_at_once(of: &[(Arc<Adapter>, Arc<Adapter>)]) -> usize {
    let pair = |(one, other): &(Arc<Adapter>, Arc<Adapter>)| {
        let (one, other) = (Arc::clone(one), Arc::clone(other));
        tokio::spawn(async move {
            let pair = lease_pair(&one, &other, "").await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            pair.is_ok()
        })
    };
    let mut had = 0;
    for one in of.iter().map(pair).collect::<Vec<_>>() {
        had += usize::from(one.await.unwrap());
    }
    had
}

#[tokio::test(start_paused = true)]
async fn an_adapter_on_both_sides_does_not_starve_itself() {
    for most in [1, 2, 3, 4] {
        let adapter = counting(small(), AdapterLimits { concurrency: Some(most), ..AdapterLimits::default() });
        let pairs = vec![(Arc::clone(&adapter), Arc::clone(&adapter)); 40];
        assert_eq!(pairs_at_once(&pairs).await, 40, "max_instances = {most}");
        assert!(adapter.lease("").await.is_ok(), "every turn is given back");
    }
}

#[tokio::test(start_paused = true)]
async fn two_adapters_on_either_side_do_not_starve_each_other() {
    let adapter_limits = || AdapterLimits { concurrency: Some(1), ..AdapterLimits::default() };
    let (one, other) = (counting(small(), adapter_limits()), counting(small(), adapter_limits()));
    let either = |turn: usize| {
        let (first, second) = if turn.is_multiple_of(2) { (&one, &other) } else { (&other, &one) };
        (Arc::clone(first), Arc::clone(second))
    };
    let pairs: Vec<_> = (0..40).map(either).collect();
    assert_eq!(pairs_at_once(&pairs).await, 40);
}

#[test]
fn a_proof_needs_no_turn() {
    let adapter = counting(small(), AdapterLimits { concurrency: Some(1), ..AdapterLimits::default() });
    let leases: Vec<_> = (0..2).map(|_| adapter.try_lease_for_proof().unwrap()).collect();
    assert_eq!(leases.len(), 2);
    assert!(adapter.try_lease("").is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_processed_off_the_worker() {
    let adapter = counting(Limits { blocking_above: 0, ..small() }, AdapterLimits::default());
    assert_eq!(exchange(&adapter, ""), 0);
}

#[test]
fn every_slot_of_the_pool_can_be_used_at_once() {
    let limits = Limits { instances: 6, idle_instances: 4, ..small() };
    let adapter = counting(limits, AdapterLimits::default());
    adapter.warm();
    let leases: Vec<_> = (0..6).map(|_| begun(&adapter)).collect();
    adapter.warm();
    assert_eq!((leases.len(), adapter.pool().idle()), (6, 4));
    assert_eq!(adapter.try_lease("").unwrap_err().kind, FaultKind::Exhausted);
}

#[test]
fn what_all_instances_have_grown_by_is_bounded_and_one_adapter_leaves_a_quarter_to_the_others() {
    const PAGE: usize = 65536;
    let loader = loader(Limits { total_growth: 64 * PAGE, ..small() });
    let load = |name: &str, pages: u32| {
        let mut zeta = guest(name);
        zeta.parse_error = format!("(drop (memory.grow (i32.const {pages}))) (i32.const {})", crate::guest::ZEROS);
        let adapter_limits = AdapterLimits { isolation: Some(Isolation::Tenant), ..AdapterLimits::default() };
        loader.load(name, &zeta.build(), &Admission { adapter_limits, ..Admission::default() }).unwrap()
    };
    let (greedy, modest, boundless) = (load("zeta", 16), load("eta", 8), load("theta", 49));
    let call = |adapter: &Arc<Adapter>, tenant: &str| {
        let mut lease = adapter.try_lease(tenant).unwrap();
        let called = lease.parse_error(&context(), &response());
        (lease, called.map(|_| ()).map_err(|fault| (fault.kind, fault.limit)))
    };
    let grown = || greedy.engine.usage().grown / PAGE;
    assert_eq!(grown(), 0, "what an instance begins with is no growth");
    assert_eq!(
        call(&boundless, "first").1,
        Err((FaultKind::Memory, None)),
        "what never fits is the component's failure"
    );
    let held: Vec<_> = (0..3).map(|_| call(&greedy, "first")).collect();
    assert!(held.iter().all(|(_, called)| called.is_ok()));
    assert_eq!(grown(), 48);
    let refused = Err((FaultKind::Exhausted, Some("plugins.total_memory")));
    assert_eq!(call(&greedy, "first").1, refused);
    assert!(!FaultKind::Exhausted.is_the_adapters(), "it is not to blame");
    let others: Vec<_> = (0..2).map(|_| call(&modest, "second")).collect();
    assert!(others.iter().all(|(_, called)| called.is_ok()), "another adapter goes on");
    assert_eq!((call(&modest, "second").1, grown()), (refused, 64));
    for (lease, _) in held {
        lease.release();
    }
    assert_eq!(
        (greedy.pool().idle(), grown()),
        (1, 32),
        "while memory is scarce, instances that have grown are not kept"
    );
    drop(others);
    assert_eq!(call(&modest, "second").1, Ok(()));
    greedy.pool().renew().unwrap();
    assert_eq!(grown(), 0, "what is dropped gives its growth back");
}

#[test]
fn the_footprint_is_reported_while_instances_live_and_its_peak_afterwards() {
    const PAGE: u64 = 65536;
    let mut zeta = guest("zeta");
    zeta.parse_error = format!("(drop (memory.grow (i32.const 16))) (i32.const {})", crate::guest::ZEROS);
    let adapter = zeta.load();
    let taken = || {
        let footprint = adapter.pool().footprint();
        (footprint.instances(), footprint.bytes() / PAGE, footprint.highest() / PAGE)
    };
    assert_eq!(taken(), (0, 0, 4), "it was made once to see what it is");
    let call = |lease: &mut Lease| drop(lease.parse_error(&context(), &response()).unwrap());
    let mut all: Vec<_> = (0..3).map(|_| adapter.try_lease("").unwrap()).collect();
    assert_eq!(taken(), (0, 0, 4), "none is taken before a call");
    all.iter_mut().for_each(call);
    assert_eq!(taken(), (3, 60, 20));
    all.clear();
    assert_eq!(taken(), (0, 0, 20));
    adapter.pool().renew().unwrap();
    let mut lease = adapter.try_lease("").unwrap();
    call(&mut lease);
    assert_eq!(taken(), (1, 20, 20), "in another pool it is the same adapter");
    lease.release();
    assert_eq!(taken(), (1, 4, 20), "what lies ready lives");
}
