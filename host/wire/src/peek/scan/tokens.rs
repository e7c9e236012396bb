//! Names, strings and plain values, in one or several chunks.

use super::members::ends_plain;
use super::{Peek, State};
use crate::frame::nest::StringEnd;
use crate::peek::PeekError;
use crate::peek::found::Scalar;
use crate::peek::text::decode;

/// A name, string or plain value that is being read.
#[derive(Debug, Default)]
pub(super) struct Token {
    /// Offset of its first byte in the body (after the quote).
    start: usize,
    /// Whether its value is wanted.
    wanted: bool,
    /// Its bytes from earlier chunks, if they are needed.
    held: Vec<u8>,
    too_long: bool,
}

impl Token {
    pub(super) fn begin(&mut self, start: usize, wanted: bool) {
        self.start = start;
        self.wanted = wanted;
        self.too_long = false;
        self.held.clear();
    }

    fn hold(&mut self, bytes: &[u8], limit: usize) {
        if !self.wanted || self.too_long {
            return;
        }
        if self.held.len() + bytes.len() > limit {
            self.too_long = true;
            return;
        }
        self.held.extend_from_slice(bytes);
    }
}

impl Peek {
    pub(super) fn begin_name(&mut self, start: usize) {
        self.string = StringEnd::default();
        self.token.begin(start, true);
        self.state = State::InName;
    }

    pub(super) fn in_name(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let limit = self.name_limit();
        let Some(length) = self.string.find(rest) else {
            self.token.hold(rest, limit);
            return Ok(rest.len());
        };
        let end = rest.get(..length).unwrap_or_default();
        if self.token.held.is_empty() && !self.token.too_long {
            self.enter_member(end, at)?;
        } else {
            self.token.hold(end, limit);
            let held = std::mem::take(&mut self.token.held);
            self.next = None;
            if !self.token.too_long {
                self.enter_member(&held, at)?;
            }
            self.token.held = held;
        }
        // The colon mostly follows at once.
        if rest.get(length + 1) == Some(&b':') {
            self.state = State::Value;
            return Ok(length + 2);
        }
        self.state = State::Colon;
        Ok(length + 1)
    }

    /// Maximum raw length of a name that can match: an escape writes a byte with at most six.
    pub(super) fn name_limit(&self) -> usize {
        self.pointers.longest_name() * 6
    }

    pub(super) fn in_text(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let Some(length) = self.string.find(rest) else {
            self.token.hold(rest, self.limits.text_bytes);
            return Ok(rest.len());
        };
        if self.token.wanted {
            let range = self.token.start - 1..self.offset + at + length + 1;
            let start = self.token.start;
            let value = self.take_token(rest.get(..length).unwrap_or_default(), |raw| text(raw, start))?;
            self.hit(range, value)?;
        }
        self.after_value();
        Ok(length + 1)
    }

    pub(super) fn in_plain(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let Some(length) = rest.iter().position(|&byte| ends_plain(byte)) else {
            self.token.hold(rest, self.limits.text_bytes);
            return Ok(rest.len());
        };
        self.end_plain(rest.get(..length).unwrap_or_default(), self.offset + at + length)?;
        Ok(length)
    }

    pub(super) fn end_plain(&mut self, raw: &[u8], end: usize) -> Result<(), PeekError> {
        if self.token.wanted {
            let start = self.token.start;
            let value = self.take_token(raw, |raw| plain(raw, start))?;
            self.hit(start..end, value)?;
        }
        self.after_value();
        Ok(())
    }

    /// The value of a string with this inside, which begins at `start`.
    pub(super) fn text(&self, inside: &[u8], start: usize) -> Result<Scalar, PeekError> {
        if inside.len() > self.limits.text_bytes { Ok(Scalar::Long) } else { text(inside, start) }
    }

    /// The value of a number or a literal, which begins at `start`.
    pub(super) fn plain(&self, raw: &[u8], start: usize) -> Result<Scalar, PeekError> {
        if raw.len() > self.limits.text_bytes { Ok(Scalar::Long) } else { plain(raw, start) }
    }

    /// Reads the wanted token that ends with these bytes.
    pub(super) fn take_token(
        &mut self,
        end: &[u8],
        read: impl FnOnce(&[u8]) -> Result<Scalar, PeekError>,
    ) -> Result<Scalar, PeekError> {
        let limit = self.limits.text_bytes;
        if self.token.held.is_empty() && !self.token.too_long {
            return if end.len() > limit { Ok(Scalar::Long) } else { read(end) };
        }
        self.token.hold(end, limit);
        if self.token.too_long { Ok(Scalar::Long) } else { read(&self.token.held) }
    }
}

/// Reads the inside of a string, which begins at `start`.
fn text(inside: &[u8], start: usize) -> Result<Scalar, PeekError> {
    let text = decode(inside).ok_or(PeekError::Malformed { offset: start })?;
    Ok(Scalar::Text(text.into_owned()))
}

/// Parses `true`, `false`, `null` or a number, which begins at `start`.
fn plain(raw: &[u8], start: usize) -> Result<Scalar, PeekError> {
    let number = |raw| std::str::from_utf8(raw).ok().filter(|_| is_number(raw));
    match raw {
        b"true" => Ok(Scalar::Bool(true)),
        b"false" => Ok(Scalar::Bool(false)),
        b"null" => Ok(Scalar::Null),
        _ => number(raw).map(|text| Scalar::Number(text.to_owned())).ok_or(PeekError::Malformed { offset: start }),
    }
}

/// Whether these bytes are a number as JSON writes it.
fn is_number(raw: &[u8]) -> bool {
    let positive = raw.strip_prefix(b"-").unwrap_or(raw);
    let rest = match positive {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', rest @ ..] => after_digits(rest).1,
        _ => return false,
    };
    let rest = match rest {
        [b'.', fraction @ ..] => match after_digits(fraction) {
            (true, rest) => rest,
            (false, _) => return false,
        },
        rest => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => {
            matches!(after_digits(digits), (true, []))
        }
        _ => false,
    }
}

/// Whether there are digits, and what follows them.
fn after_digits(bytes: &[u8]) -> (bool, &[u8]) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0, bytes.get(count..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_those_of_a_full_parser(raw in "-?[0-9.eE+-]{0,6}|[0-9]{1,4}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?") {
            let parsed = serde_json::from_str::<&serde_json::value::RawValue>(&raw);
            prop_assert_eq!(is_number(raw.as_bytes()), parsed.is_ok_and(|value| value.get() == raw), "{}", raw);
        }
    }
}
