//! `cargo xtask clients`: the official clients for Python and Node, unmodified, against a running Weir.

use std::path::Path;

use anyhow::{Result, bail};

use crate::check::{Outcome, build_everything};
use crate::process;
use crate::workspace::Workspace;
use crate::{plugins, python};

/// Builds the prerequisites and runs the tests.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    plugins::build(workspace, &[])?;
    build_everything(workspace)?;
    match drive(workspace, words)? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(reason) => bail!("{reason}"),
    }
}

/// The step of `cargo xtask test`; it expects the binary and the adapters to be built.
///
/// If the clients cannot be installed, the step is skipped. In CI that is an error, so that it gets fixed.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    match drive(workspace, &[]) {
        Ok(Outcome::Skipped(reason)) if std::env::var_os("CI").is_some() => bail!("{reason}"),
        outcome => outcome,
    }
}

/// Packages that are installed together, and the tests that use them.
struct Group {
    name: &'static str,
    /// The file with their pinned versions, and the folder of the tests, both below `tests/clients`.
    pins: &'static str,
    tests: &'static str,
}

const GROUPS: [Group; 7] = [
    Group { name: "newest", pins: "requirements.txt", tests: "" },
    Group { name: "previous", pins: "requirements-previous.txt", tests: "" },
    Group { name: "others", pins: "others/requirements.txt", tests: "others" },
    Group { name: "grpc", pins: "grpc/requirements.txt", tests: "grpc" },
    Group { name: "realtime", pins: "realtime/requirements.txt", tests: "realtime" },
    Group { name: "exports", pins: "exports/requirements.txt", tests: "exports" },
    Group { name: "node", pins: "node/requirements.txt", tests: "node" },
];

/// Runs the tests. `words` are the name of a group, or nothing for all groups, then test names or options for unittest.
fn drive(workspace: &Workspace, words: &[String]) -> Result<Outcome> {
    let Some(python) = python::find() else {
        return Ok(Outcome::Skipped("python3 is not installed: it runs the official clients".to_owned()));
    };
    let chosen = words.first().and_then(|word| GROUPS.iter().find(|group| group.name == word));
    let words = if chosen.is_some() { words.get(1..).unwrap_or_default() } else { words };
    for group in GROUPS.iter().filter(|group| chosen.is_none_or(|chosen| chosen.name == group.name)) {
        println!("the {} official clients:", group.name);
        let place = workspace.target.join("clients").join(group.name);
        let folder = workspace.root.join("tests/clients");
        match python::environment(&python, &place, &folder.join(group.pins)) {
            Ok(python) => unittest(workspace, &python, &folder.join(group.tests), words)?,
            Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
        }
    }
    Ok(Outcome::Passed)
}

/// Runs the tests of a folder; the code that they share is in `tests/clients` itself.
fn unittest(workspace: &Workspace, python: &Path, folder: &Path, words: &[String]) -> Result<()> {
    let mut command = python::command(workspace, python, folder, &["tests/clients"])?;
    // Some clients leave their sockets to the garbage collector, and Python would warn about each.
    command.args(["-W", "ignore::ResourceWarning", "-m", "unittest"]).args(words);
    process::run(&mut command)
}
