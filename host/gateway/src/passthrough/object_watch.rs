//! Looks for ids of other clients' objects in a body to an endpoint that no adapter declares, while it passes: nobody knows where such
//! a body names objects, so that every word counts, wherever it stands.

use std::sync::Arc;

use super::client_body::Watch;
use super::model_watch::ModelWatch;
use crate::provenance::{LONGEST_ID, Owners, SentWords, may_be_owned};
use weir_upstream::UploadError;

/// Why a body does not go on.
const ANOTHERS: &str = "the request's body names an object that is not here, or not this client's";

/// A body whose words are looked at.
pub(crate) struct ObjectWatch {
    owners: Arc<Owners>,
    tenant: Arc<str>,
    words: Words,
    /// The same with spaces in them, of which some services make names.
    phrases: Words,
    /// Keeps the words for what the answer tells.
    sent: Arc<SentWords>,
    /// What else is looked for in it.
    models: Option<ModelWatch>,
}

impl ObjectWatch {
    /// A watch of a tenant's body, and perhaps of the models in it.
    pub(crate) fn new(owners: &Arc<Owners>, tenant: &Arc<str>, models: Option<ModelWatch>) -> Self {
        let (owners, tenant) = (Arc::clone(owners), Arc::clone(tenant));
        let (words, phrases) = (Words::default(), Words { has_spaces: true, ..Words::default() });
        Self { owners, tenant, words, phrases, sent: Arc::default(), models }
    }

    /// The words that have passed so far.
    pub(crate) fn sent(&self) -> Arc<SentWords> {
        Arc::clone(&self.sent)
    }
}

impl Watch for ObjectWatch {
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError> {
        let Self { owners, tenant, words, phrases, sent, models } = self;
        let mut is_anothers = false;
        let mut look = |word: &[u8]| {
            sent.add(word);
            is_anothers |= may_be_owned(word) && owners.is_anothers(word, tenant);
        };
        words.push(piece, &mut look);
        phrases.push(piece, &mut |phrase| sent.add(phrase));
        if is_last {
            words.end(&mut look);
            phrases.end(&mut |phrase| sent.add(phrase));
        }
        if is_anothers {
            return Err(UploadError::Refused(ANOTHERS));
        }
        if let Some(watch) = models
            && !watch.passes(piece, is_last)?
        {
            *models = None;
        }
        Ok(true)
    }
}

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
    /// Finds the words that end in the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(&[u8])) {
        for byte in bytes {
            self.take(*byte, found);
        }
    }

    /// Finds the last word.
    pub(crate) fn end(&mut self, found: &mut dyn FnMut(&[u8])) {
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
