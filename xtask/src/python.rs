//! Python for tests: the interpreter, environments with pinned packages, and what tests in Python are started with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// What all tests in Python share.
const SHARED: &str = "tests/python";

/// The interpreter of this machine.
pub(crate) fn find() -> Option<PathBuf> {
    ["python3", "python"].into_iter().find_map(process::find)
}

/// A command in a folder of tests, which finds the program, the adapters, and the modules of further folders.
pub(crate) fn command(workspace: &Workspace, python: &Path, folder: &Path, modules: &[&str]) -> Result<Command> {
    let folders = modules.iter().chain([&SHARED]).map(|folder| workspace.root.join(folder));
    let mut command = Command::new(python);
    command.current_dir(folder).arg("-B").env("PYTHONPATH", env::join_paths(folders)?);
    command.env("WEIR_BIN", workspace.target.join("debug").join(format!("weir{}", env::consts::EXE_SUFFIX)));
    command.env("WEIR_PLUGINS", workspace.root.join("plugins"));
    Ok(command)
}

/// Makes a virtual environment with pinned packages, again if the pins changed; returns the path of its Python.
pub(crate) fn environment(python: &Path, place: &Path, requirements: &Path) -> Result<PathBuf> {
    let pins =
        fs::read_to_string(requirements).with_context(|| format!("could not read {}", requirements.display()))?;
    let inside = place.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = place.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) && inside.exists() {
        return Ok(inside);
    }
    process::run(Command::new(python).args(["-m", "venv", "--clear"]).arg(place))
        .context("python could not make a virtual environment (Debian: apt install python3-venv)")?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    let name = requirements.file_name().unwrap_or_default().to_string_lossy();
    process::run(Command::new(&inside).args(install).arg(requirements)).with_context(|| {
        format!("what {name} pins could not be installed (Python 3.10 or later); pip says why above")
    })?;
    fs::write(stamp, pins)?;
    Ok(inside)
}
