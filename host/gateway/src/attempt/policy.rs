//! What to do after a failed attempt: the same again, another key, another target, or nothing. Pure.
//!
//! | what happened | counts against | what follows |
//! |---|---|---|
//! | no connection, rate limit, overload | the target; a rate limit: the key | another key or target, else again |
//! | 5xx, broken connection, nonsense | the target | again, then another target |
//! | too slow | the target | another target; again only once the others have failed for other reasons |
//! | credential refused, quota used up | the key | another key, then another target |
//! | the model is not there; this adapter cannot say it; too long for the context | nobody | another target |
//! | filtered content | nobody | another target, where the operator lets it |
//! | refused, and it carries opaque values of another target's | nobody | the same without those, at once, once |
//! | anything else that is the client's | nobody | nothing |
//!
//! A request that makes something (a file, a batch) is sent nowhere again where its provider may have done it already.

use std::time::Duration;

use super::backoff;
use crate::health::Blame;
use weir_config::Retry;
use weir_translate::unified::TOO_LARGE_TO_TRANSLATE;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Lapse, Side};

/// What may help after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// The same again.
    Again,
    /// The same again, but once at the most: the provider may have seen the request.
    Once,
    /// Another place; where there is none, the same again.
    Elsewhere,
    /// Another place, and nothing else.
    OnlyElsewhere,
    /// Another key; where there is none, another place.
    Key,
    /// Another place, if the operator lets what was filtered be sent there.
    Unfiltered,
    /// Nothing.
    None,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// The same again, after this wait.
    Again(Duration),
    /// The same target with another key, at once.
    NextKey,
    /// The same target without the opaque values of others, at once.
    Bare,
    /// The next target, at once.
    Next,
    /// The client hears of the failure.
    Stop,
}

impl Move {
    /// In words, for the log.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Again(_) => "the same again",
            Self::NextKey => "another key",
            Self::Bare => "again without what other targets issued",
            Self::Next => "another target",
            Self::Stop => "none",
        }
    }
}

/// What can be done at all.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a possibility of its own")]
pub(super) struct Situation {
    /// Repetitions so far, at this target.
    pub(super) repeats: u32,
    /// How often and when.
    pub(super) retry: Retry,
    /// Whether the request may be sent again although the provider may have seen it.
    pub(super) is_repeatable: bool,
    /// Whether the request makes something that must not be there twice, at whatever target.
    pub(super) creates: bool,
    /// Whether there is another target, and this one lets requests go on.
    pub(super) has_next: bool,
    /// Whether there is another key.
    pub(super) has_key: bool,
    /// How long the target rests, if it does.
    pub(super) rests: Option<Duration>,
    /// What is left of the time for all.
    pub(super) left: Option<Duration>,
    /// Whether filtered content may be sent elsewhere.
    pub(super) may_unfilter: bool,
    /// Whether the request carries opaque values of another target's that may be left out.
    pub(super) may_strip: bool,
    /// A number from 0 up to 1.
    pub(super) draw: f64,
}

/// Whom a failure counts against.
pub(super) fn blame(fault: &Fault) -> Blame {
    let rest = fault.error.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
    match (fault.lapse, fault.side, fault.error.kind) {
        (Some(Lapse::Credential), ..) => Blame::Key,
        (Some(Lapse::Slow), ..) => Blame::Slow,
        (Some(_), ..) => Blame::Target(None),
        (None, Side::Upstream, kind) => match kind {
            ErrorKind::RateLimited => Blame::Limit(rest),
            ErrorKind::Permission | ErrorKind::Quota | ErrorKind::Authentication => Blame::Key,
            ErrorKind::Overloaded | ErrorKind::Upstream | ErrorKind::Internal | ErrorKind::Timeout => {
                Blame::Target(rest)
            }
            _ => Blame::Nobody,
        },
        (None, ..) => Blame::Nobody,
    }
}

/// Whether a failure says that its target has too much to do.
pub(super) fn is_overload(fault: &Fault, blame: Blame) -> bool {
    let says = match (fault.lapse, fault.side) {
        (Some(Lapse::Slow), _) => true,
        (None, Side::Upstream) => {
            matches!(fault.error.kind, ErrorKind::RateLimited | ErrorKind::Overloaded | ErrorKind::Timeout)
        }
        _ => false,
    };
    says && blame != Blame::Nobody
}

fn cure(fault: &Fault) -> Cure {
    match (fault.lapse, fault.side) {
        (Some(Lapse::Credential), _) => Cure::Key,
        (Some(Lapse::Unreachable), _) => Cure::Elsewhere,
        (Some(Lapse::Slow), _) | (None, Side::Adapter) => Cure::OnlyElsewhere,
        (Some(Lapse::Gone), _) => Cure::Once,
        (Some(Lapse::Garbled), _) => Cure::Again,
        (None, Side::Upstream) => cure_of_answer(fault.error.kind),
        (None, Side::Gateway) if fault.error.kind == ErrorKind::Overloaded => Cure::OnlyElsewhere,
        (None, Side::Gateway) => Cure::None,
        // What one provider's format has no place for, another's may have.
        (None, Side::Client) => {
            let is_of_target = fault.error.kind == ErrorKind::Unsupported
                || matches!(
                    fault.error.code.as_deref(),
                    Some("unsupported_parameter" | "unsupported_operation" | TOO_LARGE_TO_TRANSLATE)
                );
            if is_of_target { Cure::OnlyElsewhere } else { Cure::None }
        }
    }
}

fn cure_of_answer(kind: ErrorKind) -> Cure {
    match kind {
        ErrorKind::RateLimited | ErrorKind::Overloaded => Cure::Elsewhere,
        ErrorKind::Upstream | ErrorKind::Internal | ErrorKind::Timeout => Cure::Again,
        ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::Quota => Cure::Key,
        ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::ContextLength => Cure::OnlyElsewhere,
        ErrorKind::ContentFiltered => Cure::Unfiltered,
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => Cure::None,
    }
}

/// Whether the provider may have done what was asked although it gave no answer that says so.
pub(super) fn may_have_been_done(fault: &Fault) -> bool {
    match (fault.lapse, fault.side) {
        (Some(Lapse::Slow | Lapse::Gone | Lapse::Garbled), _) => true,
        (None, Side::Upstream) => {
            matches!(fault.error.kind, ErrorKind::Upstream | ErrorKind::Internal | ErrorKind::Timeout)
        }
        _ => false,
    }
}

/// Whether another target may have an answer where this one failed.
pub(super) fn another_may_help(fault: &Fault, may_unfilter: bool) -> bool {
    match cure(fault) {
        Cure::None => false,
        Cure::Unfiltered => may_unfilter,
        Cure::Again | Cure::Once | Cure::Elsewhere | Cure::OnlyElsewhere | Cure::Key => true,
    }
}

/// Whether the same target may have an answer later.
pub(super) fn time_may_help(fault: &Fault) -> bool {
    is_slow(fault) || matches!(cure(fault), Cure::Again | Cure::Once | Cure::Elsewhere)
}

/// Whether a target took too long. If no other reason is heard from anybody, it may be the request that takes long.
pub(super) fn is_slow(fault: &Fault) -> bool {
    fault.lapse == Some(Lapse::Slow)
}

/// Decides what follows a failure. `take` takes a repetition out of the budget, if there is one.
pub(super) fn decide(fault: &Fault, now: Situation, take: impl FnOnce() -> bool) -> Move {
    let cure = cure(fault);
    let next = if now.has_next { Move::Next } else { Move::Stop };
    let is_limited = matches!(blame(fault), Blame::Limit(_));
    if now.may_strip && is_refusal(fault) {
        return if take() { Move::Bare } else { Move::Stop };
    }
    if now.creates && may_have_been_done(fault) {
        return Move::Stop;
    }
    match cure {
        Cure::None => Move::Stop,
        Cure::Unfiltered => {
            if now.may_unfilter {
                next
            } else {
                Move::Stop
            }
        }
        Cure::Key | Cure::Elsewhere if now.has_key && (cure == Cure::Key || is_limited) => Move::NextKey,
        Cure::Key | Cure::OnlyElsewhere => next,
        Cure::Elsewhere if now.has_next => Move::Next,
        Cure::Once if now.repeats > 0 => next,
        Cure::Again | Cure::Once | Cure::Elsewhere => again(fault, now, take).map_or(next, Move::Again),
    }
}

/// Whether leaving values out was in vain: the request could not be said without them, or is refused all the same. Then
/// the first refusal is what the client hears.
pub(super) fn was_vain(fault: &Fault) -> bool {
    fault.side != Side::Upstream || is_refusal(fault)
}

/// Whether the provider itself says that it does not take the request so.
fn is_refusal(fault: &Fault) -> bool {
    fault.lapse.is_none() && fault.side == Side::Upstream && fault.error.kind == ErrorKind::InvalidRequest
}

/// How long to wait before the same again, if that is allowed.
fn again(fault: &Fault, now: Situation, take: impl FnOnce() -> bool) -> Option<Duration> {
    let was_unseen = fault.lapse == Some(Lapse::Unreachable) || matches!(blame(fault), Blame::Limit(_));
    if now.repeats >= now.retry.max_retries || !(now.is_repeatable || was_unseen) {
        return None;
    }
    let asked = fault.error.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
    let wait = backoff::wait(&now.retry, now.repeats, asked.max(now.rests), now.draw)?;
    let fits = now.left.is_none_or(|left| wait < left);
    (fits && take()).then_some(wait)
}

#[cfg(test)]
mod tests {
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

    fn lapsed(lapse: Lapse) -> Fault {
        upstream(ErrorKind::Upstream).with_lapse(lapse)
    }

    fn decided(fault: &Fault, now: Situation) -> Move {
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
            assert_eq!(decided(&upstream(kind), ALONE), Move::Stop, "{kind:?}");
            assert!(!matches!(blame(&upstream(kind)), Blame::Target(_) | Blame::Limit(_)), "{kind:?}");
        }
        assert_eq!(decided(&Fault::invalid("no"), ALONE), Move::Stop);
        assert_eq!(blame(&Fault::invalid("no")), Blame::Nobody);
    }

    #[test]
    fn an_overload_is_what_says_so_or_takes_too_long() {
        let is = |fault: &Fault| is_overload(fault, blame(fault));
        for kind in ErrorKind::ALL {
            let wanted = matches!(kind, ErrorKind::RateLimited | ErrorKind::Overloaded | ErrorKind::Timeout);
            assert_eq!(is(&upstream(kind)), wanted, "{kind:?}");
        }
        assert!(is(&lapsed(Lapse::Slow)) && !is(&lapsed(Lapse::Unreachable)) && !is(&lapsed(Lapse::Credential)));
        assert!(!is_overload(&lapsed(Lapse::Slow), Blame::Nobody), "there was little time left for it");
        assert!(!is(&Fault::overloaded("no instance is free", Duration::from_secs(1))), "that is the gateway's");
    }

    #[test]
    fn c66_a_broken_connection_is_tried_again_once() {
        let gone = lapsed(Lapse::Gone);
        assert_eq!(decided(&gone, ALONE), Move::Again(Duration::from_millis(500)));
        assert_eq!(decided(&gone, Situation { repeats: 1, ..ALONE }), Move::Stop);
        assert_eq!(decided(&gone, Situation { is_repeatable: false, ..ALONE }), Move::Stop);
        let unreachable = lapsed(Lapse::Unreachable);
        assert!(matches!(decided(&unreachable, Situation { is_repeatable: false, ..ALONE }), Move::Again(_)));
    }

    #[test]
    fn what_may_have_been_made_is_made_nowhere_else() {
        let makes = Situation { is_repeatable: false, creates: true, has_next: true, has_key: true, ..ALONE };
        for lapse in [Lapse::Gone, Lapse::Slow, Lapse::Garbled] {
            assert_eq!(decided(&lapsed(lapse), makes), Move::Stop, "{lapse:?}");
        }
        assert_eq!(decided(&upstream(ErrorKind::Upstream), makes), Move::Stop);
        assert_eq!(decided(&lapsed(Lapse::Unreachable), makes), Move::Next, "the provider never saw it");
        assert_eq!(decided(&upstream(ErrorKind::Overloaded), makes), Move::Next, "the provider did not take it");
        assert_eq!(decided(&upstream(ErrorKind::RateLimited), makes), Move::NextKey);
        assert_eq!(decided(&lapsed(Lapse::Gone), Situation { creates: false, ..makes }), Move::Next);
    }

    #[test]
    fn c66_without_budget_there_is_no_repetition() {
        let failed = upstream(ErrorKind::Upstream);
        assert_eq!(decide(&failed, ALONE, || false), Move::Stop);
        assert_eq!(decide(&failed, Situation { has_next: true, ..ALONE }, || false), Move::Next);
    }

    #[test]
    fn a_limit_goes_to_the_next_key_then_the_next_target_then_waits() {
        let limited = upstream(ErrorKind::RateLimited);
        let everything = Situation { has_key: true, has_next: true, ..ALONE };
        assert_eq!(decided(&limited, everything), Move::NextKey);
        assert_eq!(decided(&limited, Situation { has_key: false, ..everything }), Move::Next);
        let rests = Situation { rests: Some(Duration::from_secs(1)), ..ALONE };
        assert!(matches!(decided(&limited, rests), Move::Again(wait) if wait >= Duration::from_secs(1)));
        let failing = upstream(ErrorKind::Upstream);
        assert!(matches!(decided(&failing, everything), Move::Again(_)), "a key is not to blame for a 500");
    }

    #[test]
    fn what_is_too_slow_is_not_repeated_but_may_go_elsewhere() {
        assert_eq!(decided(&lapsed(Lapse::Slow), ALONE), Move::Stop);
        assert_eq!(decided(&lapsed(Lapse::Slow), Situation { has_next: true, ..ALONE }), Move::Next);
    }

    #[test]
    fn c34_what_is_refused_with_the_values_of_others_is_asked_once_more_without_them() {
        let refused = upstream(ErrorKind::InvalidRequest);
        let carries = Situation { may_strip: true, ..ALONE };
        assert_eq!(decided(&refused, carries), Move::Bare);
        assert_eq!(decided(&refused, ALONE), Move::Stop);
        assert_eq!(decide(&refused, carries, || false), Move::Stop, "no repetition is left");
        assert_eq!(decided(&Fault::invalid("no"), carries), Move::Stop, "the provider never saw it");
        assert_eq!(decided(&upstream(ErrorKind::TooLarge), carries), Move::Stop);
        assert_eq!(decided(&upstream(ErrorKind::NotFound), Situation { has_next: true, ..carries }), Move::Next);
    }

    #[test]
    fn filtered_content_goes_elsewhere_only_with_leave() {
        let filtered = upstream(ErrorKind::ContentFiltered);
        let next = Situation { has_next: true, ..ALONE };
        assert_eq!(decided(&filtered, next), Move::Stop);
        assert_eq!(decided(&filtered, Situation { may_unfilter: true, ..next }), Move::Next);
    }

    proptest! {
        /// Never more repetitions than allowed, never beyond the time that is left, never to where nothing is.
        #[test]
        fn every_move_is_a_possible_one(
            kind in 0..ErrorKind::ALL.len(), lapse in 0..6usize, repeats in 0..5u32, has_next in any::<bool>(),
            has_key in any::<bool>(), may_strip in any::<bool>(), left in prop::option::of(0u64..20_000), draw in 0.0..1.0f64,
            after in prop::option::of(0u32..30_000),
        ) {
            let lapses = [
                None, Some(Lapse::Unreachable), Some(Lapse::Slow), Some(Lapse::Gone), Some(Lapse::Credential),
                Some(Lapse::Garbled),
            ];
            let mut fault = Fault { lapse: lapses[lapse], ..upstream(ErrorKind::ALL[kind]) };
            fault.error.retry_after_ms = after;
            let left = left.map(Duration::from_millis);
            let now = Situation { repeats, has_next, has_key, left, may_strip, draw, ..ALONE };
            match decided(&fault, now) {
                Move::Again(wait) => {
                    prop_assert!(repeats < ALONE.retry.max_retries);
                    prop_assert!(left.is_none_or(|left| wait < left));
                    let asked = Duration::from_millis(after.unwrap_or(0).into());
                    prop_assert!(wait >= asked && asked <= ALONE.retry.max_delay);
                }
                Move::NextKey => prop_assert!(has_key),
                Move::Next => prop_assert!(has_next),
                Move::Bare => prop_assert!(may_strip),
                Move::Stop => {}
            }
        }
    }
}
