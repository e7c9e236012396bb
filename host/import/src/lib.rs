//! Converts configurations of other gateways to Weir's. Nothing is dropped silently: settings without a counterpart
//! become notes, which are written as comments into the file.

pub mod env;
pub mod first;
pub mod litellm;

use std::fmt::Write as _;

use toml::Value;

/// A configuration to be written.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Members before all tables.
    pub top: Entry,
    /// The table `[server]`.
    pub server: Entry,
    /// The tables `[[providers]]`.
    pub providers: Vec<Entry>,
    /// The tables `[[models]]`, in the order of the file that is imported.
    pub models: Vec<Entry>,
    /// The tables `[[clients]]`.
    pub clients: Vec<Entry>,
    /// Points that the operator has to check, in whole sentences.
    pub notes: Vec<String>,
}

/// A table with its members in the order of writing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Comments about the entry for the operator.
    pub comments: Vec<String>,
    members: Vec<(&'static str, Value)>,
}

impl Entry {
    /// Sets a member, and replaces its former value.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.members.iter_mut().find(|(known, _)| *known == key) {
            Some((_, former)) => *former = value,
            None => self.members.push((key, value)),
        }
    }

    /// The value of a member.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Whether both entries have the same members, apart from the name.
    fn is_like(&self, other: &Self) -> bool {
        let content = |entry: &Self| -> Vec<(&'static str, Value)> {
            entry.members.iter().filter(|(key, _)| *key != "name").cloned().collect()
        };
        content(self) == content(other)
    }
}

impl Draft {
    /// Adds a provider and returns its name: that of an equal provider if there is one, otherwise `name`, with a number
    /// if it is taken.
    pub fn provider(&mut self, name: &str, mut entry: Entry) -> String {
        let name_of = |entry: &Entry| entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(known) = self.providers.iter_mut().find(|known| known.is_like(&entry)) {
            for comment in entry.comments {
                if !known.comments.contains(&comment) {
                    known.comments.push(comment);
                }
            }
            return name_of(known);
        }
        let taken = |name: &str| self.providers.iter().any(|known| name_of(known) == name);
        let mut free = name.to_owned();
        let mut number = 2;
        while taken(&free) {
            free = format!("{name}-{number}");
            number += 1;
        }
        entry.members.insert(0, ("name", free.clone().into()));
        self.providers.push(entry);
        free
    }

    /// Adds a note, unless it is there already.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// The text of the file; `from` describes its source.
    pub fn text(&self, from: &str) -> String {
        let mut text = String::new();
        comment(
            &mut text,
            &format!("Weir's configuration, made from {from}. `weir check` shows what is wrong with it."),
        );
        if !self.notes.is_empty() {
            comment(&mut text, "");
            comment(&mut text, "To be looked at:");
            self.notes.iter().for_each(|note| comment(&mut text, &format!("- {note}")));
        }
        if !self.top.members.is_empty() {
            text.push('\n');
            members(&mut text, &self.top);
        }
        if !self.server.members.is_empty() {
            text.push_str("\n[server]\n");
            members(&mut text, &self.server);
        }
        for (table, entries) in [("clients", &self.clients), ("providers", &self.providers), ("models", &self.models)] {
            for entry in entries {
                text.push('\n');
                entry.comments.iter().for_each(|line| comment(&mut text, line));
                let _ = writeln!(text, "[[{table}]]");
                members(&mut text, entry);
            }
        }
        text
    }
}

fn members(text: &mut String, entry: &Entry) {
    for (key, value) in &entry.members {
        let _ = writeln!(text, "{key} = {value}");
    }
}

/// Writes a comment. Control characters are replaced, so that quoted text cannot start a new line.
fn comment(text: &mut String, line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(text, "{}", format!("# {line}").trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_providers_are_one_and_others_get_a_number() {
        let mut draft = Draft::default();
        let entry = |url: &str| {
            let mut entry = Entry::default();
            entry.set("adapter", "openai");
            entry.set("url", url);
            entry
        };
        assert_eq!(draft.provider("openai", entry("https://a/v1/")), "openai");
        assert_eq!(draft.provider("openai", entry("https://b/v1/")), "openai-2");
        assert_eq!(draft.provider("openai", entry("https://a/v1/")), "openai");
        assert_eq!(draft.providers.len(), 2);
    }

    #[test]
    fn quoted_text_stays_in_its_comment() {
        let mut draft = Draft::default();
        draft.note("strange\n[server]\nport = 1");
        let text = draft.text("a\nfile");
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");
    }
}
