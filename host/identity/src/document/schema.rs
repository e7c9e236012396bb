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

/// A document of another version of Weir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("schema {0}, and this version of Weir knows schema {newest} only", newest = Schema::NEWEST)]
pub struct UnknownSchema(u32);

impl TryFrom<u32> for Schema {
    type Error = UnknownSchema;

    fn try_from(number: u32) -> Result<Self, UnknownSchema> {
        if number == Self::NEWEST { Ok(Self) } else { Err(UnknownSchema(number)) }
    }
}
