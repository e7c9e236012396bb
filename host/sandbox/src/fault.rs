//! Failures of components. A fault fails one request and carries the reason.

use std::sync::Arc;

use wasmtime::Trap;

use super::digest::Digest;
use super::granted::FolderError;
use super::growth::{self, GrowthExceeded};
use super::state::MemoryExceeded;
use super::untrusted::TooManyGrantedCalls;
use weir_types::contract::types;

/// Result of a call into an adapter: `Err` is a failure of the component, `Ok(Err)` an error that it returned.
pub type CallResult<T> = Result<Result<T, types::Error>, PluginFault>;

/// Size of an input that may itself be the reason for an exceeded limit, in bytes.
const LARGE: usize = 64 << 10;
/// The setting of a call's time.
const DEADLINE_LIMIT: &str = "plugins.deadline";
/// Maximum length of a fault's detail, in bytes.
const DETAIL: usize = 2048;

/// How a component failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It trapped: a panic, an out-of-bounds access, a stack overflow, `exit`.
    Trap,
    /// It exceeded its deadline.
    Deadline,
    /// It exceeded its memory limit.
    Memory,
    /// It exceeded its output limit.
    Output,
    /// It returned something that the contract does not allow, such as text that is not UTF-8.
    Invalid,
    /// It reported its own failure: an exception that its language's SDK caught.
    Exception,
    /// It does not have the function.
    Missing,
    /// No instance is free. Nothing is wrong with the component; try again later.
    Exhausted,
    /// The host could not create an instance, or has dropped the one that it had.
    Host,
    /// It is quarantined, and no former version replaces it.
    Quarantined,
    /// It exceeded a limit with a large input. A smaller one would have passed: nothing is wrong with the component.
    TooLarge,
}

impl FaultKind {
    /// All kinds, for metrics that need every label from the start.
    pub const ALL: [Self; 11] = [
        Self::Trap,
        Self::Deadline,
        Self::Memory,
        Self::Output,
        Self::Invalid,
        Self::Exception,
        Self::Missing,
        Self::Exhausted,
        Self::Host,
        Self::Quarantined,
        Self::TooLarge,
    ];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Invalid => "invalid",
            Self::Exception => "exception",
            Self::Missing => "missing",
            Self::Exhausted => "exhausted",
            Self::Host => "host",
            Self::Quarantined => "quarantined",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether the component is to blame, so that the fault counts towards quarantine.
    pub const fn is_the_adapters(self) -> bool {
        !matches!(self, Self::Missing | Self::Exhausted | Self::Host | Self::Quarantined | Self::TooLarge)
    }
}

/// The component does not export this function, or the version that it was built for has no such function.
#[derive(Debug, thiserror::Error)]
#[error("the component does not export {0}")]
pub(super) struct MissingFunction(pub(super) &'static str);

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("adapter {adapter} ({}) failed in {function}: {}: {detail}", digest.short(), kind.name())]
pub struct PluginFault {
    /// The adapter's name.
    pub adapter: Arc<str>,
    /// Digest of the component.
    pub digest: Digest,
    /// `INTERFACE.FUNCTION` of the contract.
    pub function: &'static str,
    /// The kind of fault.
    pub kind: FaultKind,
    /// The setting whose limit it exceeded with a large input, or all instances together.
    pub limit: Option<&'static str>,
    /// Detail for the log: bounded, without control characters, including the end of standard error. It may contain
    /// parts of the request, so it never reaches a client.
    pub detail: String,
}

impl PluginFault {
    /// Whether the call got too little of the machine, which may be busy: a later one may do better.
    pub fn lacked_time(&self) -> bool {
        match self.kind {
            FaultKind::Deadline | FaultKind::Exhausted => true,
            FaultKind::TooLarge => self.limit == Some(DEADLINE_LIMIT),
            _ => false,
        }
    }
}

/// Why a call failed, before it is attributed to an adapter.
#[derive(Debug)]
pub struct Failure {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The setting whose limit it exceeded with a large input, or all instances together.
    pub(super) limit: Option<&'static str>,
    /// Description for the log.
    pub detail: String,
}

impl Failure {
    pub(super) fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, limit: None, detail: detail.into() }
    }

    /// Converts wasmtime's error; `stderr` is the component's output.
    pub fn of(error: &wasmtime::Error, stderr: &[u8]) -> Self {
        let mut detail = clean(&format!("{error:#}"));
        if !stderr.is_empty() {
            detail = tail(&detail, DETAIL / 2).to_owned();
            detail.push_str("; stderr: ");
            let output = clean(&String::from_utf8_lossy(stderr));
            detail.push_str(tail(&output, DETAIL / 2));
        }
        let of_one = error.downcast_ref::<MemoryExceeded>().map(|exceeded| exceeded.setting);
        let limit = of_one.or(error.is::<GrowthExceeded>().then_some(growth::SETTING));
        Self { limit, ..Self::new(kind_of(error), head(&detail, DETAIL)) }
    }

    /// Reclassifies a limit exceeded with a large input as [`FaultKind::TooLarge`]; a broken component fails with small
    /// inputs, too. `call` is the input of this call and `all` that of all calls of the instance, in bytes.
    pub(super) fn at_input_of(mut self, call: usize, all: usize) -> Self {
        self.limit = match self.kind {
            FaultKind::Exhausted => return self,
            FaultKind::Memory if all >= LARGE => self.limit,
            FaultKind::Deadline if call >= LARGE => Some(DEADLINE_LIMIT),
            FaultKind::Output if call >= LARGE => Some("server.translate_body_limit"),
            _ => None,
        };
        if self.limit.is_some() {
            self.kind = FaultKind::TooLarge;
        }
        self
    }
}

fn kind_of(error: &wasmtime::Error) -> FaultKind {
    if error.is::<MemoryExceeded>() {
        return FaultKind::Memory;
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() || error.is::<GrowthExceeded>() {
        return FaultKind::Exhausted;
    }
    if error.is::<MissingFunction>() {
        return FaultKind::Missing;
    }
    if error.is::<FolderError>() {
        return FaultKind::Host;
    }
    if error.is::<TooManyGrantedCalls>() {
        return FaultKind::Exhausted;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => return FaultKind::Deadline,
        Some(_) => return FaultKind::Trap,
        None => {}
    }
    // wasmtime does not export the type of this error.
    if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) {
        return FaultKind::Output;
    }
    if error.is::<super::state::Exited>() || error.is::<wasmtime_wasi::I32Exit>() {
        FaultKind::Trap
    } else {
        FaultKind::Invalid
    }
}

/// Replaces control characters (including terminal escapes) by spaces.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first `limit` bytes at most, cut between characters.
pub fn head(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// The last `limit` bytes at most, cut between characters.
pub fn tail(text: &str, limit: usize) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(limit))..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_is_reported_with_the_end_of_stderr_and_without_control_characters() {
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
    fn a_limit_exceeded_by_a_large_input_is_not_the_components_fault() {
        let met = |kind, call, all| {
            let failure = Failure::new(kind, "").at_input_of(call, all);
            (failure.kind, failure.limit)
        };
        for setting in ["plugins.memory", growth::SETTING] {
            let exceeded = || wasmtime::Error::from(MemoryExceeded { limit: 1, wanted: 2, setting });
            let met = |all| {
                let failure = Failure::of(&exceeded(), b"").at_input_of(0, all);
                (failure.kind, failure.limit)
            };
            assert_eq!(met(LARGE), (FaultKind::TooLarge, Some(setting)));
            assert_eq!(met(LARGE - 1), (FaultKind::Memory, None));
        }
        assert_eq!(met(FaultKind::Deadline, LARGE, LARGE), (FaultKind::TooLarge, Some("plugins.deadline")));
        assert_eq!(met(FaultKind::Deadline, 0, LARGE), (FaultKind::Deadline, None), "a small call is to be quick");
        assert_eq!(met(FaultKind::Memory, LARGE - 1, LARGE - 1), (FaultKind::Memory, None));
        assert_eq!(met(FaultKind::Trap, LARGE, LARGE), (FaultKind::Trap, None));
        assert!(!FaultKind::TooLarge.is_the_adapters());
    }

    #[test]
    fn cuts_fall_between_characters() {
        assert_eq!((head("éé", 3), tail("éé", 3)), ("é", "é"));
        assert_eq!((head("ab", 9), tail("ab", 9)), ("ab", "ab"));
    }
}
