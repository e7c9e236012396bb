//! NDJSON: one JSON value per line. Blank lines are skipped, carriage returns before a line feed are tolerated.

use super::bom::Bom;
use super::{Each, FrameError, FrameRef, reset};
use memchr::memchr;

#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    bom: Bom,
    /// The start of an incomplete line.
    held: Vec<u8>,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bom: Bom::default(), held: Vec::new() }
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_within_line(&self) -> bool {
        self.bom.is_within() || !self.held.is_empty()
    }

    pub(super) fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        let (early, rest) = self.bom.strip(bytes);
        self.hold(early)?;
        self.lines(rest, each)
    }

    /// Ends the stream. A last line without its line feed is emitted if it holds a complete value.
    pub(super) fn finish(&mut self, each: &mut Each<'_>) -> Result<(), FrameError> {
        let early = self.bom.finish();
        self.hold(early)?;
        let line = self.held.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        if serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err() {
            return Err(FrameError::Truncated);
        }
        each(FrameRef { event: None, data: line });
        self.held.clear();
        Ok(())
    }

    fn lines(&mut self, mut rest: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        while let Some(at) = memchr(b'\n', rest) {
            let (line, tail) = rest.split_at(at);
            rest = tail.strip_prefix(b"\n").unwrap_or_default();
            if self.held.len() + line.len() > self.limit {
                return Err(FrameError::TooLarge { limit: self.limit });
            }
            if self.held.is_empty() {
                deliver(line, each);
                continue;
            }
            self.held.extend_from_slice(line);
            deliver(&self.held, each);
            reset(&mut self.held);
        }
        self.hold(rest)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.held.len() + bytes.len() > self.limit {
            return Err(FrameError::TooLarge { limit: self.limit });
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}

fn deliver(line: &[u8], each: &mut Each<'_>) {
    let data = line.trim_ascii();
    if !data.is_empty() {
        each(FrameRef { event: None, data });
    }
}
