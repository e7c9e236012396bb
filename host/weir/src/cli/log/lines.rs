//! The lines of an answer that arrives in pieces.

use std::io;

/// Puts the lines of an answer together. What follows the last line break waits for the next piece.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Gives each line that this piece completes to `take`, with its line break.
    pub(super) fn push(&mut self, piece: &[u8], mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.0.extend_from_slice(piece);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            take(&line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_how_they_are_cut() {
        for size in 1..8 {
            let (mut lines, mut taken) = (Lines::default(), Vec::new());
            for piece in b"one\n\ntwo\nrest".chunks(size) {
                let take = |line: &[u8]| {
                    taken.push(line.to_vec());
                    Ok(())
                };
                lines.push(piece, take).unwrap();
            }
            assert_eq!(taken, [&b"one\n"[..], b"\n", b"two\n"], "{size}");
        }
    }
}
