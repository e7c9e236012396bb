//! Flags, texts, names, paths, words.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Entry, Located, Take};
use crate::raw::{Node, Value};
use crate::suggest;

impl Take for bool {
    type Value = Self;
    const TAKES: &'static str = "true, false";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let spelled = node.variable_text().and_then(|text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        });
        match node.value {
            Value::Flag(flag) => Some(flag),
            _ if spelled.is_some() => spelled,
            _ => {
                entry.wrong(&node, "true or false");
                None
            }
        }
    }

    fn show(default: &Self) -> String {
        default.to_string()
    }

    fn example() -> String {
        "true".to_owned()
    }
}

/// Text that is not empty.
impl Take for String {
    type Value = Self;
    const TAKES: &'static str = "string";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        match node.value {
            Value::Text(ref text) if text.trim().is_empty() => {
                entry.error(&node.place, format!("`{}` must not be empty", entry.name));
                None
            }
            Value::Text(text) => Some(text),
            _ => {
                entry.wrong(&node, "a string");
                None
            }
        }
    }

    fn show(default: &Self) -> String {
        if default.is_empty() { String::new() } else { format!("\"{default}\"") }
    }

    fn example() -> String {
        "\"text\"".to_owned()
    }
}

impl Take for Arc<str> {
    type Value = Self;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        String::take(entry, node).map(Self::from)
    }

    fn example() -> String {
        String::example()
    }
}

/// A path, relative to the working directory.
impl Take for PathBuf {
    type Value = Self;
    const TAKES: &'static str = "path";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        String::take(entry, node).map(Self::from)
    }

    fn example() -> String {
        "\"folder/file\"".to_owned()
    }
}

/// A path, relative to the configuration's folder.
#[derive(Debug)]
pub(crate) struct InFolder;

impl Take for InFolder {
    type Value = PathBuf;
    const TAKES: &'static str = PathBuf::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<PathBuf> {
        PathBuf::take(entry, node).map(|path| entry.reader().folder.join(path))
    }

    fn example() -> String {
        PathBuf::example()
    }
}

/// A name that can be a label and part of a variable's name.
#[derive(Debug)]
pub(crate) struct Name;

impl Take for Name {
    type Value = String;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<String> {
        let text = Located::<String>::take(entry, node)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.value.len() <= 64 && text.value.chars().all(plain) {
            return Some(text.value);
        }
        let message = format!("`{}` holds what no name does", entry.name);
        entry.error_with(&text.place, message, "up to 64 letters, digits, `-`, `_` and `.`");
        None
    }

    fn example() -> String {
        "\"name\"".to_owned()
    }
}

/// A header's name, in lower case.
#[derive(Debug)]
pub(crate) struct HeaderName;

impl Take for HeaderName {
    type Value = String;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<String> {
        let text = Located::<String>::take(entry, node)?;
        let name = http::HeaderName::try_from(text.value.trim());
        if name.is_err() {
            entry.error(&text.place, format!("`{}`: no header has such a name", entry.name));
        }
        Some(name.ok()?.as_str().to_owned())
    }

    fn show(default: &String) -> String {
        String::show(default)
    }

    fn example() -> String {
        "\"x-name\"".to_owned()
    }
}

/// Reads one of several words.
pub(crate) fn word<T: Copy>(entry: &Entry<'_, '_>, node: Node, words: &[(&str, T)]) -> Option<T> {
    let text = Located::<String>::take(entry, node)?;
    let found = words.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let help = suggest::among(&text.value, words.iter().map(|(word, _)| *word)).unwrap_or_default();
        entry.error_with(&text.place, format!("`{}` cannot be `{}`", entry.name, text.value), help);
    }
    found.map(|(_, value)| *value)
}
