//! Histograms in a real Prometheus, of Debian's package: native ones, and classic ones.

use anyhow::{Context, Result};

use super::tool;
use crate::check::Outcome;
use crate::process;
use crate::python;
use crate::workspace::Workspace;

const FOLDER: &str = "tests/prometheus";

pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let Some(prometheus) = tool::find("prometheus", "prometheus") else {
        let reason = "NATIVE HISTOGRAMS NOT TESTED: prometheus is missing (Debian: prometheus)";
        return Ok(Outcome::Skipped(reason.to_owned()));
    };
    let python = python::find().context("python3 is not installed")?;
    let mut test = python::command(workspace, &python, &workspace.root.join(FOLDER), &[])?;
    process::run(test.args(["-m", "unittest", "test_prometheus"]).env("PROMETHEUS", prometheus))?;
    Ok(Outcome::Passed)
}
