//! Schemas: JSON Schema to the subset of `OpenAPI`'s in the older members of the format, and back (C-53).
//!
//! The format has two places for each schema: one for JSON Schema, which is passed on unchanged, and an older one with
//! types in capitals, `nullable`, no references and few other keywords. [`lower`] writes for the older place, [`raise`]
//! reads it.

mod flat;
mod lower;
mod raise;

pub(crate) use lower::lower;
pub(crate) use raise::raise;

/// Types in the order of their numbers.
const TYPES: [&str; 8] = ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
/// Deepest nesting of schemas.
const DEPTH: usize = 32;

#[cfg(test)]
mod tests;
