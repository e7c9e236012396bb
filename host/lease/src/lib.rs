//! Leases: how several nodes share one limit, without asking each other for every request.
//!
//! What is limited is a [`Pool`]: a window of a budget, a bucket that refills, or places that are returned. A node has
//! a [`Share`] of it. It may use up to the share's *ceiling* and counts locally; it asks for more ahead of its need,
//! and for exactly what a request needs where limits are small. The pool grants what is left, so that all ceilings
//! together never exceed the limit.
//!
//! A [`Report`] says how much the node has used in all, and up to which ceiling it may go. Both are sums since the
//! share began, not changes: a report that is sent again, or whose answer was lost, books nothing twice. Reports are
//! numbered; one that arrives late is ignored. Ceilings last for a [`TERM`] by the pool's clock. A node counts it from
//! before it sent the report, so that it stops before the pool gives the rest to others, whatever the nodes' clocks
//! show.
//!
//! Nothing here reads a clock, waits or does input and output: times are arguments, measured from any fixed point.
//! [`Pool::exchange`] is what the script of the shared server does, and the tests hold both to the same answers.

mod node_status;
mod pool;
mod share;

use std::time::Duration;

pub use node_status::{Link, NodeStatus, WhenLost};
pub use pool::{Answer, Before, Kind, Pool, Report};
pub use share::Share;

/// How long a ceiling lasts without another report.
pub const TERM: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests;
