//! What ends a session besides its messages: time without any, its longest duration, a silent side, the gateway's stop.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Relay;
use crate::realtime::ending::{Ending, RESTARTS};
use weir_config::Realtime;
use weir_realtime::{Opcode, Side};
use weir_server::Leaving;
use weir_types::fault::Fault;

/// How much of the time to drain is left for closing.
const MARGIN: Duration = Duration::from_secs(3);

impl Relay {
    /// Waits until no message has passed for too long, or the session has lasted too long. It waits for nothing else,
    /// since a side that reads slowly must not prolong the session.
    pub(super) async fn expire(&self) -> Ending {
        let Realtime { idle_timeout, max_duration, .. } = self.context.settings;
        let end = self.clock.begun() + max_duration;
        loop {
            let (now, idle) = (Instant::now(), self.clock.last_message() + idle_timeout);
            if now >= end {
                return Ending::Longest;
            }
            if now >= idle {
                return Ending::Idle;
            }
            sleep_until(end.min(idle)).await;
        }
    }

    /// Pings both sides, and waits until one was silent for too long.
    pub(super) async fn watch(&self) -> Ending {
        let Realtime { ping_interval, ping_timeout, .. } = self.context.settings;
        // When each side was pinged last, unless it sent something since.
        let mut pinged: [Option<Instant>; 2] = [None; 2];
        loop {
            let now = Instant::now();
            let mut next = now + ping_interval.max(ping_timeout);
            for (side, pinged) in [Side::Client, Side::Server].into_iter().zip(&mut pinged) {
                let received = self.clock.last_received(side);
                *pinged = pinged.filter(|at| received < *at);
                let due = pinged.map_or(received + ping_interval, |at| at + ping_timeout);
                next = next.min(if now < due {
                    due
                } else if pinged.is_some() {
                    return Ending::Silent(side);
                } else {
                    if let Err(ending) = self.send(side, Opcode::Ping, true, &[]).await {
                        return ending;
                    }
                    *pinged = Some(now);
                    now + ping_timeout
                });
            }
            sleep_until(next).await;
        }
    }

    /// Waits until the gateway stops, tells the client so, and waits until no response is open, or the time to drain is
    /// nearly over.
    pub(super) async fn leave(&self, leaving: &mut Leaving) -> Ending {
        leaving.wait().await;
        let until = Instant::now() + self.context.drain.saturating_sub(MARGIN);
        if let Err(ending) = self.report(&Fault::overloaded(RESTARTS, Duration::ZERO).with_code("stopping")).await {
            return ending;
        }
        let settled = async {
            loop {
                let notified = self.settled.notified();
                if self.responses.lock().await.are_over() {
                    return;
                }
                notified.await;
            }
        };
        let _drained = timeout_at(until, settled).await;
        Ending::Leaving
    }
}
