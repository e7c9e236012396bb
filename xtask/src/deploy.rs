//! `cargo xtask deploy`: checks the files of `deploy/`, spans and histograms with the tools that read them. What the
//! machine does not have is skipped with a line that says so. That the board and the alerts ask for metrics which exist
//! is a test of `tests/it/boards.rs`.

mod boot;
mod chart;
mod collector;
mod compose;
mod image;
mod limits;
mod prometheus;
pub(crate) mod tool;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::check::{Outcome, build_everything};
use crate::dist::empty;
use crate::plugins;
use crate::process;
use crate::python;
use crate::workspace::Workspace;

/// Builds what the image holds, unless that is done (`--built`), and runs the checks.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    if words.first().is_none_or(|word| word != "--built") {
        plugins::build(workspace, &[])?;
        build_everything(workspace)?;
    }
    if let Outcome::Skipped(reason) = test(workspace)? {
        println!("SKIPPED: {reason}");
    }
    Ok(())
}

/// The step of `cargo xtask test`; it expects the program and the adapters to be built.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    let mut skipped = Vec::new();
    for check in [alerts, units, compose::check, collector::check, prometheus::check, chart::check, image::check] {
        if let Outcome::Skipped(reason) = check(workspace)? {
            println!("SKIPPED: {reason}");
            skipped.push(reason);
        }
    }
    Ok(if skipped.is_empty() { Outcome::Passed } else { Outcome::Skipped(skipped.join("; ")) })
}

/// Prometheus's own check of its configuration and rules, and the tests of the rules.
fn alerts(workspace: &Workspace) -> Result<Outcome> {
    let Some(promtool) = tool::find("promtool", "prometheus") else {
        return Ok(Outcome::Skipped("ALERTS NOT TESTED: promtool is missing (Debian: prometheus)".to_owned()));
    };
    let folder = workspace.root.join("deploy/prometheus");
    for words in [["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]] {
        process::run(Command::new(&promtool).current_dir(&folder).args(words))?;
    }
    Ok(Outcome::Passed)
}

/// systemd's check of the units, with the paths of the program that the service starts in an otherwise empty root.
fn units(workspace: &Workspace) -> Result<Outcome> {
    let Some(analyze) = tool::find("systemd-analyze", "systemd") else {
        return Ok(Outcome::Skipped("UNITS NOT CHECKED: systemd-analyze is missing (Debian: systemd)".to_owned()));
    };
    let folder = workspace.root.join("deploy/systemd");
    let place = workspace.target.join("deploy/units");
    std::fs::create_dir_all(&place)?;
    for unit in ["weir.service", "weir.socket"] {
        let text = std::fs::read_to_string(folder.join(unit)).with_context(|| format!("could not read {unit}"))?;
        // The check wants the programs to be there.
        let text = text.replace("/opt/weir/weir", &program(workspace).display().to_string());
        std::fs::write(place.join(unit), text)?;
    }
    let mut verify = Command::new(analyze);
    verify.current_dir(&place).args(["verify", "--man=no", "--recursive-errors=no", "./weir.service", "./weir.socket"]);
    process::run(&mut verify)?;
    Ok(Outcome::Passed)
}

/// Python with what reads YAML and knows Kubernetes's schemas, from Python's registry.
fn python(workspace: &Workspace) -> Result<PathBuf> {
    let python = python::find().context("python3 is not installed")?;
    let pins = workspace.root.join("deploy/helm/requirements.txt");
    python::environment(&python, &workspace.target.join("deploy/python"), &pins)
}

/// The program of the dev profile.
fn program(workspace: &Workspace) -> PathBuf {
    workspace.target.join("debug").join(format!("weir{}", std::env::consts::EXE_SUFFIX))
}
