//! Schemas: JSON Schema to the subset of `OpenAPI`'s in the older members of the format, and back (C-53).
//!
//! The format has two places for each schema: one for JSON Schema, which is passed on unchanged, and an older one with
//! types in capitals, `nullable`, no references and few other keywords. [`lower`] writes for the older place, [`raise`]
//! reads it.

mod flat;
mod lower;
mod raise;

use weir_sdk::types::Extension;

use crate::wire::{is_noted, note};
pub(crate) use lower::lower;
pub(crate) use raise::raise;

/// Where a client gave a schema. Notes beside the schema tell it, so they hold for one that a guard has changed as
/// well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether it was the older place: the client knows which keywords its service takes there.
    pub(crate) old: bool,
    /// Whether it gave an order of properties, which JSON Schema only has as that of the members.
    pub(crate) ordered: bool,
}

impl Origin {
    /// The origin that the notes for this member tell.
    pub(crate) fn of(extensions: &[Extension], member: &str) -> Self {
        Self { old: is_noted(extensions, member), ordered: is_noted(extensions, &ordered(member)) }
    }

    /// The notes for this member.
    pub(crate) fn notes(self, member: &str) -> impl Iterator<Item = Extension> {
        let ordered = self.ordered.then(|| note(&ordered(member)));
        self.old.then(|| note(member)).into_iter().chain(ordered)
    }
}

/// Key of the note on a schema with an order of properties.
fn ordered(member: &str) -> String {
    format!("{member}.{ORDER}")
}

/// The keyword for the order of properties.
const ORDER: &str = "propertyOrdering";

/// Types in the order of their numbers.
const TYPES: [&str; 8] = ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
/// Deepest nesting of schemas.
const DEPTH: usize = 32;

#[cfg(test)]
mod tests;
