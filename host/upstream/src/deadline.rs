//! The four timers of an exchange: connect, first byte, idle between bytes, and an optional total.
//!
//! One sleep serves a whole exchange. It is created at the first wait, and rearms itself when it fires; an arriving
//! piece only sets a flag. So a stream of a thousand pieces costs no clock reads and no timer operations.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::error::UpstreamErrorKind;
use super::upload::Upload;

/// Number of steps in which the idle time is measured. Silence is noticed after the idle time, at the latest one step
/// later.
const IDLE_STEPS: u8 = 4;

/// Stands for "never" if a duration is too long to be added to an instant.
const FAR: Duration = Duration::from_hours(10 * 365 * 24);

/// Timeouts of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection is established: name resolution, TCP and TLS together. Unused for a pooled connection.
    pub connect: Duration,
    /// From sending until the answer's head. Retries within one `send` share it. The time in which the request's body
    /// still arrives and is sent does not count.
    pub first_byte: Duration,
    /// Whether `first_byte` lasts until the first byte of the body, for providers that send a head at once and compute
    /// afterwards; otherwise `idle` starts with the head.
    pub first_byte_of_body: bool,
    /// Between two pieces of the body. Measures the provider's silence, not that of a client that reads slowly.
    pub idle: Duration,
    /// From sending until the body's end. None by default, because a healthy stream may last long.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(5),
            first_byte_of_body: true,
            idle: Duration::from_mins(2),
            total: None,
        }
    }
}

/// Phase of an exchange, which selects the running timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head has not arrived.
    Head,
    /// The head has arrived; the first piece counts as the first byte.
    FirstPiece,
    /// Pieces are arriving.
    Pieces,
}

/// The timers of one exchange, from sending to the body's end.
#[derive(Debug)]
pub(super) struct Watch {
    sleep: Option<Pin<Box<Sleep>>>,
    first_byte_by: Instant,
    first_byte: Duration,
    /// The body that the request sends while it arrives.
    upload: Option<Upload>,
    total_by: Option<Instant>,
    step: Duration,
    phase: Phase,
    first_byte_of_body: bool,
    /// Whether anything arrived since the sleep last fired.
    active: bool,
    quiet_steps: u8,
}

impl Watch {
    pub(super) fn start(timeouts: &Timeouts) -> Self {
        let now = Instant::now();
        Self {
            sleep: None,
            first_byte_by: after(now, timeouts.first_byte),
            first_byte: timeouts.first_byte,
            upload: None,
            total_by: timeouts.total.map(|total| after(now, total)),
            step: (timeouts.idle / u32::from(IDLE_STEPS)).max(Duration::from_millis(1)),
            phase: Phase::Head,
            first_byte_of_body: timeouts.first_byte_of_body,
            active: false,
            quiet_steps: 0,
        }
    }

    /// Does not count the time in which this body is sent as time without an answer.
    pub(super) fn following(self, upload: Option<&Upload>) -> Self {
        Self { upload: upload.cloned(), ..self }
    }

    /// Runs `work` until it completes or a timer expires.
    pub(super) async fn guard<F: Future>(&mut self, work: F) -> Result<F::Output, UpstreamErrorKind> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_expiry(cx).map(Err),
        })
        .await
    }

    /// Records that the answer's head has arrived.
    pub(super) fn head_came(&mut self) {
        self.phase = if self.first_byte_of_body { Phase::FirstPiece } else { Phase::Pieces };
        self.active = true;
    }

    /// Records that a piece of the body has arrived.
    pub(super) fn piece_came(&mut self) {
        self.phase = Phase::Pieces;
        self.active = true;
    }

    /// Whether the total time is over, which pieces that are always there would hide: no timer is polled between them.
    pub(super) fn is_over(&self) -> bool {
        self.total_by.is_some_and(|total_by| total_by <= Instant::now())
    }

    /// Stops all timers: the body has ended.
    pub(super) fn stop(&mut self) {
        self.sleep = None;
    }

    /// Polls the timers; ready when one has expired. Must be called whenever the exchange is pending.
    pub(super) fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamErrorKind> {
        loop {
            if self.sleep.is_none() {
                let wake = self.next_wake(Instant::now());
                self.sleep = Some(Box::pin(tokio::time::sleep_until(wake)));
            }
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            ready!(poll_sleep(sleep.as_mut(), cx));
            let now = Instant::now();
            if let Some(expired) = self.expired(now) {
                return Poll::Ready(expired);
            }
            let wake = self.next_wake(now);
            if let Some(sleep) = &mut self.sleep {
                sleep.as_mut().reset(wake);
            }
        }
    }

    /// When the sleep fires next. Steps are never skipped, not even before the head, so the sleep is always early
    /// enough and need not be reset when the head arrives.
    fn next_wake(&self, now: Instant) -> Instant {
        let mut wake = after(now, self.step);
        if self.phase != Phase::Pieces {
            wake = wake.min(self.first_byte_by);
        }
        self.total_by.map_or(wake, |total_by| wake.min(total_by))
    }

    fn expired(&mut self, now: Instant) -> Option<UpstreamErrorKind> {
        if self.total_by.is_some_and(|total_by| total_by <= now) {
            return Some(UpstreamErrorKind::TotalTimeout);
        }
        if self.phase != Phase::Pieces {
            if self.first_byte_by > now {
                return None;
            }
            if self.upload.as_ref().is_some_and(Upload::has_moved) {
                self.first_byte_by = after(now, self.first_byte);
                return None;
            }
            return Some(UpstreamErrorKind::FirstByteTimeout);
        }
        if std::mem::take(&mut self.active) {
            self.quiet_steps = 0;
            return None;
        }
        self.quiet_steps += 1;
        (self.quiet_steps >= IDLE_STEPS).then_some(UpstreamErrorKind::IdleTimeout)
    }
}

/// Polls a timer whatever else the task has done in this turn: bytes that are always there would put it off for ever.
pub(super) fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(sleep)).poll(cx)
}

fn after(now: Instant, duration: Duration) -> Instant {
    now.checked_add(duration).unwrap_or_else(|| now + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn watch(timeouts: Timeouts) -> (Watch, Instant) {
        let watch = Watch::start(&timeouts);
        let start = watch.first_byte_by - timeouts.first_byte;
        (watch, start)
    }

    fn limits() -> Timeouts {
        Timeouts { first_byte: 10 * SECOND, idle: 4 * SECOND, first_byte_of_body: false, ..Timeouts::default() }
    }

    #[test]
    fn before_the_head_only_the_first_byte_counts() {
        let (mut watch, start) = watch(limits());
        assert_eq!(watch.expired(start + 9 * SECOND), None);
        assert_eq!(watch.expired(start + 10 * SECOND), Some(UpstreamErrorKind::FirstByteTimeout));
    }

    #[test]
    fn an_answer_is_not_awaited_while_the_request_is_still_being_sent() {
        use std::task::Waker;

        let body = http_body_util::Full::new(bytes::Bytes::from_static(b"a piece"));
        let upload = Upload::new(http_body_util::BodyExt::map_err(body, |never| match never {}));
        let (watch, start) = watch(limits());
        let mut watch = watch.following(Some(&upload));
        assert!(upload.poll_frame(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(watch.expired(start + 10 * SECOND), None, "a piece was sent");
        assert_eq!(watch.expired(start + 19 * SECOND), None);
        assert_eq!(watch.expired(start + 20 * SECOND), Some(UpstreamErrorKind::FirstByteTimeout));
    }

    #[test]
    fn the_first_byte_of_the_body_is_awaited_as_long_as_the_head_if_configured() {
        let (mut watch, start) = watch(Timeouts { first_byte_of_body: true, ..limits() });
        watch.head_came();
        assert_eq!(watch.expired(start + 9 * SECOND), None);
        assert_eq!(watch.expired(start + 10 * SECOND), Some(UpstreamErrorKind::FirstByteTimeout));
        watch.piece_came();
        assert_eq!(watch.expired(start + 11 * SECOND), None);
    }

    #[test]
    fn silence_is_noticed_after_the_idle_time_and_within_a_quarter_more() {
        let (mut watch, start) = watch(limits());
        watch.head_came();
        let mut now = start;
        for _ in 0..4 {
            now = watch.next_wake(now);
            assert_eq!(watch.expired(now), None);
        }
        assert_eq!(now, start + 4 * SECOND);
        now = watch.next_wake(now);
        assert_eq!(watch.expired(now), Some(UpstreamErrorKind::IdleTimeout));
        assert_eq!(now, start + 5 * SECOND);
    }

    #[test]
    fn each_piece_begins_the_idle_time_anew() {
        let (mut watch, mut now) = watch(limits());
        watch.head_came();
        for step in 0..100 {
            if step % 3 == 0 {
                watch.piece_came();
            }
            now = watch.next_wake(now);
            assert_eq!(watch.expired(now), None);
        }
    }

    #[test]
    fn c_26_a_healthy_stream_has_no_end_unless_a_total_is_set() {
        let (mut healthy, start) = watch(limits());
        healthy.piece_came();
        assert_eq!(healthy.expired(start + 100_000 * SECOND), None);
        let (mut limited, start) = watch(Timeouts { total: Some(7 * SECOND), ..limits() });
        limited.piece_came();
        assert_eq!(limited.next_wake(start + 6 * SECOND + SECOND / 2), start + 7 * SECOND);
        assert_eq!(limited.expired(start + 7 * SECOND), Some(UpstreamErrorKind::TotalTimeout));
        assert!(!healthy.is_over() && !limited.is_over());
        assert!(watch(Timeouts { total: Some(Duration::ZERO), ..limits() }).0.is_over());
    }

    #[test]
    fn limits_too_long_for_an_instant_mean_never() {
        let never = Timeouts { first_byte: Duration::MAX, idle: Duration::MAX, total: Some(Duration::MAX), ..limits() };
        let mut watch = Watch::start(&never);
        let now = Instant::now();
        assert!(watch.next_wake(now) > now + 1000 * SECOND);
        assert_eq!(watch.expired(now), None);
    }
}
