//! `cargo xtask swaps`: replaces adapters a thousand times under load, alone in a process, so that its memory can be
//! measured.

use anyhow::Result;

use crate::process::{self, linting_cargo};
use crate::workspace::Workspace;

const SWAPS: u32 = 1000;
const TEST: &str = "swap::swaps_under_load_fail_no_request_and_hold_on_to_no_memory";

/// `cargo xtask swaps [COUNT]`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let count = words.first().map_or(Ok(SWAPS), |word| word.parse())?;
    let mut command = linting_cargo();
    command.current_dir(&workspace.root).args(["test", "--workspace", "--test", "it", "--"]);
    command.args(["--exact", TEST, "--nocapture"]);
    process::run(command.env("WEIR_SWAPS", count.to_string()).env("WEIR_TEST_LOG", "error"))
}
