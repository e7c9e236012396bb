//! The circuit breaker of one target: closed, open, half open. Pure: the time is an argument.

use std::time::{Duration, Instant};

use super::window::Window;

/// A circuit breaker over a sliding window of outcomes.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    window: Window,
    /// Consecutive failures since the last success, however long ago: a rarely used target may never fill a window.
    in_a_row: u32,
    /// The value of `in_a_row` before the last success, which is restored if that success turns out to be a failure.
    before: u32,
    /// The admission time of the newest exchange that was answered.
    answered: Option<Instant>,
    /// The last interval longer than the window in which no answered exchange was admitted, between two that were.
    silence: Option<(Instant, Instant)>,
    state: State,
    /// Whether failed checks opened the breaker, rather than failed exchanges.
    by_check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One exchange probes the target. If the probe has no outcome, another is admitted after a while.
    HalfOpen {
        since: Instant,
    },
}

/// A breaker's position; metrics show it as 0, 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// All exchanges pass.
    Closed,
    /// One exchange passes as a probe.
    HalfOpen,
    /// No exchange passes.
    Open,
}

impl Position {
    /// The position's name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half open",
            Self::Open => "open",
        }
    }

    /// The position's value in metrics.
    pub fn figure(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

impl Breaker {
    /// Until when no exchange passes; `None` if one may pass now.
    pub(crate) fn open_until(&self, now: Instant, settings: &weir_config::Breaker) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Open { until } => Some(until).filter(|until| *until > now),
            State::HalfOpen { since } => Some(since + probe_time(settings)).filter(|until| *until > now),
        }
    }

    /// Admits an exchange if one may pass. Its outcome must be reported.
    pub fn admit(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        if self.open_until(now, settings).is_some() {
            return false;
        }
        if self.state != State::Closed {
            self.state = State::HalfOpen { since: now };
        }
        true
    }

    /// An exchange admitted at `asked` succeeded.
    pub fn succeeded(&mut self, asked: Instant, now: Instant, settings: &weir_config::Breaker) {
        if let Some(last) = self.answered.filter(|last| *last + settings.window < asked) {
            self.silence = Some((last, asked));
        }
        self.answered = self.answered.max(Some(asked));
        self.before = std::mem::take(&mut self.in_a_row);
        match self.state {
            State::Closed => self.window.succeeded(now, settings.window),
            // An exchange admitted before the breaker opened proves nothing yet.
            State::Open { .. } => {}
            State::HalfOpen { .. } => {
                self.window.clear();
                self.state = State::Closed;
                self.by_check = false;
            }
        }
    }

    /// An exchange failed by the target's fault. Returns whether the breaker opens.
    pub fn failed(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        let opens = match self.state {
            State::Open { .. } => false,
            State::HalfOpen { .. } => true,
            State::Closed => {
                self.window.failed(now, settings.window);
                self.in_a_row = self.in_a_row.saturating_add(1);
                let (all, rate) = self.window.rate(now, settings.window);
                let is_enough = all >= settings.min_attempts;
                if is_enough { rate >= settings.failure_rate } else { self.in_a_row >= settings.min_attempts }
            }
        };
        if opens {
            (self.in_a_row, self.before) = (0, 0);
            self.window.clear();
            self.state = State::Open { until: now + settings.open };
            self.by_check = false;
        }
        opens
    }

    /// An exchange admitted at `asked` timed out. Returns whether the breaker opens. A timeout shows the target's
    /// state at the time of admission, so it is ignored if it falls into an interval of silence that is over, or
    /// before a running probe.
    pub fn timed_out(&mut self, asked: Instant, now: Instant, settings: &weir_config::Breaker) -> bool {
        let is_over = self.silence.is_some_and(|(from, to)| from < asked && asked < to);
        let is_before_probe = matches!(self.state, State::HalfOpen { since } if asked < since);
        !is_over && !is_before_probe && self.failed(now, settings)
    }

    /// An exchange that had succeeded failed after all. Returns whether the breaker opens.
    pub fn broke(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.window.retract();
        self.in_a_row += std::mem::take(&mut self.before);
        self.failed(now, settings)
    }

    /// An admitted exchange had no outcome: its client left, or neither the target nor its key was at fault.
    pub(crate) fn abandoned(&mut self, now: Instant) {
        if let State::HalfOpen { .. } = self.state {
            self.state = State::Open { until: now };
        }
    }

    /// Lets another probe pass if the running one has had no outcome for as long as the target had rested. Returns
    /// whether that is so. Called when no other target is left.
    pub(crate) fn reopen_slow_probe(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        let is_late = matches!(self.state, State::HalfOpen { since } if since + settings.open <= now);
        if is_late {
            self.state = State::Open { until: now };
        }
        is_late
    }

    /// A check found the target failing. Returns whether the breaker opens.
    pub(crate) fn found_failing(&mut self, now: Instant, until: Instant) -> bool {
        let was_open = self.position(now) == Position::Open;
        self.by_check |= self.state == State::Closed;
        let until = match self.state {
            State::Open { until: other } => until.max(other),
            State::Closed | State::HalfOpen { .. } => until,
        };
        self.window.clear();
        self.state = State::Open { until };
        !was_open
    }

    /// A check found the target well. A breaker that failed exchanges opened becomes half-open at once, since only an
    /// exchange can close it.
    pub(crate) fn found_well(&mut self, now: Instant) {
        match self.state {
            State::Open { .. } | State::HalfOpen { .. } if self.by_check => {
                self.window.clear();
                self.state = State::Closed;
                self.by_check = false;
            }
            State::Open { until } => self.state = State::Open { until: until.min(now) },
            State::Closed | State::HalfOpen { .. } => {}
        }
    }

    /// Whether an exchange admitted after this time was answered.
    pub(crate) fn has_answered_since(&self, asked: Instant) -> bool {
        self.answered.is_some_and(|answered| answered > asked)
    }

    /// Whether the last exchange with an outcome failed.
    pub(crate) fn has_failed_last(&self) -> bool {
        self.in_a_row > 0
    }

    /// The breaker's position.
    pub fn position(&self, now: Instant) -> Position {
        match self.state {
            State::Closed => Position::Closed,
            State::Open { until } if until > now => Position::Open,
            State::Open { .. } | State::HalfOpen { .. } => Position::HalfOpen,
        }
    }
}

/// How long a probe may go without an outcome before another is admitted: half a minute, and less in proportion if
/// the target rests only shortly.
fn probe_time(settings: &weir_config::Breaker) -> Duration {
    (settings.open * 6).min(settings.open.max(Duration::from_secs(30)))
}

#[cfg(test)]
mod tests;
