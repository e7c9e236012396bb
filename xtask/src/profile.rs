//! `cargo xtask profile [LANE] [PROGRAM]`: the instructions of a request in user mode, and where they run, by `perf`.
//!
//! The lanes are those of `cargo xtask allocs` and answers from the cache: one client, one connection, a provider that
//! answers at once. Instructions hardly depend on what else the machine does, unlike times.

mod fold;
mod perf;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use weir_allocations::Client;
use weir_allocations::lanes::{self, KEPT, LANES, Lane, WARM};

use self::perf::Perf;
use crate::process::{self, cargo};
use crate::served::Served;
use crate::workspace::Workspace;

/// Requests that are counted.
const COUNT: u64 = 2000;

/// Profiles the lanes whose name contains the first word, in the program that the second word names or, without one, in
/// a build of the profile `profiling`.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    ensure!(words.len() <= 2, "usage: cargo xtask profile [LANE] [PROGRAM]");
    let wanted = words.first().map_or("", String::as_str);
    let all = || LANES.iter().chain(&KEPT);
    let chosen: Vec<&Lane> = all().filter(|lane| lane.name.contains(wanted)).collect();
    let names: Vec<&str> = all().map(|lane| lane.name).collect();
    ensure!(!chosen.is_empty(), "no lane is called {wanted:?}; there are {names:?}");
    ensure!(process::find("perf").is_some(), "`perf` is not there: on Debian, apt-get install linux-perf");
    ensure!(Perf::can_count(), "`perf` counts no instructions here: see /proc/sys/kernel/perf_event_paranoid");
    let program = match words.get(1) {
        Some(path) => PathBuf::from(path),
        None => built(workspace)?,
    };
    let place = workspace.target.join("profile");
    fs::create_dir_all(&place)?;
    let served = Served::start(Command::new(program).current_dir(&workspace.root), &place, lanes::BARE)?;
    chosen.into_iter().try_for_each(|lane| count(&served, lane, &place))
}

fn built(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["build", "--profile", "profiling", "-p", "weir"]);
    process::run(&mut command)?;
    Ok(workspace.target.join("profiling/weir"))
}

/// Counts the instructions of a lane's request, and shows where they run.
fn count(served: &Served, lane: &Lane, place: &Path) -> Result<()> {
    let request = lane.request();
    let mut client = Client::connect(served.address);
    let mut ask = |count: u64| {
        let is_good = |_| client.ask(&request).starts_with(b"HTTP/1.1 200");
        (0..count).all(is_good)
    };
    let answered = || "a request was not answered";
    ensure!(ask(WARM as u64), answered());
    let perf = Perf { process: served.id(), place };
    let counted = perf.count(|| ask(COUNT))?;
    println!("\n{}: {} instructions a request", lane.name, counted / COUNT);
    let samples = perf.sample(|| ask(COUNT))?;
    fold::print(&samples, counted / COUNT);
    Ok(())
}
