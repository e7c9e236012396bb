//! What a component can do wrong, as one value: a fault fails one request and says why.

use std::sync::Arc;

use wasmtime::Trap;

use super::digest::Digest;
use super::state::MemoryExceeded;
use super::version::MissingFunction;
use crate::contract::types;

/// What a call into an adapter comes to: `Err` is the component's failure, `Ok(Err)` its answer that it cannot.
pub type Called<T> = Result<Result<T, types::Error>, PluginFault>;

/// Bytes of a fault's detail.
const DETAIL: usize = 2048;

/// How a component failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It trapped: a panic, an out-of-bounds access, a stack overflow, `exit`.
    Trap,
    /// It did not come to an end in time.
    Deadline,
    /// It wanted more memory than it may have.
    Memory,
    /// It handed back more bytes than it may.
    Output,
    /// It handed back something that the contract does not allow, such as text that is not UTF-8.
    Invalid,
    /// It has no such function.
    Missing,
    /// There is no free instance. Nothing is wrong with the component; try again later.
    Exhausted,
    /// The host could not make an instance or lost the one that it had.
    Host,
    /// It is quarantined, and no former version steps in.
    Quarantined,
}

impl FaultKind {
    /// All kinds, for metrics that want every label from the start.
    pub const ALL: [Self; 9] = [
        Self::Trap,
        Self::Deadline,
        Self::Memory,
        Self::Output,
        Self::Invalid,
        Self::Missing,
        Self::Exhausted,
        Self::Host,
        Self::Quarantined,
    ];

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Exhausted => "exhausted",
            Self::Host => "host",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether the component is to blame, so that it counts towards quarantine.
    pub const fn is_the_adapters(self) -> bool {
        !matches!(self, Self::Missing | Self::Exhausted | Self::Host | Self::Quarantined)
    }
}

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("adapter {adapter} ({}) failed in {function}: {}: {detail}", digest.short(), kind.name())]
pub struct PluginFault {
    /// The adapter's name.
    pub adapter: Arc<str>,
    /// Which bytes it was.
    pub digest: Digest,
    /// `INTERFACE.FUNCTION` of the contract.
    pub function: &'static str,
    /// How it failed.
    pub kind: FaultKind,
    /// For the log: bounded, without control characters, with the end of what it wrote to standard error. It may hold
    /// pieces of the request, so it never reaches a client.
    pub detail: String,
}

/// Why a call failed, before it is known whose it was.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: FaultKind,
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Reads wasmtime's error; `stderr` is what the component wrote.
    pub(super) fn of(error: &wasmtime::Error, stderr: &[u8]) -> Self {
        let mut detail = clean(&format!("{error:#}"));
        if !stderr.is_empty() {
            detail = tail(&detail, DETAIL / 2).to_owned();
            detail.push_str("; stderr: ");
            let said = clean(&String::from_utf8_lossy(stderr));
            detail.push_str(tail(&said, DETAIL / 2));
        }
        Self { kind: kind_of(error), detail: head(&detail, DETAIL).to_owned() }
    }
}

fn kind_of(error: &wasmtime::Error) -> FaultKind {
    if error.is::<MemoryExceeded>() {
        return FaultKind::Memory;
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return FaultKind::Exhausted;
    }
    if error.is::<MissingFunction>() {
        return FaultKind::Missing;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => return FaultKind::Deadline,
        Some(_) => return FaultKind::Trap,
        None => {}
    }
    // This one error of wasmtime's is private to it.
    if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) {
        return FaultKind::Output;
    }
    if error.is::<super::state::Exited>() { FaultKind::Trap } else { FaultKind::Invalid }
}

/// Control characters (terminal escapes among them) become spaces.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most the first `limit` bytes, cut between characters.
pub fn head(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// At most the last `limit` bytes, cut between characters.
pub(super) fn tail(text: &str, limit: usize) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(limit))..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_is_told_with_the_end_of_stderr_and_without_control_characters() {
        let error = wasmtime::Error::from(Trap::UnreachableCodeReached);
        let failure = Failure::of(&error, "x\u{1b}[31m\npanicked at é".repeat(500).as_bytes());
        assert_eq!(failure.kind, FaultKind::Trap);
        assert!(failure.detail.contains("unreachable"));
        assert!(failure.detail.ends_with("panicked at é"));
        assert!(failure.detail.len() <= DETAIL && !failure.detail.chars().any(char::is_control));
    }

    #[test]
    fn an_interrupt_is_a_missed_deadline() {
        assert_eq!(kind_of(&Trap::Interrupt.into()), FaultKind::Deadline);
    }

    #[test]
    fn cuts_fall_between_characters() {
        assert_eq!((head("éé", 3), tail("éé", 3)), ("é", "é"));
        assert_eq!((head("ab", 9), tail("ab", 9)), ("ab", "ab"));
    }
}
