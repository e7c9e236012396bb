//! Rights, limits and budgets as arguments, for keys and teams alike.

use clap::Args;
use http::Method;
use serde_json::{Map, Value, json};

use super::admin::Endpoints;
use crate::cli::failure::{CommandError, Failure};
use crate::cli::running::Running;

/// What a key or a team may do and use.
#[derive(Debug, Default, Args)]
pub(super) struct AccessArgs {
    /// A model that may be used: an alias, or a pattern with `*`. May be repeated. By default all models.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// An operation that may be used, such as `chat` or `files-*`. May be repeated. By default as for `[[clients]]`:
    /// all, or with `--model` those that name a model.
    #[arg(long = "operation", value_name = "OPERATION")]
    operations: Vec<String>,
    /// The maximum number of requests that may begin in a minute.
    #[arg(long, value_name = "NUMBER")]
    requests_per_minute: Option<u64>,
    /// The maximum number of tokens per minute, input and output together.
    #[arg(long, value_name = "NUMBER")]
    tokens_per_minute: Option<u64>,
    /// The maximum number of concurrent streams.
    #[arg(long, value_name = "NUMBER")]
    streams: Option<u64>,
    /// A budget: dollars in a window, such as `50/month` or `2.50/day`.
    #[arg(long, value_name = "USD/WINDOW")]
    budget: Option<String>,
    /// A tag of all requests, for budgets and the request log. May be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A name for a model, such as `fast=gpt-4o-mini`. May be repeated.
    #[arg(long = "alias", value_name = "NAME=MODEL")]
    aliases: Vec<String>,
    /// The priority in queues, where requests have to wait.
    #[arg(long, value_name = "ORDER", value_parser = ["high", "normal", "low"])]
    priority: Option<String>,
    /// Lets requests choose their target, with the header x-weir-target.
    #[arg(long)]
    may_choose: bool,
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AccessError {
    /// The budget names no window.
    #[error("--budget takes dollars and a window, such as 50/month, not `{0}`")]
    Budget(String),
    /// The alias names no model.
    #[error("--alias takes NAME=MODEL, not `{0}`")]
    Alias(String),
    /// A change without anything that changes.
    #[error("nothing is to be changed: give --model, --budget or another option")]
    NoChange,
    /// It is not clear which budget shall change.
    #[error("there are several budgets in dollars per {0}: change them by PATCH, as docs/keys.md describes it")]
    SeveralBudgets(String),
}

impl CommandError for AccessError {
    const IS_OF_USAGE: bool = true;
}

impl AccessArgs {
    /// Adds what was given to the fields of a document.
    pub(super) fn write(&self, fields: &mut Map<String, Value>) -> Result<(), AccessError> {
        for (name, list) in [("models", &self.models), ("operations", &self.operations), ("tags", &self.tags)] {
            if !list.is_empty() {
                fields.insert(name.to_owned(), json!(list));
            }
        }
        let limits = [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("streams", self.streams),
        ];
        let limits: Map<String, Value> =
            limits.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?)))).collect();
        if !limits.is_empty() {
            fields.insert("limits".to_owned(), Value::Object(limits));
        }
        if let Some(budget) = &self.budget {
            let wrong = || AccessError::Budget(budget.clone());
            let (usd, per) = budget.split_once('/').ok_or_else(wrong)?;
            fields.insert("budgets".to_owned(), json!([{"name": per, "usd": usd, "per": per}]));
        }
        if let Some(priority) = &self.priority {
            fields.insert("priority".to_owned(), json!(priority));
        }
        if self.may_choose {
            fields.insert("may_choose".to_owned(), json!(true));
        }
        let mut aliases = Map::new();
        for alias in &self.aliases {
            let wrong = || AccessError::Alias(alias.clone());
            let (name, model) = alias.split_once('=').ok_or_else(wrong)?;
            aliases.insert(name.to_owned(), json!(model));
        }
        if !aliases.is_empty() {
            fields.insert("aliases".to_owned(), Value::Object(aliases));
        }
        Ok(())
    }
}

impl AccessArgs {
    /// Changes the document at a path as it was given here and in `fields`. Everything else of it stays.
    pub(super) fn change(
        &self,
        running: &Running,
        path: &str,
        mut fields: Map<String, Value>,
    ) -> Result<Value, Failure> {
        self.write(&mut fields)?;
        if fields.is_empty() {
            return Err(AccessError::NoChange.into());
        }
        let endpoints = Endpoints::of(running)?;
        let before = endpoints.send(Method::GET, path, &[], None)?;
        if let Some(given) = fields.get_mut("budgets") {
            *given = with_budgets(&before["budgets"], given)?;
        }
        Ok(endpoints.change(path, &before, &Value::Object(fields))?)
    }
}

/// The budgets of a document, in which those in dollars for the same windows have the given amounts.
fn with_budgets(before: &Value, given: &Value) -> Result<Value, AccessError> {
    let mut budgets = before.as_array().cloned().unwrap_or_default();
    for new in given.as_array().into_iter().flatten() {
        let is_same = |known: &&mut Value| known["per"] == new["per"] && !known["usd"].is_null();
        let mut same: Vec<&mut Value> = budgets.iter_mut().filter(is_same).collect();
        match same.as_mut_slice() {
            [] => budgets.push(new.clone()),
            [one] => one["usd"] = new["usd"].clone(),
            _ => return Err(AccessError::SeveralBudgets(super::cell(&new["per"]))),
        }
    }
    Ok(Value::Array(budgets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_written_and_nothing_else() {
        let written = |access: AccessArgs| {
            let mut fields = Map::new();
            access.write(&mut fields).map(|()| Value::Object(fields))
        };
        assert_eq!(written(AccessArgs::default()), Ok(json!({})));
        let access = AccessArgs {
            models: vec!["gpt-*".to_owned()],
            streams: Some(2),
            priority: Some("low".to_owned()),
            may_choose: true,
            budget: Some("2.50/day".to_owned()),
            aliases: vec!["a=b=c".to_owned()],
            ..AccessArgs::default()
        };
        let expected = json!({"models": ["gpt-*"], "limits": {"streams": 2}, "aliases": {"a": "b=c"},
                              "priority": "low", "may_choose": true,
                              "budgets": [{"name": "day", "usd": "2.50", "per": "day"}]});
        assert_eq!(written(access), Ok(expected));
        assert!(written(AccessArgs { budget: Some("50".to_owned()), ..AccessArgs::default() }).is_err());
        assert!(written(AccessArgs { aliases: vec!["a".to_owned()], ..AccessArgs::default() }).is_err());
    }

    #[test]
    fn a_budget_changes_that_of_its_window_and_no_other() {
        let given = |usd: &str| json!([{"name": "month", "usd": usd, "per": "month"}]);
        let day = json!({"name": "d", "usd": "5", "per": "day"});
        let tokens = json!({"name": "t", "tokens": 9, "per": "month"});
        let month = |usd: &str| json!({"name": "cap", "usd": usd, "per": "month", "soft": "0.8"});
        let changed = with_budgets(&json!([day, month("50"), tokens]), &given("80"));
        assert_eq!(changed, Ok(json!([day, month("80"), tokens])));
        assert_eq!(with_budgets(&Value::Null, &given("80")), Ok(given("80")));
        let several = with_budgets(&json!([month("50"), month("60")]), &given("80"));
        assert_eq!(several, Err(AccessError::SeveralBudgets("month".to_owned())));
    }
}
