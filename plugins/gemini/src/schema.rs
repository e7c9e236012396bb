//! Schemas, between JSON Schema and the subset of `OpenAPI`'s that the older members of the format take (C-53).
//!
//! The format has two places for each schema: one for JSON Schema, which is passed on as it is, and an older one with
//! types in capitals, `nullable` and neither references nor much else. [`lower`] writes for the older place, [`raise`]
//! reads it.

mod flat;
mod lower;
mod raise;

pub(crate) use lower::lower;
pub(crate) use raise::raise;

/// Types in the order of their numbers.
const TYPES: [&str; 8] = ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
/// How deep schemas may be nested.
const DEPTH: usize = 32;

#[cfg(test)]
mod tests;
