//! The program `weir` in a separate process, which can be killed, starved and restarted.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use crate::plugins::{Folder, patience, root, target};
use crate::{Client, Reply, Request, TIMEOUT, metrics, soon};

/// The path of the program, built if the host has changed since.
///
/// # Panics
///
/// If it cannot be built.
pub fn file() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let file = target().join("debug/weir");
    let built = file.metadata().and_then(|about| about.modified()).ok();
    if built.is_none_or(|built| built < newest(&root().join("host"))) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        let built = build.args(["build", "--quiet", "--workspace", "--bin", "weir"]).current_dir(root()).status();
        assert!(built.is_ok_and(|status| status.success()), "the program is built");
    }
    file
}

/// The time of the last change to a file in a folder, or below it.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let times =
        entries.map(|path| if path.is_dir() { newest(&path) } else { path.metadata().unwrap().modified().unwrap() });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A running program. Dropping it kills it, like `kill -9`.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Mutex<Receiver<String>>,
    log: Mutex<String>,
    reads: Arc<Reads>,
}

/// Whether the log is read.
#[derive(Debug, Default)]
struct Reads {
    is_paused: Mutex<bool>,
    changed: Condvar,
}

impl Reads {
    fn set(&self, is_paused: bool) {
        *self.is_paused.lock().unwrap_or_else(PoisonError::into_inner) = is_paused;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let paused = self.is_paused.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(paused, |paused| *paused));
    }
}

impl Program {
    /// Starts the program with these adapters and this cache.
    pub fn start(folder: &Folder, cache: &Path, config: &str) -> Self {
        Self::start_as(Command::new(file()), folder, cache, config)
    }

    /// Starts the program through another command, to which `weir`'s arguments are added.
    pub fn start_as(command: Command, folder: &Folder, cache: &Path, config: &str) -> Self {
        Self::start_with(command, Stdio::null(), folder, cache, config)
    }

    /// Starts the program as systemd does: on a socket that is open already, and with the address of a socket for
    /// notices.
    pub fn start_on(socket: &TcpListener, notices: &Path, folder: &Folder, config: &str) -> Self {
        // The socket comes as standard input and becomes descriptor 3; its number and the process's id are variables.
        let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(file()).env("NOTIFY_SOCKET", notices);
        let input = OwnedFd::from(socket.try_clone().unwrap());
        Self::start_with(command, input.into(), folder, &target().join("test-cache"), config)
    }

    fn start_with(mut command: Command, input: Stdio, folder: &Folder, cache: &Path, config: &str) -> Self {
        let file = folder.path().join("weir.toml");
        // In one step: another program of the same folder may be reading it.
        let new = folder.path().join("weir.toml.new");
        std::fs::write(&new, config).unwrap();
        std::fs::rename(new, &file).unwrap();
        let path = folder.path();
        let child = command
            .args(["serve", "--config"])
            .arg(&file)
            .env("WEIR_SERVER__HOST", "127.0.0.1")
            .env("WEIR_SERVER__PORT", "0")
            .env("WEIR_SERVER__MAX_CONNECTIONS", most_connections(config))
            .env("WEIR_PLUGINS__DIR", path)
            .env("WEIR_PLUGINS__LOCK", path.join("plugins.lock"))
            .env("WEIR_PLUGINS__CACHE_DIR", cache)
            .env("WEIR_LOG_FORMAT", "json")
            .envs(patience(config))
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let reads = Arc::<Reads>::default();
        let lines = Mutex::new(follow(child.stderr.take().unwrap(), Arc::clone(&reads)));
        Self { child, lines, log: Mutex::default(), reads }
    }

    /// Stops reading the log, until [`Self::go_on`].
    pub fn pause(&self) {
        self.reads.set(true);
    }

    /// Continues reading the log.
    pub fn go_on(&self) {
        self.reads.set(false);
    }

    /// Waits until the log has this text; returns the line.
    ///
    /// # Panics
    ///
    /// If the log ends or the line takes too long.
    pub fn until(&self, text: &str) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Compiling may take a while on a busy machine.
            let Ok(line) = lines.recv_timeout(TIMEOUT * 2) else { panic!("no {text:?} in the log:\n{}", self.log()) };
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until the program listens; returns its address.
    pub fn address(&self) -> SocketAddr {
        let line = self.until("weir listens");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// The log that was read so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the program to stop, as a service manager does.
    pub fn stop(&self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "the program can be signalled");
    }

    /// Waits for the program's end; returns whether it succeeded.
    pub fn has_succeeded(mut self) -> bool {
        self.child.wait().unwrap().success()
    }

    /// The most bytes of memory that it has taken so far.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() << 10
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.go_on();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pool has a slot of address space for each connection, so it is small unless the configuration says otherwise.
fn most_connections(config: &str) -> &str {
    let configured = config.lines().find_map(|line| line.strip_prefix("max_connections = "));
    configured.unwrap_or("64")
}

fn follow(stderr: ChildStderr, reads: Arc<Reads>) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
            reads.wait();
        }
    });
    receiver
}

/// Sends a request to a program.
pub async fn ask(address: SocketAddr, request: &Request) -> Reply {
    let mut client = Client::connect(address).await;
    client.send(request).await;
    client.reply().await
}

/// Waits until a kill costs nothing of what was answered so far, if nothing is asked meanwhile. `token` is the
/// administrator's, if there is one.
///
/// # Panics
///
/// If that takes too long.
pub async fn until_kept(address: SocketAddr, token: Option<&str>) {
    until_budgets_are_kept(address, token).await;
    for waiting in ["weir_request_log_sums_pending", "weir_request_log_queued"] {
        let is_written = async || metric(address, token, waiting).await == Some(0.0);
        until("what waits to be written", is_written).await;
    }
}

/// Waits until a kill costs no budget anything of what was answered so far: until a round that keeps them has begun and
/// ended.
///
/// # Panics
///
/// If that takes too long.
pub async fn until_budgets_are_kept(address: SocketAddr, token: Option<&str>) {
    let rounds = async || metric(address, token, "weir_budgets_kept_total").await.expect("budgets are kept");
    // A round that is under way may have begun before.
    let wanted = rounds().await + 2.0;
    until("a round that keeps budgets", async || rounds().await >= wanted).await;
}

async fn until(what: &'static str, is_so: impl AsyncFn() -> bool) {
    let polls = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(what, polls).await;
}

/// A metric of a program, as [`metrics::value`] has it. `token` is the administrator's, if there is one.
pub async fn metric(address: SocketAddr, token: Option<&str>, series: &str) -> Option<f64> {
    let page = Request::get("/metrics");
    let page = token.map_or(page.clone(), |token| page.header("authorization", &format!("Bearer {token}")));
    metrics::value(&ask(address, &page).await.text(), series)
}
