//! `cargo xtask allocs [--update]`: counts the allocations of a request by lane, and the instructions of adapters.

use anyhow::{Result, bail};

use crate::process::{self, linting_cargo};
use crate::workspace::Workspace;

/// Compares the counts with the tables in `docs/performance.md`, or with `--update` writes them.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let mut command = linting_cargo();
    command.current_dir(&workspace.root);
    match words {
        [] => {}
        [word] if word == "--update" => _ = command.env("UPDATE_DOCS", "1"),
        _ => bail!("usage: cargo xtask allocs [--update]"),
    }
    let tests = ["--test", "allocations", "--test", "instructions"];
    process::run(command.args(["test", "--workspace"]).args(tests).args(["--", "--nocapture"]))
}
