//! The retry policy: retry, another key, another target, or none of these. Pure.
//!
//! | failure | counts against | next step |
//! |---|---|---|
//! | no connection, rate limit, overload | the target; a rate limit: the key | another key or target, else a retry |
//! | 5xx, broken connection, malformed answer | the target | a retry, then another target |
//! | too slow | the target | another target; a retry only if another target failed for another reason |
//! | credential refused, quota used up | the key | another key, then another target |
//! | unknown model, feature without a place in this format, context too long | - | another target |
//! | filtered content | - | another target, if the operator allows it |
//! | refused, with opaque values of another target | - | the same without these values, at once, once |
//! | any other error of the client | - | none |
//!
//! A request that creates something (a file, a batch) is not sent again if its provider may have carried it out.

use std::time::Duration;

use super::backoff;
use crate::health::Blame;
use weir_config::Retry;
use weir_translate::unified::TOO_LARGE_TO_TRANSLATE;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side, TransportFailure};

/// The remedy for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// A retry.
    Again,
    /// One retry at most: the provider may have seen the request.
    Once,
    /// Another target or, if there is none, a retry.
    Elsewhere,
    /// Another target, but no retry.
    OnlyElsewhere,
    /// Another key or, if there is none, another target.
    Key,
    /// Another target, if the operator allows filtered content to be sent there.
    Unfiltered,
    /// No remedy.
    None,
}

/// The decision after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryDecision {
    /// Retries the same target after this wait.
    Again(Duration),
    /// Tries the same target with another key, at once.
    NextKey,
    /// Tries the same target without the opaque values of others, at once.
    Bare,
    /// Tries the next target, at once.
    Next,
    /// Returns the failure to the client.
    Stop,
}

impl RetryDecision {
    /// The decision in words, for the log.
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

/// The circumstances that a decision depends on.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a possibility of its own")]
pub(super) struct Situation {
    /// Retries so far at this target.
    pub(super) repeats: u32,
    /// The configured number and delays of retries.
    pub(super) retry: Retry,
    /// Whether a retry is safe although the provider may have seen the request.
    pub(super) is_repeatable: bool,
    /// Whether the request creates something that must not be created twice, at any target.
    pub(super) creates: bool,
    /// Whether there is a next target, and this target allows fallback.
    pub(super) has_next: bool,
    /// Whether there is another key.
    pub(super) has_key: bool,
    /// How long the target's cool-down still lasts, if there is one.
    pub(super) rests: Option<Duration>,
    /// Time left until the deadline of the whole request.
    pub(super) left: Option<Duration>,
    /// Whether filtered content may be sent to another target.
    pub(super) may_unfilter: bool,
    /// Whether the request carries opaque values of another target that may be left out.
    pub(super) may_strip: bool,
    /// A random number in [0, 1).
    pub(super) draw: f64,
}

/// The target or key that a failure counts against.
pub(crate) fn blame(fault: &Fault) -> Blame {
    let rest = fault.error.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
    match (fault.transport, fault.side, fault.error.kind) {
        (Some(TransportFailure::Credential), ..) => Blame::Key,
        (Some(TransportFailure::Slow), ..) => Blame::Slow,
        (Some(_), ..) => Blame::Target(None),
        (None, Side::Upstream, kind) => match kind {
            ErrorKind::RateLimited => Blame::Limit(rest),
            ErrorKind::Permission | ErrorKind::Quota | ErrorKind::Authentication => Blame::Key,
            ErrorKind::Overloaded | ErrorKind::Upstream | ErrorKind::Internal | ErrorKind::Timeout => {
                Blame::Target(rest)
            }
            _ => Blame::Neither,
        },
        (None, ..) => Blame::Neither,
    }
}

/// Whether a failure shows that its target is overloaded.
pub(crate) fn is_overload(fault: &Fault, blame: Blame) -> bool {
    let counts = match (fault.transport, fault.side) {
        (Some(TransportFailure::Slow), _) => true,
        (None, Side::Upstream) => {
            matches!(fault.error.kind, ErrorKind::RateLimited | ErrorKind::Overloaded | ErrorKind::Timeout)
        }
        _ => false,
    };
    counts && blame != Blame::Neither
}

fn remedy(fault: &Fault) -> Remedy {
    match (fault.transport, fault.side) {
        (Some(TransportFailure::Credential), _) => Remedy::Key,
        (Some(TransportFailure::Unreachable), _) => Remedy::Elsewhere,
        (Some(TransportFailure::Slow), _) | (None, Side::Adapter) => Remedy::OnlyElsewhere,
        (Some(TransportFailure::Gone), _) => Remedy::Once,
        (Some(TransportFailure::Garbled), _) => Remedy::Again,
        (None, Side::Upstream) => remedy_for_answer(fault.error.kind),
        (None, Side::Gateway) if fault.error.kind == ErrorKind::Overloaded => Remedy::OnlyElsewhere,
        (None, Side::Gateway) => Remedy::None,
        // Another provider's format may have a place for the feature.
        (None, Side::Client) => {
            let is_of_target = fault.error.kind == ErrorKind::Unsupported
                || matches!(
                    fault.error.code.as_deref(),
                    Some("unsupported_parameter" | "unsupported_operation" | TOO_LARGE_TO_TRANSLATE)
                );
            if is_of_target { Remedy::OnlyElsewhere } else { Remedy::None }
        }
    }
}

fn remedy_for_answer(kind: ErrorKind) -> Remedy {
    match kind {
        ErrorKind::RateLimited | ErrorKind::Overloaded => Remedy::Elsewhere,
        ErrorKind::Upstream | ErrorKind::Internal | ErrorKind::Timeout => Remedy::Again,
        ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::Quota => Remedy::Key,
        ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::ContextLength => Remedy::OnlyElsewhere,
        ErrorKind::ContentFiltered => Remedy::Unfiltered,
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => Remedy::None,
    }
}

/// Whether the provider may have carried the request out although it did not confirm it.
pub(super) fn may_have_been_done(fault: &Fault) -> bool {
    match (fault.transport, fault.side) {
        (Some(TransportFailure::Slow | TransportFailure::Gone | TransportFailure::Garbled), _) => true,
        (None, Side::Upstream) => {
            matches!(fault.error.kind, ErrorKind::Upstream | ErrorKind::Internal | ErrorKind::Timeout)
        }
        _ => false,
    }
}

/// Whether another target may succeed where this one failed.
pub(super) fn another_may_help(fault: &Fault, may_unfilter: bool) -> bool {
    match remedy(fault) {
        Remedy::None => false,
        Remedy::Unfiltered => may_unfilter,
        Remedy::Again | Remedy::Once | Remedy::Elsewhere | Remedy::OnlyElsewhere | Remedy::Key => true,
    }
}

/// Whether the same target may succeed later.
pub(super) fn time_may_help(fault: &Fault) -> bool {
    is_slow(fault) || matches!(remedy(fault), Remedy::Again | Remedy::Once | Remedy::Elsewhere)
}

/// Whether the target was too slow. If every target fails so, the request itself may be the reason.
pub(super) fn is_slow(fault: &Fault) -> bool {
    fault.transport == Some(TransportFailure::Slow)
}

/// Decides the next step after a failure. `take` draws a retry from the budget, and returns whether one was left.
pub(super) fn decide(fault: &Fault, now: Situation, take: impl FnOnce() -> bool) -> RetryDecision {
    let remedy = remedy(fault);
    let next = if now.has_next { RetryDecision::Next } else { RetryDecision::Stop };
    let is_limited = matches!(blame(fault), Blame::Limit(_));
    if now.may_strip && is_refusal(fault) {
        return if take() { RetryDecision::Bare } else { RetryDecision::Stop };
    }
    if now.creates && may_have_been_done(fault) {
        return RetryDecision::Stop;
    }
    match remedy {
        Remedy::None => RetryDecision::Stop,
        Remedy::Unfiltered => {
            if now.may_unfilter {
                next
            } else {
                RetryDecision::Stop
            }
        }
        Remedy::Key | Remedy::Elsewhere if now.has_key && (remedy == Remedy::Key || is_limited) => {
            RetryDecision::NextKey
        }
        Remedy::Key | Remedy::OnlyElsewhere => next,
        Remedy::Elsewhere if now.has_next => RetryDecision::Next,
        Remedy::Once if now.repeats > 0 => next,
        Remedy::Again | Remedy::Once | Remedy::Elsewhere => again(fault, now, take).map_or(next, RetryDecision::Again),
    }
}

/// Whether leaving opaque values out did not help: the request could not be rendered without them, or was refused
/// again. The client then gets the first refusal.
pub(super) fn was_vain(fault: &Fault) -> bool {
    fault.side != Side::Upstream || is_refusal(fault)
}

/// Whether the provider itself refuses the request as invalid.
fn is_refusal(fault: &Fault) -> bool {
    fault.transport.is_none() && fault.side == Side::Upstream && fault.error.kind == ErrorKind::InvalidRequest
}

/// The wait before a retry, if a retry is allowed.
fn again(fault: &Fault, now: Situation, take: impl FnOnce() -> bool) -> Option<Duration> {
    let was_unseen = fault.transport == Some(TransportFailure::Unreachable) || matches!(blame(fault), Blame::Limit(_));
    if now.repeats >= now.retry.max_retries || !(now.is_repeatable || was_unseen) {
        return None;
    }
    let asked = fault.error.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
    let wait = backoff::wait(&now.retry, now.repeats, asked.max(now.rests), now.draw)?;
    let fits = now.left.is_none_or(|left| wait < left);
    (fits && take()).then_some(wait)
}

#[cfg(test)]
mod tests;
