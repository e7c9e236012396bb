//! Builds adapters in a separate process while something more urgent runs: first the build of Weir, then Weir itself.
//! Weir takes the place of the process that was started, so that signals and the exit code are Weir's.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::plugins;
use crate::process;
use crate::workspace::{Adapter, Workspace};

/// The internal verb `cargo xtask beside PROCESS DONE NAME...`; it is not for people.
pub(crate) const VERB: &str = "beside";
/// How often the child checks that its parent still runs.
const INTERVAL: Duration = Duration::from_millis(200);

/// Starts a child that builds these adapters for as long as this process runs, or the server that it becomes; `done`
/// adapters are built already. The child has the lower priority.
///
/// The child has its own process group, so that it ends as a whole, with cargo and the compilers; see [`end_with`].
pub(crate) fn start(workspace: &Workspace, done: usize, adapters: &[Adapter]) -> Result<Child> {
    let mut command = process::gently(&std::env::current_exe().context("where is xtask?")?);
    command.current_dir(&workspace.root).arg(VERB).arg(std::process::id().to_string()).arg(done.to_string());
    command.args(adapters.iter().map(|adapter| &adapter.name)).stdin(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().context("could not start xtask")
}

/// Builds the named adapters; runs in the child.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let [process, done, names @ ..] = words else { bail!("usage: cargo xtask {VERB} PROCESS DONE NAME...") };
    let (process, done) = (process.parse()?, done.parse()?);
    thread::spawn(move || end_with(process));
    let is_named = |adapter: &&Adapter| names.contains(&adapter.name);
    let adapters: Vec<Adapter> = workspace.adapters.iter().filter(is_named).cloned().collect();
    let (all, there) = (workspace.adapters.len(), done + adapters.len());
    let built = plugins::put(workspace, adapters, &plugins::Progress::of(all, done))?;
    if there == all && built.iter().any(|built| built.changed) {
        println!("all {all} adapters are in plugins/");
    }
    Ok(())
}

/// Ends this process and all its children as soon as its parent is not `process` any more.
fn end_with(process: u32) {
    while is_child_of(process) {
        thread::sleep(INTERVAL);
    }
    // 0 is the caller's process group. `kill` is built into the shell; as a program it is not everywhere.
    let _ = Command::new("sh").args(["-c", "kill -TERM 0"]).status();
    std::process::exit(1);
}

#[cfg(unix)]
fn is_child_of(process: u32) -> bool {
    std::os::unix::process::parent_id() == process
}

#[cfg(not(unix))]
fn is_child_of(_: u32) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_build_belongs_to_the_process_that_started_it_and_to_no_other() {
        assert!(is_child_of(std::os::unix::process::parent_id()));
        assert!(!is_child_of(std::process::id()));
    }
}
