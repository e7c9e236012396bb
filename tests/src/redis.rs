//! A Redis of a test's own, where it is installed.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::TIMEOUT;

/// Ends the server when its input ends: also if this process is killed.
const GUARD: &str = r#"redis-server "$@" >/dev/null 2>&1 & echo $!; read -r line; kill -9 $!; wait"#;

/// A running server with its data in a temporary folder. Dropping it kills it.
#[derive(Debug)]
pub struct Redis {
    running: Mutex<Running>,
    port: u16,
    folder: TempDir,
}

/// The guard of a server, and the server's process id.
#[derive(Debug)]
struct Running {
    guard: Child,
    id: String,
}

impl Redis {
    /// Starts a server; none, and a loud word, where Redis is not installed.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start.
    #[expect(clippy::print_stderr, reason = "what is skipped is printed")]
    pub fn start() -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("SKIPPED: redis-server is not installed, so this test shows nothing");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("weir-redis-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let running = Mutex::new(launch(&folder, port));
        let redis = Self { running, port, folder };
        redis.wait();
        Some(redis)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it; what it had not saved is lost.
    pub fn kill(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        drop(running.guard.stdin.take());
        running.guard.wait().unwrap();
    }

    /// Starts it again, with the data that it has saved.
    pub fn go(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = launch(&self.folder, self.port);
        self.wait();
    }

    /// Makes it hang: it keeps its connections, and answers nothing.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn wake(&self) {
        self.signal("-CONT");
    }

    /// Runs a command of the server's own client, and returns what it printed.
    pub fn run(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command.args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn signal(&self, signal: &str) {
        let id = self.running.lock().unwrap_or_else(PoisonError::into_inner).id.clone();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn wait(&self) {
        let begun = Instant::now();
        while self.run(&["ping"]).trim() != "PONG" {
            assert!(begun.elapsed() < TIMEOUT, "the server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(folder: &TempDir, port: u16) -> Running {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GUARD, "redis", "--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no"]).current_dir(folder.path());
    let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut id = String::new();
    BufReader::new(guard.stdout.take().unwrap()).read_line(&mut id).unwrap();
    Running { guard, id: id.trim().to_owned() }
}
