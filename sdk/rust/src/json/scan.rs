//! Scans JSON text: tokens and whole values, without types.

use super::error::Error;
use super::{float, plain};

/// Deepest nesting of objects and lists for typed values; raw values may be deeper.
const DEPTH: u8 = 128;

/// A text and the position in it.
pub(super) struct Scanner<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
    /// Whether the colon after the last key has been read.
    past_colon: bool,
    /// The buffer for strings with escapes, so that an owned copy needs only one allocation.
    scratch: String,
}

/// A scalar value, or the beginning of a list or object.
pub(super) enum Token<'de> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Borrowed(&'de str),
    /// A string in the scanner's scratch buffer.
    Escaped,
    List,
    Object,
}

impl<'de> Scanner<'de> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0, past_colon: false, scratch: String::new() }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn wrong(&self, what: &str) -> Error {
        Error::at(what, self.text.get(..self.at).unwrap_or(self.text))
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    fn slice(&self, from: usize) -> Result<&'de str, Error> {
        self.text.get(from..self.at).ok_or_else(|| self.wrong("a broken character"))
    }

    /// The next value. Of lists and objects, only the bracket.
    #[inline(never)]
    pub(super) fn token(&mut self) -> Result<Token<'de>, Error> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.open(Token::Object),
            Some(b'[') => self.open(Token::List),
            Some(b't') => self.word("true").map(|()| Token::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Token::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Token::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.wrong("expected a value")),
            None => Err(self.wrong("the text ends too early")),
        }
    }

    /// Whether the next value is null; a null is consumed.
    pub(super) fn null(&mut self) -> Result<bool, Error> {
        if self.peek() == Some(b'n') { self.word("null").map(|()| true) } else { Ok(false) }
    }

    fn open(&mut self, token: Token<'de>) -> Result<Token<'de>, Error> {
        if self.depth >= DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(token)
    }

    /// Advances to the next element or member: over the comma, or at the end over the closing bracket.
    #[inline(never)]
    pub(super) fn more(&mut self, first: bool, close: u8) -> Result<bool, Error> {
        self.advance(first, close)
    }

    /// Advances to the next member of an object and reads its key, and its colon if that follows directly; `None` at
    /// the object's end. One call for each member of every body.
    #[inline(never)]
    pub(super) fn member(&mut self, first: bool) -> Result<Option<Token<'de>>, Error> {
        if !self.advance(first, b'}')? {
            return Ok(None);
        }
        self.key()?;
        let key = self.string()?;
        self.past_colon = self.byte() == Some(b':');
        self.at += usize::from(self.past_colon);
        Ok(Some(key))
    }

    #[inline]
    fn advance(&mut self, first: bool, close: u8) -> Result<bool, Error> {
        let next = self.peek();
        if next == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if first {
            return Ok(true);
        }
        if next != Some(b',') {
            return Err(self.wrong("expected a comma or the end of the list or object"));
        }
        self.at += 1;
        Ok(true)
    }

    /// Called when a list or an object is closed.
    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Reads the colon between a member's key and its value, unless [`Self::member`] has read it.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.past_colon) { Ok(()) } else { self.late_colon() }
    }

    #[inline(never)]
    fn late_colon(&mut self) -> Result<(), Error> {
        if self.peek() != Some(b':') {
            return Err(self.wrong("expected a colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Error> {
        if !self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<Token<'de>, Error> {
        let from = self.at;
        let whole = self.skip_number()?;
        let text = self.slice(from)?;
        if whole {
            if let Some(value) = unsigned(text) {
                return Ok(Token::Unsigned(value));
            }
            // A zero with a sign is a float.
            let negative = text.strip_prefix('-').and_then(unsigned).filter(|value| *value != 0);
            if let Some(value) = negative.and_then(|value| 0i64.checked_sub_unsigned(value)) {
                return Ok(Token::Signed(value));
            }
        }
        float::read(text).map(Token::Float).ok_or_else(|| self.wrong("a number out of range"))
    }

    /// Skips a number; returns whether it is a whole number.
    fn skip_number(&mut self) -> Result<bool, Error> {
        let mut whole = true;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.byte() == Some(b'0');
        if self.skip_digits()? > 1 && zero {
            return Err(self.wrong("a number with a leading zero"));
        }
        if self.byte() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(whole)
    }

    fn skip_digits(&mut self) -> Result<usize, Error> {
        let from = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.wrong("expected a digit")) } else { Ok(self.at - from) }
    }

    /// Reads a string, whose quote is next.
    #[inline]
    fn string(&mut self) -> Result<Token<'de>, Error> {
        self.at += 1;
        let from = self.at;
        self.skip_plain();
        if self.byte() != Some(b'"') {
            return self.escaped(from).map(|()| Token::Escaped);
        }
        let text = self.slice(from)?;
        self.at += 1;
        Ok(Token::Borrowed(text))
    }

    /// Advances to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        self.at += plain::length(self.text.as_bytes().get(self.at..).unwrap_or_default());
    }

    /// Continues a string that began at `from` and turned out to contain an escape.
    #[inline(never)]
    fn escaped(&mut self, mut from: usize) -> Result<(), Error> {
        self.scratch.clear();
        self.scratch.reserve(self.at - from + 256);
        loop {
            let plain = self.slice(from)?;
            self.scratch.push_str(plain);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.scratch.push(character);
                }
                Some(_) => return Err(self.wrong("a control character in a string")),
                None => return Err(self.wrong("a string without an end")),
            }
            from = self.at;
            self.skip_plain();
        }
    }

    /// The string of the last [`Token::Escaped`].
    pub(super) fn scratch(&self) -> &str {
        &self.scratch
    }

    fn escape(&mut self) -> Result<char, Error> {
        let kind = self.text.as_bytes().get(self.at + 1).copied();
        let character = match kind {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(other @ (b'"' | b'\\' | b'/')) => char::from(other),
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("an unknown escape")),
        };
        self.at += 2;
        Ok(character)
    }

    /// Reads `\uXXXX`, or two of them that form a surrogate pair.
    fn unicode(&mut self) -> Result<char, Error> {
        let code = self.hex().and_then(|high| match high {
            0xd800..=0xdbff => {
                let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                Some(0x10000 + (high - 0xd800) * 0x400 + low)
            }
            _ => Some(high),
        });
        code.and_then(char::from_u32).ok_or_else(|| self.wrong("a broken escape"))
    }

    /// Reads one `\uXXXX` of any value.
    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 6)?.strip_prefix("\\u")?;
        // The parser of numbers would accept a sign.
        let code = u32::from_str_radix(digits.strip_prefix('+').map_or(digits, |_| ""), 16).ok()?;
        self.at += 6;
        Some(code)
    }

    /// Reads a whole value and returns its text.
    #[inline(never)]
    pub(super) fn raw(&mut self) -> Result<&'de str, Error> {
        self.peek();
        let from = self.at;
        self.skip()?;
        self.slice(from)
    }

    /// Skips a value and checks its syntax. Not recursive: the depth of raw values is unlimited.
    fn skip(&mut self) -> Result<(), Error> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            let mut first = self.skip_one(&mut open)?;
            // Closes what ends here, up to the next value.
            loop {
                let Some(&close) = open.last() else { return Ok(()) };
                if self.more(first, close)? {
                    break;
                }
                first = false;
                open.pop();
            }
            if open.last() == Some(&b'}') {
                self.skip_key()?;
            }
        }
    }

    /// Skips a scalar value or an opening bracket; returns whether it was a bracket.
    fn skip_one(&mut self, open: &mut Vec<u8>) -> Result<bool, Error> {
        match self.peek() {
            Some(b'{') => open.push(b'}'),
            Some(b'[') => open.push(b']'),
            Some(b'"') => return self.skip_string().map(|()| false),
            Some(b'-' | b'0'..=b'9') => return self.skip_number().map(|_| false),
            _ => return self.token().map(|_| false),
        }
        self.at += 1;
        Ok(true)
    }

    fn skip_key(&mut self) -> Result<(), Error> {
        self.key()?;
        self.skip_string()?;
        self.late_colon()
    }

    /// Checks that a member's key comes next.
    pub(super) fn key(&mut self) -> Result<(), Error> {
        if self.peek() == Some(b'"') { Ok(()) } else { Err(self.wrong("expected a member's name")) }
    }

    fn skip_string(&mut self) -> Result<(), Error> {
        self.at += 1;
        loop {
            self.skip_plain();
            match self.byte() {
                // Halves of surrogate pairs are allowed in values that are not parsed.
                Some(b'\\') if self.hex().is_some() => {}
                Some(b'\\') => drop(self.escape()?),
                Some(b'"') => break,
                _ => return Err(self.wrong("a string without an end")),
            }
        }
        self.at += 1;
        Ok(())
    }
}

/// A whole number without a sign; `None` if it does not fit.
fn unsigned(digits: &str) -> Option<u64> {
    digits.bytes().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}
