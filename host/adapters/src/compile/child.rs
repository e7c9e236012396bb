//! The compiling process: limits itself, reads a component, writes its code, and exits.

use std::io::{self, Read as _, Write as _};
use std::process::ExitStatus;

use super::MAGIC;
use weir_sandbox::digest::Digest;
use weir_sandbox::engine::Engine;

/// Exit code if the compiler refuses the component; standard error has the reason.
pub const REFUSED: u8 = 65;
/// Most threads: they need less memory than one for each core, and leave the other cores free.
pub(super) const THREADS: u32 = 2;
/// The whole environment but the number of threads. Otherwise, the allocator would reserve a gigabyte of address space,
/// and keep memory that is free for a while, a fifth of all in a child.
pub(super) const ENVIRONMENT: [(&str, &str); 2] = [("MIMALLOC_ARENA_RESERVE", "32MiB"), ("MIMALLOC_PURGE_DELAY", "0")];

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The compiler refuses the component; the process itself works.
    #[error("{0}")]
    Refused(String),
    /// The process cannot do its work.
    #[error("{0}")]
    Failed(String),
}

/// Compiles the component on standard input, which follows its digest, with at most this many bytes of memory and
/// within about this many seconds. Writes the code to standard output, after the digests that identify it.
pub fn run(memory: u64, seconds: u64) -> Result<(), ChildError> {
    let failed = |error: &dyn std::fmt::Display| ChildError::Failed(error.to_string());
    limit(memory, seconds).map_err(|error| failed(&format_args!("cannot limit itself: {error}")))?;
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input).map_err(|error| failed(&error))?;
    let (digest, component) = input.split_at_checked(32).unwrap_or_default();
    if digest != Digest::of(component).bytes() {
        return Err(failed(&"the component did not arrive as it was sent"));
    }
    let engine = Engine::for_compiling().map_err(|error| failed(&error))?;
    let code = engine.precompile_component(component).map_err(|error| ChildError::Refused(format!("{error:#}")))?;
    let mut output = io::stdout().lock();
    let fingerprint = weir_sandbox::engine::fingerprint(&engine);
    for part in [MAGIC, fingerprint.bytes(), digest, Digest::of(&code).bytes(), &code[..]] {
        output.write_all(part).map_err(|error| failed(&error))?;
    }
    output.flush().map_err(|error| failed(&error))
}

#[cfg(unix)]
fn limit(memory: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, nice, setrlimit};
    let set = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // Where memory is short, the system is to end this process, not the one that serves. Where there is no such file,
    // it chooses by size.
    #[cfg(target_os = "linux")]
    let _is_said = std::fs::write("/proc/self/oom_score_adj", "1000");
    set(Resource::Core, 0)?;
    // The process writes to pipes only.
    set(Resource::Fsize, 0)?;
    // At the soft limit the system sends a signal that names the cause; at the hard limit it just kills.
    let seconds = seconds.saturating_mul(THREADS.into());
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds.saturating_add(1)) })?;
    #[cfg(not(target_os = "macos"))]
    set(Resource::As, memory)?;
    nice(10)?;
    // Killed with its parent: no other process would read its output.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[cfg(not(unix))]
fn limit(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}

/// Whether the system ended it, as it does where memory is short.
#[cfg(unix)]
pub(super) fn is_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    matches!(status.signal(), Some(signal) if signal == rustix::process::Signal::KILL.as_raw())
}

#[cfg(not(unix))]
pub(super) fn is_killed(_: ExitStatus) -> bool {
    false
}

/// Whether the system ended it for its use of processor time.
#[cfg(unix)]
pub(super) fn is_killed_for_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    matches!(status.signal(), Some(signal) if signal == rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
pub(super) fn is_killed_for_time(_: ExitStatus) -> bool {
    false
}
