//! Compiles components, in a child process if a program is given.
//!
//! The compiler is the one part of the sandbox without guarantees about time, memory or panics: a file of a few hundred
//! kilobytes can cost it half a minute and a gigabyte. So it runs as a child ([`child`]) that limits its own memory and
//! time before it reads the component, is killed when it takes too long, and harms nothing else when it dies. The
//! component is sent with its digest; the code comes back with both digests and the fingerprint of the settings that it
//! was compiled for.

use std::ffi::OsStr;
use std::io::{self, Read, Write as _};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use wasmtime::component::Component;

use weir_sandbox::digest::Digest;
use weir_sandbox::engine::Engine;
use weir_sandbox::fault::{clean, head, tail};
use weir_sandbox::native::deserialise;

pub mod child;

/// The hidden subcommand that compiles.
pub const COMMAND: &str = "__compile";
/// Start of every answer.
const MAGIC: &[u8; 8] = b"weir-c1\n";
/// How many last bytes of the child's standard error are kept.
const STDERR_BYTES: usize = 4096;
/// Interval at which a child that has closed its output is polled for its exit.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Why a component does not compile.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler refuses the component.
    #[error("{0}")]
    Refused(String),
    /// The compiler panicked.
    #[error("the compiler panicked over it: {0}")]
    Panicked(String),
    /// The compiling process died.
    #[error("the compiler crashed over it ({0})")]
    Crashed(String),
    /// The system ended the compiling process, twice.
    #[error("the system ended the process that compiles it, probably since the container has too little memory")]
    Killed,
    /// It exceeded the time limit.
    #[error("it takes longer than {} s; `compile.time` of `[plugins]` sets the limit", .0.as_secs_f64())]
    TooLong(Duration),
    /// It exceeded the memory limit, in bytes.
    #[error("it takes more memory than {} MiB; `compile.memory` of `[plugins]` sets the limit", .0 >> 20)]
    TooLarge(u64),
    /// The process, or a thread that talks to it, cannot be started.
    #[error("no process to compile it in: {0}")]
    Start(#[source] io::Error),
    /// The process sent an invalid answer.
    #[error("the compiling process gave {0}")]
    Answer(&'static str),
}

/// Resource limits of a compiling process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum address space in bytes.
    pub memory: u64,
    /// Maximum wall-clock time.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: 1 << 30, time: Duration::from_mins(1) }
    }
}

/// Where components are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// In this process: for programs that embed Weir without its command line.
    #[default]
    Here,
    /// In a child process.
    Child {
        /// Path of the program `weir`.
        program: PathBuf,
        /// The child's limits.
        bounds: Bounds,
    },
}

impl Compiler {
    /// Path of the running program, assuming that it is `weir`. The path stays valid if its file is replaced.
    pub fn this_program() -> Option<PathBuf> {
        let link = Path::new("/proc/self/exe");
        if link.exists() { Some(link.to_owned()) } else { std::env::current_exe().ok() }
    }

    /// Compiles a component. Blocks meanwhile.
    pub(super) fn compile(&self, engine: &Engine, digest: Digest, bytes: &[u8]) -> Result<Component, CompileError> {
        match self {
            Self::Here => here(engine, bytes),
            Self::Child { program, bounds } => {
                let compiled = |threads| {
                    let command = command(program.as_os_str(), *bounds, threads);
                    in_child(command, *bounds, engine.fingerprint(), digest, bytes)
                };
                let code = match compiled(threads()) {
                    // With one thread, it takes less memory.
                    Err(CompileError::Killed) => compiled(1)?,
                    code => code?,
                };
                deserialise(engine, &code).map_err(|_| CompileError::Answer("code that cannot be loaded"))
            }
        }
    }
}

fn here(engine: &Engine, bytes: &[u8]) -> Result<Component, CompileError> {
    // Valid components have made wasmtime's compiler panic before, and its policy does not count that as a security
    // bug.
    match catch_unwind(AssertUnwindSafe(|| Component::new(&engine.wasm(), bytes))) {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(error)) => Err(CompileError::Refused(brief(&format!("{error:#}")))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(CompileError::Panicked(brief(text)))
        }
    }
}

fn brief(text: &str) -> String {
    head(&clean(text), 1000).trim().to_owned()
}

/// Number of a child's threads: at most the cores that this process may use, as its control group says.
fn threads() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    child::THREADS.min(u32::try_from(cores).unwrap_or(u32::MAX))
}

/// Compiles in a child, and verifies its answer.
fn in_child(
    mut command: Command,
    bounds: Bounds,
    fingerprint: Digest,
    digest: Digest,
    bytes: &[u8],
) -> Result<Vec<u8>, CompileError> {
    let until = Instant::now() + bounds.time;
    let mut child = command.spawn().map_err(CompileError::Start)?;
    let (Some(mut input), Some(output), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(CompileError::Answer("no pipes"));
    };
    let component = [digest.bytes(), bytes].concat();
    // A child that dies over the first bytes does not read the rest; its exit status is the reason then.
    let talking = beside(move || drop(input.write_all(&component)))
        .and_then(|()| Ok((collect(output.take(bounds.memory), usize::MAX)?, collect(stderr, STDERR_BYTES)?)));
    let (answer, stderr) = match talking {
        Ok(talking) => talking,
        Err(error) => {
            ended_by(&mut child, Instant::now()).map_err(CompileError::Start)?;
            return Err(CompileError::Start(error));
        }
    };
    let answer = answer.recv_timeout(bounds.time).ok();
    let ended = ended_by(&mut child, if answer.is_some() { until } else { Instant::now() });
    let status = ended.map_err(CompileError::Start)?.ok_or(CompileError::TooLong(bounds.time))?;
    if !status.success() {
        let stderr = stderr.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        return Err(failure(status, &String::from_utf8_lossy(&stderr), bounds));
    }
    code_of(answer.unwrap_or_default(), fingerprint, digest)
}

/// The child's command line. It inherits nothing of this process's environment, which may hold keys.
fn command(program: &OsStr, bounds: Bounds, threads: u32) -> Command {
    let mut command = Command::new(program);
    command
        .arg(COMMAND)
        .args(["--memory", &bounds.memory.to_string(), "--seconds", &bounds.time.as_secs().max(1).to_string()])
        .env_clear()
        .envs(child::ENVIRONMENT)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs this on a thread of its own. The system may have none left, as within a container's limit of processes.
fn beside(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().spawn(work).map(drop)
}

/// Reads to the end on another thread, and keeps the last `keep` bytes.
fn collect(mut from: impl Read + Send + 'static, keep: usize) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = sync_channel(1);
    beside(move || {
        let (mut all, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
        while let Ok(read @ 1..) = from.read(&mut piece) {
            all.extend_from_slice(piece.get(..read).unwrap_or_default());
            if all.len() > keep {
                all.drain(..all.len() - keep);
            }
        }
        let _ = sender.send(all);
    })?;
    Ok(receiver)
}

/// Waits for the child's exit. Kills it at `until` and returns `None`.
fn ended_by(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            // It may have exited just now. Its exit is awaited in either case, so that no zombie stays.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn failure(status: ExitStatus, stderr: &str, bounds: Bounds) -> CompileError {
    let output = clean(stderr);
    if status.code() == Some(child::REFUSED.into()) {
        return CompileError::Refused(brief(&output));
    }
    if child::is_killed_for_time(status) {
        return CompileError::TooLong(bounds.time);
    }
    // Messages of the allocator, the system, the compiler and its threads when memory is exhausted.
    let starved = ["memory allocation of", "Cannot allocate memory", "os error 12", "ThreadPoolBuildError"];
    if starved.iter().any(|text| stderr.contains(text)) {
        return CompileError::TooLarge(bounds.memory);
    }
    if child::is_killed(status) {
        return CompileError::Killed;
    }
    let output = tail(output.trim(), 300);
    if stderr.contains("panicked at") {
        return CompileError::Panicked(output.to_owned());
    }
    CompileError::Crashed(if output.is_empty() { status.to_string() } else { format!("{status}: {output}") })
}

/// The code of an answer that is complete, about this component, and made for these settings.
fn code_of(mut answer: Vec<u8>, fingerprint: Digest, digest: Digest) -> Result<Vec<u8>, CompileError> {
    let head_len = MAGIC.len() + 3 * 32;
    if answer.len() < head_len {
        return Err(CompileError::Answer("half an answer"));
    }
    let code = answer.split_off(head_len);
    let mut parts = answer.get(MAGIC.len()..).unwrap_or_default().chunks(32);
    if !answer.starts_with(MAGIC) || parts.next() != Some(fingerprint.bytes()) {
        return Err(CompileError::Answer("code of another Weir; was its program replaced? then restart it"));
    }
    if parts.next() != Some(digest.bytes()) {
        return Err(CompileError::Answer("code of another component"));
    }
    if parts.next() != Some(Digest::of(&code).bytes()) {
        return Err(CompileError::Answer("half an answer"));
    }
    Ok(code)
}

#[cfg(test)]
mod tests;
