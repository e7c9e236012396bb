//! The state of a node: whether it reaches the pools, and what it does if not.

use std::time::Duration;

/// What a node admits while the pools cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenLost {
    /// Its part: the limit divided by the nodes that were last known, at least one.
    #[default]
    Share,
    /// Everything.
    Open,
    /// Only what it has leased already.
    Closed,
}

/// Whether the pools answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// They do.
    Well,
    /// They do not, and this holds meanwhile.
    Lost(WhenLost),
}

/// What a decision about a share depends on besides the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeStatus {
    /// The time on this node's clock, which is never set back.
    pub at: Duration,
    /// Whether the pools answer.
    pub link: Link,
    /// The nodes that share, at least this one.
    pub nodes: u32,
}

impl NodeStatus {
    /// A node's part of a limit while it is on its own.
    pub fn part(&self, limit: u64) -> u64 {
        (limit / u64::from(self.nodes.max(1))).max(1).min(limit)
    }
}
