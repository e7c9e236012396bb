//! Finds opaque values and ids in chunked bytes, whatever the JSON around them.
//!
//! An opaque value is a string whose first [`WORD`] characters are all from the two base64 alphabets, or `=` or `:`,
//! which occurs in values that Weir wrapped. Prose has spaces, an address has dots, a data URL has a semicolon, and a
//! tool's name is shorter. Only the beginning counts, so the rest is not buffered, and neither its length nor its
//! escapes matter.

/// The number of leading characters that identify an opaque value.
pub const WORD: usize = 72;
/// The least length of an id.
const ID: usize = 8;

/// A word that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// The beginning of an opaque value.
    Value(&'a [u8; WORD]),
    /// A whole shorter string of letters, digits, `_` and `-` that is not a member's name.
    Id(&'a [u8]),
}

/// Scans bytes piece by piece.
#[derive(Debug)]
pub struct Scanner {
    place: Place,
    word: Prefix,
    /// A short string that has ended, and that may be a member's name if a colon follows.
    ended: Option<Prefix>,
    wants_ids: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Skipping to the next quote.
    Outside,
    /// After a quote, with only matching characters since. The quote may open or close a string; text after a closing
    /// quote never makes a word.
    Inside,
    /// After a backslash.
    Escaped,
    /// Within `\uXXXX`, with `left` digits to come.
    Unicode { left: u8, code: u16 },
}

/// The characters of a word so far.
#[derive(Debug, Clone, Copy)]
struct Prefix {
    text: [u8; WORD],
    len: usize,
}

impl Prefix {
    const EMPTY: Self = Self { text: [0; WORD], len: 0 };

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn text(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }

    fn is_id(&self) -> bool {
        let is_id = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (ID..WORD).contains(&self.len) && self.text().iter().all(is_id)
    }
}

impl Scanner {
    /// A scanner for opaque values and, if `wants_ids`, for ids.
    pub fn new(wants_ids: bool) -> Self {
        Self { place: Place::Outside, word: Prefix::EMPTY, ended: None, wants_ids }
    }

    /// Stops looking for ids.
    pub fn only_values(&mut self) {
        self.wants_ids = false;
    }

    /// Scans the next piece.
    pub fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Word<'_>)) {
        let mut rest = bytes;
        loop {
            if self.place == Place::Outside && self.ended.is_none() {
                let Some(at) = memchr::memchr(b'"', rest) else { return };
                rest = rest.split_at(at + 1).1;
                self.open();
            }
            if self.is_just_open()
                && let Some(at) = rest.get(..WORD).and_then(|near| memchr::memchr(b'"', near))
            {
                // Skips a string that is too short for an opaque value.
                rest = rest.split_at(at).1;
            }
            let Some((byte, behind)) = rest.split_first() else { return };
            rest = behind;
            self.step(*byte, found);
        }
    }

    fn is_just_open(&self) -> bool {
        !self.wants_ids && self.ended.is_none() && self.place == Place::Inside && self.word.len == 0
    }

    fn step(&mut self, byte: u8, found: &mut dyn FnMut(Word<'_>)) {
        self.settle(byte, found);
        match (self.place, byte) {
            (Place::Inside, b'"') => self.close(),
            (_, b'"') => self.open(),
            (Place::Outside, _) => {}
            (Place::Inside, b'\\') => self.place = Place::Escaped,
            (Place::Escaped, b'u') => self.place = Place::Unicode { left: 4, code: 0 },
            (Place::Inside, _) | (Place::Escaped, b'/') => self.take(byte, found),
            (Place::Escaped, _) => self.place = Place::Outside,
            (Place::Unicode { left, code }, _) => self.decode(byte, left, code, found),
        }
    }

    /// Reports a string that has ended as an id, unless a colon follows.
    fn settle(&mut self, byte: u8, found: &mut dyn FnMut(Word<'_>)) {
        if byte.is_ascii_whitespace() {
            return;
        }
        if let Some(ended) = self.ended.take_if(|_| byte != b':') {
            found(Word::Id(ended.text()));
        }
        self.ended = None;
    }

    fn open(&mut self) {
        self.place = Place::Inside;
        self.word.len = 0;
    }

    fn close(&mut self) {
        self.ended = (self.wants_ids && self.word.is_id()).then_some(self.word);
        self.open();
    }

    fn take(&mut self, byte: u8, found: &mut dyn FnMut(Word<'_>)) {
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b':')) {
            self.place = Place::Outside;
            return;
        }
        self.place = Place::Inside;
        self.word.push(byte);
        if self.word.len == WORD {
            found(Word::Value(&self.word.text));
            self.place = Place::Outside;
        }
    }

    /// Decodes `\uXXXX`, since some writers escape `+`, `/` and `=`.
    fn decode(&mut self, byte: u8, left: u8, code: u16, found: &mut dyn FnMut(Word<'_>)) {
        let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            self.place = Place::Outside;
            return;
        };
        let code = code << 4 | digit;
        match (left, u8::try_from(code)) {
            (1, Ok(byte)) => self.take(byte, found),
            (1, Err(_)) => self.place = Place::Outside,
            _ => self.place = Place::Unicode { left: left - 1, code },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words_of<'a>(pieces: impl Iterator<Item = &'a [u8]>, wants_ids: bool) -> Vec<String> {
        let (mut scanner, mut words) = (Scanner::new(wants_ids), Vec::new());
        for piece in pieces {
            scanner.push(piece, &mut |word| {
                words.push(match word {
                    Word::Value(text) => format!("value {}", String::from_utf8_lossy(text)),
                    Word::Id(text) => format!("id {}", String::from_utf8_lossy(text)),
                });
            });
        }
        words
    }

    fn words(text: &str, wants_ids: bool) -> Vec<String> {
        words_of(std::iter::once(text.as_bytes()), wants_ids)
    }

    fn value(len: usize) -> String {
        "gAAAAABm-_+/Zz09".chars().cycle().take(len).collect()
    }

    #[test]
    fn opaque_values_are_found_and_nothing_else_is() {
        let (long, just, short) = (value(900), value(WORD), value(WORD - 1));
        let text = format!(
            r#"{{"a":"{long}","b":["{just}"],"c":"{short}","url":"https://x.example/{long}","data":"data:image/png;base64,{long}",
            "text":"So {long} it is","{short}":{{"d":"weir:zeta:e:{long}"}}}}"#
        );
        let wrapped = format!("value {}", &format!("weir:zeta:e:{long}")[..WORD]);
        let plain = format!("value {}", &long[..WORD]);
        assert_eq!(words(&text, false), [plain.clone(), plain, wrapped]);
    }

    #[test]
    fn escapes_do_not_change_a_word() {
        let plain = format!("\"{}\"", value(200));
        let slashes = plain.replace('/', "\\/");
        let codes = plain.replace('+', "\\u002B").replace('/', "\\u002f");
        assert_eq!(words(&plain, false).len(), 1);
        assert_eq!(words(&slashes, false), words(&plain, false));
        assert_eq!(words(&codes, true), words(&plain, false));
        assert!(words(&plain.replace('+', "\\u00e9"), false).is_empty());
        assert!(words(&plain.replace('+', "\\n"), false).is_empty());
    }

    #[test]
    fn ids_are_whole_strings_but_not_member_names() {
        let text =
            r#"{"call_0001" : "call_0002", "is" : ["call_0003" ,"short","call 0004","call.0005"],"x":"call_0006"}"#;
        assert_eq!(words(text, true), ["id call_0002", "id call_0003", "id call_0006"]);
        assert!(words(text, false).is_empty());
    }

    fn fragment() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,20}",
            "[A-Za-z0-9_-]{1,80}",
            (60usize..90).prop_map(value),
            Just("\"".to_owned()),
            Just("\":".to_owned()),
            Just("\\/".to_owned()),
            Just("\\u002b".to_owned()),
            Just("\\\"".to_owned()),
            Just("é\n".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn the_words_do_not_depend_on_chunk_boundaries(
            fragments in prop::collection::vec(fragment(), 0..30), cuts in prop::collection::vec(1usize..40, 1..20),
            wants_ids in any::<bool>(),
        ) {
            let text = fragments.concat();
            let (mut pieces, mut rest) = (Vec::new(), text.as_bytes());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            let whole = words(&text, wants_ids);
            prop_assert_eq!(words_of(pieces.into_iter(), wants_ids), whole.clone());
            prop_assert_eq!(words_of(text.as_bytes().chunks(1), wants_ids), whole);
        }

        /// A value is found in the output of a JSON writer, whatever is around it.
        #[test]
        fn a_value_in_any_json_is_found(
            before in "\\PC{0,40}", name in "\\PC{0,10}", len in WORD..400, after in "\\PC{0,40}",
        ) {
            let own = value(len);
            // The prefix keeps `name` from colliding with the document's own members.
            let json = serde_json::json!({"a": [before], format!("n{name}"): {"b": own}, "c": after}).to_string();
            let wanted = format!("value {}", &own[..WORD]);
            prop_assert!(words(&json, false).contains(&wanted), "{}", json);
            prop_assert!(words(&json, true).contains(&wanted), "{}", json);
        }
    }
}
