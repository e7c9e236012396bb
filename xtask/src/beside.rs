//! Adapters that are built while Weir serves already, by a process of its own: the server takes the place of the one that
//! was started, so that signals and the exit code are the server's.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::plugins;
use crate::process;
use crate::workspace::{Adapter, Workspace};

/// `cargo xtask beside SERVER DONE NAME...`, which nobody types.
pub(crate) const VERB: &str = "beside";
/// How often it is looked whether the server still runs.
const EVERY: Duration = Duration::from_millis(200);

/// Has these adapters built for the server that this process is about to become; `done` are there already. The server
/// comes first: it compiles its own before it answers.
///
/// The process group is one of its own, so that it ends as a whole, with cargo and the compilers; see [`end_with`].
pub(crate) fn start(workspace: &Workspace, done: usize, adapters: &[Adapter]) -> Result<()> {
    let mut command = process::gently(&std::env::current_exe().context("where is xtask?")?);
    command.current_dir(&workspace.root).arg(VERB).arg(std::process::id().to_string()).arg(done.to_string());
    command.args(adapters.iter().map(|adapter| &adapter.name)).stdin(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().context("could not start xtask")?;
    Ok(())
}

/// Builds the named adapters, for as long as the server runs.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let [server, done, names @ ..] = words else { bail!("usage: cargo xtask {VERB} SERVER DONE NAME...") };
    let (server, done) = (server.parse()?, done.parse()?);
    thread::spawn(move || end_with(server));
    let is_named = |adapter: &&Adapter| names.contains(&adapter.name);
    let adapters: Vec<Adapter> = workspace.adapters.iter().filter(is_named).cloned().collect();
    let all = done + adapters.len();
    let built = plugins::put(workspace, adapters, &plugins::Progress::of(all, done))?;
    if built.iter().any(|built| built.changed) {
        println!("all {all} adapters are in plugins/");
    }
    Ok(())
}

/// Ends this process and all that it has started as soon as its parent is another than the server.
fn end_with(server: u32) {
    while is_child_of(server) {
        thread::sleep(EVERY);
    }
    // 0 is the group of whoever asks. The shell has `kill` built in; as a program it is not everywhere.
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
