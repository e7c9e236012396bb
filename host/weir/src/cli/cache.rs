//! `weir cache …`: kept answers of a running Weir.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::failure::Failure;
use super::running::{CallError, Running};

/// The path of the admin endpoint.
const PATH: &str = "/admin/v1/cache";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows how much is kept, and how requests for each model were answered.
    Show(Show),
    /// Removes kept answers, on all nodes that share them.
    Purge(Purge),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    what: RemovalArgs,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RemovalArgs {
    /// Removes the answer with this `x-weir-cache-key`, in all formats.
    #[arg(long)]
    key: Option<String>,
    /// Removes the answers of this model.
    #[arg(long, value_name = "ALIAS")]
    model: Option<String>,
    /// Removes all answers, unless all were removed since `weir cache show` printed this generation.
    #[arg(long, value_name = "NUMBER")]
    generation: Option<u64>,
    /// Removes all answers.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Show(asked) => show(&asked),
        Command::Purge(asked) => purge(&asked),
    };
    super::finish(done)
}

fn show(asked: &Show) -> Result<String, Failure> {
    let shown = send(&asked.running, &Method::GET, &[])?;
    Ok(if asked.json { super::pretty(&shown)? } else { page(&shown) })
}

fn purge(Purge { what, running }: &Purge) -> Result<String, Failure> {
    let generation = what.generation.map(|generation| generation.to_string());
    let all = [("key", &what.key), ("model", &what.model), ("generation", &generation)];
    let named: Vec<_> = all.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let removed = send(running, &Method::DELETE, &named)?;
    Ok(match removed["removed"].as_u64() {
        Some(count) => format!("{count} removed from the memory of the node that was asked"),
        None => format!("the generation is {}", removed["generation"]),
    })
}

fn send(running: &Running, method: &Method, query: &[(&str, &str)]) -> Result<Value, Failure> {
    let client = running.client()?;
    Ok(client.send(method.clone(), PATH, query, None).map_err(CallError)?)
}

/// The figures as lines.
fn page(shown: &Value) -> String {
    let mut text = format!(
        "{} kept answers, {} of {} bytes, generation {}",
        shown["entries"], shown["bytes"], shown["limit_bytes"], shown["generation"]
    );
    for (title, member) in [("", "models"), (" (semantic)", "semantic")] {
        for (model, results) in shown[member].as_object().into_iter().flatten() {
            let _ = write!(text, "\n{model}{title}:");
            for (result, count) in results.as_object().into_iter().flatten() {
                let _ = write!(text, " {result} {count}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_figures_are_shown_by_model() {
        let shown = json!({"entries": 2, "bytes": 900, "limit_bytes": 1000, "generation": 1,
            "models": {"small": {"hit": 3, "miss": 1}}, "semantic": {"small": {"near": 1}}, "feedback": {}});
        let expected = "2 kept answers, 900 of 1000 bytes, generation 1\nsmall: hit 3 miss 1\nsmall (semantic): near 1";
        assert_eq!(page(&shown), expected);
    }
}
