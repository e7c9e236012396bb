//! Who made which objects, as a store keeps it for other processes: after a restart, and on other nodes.

use std::fmt;

use super::ObjectKind;

/// Keeps who made which objects.
pub trait OwnerStore: fmt::Debug + Send + Sync {
    /// A client made an object. It is kept as well as that is possible, some time later: no call waits for it.
    fn keep(&self, owner: KeptOwner);
}

/// An object with the client that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOwner {
    /// The tenant that made it.
    pub tenant: String,
    /// The provider's id for it.
    pub id: String,
    /// The part of the record that it belongs to.
    pub kind: ObjectKind,
}
