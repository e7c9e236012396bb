//! `[realtime]`: sessions over WebSockets.

use std::time::Duration;

use crate::Secret;
use crate::section::{Amount, Size, section};

section! {
    /// Sessions of messages both ways, over WebSockets; see `docs/realtime.md`.
    REALTIME = "[realtime]" at "realtime";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Realtime {
        /// Sessions at the same time, of all clients together. `streams` of a client's `limits` bounds its own.
        max_sessions: usize as Amount = 1024,
        /// Sessions of one client at the same time. Callers without a key have no share of their own.
        max_sessions_of_client: Option<usize> as Option<Amount> => "a quarter of `max_sessions`",
        /// The largest message, in either direction.
        max_message_bytes: usize as Size = 16 << 20,
        /// How long a session may be open without a message in either direction. Pings do not count.
        idle_timeout: Duration = Duration::from_mins(15),
        /// How long a session may last.
        max_duration: Duration = Duration::from_hours(2),
        /// After how much silence a side is pinged.
        ping_interval: Duration = Duration::from_secs(30),
        /// How long a side may take to send anything after it was pinged.
        ping_timeout: Duration = Duration::from_secs(20),
        /// What seals ephemeral keys: nodes that set the same text take each other's. Without it, each process makes
        /// its own, and takes no other's. At least 32 random characters.
        sealing_key: Option<Secret>,
    }
}
