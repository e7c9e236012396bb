//! The trait of types that a key can have, and the types built from it: an optional value, one with its place, a list.

use super::Entry;
use crate::key::Key;
use crate::raw::{self, Node, Value};
use crate::{Options, Place};

/// A type that a key can have.
pub(crate) trait Take {
    /// The type of the value, mostly the type itself.
    type Value;
    /// The accepted values, for the reference.
    const TAKES: &'static str;
    /// The same for a list of such values.
    const LIST: &'static str = "list of strings";
    /// Whether a value is a table: a list of tables in a variable is not written with commas.
    const IS_TABLE: bool = false;

    /// Reads a value. Reports a wrong value and returns `None`.
    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value>;

    /// Writes a default as TOML, for the reference. Types whose defaults the reference does not show write an empty
    /// text.
    fn show(_default: &Self::Value) -> String {
        String::new()
    }

    /// Writes a value as TOML.
    fn example() -> String;
}

/// A key that takes a `T`.
pub(crate) const fn key<T: Take>(
    name: &'static str,
    text: &'static str,
    required: Option<&'static str>,
    shown: fn() -> String,
) -> Key {
    Key { name, takes: T::TAKES, shown, required, text, example: T::example }
}

/// Parses a variable's text as a list or table if it begins like one.
pub(crate) fn from_variable(node: Node, beginnings: &[char]) -> Node {
    let parsed = node.variable_text().filter(|text| text.starts_with(beginnings));
    parsed.and_then(|text| raw::parse_value(text, &node.place)).unwrap_or(node)
}

/// A key without a default.
impl<T: Take> Take for Option<T> {
    type Value = Option<T::Value>;
    const TAKES: &'static str = T::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value> {
        T::take(entry, node).map(Some)
    }

    fn show(default: &Self::Value) -> String {
        default.as_ref().map(T::show).unwrap_or_default()
    }

    fn example() -> String {
        T::example()
    }
}

/// A value with its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<T: Take> Take for Located<T> {
    type Value = Located<T::Value>;
    const TAKES: &'static str = T::TAKES;
    const LIST: &'static str = T::LIST;
    const IS_TABLE: bool = T::IS_TABLE;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value> {
        let place = node.place.clone();
        T::take(entry, node).map(|value| Located { value, place })
    }

    fn show(default: &Self::Value) -> String {
        T::show(&default.value)
    }

    fn example() -> String {
        T::example()
    }
}

/// A value that was given, with its place; the value is `None` if it is wrong.
#[derive(Debug)]
pub(crate) struct Given<T> {
    pub(crate) value: Option<T>,
    pub(crate) place: Place,
}

impl<T: Take> Take for Given<T> {
    type Value = Given<T::Value>;
    const TAKES: &'static str = T::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value> {
        let place = node.place.clone();
        Some(Given { value: T::take(entry, node), place })
    }

    fn example() -> String {
        T::example()
    }
}

/// A list; in a variable it may be written with commas, unless it is a list of tables.
impl<T: Take> Take for Vec<T> {
    type Value = Vec<T::Value>;
    const TAKES: &'static str = T::LIST;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value> {
        let items = if T::IS_TABLE { tables(entry, node) } else { list(entry, node) }?;
        Some(items.into_iter().filter_map(|item| T::take(entry, item)).collect())
    }

    fn show(default: &Self::Value) -> String {
        if T::IS_TABLE {
            return String::new();
        }
        format!("[{}]", default.iter().map(T::show).collect::<Vec<_>>().join(", "))
    }

    fn example() -> String {
        format!("[{}]", T::example())
    }
}

fn tables(entry: &Entry<'_, '_>, node: Node) -> Option<Vec<Node>> {
    let node = from_variable(node, &['[']);
    let Value::List(items) = node.value else {
        entry.wrong_with(&node, "a list of tables", format!("write `[[{}]]`, once for each", entry.name));
        return None;
    };
    Some(items)
}

pub(super) fn list(entry: &Entry<'_, '_>, node: Node) -> Option<Vec<Node>> {
    let node = from_variable(node, &['[']);
    let by_comma = node.variable_text().map(|text| {
        let part = |part: &str| Node { value: Value::Text(part.trim().to_owned()), place: node.place.clone() };
        text.split(',').map(part).collect::<Vec<_>>()
    });
    match (node.value, by_comma) {
        (Value::List(items), _) | (_, Some(items)) => Some(items),
        (value, None) => {
            entry.wrong(&Node { value, place: node.place }, "a list");
            None
        }
    }
}

/// A table, or `false` to turn it off.
#[derive(Debug)]
pub(crate) struct OrFalse<T>(std::marker::PhantomData<T>);

impl<T: Take> Take for OrFalse<T> {
    type Value = Option<T::Value>;
    const TAKES: &'static str = "table, false";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value> {
        if matches!(node.value, Value::Flag(false)) || node.variable_text() == Some("false") {
            return Some(None);
        }
        T::take(entry, node).map(Some)
    }

    fn show(default: &Self::Value) -> String {
        default.as_ref().map_or_else(|| "false".to_owned(), T::show)
    }

    fn example() -> String {
        T::example()
    }
}

/// A free-form table.
impl Take for Options {
    type Value = Self;
    const TAKES: &'static str = "table";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let node = from_variable(node, &['{']);
        let Value::Table(table) = node.value else {
            entry.wrong(&node, "a table");
            return None;
        };
        raw::options(table, node.place).map_err(|problem| entry.reader().report(problem)).ok()
    }

    fn example() -> String {
        "{ depth = 3 }".to_owned()
    }
}
