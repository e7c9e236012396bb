//! `cargo xtask profile [LANE] [PROGRAM]`: the instructions of a request in user mode, and where they run, by `perf`.
//!
//! The lanes are those of `cargo xtask allocs` and answers from the cache: one client, one connection, a provider that answers at once. Instructions
//! hardly depend on what else the machine does, unlike times.

mod fold;
mod perf;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weir_allocations::lanes::{self, KEPT, LANES, Lane, WARM};
use weir_allocations::{Client, provide};

use self::perf::Perf;
use crate::process::{self, cargo};
use crate::workspace::Workspace;

/// Requests that are counted.
const COUNT: u64 = 2000;
/// How long the program may take to serve: in the dev profile it compiles its adapters slowly.
const START: Duration = Duration::from_mins(2);
/// Pause between two looks whether it serves.
const PAUSE: Duration = Duration::from_millis(50);

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
    let served = Served::start(workspace, &program, &place)?;
    chosen.into_iter().try_for_each(|lane| served.profile(lane, &place))
}

fn built(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["build", "--profile", "profiling", "-p", "weir"]);
    process::run(&mut command)?;
    Ok(workspace.target.join("profiling/weir"))
}

/// A running gateway.
struct Served {
    program: Child,
    address: SocketAddr,
}

impl Served {
    fn start(workspace: &Workspace, program: &Path, place: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = place.join("weir.toml");
        let server = format!("port = {}\n", address.port());
        fs::write(&configuration, lanes::config(provide(lanes::answers()), &server))?;
        let mut command = Command::new(program);
        command.current_dir(&workspace.root).args(["serve", "--config"]).arg(&configuration);
        command.stdout(Stdio::null()).stderr(fs::File::create(place.join("weir.log"))?);
        let started = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let mut served = Self { program: started, address };
        let end = Instant::now() + START;
        while !is_ready(address) {
            let ended = served.program.try_wait()?;
            ensure!(ended.is_none() && Instant::now() < end, "it does not serve: see {}", place.display());
            std::thread::sleep(PAUSE);
        }
        Ok(served)
    }

    /// Counts the instructions of a lane's request, and shows where they run.
    fn profile(&self, lane: &Lane, place: &Path) -> Result<()> {
        let request = lane.request();
        let mut client = Client::connect(self.address);
        let mut ask = |count: u64| {
            let is_good = |_| client.ask(&request).starts_with(b"HTTP/1.1 200");
            (0..count).all(is_good)
        };
        let answered = || "a request was not answered";
        ensure!(ask(WARM as u64), answered());
        let perf = Perf { process: self.program.id(), place };
        let counted = perf.count(|| ask(COUNT))?;
        println!("\n{}: {} instructions a request", lane.name, counted / COUNT);
        let samples = perf.sample(|| ask(COUNT))?;
        fold::print(&samples, counted / COUNT);
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}
