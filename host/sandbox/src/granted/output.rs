//! Keeps the end of a guest's output for the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Most bytes of one write.
const AT_ONCE: usize = 4096;

/// A stream that keeps the last bytes. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    limit: usize,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Arc::default(), limit }
    }

    /// Takes the bytes that were kept.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl IsTerminal for Tail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Tail {
    /// Belongs to preview 3 of WASI, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Tail {
    async fn ready(&mut self) {}
}

impl OutputStream for Tail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        keep_end(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner), self.limit, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(AT_ONCE)
    }
}

/// Appends bytes and keeps only the last `limit`.
pub(crate) fn keep_end(kept: &mut VecDeque<u8>, limit: usize, bytes: &[u8]) {
    let bytes = bytes.get(bytes.len().saturating_sub(limit)..).unwrap_or_default();
    let over = (kept.len() + bytes.len()).saturating_sub(limit);
    kept.drain(..over.min(kept.len()));
    kept.extend(bytes);
}
