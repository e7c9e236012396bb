//! What a node may use of one window of a budget that it shares with other nodes.

use weir_lease::{Before, NodeStatus, Share};

use super::rows::{CountsId, Row};

/// Whether this node counts alone.
#[derive(Debug, Clone, Copy)]
pub enum BudgetSharing {
    /// It has the whole budget.
    Alone,
    /// It has a share.
    Shared {
        /// How it stands to the other nodes.
        status: NodeStatus,
        /// How often the request has asked for more of the share already.
        asked: usize,
    },
}

/// What this node may use of one window.
#[derive(Debug, Default)]
pub(super) struct Lent {
    pub(super) share: Share,
    /// The part of what is booked that earlier processes had booked. It is not this process's use.
    pub(super) before: u64,
}

impl Lent {
    /// Continues for a process that shared the budget under this name: use that it had not reported before it was
    /// killed is reported now, as this process's own.
    pub(super) fn after(row: &Row, node: &str) -> Self {
        let before = Before { entry: entry_name(node, row.counts()), used: row.own() };
        Self { share: Share::after(Some(before)), before: row.total() }
    }
}

/// A node's name for its share of one budget. Counts that begin again in a window have a share of their own: its
/// reports are numbered from 1 on, and the pool knows those of the former one.
pub(super) fn entry_name(node: &str, CountsId { cell, made }: CountsId) -> String {
    if made == 0 { format!("{node}.{cell}") } else { format!("{node}.{cell}.{made}") }
}
