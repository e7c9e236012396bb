//! Spans in a real OpenTelemetry collector, which Go builds from its modules.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::check::Outcome;
use crate::process;
use crate::python;
use crate::workspace::Workspace;

const FOLDER: &str = "tests/collector";

pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let collector = match collector(workspace) {
        Ok(collector) => collector,
        Err(error) => return Ok(Outcome::Skipped(format!("NO COLLECTOR: {error:#}"))),
    };
    let python = python::find().context("python3 is not installed")?;
    let mut test = python::command(workspace, &python, &workspace.root.join(FOLDER), &[])?;
    process::run(test.args(["-m", "unittest", "test_collector"]).env("COLLECTOR", collector))?;
    Ok(Outcome::Passed)
}

/// The collector. Go keeps what it has built, so that this takes minutes once.
fn collector(workspace: &Workspace) -> Result<PathBuf> {
    let go = process::find("go").context("go is not installed")?;
    let program = workspace.target.join("tools/collector");
    if !program.is_file() {
        println!("building a collector with Go; this takes some minutes, once");
    }
    let mut build = Command::new(go);
    build.current_dir(workspace.root.join(FOLDER)).args(["build", "-trimpath", "-o"]).arg(&program).arg(".");
    process::run(&mut build)?;
    Ok(program)
}
