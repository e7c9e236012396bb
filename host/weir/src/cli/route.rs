//! `weir route explain`: explains the route of a model's requests, and their losses.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};

use super::failure::{CommandError, Failure};
use crate::app;
use weir_gateway::dry_run::route::{RouteExplained, RouteQuestion, TargetExplained, explain_route};
use weir_gateway::health::Health;
use weir_gateway::provenance::Provenance;
use weir_types::fault::Fault;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explains where a request for a model would go, and what would be lost there, without sending anything.
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The client's name for the model.
    model: String,
    /// A request's body (JSON); `-` reads the standard input.
    #[arg(long, value_name = "FILE", requires = "from")]
    request: Option<PathBuf>,
    /// The format of the request: openai.chat, anthropic.messages, ...
    #[arg(long, value_name = "FORMAT")]
    from: Option<String>,
    /// Asks for a stream, in formats whose path says so and not the body.
    #[arg(long)]
    stream: bool,
    /// The value of the header that identifies a session.
    #[arg(long)]
    session: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// The configuration.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
}

pub(super) fn run(command: Command) -> ExitCode {
    let Command::Explain(asked) = command;
    let as_json = asked.json;
    match answer(asked) {
        Ok(found) if as_json => super::print(&serde_json::to_string_pretty(&found).unwrap_or_default()),
        Ok(found) => super::print(&page(&found)),
        Err(failure) => return failure.report(),
    }
    ExitCode::SUCCESS
}

fn answer(asked: Explain) -> Result<RouteExplained, Failure> {
    let config = super::load_without_secrets(asked.config.as_deref())?;
    let plugins = app::load_plugins(&config)?;
    let serving = app::derive(&config, &plugins)?;
    let request = match asked.request.zip(asked.from) {
        None => None,
        Some((file, from)) => Some((from, Bytes::from(super::explain::read(&file)?))),
    };
    let Explain { model, stream, session, .. } = asked;
    let question = RouteQuestion { model, request, stream, session, ..RouteQuestion::default() };
    let explained =
        super::runtime()?.block_on(explain_route(&serving, &Health::default(), &Provenance::new(0), &question));
    Ok(explained.map_err(NoRoute)?)
}

/// There is no model of that name, or the request cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NoRoute(#[from] Fault);

impl CommandError for NoRoute {}

fn page(found: &RouteExplained) -> String {
    let mut page = format!("{} ({})\n", found.alias, found.strategy);
    if !found.needs.is_empty() {
        let _ = writeln!(page, "the request asks for {}", found.needs.join(", "));
    }
    for target in &found.targets {
        line(&mut page, target);
    }
    page
}

fn line(page: &mut String, target: &TargetExplained) {
    let place = target.place.map_or_else(|| "-".to_owned(), |place| place.to_string());
    let TargetExplained { provider, model, adapter, why, .. } = target;
    let _ = writeln!(page, "{place:>3}  {provider}/{model} ({adapter}): {why}");
    match (target.lane, &target.reason) {
        (Some(lane), Some(reason)) => _ = writeln!(page, "     {lane}: {reason}"),
        (Some(lane), None) => _ = writeln!(page, "     {lane}"),
        (None, _) => {}
    }
    for loss in &target.losses {
        let note = loss.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        let _ = writeln!(page, "     {} `{}`{note}", loss.kind, loss.field);
    }
    if let Some(refused) = &target.refused {
        let _ = writeln!(page, "     refused: {refused}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_gateway::dry_run::route::LossExplained;

    #[test]
    fn the_order_and_the_losses_are_printed_in_words() {
        let target = TargetExplained {
            alias: "fast".into(),
            provider: "first".into(),
            model: "m".into(),
            adapter: "zeta".into(),
            place: Some(1),
            why: "the order of the configuration".into(),
            lane: Some("translate"),
            reason: Some("it was asked for".into()),
            losses: vec![LossExplained { field: "seed".into(), kind: "dropped", note: None }],
            refused: None,
            upstream: None,
        };
        let found = RouteExplained { alias: "fast".into(), strategy: "priority", needs: vec![], targets: vec![target] };
        let page = page(&found);
        for part in ["fast (priority)", "1  first/m (zeta): the order", "translate: it was asked for", "dropped `seed`"]
        {
            assert!(page.contains(part), "{page}");
        }
    }
}
