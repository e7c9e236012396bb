//! Where a value came from, so that messages can show the place.

use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// A range of bytes of the configuration file.
    File(Range<usize>),
    /// An environment variable, by name.
    Variable(Arc<str>),
    /// Nowhere: a default.
    #[default]
    Unset,
}

impl Place {
    /// This place, or another where this one is unset.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        if *self == Self::Unset { other.clone() } else { self.clone() }
    }

    /// Whether it begins in one of these parts of the file, which are in their order.
    pub(super) fn is_within(&self, parts: &[Range<usize>]) -> bool {
        let Self::File(span) = self else { return false };
        let before = parts.partition_point(|part| part.start <= span.start);
        before.checked_sub(1).and_then(|last| parts.get(last)).is_some_and(|part| part.contains(&span.start))
    }
}

/// The configuration file as shown in messages: literal secrets are masked byte for byte, so that spans of the original
/// stay valid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    name: String,
    text: String,
    /// Where its lines end. A file may have a hundred thousand places to report.
    newlines: Vec<usize>,
}

impl Source {
    /// `shown` must be as long as the text that places refer to.
    pub(super) fn new(name: impl Into<String>, shown: String) -> Self {
        let newlines = shown.match_indices('\n').map(|(at, _)| at).collect();
        Self { name: name.into(), text: shown, newlines }
    }

    /// The file's name as the operator gave it; empty where there is no file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The masked text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the masked text: that of the file itself if no secret stands in it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    /// Line and column of a byte offset, both from 1, columns in characters. Offsets past the end count as the end.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let lines = self.newlines.partition_point(|newline| *newline < end);
        let line_start = self.newlines[..lines].last().map_or(0, |newline| newline + 1);
        (lines + 1, self.text[line_start..end].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("weir.toml", "a = 1\nbü = 2\n".to_owned());
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(6), (2, 1));
        assert_eq!(source.position(9), (2, 3));
        assert_eq!(source.position(8), (2, 2), "inside a character counts as its start");
        assert_eq!(source.position(999), (3, 1));
    }
}
