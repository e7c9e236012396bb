//! The deadline of a call, in processor time of the thread that it runs on.
//!
//! Where a machine or a container has too little processor time for all its threads, a call of microseconds may wait
//! for its turn for longer than any sensible deadline. The clock does not distinguish it from an endless loop; the
//! processor time that it took does. So a call ends once it has *run* for its deadline, and by the clock only after
//! [`PATIENCE`] times as long. On a thread of low priority it ends by the clock: what runs there is not trusted, and
//! others wait for its turn ([`super::untrusted`]).
//!
//! Reading a thread's processor time is a system call, so it is read at the first tick of the engine's clock that falls
//! into a call, and calls between two ticks pay nothing. What the call ran before that, at most a tick, is not counted.

use std::time::{Duration, Instant};

use super::untrusted;

/// How many times its deadline a call may last by the clock while it waits for the processor.
const PATIENCE: u32 = 10;

/// The deadline of the current call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deadline {
    /// How long the call may run. Zero until a call is armed: code that runs outside of one ends at its first tick.
    limit: Duration,
    /// The clocks at the call's first tick.
    first: Option<Clocks>,
}

/// What the clocks showed at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    wall: Instant,
    /// Processor time of this thread; `None` where the clock counts: of a thread of low priority, and where the system
    /// does not say so.
    thread: Option<Duration>,
}

impl Deadline {
    /// The deadline of a call that begins now.
    pub(super) fn of(limit: Duration) -> Self {
        Self { limit, first: None }
    }

    /// Takes note of a tick during the call. Whether the call must end.
    pub(super) fn is_over(&mut self, now: Clocks) -> bool {
        let first = *self.first.get_or_insert(now);
        let waited = now.wall.saturating_duration_since(first.wall);
        let ran = match (first.thread, now.thread) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => waited,
        };
        ran >= self.limit || waited >= self.limit.saturating_mul(PATIENCE)
    }
}

impl Clocks {
    /// What the clocks of this thread show.
    pub(super) fn now() -> Self {
        Self { wall: Instant::now(), thread: thread_time().filter(|_| !untrusted::gives_way()) }
    }
}

#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    /// Whether the call is over at each pair of clocks, in milliseconds.
    fn over<const N: usize>(ticks: [(u64, Option<u64>); N]) -> [bool; N] {
        let (start, mut deadline) = (Instant::now(), Deadline::of(LIMIT));
        ticks.map(|(wall, thread)| {
            let (wall, thread) = (start + Duration::from_millis(wall), thread.map(Duration::from_millis));
            deadline.is_over(Clocks { wall, thread })
        })
    }

    #[test]
    fn a_call_ends_once_it_ran_for_its_deadline() {
        assert_eq!(over([(0, Some(7_000)), (120, Some(7_099)), (121, Some(7_100))]), [false, false, true]);
    }

    #[test]
    fn waiting_for_the_processor_does_not_count_but_ten_times_the_deadline_does() {
        assert_eq!(over([(0, Some(0)), (999, Some(10)), (1_000, Some(11))]), [false, false, true]);
    }

    #[test]
    fn the_clock_counts_where_a_threads_time_is_not_known() {
        assert_eq!(over([(0, None), (99, None), (100, None)]), [false, false, true]);
    }

    #[test]
    fn code_outside_of_a_call_ends_at_its_first_tick() {
        assert!(Deadline::default().is_over(Clocks::now()));
    }

    #[cfg(unix)]
    #[test]
    fn a_threads_time_grows_while_it_runs_and_not_while_it_sleeps() {
        let since = |before| thread_time().unwrap().saturating_sub(before);
        let before = thread_time().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(since(before) < Duration::from_millis(150));
        while since(before) < Duration::from_millis(152) {}
    }
}
