//! The state of one connection: its current activity, its deadlines and the orders to its task. Requests update it with
//! a few atomic stores; a lock is taken only when a connection opens or closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::address_key::AddressKey;

/// Grace period of a closing connection: time for the rest of a request's head, or for the answer to a GOAWAY.
const CLOSE_GRACE: Duration = Duration::from_secs(1);
/// Minimum idle time before an HTTP/2 connection may be evicted: the end of an answer may still wait for its client's
/// flow-control window.
const SETTLED: Duration = Duration::from_secs(1);

/// Orders to a connection's task, in increasing urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Continue.
    None,
    /// Close after the exchanges in flight.
    Leave,
    /// Close after the exchanges in flight, or at once if there are none: the slot is needed.
    Evict,
    /// Close after the exchanges in flight, whose answers end themselves now.
    FinalPoll,
    /// Close now, even with exchanges in flight.
    Cut,
}

/// Timeouts of a connection that waits for a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionTimeouts {
    /// From accept to the first complete request head, and from the first byte of any later head to its end.
    pub(super) head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
}

/// Which of a connection's timeouts expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// No complete request head arrived in time.
    Head,
    /// No further request arrived.
    Idle,
    /// The connection was ordered to close and nothing is in flight.
    Closed,
}

/// The state of one connection. Times are milliseconds since `epoch`.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) address: AddressKey,
    epoch: Instant,
    /// Start of the current wait: when the connection was accepted, or when the last exchange ended.
    since: AtomicU64,
    /// Arrival of the next head's first byte, plus one; 0 if none has arrived.
    head: AtomicU64,
    /// Whether any byte has arrived yet.
    has_received: AtomicBool,
    /// Whether a complete request head has arrived yet.
    served: AtomicBool,
    exchanges: AtomicU32,
    is_multiplexed: AtomicBool,
    /// Whether a request asked for the connection to become something else than HTTP.
    is_upgrading: AtomicBool,
    /// Whether a write is pending: the client does not read, or other tasks come first.
    is_blocked: AtomicBool,
    /// Whether an answer of unknown length is on its way, and the connection is that exchange's alone.
    is_streaming: AtomicBool,
    /// Whether the connection occupies a slot of the reserve.
    is_reserved: AtomicBool,
    order: AtomicU8,
    ordered: AtomicU64,
    waker: AtomicWaker,
}

impl Activity {
    pub(super) fn new(address: AddressKey, epoch: Instant, is_reserved: bool) -> Self {
        let activity = Self {
            address,
            epoch,
            since: AtomicU64::new(0),
            head: AtomicU64::new(0),
            has_received: AtomicBool::new(false),
            served: AtomicBool::new(false),
            exchanges: AtomicU32::new(0),
            is_multiplexed: AtomicBool::new(false),
            is_upgrading: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_streaming: AtomicBool::new(false),
            is_reserved: AtomicBool::new(is_reserved),
            order: AtomicU8::new(0),
            ordered: AtomicU64::new(0),
            waker: AtomicWaker::new(),
        };
        activity.since.store(activity.now(), Ordering::Relaxed);
        activity
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Records the arrival of a complete request head. The exchange is in flight until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: http::Version) -> Exchange {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.head.store(0, Ordering::Relaxed);
        if !self.served.load(Ordering::Relaxed) {
            self.is_multiplexed.store(version >= http::Version::HTTP_2, Ordering::Relaxed);
            self.served.store(true, Ordering::Relaxed);
        }
        Exchange(Arc::clone(self))
    }

    /// Records that bytes arrived from the client.
    pub(super) fn received(&self) {
        if !self.has_received.load(Ordering::Relaxed) {
            self.has_received.store(true, Ordering::Relaxed);
        }
        let is_next_head = self.exchanges.load(Ordering::Relaxed) == 0
            && self.served.load(Ordering::Relaxed)
            && !self.is_multiplexed.load(Ordering::Relaxed)
            && self.head.load(Ordering::Relaxed) == 0;
        if is_next_head {
            self.head.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// Whether any byte has arrived from the client.
    pub(super) fn has_received(&self) -> bool {
        self.has_received.load(Ordering::Relaxed)
    }

    /// Records that a request asked for the connection to become something else than HTTP.
    pub(super) fn upgrading(&self) {
        self.is_upgrading.store(true, Ordering::Relaxed);
    }

    /// Whether a request asked for the connection to become something else than HTTP. Such a connection writes at once,
    /// so that nothing of the answer waits when hyper gives the connection away.
    pub(super) fn is_upgrading(&self) -> bool {
        self.is_upgrading.load(Ordering::Relaxed)
    }

    /// Whether a stream is on its way, so that its client will send nothing for long.
    pub(super) fn is_streaming(&self) -> bool {
        self.is_streaming.load(Ordering::Relaxed)
    }

    /// Records whether the last write has to wait.
    pub(super) fn blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.is_reserved.load(Ordering::Relaxed)
    }

    pub(super) fn promote(&self) {
        self.is_reserved.store(false, Ordering::Relaxed);
    }

    /// Whether no exchange is in flight and, after the first request, no write is pending.
    pub(super) fn is_idle(&self) -> bool {
        let served = self.served.load(Ordering::Relaxed);
        self.exchanges.load(Ordering::Relaxed) == 0 && !(served && self.is_blocked.load(Ordering::Relaxed))
    }

    /// The connection's rank for eviction: connections that never sent a request come first, then the longest idle.
    /// `None` if the connection must not be evicted.
    pub(super) fn rank(&self) -> Option<(bool, u64)> {
        let since = self.since.load(Ordering::Relaxed);
        let settled = !self.is_multiplexed.load(Ordering::Relaxed)
            || self.now().saturating_sub(since) >= SETTLED.as_millis() as u64;
        let may_go = self.is_idle() && settled && self.order() == Order::None;
        may_go.then(|| (self.served.load(Ordering::Relaxed), since))
    }

    /// Gives the connection's task an order, unless it has a more urgent one.
    pub(super) fn instruct(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::AcqRel) == Order::None as u8 {
            self.ordered.store(self.now(), Ordering::Release);
        }
        self.waker.wake();
    }

    pub(super) fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::None,
            1 => Order::Leave,
            2 => Order::Evict,
            3 => Order::FinalPoll,
            _ => Order::Cut,
        }
    }

    /// Wakes this task when an order is given.
    pub(super) fn listen(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Whether the connection uses HTTP/2, which can announce its end (GOAWAY).
    pub(super) fn is_multiplexed(&self) -> bool {
        self.is_multiplexed.load(Ordering::Relaxed)
    }

    /// When the current timeout expires, and which one it is; `None` while the connection is busy.
    pub(super) fn deadline(&self, timeouts: ConnectionTimeouts) -> Option<(Instant, Expiry)> {
        if !self.is_idle() {
            return None;
        }
        let at = |millis: u64, wait: Duration| self.epoch + Duration::from_millis(millis) + wait;
        let since = self.since.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Relaxed);
        let (deadline, expiry) = match (self.served.load(Ordering::Relaxed), head) {
            (false, _) => (at(since, timeouts.head), Expiry::Head),
            (true, 0) => (at(since, timeouts.idle), Expiry::Idle),
            (true, head) => (at(head - 1, timeouts.head), Expiry::Head),
        };
        if self.order() == Order::None {
            return Some((deadline, expiry));
        }
        let closes = at(self.ordered.load(Ordering::Acquire).max(since), CLOSE_GRACE);
        Some((deadline.min(closes), Expiry::Closed))
    }
}

/// Guard of an exchange in flight.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Activity>);

impl Exchange {
    /// Whether its answer has to end now.
    pub(super) fn has_final_poll(&self) -> bool {
        self.0.order() >= Order::FinalPoll
    }

    /// Records that its answer is a stream.
    pub(super) fn streams(&self) {
        let is_alone = !self.0.is_multiplexed.load(Ordering::Relaxed);
        self.0.is_streaming.store(is_alone, Ordering::Relaxed);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let activity = &self.0;
        activity.is_streaming.store(false, Ordering::Relaxed);
        // Stored before the count: a task that sees the connection idle must not see an old time.
        activity.since.store(activity.now(), Ordering::Relaxed);
        activity.exchanges.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: ConnectionTimeouts =
        ConnectionTimeouts { head: Duration::from_secs(10), idle: Duration::from_mins(2) };

    fn activity() -> Arc<Activity> {
        Arc::new(Activity::new(AddressKey::of([192, 0, 2, 1].into()), Instant::now(), false))
    }

    async fn left(activity: &Activity) -> Option<(u64, Expiry)> {
        // Times are kept in whole milliseconds.
        tokio::time::advance(Duration::ZERO).await;
        activity.deadline(TIMEOUTS).map(|(at, expiry)| ((at - Instant::now()).as_secs(), expiry))
    }

    #[tokio::test(start_paused = true)]
    async fn one_deadline_runs_from_accept_to_the_first_head() {
        let activity = activity();
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.received();
        activity.blocked(true);
        assert_eq!(left(&activity).await, Some((6, Expiry::Head)));
        let exchange = activity.begin(http::Version::HTTP_2);
        activity.blocked(false);
        assert_eq!(left(&activity).await, None);
        drop(exchange);
        assert_eq!(left(&activity).await, Some((120, Expiry::Idle)));
        activity.received();
        assert_eq!(left(&activity).await, Some((120, Expiry::Idle)), "a ping is not a request");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_head_has_its_own_deadline() {
        let activity = activity();
        drop(activity.begin(http::Version::HTTP_11));
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(left(&activity).await, Some((20, Expiry::Idle)));
        activity.received();
        activity.received();
        assert_eq!(left(&activity).await, Some((10, Expiry::Head)));
        activity.blocked(true);
        assert_eq!(left(&activity).await, None, "an answer is still being taken");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_connections_are_evicted_before_idle_ones_and_busy_ones_never() {
        let (silent, idle, busy) = (activity(), activity(), activity());
        drop(idle.begin(http::Version::HTTP_11));
        let _exchange = busy.begin(http::Version::HTTP_11);
        assert!(silent.rank() < idle.rank() && silent.rank().is_some());
        assert_eq!(busy.rank(), None);
        silent.instruct(Order::Evict);
        assert_eq!(silent.rank(), None, "once is enough");
        silent.instruct(Order::Leave);
        assert_eq!(silent.order(), Order::Evict);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ordered_to_close_has_a_second_of_grace() {
        let activity = activity();
        let exchange = activity.begin(http::Version::HTTP_2);
        activity.instruct(Order::Leave);
        assert_eq!(left(&activity).await, None);
        tokio::time::advance(Duration::from_secs(30)).await;
        drop(exchange);
        assert_eq!(left(&activity).await, Some((1, Expiry::Closed)));
    }
}
