//! The UTF-8 byte order mark that some servers send before a stream.

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Drops one byte order mark at the very start of a stream, even if it arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct Bom {
    /// How many bytes of the mark have arrived.
    matched: usize,
    /// Whether the start of the stream is over.
    passed: bool,
}

impl Bom {
    /// Returns the bytes to read: those of earlier reads that turned out not to be a mark, and the rest of this read.
    pub(crate) fn strip<'a>(&mut self, bytes: &'a [u8]) -> (&'static [u8], &'a [u8]) {
        if self.passed {
            return (&[], bytes);
        }
        let wanted = MARK.get(self.matched..).unwrap_or_default();
        let same = wanted.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        let rest = bytes.get(same..).unwrap_or_default();
        if same == wanted.len() {
            self.passed = true;
            return (&[], rest);
        }
        if rest.is_empty() {
            self.matched += same;
            return (&[], rest);
        }
        self.passed = true;
        (MARK.get(..self.matched).unwrap_or_default(), bytes)
    }

    /// Whether the start of the stream is over.
    pub(crate) fn has_passed(&self) -> bool {
        self.passed
    }

    /// Whether bytes are held back that may be the start of a mark.
    pub(crate) fn is_within(&self) -> bool {
        !self.passed && self.matched > 0
    }

    /// The bytes held back when the stream ends.
    pub(crate) fn finish(&mut self) -> &'static [u8] {
        if self.passed {
            return &[];
        }
        self.passed = true;
        MARK.get(..self.matched).unwrap_or_default()
    }
}
