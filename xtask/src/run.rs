//! `cargo xtask run`: everything built, then served.

use anyhow::Result;

use crate::plugins;
use crate::process::{self, cargo};
use crate::workspace::Workspace;

/// Builds the adapters and the release binary and serves the example configuration, or whatever the arguments say.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    plugins::build(workspace, &[])?;
    process::run(cargo().current_dir(&workspace.root).args(["build", "--release", "--package", "weir"]))?;
    let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
    let example = ["serve", "--config", "config.example.toml"].map(str::to_owned);
    let binary = workspace.target.join("release").join(format!("weir{}", std::env::consts::EXE_SUFFIX));
    let mut command = std::process::Command::new(binary);
    process::hand_over(command.current_dir(&workspace.root).args(if words.is_empty() { &example } else { words }))
}
