//! What the commands on budgets, prices and teams share: a document is made, shown, changed, deleted, or listed as
//! rows.

use clap::Args;
use http::Method;
use serde_json::{Map, Value};

use super::admin::{Endpoints, named};
use super::{cell, table};
use crate::cli::failure::Failure;
use crate::cli::running::Running;
use crate::cli::{pretty, print_stderr};

/// A kind of document, as messages and paths name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) one: &'static str,
    pub(super) all: &'static str,
}

/// A document by its name.
#[derive(Debug, Args)]
pub(in crate::cli) struct Named {
    /// The name, as `list` prints it.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) running: Running,
}

/// The options of a list.
#[derive(Debug, Args)]
pub(in crate::cli) struct Listing {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

impl Kind {
    /// Makes a document with these fields.
    pub(super) fn create(self, running: &Running, fields: Map<String, Value>) -> Result<String, Failure> {
        let path = format!("/{}", self.all);
        let made = Endpoints::of(running)?.send(Method::POST, &path, &[], Some(&Value::Object(fields)))?;
        warn(&made);
        Ok(format!("the {} {} is made", self.one, cell(&made["id"])))
    }
}

/// Prints what an answer warns of.
fn warn(answer: &Value) {
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        print_stderr(&format!("warning: {}", cell(warning)));
    }
}

impl Named {
    pub(super) fn show(&self, kind: Kind) -> Result<String, Failure> {
        Ok(pretty(&self.send(kind, Method::GET, None)?)?)
    }

    pub(super) fn change(&self, kind: Kind, fields: Map<String, Value>) -> Result<String, Failure> {
        let changed = self.send(kind, Method::PATCH, Some(&Value::Object(fields)))?;
        Ok(format!("the {} {} is changed", kind.one, cell(&changed["id"])))
    }

    pub(super) fn delete(&self, kind: Kind) -> Result<String, Failure> {
        self.send(kind, Method::DELETE, None).map(|_| "deleted".to_owned())
    }

    fn send(&self, kind: Kind, method: Method, body: Option<&Value>) -> Result<Value, Failure> {
        let path = named(kind.all, &self.name)?;
        Ok(Endpoints::of(&self.running)?.send(method, &path, &[], body)?)
    }
}

impl Listing {
    /// All pages of the documents at this path.
    pub(super) fn rows<const N: usize>(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        heading: [&str; N],
        row: impl Fn(&Value) -> [String; N],
    ) -> Result<String, Failure> {
        self.print(self.endpoints()?.list(path, filter)?, heading, row)
    }

    /// Documents as JSON if that is asked for, or else as a table.
    pub(super) fn print<const N: usize>(
        &self,
        documents: Vec<Value>,
        heading: [&str; N],
        row: impl Fn(&Value) -> [String; N],
    ) -> Result<String, Failure> {
        if self.json {
            return Ok(pretty(&Value::Array(documents))?);
        }
        Ok(table(heading, &documents.iter().map(row).collect::<Vec<_>>()))
    }

    pub(super) fn endpoints(&self) -> Result<Endpoints, Failure> {
        Endpoints::of(&self.running)
    }
}
