//! `cargo xtask soak`: mixed load with faults and departing clients against the release build (`bench/soak.py`).

use std::process::Command;

use anyhow::{Result, ensure};

use crate::process;
use crate::workspace::Workspace;

const PROGRAM: &str = "target/release/weir";

/// `cargo xtask soak BENCH [MINUTES]`; BENCH holds the programs `mock-upstream` and `loadgen`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    ensure!(!words.is_empty(), "say where the programs `mock-upstream` and `loadgen` of the benchmark are");
    ensure!(workspace.root.join(PROGRAM).exists(), "{PROGRAM} is not there: cargo build --release -p weir");
    let minutes = words.get(1).map_or("10", String::as_str);
    let mut command = Command::new("python3");
    command.current_dir(&workspace.root).args(["bench/soak.py", "--weir", PROGRAM, "--plugins", "plugins"]);
    process::run(command.args(["--bench", &words[0], "--minutes", minutes]))
}
