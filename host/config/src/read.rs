//! Walks the tree, makes typed values of it, and collects every mistake on the way.
//!
//! A [`Section`] is one table being read: each key is taken out of it, and what is left in the end is unknown.

mod client;
mod credential;
mod life;
mod model;
mod provider;
mod settings;
mod traces;
mod value;

use std::cell::RefCell;
use std::path::Path;

pub(super) use model::{ModelDraft, TargetDraft};
pub(super) use provider::{RetryDraft, TimeoutsDraft};

use super::client::Client;
use super::environment::Environment;
use super::keys::{self, Keys};
use super::provider::Provider;
use super::raw::{Node, Table, Value};
use super::settings::{Admin, Log, Media, Plugins, Server, Traces};
use super::{Place, Problem, suggest};

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The whole configuration as it was written: typed, but not yet joined.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) server: Server,
    pub(super) admin: Admin,
    pub(super) media: Media,
    pub(super) traces: Option<Traces>,
    pub(super) log: Log,
    pub(super) plugins: Plugins,
    pub(super) default_provider: Option<Located<String>>,
    pub(super) clients: Vec<Client>,
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<ModelDraft>,
}

/// What reading needs besides the tree, and where mistakes are gathered.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The file's folder; empty for the working directory.
    pub(super) folder: &'a Path,
    pub(super) environment: &'a Environment,
    /// Whether parts of the file could not be read at all: what seems to be missing may stand there.
    pub(super) incomplete: bool,
    pub(super) problems: RefCell<Vec<Problem>>,
}

impl Reader<'_> {
    /// Reads everything.
    pub(super) fn read(&self, root: Node) -> Draft {
        let place = root.place.clone();
        let mut top = Section::new(self, root, &keys::TOP).unwrap_or_else(|| Section::empty(self, place, &keys::TOP));
        let draft = Draft {
            log: settings::log(&mut top),
            server: top.section("server", &keys::SERVER).map(settings::server).unwrap_or_default(),
            admin: top.section("admin", &keys::ADMIN).map(settings::admin).unwrap_or_default(),
            media: top.section("media", &keys::MEDIA).map(settings::media).unwrap_or_default(),
            traces: top.section("traces", &keys::TRACES).and_then(traces::traces),
            plugins: settings::plugins(self, &mut top),
            default_provider: top.text("default_provider"),
            clients: top.sections("clients", &keys::CLIENT).into_iter().filter_map(client::client).collect(),
            providers: top.sections("providers", &keys::PROVIDER).into_iter().filter_map(provider::provider).collect(),
            models: top.sections("models", &keys::MODEL).into_iter().filter_map(model::model).collect(),
        };
        top.finish();
        draft
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
    /// A node as a table; anything else is reported.
    pub(super) fn new(reader: &'r Reader<'r>, node: Node, keys: &'static Keys) -> Option<Self> {
        let node = value::from_variable(node, &['{']);
        let Value::Table(table) = node.value else {
            let message = format!("`{}` must be a table, not {}", keys.title, node.kind());
            reader.report(Problem::error(&node.place, message));
            return None;
        };
        Some(Self { reader, place: node.place, keys, table })
    }

    fn empty(reader: &'r Reader<'r>, place: Place, keys: &'static Keys) -> Self {
        Self { reader, place, keys, table: Table::new() }
    }

    /// Takes a value out, typed or not.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Node> {
        debug_assert!(self.keys.has(name), "`{name}` is missing in the list of keys of {}", self.keys.title);
        self.table.remove(name).map(|member| member.node)
    }

    /// Whether a key was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// A table within.
    pub(super) fn section(&mut self, name: &'static str, keys: &'static Keys) -> Option<Section<'r>> {
        Section::new(self.reader, self.take(name)?, keys)
    }

    /// A list of tables within.
    pub(super) fn sections(&mut self, name: &'static str, keys: &'static Keys) -> Vec<Section<'r>> {
        let Some(node) = self.take(name) else { return Vec::new() };
        let node = value::from_variable(node, &['[']);
        let Value::List(items) = node.value else {
            self.wrong(name, &node, "a list of tables", Some(format!("write `[[{name}]]`, once for each")));
            return Vec::new();
        };
        items.into_iter().filter_map(|item| Section::new(self.reader, item, keys)).collect()
    }

    /// Takes out every member whose value is a table: tables with names of the operator's choice.
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

    /// A key that must be there is not.
    pub(super) fn missing(&self, name: &str, help: &str) {
        if !self.reader.incomplete {
            let message = format!("`{}` needs `{name}`", self.keys.title);
            self.reader.report(Problem::error(&self.place, message).with_help(help));
        }
    }

    /// A value is not what the key takes.
    pub(super) fn wrong(&self, name: &str, node: &Node, wanted: &str, help: Option<String>) {
        let problem = Problem::error(&node.place, format!("`{name}` must be {wanted}, not {}", node.kind()));
        self.reader.report(Problem { help, ..problem });
    }

    /// Whatever was not asked for is unknown.
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
            self.reader.report(problem.with_help(suggest::for_key(name, self.keys)));
        }
    }
}
