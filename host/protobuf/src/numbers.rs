//! The table of the numbers of fields and enum values: a line for each, `message field number`. A number whose field is
//! gone stays in the table, so that no other field gets it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Schema, Shape};

/// Why a table cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum NumbersError {
    /// A line is not `message field number`.
    Line(usize),
    /// Two fields of a message have the same number.
    Twice(usize),
}

impl std::fmt::Display for NumbersError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line} is not `message field number`"),
            Self::Twice(line) => write!(f, "line {line} gives a number that another field has"),
        }
    }
}

impl std::error::Error for NumbersError {}

/// The numbers of the fields of each message, by names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(BTreeMap<String, BTreeMap<String, u32>>);

impl Numbers {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// A line is wrong, or gives a number twice.
    pub fn parse(text: &str) -> Result<Self, NumbersError> {
        let mut all: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let (Some(message), Some(field), Some(number), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(NumbersError::Line(at + 1));
            };
            let number = number.parse().map_err(|_| NumbersError::Line(at + 1))?;
            let fields = all.entry(message.to_owned()).or_default();
            if fields.values().any(|known| *known == number) || fields.insert(field.to_owned(), number).is_some() {
                return Err(NumbersError::Twice(at + 1));
            }
        }
        Ok(Self(all))
    }

    /// Gives the next free numbers to everything in the schema that has none.
    #[must_use]
    pub fn with(mut self, schema: &Schema) -> Self {
        for item in &schema.items {
            let names: Vec<&str> = match &item.shape {
                Shape::Record(fields) | Shape::Variant(fields) => {
                    fields.iter().map(|field| field.name.as_str()).collect()
                }
                Shape::Enum(values) => values.iter().map(|value| value.name.as_str()).collect(),
                Shape::List(_) => Vec::new(),
            };
            let known = self.0.entry(item.name.clone()).or_default();
            for name in names {
                if !known.contains_key(name) {
                    let next = known.values().max().map_or(1, |last| last + 1);
                    known.insert(name.to_owned(), next);
                }
            }
        }
        self.0.retain(|_, fields| !fields.is_empty());
        self
    }

    /// The table as text.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# The numbers of fields and enum values: `message field number`. `cargo xtask contract` adds new ones at the\n\
             # end of their message. A number is never changed or given again, also if its field is gone.\n",
        );
        for (message, fields) in &self.0 {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(_, number)| **number);
            for (field, number) in fields {
                let _ = writeln!(text, "{message} {field} {number}");
            }
        }
        text
    }

    /// The number of a field; 0 if it has none, which is no field's number.
    pub(crate) fn of(&self, message: &str, field: &str) -> u32 {
        self.0.get(message).and_then(|fields| fields.get(field)).copied().unwrap_or_default()
    }

    /// The numbers of a message whose fields are gone.
    pub(crate) fn gone<'a>(&'a self, message: &str, is_there: impl Fn(&str) -> bool + 'a) -> Vec<u32> {
        let fields = self.0.get(message).into_iter().flatten();
        let mut gone: Vec<u32> = fields.filter(|(name, _)| !is_there(name)).map(|(_, number)| *number).collect();
        gone.sort_unstable();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Value};

    fn schema(values: &[&str]) -> Schema {
        let values = values.iter().map(|name| Value { name: (*name).into(), docs: String::new() }).collect();
        Schema { items: vec![Item { name: "kind".into(), docs: String::new(), shape: Shape::Enum(values) }] }
    }

    #[test]
    fn a_number_is_never_given_again() {
        let first = Numbers::default().with(&schema(&["one", "two"]));
        let later = Numbers::parse(&first.text()).unwrap().with(&schema(&["zero", "two"]));
        assert_eq!(["one", "two", "zero"].map(|name| later.of("kind", name)), [1, 2, 3]);
        assert_eq!(later.gone("kind", |name| name != "one"), [1]);
    }

    #[test]
    fn a_table_with_a_mistake_is_refused() {
        for (text, error) in [("a b", NumbersError::Line(1)), ("a b 1\na c 1", NumbersError::Twice(2))] {
            assert_eq!(Numbers::parse(text), Err(error));
        }
        assert_eq!(Numbers::parse("# why\na b 1\na b 2"), Err(NumbersError::Twice(3)));
    }
}
