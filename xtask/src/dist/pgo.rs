//! Profile-guided optimisation: the program is built with counters, answers the lanes of `cargo xtask profile`, and is
//! built again by what it counted.
//!
//! Functions that never ran are left out of the counts (`--sparse`). They are optimised as ever then, and not for size:
//! that a lane is missing here does not make it slow.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use weir_allocations::Client;
use weir_allocations::lanes::{BARE, KEPT, LANES, Lane, METERED};

use super::linkage::{self, Linkage};
use super::{build, empty, gather, program_name};
use crate::process;
use crate::served::Served;
use crate::workspace::Workspace;

/// Clients that ask at once.
const CLIENTS: usize = 8;
/// Requests of each client, for each lane.
const COUNT: usize = 500;
/// The variable that says where a program with counters writes them.
const FILE: &str = "LLVM_PROFILE_FILE";
/// Where it writes them without the variable: nowhere. The program compiles its adapters in processes that inherit no
/// variable and may write to no file; the system would kill them over their counts.
const NOWHERE: &str = "/dev/null";

/// Flags for rustc by which the program for this target is optimised. `adapters` are those that it serves meanwhile.
pub(super) fn flags(workspace: &Workspace, linkage: &Linkage, profile: &str, adapters: &Path) -> Result<Vec<String>> {
    ensure!(linkage.runs_here, "--pgo runs the program, and one for {} does not run here", linkage.target);
    let merger = merger(workspace)?;
    let folder = workspace.target.join("dist/pgo");
    let counting = build(workspace, linkage, profile, &[format!("-Cprofile-generate={NOWHERE}")])?;
    let served = folder.join("weir");
    gather(workspace, &counting, &served, adapters)?;
    let counts = folder.join("counts");
    empty(&counts)?;
    for rest in [BARE, METERED] {
        count(&served, &folder, rest)?;
    }
    let merged = folder.join("weir.profdata");
    process::run(Command::new(merger).args(["merge", "--sparse", "-o"]).arg(&merged).arg(&counts))?;
    Ok(vec![format!("-Cprofile-use={}", merged.display())])
}

/// Has the program of a folder answer every lane.
fn count(served: &Path, folder: &Path, rest: &str) -> Result<()> {
    let mut program = Command::new(served.join(program_name()));
    program.current_dir(served).env(FILE, folder.join("counts/%p-%m.profraw"));
    let running = Served::start(&mut program, folder, rest)?;
    for lane in LANES.iter().chain(&KEPT) {
        println!("counting: {}", lane.name);
        ensure!(
            ask(&running, lane),
            "a request of the lane {:?} was not answered: see {}",
            lane.name,
            folder.display()
        );
    }
    running.end()
}

/// Asks by several clients at once. Returns whether all were answered.
fn ask(running: &Served, lane: &Lane) -> bool {
    let client = || {
        let (mut client, request) = (Client::connect(running.address), lane.request());
        (0..COUNT).all(|_| client.ask(&request).starts_with(b"HTTP/1.1 200"))
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().all(|client| client.join().unwrap_or(false))
    })
}

/// The toolchain's own `llvm-profdata`: another version does not read its counts.
fn merger(workspace: &Workspace) -> Result<PathBuf> {
    let (host, sysroot) = linkage::toolchain(workspace)?;
    let tool = sysroot
        .join("lib/rustlib")
        .join(host)
        .join("bin/llvm-profdata")
        .with_extension(std::env::consts::EXE_EXTENSION);
    ensure!(tool.is_file(), "the toolchain has no llvm-profdata: rustup component add llvm-tools");
    Ok(tool)
}
