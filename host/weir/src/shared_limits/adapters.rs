//! The adapters that a node serves with, as one short text: nodes with the same text have the same files in service.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use weir_gateway::serving::Serving;

/// A digest over the names and the digests of all adapters in service, which are in the order of their names.
pub(super) fn digest(serving: &Serving) -> String {
    let mut hash = Sha256::new();
    for adapter in serving.adapters.adapters.values() {
        hash.update(format!("{} {}\n", adapter.name, adapter.digest.hex()));
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
