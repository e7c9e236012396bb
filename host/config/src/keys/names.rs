//! Tables whose names must differ.

use crate::Problem;
use crate::section::{Located, Reader};

/// Keeps the first table of each name, and reports the others. `what` is the word for one table in the message.
pub(super) fn first_of_each_name<T>(
    reader: &Reader<'_>,
    tables: Vec<Located<T>>,
    what: &str,
    help: &str,
    name_of: impl Fn(&T) -> &str,
) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for Located { value, place } in tables {
        let name = name_of(&value);
        if kept.iter().any(|other| name_of(other) == name) {
            reader.report(Problem::error(&place, format!("another {what} is named `{name}`")).with_help(help));
        } else {
            kept.push(value);
        }
    }
    kept
}
