//! Decodes JSON strings, and checks UTF-8 in pieces.

use memchr::memchr;
use std::borrow::Cow;

/// Decodes the text between the quotes of a JSON string; `None` if an escape is invalid.
///
/// A lone surrogate becomes U+FFFD, because clients that cut a text within a character write them.
pub(super) fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    let Some(first) = memchr(b'\\', raw) else {
        // The check of a whole text costs less than a search for its wrong parts.
        return Some(std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed));
    };
    let mut out = String::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at_checked(first)?;
    out.push_str(&String::from_utf8_lossy(plain));
    while let [b'\\', escaped @ ..] = rest {
        let (character, tail) = escape(escaped)?;
        out.push(character);
        let (plain, next) = tail.split_at_checked(memchr(b'\\', tail).unwrap_or(tail.len()))?;
        out.push_str(&String::from_utf8_lossy(plain));
        rest = next;
    }
    Some(Cow::Owned(out))
}

/// Decodes one escape, and returns the bytes after it.
fn escape(bytes: &[u8]) -> Option<(char, &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let character = match kind {
        b'"' | b'\\' | b'/' => char::from(kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        _ => return None,
    };
    Some((character, rest))
}

fn unicode(bytes: &[u8]) -> Option<(char, &[u8])> {
    let (unit, rest) = unit(bytes)?;
    if let Some(character) = char::from_u32(unit) {
        return Some((character, rest));
    }
    if unit < 0xDC00
        && let Some((low, rest)) = rest.strip_prefix(b"\\u").and_then(self::unit)
        && (0xDC00..0xE000).contains(&low)
    {
        let character = char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00))?;
        return Some((character, rest));
    }
    Some((char::REPLACEMENT_CHARACTER, rest))
}

/// Parses a UTF-16 code unit of four hexadecimal digits.
fn unit(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(4)?;
    let value = digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))?;
    Some((value, rest))
}

/// Checks that bytes are UTF-8, in any chunks.
#[derive(Debug, Default, Clone)]
pub(super) struct Utf8 {
    /// The start of an incomplete character.
    held: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Checks a chunk. The error is the offset of the first bad byte in it; 0 also for a byte of the previous chunk.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), usize> {
        let mut start = 0;
        while self.length > 0 {
            let (Some(&byte), Some(place)) = (chunk.get(start), self.held.get_mut(self.length)) else { return Ok(()) };
            *place = byte;
            self.length += 1;
            start += 1;
            match std::str::from_utf8(self.held.get(..self.length).unwrap_or_default()) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(start - 1),
                Err(_) => {}
            }
        }
        let rest = chunk.get(start..).unwrap_or_default();
        // A request of some hundred kilobytes is checked in a fraction of the time that the standard library's check
        // takes.
        let Err(error) = simdutf8::compat::from_utf8(rest) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(start + error.valid_up_to());
        }
        for (place, &byte) in self.held.iter_mut().zip(rest.get(error.valid_up_to()..).unwrap_or_default()) {
            *place = byte;
            self.length += 1;
        }
        Ok(())
    }
}
