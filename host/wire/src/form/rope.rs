//! A body in chunks, searched and read as one piece.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

/// Chunks, each with its offset in the whole.
#[derive(Debug)]
pub(super) struct Rope<'a> {
    chunks: Vec<(usize, &'a [u8])>,
    len: usize,
}

impl<'a> Rope<'a> {
    pub(super) fn new(chunks: &'a [Bytes]) -> Self {
        let mut len = 0;
        let place = |chunk: &'a Bytes| {
            let start = len;
            len += chunk.len();
            (start, chunk.as_ref())
        };
        let chunks = chunks.iter().map(place).collect();
        Self { chunks, len }
    }

    /// Length of the whole, in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// First occurrence of `needle` from `from` on. Copies only the bytes around the ends of chunks.
    pub(super) fn find(&self, needle: &[u8], from: usize) -> Option<usize> {
        let finder = memmem::Finder::new(needle);
        let overlap = needle.len().saturating_sub(1);
        for (start, chunk) in self.chunks.get(self.chunk_of(from)..)? {
            let inside = from.saturating_sub(*start).min(chunk.len());
            if let Some(at) = finder.find(chunk.get(inside..)?) {
                return Some(start + inside + at);
            }
            let end = start + chunk.len();
            let around = end.saturating_sub(overlap).max(from)..end.saturating_add(overlap).min(self.len);
            if around.end > end
                && let Some(at) = finder.find(&self.read(around.clone()))
            {
                return Some(around.start + at);
            }
        }
        None
    }

    /// Whether `text` occurs at `at`.
    pub(super) fn is_at(&self, at: usize, text: &[u8]) -> bool {
        self.read(at..at.saturating_add(text.len())) == text
    }

    /// Copies a range, cut to the length of the whole.
    pub(super) fn read(&self, range: Range<usize>) -> Vec<u8> {
        let mut out = Vec::with_capacity(range.end.min(self.len).saturating_sub(range.start));
        for (start, chunk) in self.chunks.get(self.chunk_of(range.start)..).unwrap_or_default() {
            if *start >= range.end {
                break;
            }
            let from = range.start.saturating_sub(*start).min(chunk.len());
            let to = (range.end - start).min(chunk.len());
            out.extend_from_slice(chunk.get(from..to).unwrap_or_default());
        }
        out
    }

    /// Index of the chunk that contains a byte; one past the last chunk if none does.
    fn chunk_of(&self, at: usize) -> usize {
        self.chunks.partition_point(|(start, chunk)| start + chunk.len() <= at)
    }
}
