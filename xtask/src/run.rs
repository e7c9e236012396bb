//! `cargo xtask run`: builds what the first request needs, then starts the server, and builds the other adapters while
//! it serves.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{self, cargo};
use crate::workspace::{Adapter, Workspace};
use crate::{background_build, needed_adapters};

/// A profile with little optimisation: the release profile's build takes much longer than its speed can save.
const PROFILE: &str = "quick";

/// Builds the program and the adapters that are needed first, and serves the example configuration or runs `weir` with
/// the arguments. The remaining adapters are put into the plugins folder one by one, which a running Weir watches.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
    let example = ["serve", "--config", "config.example.toml"].map(str::to_owned);
    let words = if words.is_empty() { &example } else { words };
    let (first, later) = needed_adapters::split(workspace, words);
    build(workspace, &first)?;
    if !later.is_empty() {
        background_build::start(workspace, first.len(), &later)?;
    }
    let binary = workspace.target.join(PROFILE).join(format!("weir{}", std::env::consts::EXE_SUFFIX));
    process::hand_over(Command::new(binary).current_dir(&workspace.root).args(words))
}

/// Builds the program, and these adapters beside it at a low priority: the program's last crates use one thread each.
fn build(workspace: &Workspace, adapters: &[Adapter]) -> Result<()> {
    let mut beside = background_build::start(workspace, 0, adapters)?;
    let words = ["build", "--profile", PROFILE, "--package", "weir"];
    process::run(cargo().current_dir(&workspace.root).args(words))?;
    let status = beside.wait().context("could not wait for the adapters")?;
    ensure!(status.success(), "the adapters do not build; what cargo says stands above");
    Ok(())
}
