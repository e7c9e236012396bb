//! `cargo xtask simulate-leases`: cells of nodes that share limits, with a clock of its own.

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace::Workspace;

const SEED: u64 = 14;

/// `cargo xtask simulate-leases [SEED]`: the tables of docs/scale.md.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let seed: u64 = words.first().map_or(Ok(SEED), |word| word.parse())?;
    let mut command = cargo();
    command.current_dir(&workspace.root).args([
        "run",
        "--release",
        "--quiet",
        "-p",
        "weir-lease",
        "--example",
        "cells",
    ]);
    process::run(command.args(["--", &seed.to_string()]))
}
