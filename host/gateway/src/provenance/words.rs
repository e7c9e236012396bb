//! Finds the words of texts that may be ids.

use super::LONGEST_ID;

/// Finds the words of a text of which ids consist, also where characters are escaped as in JSON or in forms.
#[derive(Debug, Default)]
pub(crate) struct Words {
    word: Vec<u8>,
    /// The word is longer than ids are.
    is_long: bool,
    /// Spaces are part of words.
    has_spaces: bool,
    escape: Escape,
}

/// How far an escaped character has come.
#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    Nothing,
    Backslash,
    /// So many digits are still to come, of this number.
    Digits(u8, u32),
}

impl Words {
    /// Finds words that may contain spaces: some services name objects so.
    pub(crate) fn with_spaces() -> Self {
        Self { has_spaces: true, ..Self::default() }
    }

    /// Finds the words that end in the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(&[u8])) {
        for byte in bytes {
            self.take(*byte, found);
        }
    }

    /// Finds the last word.
    pub(crate) fn end(&mut self, found: &mut dyn FnMut(&[u8])) {
        self.escape = Escape::Nothing;
        self.character(b'\n', found);
    }

    fn take(&mut self, byte: u8, found: &mut dyn FnMut(&[u8])) {
        match (self.escape, byte) {
            (Escape::Digits(left, number), digit) if digit.is_ascii_hexdigit() => {
                let number = number * 16 + char::from(digit).to_digit(16).unwrap_or_default();
                self.escape = if left > 1 { Escape::Digits(left - 1, number) } else { Escape::Nothing };
                if left == 1 {
                    self.character(u8::try_from(number).unwrap_or(b'\n'), found);
                }
            }
            (Escape::Backslash, b'u') => self.escape = Escape::Digits(4, 0),
            (_, b'\\') => {
                let is_escaped = matches!(self.escape, Escape::Backslash);
                self.escape = if is_escaped { Escape::Nothing } else { Escape::Backslash };
                if is_escaped {
                    self.character(byte, found);
                }
            }
            (Escape::Backslash, _) => {
                self.escape = Escape::Nothing;
                self.character(b'\n', found);
            }
            (_, b'%') => self.escape = Escape::Digits(2, 0),
            (_, byte) => {
                if matches!(self.escape, Escape::Digits(..)) {
                    self.escape = Escape::Nothing;
                    self.character(b'\n', found);
                }
                self.character(byte, found);
            }
        }
    }

    fn character(&mut self, byte: u8, found: &mut dyn FnMut(&[u8])) {
        let is_space = self.has_spaces && matches!(byte, b' ' | b'+');
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || is_space {
            if self.word.len() < LONGEST_ID {
                self.word.push(if is_space { b' ' } else { byte });
            } else {
                self.is_long = true;
            }
            return;
        }
        if !self.word.is_empty() && !self.is_long {
            found(&self.word);
        }
        self.word.clear();
        self.is_long = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let all = |size: usize| {
            let (mut words, mut all) = (Words::default(), Vec::new());
            let mut found = |word: &[u8]| all.push(String::from_utf8_lossy(word).into_owned());
            text.as_bytes().chunks(size).for_each(|piece| words.push(piece, &mut found));
            words.end(&mut found);
            all
        };
        let whole = all(text.len().max(1));
        assert_eq!(all(1), whole, "wherever it is cut");
        whole
    }

    #[test]
    fn words_are_found_wherever_they_stand_and_however_they_are_escaped() {
        for (text, expected) in [
            (r#"{"a":["file-1","x y"]}"#, vec!["a", "file-1", "x", "y"]),
            (r#"{"a":"\u0066ile\u002D1"}"#, vec!["a", "file-1"]),
            (r#""files\/file-1\n""#, vec!["files", "file-1"]),
            (r#""\\u0041""#, vec!["u0041"]),
            ("ids=file%2d1&x=%zz", vec!["ids", "file-1", "x", "zz"]),
            ("a\r\n\r\nfile-1\r\n--b--", vec!["a", "file-1", "--b--"]),
            ("file-1", vec!["file-1"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert!(words(&"x".repeat(LONGEST_ID + 1)).is_empty());
    }
}
