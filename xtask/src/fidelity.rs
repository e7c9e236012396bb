//! `cargo xtask fidelity`: has the official clients read the recordings of every provider in every dialect.

use anyhow::{Context, Result, bail};

use crate::check::{Outcome, build_everything};
use crate::process;
use crate::workspace::Workspace;
use crate::{plugins, python};

/// The folder of the recordings: beside the repository, because their licence is not ours.
const RECORDINGS: &str = "../shared/fixtures";
const REPORT: &str = "docs/fidelity.md";

/// Builds the program and the adapters, runs the whole matrix and writes the report; with words (ids of recordings,
/// options) runs only those.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    plugins::build(workspace, &[])?;
    build_everything(workspace)?;
    let report = workspace.root.join(REPORT);
    let all = ["--write".to_owned(), report.to_string_lossy().into_owned()];
    match drive(workspace, if words.is_empty() { &all } else { words })? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(reason) => bail!("{reason}"),
    }
}

/// The step of `cargo xtask test`: a fixed sample. It expects the binary and the adapters to be built.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    drive(workspace, &["--sample".to_owned()])
}

fn drive(workspace: &Workspace, words: &[String]) -> Result<Outcome> {
    if !workspace.root.join(RECORDINGS).is_dir() {
        return Ok(Outcome::Skipped(format!("there are no recordings in {RECORDINGS}")));
    }
    let Some(python) = python::find() else {
        return Ok(Outcome::Skipped("python3 is not installed: it runs the official clients".to_owned()));
    };
    let folder = workspace.root.join("tests/fidelity");
    let place = workspace.target.join("clients").join("fidelity");
    let python = match python::environment(&python, &place, &folder.join("requirements.txt")) {
        Ok(python) => python,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let mut command = python::command(workspace, &python, &folder, &[])?;
    command.arg("fidelity.py").args(words);
    process::run(&mut command).context("what the official clients read differs; the lines above say where")?;
    Ok(Outcome::Passed)
}
