//! The output of a translated stream: frames of the client's dialect as bytes, or events for a program.

use weir_types::contract::types::ChatEvent;

/// The output of a pipeline that is not taken yet.
#[derive(Debug, Default)]
pub(super) struct Outflow {
    /// Framed bytes, where a dialect writes them.
    pub(super) bytes: Vec<u8>,
    /// Events, where a program takes them.
    pub(super) events: Vec<ChatEvent>,
}

impl Outflow {
    /// Whether there is nothing to take.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.events.is_empty()
    }
}
