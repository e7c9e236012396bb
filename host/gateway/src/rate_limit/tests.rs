use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use weir_lease::{Answer, WhenLost};

use super::shared::Shared;
use super::*;
use crate::sharing::Sharing;

const MINUTE: Duration = Duration::from_mins(1);

fn store() -> Arc<dyn LimitStore> {
    Arc::new(Memory::default())
}

fn reserve(
    store: &Arc<dyn LimitStore>,
    limits: &Limits,
    estimate: Estimate,
    now: Instant,
) -> Result<Reservation, Exhausted> {
    let takes = takes(Scope::Client, &Arc::from("a"), limits, estimate);
    futures_util::FutureExt::now_or_never(Reservation::make(store, takes, now)).unwrap()
}

fn request(input: u64, output: u64) -> Estimate {
    Estimate { input, output, stream: false }
}

#[test]
fn what_is_owed_counts_whatever_is_left() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { tokens: Some(100), ..Limits::default() };
    let owed =
        |tokens| Reservation::owed(&store, takes(Scope::Client, &Arc::from("a"), &limits, request(tokens, 0)), now);
    let (mut first, second) = (owed(80), owed(80));
    let refused = || reserve(&store, &limits, request(1, 0), now).unwrap_err().wait;
    assert!(refused() > Duration::from_secs(30));
    first.used(Some((10, 0)), now);
    // What is not known stays counted.
    drop(second);
    assert!(reserve(&store, &limits, request(11, 0), now).is_err());
    assert!(reserve(&store, &limits, request(10, 0), now).is_ok());
}

#[test]
fn a_limit_is_reached_and_refills() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { requests: Some(60), ..Limits::default() };
    for _ in 0..60 {
        reserve(&store, &limits, request(1, 1), now).unwrap();
    }
    let exhausted = reserve(&store, &limits, request(1, 1), now).unwrap_err();
    assert_eq!((exhausted.limit, exhausted.wait), (60, Duration::from_secs(1)));
    assert!(exhausted.message().contains("60 requests a minute for the client `a`"), "{}", exhausted.message());
    reserve(&store, &limits, request(1, 1), now + Duration::from_secs(1)).unwrap();
    assert!(reserve(&store, &limits, request(1, 1), now + Duration::from_secs(1)).is_err());
}

#[test]
fn unused_reservations_are_returned_and_excess_use_is_owed() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { input_tokens: Some(100), output_tokens: Some(100), ..Limits::default() };
    let mut first = reserve(&store, &limits, request(50, 80), now).unwrap();
    assert!(reserve(&store, &limits, request(10, 30), now).is_err(), "80 of 100 are reserved");
    first.used(Some((70, 10)), now);
    let second = reserve(&store, &limits, request(30, 90), now).unwrap();
    assert_eq!(second.limits(Scope::Client).iter().map(|limit| limit.remaining).collect::<Vec<_>>(), [0, 0]);
    drop(second);
    reserve(&store, &limits, request(30, 90), now).unwrap().used(Some((130, 90)), now);
    let owed = reserve(&store, &limits, request(1, 1), now).unwrap_err();
    assert_eq!(owed.key.resource, Resource::Input);
    assert!(owed.wait > MINUTE / 2, "what was used too much has to grow back first: {:?}", owed.wait);
}

#[test]
fn what_a_long_answer_used_counts_also_where_its_share_was_forgotten_meanwhile() {
    let sharing = Sharing::new("n".to_owned(), WhenLost::Closed, Duration::from_millis(10));
    let store = Shared::new(sharing);
    let limits = Limits { tokens: Some(20_000), ..Limits::default() };
    let take = takes(Scope::Client, &Arc::from("a"), &limits, request(1_024, 0)).remove(0);
    store.settle(&take.key, take.rate, 500.0, Instant::now());
    assert!(store.reports(false, MINUTE).is_empty(), "what returns would overflow");
    store.settle(&take.key, take.rate, -58_976.0, Instant::now());
    let used: Vec<u64> = store.reports(false, MINUTE).iter().map(|one| one.report.used).collect();
    assert_eq!(used, [58_976]);
}

/// A node that shares its limits with another one.
fn one_of_two(when_lost: WhenLost) -> (Arc<Sharing>, Arc<Shared>) {
    let sharing = Sharing::new("n".to_owned(), when_lost, Duration::from_secs(10));
    sharing.begin_round().answered(None, Some(2));
    (Arc::clone(&sharing), Arc::new(Shared::new(sharing)))
}

#[tokio::test]
async fn what_one_bucket_cannot_give_is_asked_for_at_no_other() {
    let (sharing, store) = one_of_two(WhenLost::Closed);
    let limits = Limits { requests: Some(1), tokens: Some(1_000), ..Limits::default() };
    let takes = takes(Scope::Client, &Arc::from("a"), &limits, request(300, 0));
    let mut reserving = store.reserve(&takes, Instant::now());
    assert!(futures_util::FutureExt::now_or_never(&mut reserving).is_none(), "it waits for the server");
    let round = sharing.begin_round();
    for report in store.reports(false, round.sent) {
        // Another request takes the tokens that are granted. More of them are left, but no requests are.
        let left = if report.key.resource == Resource::Tokens { 500 } else { 0 };
        let answer = Answer { ceiling: 0, others: 0, gone: 0, left, nodes: 0, generation: 1 };
        store.answered(&report, Some(answer), round.sent);
    }
    round.answered(None, None);
    drop(round);
    assert_eq!(reserving.await.unwrap_err().at, 0, "requests are what it lacks");
    assert!(store.reports(false, sharing.at()).iter().all(|one| one.report.short == 0));
}

#[tokio::test]
async fn what_one_bucket_has_granted_stays_while_the_request_waits_for_another() {
    let (sharing, store) = one_of_two(WhenLost::Closed);
    let limits = Limits { requests: Some(1), tokens: Some(1_000), ..Limits::default() };
    let takes = takes(Scope::Client, &Arc::from("a"), &limits, request(300, 0));
    let mut reserving = store.reserve(&takes, Instant::now());
    for is_granted in [false, true] {
        assert!(futures_util::FutureExt::now_or_never(&mut reserving).is_none(), "it waits for the server");
        let round = sharing.begin_round();
        for report in store.reports(false, round.sent) {
            let is_of_requests = report.key.resource == Resource::Requests;
            // In the first round another request takes the tokens. The second one keeps what is granted.
            assert!(!is_granted || !is_of_requests || report.report.ceiling == 1, "{report:?}");
            let ceiling = if is_of_requests { 1 } else { u64::from(is_granted) * 1_000 };
            let answer = Answer { ceiling, others: 0, gone: 0, left: 500, nodes: 0, generation: 1 };
            store.answered(&report, Some(answer), round.sent);
        }
        round.answered(None, None);
        drop(round);
    }
    reserving.await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_given_up_while_it_waits_for_the_server_leaves_its_addresss_place() {
    let (_sharing, store) = one_of_two(WhenLost::Closed);
    let store: Arc<dyn LimitStore> = store;
    let limits = Limits { streams: Some(1), requests: Some(3), tokens: Some(1_000), ..Limits::default() };
    let stream = Estimate { input: 300, output: 0, stream: true };
    let now = Instant::now();
    let of_address = || takes(Scope::Address, &Arc::from("::1"), &limits, stream);
    for _ in 0..2 {
        let takes = [takes(Scope::Client, &Arc::from("a"), &limits, stream), of_address()].concat();
        let mut reserving = Box::pin(Reservation::make(&store, takes, now));
        assert!(futures_util::FutureExt::now_or_never(&mut reserving).is_none(), "the server hangs");
    }
    let made = Reservation::make(&store, of_address(), now).await.unwrap();
    let left: Vec<_> = made.limits(Scope::Address).iter().map(|one| (one.resource, one.remaining)).collect();
    assert_eq!(left, [(Resource::Requests, 0), (Resource::Streams, 0), (Resource::Tokens, 700)], "the requests count");
}

#[test]
fn on_its_own_a_node_counts_what_was_used_beyond_reservations() {
    let (sharing, store) = one_of_two(WhenLost::Share);
    sharing.begin_round().failed();
    let (store, now): (Arc<dyn LimitStore>, _) = (store, Instant::now());
    let limits = Limits { tokens: Some(60_000), ..Limits::default() };
    for _ in 0..2 {
        reserve(&store, &limits, request(1_024, 0), now).unwrap().used(Some((20_000, 0)), now);
    }
    let refused = reserve(&store, &limits, request(1, 0), now).unwrap_err();
    assert!(refused.wait > Duration::from_secs(19), "10,000 beyond its part of 30,000: {:?}", refused.wait);
}

#[test]
fn on_its_own_a_node_counts_the_streams_that_began_before() {
    let (sharing, store) = one_of_two(WhenLost::Share);
    let (store, now): (Arc<dyn LimitStore>, _) = (store, Instant::now());
    let limits = Limits { requests: Some(4), streams: Some(10), ..Limits::default() };
    let stream = Estimate { input: 0, output: 0, stream: true };
    let streams = Limits { requests: None, ..limits };
    let owed = || Reservation::owed(&store, takes(Scope::Client, &Arc::from("a"), &streams, stream), now);
    let mut open: Vec<Reservation> = (0..5).map(|_| owed()).collect();
    for _ in 0..2 {
        sharing.begin_round().failed();
        for _ in 0..5 {
            let refused = reserve(&store, &limits, stream, now).unwrap_err();
            assert_eq!(refused.key.resource, Resource::Streams, "five are its part, and nothing else was taken");
        }
        assert!(store.in_use(now).iter().any(|one| (one.limit, one.used) == (5, 5.0)));
        open.pop();
        open.push(reserve(&store, &limits, stream, now).unwrap());
        assert!(reserve(&store, &limits, stream, now).is_err(), "one place became free");
        sharing.begin_round().answered(None, Some(2));
    }
}

#[test]
fn one_request_may_be_larger_than_the_limit_of_a_minute() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { tokens: Some(1000), ..Limits::default() };
    reserve(&store, &limits, request(500_000, 0), now).unwrap().used(None, now);
    assert!(reserve(&store, &limits, request(1, 0), now).is_err());
}

#[test]
fn streams_are_counted_while_they_last() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { streams: Some(2), ..Limits::default() };
    let stream = Estimate { input: 0, output: 0, stream: true };
    let mut first = reserve(&store, &limits, stream, now).unwrap();
    let second = reserve(&store, &limits, stream, now).unwrap();
    assert!(reserve(&store, &limits, stream, now + MINUTE).is_err());
    reserve(&store, &limits, request(1, 1), now).unwrap();
    first.used(Some((1, 1)), now);
    let third = reserve(&store, &limits, stream, now).unwrap();
    drop((second, third));
    reserve(&store, &limits, stream, now).unwrap();
}

#[test]
fn c67_a_request_that_failed_gives_its_tokens_back() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { tokens: Some(100), requests: Some(10), ..Limits::default() };
    drop(reserve(&store, &limits, request(60, 40), now).unwrap());
    let second = reserve(&store, &limits, request(60, 40), now).unwrap();
    let limits: Vec<_> = second.limits(Scope::Client).iter().map(|limit| (limit.resource, limit.remaining)).collect();
    assert_eq!(limits, [(Resource::Requests, 8), (Resource::Tokens, 0)]);
}

#[test]
fn nothing_is_taken_if_one_of_several_buckets_is_short() {
    let (store, now) = (store(), Instant::now());
    let one = |name: &str, requests: u64| {
        let limits = Limits { requests: Some(requests), ..Limits::default() };
        takes(Scope::Model, &Arc::from(name), &limits, request(1, 1))
    };
    let make = |takes| futures_util::FutureExt::now_or_never(Reservation::make(&store, takes, now)).unwrap();
    make(one("full", 1)).unwrap();
    assert!(make([one("free", 1), one("full", 1)].concat()).is_err());
    make(one("free", 1)).unwrap();
}

#[test]
fn c67_limits_hold_under_64_clients_at_once() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { tokens: Some(1000), ..Limits::default() };
    let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..64u64 {
            let (store, limits, held, most) = (&store, &limits, &held, &most);
            scope.spawn(move || {
                for round in 0..200 {
                    let amount = 1 + (client * 7 + round) % 90;
                    let Ok(mut reserved) = reserve(store, limits, request(amount, 0), now) else { continue };
                    let now_held = held.fetch_add(amount, Ordering::SeqCst) + amount;
                    most.fetch_max(now_held, Ordering::SeqCst);
                    held.fetch_sub(amount, Ordering::SeqCst);
                    if round % 3 == 0 {
                        drop(reserved);
                    } else {
                        reserved.used(Some((0, 0)), now);
                    }
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 1000 && most.load(Ordering::SeqCst) > 0, "{most:?}");
    reserve(&store, &limits, request(1000, 0), now).unwrap();
}

#[test]
fn ipv6_is_limited_by_network() {
    let name = |text: &str| address_name(text.parse().unwrap());
    assert_eq!(name("2001:db8:1:2:3::1"), name("2001:db8:1:2:ffff::9"));
    assert_ne!(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
    assert_eq!(&*name("::ffff:10.0.0.1"), "10.0.0.1");
}

proptest! {
    /// Over any sequence of requests, no more is given than the limit and what has refilled.
    #[test]
    fn never_more_than_the_limit(steps in prop::collection::vec((0u64..5000, 1u64..200), 1..200)) {
        let (store, start) = (store(), Instant::now());
        let limits = Limits { tokens: Some(600), ..Limits::default() };
        let (mut now, mut given) = (start, 0.0);
        for (millis, amount) in steps {
            now += Duration::from_millis(millis);
            if let Ok(mut reserved) = reserve(&store, &limits, request(amount, 0), now) {
                reserved.used(None, now);
                given += amount as f64;
            }
            let may = 600.0 + now.duration_since(start).as_secs_f64() * 10.0;
            prop_assert!(given <= may + 1e-6, "{given} of {may}");
        }
    }
}

#[test]
fn what_is_used_of_a_limit_is_known_until_it_is_back() {
    let (store, now) = (store(), Instant::now());
    let limits = Limits { requests: Some(60), tokens: Some(600), streams: Some(4), ..Limits::default() };
    let stream = Estimate { input: 100, output: 200, stream: true };
    let mut first = reserve(&store, &limits, stream, now).unwrap();
    let used = |at: Instant| {
        let mut found = store.in_use(at);
        found.sort_by_key(|bucket| bucket.key.resource.as_str());
        let of = |bucket: InUse| (bucket.key.resource, bucket.limit, bucket.used.round() as u64, bucket.back_in);
        found.into_iter().map(of).collect::<Vec<_>>()
    };
    let requests = (Resource::Requests, 60, 1, Some(Duration::from_secs(1)));
    let streams = (Resource::Streams, 4, 1, None);
    assert_eq!(used(now), [requests, streams, (Resource::Tokens, 600, 300, Some(MINUTE / 2))]);
    first.used(Some((500, 400)), now);
    let tokens = (Resource::Tokens, 600, 900, Some(MINUTE * 3 / 2));
    assert_eq!(used(now), [requests, tokens], "more than the limit, which has to come back first");
    assert_eq!(used(now + MINUTE), [(Resource::Tokens, 600, 300, Some(MINUTE / 2))]);
    assert!(used(now + MINUTE * 2).is_empty());
}
