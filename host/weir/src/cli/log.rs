//! `weir log …`: reads the log of requests of a running Weir.

mod exchange;
mod line;
mod lines;
mod search;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::Value;

use self::line::Columns;
use self::lines::Lines;
use super::failure::{CommandError, Failure, FileError, UnwritableJson};
use super::identity::admin::Endpoints;
use super::running::{CallError, Running};
pub(super) use exchange::{KeptExchange, exchange};
pub(super) use search::Search;
use weir_upstream::AdminClient;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows requests as they end.
    Tail(Tail),
    /// Finds requests, newest first.
    Search(Find),
    /// Shows everything about one request.
    Show(Show),
    /// Writes all requests that match the options, as lines of JSON or as a Parquet file.
    Export(Export),
    /// Shows how many requests of a day the log lacks: lost in a crash, dropped from a full queue, or erased.
    Gaps(Gaps),
    /// Removes everything about the requests of a user or a key. Sums of use stay.
    Erase(Erase),
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    search: Search,
    /// Prints JSON lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Find {
    #[command(flatten)]
    search: Search,
    /// The maximum number of requests to print.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
    /// Prints JSON lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The request's id, as in the header x-weir-request-id.
    id: String,
    /// Shows the request's content too, if it was kept.
    #[arg(long)]
    bodies: bool,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    search: Search,
    /// The file to write; standard output by default.
    #[arg(short, long, alias = "output", value_name = "FILE")]
    out: Option<PathBuf>,
    /// `json`: a line for each request. `otlp`: lines of OpenTelemetry's `LogsData`, each with many requests.
    /// `parquet`: a Parquet file.
    #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
    format: ExportFormat,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Gaps {
    /// The day, such as 2026-11-21; today by default.
    day: Option<String>,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Erase {
    #[command(flatten)]
    whose: ErasureArgs,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ErasureArgs {
    /// The user's id, as `user` in the log has it.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The key's id, as `key` in the log has it: of a key, a client, or the account that a token names.
    #[arg(long, value_name = "ID")]
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    Json,
    Otlp,
    Parquet,
}

pub(super) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Tail(asked) => tail(&asked),
        Command::Search(asked) => find(&asked),
        Command::Show(asked) => show(&asked),
        Command::Export(asked) => export(&asked),
        Command::Gaps(asked) => gaps(&asked),
        Command::Erase(asked) => erase(&asked),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Requests as lines: for people in columns, or as JSON.
enum Form {
    Columns(Columns),
    Json,
}

impl Form {
    fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Columns(Columns::default()) }
    }

    fn lines(&mut self, facts: &[Value]) -> Vec<String> {
        match self {
            Self::Columns(columns) => columns.lines(facts),
            Self::Json => facts.iter().map(Value::to_string).collect(),
        }
    }
}

/// A line of the tail: a fact, or the number of requests that this reader has missed.
fn tail_line(data: &Value, form: &mut Form) -> String {
    match form {
        Form::Json if data.is_number() => serde_json::json!({"missed": data}).to_string(),
        Form::Columns(_) if data.is_number() => format!("… {data} more"),
        form => form.lines(std::slice::from_ref(data)).concat(),
    }
}

fn gaps(asked: &Gaps) -> Result<(), Failure> {
    let parameters: Vec<(&str, &str)> = asked.day.iter().map(|day| ("day", day.as_str())).collect();
    let found = asked.running.client()?.search("/admin/v1/requests/gaps", &parameters);
    let found = found.map_err(CallError)?;
    for gap in found["items"].as_array().into_iter().flatten() {
        let text = |name: &str| gap[name].as_str().unwrap_or_default();
        let (missing, process) = (&gap["missing"], text("process"));
        super::print(&format!("{missing} between {} and {} (process {process})", text("from"), text("to")));
    }
    super::print(&format!("the log lacks {} requests of the day", found["missing"]));
    Ok(())
}

fn erase(asked: &Erase) -> Result<(), Failure> {
    let of = |name, id: &Option<String>| id.clone().map(|id| (name, id));
    let whose = of("user", &asked.whose.user).or_else(|| of("key", &asked.whose.key));
    let parameters: Vec<(&str, &str)> = whose.iter().map(|(name, id)| (*name, id.as_str())).collect();
    let removed = asked.running.client()?.send(Method::DELETE, "/admin/v1/requests", &parameters, None);
    let removed = removed.map_err(CallError)?;
    let id = whose.as_ref().map_or("", |(_, id)| id);
    super::print(&format!("removed {} requests of {id}", removed["removed"]));
    Ok(())
}

fn tail(asked: &Tail) -> Result<(), Failure> {
    let parameters = asked.search.parameters()?;
    let (mut lines, mut form) = (Lines::default(), Form::new(asked.json));
    let mut show = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let data = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok());
        let Some(fact) = data else { return Ok(()) };
        writeln!(io::stdout(), "{}", super::inert(&tail_line(&fact, &mut form)))
    };
    let streamed = asked
        .running
        .client()?
        .stream("/admin/v1/requests/tail", &search::pairs(&parameters), |piece| lines.push(piece, &mut show));
    Ok(streamed.map_err(CallError)?)
}

fn find(asked: &Find) -> Result<(), Failure> {
    let client = asked.running.client()?;
    let parameters = asked.search.parameters()?;
    let mut found = print_pages(&client, &parameters, asked)?;
    // The log has keys by their ids. Several teams may have a key of one name.
    let name = asked.search.key.as_ref().filter(|_| found == 0);
    for id in name.map(|name| ids_of_keys(&asked.running, name)).unwrap_or_default() {
        let of_id = |(parameter, value): &(&'static str, String)| {
            (*parameter, if *parameter == "key" { id.clone() } else { value.clone() })
        };
        let parameters: Vec<_> = parameters.iter().map(of_id).collect();
        found += print_pages(&client, &parameters, asked)?;
    }
    if found == 0 && io::stdout().is_terminal() {
        super::print_stderr("no request of the log meets this search");
    }
    Ok(())
}

/// Prints what a search finds, page by page, and returns the number of requests.
fn print_pages(client: &AdminClient, parameters: &[(&'static str, String)], asked: &Find) -> Result<u32, CallError> {
    // Programs read lines of requests only.
    let mut has_head = !asked.json && io::stdout().is_terminal();
    let mut form = if has_head { Form::Columns(Columns::with_head()) } else { Form::new(asked.json) };
    let mut left = asked.limit;
    let mut cursor = None::<String>;
    while left > 0 {
        let limit = left.min(1_000).to_string();
        let mut pairs = search::pairs(parameters);
        pairs.push(("limit", &limit));
        if let Some(cursor) = &cursor {
            pairs.push(("cursor", cursor));
        }
        let page = client.search("/admin/v1/requests", &pairs).map_err(CallError)?;
        let facts = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lines = form.lines(facts);
        if let Form::Columns(columns) = &form
            && has_head
            && !lines.is_empty()
        {
            super::print(&columns.head());
            has_head = false;
        }
        for line in &lines {
            super::print(line);
        }
        left = left.saturating_sub(u32::try_from(facts.len()).unwrap_or(u32::MAX));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(asked.limit - left)
}

/// The ids of the store's keys with this name. A Weir that does not list its keys has none.
fn ids_of_keys(running: &Running, name: &str) -> Vec<String> {
    let keys = Endpoints::of(running).and_then(|endpoints| Ok(endpoints.list("/keys", &[])?)).unwrap_or_default();
    let named = keys.iter().filter(|key| key["name"].as_str() == Some(name));
    named.filter_map(|key| key["id"].as_str().map(str::to_owned)).collect()
}

fn show(asked: &Show) -> Result<(), Failure> {
    let mut fact = one(&asked.running, &asked.id)?;
    if asked.bodies {
        let kept = exchange(&asked.running, &asked.id)?;
        fact["exchange"] = serde_json::to_value(&kept).map_err(UnwritableJson::from)?;
    }
    super::print(&super::pretty(&fact)?);
    Ok(())
}

/// One request with the explanation of its cost.
pub(super) fn one(running: &Running, id: &str) -> Result<Value, Failure> {
    plain(id)?;
    Ok(running.client()?.get(&format!("/admin/v1/requests/{id}")).map_err(CallError)?)
}

/// What is wrong with the arguments.
#[derive(Debug, thiserror::Error)]
enum LogError {
    /// The text is not a request's id.
    #[error("`{0}` is not the id of a request; `weir log search --client-id` finds a client's own ids")]
    Id(String),
    /// What is exported is no text.
    #[error("a Parquet file is not for a terminal: name a file with --out")]
    Terminal,
}

impl CommandError for LogError {
    const IS_OF_USAGE: bool = true;
}

/// Checks that a text can be the id of a request.
fn plain(id: &str) -> Result<(), LogError> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Ok(());
    }
    Err(LogError::Id(id.to_owned()))
}

fn export(asked: &Export) -> Result<(), Failure> {
    let mut parameters = asked.search.parameters()?;
    match asked.format {
        ExportFormat::Json => {}
        ExportFormat::Otlp => parameters.push(("format", "otlp".to_owned())),
        ExportFormat::Parquet => parameters.push(("format", "parquet".to_owned())),
    }
    if matches!(asked.format, ExportFormat::Parquet) && asked.out.is_none() && io::stdout().is_terminal() {
        return Err(LogError::Terminal.into());
    }
    let client = asked.running.client()?;
    let write = |out: &mut dyn io::Write| -> Result<(), Failure> {
        let mut out = BufWriter::new(out);
        let streamed =
            client.stream("/admin/v1/requests/export", &search::pairs(&parameters), |piece| out.write_all(piece));
        streamed.map_err(CallError)?;
        Ok(out.flush().map_err(Unflushed)?)
    };
    let Some(file) = &asked.out else { return write(&mut io::stdout()) };
    // What was exported before stays until all of this is there.
    let beside = file.with_added_extension("part");
    let mut out = File::create(&beside).map_err(FileError::at(&beside))?;
    let written = write(&mut out).and_then(|()| Ok(std::fs::rename(&beside, file).map_err(FileError::at(file))?));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// The last of an export cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unflushed(#[from] io::Error);

impl CommandError for Unflushed {}

/// Gives each request that meets a search to `take`.
pub(super) fn each(running: &Running, search: &Search, mut take: impl FnMut(Value)) -> Result<(), Failure> {
    let parameters = search.parameters()?;
    let mut lines = Lines::default();
    let streamed = running.client()?.stream("/admin/v1/requests/export", &search::pairs(&parameters), |piece| {
        lines.push(piece, |line| {
            take(serde_json::from_slice(line)?);
            Ok(())
        })
    });
    Ok(streamed.map_err(CallError)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_tail_is_json_if_that_is_asked_for() {
        for data in [serde_json::json!(5), serde_json::json!({"id": "x"})] {
            assert!(serde_json::from_str::<Value>(&tail_line(&data, &mut Form::new(true))).unwrap().is_object());
        }
        assert_eq!(tail_line(&serde_json::json!(5), &mut Form::new(false)), "… 5 more");
    }
}
