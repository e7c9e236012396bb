//! Single values: text, numbers, flags, durations, sizes, choices, lists.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::raw::{self, Node, Value};
use super::super::{Options, Problem, suggest, units};
use super::{Located, Section};

/// Limits for counts and sizes: what fits the types on every machine.
pub(super) const ANY_COUNT: RangeInclusive<u64> = 1..=u32::MAX as u64;

/// A variable's text as what it spells where it begins as a list or table does.
pub(super) fn from_variable(node: Node, beginnings: &[char]) -> Node {
    let parsed = node.variable_text().filter(|text| text.starts_with(beginnings));
    parsed.and_then(|text| raw::parse_value(text, &node.place)).unwrap_or(node)
}

impl Section<'_> {
    /// Text that is not empty.
    pub(in super::super) fn text(&mut self, name: &'static str) -> Option<Located<String>> {
        let node = self.take(name)?;
        self.text_of(name, node)
    }

    pub(super) fn text_of(&self, name: &str, node: Node) -> Option<Located<String>> {
        match node.value {
            Value::Text(ref text) if text.trim().is_empty() => {
                self.reader.report(Problem::error(&node.place, format!("`{name}` must not be empty")));
                None
            }
            Value::Text(text) => Some(Located { value: text, place: node.place }),
            _ => {
                self.wrong(name, &node, "a string", None);
                None
            }
        }
    }

    /// A name that can be a label and part of a variable's name.
    pub(super) fn name(&mut self, name: &'static str) -> Option<Located<String>> {
        let text = self.text(name)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.value.len() <= 64 && text.value.chars().all(plain) {
            return Some(text);
        }
        let problem = Problem::error(&text.place, format!("`{name}` holds what no name does"));
        self.reader.report(problem.with_help("up to 64 letters, digits, `-`, `_` and `.`"));
        None
    }

    /// A name that must be there.
    pub(super) fn required_name(&mut self, name: &'static str, help: &str) -> Option<Located<String>> {
        if !self.table.contains_key(name) {
            self.missing(name, help);
        }
        self.name(name)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let node = self.take(name)?;
        let spelled = node.variable_text().and_then(|text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        });
        match node.value {
            Value::Flag(flag) => Some(flag),
            _ if spelled.is_some() => spelled,
            _ => {
                self.wrong(name, &node, "true or false", None);
                None
            }
        }
    }

    /// A whole number within limits.
    pub(super) fn count(&mut self, name: &'static str, limits: &RangeInclusive<u64>) -> Option<u64> {
        let node = self.take(name)?;
        let number = match node.value {
            Value::Whole(number) => u64::try_from(number).ok(),
            _ => node.variable_text().and_then(|text| text.parse().ok()),
        };
        if let Some(number) = number.filter(|number| limits.contains(number)) {
            return Some(number);
        }
        let wanted = format!("an integer from {} to {}", limits.start(), limits.end());
        match node.value {
            Value::Whole(number) => {
                self.reader.report(Problem::error(&node.place, format!("`{name}` must be {wanted}, not {number}")));
            }
            _ => self.wrong(name, &node, &wanted, None),
        }
        None
    }

    /// A count of things in memory.
    pub(super) fn amount(&mut self, name: &'static str) -> Option<usize> {
        self.count(name, &ANY_COUNT).and_then(|number| usize::try_from(number).ok())
    }

    /// A finite number that is not negative.
    pub(super) fn number(&mut self, name: &'static str) -> Option<f64> {
        let node = self.take(name)?;
        let number = match node.value {
            Value::Number(number) => Some(number),
            Value::Whole(number) => Some(number as f64),
            _ => node.variable_text().and_then(|text| text.parse().ok()),
        };
        let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
        if number.is_none() {
            let wanted = "a number that is not negative";
            match node.value {
                Value::Number(_) | Value::Whole(_) => {
                    self.reader.report(Problem::error(&node.place, format!("`{name}` must be {wanted}")));
                }
                _ => self.wrong(name, &node, wanted, None),
            }
        }
        number
    }

    /// A duration above nothing.
    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        let place = self.table.get(name).map(|member| member.node.place.clone());
        let duration = self.pause(name)?;
        if duration.is_zero() {
            let message = format!("`{name}` must be longer than nothing");
            self.reader.report(Problem::error(&place.unwrap_or_default(), message));
        }
        Some(duration).filter(|duration| !duration.is_zero())
    }

    /// A duration, be it none.
    pub(super) fn pause(&mut self, name: &'static str) -> Option<Duration> {
        let node = self.take(name)?;
        let help = match &node.value {
            Value::Whole(number) => Some(format!("durations are strings with a unit: `\"{number}s\"`")),
            _ => None,
        };
        let Value::Text(text) = &node.value else {
            self.wrong(name, &node, units::DURATION, help);
            return None;
        };
        let duration = units::duration(text);
        if duration.is_none() {
            self.reader.report(Problem::error(&node.place, format!("`{name}` must be {}", units::DURATION)));
        }
        duration
    }

    /// Bytes, at least one.
    pub(super) fn size(&mut self, name: &'static str) -> Option<usize> {
        let node = self.take(name)?;
        let bytes = match &node.value {
            Value::Whole(number) => u64::try_from(*number).ok(),
            Value::Text(text) => units::size(text),
            _ => {
                self.wrong(name, &node, units::SIZE, None);
                return None;
            }
        };
        // An `isize` is what a buffer can hold.
        let bytes = bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| (1..isize::MAX as usize).contains(bytes));
        if bytes.is_none() {
            self.reader.report(Problem::error(&node.place, format!("`{name}` must be {}", units::SIZE)));
        }
        bytes
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let help = suggest::among(&text.value, words.iter().map(|(word, _)| *word)).unwrap_or_default();
            let problem = Problem::error(&text.place, format!("`{name}` cannot be `{}`", text.value));
            self.reader.report(problem.with_help(help));
        }
        found.map(|(_, value)| *value)
    }

    /// A list; a variable's may be written with commas.
    pub(super) fn list(&mut self, name: &'static str) -> Option<Located<Vec<Node>>> {
        let node = from_variable(self.take(name)?, &['[']);
        let by_comma = node.variable_text().map(|text| {
            let part = |part: &str| Node { value: Value::Text(part.trim().to_owned()), place: node.place.clone() };
            text.split(',').map(part).collect::<Vec<_>>()
        });
        match (node.value, by_comma) {
            (Value::List(items), _) | (_, Some(items)) => Some(Located { value: items, place: node.place }),
            (value, None) => {
                self.wrong(name, &Node { value, place: node.place }, "a list", None);
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<Located<String>> {
        let items = self.list(name).map(|list| list.value).unwrap_or_default();
        items.into_iter().filter_map(|item| self.text_of(name, item)).collect()
    }

    /// A free-form table.
    pub(super) fn options(&mut self, name: &'static str) -> Options {
        let Some(node) = self.take(name) else { return Options::default() };
        let node = from_variable(node, &['{']);
        let Value::Table(table) = node.value else {
            self.wrong(name, &node, "a table", None);
            return Options::default();
        };
        raw::options(table, node.place).unwrap_or_else(|problem| {
            self.reader.report(problem);
            Options::default()
        })
    }
}
