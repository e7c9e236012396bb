//! When keys are fetched.

use super::*;
use proptest::prelude::*;

fn keys(id: &str) -> KeySet {
    KeySet::parse(Signer::new("EdDSA").set(id).as_bytes()).unwrap()
}

fn need(source: &mut KeySource, id: &str, seconds: i64) -> Need {
    source.need(Some(id), Algorithm::EdDSA, at(seconds))
}

fn fetched(source: &mut KeySource, id: &str, seconds: i64) -> Ticket {
    match need(source, id, seconds) {
        Need::Fetch(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn started(id: &str) -> KeySource {
    let mut source = KeySource::new(Timing::default());
    let ticket = fetched(&mut source, id, 0);
    source.succeeded(ticket, keys(id), at(0));
    source
}

#[test]
fn one_fetch_at_a_time_and_the_others_wait() {
    let mut source = KeySource::new(Timing::default());
    let ticket = fetched(&mut source, "a", 0);
    assert!(matches!(need(&mut source, "a", 1), Need::Wait));
    source.succeeded(ticket, keys("a"), at(2));
    assert!(matches!(need(&mut source, "a", 2), Need::Use(_)));
    // A fetch that never ends is given up.
    let mut source = KeySource::new(Timing::default());
    let late = fetched(&mut source, "a", 0);
    assert!(matches!(need(&mut source, "a", 29), Need::Wait));
    assert!(matches!(need(&mut source, "a", 30), Need::Unavailable));
    source.succeeded(late, keys("a"), at(30));
    assert!(!matches!(need(&mut source, "a", 30), Need::Use(_)), "its result comes too late");
}

#[test]
fn failures_are_repeated_ever_more_rarely() {
    let mut source = KeySource::new(Timing::default());
    let mut time = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        let ticket = fetched(&mut source, "a", time);
        source.failed(ticket, at(time));
        assert!(matches!(need(&mut source, "a", time + wait - 1), Need::Unavailable), "{wait}");
        time += wait;
    }
}

#[test]
fn a_fetch_that_did_not_succeed_keeps_no_new_key_from_being_fetched() {
    let mut source = started("a");
    let ticket = fetched(&mut source, "invented", 5);
    source.failed(ticket, at(5));
    let ticket = source.refresh(at(600)).unwrap();
    source.succeeded(ticket, keys("a"), at(600));
    let ticket = fetched(&mut source, "b", 601);
    source.succeeded(ticket, keys("b"), at(601));
    assert!(matches!(need(&mut source, "b", 601), Need::Use(_)));
}

#[test]
fn a_client_that_leaves_does_not_end_the_fetch_that_its_token_started() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let verifier = verifier(settings());
    let keys = |set| Documents(vec![("https://id.example/keys", set)]);
    let first = old.token("k1", &claims());
    ready(verifier.verify_with(&first, now(), |job| ready(job.run(&keys(old.set("k1")))).unwrap())).unwrap();
    // Its fetch goes on where it was started, and other tokens wait for it.
    let invented = std::cell::RefCell::new(None);
    {
        let (token, keep) = (old.token("invented", &claims()), |job| *invented.borrow_mut() = Some(job));
        let mut leaving = std::pin::pin!(verifier.verify_with(&token, now(), keep));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(leaving.as_mut().poll(&mut context).is_pending());
    }
    let token = new.token("k2", &claims());
    let Verify::Wait(arrival) = verifier.verify(&token, now()).unwrap() else { panic!("no wait") };
    ready(invented.take().unwrap().run(&keys(new.set("k2")))).unwrap();
    ready(arrival);
    assert!(matches!(verifier.verify(&token, now()).unwrap(), Verify::Done(_)));
}

#[test]
fn a_fetch_that_is_dropped_keeps_the_waits_after_failures() {
    let verifier = verifier(settings());
    let token = Signer::new("ES256").token("k1", &claims());
    let at = |seconds| now() + jiff::SignedDuration::from_secs(seconds);
    for begin in [0, 1, 3, 7] {
        let Verify::Fetch(job) = verifier.verify(&token, at(begin)).unwrap() else { panic!("no fetch at {begin}") };
        drop(job);
        assert!(verifier.verify(&token, at(2 * begin)).is_err(), "{begin}");
    }
}

#[test]
fn a_new_key_is_found_at_once_and_invented_ones_cost_one_fetch_a_minute() {
    let mut source = started("a");
    let ticket = fetched(&mut source, "b", 5);
    source.succeeded(ticket, keys("b"), at(5));
    assert!(matches!(need(&mut source, "b", 5), Need::Use(_)));
    for invented in 6..65 {
        assert!(matches!(need(&mut source, &format!("x{invented}"), invented), Need::UnknownKey));
    }
    let ticket = fetched(&mut source, "y", 65);
    source.succeeded(ticket, keys("b"), at(65));
    assert!(matches!(need(&mut source, "y", 126), Need::UnknownKey), "the same one is remembered");
    fetched(&mut source, "z", 126);
}

#[test]
fn while_the_issuer_is_down_known_keys_work_until_their_time_and_unknown_ones_are_not_refused() {
    let mut source = started("a");
    let ticket = source.refresh(at(600)).unwrap();
    assert!(source.refresh(at(600)).is_none());
    source.failed(ticket, at(601));
    assert!(matches!(need(&mut source, "a", 602), Need::Use(_)));
    assert!(matches!(need(&mut source, "b", 601), Need::Unavailable), "503, not 401");
    let ticket = fetched(&mut source, "b", 602);
    source.failed(ticket, at(602));
    assert!(matches!(need(&mut source, "b", 603), Need::Unavailable));
    let ticket = fetched(&mut source, "b", 604);
    source.failed(ticket, at(604));
    assert!(matches!(need(&mut source, "b", 607), Need::Unavailable), "tried ever more rarely");
    assert!(matches!(need(&mut source, "a", 86_399), Need::Use(_)));
    assert!(!matches!(need(&mut source, "a", 86_400), Need::Use(_)));
}

#[test]
fn those_that_wait_are_woken() {
    let signer = Signer::new("ES256");
    let (verifier, token) = (verifier(settings()), signer.token("k1", &claims()));
    let Verify::Fetch(job) = verifier.verify(&token, now()).unwrap() else { panic!("no fetch") };
    let Verify::Wait(arrival) = verifier.verify(&token, now()).unwrap() else { panic!("no wait") };
    let client = Documents(vec![("https://id.example/keys", signer.set("k1"))]);
    let waiting = std::thread::spawn(move || futures_block_on(arrival));
    ready(job.run(&client)).unwrap();
    waiting.join().unwrap();
    assert!(matches!(verifier.verify(&token, now()).unwrap(), Verify::Done(_)));
}

/// Runs a future on this thread, which sleeps until it is woken.
fn futures_block_on(future: impl Future) {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    while future.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
}

#[test]
fn keys_are_found_through_the_discovery_document() {
    let signer = Signer::new("ES256");
    let mut settings = settings();
    settings.jwks_uri = None;
    let discovery = json!({"issuer": ISSUER, "jwks_uri": "https://keys.example/set"}).to_string();
    let client = Documents(vec![
        ("https://id.example/realms/a/.well-known/openid-configuration", discovery),
        ("https://keys.example/set", signer.set("k1")),
    ]);
    let verifier = verifier(settings);
    for job in verifier.warm_up(now()) {
        ready(job.run(&client)).unwrap();
    }
    let token = signer.token("k1", &claims());
    assert!(matches!(verifier.verify(&token, now()).unwrap(), Verify::Done(_)));
}

#[test]
fn an_issuer_without_keys_is_unavailable_and_the_reason_is_reported() {
    let reported = std::cell::RefCell::new(Vec::new());
    let token = Signer::new("ES256").token("k1", &claims());
    let client = Documents(Vec::new());
    let refused = ready(verifier(settings()).verify_with(&token, now(), |job| {
        let issuer = job.name().to_owned();
        let error = ready(job.run(&client)).unwrap_err();
        reported.borrow_mut().push(format!("{issuer}: {error}"));
    }));
    let refusal = refused.unwrap_err();
    assert_eq!((refusal.status(), refusal.code()), (503, "issuer_unavailable"));
    assert_eq!(*reported.borrow(), ["corp: 404"]);
}

proptest! {
    /// Whatever happens, fetches for invented ids are at least a minute apart, and there is one at a time.
    #[test]
    fn fetches_are_bounded(steps in proptest::collection::vec((0i64..40, 0u8..4, 0u8..30), 1..200)) {
        let mut source = started("a");
        let set = keys("a");
        let (mut time, mut ticket, mut unknown) = (0, None, Vec::new());
        for (wait, act, id) in steps {
            time += wait;
            match act {
                0 | 1 => if let Need::Fetch(new) = need(&mut source, &format!("x{id}"), time) {
                    if time < 86_400 {
                        unknown.push((time, false));
                    }
                    ticket = Some(new);
                },
                2 => if let Some(ticket) = ticket.take() {
                    source.succeeded(ticket, set.clone(), at(time));
                    if let Some((begun, has_succeeded)) = unknown.last_mut() {
                        // After that it is given up.
                        *has_succeeded = time - *begun < 30;
                    }
                },
                _ => if let Some(ticket) = ticket.take() { source.failed(ticket, at(time)) },
            }
        }
        for pair in unknown.windows(2) {
            let ((earlier, has_succeeded), (later, _)) = (pair[0], pair[1]);
            let least = if has_succeeded { 60 } else { 1 };
            prop_assert!(later - earlier >= least);
        }
    }
}
