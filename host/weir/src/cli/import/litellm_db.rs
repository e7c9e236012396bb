//! `weir import litellm-db`: keys, teams, organisations and users from LiteLLM's database, by the admin endpoints of a
//! running Weir.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::failure::{CommandError, Failure};
use crate::cli::running::{CallError, Running};
use weir_import::litellm::database::{Address, Converter, RowError, Table};
use weir_store::{ForeignDatabase, StoreError};
use weir_upstream::{AdminClient, AdminError};

/// How long the database may take to be reached, and to be silent.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(in crate::cli) struct LitellmDb {
    /// The database's address, as LiteLLM's `DATABASE_URL` has it. Other users of the machine can read command lines:
    /// set the variable instead.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database: String,
    /// Shows what would be made, and makes nothing. No running Weir is needed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    running: Running,
}

/// How many documents of a table there are, and what became of them.
#[derive(Debug, Default)]
struct Count {
    rows: usize,
    made: usize,
    known: usize,
    refused: Vec<String>,
}

/// Refusals that are printed of each table.
const SHOWN: usize = 20;

/// Why documents are not carried over, or not all of them.
#[derive(Debug, thiserror::Error)]
enum CarryError {
    /// The system offers no certificates to check the database's against.
    #[error("{0}")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
    /// LiteLLM's database fails, which is no store of Weir's.
    #[error("{}", of_database(.0))]
    Database(#[from] StoreError),
    /// The database is another program's.
    #[error("the database has no table `{0}`: is it LiteLLM's?")]
    NoTable(&'static str),
    /// A row is none of its table's.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Weir does not answer, or takes no documents at all.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Weir did not take some of the documents.
    #[error("{count} documents were refused\n{report}")]
    Refused {
        /// How many.
        count: usize,
        /// What became of all.
        report: String,
    },
}

impl CommandError for CarryError {}

pub(super) fn run(asked: &LitellmDb) -> Result<String, Failure> {
    let mut database = open(&asked.database)?;
    if !database.has_table(Table::Keys.name()).map_err(CarryError::from)? {
        return Err(CarryError::NoTable(Table::Keys.name()).into());
    }
    let client = if asked.dry_run { None } else { Some(asked.running.client()?) };
    let mut converter = Converter::new(Timestamp::now());
    let mut report = String::new();
    let mut refused = 0;
    for table in Table::ALL {
        if !database.has_table(table.name()).map_err(CarryError::from)? {
            continue;
        }
        let count = carry_over(&mut database, table, &mut converter, client.as_ref())?;
        refused += count.refused.len();
        describe(&mut report, table, &count, asked.dry_run);
    }
    for note in converter.notes() {
        report.extend(["note: ", &note, "\n"]);
    }
    if !converter.budget_tables().is_empty() {
        report.push_str(
            "\nBudgets of users, of members of teams, of projects and of tags count by tags. Add to the configuration:\n\n",
        );
        report.push_str(converter.budget_tables());
    }
    let report = report.trim_end().to_owned();
    if refused == 0 { Ok(report) } else { Err(CarryError::Refused { count: refused, report }.into()) }
}

fn open(url: &str) -> Result<ForeignDatabase, CarryError> {
    let address = Address::parse(url);
    let tls = weir_upstream::tls_config().map_err(|error| CarryError::Tls(error.into()))?;
    Ok(ForeignDatabase::open(&address.url, address.schema.as_deref(), tls, TIMEOUT)?)
}

/// A failure of LiteLLM's database in words: those of the error speak of Weir's own store.
fn of_database(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(why) | StoreError::Refused(why) | StoreError::Unreadable(why) => {
            format!("the database: {why}")
        }
        StoreError::Settings(why) => format!("the database's address: {why}"),
        error => format!("the database: {error}"),
    }
}

/// Converts the rows of a table, and makes the documents that Weir does not have.
fn carry_over(
    database: &mut ForeignDatabase,
    table: Table,
    converter: &mut Converter,
    client: Option<&AdminClient>,
) -> Result<Count, CarryError> {
    let mut count = Count::default();
    let known = match (table.path(), client) {
        (Some(path), Some(client)) if !is_of_keys(table) => ids(client, path)?,
        _ => BTreeSet::new(),
    };
    let mut failure = None;
    let read = database.rows(table.name(), table.order(), |row| {
        if failure.is_some() {
            return;
        }
        match converter.convert(table, row) {
            Ok(Some(document)) => {
                failure = take(&mut count, table, &document, &known, client).err().map(CarryError::from);
            }
            Ok(None) => {}
            Err(error) => failure = Some(error.into()),
        }
        progress(table, &count);
    });
    read?;
    end_of_progress(&count);
    failure.map_or(Ok(count), Err)
}

fn take(
    count: &mut Count,
    table: Table,
    document: &Value,
    known: &BTreeSet<String>,
    client: Option<&AdminClient>,
) -> Result<(), CallError> {
    count.rows += 1;
    let (Some(client), Some(path)) = (client, table.path()) else { return Ok(()) };
    if document["id"].as_str().is_some_and(|id| known.contains(id)) {
        count.known += 1;
        return Ok(());
    }
    match client.send_for_status(Method::POST, &format!("/admin/v1{path}"), &[], Some(document)) {
        Ok((StatusCode::CREATED, _)) => count.made += 1,
        Ok(_) => count.known += 1,
        // The key was given another name or team since it was taken over.
        Err(AdminError::Status { code: Some(code), .. }) if code == "key_taken" => count.known += 1,
        // What is wrong with one document does not keep the others out. No store, no rights and no Weir do.
        Err(AdminError::Status { status, message, .. })
            if [StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY].contains(&status) =>
        {
            let name = [&document["id"], &document["name"]].into_iter().find_map(Value::as_str).unwrap_or_default();
            count.refused.push(format!("{name}: {}", message.unwrap_or_else(|| status.to_string())));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

const fn is_of_keys(table: Table) -> bool {
    matches!(table, Table::Keys | Table::ReplacedKeys)
}

/// The ids that Weir has already.
fn ids(client: &AdminClient, path: &str) -> Result<BTreeSet<String>, CallError> {
    let (mut all, mut cursor) = (BTreeSet::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "1000")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.search(&format!("/admin/v1{path}"), &query)?;
        let items = page["items"].as_array().into_iter().flatten();
        all.extend(items.filter_map(|item| item["id"].as_str().map(str::to_owned)));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
}

fn describe(report: &mut String, table: Table, count: &Count, is_dry: bool) {
    let kind = match table {
        Table::Organisations => "organisations",
        Table::Teams => "teams",
        Table::Users => "users",
        Table::Keys => "keys",
        Table::ReplacedKeys => "keys in the grace of a rotation",
        _ => return,
    };
    let line = if is_dry {
        format!("{kind}: {} would be made\n", count.rows)
    } else {
        format!("{kind}: {} made, {} known already, {} refused\n", count.made, count.known, count.refused.len())
    };
    report.push_str(&line);
    for refusal in count.refused.iter().take(SHOWN) {
        report.extend(["  refused: ", refusal, "\n"]);
    }
}

/// Shows on a terminal how far a long table is.
fn progress(table: Table, count: &Count) {
    let mut errors = std::io::stderr();
    if count.rows.is_multiple_of(500) && count.rows > 0 && errors.is_terminal() {
        let _ = write!(errors, "\r{}: {}", table.name(), count.rows);
    }
}

fn end_of_progress(count: &Count) {
    let mut errors = std::io::stderr();
    if count.rows >= 500 && errors.is_terminal() {
        let _ = writeln!(errors);
    }
}
