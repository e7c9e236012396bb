//! Whose requests go first where requests have to wait.

use serde::{Deserialize, Serialize};

/// The order in queues, as `priority` of `[[clients]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// As most.
    #[default]
    Normal,
    /// After all others.
    Low,
}
