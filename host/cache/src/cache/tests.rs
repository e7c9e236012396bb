use std::sync::Barrier;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::*;
use crate::{FlightResult, KeyWriter, Scope};

fn key(name: &str) -> Key {
    let mut writer = KeyWriter::new(&Scope::of(&Arc::from("tenant")), 0);
    writer.part("name", name.as_bytes());
    writer.finish()
}

fn entry(model: &str, size: usize) -> Arc<Entry> {
    Arc::new(Entry {
        model: Arc::from(model),
        headers: HeaderMap::new(),
        body: Bytes::from(vec![b'x'; size]),
        stored: Instant::now(),
        lifetime: Duration::from_mins(1),
        cost: Some(7),
        origin: None,
    })
}

fn cache() -> Arc<Cache> {
    Arc::new(Cache::new(32 << 20))
}

fn lead(cache: &Arc<Cache>, name: &str) -> crate::Leader {
    match cache.enter(key(name)) {
        FlightRole::Lead(leader) => leader,
        FlightRole::Follow(_) => panic!("another leads {name}"),
    }
}

fn follow(cache: &Arc<Cache>, name: &str) -> crate::Follower {
    match cache.enter(key(name)) {
        FlightRole::Follow(follower) => follower,
        FlightRole::Lead(_) => panic!("none leads {name}"),
    }
}

fn has(cache: &Cache, name: &str) -> bool {
    cache.get(&key(name), &Control::default(), Instant::now()).is_some()
}

#[test]
fn an_answer_is_kept_for_its_lifetime_and_as_long_as_a_request_takes_it() {
    let cache = cache();
    lead(&cache, "a").fill(entry("m", 10), None);
    let now = Instant::now();
    let get =
        |control: &str, after: u64| cache.get(&key("a"), &Control::read([control]), now + Duration::from_secs(after));
    assert!(get("", 0).is_some() && get("max-age=5", 4).is_some() && get("", 58).is_some());
    assert!(get("max-age=5", 7).is_none() && get("no-cache", 0).is_none());
    assert!(get("", 61).is_none() && cache.is_empty());
}

#[test]
fn what_is_too_large_is_not_kept_and_all_of_it_stays_within_the_bound() {
    let cache = cache();
    lead(&cache, "large").fill(entry("m", TOO_LARGE), None);
    assert!(!has(&cache, "large"));
    lead(&cache, "nearly").fill(entry("m", TOO_LARGE - 1), None);
    assert!(has(&cache, "nearly"));
    for number in 0..100 {
        lead(&cache, &number.to_string()).fill(entry("m", 1 << 20), None);
    }
    assert!(cache.weight() <= 32 << 20 && cache.len() > 8, "{} in {}", cache.len(), cache.weight());
}

#[test]
fn removals_take_what_they_name_and_answers_that_are_under_way() {
    let cache = cache();
    lead(&cache, "a").fill(entry("m", 1), None);
    lead(&cache, "b").fill(entry("other", 1), None);
    assert!(cache.remove(&key("a")) && !cache.remove(&key("a")));
    lead(&cache, "a").fill(entry("m", 1), None);
    assert_eq!(cache.remove_model("m"), 1);
    assert!(has(&cache, "b") && !has(&cache, "a"));
    let removals: [fn(&Cache); 3] =
        [|cache| _ = cache.remove(&key("c")), |cache| _ = cache.remove_model("m"), |cache| _ = cache.clear()];
    for remove in removals {
        let leader = lead(&cache, "c");
        remove(&cache);
        leader.fill(entry("m", 1), None);
        assert!(!has(&cache, "c"), "it was asked for before the removal");
    }
    assert_eq!(cache.generation(), 1);
    assert!(cache.is_empty());
}

#[tokio::test]
async fn followers_get_the_leaders_answer() {
    let cache = cache();
    let leader = lead(&cache, "a");
    let followers = [follow(&cache, "a"), follow(&cache, "a")];
    leader.fill(entry("m", 3), None);
    for follower in followers {
        assert!(matches!(follower.landed().await, FlightResult::Answer(entry) if entry.body.len() == 3));
    }
    assert!(has(&cache, "a"));
    lead(&cache, "b");
}

#[tokio::test]
async fn a_follower_takes_over_from_a_leader_that_leaves() {
    let cache = cache();
    let leader = lead(&cache, "a");
    let (first, second) = (follow(&cache, "a"), follow(&cache, "a"));
    drop(leader);
    let FlightResult::Lead(next) = first.landed().await else { panic!("none leads") };
    let waiting = tokio::spawn(second.landed());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "the second waits for the first");
    next.fill(entry("m", 4), None);
    assert!(matches!(waiting.await.unwrap(), FlightResult::Answer(entry) if entry.body.len() == 4));
}

#[tokio::test]
async fn an_answer_that_is_not_kept_frees_all_who_wait() {
    let cache = cache();
    let leader = lead(&cache, "a");
    let followers = [follow(&cache, "a"), follow(&cache, "a")];
    leader.give_up();
    for follower in followers {
        assert!(matches!(follower.landed().await, FlightResult::Alone));
    }
    drop(lead(&cache, "a"));
    drop(lead(&cache, "a"));
}

#[tokio::test]
async fn a_request_after_a_removal_follows_none_from_before_it() {
    let removals: [fn(&Cache); 4] = [
        |cache| _ = cache.remove(&key("a")),
        |cache| _ = cache.remove_model("m"),
        |cache| _ = cache.clear(),
        |cache| cache.forget(),
    ];
    for remove in removals {
        let cache = cache();
        let (old, before) = (lead(&cache, "a"), follow(&cache, "a"));
        remove(&cache);
        let (new, after) = (lead(&cache, "a"), follow(&cache, "a"));
        old.fill(entry("m", 1), None);
        assert!(!has(&cache, "a"), "it was asked for before the removal");
        assert!(matches!(before.landed().await, FlightResult::Answer(entry) if entry.body.len() == 1));
        let last = follow(&cache, "a");
        new.fill(entry("m", 2), None);
        for follower in [after, last] {
            assert!(matches!(follower.landed().await, FlightResult::Answer(entry) if entry.body.len() == 2));
        }
        assert!(has(&cache, "a") && cache.flights.lock().is_empty());
    }
}

#[tokio::test]
async fn who_takes_over_after_a_removal_is_followed_again() {
    let cache = cache();
    let (old, first, second) = (lead(&cache, "a"), follow(&cache, "a"), follow(&cache, "a"));
    cache.remove_model("m");
    drop(old);
    let FlightResult::Lead(next) = first.landed().await else { panic!("none leads") };
    let third = follow(&cache, "a");
    next.fill(entry("m", 2), None);
    for follower in [second, third] {
        assert!(matches!(follower.landed().await, FlightResult::Answer(_)));
    }
    assert!(has(&cache, "a") && cache.flights.lock().is_empty());
}

#[test]
fn nothing_stays_of_requests_that_leave_at_the_same_time() {
    let cache = cache();
    for _ in 0..2_000 {
        let (leader, followers) = (lead(&cache, "a"), [follow(&cache, "a"), follow(&cache, "a")]);
        drop(leader);
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            for follower in followers {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    drop(follower);
                });
            }
        });
        assert!(cache.flights.lock().is_empty());
    }
}

#[test]
fn a_generation_is_removed_once_however_often_that_is_asked_for() {
    let cache = cache();
    lead(&cache, "a").fill(entry("m", 1), None);
    assert_eq!((cache.clear_up_to(0), cache.is_empty()), (1, true));
    lead(&cache, "a").fill(entry("m", 1), None);
    assert_eq!((cache.clear_up_to(0), cache.len()), (1, 1), "it is of a later generation");
    assert_eq!((cache.clear_up_to(1), cache.is_empty()), (2, true));
}

#[test]
fn an_answer_is_removed_for_other_formats_too_where_its_own_form_is_gone() {
    let cache = cache();
    let form = |name: &str| {
        let one = entry("m", 1);
        let origin = Some(key("origin"));
        lead(&cache, name).fill(Arc::new(Entry { origin, ..copy(&one) }), Some(&one));
    };
    form("first");
    form("second");
    cache.store.remove(&key("first"));
    assert!(has(&cache, "origin") && has(&cache, "second"));
    assert!(cache.remove(&key("first")) && cache.is_empty(), "what was evicted takes its other forms with it");
    assert!(!cache.remove(&key("first")));
    form("first");
    assert!(cache.remove(&key("origin")) && cache.is_empty());
}

fn copy(entry: &Entry) -> Entry {
    Entry {
        model: Arc::clone(&entry.model),
        headers: entry.headers.clone(),
        body: entry.body.clone(),
        stored: entry.stored,
        lifetime: entry.lifetime,
        cost: entry.cost,
        origin: entry.origin,
    }
}
