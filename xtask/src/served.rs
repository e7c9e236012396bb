//! A gateway that serves the lanes of `cargo xtask profile` before a provider of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weir_allocations::{lanes, provide};

use crate::process;

/// How long the program may take to serve: without optimisation, or with counters, it compiles its adapters slowly.
const START: Duration = Duration::from_mins(4);
/// Pause between two looks whether it serves.
const PAUSE: Duration = Duration::from_millis(50);

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Served {
    program: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts a program with the lanes' configuration, `rest` of which is [`lanes::BARE`] or [`lanes::METERED`]. The
    /// configuration and what the program logs are in `place`.
    pub(crate) fn start(program: &mut Command, place: &Path, rest: &str) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = place.join("weir.toml");
        let server = format!("port = {}\n", address.port());
        fs::write(&configuration, lanes::config(provide(lanes::answers()), &server, rest))?;
        program.args(["serve", "--config"]).arg(&configuration);
        program.stdout(Stdio::null()).stderr(fs::File::create(place.join("weir.log"))?);
        let started =
            program.spawn().with_context(|| format!("could not start {}", program.get_program().display()))?;
        let mut served = Self { program: started, address };
        let end = Instant::now() + START;
        while !is_ready(address) {
            let ended = served.program.try_wait()?;
            ensure!(ended.is_none() && Instant::now() < end, "it does not serve: see {}", place.display());
            std::thread::sleep(PAUSE);
        }
        Ok(served)
    }

    /// The program's process.
    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        process::run(Command::new("kill").args(["-TERM", &self.id().to_string()]))?;
        let status = self.program.wait()?;
        ensure!(status.success(), "the program did not end well ({status})");
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
