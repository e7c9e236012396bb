use proptest::prelude::*;

use super::*;

const ALONE: Situation = Situation {
    repeats: 0,
    retry: Retry { max_retries: 2, delay: Duration::from_secs(1), max_delay: Duration::from_secs(10), budget: 0.2 },
    is_repeatable: true,
    creates: false,
    has_next: false,
    has_key: false,
    rests: None,
    left: None,
    may_unfilter: false,
    may_strip: false,
    draw: 0.5,
};

fn upstream(kind: ErrorKind) -> Fault {
    Fault::new(Side::Upstream, kind, "")
}

fn failed_by(failure: TransportFailure) -> Fault {
    upstream(ErrorKind::Upstream).with_transport(failure)
}

fn decided(fault: &Fault, now: Situation) -> RetryDecision {
    decide(fault, now, || true)
}

#[test]
fn c66_what_a_retry_cannot_cure_is_not_repeated() {
    for kind in [
        ErrorKind::InvalidRequest,
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::TooLarge,
        ErrorKind::ContextLength,
        ErrorKind::ContentFiltered,
        ErrorKind::Unsupported,
    ] {
        assert_eq!(decided(&upstream(kind), ALONE), RetryDecision::Stop, "{kind:?}");
        assert!(!matches!(blame(&upstream(kind)), Blame::Target(_) | Blame::Limit(_)), "{kind:?}");
    }
    assert_eq!(decided(&Fault::invalid("no"), ALONE), RetryDecision::Stop);
    assert_eq!(blame(&Fault::invalid("no")), Blame::Neither);
}

#[test]
fn reported_overloads_and_timeouts_count_as_overload() {
    let is = |fault: &Fault| is_overload(fault, blame(fault));
    for kind in ErrorKind::ALL {
        let expected = matches!(kind, ErrorKind::RateLimited | ErrorKind::Overloaded | ErrorKind::Timeout);
        assert_eq!(is(&upstream(kind)), expected, "{kind:?}");
    }
    assert!(
        is(&failed_by(TransportFailure::Slow))
            && !is(&failed_by(TransportFailure::Unreachable))
            && !is(&failed_by(TransportFailure::Credential))
    );
    assert!(!is_overload(&failed_by(TransportFailure::Slow), Blame::Neither), "there was little time left for it");
    assert!(!is(&Fault::overloaded("no instance is free", Duration::from_secs(1))), "that is the gateway's");
}

#[test]
fn c66_a_broken_connection_is_tried_again_once() {
    let gone = failed_by(TransportFailure::Gone);
    assert_eq!(decided(&gone, ALONE), RetryDecision::Again(Duration::from_millis(500)));
    assert_eq!(decided(&gone, Situation { repeats: 1, ..ALONE }), RetryDecision::Stop);
    assert_eq!(decided(&gone, Situation { is_repeatable: false, ..ALONE }), RetryDecision::Stop);
    let unreachable = failed_by(TransportFailure::Unreachable);
    assert!(matches!(decided(&unreachable, Situation { is_repeatable: false, ..ALONE }), RetryDecision::Again(_)));
}

#[test]
fn what_may_have_been_created_is_not_created_again() {
    let makes = Situation { is_repeatable: false, creates: true, has_next: true, has_key: true, ..ALONE };
    for failure in [TransportFailure::Gone, TransportFailure::Slow, TransportFailure::Garbled] {
        assert_eq!(decided(&failed_by(failure), makes), RetryDecision::Stop, "{failure:?}");
    }
    assert_eq!(decided(&upstream(ErrorKind::Upstream), makes), RetryDecision::Stop);
    assert_eq!(
        decided(&failed_by(TransportFailure::Unreachable), makes),
        RetryDecision::Next,
        "the provider never saw it"
    );
    assert_eq!(decided(&upstream(ErrorKind::Overloaded), makes), RetryDecision::Next, "the provider did not take it");
    assert_eq!(decided(&upstream(ErrorKind::RateLimited), makes), RetryDecision::NextKey);
    assert_eq!(decided(&failed_by(TransportFailure::Gone), Situation { creates: false, ..makes }), RetryDecision::Next);
}

#[test]
fn c66_without_budget_there_is_no_repetition() {
    let failed = upstream(ErrorKind::Upstream);
    assert_eq!(decide(&failed, ALONE, || false), RetryDecision::Stop);
    assert_eq!(decide(&failed, Situation { has_next: true, ..ALONE }, || false), RetryDecision::Next);
}

#[test]
fn a_limit_goes_to_the_next_key_then_the_next_target_then_waits() {
    let limited = upstream(ErrorKind::RateLimited);
    let everything = Situation { has_key: true, has_next: true, ..ALONE };
    assert_eq!(decided(&limited, everything), RetryDecision::NextKey);
    assert_eq!(decided(&limited, Situation { has_key: false, ..everything }), RetryDecision::Next);
    let rests = Situation { rests: Some(Duration::from_secs(1)), ..ALONE };
    assert!(matches!(decided(&limited, rests), RetryDecision::Again(wait) if wait >= Duration::from_secs(1)));
    let failing = upstream(ErrorKind::Upstream);
    assert!(matches!(decided(&failing, everything), RetryDecision::Again(_)), "a key is not to blame for a 500");
}

#[test]
fn a_slow_target_is_not_retried_but_another_may_be_tried() {
    assert_eq!(decided(&failed_by(TransportFailure::Slow), ALONE), RetryDecision::Stop);
    assert_eq!(decided(&failed_by(TransportFailure::Slow), Situation { has_next: true, ..ALONE }), RetryDecision::Next);
}

#[test]
fn c34_a_request_refused_with_values_of_others_is_sent_once_more_without_them() {
    let refused = upstream(ErrorKind::InvalidRequest);
    let carries = Situation { may_strip: true, ..ALONE };
    assert_eq!(decided(&refused, carries), RetryDecision::Bare);
    assert_eq!(decided(&refused, ALONE), RetryDecision::Stop);
    assert_eq!(decide(&refused, carries, || false), RetryDecision::Stop, "no repetition is left");
    assert_eq!(decided(&Fault::invalid("no"), carries), RetryDecision::Stop, "the provider never saw it");
    assert_eq!(decided(&upstream(ErrorKind::TooLarge), carries), RetryDecision::Stop);
    assert_eq!(decided(&upstream(ErrorKind::NotFound), Situation { has_next: true, ..carries }), RetryDecision::Next);
}

#[test]
fn filtered_content_goes_to_another_target_only_if_allowed() {
    let filtered = upstream(ErrorKind::ContentFiltered);
    let next = Situation { has_next: true, ..ALONE };
    assert_eq!(decided(&filtered, next), RetryDecision::Stop);
    assert_eq!(decided(&filtered, Situation { may_unfilter: true, ..next }), RetryDecision::Next);
}

proptest! {
    /// A decision stays within the number of retries, the time left, and the keys and targets that exist.
    #[test]
    fn every_decision_is_a_possible_one(
        kind in 0..ErrorKind::ALL.len(), failure in 0..6usize, repeats in 0..5u32, has_next in any::<bool>(),
        has_key in any::<bool>(), may_strip in any::<bool>(), left in prop::option::of(0u64..20_000), draw in 0.0..1.0f64,
        after in prop::option::of(0u32..30_000),
    ) {
        let failures = [
            None, Some(TransportFailure::Unreachable), Some(TransportFailure::Slow), Some(TransportFailure::Gone), Some(TransportFailure::Credential),
            Some(TransportFailure::Garbled),
        ];
        let mut fault = Fault { transport: failures[failure], ..upstream(ErrorKind::ALL[kind]) };
        fault.error.retry_after_ms = after;
        let left = left.map(Duration::from_millis);
        let now = Situation { repeats, has_next, has_key, left, may_strip, draw, ..ALONE };
        match decided(&fault, now) {
            RetryDecision::Again(wait) => {
                prop_assert!(repeats < ALONE.retry.max_retries);
                prop_assert!(left.is_none_or(|left| wait < left));
                let asked = Duration::from_millis(after.unwrap_or(0).into());
                prop_assert!(wait >= asked && asked <= ALONE.retry.max_delay);
            }
            RetryDecision::NextKey => prop_assert!(has_key),
            RetryDecision::Next => prop_assert!(has_next),
            RetryDecision::Bare => prop_assert!(may_strip),
            RetryDecision::Stop => {}
        }
    }
}
