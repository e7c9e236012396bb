//! Bookings of stored answers that no client reads: an answer made in the background costs money whether or not its
//! client asks for it.
//!
//! Each is read at growing intervals until it is finished, from the provider and with the key that made it, and then
//! booked to the caller for whom it was made. Few are read at a time, and tenants take turns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::gateway::Gateway;

/// The most reads at a time, and so the most that begin together.
const AT_ONCE: usize = 8;
/// How often to look for answers to read: each second, or as often as the first interval requires.
const MAX_TICK: Duration = Duration::from_secs(1);
const MIN_TICK: Duration = Duration::from_millis(50);

/// Reads and books until `stop` becomes true, and then drops the reads in progress.
pub async fn follow(gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let mut reading = JoinSet::new();
    loop {
        let first = gateway.serving().config.server.book_unread_after;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(first.clamp(MIN_TICK, MAX_TICK)) => {}
        }
        while reading.try_join_next().is_some() {}
        for unread in gateway.unread(AT_ONCE.saturating_sub(reading.len())) {
            let gateway = Arc::clone(&gateway);
            reading.spawn(async move { gateway.book_unread(unread).await });
        }
    }
    match gateway.unbooked_work() {
        (0, _) => {}
        (batches, true) => tracing::info!(batches, "Weir stops, and books these batches after the next start"),
        (batches, false) => {
            tracing::warn!(batches, "Weir stops, and these batches are not booked unless they are read before");
        }
    }
}
