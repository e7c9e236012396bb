//! The data of a store: its limiter, and the guest's standard error.

use std::collections::VecDeque;
use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::footprint::Footprint;
use super::limits::Limits;

/// Error: the guest requested more memory, or a larger table, than its limit.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("memory limit of {limit} bytes exceeded: {wanted} wanted")]
pub struct MemoryExceeded {
    limit: usize,
    wanted: usize,
}

/// Error: the guest called `exit`.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the component called exit")]
pub struct Exited;

/// The data of a store, and the limiter of its memories and tables.
#[derive(Debug)]
pub struct State {
    memory_limit: usize,
    memory_used: usize,
    table_limit: usize,
    stderr: VecDeque<u8>,
    stderr_limit: usize,
    footprint: Arc<Footprint>,
}

impl State {
    /// Creates the state of a new store. Its memory is counted in the footprint until it is dropped.
    pub fn new(limits: &Limits, footprint: Arc<Footprint>) -> Self {
        footprint.born();
        Self {
            memory_limit: limits.memory,
            memory_used: 0,
            table_limit: limits.table_elements,
            stderr: VecDeque::new(),
            stderr_limit: limits.stderr,
            footprint,
        }
    }

    /// Current linear memory in bytes, summed over all memories.
    pub fn memory_used(&self) -> usize {
        self.memory_used
    }

    /// Appends to the guest's standard error, of which the end is kept.
    pub fn write_stderr(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(self.stderr_limit)..).unwrap_or_default();
        let over = (self.stderr.len() + bytes.len()).saturating_sub(self.stderr_limit);
        self.stderr.drain(..over.min(self.stderr.len()));
        self.stderr.extend(bytes);
    }

    /// Takes the end of the guest's standard error.
    pub fn take_stderr(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stderr).into()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.footprint.gone(self.memory_used);
    }
}

/// Growth beyond the limit traps instead of failing: a guest whose growth fails would just abort, with a less clear
/// error.
impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.memory_used.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            return Err(MemoryExceeded { limit: self.memory_limit, wanted }.into());
        }
        self.footprint.grown(self.memory_used, wanted);
        self.memory_used = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_limit {
            return Err(MemoryExceeded { limit: self.table_limit, wanted: desired }.into());
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
