//! The circuit breaker of one target: closed, open, half open. Pure: the time is an argument.

use std::time::{Duration, Instant};

use super::window::Window;
use crate::config;

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
    pub fn closed_until(&self, now: Instant, settings: &config::Breaker) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Open { until } => Some(until).filter(|until| *until > now),
            State::HalfOpen { since } => Some(since + probe_time(settings)).filter(|until| *until > now),
        }
    }

    /// Lets an exchange in, if one may pass. Whoever is let in has to say what came of it.
    pub fn admit(&mut self, now: Instant, settings: &config::Breaker) -> bool {
        if self.closed_until(now, settings).is_some() {
            return false;
        }
        if self.state != State::Closed {
            self.state = State::HalfOpen { since: now };
        }
        true
    }

    /// An exchange that was let in at `asked` went well.
    pub fn succeeded(&mut self, asked: Instant, now: Instant, settings: &config::Breaker) {
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
    pub fn failed(&mut self, now: Instant, settings: &config::Breaker) -> bool {
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
    pub fn timed_out(&mut self, asked: Instant, now: Instant, settings: &config::Breaker) -> bool {
        let is_over = self.silence.is_some_and(|(from, to)| from < asked && asked < to);
        let is_before_probe = matches!(self.state, State::HalfOpen { since } if asked < since);
        !is_over && !is_before_probe && self.failed(now, settings)
    }

    /// An exchange that had begun well failed after all; whether the breaker opens for that.
    pub fn broke(&mut self, now: Instant, settings: &config::Breaker) -> bool {
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
fn probe_time(settings: &config::Breaker) -> Duration {
    (settings.open * 6).min(settings.open.max(Duration::from_secs(30)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: config::Breaker = config::Breaker {
        failure_rate: 0.5,
        window: Duration::from_secs(10),
        open: Duration::from_secs(5),
        min_attempts: 4,
        cooldown: Duration::from_secs(1),
        max_cooldown: Duration::from_mins(5),
    };

    fn opened(begun: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(breaker.admit(begun, &SETTINGS));
            breaker.failed(begun, &SETTINGS);
        }
        breaker
    }

    #[test]
    fn it_opens_at_the_rate_and_not_before_there_are_enough() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert!(!breaker.failed(now, &SETTINGS));
        }
        assert!(breaker.failed(now, &SETTINGS));
        assert_eq!(breaker.position(now), Position::Open);
        assert_eq!(breaker.closed_until(now, &SETTINGS), Some(now + SETTINGS.open));
        let mut healthy = Breaker::default();
        for _ in 0..10 {
            healthy.succeeded(now, now, &SETTINGS);
        }
        for _ in 0..9 {
            assert!(!healthy.failed(now, &SETTINGS), "nine of nineteen are less than half");
        }
        assert!(healthy.failed(now, &SETTINGS));
    }

    #[test]
    fn where_few_ask_failures_in_a_row_open_it() {
        let begun = Instant::now();
        let hourly = |hour: u32| begun + Duration::from_hours(1) * hour;
        let mut breaker = Breaker::default();
        for hour in 0..3 {
            assert!(!breaker.failed(hourly(hour), &SETTINGS));
        }
        assert!(breaker.failed(hourly(3), &SETTINGS));
        let mut breaker = Breaker::default();
        for hour in 0..20 {
            assert!(!breaker.failed(hourly(2 * hour), &SETTINGS), "every second one went well");
            breaker.succeeded(hourly(2 * hour + 1), hourly(2 * hour + 1), &SETTINGS);
        }
        let mut breaker = Breaker::default();
        for hour in 0..4 {
            breaker.succeeded(hourly(hour), hourly(hour), &SETTINGS);
            assert_eq!(breaker.broke(hourly(hour), &SETTINGS), hour == 3, "streams that all break in their midst");
        }
    }

    #[test]
    fn who_waited_in_a_silence_that_is_over_tells_nothing_new() {
        let begun = Instant::now();
        let second = |second: u64| begun + Duration::from_secs(second);
        let mut breaker = Breaker::default();
        breaker.succeeded(begun, begun, &SETTINGS);
        for asked in 1..4 {
            assert!(!breaker.timed_out(second(asked), second(asked + 120), &SETTINGS), "it lasts, but they are few");
        }
        breaker.succeeded(second(60), second(124), &SETTINGS);
        for asked in 4..60 {
            assert!(!breaker.timed_out(second(asked), second(asked + 121), &SETTINGS), "{asked}");
        }
        for asked in 61..64 {
            assert!(!breaker.timed_out(second(asked), second(asked + 121), &SETTINGS));
        }
        assert!(breaker.timed_out(second(64), second(185), &SETTINGS), "this is another silence");
    }

    #[test]
    fn who_was_asked_before_the_probe_does_not_decide_about_it() {
        let begun = Instant::now();
        let later = begun + SETTINGS.open;
        let mut breaker = opened(begun);
        assert!(breaker.admit(later, &SETTINGS));
        assert!(!breaker.timed_out(begun, later, &SETTINGS));
        assert_eq!(breaker.position(later), Position::HalfOpen);
        assert!(breaker.timed_out(later, later + SETTINGS.open, &SETTINGS), "the probe itself");
    }

    #[test]
    fn half_open_one_passes_and_its_outcome_decides() {
        let begun = Instant::now();
        let later = begun + SETTINGS.open;
        for goes_well in [true, false] {
            let mut breaker = opened(begun);
            assert!(!breaker.admit(begun, &SETTINGS));
            assert!(breaker.admit(later, &SETTINGS), "the probe");
            assert!(!breaker.admit(later, &SETTINGS), "and no other");
            if goes_well {
                breaker.succeeded(later, later, &SETTINGS);
                assert_eq!(breaker.position(later), Position::Closed);
                assert!(!breaker.failed(later, &SETTINGS), "old failures are forgotten");
            } else {
                assert!(breaker.failed(later, &SETTINGS));
                assert!(!breaker.admit(later, &SETTINGS));
            }
        }
    }

    #[test]
    fn c27_a_probe_whose_client_leaves_makes_room_for_the_next() {
        let begun = Instant::now();
        let later = begun + SETTINGS.open;
        let mut breaker = opened(begun);
        assert!(breaker.admit(later, &SETTINGS));
        breaker.abandoned(later);
        assert!(breaker.admit(later, &SETTINGS));
    }

    #[test]
    fn streams_that_break_count_once_and_as_failures() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for round in 1..=4 {
            breaker.succeeded(now, now, &SETTINGS);
            assert_eq!(breaker.broke(now, &SETTINGS), round == 4);
        }
    }

    #[test]
    fn what_checks_open_they_close_and_what_exchanges_open_they_let_be_tried() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        let until = now + Duration::from_secs(40);
        assert!(breaker.found_failing(now, until) && !breaker.found_failing(now, until), "news once");
        assert!(!breaker.admit(now + SETTINGS.open, &SETTINGS), "it rests until checks say otherwise");
        breaker.found_well(now);
        assert_eq!(breaker.position(now), Position::Closed);
        let mut breaker = opened(now);
        breaker.found_well(now);
        assert_eq!(breaker.position(now), Position::HalfOpen);
        assert!(breaker.admit(now, &SETTINGS) && !breaker.admit(now, &SETTINGS), "one request is tried");
    }

    #[test]
    fn without_further_checks_a_request_finds_out() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        let until = now + Duration::from_secs(40);
        breaker.found_failing(now, until);
        assert!(breaker.admit(until, &SETTINGS));
        breaker.succeeded(until, until, &SETTINGS);
        assert_eq!(breaker.position(until), Position::Closed);
    }

    proptest! {
        /// Whatever happens: never two probes at once, and never shut for longer than its settings say.
        #[test]
        fn it_never_stays_shut(steps in prop::collection::vec((0u8..6, 0u64..8000), 1..200)) {
            let begun = Instant::now();
            let (mut now, mut breaker) = (begun, Breaker::default());
            for (what, wait) in steps {
                now += Duration::from_millis(wait);
                match what {
                    0 => {
                        if breaker.admit(now, &SETTINGS) && breaker.position(now) == Position::HalfOpen {
                            prop_assert!(!breaker.admit(now, &SETTINGS));
                        }
                    }
                    1 => breaker.succeeded(now, now, &SETTINGS),
                    2 => _ = breaker.failed(now, &SETTINGS),
                    3 => _ = breaker.broke(now, &SETTINGS),
                    4 => _ = breaker.timed_out(begun + Duration::from_millis(wait), now, &SETTINGS),
                    _ => breaker.abandoned(now),
                }
                let longest = now + SETTINGS.open.max(probe_time(&SETTINGS));
                prop_assert!(breaker.closed_until(now, &SETTINGS).is_none_or(|until| until <= longest));
            }
            prop_assert!(breaker.admit(now + Duration::from_mins(1), &SETTINGS));
        }
    }
}
