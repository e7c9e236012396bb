//! `cargo xtask run`: what the first request needs, then the server, and the other adapters while it serves.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{self, cargo};
use crate::workspace::{Adapter, Workspace};
use crate::{beside, needs};

/// Hardly optimised: what the release profile gains in speed, its building takes many times over from a first request.
const PROFILE: &str = "quick";

/// Builds the program and the adapters that are needed first and serves the example configuration, or whatever the
/// arguments say. The adapters that are left come into the plugins folder one by one, which a running Weir watches.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
    let example = ["serve", "--config", "config.example.toml"].map(str::to_owned);
    let words = if words.is_empty() { &example } else { words };
    let (first, later) = needs::split(workspace, words);
    build(workspace, &first)?;
    if !later.is_empty() {
        beside::start(workspace, first.len(), &later)?;
    }
    let binary = workspace.target.join(PROFILE).join(format!("weir{}", std::env::consts::EXE_SUFFIX));
    process::hand_over(Command::new(binary).current_dir(&workspace.root).args(words))
}

/// Builds the program, and these adapters in the moments when that does not keep the machine busy: its last crates are one
/// thread's work each.
fn build(workspace: &Workspace, adapters: &[Adapter]) -> Result<()> {
    let mut beside = beside::start(workspace, 0, adapters)?;
    let words = ["build", "--profile", PROFILE, "--package", "weir"];
    process::run(cargo().current_dir(&workspace.root).args(words))?;
    let status = beside.wait().context("could not wait for the adapters")?;
    ensure!(status.success(), "the adapters do not build; what cargo says stands above");
    Ok(())
}
