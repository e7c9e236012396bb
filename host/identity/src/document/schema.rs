//! The version of a document's fields.

use serde::{Deserialize, Serialize};

/// The schema of a document, 1 today. A newer one is refused: an older program would lose what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Schema;

impl Schema {
    const NEWEST: u32 = 1;
}

impl From<Schema> for u32 {
    fn from(_: Schema) -> Self {
        Schema::NEWEST
    }
}

impl TryFrom<u32> for Schema {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if number == Self::NEWEST {
            return Ok(Self);
        }
        Err(format!("schema {number}, and this version of Weir knows schema {} only", Self::NEWEST))
    }
}
