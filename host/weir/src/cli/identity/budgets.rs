//! `weir budgets …`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::cell;
use super::document::{Kind, Listing, Named};
use crate::cli::failure::{CommandError, Failure};
use crate::cli::running::Running;

const BUDGET: Kind = Kind { one: "budget", all: "budgets" };

/// What a budget can limit, one of which it does.
const UNITS: [&str; 3] = ["usd", "tokens", "requests"];
/// Whose use a budget can count, besides `all`.
const SCOPES: [&str; 6] = ["key", "team", "org", "tag", "model", "provider"];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Lists all budgets: name, whose use counts, limit, used and left, when the window resets, where it is defined.
    List(List),
    /// Shows a budget as JSON.
    Show(Named),
    /// Makes a budget.
    Create(Box<Create>),
    /// Changes the fields of a budget that are given. What was used stays counted while unit, window and time zone stay
    /// the same.
    Set(Box<Set>),
    /// Deletes a budget.
    Delete(Named),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only budgets whose names begin with this, such as `team/red/`.
    #[arg(long)]
    prefix: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
#[command(mut_arg("per", |per| per.required(true)))]
pub(in crate::cli) struct Create {
    /// The name: letters, digits, and any of . _ - @ : + =
    name: String,
    /// Whose use counts: `all`, or one of key=ID, team=ID, org=ID, tag=TAG, model=MODEL, provider=NAME.
    #[arg(long = "for", value_name = "WHO")]
    scope: String,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    budget: Named,
}

/// What a budget says besides its name and whose use counts.
#[derive(Debug, Default, Args)]
struct Fields {
    /// The limit in US dollars per window.
    #[arg(long, value_name = "DOLLARS")]
    usd: Option<String>,
    /// The limit in tokens per window, input and output together, in place of dollars.
    #[arg(long, value_name = "NUMBER", conflicts_with = "usd")]
    tokens: Option<u64>,
    /// The limit in requests per window, in place of dollars.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["usd", "tokens"])]
    requests: Option<u64>,
    /// The window: minute, hour, day, week, month, total, or a number of days such as 30d.
    #[arg(long, value_name = "WINDOW")]
    per: Option<String>,
    /// The time zone in which days begin, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// The share of the limit from which on answers carry a warning, such as 0.8.
    #[arg(long, value_name = "SHARE")]
    soft: Option<String>,
    /// The share of the limit at which a running stream is ended, such as 1.2.
    #[arg(long, value_name = "SHARE")]
    abort_at: Option<String>,
    /// What happens to requests that no longer fit: refuse, notify (send them and warn), or downgrade=MODEL.
    #[arg(long, value_name = "WHAT")]
    when_over: Option<String>,
    /// What happens to requests without a price: refuse, allow, or assume=DOLLARS for a million tokens.
    #[arg(long, value_name = "WHAT")]
    unpriced: Option<String>,
}

pub(in crate::cli) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::List(asked) => list(&asked),
        Command::Show(asked) => asked.show(BUDGET),
        Command::Create(asked) => create(&asked),
        Command::Set(asked) => set(&asked),
        Command::Delete(asked) => asked.delete(BUDGET),
    };
    crate::cli::finish(done)
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum BudgetError {
    /// It is not said what may be spent.
    #[error("the budget has no limit: give --usd, --tokens or --requests")]
    NoLimit,
    /// A change without anything that changes.
    #[error("nothing is to be changed: give --usd, --per or another field")]
    NoChange,
    /// It names no subject.
    #[error("--for takes `all` or one of key=, team=, org=, tag=, model=, provider=, not `{0}`")]
    Scope(String),
    /// A word that is not among those of its option.
    #[error("`{text}` is none of {words}, {member}=...")]
    Word { text: String, words: String, member: &'static str },
}

impl CommandError for BudgetError {
    const IS_OF_USAGE: bool = true;
}

fn create(asked: &Create) -> Result<String, Failure> {
    let mut fields = asked.fields.written()?;
    fields.insert("id".to_owned(), json!(asked.name));
    fields.insert("for".to_owned(), scope(&asked.scope)?);
    if UNITS.iter().all(|unit| !fields.contains_key(*unit)) {
        return Err(BudgetError::NoLimit.into());
    }
    BUDGET.create(&asked.running, fields)
}

fn set(asked: &Set) -> Result<String, Failure> {
    let mut fields = asked.fields.written()?;
    if fields.is_empty() {
        return Err(BudgetError::NoChange.into());
    }
    // Another unit takes the place of the one before.
    if UNITS.iter().any(|unit| fields.contains_key(*unit)) {
        for unit in UNITS {
            fields.entry(unit).or_insert(Value::Null);
        }
    }
    asked.budget.change(BUDGET, fields)
}

fn list(asked: &List) -> Result<String, Failure> {
    let filter: Vec<(&str, &str)> = asked.prefix.iter().map(|prefix| ("prefix", prefix.as_str())).collect();
    let row = |budget: &Value| {
        let place = if budget["place"].is_null() { &budget["origin"] } else { &budget["place"] };
        let limit = format!("{} {}", cell(&budget["limit"]), cell(&budget["unit"]));
        let [name, spent, left, resets, place] =
            [&budget["name"], &budget["spent"], &budget["left"], &budget["resets"], place].map(cell);
        [name, subject(&budget["for"]), limit, spent, left, resets, place]
    };
    let heading = ["NAME", "FOR", "LIMIT", "SPENT", "LEFT", "RESETS", "STANDS IN"];
    asked.listing.rows("/budgets", &filter, heading, row)
}

/// Whose use counts, as it is given to `create`.
fn subject(scope: &Value) -> String {
    let only = scope.as_object().and_then(|scope| scope.iter().next());
    only.map_or_else(|| cell(scope), |(kind, name)| format!("{kind}={}", cell(name)))
}

fn scope(text: &str) -> Result<Value, BudgetError> {
    if text == "all" {
        return Ok(json!("all"));
    }
    let pair = text.split_once('=').filter(|(kind, name)| SCOPES.contains(kind) && !name.is_empty());
    let (kind, name) = pair.ok_or_else(|| BudgetError::Scope(text.to_owned()))?;
    Ok(Value::Object(Map::from_iter([(kind.to_owned(), json!(name))])))
}

impl Fields {
    /// What was given, as the endpoints take it.
    fn written(&self) -> Result<Map<String, Value>, BudgetError> {
        let one_of = |text: &String, words: &[&str], member: &'static str| match text.split_once('=') {
            None if words.contains(&text.as_str()) => Ok(json!(text)),
            Some((name, value)) if name == member => {
                Ok(Value::Object(Map::from_iter([(name.to_owned(), json!(value))])))
            }
            _ => Err(BudgetError::Word { text: text.clone(), words: words.join(", "), member }),
        };
        let when_over = self.when_over.as_ref().map(|text| one_of(text, &["refuse", "notify"], "downgrade"));
        let unpriced = self.unpriced.as_ref().map(|text| one_of(text, &["refuse", "allow"], "assume"));
        let given = [
            ("usd", self.usd.as_ref().map(|usd| json!(usd))),
            ("tokens", self.tokens.map(|tokens| json!(tokens))),
            ("requests", self.requests.map(|requests| json!(requests))),
            ("per", self.per.as_ref().map(|per| json!(per))),
            ("tz", self.tz.as_ref().map(|zone| json!(zone))),
            ("soft", self.soft.as_ref().map(|share| json!(share))),
            ("abort_at", self.abort_at.as_ref().map(|share| json!(share))),
            ("when_over", when_over.transpose()?),
            ("unpriced", unpriced.transpose()?),
        ];
        Ok(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_written_and_nothing_else() {
        assert!(Fields::default().written().unwrap().is_empty());
        let fields = Fields {
            usd: Some("5".to_owned()),
            when_over: Some("downgrade=small".to_owned()),
            unpriced: Some("allow".to_owned()),
            ..Fields::default()
        };
        let expected = json!({"usd": "5", "when_over": {"downgrade": "small"}, "unpriced": "allow"});
        assert_eq!(Value::Object(fields.written().unwrap()), expected);
        let wrong = Fields { when_over: Some("small".to_owned()), ..Fields::default() };
        assert!(wrong.written().unwrap_err().to_string().contains("downgrade="));
        assert_eq!((scope("all").unwrap(), scope("team=red").unwrap()), (json!("all"), json!({"team": "red"})));
        assert!(["red", "teams=red", "team=", "="].iter().all(|wrong| scope(wrong).is_err()));
        assert_eq!((subject(&json!("all")), subject(&json!({"org": "o"}))), ("all".to_owned(), "org=o".to_owned()));
    }
}
