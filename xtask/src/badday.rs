//! `cargo xtask badday`: an hour of outages at three providers, compressed into a minute; counts the answered requests.

use anyhow::Result;

use crate::process::{self, linting_cargo};
use crate::workspace::Workspace;

const SEED: u64 = 7;
const TEST: &str = "badday::a_bad_day_is_ridden_out";

/// `cargo xtask badday [SEED]`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let seed = words.first().map_or(Ok(SEED), |word| word.parse())?;
    let mut command = linting_cargo();
    command.current_dir(&workspace.root).args(["test", "--workspace", "--test", "it", "--"]);
    command.args(["--exact", TEST, "--nocapture"]);
    process::run(command.env("WEIR_BADDAY", seed.to_string()).env("WEIR_TEST_LOG", "error"))
}
