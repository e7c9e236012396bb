//! The data of a store: its limiter, and the guest's standard error.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use super::deadline::{Clocks, Deadline};
use super::footprint::Footprint;
use super::granted::{Granted, keep_end};
use super::growth;
use super::limits::Limits;

/// No call of a component pauses for longer, whatever its deadline.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// Error: the guest requested more memory, or a larger table, than its limit.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("memory limit of {limit} bytes (`{setting}`) exceeded: {wanted} wanted")]
pub struct MemoryExceeded {
    pub(crate) limit: usize,
    pub(crate) wanted: usize,
    /// The limit's setting.
    pub(crate) setting: &'static str,
}

/// The setting of one instance's memory.
const SETTING: &str = "plugins.memory";

/// Error: the guest called `exit`.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the component called exit")]
pub struct Exited;

/// The data of a store, and the limiter of its memories and tables.
#[derive(Debug)]
pub struct State {
    memory_limit: usize,
    memory_used: usize,
    /// The linear memory with which the instance was made; until then, more than any has.
    initial_memory: usize,
    // These two are `u32` so that `granted` does not make the store larger.
    table_limit: u32,
    stderr_limit: u32,
    stderr: VecDeque<u8>,
    footprint: Arc<Footprint>,
    /// `None` for a component without grants.
    granted: Option<Box<Granted>>,
    deadline: Deadline,
}

impl State {
    /// Creates the state of a new store. Its memory is counted in the footprint until it is dropped.
    pub fn new(limits: &Limits, footprint: Arc<Footprint>) -> Self {
        footprint.born();
        Self {
            memory_limit: limits.memory,
            memory_used: 0,
            initial_memory: usize::MAX,
            table_limit: u32::try_from(limits.table_elements).unwrap_or(u32::MAX),
            stderr_limit: u32::try_from(limits.stderr).unwrap_or(u32::MAX),
            stderr: VecDeque::new(),
            footprint,
            granted: None,
            deadline: Deadline::default(),
        }
    }

    /// Sets the guest's grants.
    pub(super) fn grant(&mut self, granted: Granted) {
        self.granted = Some(Box::new(granted));
    }

    /// Returns the guest's grants. Only functions linked for components with grants call it.
    pub(super) fn granted(&mut self) -> &mut Granted {
        self.granted.get_or_insert_default()
    }

    /// Sets how long the call that begins now may run, and pause outside the guest.
    pub(super) fn begin_call(&mut self, deadline: Duration) {
        self.deadline = Deadline::of(deadline);
        if let Some(granted) = &mut self.granted {
            granted.end_at(Instant::now() + deadline.min(LONGEST_PAUSE));
        }
    }

    /// Takes note of a tick during the call. Whether the call must end.
    pub(super) fn is_over(&mut self) -> bool {
        self.deadline.is_over(Clocks::now())
    }

    /// Current linear memory in bytes, summed over all memories.
    pub(crate) fn memory_used(&self) -> usize {
        self.memory_used
    }

    /// Notes that the instance is made: from now on, its memory grows.
    pub(crate) fn note_made(&mut self) {
        self.initial_memory = self.memory_used;
    }

    /// By how much its linear memory has grown since it was made, in bytes.
    pub(crate) fn grown(&self) -> usize {
        self.memory_used.saturating_sub(self.initial_memory)
    }

    /// Appends to the guest's standard error, of which the end is kept.
    pub(crate) fn write_stderr(&mut self, bytes: &[u8]) {
        keep_end(&mut self.stderr, self.stderr_limit as usize, bytes);
    }

    /// Takes the end of the guest's standard error.
    pub fn take_stderr(&mut self) -> Vec<u8> {
        match &self.granted {
            Some(granted) => granted.take_output(),
            None => std::mem::take(&mut self.stderr).into(),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.footprint.growth().give_back(self.grown());
        self.footprint.gone(self.memory_used);
    }
}

/// Growth beyond the limit traps instead of failing: a guest whose growth fails would just abort, with a less clear
/// error.
impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.memory_used.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            return Err(MemoryExceeded { limit: self.memory_limit, wanted, setting: SETTING }.into());
        }
        let (grown, share) = (wanted.saturating_sub(self.initial_memory), self.footprint.growth());
        // There is never room for so much, so that trying again would not help.
        if grown > share.most() {
            return Err(MemoryExceeded { limit: share.most(), wanted: grown, setting: growth::SETTING }.into());
        }
        share.take(grown.saturating_sub(self.grown()))?;
        self.footprint.grown(self.memory_used, wanted);
        self.memory_used = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.table_limit as usize;
        if desired > limit {
            return Err(MemoryExceeded { limit, wanted: desired, setting: SETTING }.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        128
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_stderr_is_kept() {
        let mut state = State::new(&Limits { stderr: 4, ..Limits::default() }, Arc::default());
        state.write_stderr(b"ab");
        state.write_stderr(b"cde");
        assert_eq!(state.take_stderr(), b"bcde");
        state.write_stderr(b"0123456789");
        assert_eq!(state.take_stderr(), b"6789");
    }

    #[test]
    fn grants_cost_a_store_without_them_nothing() {
        let without = size_of::<State>() - size_of::<Deadline>();
        assert!(without <= 10 * size_of::<usize>(), "{without}");
    }

    #[test]
    fn several_memories_share_one_limit() {
        let footprint = Arc::<Footprint>::default();
        let mut state = State::new(&Limits { memory: 100, ..Limits::default() }, Arc::clone(&footprint));
        assert!(state.memory_growing(0, 60, None).is_ok());
        assert!(state.memory_growing(0, 40, None).is_ok());
        assert!(state.memory_growing(60, 61, None).is_err());
        assert_eq!(state.memory_used(), 100);
        assert_eq!((footprint.instances(), footprint.bytes(), footprint.highest()), (1, 100, 100));
        drop(state);
        assert_eq!((footprint.instances(), footprint.bytes(), footprint.highest()), (0, 0, 100));
    }
}
