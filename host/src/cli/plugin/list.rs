//! `weir plugin list`: the adapters of the folder, and whether they would serve.

use std::path::PathBuf;

use clap::Args;

use super::{keeping, running};
use crate::app;
use crate::plugin::inspect::{self, Listed};
use crate::plugin::lock::Lock;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// The configuration that names the folder.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Asks the running Weir of this configuration instead: what serves, is tried, is quarantined, and why.
    #[arg(long)]
    running: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(asked: &List) -> Result<String, String> {
    let (config, json) = (asked.config.as_deref(), asked.json);
    let config = crate::cli::load(config).map_err(|problems| problems.render(false))?;
    if asked.running {
        return running::run(&config, json);
    }
    let lock = Lock::read(&config.plugins.lock).map_err(|error| format!("error: {error}"))?;
    let (dir, loader) = (&config.plugins.dir, keeping(config.plugins.cache_dir.as_deref())?);
    let decisions = app::keeper(&config, &loader).map(|keeper| keeper.known()).unwrap_or_default();
    let listed = inspect::list(&loader, dir, &lock, &app::policy(&config), &decisions)
        .map_err(|error| format!("error: the folder {} cannot be read: {error}", dir.display()))?;
    if json {
        return serde_json::to_string_pretty(&listed).map_err(|error| format!("error: {error}"));
    }
    if listed.is_empty() {
        return Ok(format!("no adapters in {}; `cargo xtask plugins` builds the bundled ones", dir.display()));
    }
    Ok(listed.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn line(one: &Listed) -> String {
    let digest = one.digest.map(|digest| digest.short()).unwrap_or_default();
    let version = one.version.as_deref().unwrap_or("-");
    // Some know a provider and have nothing for clients.
    let speaks = if one.faces.is_empty() { String::new() } else { format!("speaks {}", one.faces.join(", ")) };
    let state = match (&one.refused, one.trusted) {
        (Some(reason), _) => format!("refused: {reason}"),
        (None, _) if one.signed_by.is_some() => format!("signed    {speaks}"),
        (None, true) => format!("trusted   {speaks}"),
        (None, false) => format!("untrusted {speaks}"),
    };
    format!("{:16} {version:8} {digest:14} {state}", one.name).trim_end().to_owned()
}
