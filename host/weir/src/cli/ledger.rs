//! `weir ledger …`: explains a request's cost, computes past costs with other prices, and compares the log with a
//! provider's own figures.

mod explain;
mod reconcile;
mod reprice;
mod usage_export;

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::failure::CommandError;
use weir_store::Fact;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explains a request's cost: adapter, counts, prices, amounts.
    Explain(explain::Explain),
    /// Computes what past requests would have cost with another price file, from the counts in the log.
    Reprice(reprice::Reprice),
    /// Compares the log with a provider's own export of use, by day and model.
    Reconcile(reconcile::Reconcile),
}

pub(super) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Explain(asked) => explain::run(&asked).map(|()| true),
        Command::Reprice(asked) => reprice::run(&asked).map(|()| true),
        Command::Reconcile(asked) => reconcile::run(&asked),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => failure.report(),
    }
}

/// A request of the log is of a form that this command does not know.
#[derive(Debug, thiserror::Error)]
#[error("a request of the log cannot be read: {0}")]
struct NoFact(#[from] serde_json::Error);

impl CommandError for NoFact {}

/// A request of the log, from the form that the admin endpoints give it.
fn fact_of(mut item: Value) -> Result<Fact, NoFact> {
    for name in ["attempts", "units", "losses"] {
        let Some(members) = item.as_object_mut() else { break };
        let value = members.entry(name).or_insert(Value::Null);
        *value = match value.take() {
            Value::Null => Value::String(String::new()),
            Value::String(text) => Value::String(text),
            other => Value::String(other.to_string()),
        };
    }
    Ok(serde_json::from_value(item)?)
}

/// Nano-dollars as dollars, with a sign.
fn dollars(nano: i64) -> String {
    let amount =
        weir_ledger::Nano::new(nano.saturating_abs()).map_or_else(|_| nano.to_string(), |nano| nano.to_string());
    if nano < 0 { format!("-{amount}") } else { amount }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_store::RequestId;

    #[test]
    fn a_fact_survives_the_admin_endpoints() {
        let mut fact = Fact::of(RequestId::new(7, [1; 10]));
        fact.units = r#"{"search":2.0}"#.to_owned();
        fact.tokens.input = Some(3);
        let mut item = serde_json::to_value(&fact).unwrap();
        item["units"] = serde_json::json!({"search": 2.0});
        item["attempts"] = Value::Null;
        item["time"] = "1970".into();
        assert_eq!(fact_of(item).unwrap(), fact);
    }

    #[test]
    fn what_is_no_fact_is_an_error() {
        for item in [serde_json::json!([1]), "text".into(), 1.into(), Value::Null] {
            assert!(fact_of(item.clone()).is_err(), "{item}");
        }
    }

    #[test]
    fn differences_have_a_sign() {
        assert_eq!((dollars(-1_500_000_000), dollars(250_000_000)), ("-1.5".to_owned(), "0.25".to_owned()));
    }
}
