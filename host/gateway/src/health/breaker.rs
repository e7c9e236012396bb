//! The circuit breaker of one target: closed, open, half open. Pure: the time is an argument.

use std::time::{Duration, Instant};

use super::window::Window;

/// When a target is left alone, and when it is tried again.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    window: Window,
    /// Failures since the last success, however long ago: a target that few ask may never fill a window.
    in_a_row: u32,
    /// The same before that success, which may turn out to be none.
    before: u32,
    /// When the newest exchange that was answered had been let in.
    answered: Option<Instant>,
    /// The last time of some length in which nobody was let in who was answered, before and after which others were.
    silence: Option<(Instant, Instant)>,
    state: State,
    /// Whether checks opened it, and not exchanges.
    by_check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One exchange finds out whether the target is well again. Should nothing come of it, the next is let in after
    /// a while.
    HalfOpen {
        since: Instant,
    },
}

/// How a breaker stands, as metrics have it: 0, 1, 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Everything passes.
    Closed,
    /// One exchange passes.
    HalfOpen,
    /// Nothing passes.
    Open,
}

impl Position {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half open",
            Self::Open => "open",
        }
    }

    /// The figure that metrics have for it.
    pub fn figure(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

impl Breaker {
    /// Until when nothing passes; none where something may.
    pub fn closed_until(&self, now: Instant, settings: &weir_config::Breaker) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Open { until } => Some(until).filter(|until| *until > now),
            State::HalfOpen { since } => Some(since + probe_time(settings)).filter(|until| *until > now),
        }
    }

    /// Lets an exchange in, if one may pass. Whoever is let in has to say what came of it.
    pub fn admit(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        if self.closed_until(now, settings).is_some() {
            return false;
        }
        if self.state != State::Closed {
            self.state = State::HalfOpen { since: now };
        }
        true
    }

    /// An exchange that was let in at `asked` went well.
    pub fn succeeded(&mut self, asked: Instant, now: Instant, settings: &weir_config::Breaker) {
        if let Some(last) = self.answered.filter(|last| *last + settings.window < asked) {
            self.silence = Some((last, asked));
        }
        self.answered = self.answered.max(Some(asked));
        self.before = std::mem::take(&mut self.in_a_row);
        match self.state {
            State::Closed => self.window.succeeded(now, settings.window),
            // Of one that was let in before the breaker opened, that says nothing yet.
            State::Open { .. } => {}
            State::HalfOpen { .. } => {
                self.window.clear();
                self.state = State::Closed;
                self.by_check = false;
            }
        }
    }

    /// An exchange failed by the target's fault; whether the breaker opens for that.
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

    /// An exchange that was let in at `asked` heard nothing for too long; whether the breaker opens for that. It tells how
    /// the target was when it was asked: of a silence that is over, it is no news, and of a probe that is under way it
    /// says nothing.
    pub fn timed_out(&mut self, asked: Instant, now: Instant, settings: &weir_config::Breaker) -> bool {
        let is_over = self.silence.is_some_and(|(from, to)| from < asked && asked < to);
        let is_before_probe = matches!(self.state, State::HalfOpen { since } if asked < since);
        !is_over && !is_before_probe && self.failed(now, settings)
    }

    /// An exchange that had begun well failed after all; whether the breaker opens for that.
    pub fn broke(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.window.retract();
        self.in_a_row += std::mem::take(&mut self.before);
        self.failed(now, settings)
    }

    /// Nothing came of an exchange that was let in: its client left, or its failure was nobody's fault here.
    pub fn abandoned(&mut self, now: Instant) {
        if let State::HalfOpen { .. } = self.state {
            self.state = State::Open { until: now };
        }
    }

    /// A probe has said nothing for as long as the target had rested: where nobody else is left to ask, another may pass.
    /// Whether that is so.
    pub fn doubt(&mut self, now: Instant, settings: &weir_config::Breaker) -> bool {
        let is_late = matches!(self.state, State::HalfOpen { since } if since + settings.open <= now);
        if is_late {
            self.state = State::Open { until: now };
        }
        is_late
    }

    /// A check says that the target fails; whether the breaker opens for that.
    pub fn found_failing(&mut self, now: Instant, until: Instant) -> bool {
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

    /// A check says that the target is well. What exchanges found out needs one that goes well, but at once.
    pub fn found_well(&mut self, now: Instant) {
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

    /// Whether somebody was answered who was let in after this.
    pub fn has_answered_since(&self, asked: Instant) -> bool {
        self.answered.is_some_and(|answered| answered > asked)
    }

    /// Whether the last exchange that told something failed.
    pub fn has_failed_last(&self) -> bool {
        self.in_a_row > 0
    }

    /// How it stands.
    pub fn position(&self, now: Instant) -> Position {
        match self.state {
            State::Closed => Position::Closed,
            State::Open { until } if until > now => Position::Open,
            State::Open { .. } | State::HalfOpen { .. } => Position::HalfOpen,
        }
    }
}

/// How long a probe may go without an outcome before another is let in: half a minute, and in proportion where a target
/// rests for a short time only.
fn probe_time(settings: &weir_config::Breaker) -> Duration {
    (settings.open * 6).min(settings.open.max(Duration::from_secs(30)))
}

#[cfg(test)]
mod tests;
