//! `weir teams …`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::access_args::AccessArgs;
use super::admin::Endpoints;
use super::cell;
use super::document::{Kind, Listing};
use crate::cli::failure::{CommandError, Failure};
use crate::cli::pretty;
use crate::cli::running::Running;

const TEAM: Kind = Kind { one: "team", all: "teams" };

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Makes a team.
    Create(Box<Create>),
    /// Lists teams: id, name, organisation, whether they are disabled.
    List(Listing),
    /// Shows a team as JSON.
    Show(One),
    /// Changes the fields of a team that are given; the others stay.
    ///
    /// A list (models, operations, tags) replaces the former one. `--budget` changes the amount of the team's budget in
    /// dollars for the same window, or adds one. To remove a field, send `null` for it by `PATCH /admin/v1/teams/ID`:
    /// docs/keys.md.
    Set(Box<Set>),
    /// Refuses all keys of a team from now on, until it is enabled.
    Disable(One),
    /// Accepts the keys of a disabled team again.
    Enable(One),
    /// Deletes a team; one that has keys only with `--with-keys`.
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// The id: letters, digits, and any of . _ - @ : + =
    id: String,
    /// A name for people. By default the id.
    #[arg(long)]
    name: Option<String>,
    /// The organisation whose rights, limits and budgets apply too.
    #[arg(long)]
    organisation: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// The team's id.
    id: String,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    /// The team's id.
    id: String,
    /// A name for people.
    #[arg(long)]
    name: Option<String>,
    /// The organisation whose rights, limits and budgets apply too.
    #[arg(long)]
    organisation: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// Deletes the team's keys too. Without this option, a team that has keys stays.
    #[arg(long)]
    with_keys: bool,
    #[command(flatten)]
    one: One,
}

pub(in crate::cli) fn run(command: Command) -> ExitCode {
    let switched = |asked: &One, disabled: bool| {
        let body = json!({"disabled": disabled});
        asked.send(Method::PATCH, &[], Some(&body)).map(|_| if disabled { "disabled" } else { "enabled" }.to_owned())
    };
    let done = match command {
        Command::Create(asked) => create(&asked),
        Command::List(asked) => list(&asked),
        Command::Show(asked) => asked.send(Method::GET, &[], None).and_then(|team| Ok(pretty(&team)?)),
        Command::Set(asked) => set(&asked),
        Command::Disable(asked) => switched(&asked, true),
        Command::Enable(asked) => switched(&asked, false),
        Command::Delete(Delete { one, with_keys }) => {
            let query: &[(&str, &str)] = if with_keys { &[("keys", "delete")] } else { &[] };
            one.send(Method::DELETE, query, None).map(|_| "deleted".to_owned())
        }
    };
    crate::cli::finish(done)
}

/// A text is no team's id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a team's id: it has letters, digits, and any of . _ - @ : + =")]
struct NoTeamId(String);

impl CommandError for NoTeamId {
    const IS_OF_USAGE: bool = true;
}

impl One {
    fn send(&self, method: Method, query: &[(&str, &str)], body: Option<&Value>) -> Result<Value, Failure> {
        let path = path(&self.id)?;
        Ok(Endpoints::of(&self.running)?.send(method, &path, query, body)?)
    }
}

fn path(id: &str) -> Result<String, NoTeamId> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:+=".contains(&byte);
    if id.is_empty() || !id.bytes().all(is_id) {
        return Err(NoTeamId(id.to_owned()));
    }
    Ok(format!("/teams/{id}"))
}

fn create(asked: &Create) -> Result<String, Failure> {
    let name = asked.name.as_ref().unwrap_or(&asked.id);
    let mut fields = Map::from_iter([("id".to_owned(), json!(asked.id)), ("name".to_owned(), json!(name))]);
    if let Some(organisation) = &asked.organisation {
        fields.insert("organisation".to_owned(), json!(organisation));
    }
    asked.access.write(&mut fields)?;
    TEAM.create(&asked.running, fields)
}

fn set(asked: &Set) -> Result<String, Failure> {
    let given = [("name", &asked.name), ("organisation", &asked.organisation)];
    let fields =
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect();
    let team = asked.access.change(&asked.running, &path(&asked.id)?, fields)?;
    Ok(format!("the team {} is changed", cell(&team["id"])))
}

fn list(listing: &Listing) -> Result<String, Failure> {
    let row = |team: &Value| [&team["id"], &team["name"], &team["organisation"], &team["disabled"]].map(cell);
    listing.rows("/teams", &[], ["ID", "NAME", "ORGANISATION", "DISABLED"], row)
}
