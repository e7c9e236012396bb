//! `weir keys …`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::access_args::AccessArgs;
use super::admin::{Endpoints, named};
use super::document::Listing;
use super::{cell, table};
use crate::cli::failure::{CommandError, Failure};
use crate::cli::pretty;
use crate::cli::running::Running;
use weir_identity::KeyId;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Makes a key and prints its text, which nothing shows again.
    ///
    /// Standard output has the text and nothing else, so that a script can take it:
    /// `KEY=$(weir keys create build --team red)`.
    Create(Box<Create>),
    /// Lists keys: id, name, team, status, expiry.
    List(List),
    /// Shows a key as JSON. Its text and hashes are not part of it.
    Show(One),
    /// Changes the fields of a key that are given; the others stay.
    ///
    /// A list (models, operations, tags) replaces the former one. `--budget` changes the amount of the key's budget in
    /// dollars for the same window, or adds one. To remove a field, send `null` for it by `PATCH /admin/v1/keys/ID`:
    /// docs/keys.md.
    Set(Box<Set>),
    /// Gives a key a new text under the same id, and prints it. The former text stays valid for the time of `--grace`.
    Rotate(Rotate),
    /// Gives a key to another team, or to none. Its text stays the same.
    Move(Move),
    /// Refuses a key from now on, until it is enabled.
    Disable(One),
    /// Accepts a disabled key again.
    Enable(One),
    /// Deletes a key for good.
    Delete(One),
    /// Lists rows of the store whose kind or id was damaged, so that no other command finds them; removes one.
    Damaged(Damaged),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// A name for people, unique within the team.
    name: String,
    /// The team whose rights, limits and budgets apply too.
    #[arg(long)]
    team: Option<String>,
    /// The user that it belongs to.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    terms: KeyTerms,
    #[command(flatten)]
    running: Running,
}

/// How long a key is valid, and what it may do and use.
#[derive(Debug, Args)]
struct KeyTerms {
    /// When it expires: a day or a time (UTC) such as 2027-01-31 or 2027-01-31T08:00:00Z, or from now on such as 90d or
    /// 12h.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
}

impl KeyTerms {
    /// Adds the time, if one was given, to the fields of a document.
    fn write_expiry(&self, fields: &mut Map<String, Value>) -> Result<(), KeyError> {
        if let Some(expires) = &self.expires {
            fields.insert("expires".to_owned(), json!(time(expires, Timestamp::now())?.to_string()));
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only keys of this team.
    #[arg(long)]
    team: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// The key's id: the part of its text after `sk-weir-`.
    id: String,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Damaged {
    /// Removes the row with this mark for good, with an entry in the audit log.
    #[arg(long, value_name = "MARK")]
    remove: Option<String>,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    /// The key's id: the part of its text after `sk-weir-`.
    id: String,
    /// A name for people, unique within the team.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    terms: KeyTerms,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// The key's id: the part of its text after `sk-weir-`.
    id: String,
    /// How long the former text stays valid: 0s to 30d.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    grace: String,
    /// Rotates again while the grace of the last rotation still runs, for a new text that was lost.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Move {
    /// The key's id: the part of its text after `sk-weir-`.
    id: String,
    #[command(flatten)]
    to: Destination,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Destination {
    /// The team that it belongs to from now on.
    #[arg(long)]
    team: Option<String>,
    /// Takes it out of its team.
    #[arg(long)]
    no_team: bool,
}

pub(in crate::cli) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Create(asked) => create(&asked),
        Command::List(asked) => list(&asked),
        Command::Show(asked) => asked.send(Method::GET, "").and_then(|key| Ok(pretty(&key)?)),
        Command::Set(asked) => set(&asked),
        Command::Rotate(asked) => rotate(&asked),
        Command::Move(asked) => move_to(&asked),
        Command::Disable(asked) => asked.send(Method::POST, "/disable").map(|_| "disabled".to_owned()),
        Command::Enable(asked) => asked.send(Method::POST, "/enable").map(|_| "enabled".to_owned()),
        Command::Delete(asked) => asked.send(Method::DELETE, "").map(|_| "deleted".to_owned()),
        Command::Damaged(asked) => damaged(&asked),
    };
    crate::cli::finish(done)
}

impl One {
    fn send(&self, method: Method, verb: &str) -> Result<Value, Failure> {
        let path = path(&self.id, verb)?;
        Ok(Endpoints::of(&self.running)?.send(method, &path, &[], None)?)
    }
}

/// What is wrong with the arguments.
#[derive(Debug, thiserror::Error)]
enum KeyError {
    /// Perhaps the whole key, which must not be logged: the words do not repeat it.
    #[error(
        "that is no key's id: it is the part of a key after `sk-weir-`, {} characters; `weir keys list` has it beside the \
         key's name",
        KeyId::LENGTH
    )]
    Id,
    /// The expiry.
    #[error("`{0}` is not a time such as 2027-01-31, 2027-01-31T08:00:00Z, 90d or 12h")]
    Time(String),
}

impl CommandError for KeyError {
    const IS_OF_USAGE: bool = true;
}

/// The path of a key. Whole keys are refused: paths are logged.
fn path(id: &str, verb: &str) -> Result<String, KeyError> {
    if id.len() != KeyId::LENGTH || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(KeyError::Id);
    }
    Ok(format!("/keys/{id}{verb}"))
}

fn create(asked: &Create) -> Result<String, Failure> {
    let mut fields = Map::from_iter([("name".to_owned(), json!(asked.name))]);
    let owner = [("team", &asked.team), ("user", &asked.user)];
    let owner: Map<String, Value> =
        owner.into_iter().filter_map(|(name, id)| Some((name.to_owned(), json!(id.as_ref()?)))).collect();
    fields.insert("owner".to_owned(), Value::Object(owner));
    asked.terms.write_expiry(&mut fields)?;
    asked.terms.access.write(&mut fields)?;
    let made = Endpoints::of(&asked.running)?.send(Method::POST, "/keys", &[], Some(&Value::Object(fields)))?;
    crate::cli::print_stderr(&format!("the key {} is made; its text is shown only now:", cell(&made["id"])));
    Ok(cell(&made["key"]))
}

fn set(asked: &Set) -> Result<String, Failure> {
    let mut fields = Map::new();
    if let Some(name) = &asked.name {
        fields.insert("name".to_owned(), json!(name));
    }
    asked.terms.write_expiry(&mut fields)?;
    let key = asked.terms.access.change(&asked.running, &path(&asked.id, "")?, fields)?;
    Ok(format!("the key {} is changed", cell(&key["id"])))
}

fn rotate(asked: &Rotate) -> Result<String, Failure> {
    let body = json!({"grace": asked.grace, "again": asked.again});
    let path = path(&asked.id, "/rotate")?;
    let key = Endpoints::of(&asked.running)?.send(Method::POST, &path, &[], Some(&body))?;
    let ends = cell(&key["rotated"]["grace_ends"]);
    crate::cli::print_stderr(&format!("the previous key stays valid until {ends}; the new one is shown only now:"));
    Ok(cell(&key["key"]))
}

fn move_to(asked: &Move) -> Result<String, Failure> {
    let path = path(&asked.id, "/move")?;
    let body = json!({"team": asked.to.team});
    let key = Endpoints::of(&asked.running)?.send(Method::POST, &path, &[], Some(&body))?;
    let whose = asked.to.team.as_ref().map_or_else(|| "no team".to_owned(), |team| format!("the team {team}"));
    Ok(format!("the key {} belongs to {whose} now", cell(&key["id"])))
}

fn list(asked: &List) -> Result<String, Failure> {
    let filter: Vec<(&str, &str)> = asked.team.iter().map(|team| ("team", team.as_str())).collect();
    let row =
        |key: &Value| [&key["id"], &key["name"], &key["owner"]["team"], &key["status"], &key["expires"]].map(cell);
    asked.listing.rows("/keys", &filter, ["ID", "NAME", "TEAM", "STATUS", "EXPIRES"], row)
}

fn damaged(asked: &Damaged) -> Result<String, Failure> {
    let endpoints = Endpoints::of(&asked.running)?;
    if let Some(mark) = &asked.remove {
        endpoints.send(Method::DELETE, &named("damaged", mark)?, &[], None)?;
        return Ok("removed".to_owned());
    }
    let found = endpoints.send(Method::GET, "/damaged", &[], None)?;
    // What is damaged may have letters that a terminal obeys.
    let plain = |value: &Value| cell(value).escape_debug().to_string();
    let row = |row: &Value| [&row["mark"], &row["kind"], &row["id"], &row["revision"]].map(plain);
    let rows: Vec<_> = found["items"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return Ok("no row has a damaged kind or id".to_owned());
    }
    Ok(table(["MARK", "KIND", "ID", "REVISION"], &rows))
}

/// How a day is written.
const DAY: &str = "2027-01-31";

/// A time, the beginning of a day, or a time from now on: `90d`, `12h`, `30m`.
fn time(text: &str, now: Timestamp) -> Result<Timestamp, KeyError> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    // A date with a time but without a zone would be read as its day alone.
    let day = Some(text).filter(|text| text.len() == DAY.len()).and_then(|text| text.parse::<Date>().ok());
    if let Some(beginning) = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok()) {
        return Ok(beginning.timestamp());
    }
    let wrong = || KeyError::Time(text.to_owned());
    let length = crate::time::length(text).ok_or_else(wrong)?;
    // To the second: more would make a list hard to read.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    now.checked_add(length).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_length() {
        let now: Timestamp = "2026-11-21T12:00:00.123456789Z".parse().unwrap();
        let read = |text| time(text, now).map(|time| time.to_string());
        assert_eq!(read("2027-01-31T00:00:00Z").unwrap(), "2027-01-31T00:00:00Z");
        assert_eq!(read("2027-01-31").unwrap(), "2027-01-31T00:00:00Z");
        assert_eq!(read("90d").unwrap(), "2027-02-19T12:00:00Z");
        assert_eq!(read("12h").unwrap(), "2026-11-22T00:00:00Z");
        for wrong in ["", "5", "d", "-1d", "9999999999999999d", "1y", "2027-02-30", "2027", "2027-01-31T08:00:00"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_whole_key_becomes_part_of_a_path() {
        assert_eq!(path("0123456789ab", "/enable").unwrap(), "/keys/0123456789ab/enable");
        for wrong in ["", "sk-weir-0123456789ab-x", "../config", "a/b"] {
            assert!(path(wrong, "").is_err(), "{wrong}");
        }
    }
}
