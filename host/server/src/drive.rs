//! Drives a connection until it ends, a timeout expires, or it is ordered to close.

use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::activity::{Activity, ConnectionTimeouts, Expiry, Order};
use weir_types::turn::Turns;

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End<T> {
    /// The connection completed.
    Done(T),
    /// A timeout expired.
    Expired(Expiry),
    /// The connection was ordered to close.
    Ordered,
}

impl<T> End<T> {
    /// The same end, with this made of what the connection completed with.
    pub(super) fn map<U>(self, done: impl FnOnce(T) -> U) -> End<U> {
        match self {
            Self::Done(output) => End::Done(done(output)),
            Self::Expired(expiry) => End::Expired(expiry),
            Self::Ordered => End::Ordered,
        }
    }
}

/// Drives a connection to its end. `stop` starts its graceful shutdown.
pub(super) async fn drive<C: Future + ?Sized>(
    connection: Pin<&mut C>,
    stop: impl Fn(Pin<&mut C>),
    activity: &Activity,
    timeouts: ConnectionTimeouts,
) -> End<C::Output> {
    let mut connection = connection;
    let first = activity.deadline(timeouts).map_or_else(|| Instant::now() + timeouts.idle, |(at, _)| at);
    let mut timer = pin!(sleep_until(first));
    let mut is_leaving = false;
    let mut turns = Turns::default();
    std::future::poll_fn(|cx| {
        activity.listen(cx.waker());
        loop {
            if let Poll::Ready(output) = turns.take(cx, |cx| connection.as_mut().poll(cx)) {
                return Poll::Ready(End::Done(output));
            }
            match activity.order() {
                Order::Cut => return Poll::Ready(End::Ordered),
                // The first request may be on its way already: a client that has just connected must not find its
                // connection closed because Weir stops.
                Order::Leave if !activity.has_received() => {}
                Order::Leave | Order::Evict | Order::FinalPoll if !is_leaving => {
                    is_leaving = true;
                    stop(connection.as_mut());
                    // Poll again: the connection may end at once, or have a last frame to send.
                    continue;
                }
                Order::Evict if activity.is_idle() => return Poll::Ready(End::Ordered),
                Order::None | Order::Leave | Order::Evict | Order::FinalPoll => {}
            }
            // The timer is reset here only for an earlier deadline: a request that begins or ends costs no timer
            // operation.
            let deadline = activity.deadline(timeouts);
            if let Some((at, _)) = deadline.filter(|(at, _)| *at < timer.deadline()) {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match deadline {
                Some((at, expiry)) if at <= Instant::now() => {
                    if expiry != Expiry::Idle || !activity.is_multiplexed() || is_leaving {
                        return Poll::Ready(End::Expired(expiry));
                    }
                    activity.instruct(Order::Leave);
                }
                Some((at, _)) => timer.as_mut().reset(at),
                None => timer.as_mut().reset(Instant::now() + timeouts.idle),
            }
        }
    })
    .await
}
