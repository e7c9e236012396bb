//! Decides when a service is not called for a while. Only the service's own failures count: a failure that one caller
//! can cause, such as a text that takes too long to judge, must not switch the guard off for other requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::WebhookFailure;
use crate::health::breaker::Breaker;
use weir_upstream::WebhookError;
use weir_upstream::http_client::BodyError;

/// Failures in a row after which the service is not called for [`REST`].
const FAILURES: u32 = 5;
/// How long the service is left alone.
const REST: Duration = Duration::from_secs(10);

/// The breaker of one service.
#[derive(Debug)]
pub(super) struct ServiceBreaker {
    state: Mutex<State>,
    rules: weir_config::Breaker,
}

/// A call that was admitted. Dropped without an outcome, since its client left, it lets another one pass.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    breaker: &'a ServiceBreaker,
    begun: Instant,
    is_over: bool,
}

#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    /// The caller whose request failed last. Its further failures do not count.
    last: Option<u64>,
}

/// Which side a failure may be the fault of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    Service,
    /// Either's: it counts if the requests of several callers fail.
    Either,
    Request,
}

impl ServiceBreaker {
    /// A breaker that lets calls pass.
    pub(super) fn new() -> Self {
        let rules = weir_config::Breaker { min_attempts: FAILURES, open: REST, ..weir_config::Breaker::default() };
        Self { state: Mutex::default(), rules }
    }

    /// Admits a call, if the service may be called now.
    pub(super) fn admit(&self, now: Instant) -> Option<Admitted<'_>> {
        let may_call = self.state().breaker.admit(now, &self.rules);
        may_call.then_some(Admitted { breaker: self, begun: now, is_over: false })
    }

    fn count(&self, blame: Blame, caller: u64, now: Instant) {
        let mut state = self.state();
        let counts = match blame {
            Blame::Service => true,
            Blame::Either => state.last.replace(caller) != Some(caller),
            Blame::Request => false,
        };
        if counts {
            state.breaker.failed(now, &self.rules);
        } else {
            state.breaker.abandoned(now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted<'_> {
    /// The call was answered.
    pub(super) fn succeeded(mut self, now: Instant) {
        self.is_over = true;
        self.breaker.state().breaker.succeeded(self.begun, now, &self.breaker.rules);
    }

    /// The call, for this caller, failed.
    pub(super) fn failed(self, failure: &WebhookFailure, caller: u64, now: Instant) {
        self.count(Blame::of(failure), caller, now);
    }

    fn count(mut self, blame: Blame, caller: u64, now: Instant) {
        self.is_over = true;
        self.breaker.count(blame, caller, now);
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.breaker.state().breaker.abandoned(Instant::now());
        }
    }
}

impl Blame {
    fn of(failure: &WebhookFailure) -> Self {
        match failure {
            WebhookFailure::Call(WebhookError::NotPublic(_)) => Self::Service,
            WebhookFailure::Call(WebhookError::Unreachable(error)) if error.is_connect() => Self::Service,
            WebhookFailure::Call(WebhookError::Status(status)) if status.is_client_error() => Self::Request,
            WebhookFailure::Call(WebhookError::Body(BodyError::TooLarge(_)))
            | WebhookFailure::Resting
            | WebhookFailure::Request(_)
            | WebhookFailure::Full(_) => Self::Request,
            WebhookFailure::Call(_) | WebhookFailure::Answer(_) => Self::Either,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the service is left alone after these failures.
    fn rests(failures: impl IntoIterator<Item = (Blame, u64)>) -> bool {
        let (breaker, now) = (ServiceBreaker::new(), Instant::now());
        for (blame, caller) in failures {
            let Some(call) = breaker.admit(now) else { return true };
            call.count(blame, caller, now);
        }
        breaker.admit(now).is_none()
    }

    #[test]
    fn what_one_caller_brings_about_does_not_count() {
        assert!(!rests([(Blame::Either, 1); 100]));
        assert!(!rests((0..100).map(|n| (Blame::Request, n))));
        assert!(!rests((0..4).map(|n| (Blame::Either, n)).chain([(Blame::Either, 3); 9])));
    }

    #[test]
    fn what_fails_for_several_callers_or_cannot_be_reached_rests() {
        assert!(rests((0..5).map(|n| (Blame::Either, n % 2))));
        assert!(rests([(Blame::Service, 1); 5]));
    }

    /// A breaker that has opened, and when it lets a probe pass.
    fn opened() -> (ServiceBreaker, Instant) {
        let (breaker, now) = (ServiceBreaker::new(), Instant::now());
        (0..5).for_each(|n| breaker.count(Blame::Either, n % 2, now));
        assert!(breaker.admit(now).is_none());
        (breaker, now + REST)
    }

    #[test]
    fn a_probe_that_one_caller_makes_fail_keeps_nothing_closed() {
        let (breaker, later) = opened();
        breaker.admit(later).unwrap().count(Blame::Either, 0, later);
        let probe = breaker.admit(later).expect("the failure was the last caller's again");
        probe.succeeded(later);
        assert!(breaker.admit(later).is_some());
    }

    #[test]
    fn a_probe_whose_client_leaves_lets_the_next_call_pass() {
        let (breaker, later) = opened();
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_none(), "one probe at a time");
        drop(probe);
        breaker.admit(later).unwrap().succeeded(later);
        assert!(breaker.admit(later).is_some());
    }
}
