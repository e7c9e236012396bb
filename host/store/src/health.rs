//! How the writer is doing: what waits, what was written, what was lost and why.

use std::time::Duration;

use serde::Serialize;

/// The writer's state at one moment. Reading it never waits for the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// How the log of requests is written.
    pub log: Condition,
    /// How sums of use are written.
    pub money: Condition,
    /// Facts and bodies that wait or are being written.
    pub queued_rows: u64,
    /// The bytes that they take, about.
    pub queued_bytes: u64,
    /// Facts that were written.
    pub written_facts: u64,
    /// Bodies that were written.
    pub written_bodies: u64,
    /// Facts that were lost.
    pub dropped_facts: Drops,
    /// Bodies that were lost.
    pub dropped_bodies: Drops,
    /// Sums that wait or are being written.
    pub money_pending: u64,
    /// Bookings of use that were lost. Anything but 0 is an error that was logged.
    pub money_lost: u64,
}

/// Rows that were lost, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Drops {
    /// The queue was full, in rows or in bytes, or a body was larger than any that is kept.
    pub full: u64,
    /// The store refused the row, or did not come back before the end of the process.
    pub failed: u64,
}

/// How one of the two writing threads is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Condition {
    /// The last write went well, or there was none.
    #[default]
    Working,
    /// A write has been running for long: the disk or the database hangs.
    Slow {
        /// For how long.
        since: Duration,
    },
    /// Writes fail, and are tried again.
    Failing {
        /// For how long.
        since: Duration,
        /// The last error.
        reason: String,
    },
}

impl Health {
    /// Whether everything is being written.
    pub fn is_well(&self) -> bool {
        self.log == Condition::Working && self.money == Condition::Working
    }
}
