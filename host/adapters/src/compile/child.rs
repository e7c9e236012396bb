//! The compiling process: limits itself, reads a component, writes its code, ends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitStatus;

use super::MAGIC;
use weir_sandbox::digest::Digest;
use weir_sandbox::engine::Engine;

/// The exit code that says that the compiler refuses the component, for the reason on standard error.
pub const REFUSED: u8 = 65;
/// Threads that it uses: less address space than one for each core, and the others stay free.
pub(super) const THREADS: u32 = 2;
/// All that it finds in its environment. The allocator would else begin with a gigabyte of address space.
pub(super) const ENVIRONMENT: [(&str, &str); 2] = [("RAYON_NUM_THREADS", "2"), ("MIMALLOC_ARENA_RESERVE", "32MiB")];

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The compiler refuses the component; not this process's fault.
    #[error("{0}")]
    Refused(String),
    /// This process cannot do its work.
    #[error("{0}")]
    Failed(String),
}

/// Compiles what comes on standard input, a component with its digest in front, with no more memory than this many bytes
/// and within about this many seconds. The code goes to standard output, behind what it is and was made of.
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
    set(Resource::Core, 0)?;
    // It writes to pipes and to nothing else.
    set(Resource::Fsize, 0)?;
    // At the first the system says why it ends the process, at the second it does not.
    let seconds = seconds.saturating_mul(THREADS.into());
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds.saturating_add(1)) })?;
    #[cfg(not(target_os = "macos"))]
    set(Resource::As, memory)?;
    nice(10)?;
    // Killed with its parent: nobody else would wait for what it makes.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[cfg(not(unix))]
fn limit(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}

/// Whether the system ended it for the processor time that it took.
#[cfg(unix)]
pub(super) fn is_killed_for_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    matches!(status.signal(), Some(signal) if signal == rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
pub(super) fn is_killed_for_time(_: ExitStatus) -> bool {
    false
}
