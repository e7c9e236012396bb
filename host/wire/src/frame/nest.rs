//! Finds the end of a JSON value by its strings and brackets alone, about as fast as a search for quotes.
//!
//! Both scanners continue where the last bytes ended, so a value may arrive in any number of pieces. Neither validates
//! what it skips: brackets are counted, not paired.

use memchr::{memchr, memchr2, memchr3};

/// Error: a container is nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooDeep;

/// Finds the quote that ends a string.
///
/// It searches for quotes alone and counts the backslashes before each: text has many `\n` and few quotes, so this
/// means fewer stops than one for every backslash.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct StringEnd {
    /// Whether the bytes so far end with an odd number of backslashes, which escape the next character.
    odd: bool,
}

impl StringEnd {
    /// Offset of the closing quote, if it is among these bytes.
    #[inline]
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.odd
            && let Some(at) = near_quote::<NEAR>(bytes)
        {
            return Some(at);
        }
        let mut from = 0;
        while let Some(tail) = bytes.get(from..)
            && let Some(at) = memchr(b'"', tail)
        {
            if !self.escaped(tail.get(..at).unwrap_or_default(), from == 0) {
                self.odd = false;
                return Some(from + at);
            }
            from += at + 1;
        }
        self.odd = self.escaped(bytes.get(from..).unwrap_or_default(), from == 0);
        None
    }

    /// Whether the byte after `text` is escaped; `first` if `text` directly follows earlier bytes.
    #[inline]
    fn escaped(self, text: &[u8], first: bool) -> bool {
        if first && self.odd {
            // The first byte is escaped; if it is a backslash, it escapes nothing.
            return match text {
                [] => true,
                [_, rest @ ..] => trailing_backslashes(rest) % 2 == 1,
            };
        }
        trailing_backslashes(text) % 2 == 1
    }
}

/// The length of most strings, in bytes. A search in two words costs less than a call.
const NEAR: usize = 16;

/// Offset of the first quote, if it is among the first bytes and no backslash is before it. `BYTES` is a multiple of
/// eight.
#[inline]
pub(crate) fn near_quote<const BYTES: usize>(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.get(..BYTES)?.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        if lowest(word, b'\\') != 0 {
            return None;
        }
        let quotes = lowest(word, b'"');
        if quotes != 0 {
            return Some(number * 8 + quotes.trailing_zeros() as usize / 8);
        }
    }
    None
}

/// A word whose lowest bit marks the first of its bytes that equals this one; 0 if none does.
#[inline]
const fn lowest(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let differences = word ^ (ONES * byte as u64);
    differences.wrapping_sub(ONES) & !differences & (ONES << 7)
}

#[inline]
fn trailing_backslashes(text: &[u8]) -> usize {
    text.iter().rev().take_while(|&&byte| byte == b'\\').count()
}

/// Skips one string, array or object.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Nest {
    depth: usize,
    in_string: bool,
    string: StringEnd,
}

impl Nest {
    /// Starts before the first byte of the value.
    pub(crate) const fn new() -> Self {
        Self { depth: 0, in_string: false, string: StringEnd { odd: false } }
    }

    /// Starts within a container whose opening bracket has been read.
    pub(crate) const fn inside() -> Self {
        Self { depth: 1, ..Self::new() }
    }

    /// Continues; returns the number of bytes up to the value's end, if it ends here.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: &[u8], limit: usize) -> Result<Option<usize>, TooDeep> {
        let mut at = 0;
        loop {
            if self.in_string {
                let Some(length) = self.string.find(bytes.get(at..).unwrap_or_default()) else { return Ok(None) };
                at += length + 1;
                self.in_string = false;
                if self.depth == 0 {
                    return Ok(Some(at));
                }
            }
            let Some(found) = next_mark(bytes, at) else { return Ok(None) };
            at = found + 1;
            match bytes.get(found) {
                Some(b'"') => self.in_string = true,
                Some(b'{' | b'[') => {
                    self.depth += 1;
                    if self.depth > limit {
                        return Err(TooDeep);
                    }
                }
                _ => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Ok(Some(at));
                    }
                }
            }
        }
    }
}

/// Whether a byte is a quote or a bracket. Setting bit 5 maps `[` to `{` and `]` to `}`, and makes no other byte a
/// mark.
#[inline]
const fn is_mark(byte: u8) -> bool {
    byte == b'"' || (byte | 0x20) == b'{' || (byte | 0x20) == b'}'
}

/// Offset of the next quote or bracket at or after `from`.
#[inline]
fn next_mark(bytes: &[u8], from: usize) -> Option<usize> {
    /// Marks are mostly a few bytes apart; only long gaps (arrays of numbers, white space) are worth a search.
    const NEAR: usize = 24;
    let tail = bytes.get(from..)?;
    if let Some(at) = tail.iter().take(NEAR).position(|&byte| is_mark(byte)) {
        return Some(from + at);
    }
    far_mark(tail.get(NEAR..)?).map(|at| from + NEAR + at)
}

/// Offset of the first quote or bracket, which is probably far away.
fn far_mark(bytes: &[u8]) -> Option<usize> {
    /// How far the two searches run ahead of each other, in bytes.
    const WINDOW: usize = 2 << 10;
    for (number, window) in bytes.chunks(WINDOW).enumerate() {
        let mark = memchr3(b'"', b'[', b']', window);
        let before = window.get(..mark.unwrap_or(window.len())).unwrap_or_default();
        if let Some(at) = memchr2(b'{', b'}', before).or(mark) {
            return Some(number * WINDOW + at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_any_length_hide_no_mark() {
        for gap in (0..200).chain(2040..2110) {
            let plain = "1".repeat(gap);
            for value in [format!("[{plain}]"), format!("{{{plain}\"]}}\"{plain}}}"), format!("[{plain}[{plain}]]")] {
                let bytes = format!("{value},[{plain}]");
                assert_eq!(Nest::new().advance(bytes.as_bytes(), 9), Ok(Some(value.len())), "{value}");
            }
        }
    }

    #[test]
    fn near_quotes_are_found_where_a_search_finds_them() {
        for length in 0..20 {
            for (other, is_near) in [(b'a', true), (b'\\', false), (b'#', true), (b'!', true), (0xa2, true)] {
                let mut bytes = [b'x'; 40];
                bytes[length / 2] = if length > 1 { other } else { b'x' };
                bytes[length] = b'"';
                let wanted = (length < 16 && (is_near || length < 2)).then_some(length);
                assert_eq!(near_quote::<NEAR>(&bytes), wanted, "{length} {other}");
                let mut string = StringEnd::default();
                let skipped = usize::from(length > 1 && other == b'\\' && length / 2 + 1 == length);
                assert_eq!(string.find(&bytes), (skipped == 0).then_some(length), "{length} {other}");
            }
        }
        assert_eq!(near_quote::<NEAR>(b"short\""), None, "the end of a piece is left to the search");
    }

    #[test]
    fn backslashes_escape_in_pairs() {
        for count in 0..6 {
            let text = format!("{}\"x\"", "\\".repeat(count));
            let end = if count % 2 == 0 { count } else { count + 2 };
            for at in 0..=count {
                let (one, other) = text.as_bytes().split_at(at);
                let mut string = StringEnd::default();
                assert_eq!(string.find(one), None);
                assert_eq!(string.find(other), Some(end - at), "{text} at {at}");
            }
        }
    }
}
