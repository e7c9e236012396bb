//! Reads tables: takes typed values out of them and reports every mistake.
//!
//! A table's keys, their types and defaults have one declaration ([`section!`], [`part!`]), which generates the list of
//! keys and the code that reads them. A key's type implements [`Take`]. A key that was not taken out is reported as
//! unknown.

mod addresses;
pub(super) mod declare;
mod measures;
mod numbers;
mod secrets;
mod take;
mod values;

use std::cell::RefCell;
use std::path::Path;

pub(super) use addresses::{Network, PageOrigin};
pub(super) use declare::{joined, overlay, part, section, take_table, words};
pub(super) use measures::{Bytes, Milliseconds, Pause, Size};
pub(super) use numbers::{Amount, Count, Share, UpToOne};
pub(super) use secrets::{SecretUrl, SeveralSecrets};
pub(super) use take::{Given, Located, OrFalse, Take, from_variable, key};
pub(super) use values::{HeaderName, InFolder, Name, word};

use super::environment::Environment;
use super::key::Keys;
use super::raw::{Member, Node, Table, Value};
use super::secret_file::SecretFile;
use super::{Place, Problem, suggest};

/// What reading needs besides the tree; collects the mistakes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The file's folder; empty for the working directory.
    pub(super) folder: &'a Path,
    pub(super) environment: &'a Environment,
    /// Whether parts of the file could not be read at all, so that a missing value may be in them.
    pub(super) incomplete: bool,
    /// All tables, for suggestions.
    pub(super) tables: &'static [&'static Keys],
    pub(super) problems: RefCell<Vec<Problem>>,
    /// The files that secrets were to be read from so far.
    pub(super) secret_files: RefCell<Vec<SecretFile>>,
}

impl<'a> Reader<'a> {
    /// Reads these tables, of which these mistakes are known already.
    pub(super) fn new(
        folder: &'a Path,
        environment: &'a Environment,
        tables: &'static [&'static Keys],
        incomplete: bool,
        problems: Vec<Problem>,
    ) -> Self {
        let (problems, secret_files) = (RefCell::new(problems), RefCell::default());
        Self { folder, environment, incomplete, tables, problems, secret_files }
    }

    /// The files that secrets were to be read from, and the mistakes.
    pub(super) fn found(self) -> (Vec<SecretFile>, Vec<Problem>) {
        (self.secret_files.into_inner(), self.problems.into_inner())
    }

    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

/// One table being read.
#[derive(Debug)]
pub(super) struct Section<'r> {
    pub(super) reader: &'r Reader<'r>,
    pub(super) place: Place,
    keys: &'static Keys,
    table: Table,
}

impl<'r> Section<'r> {
    /// Reads a node as a table; reports anything else.
    pub(super) fn new(reader: &'r Reader<'r>, node: Node, keys: &'static Keys) -> Option<Self> {
        let node = from_variable(node, &['{']);
        let Value::Table(table) = node.value else {
            let message = format!("`{}` must be a table, not {}", keys.title, node.kind());
            reader.report(Problem::error(&node.place, message));
            return None;
        };
        Some(Self { reader, place: node.place, keys, table })
    }

    pub(super) fn empty(reader: &'r Reader<'r>, place: Place, keys: &'static Keys) -> Self {
        Self { reader, place, keys, table: Table::new() }
    }

    /// Takes the value of a key out. This is the only way to a value, and it reaches declared keys only: any other name
    /// yields no value and stays in the table as unknown.
    pub(super) fn value<T: Take>(&mut self, name: &str) -> Option<T::Value> {
        let key = self.keys.find(name)?;
        let Some(Member { key: place, node }) = self.table.remove(key.name) else {
            if let Some(help) = key.required {
                self.missing(key.name, help);
            }
            return None;
        };
        T::take(&Entry { section: self, name: key.name, key: place }, node)
    }

    /// Where the value of a key stands that was not taken out yet.
    pub(super) fn place_of(&self, name: &str) -> Option<Place> {
        self.table.get(name).map(|member| member.node.place.clone())
    }

    /// Takes out every member whose value is a table: tables whose names the operator chooses.
    pub(super) fn named_sections(&mut self, keys: &'static Keys) -> Vec<(String, Section<'r>)> {
        let (tables, others) = std::mem::take(&mut self.table)
            .into_iter()
            .partition(|(name, member)| !self.keys.has(name) && matches!(member.node.value, Value::Table(_)));
        self.table = others;
        let tables: Table = tables;
        tables
            .into_iter()
            .filter_map(|(name, member)| Some((name, Section::new(self.reader, member.node, keys)?)))
            .collect()
    }

    /// Reports that a required key is missing.
    pub(super) fn missing(&self, name: &str, help: &str) {
        if !self.reader.incomplete {
            self.error(&self.place, format!("`{}` needs `{name}`", self.keys.title), help);
        }
    }

    /// Reports a mistake with a remedy.
    pub(super) fn error(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.reader.report(Problem::error(place, message).with_help(help));
    }

    /// Reports every key that was not taken out as unknown.
    pub(super) fn finish(self) {
        for (name, member) in &self.table {
            let message = if self.keys.path == Some("") {
                format!("unknown key `{name}`")
            } else {
                format!("unknown key `{name}` in `{}`", self.keys.title)
            };
            // A stray variable must not keep the program from starting.
            let problem = match member.key {
                Place::Variable(_) => Problem::warning(&member.key, message),
                _ => Problem::error(&member.key, message),
            };
            self.reader.report(problem.with_help(suggest::for_key(name, self.keys, self.reader.tables)));
        }
    }
}

/// The key whose value is being read.
#[derive(Debug)]
pub(super) struct Entry<'s, 'r> {
    pub(super) section: &'s Section<'r>,
    pub(super) name: &'static str,
    /// Where the key stands.
    pub(super) key: Place,
}

impl<'r> Entry<'_, 'r> {
    pub(super) fn reader(&self) -> &'r Reader<'r> {
        self.section.reader
    }

    /// Reports a mistake.
    pub(super) fn error(&self, place: &Place, message: impl Into<String>) {
        self.reader().report(Problem::error(place, message));
    }

    /// Reports a mistake with a remedy.
    pub(super) fn error_with(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.section.error(place, message, help);
    }

    /// Reports that a value is not what the key takes.
    pub(super) fn wrong(&self, node: &Node, wanted: &str) {
        self.error(&node.place, format!("`{}` must be {wanted}, not {}", self.name, node.kind()));
    }

    /// The same with what to do about it.
    pub(super) fn wrong_with(&self, node: &Node, wanted: &str, help: impl Into<String>) {
        self.error_with(&node.place, format!("`{}` must be {wanted}, not {}", self.name, node.kind()), help);
    }
}

#[cfg(test)]
mod tests;
