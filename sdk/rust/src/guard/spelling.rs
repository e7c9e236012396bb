//! Finds words in a text however it is spelled: with characters that look like those of ASCII, with invisible ones, or
//! with the escapes of JSON. A finding in the plain spelling is given by its place in the original text.

mod escapes;
mod look_alikes;

use self::escapes::escape;
use self::look_alikes::{Looks, is_plain, looks_like};
use super::Found;

pub(super) use escapes::of_json;
pub use escapes::outside_escape;

/// Applies `find` to a text as a reader sees it: characters that look like letters, digits, spaces or hyphens of ASCII
/// are replaced by those, and invisible ones are left out. The findings' ranges are bytes of the original text.
pub fn as_it_looks(text: &str, find: impl Fn(&str) -> Vec<Found>) -> Vec<Found> {
    if is_plain(text) {
        return find(text);
    }
    let mut plain = Plain::default();
    for (at, char) in text.char_indices() {
        match looks_like(char) {
            Looks::Itself => plain.keep(char, at),
            Looks::Like(other) => plain.replace(other, at, char.len_utf8()),
            Looks::Invisible => {}
        }
    }
    plain.place_in_original(find(&plain.text))
}

/// Applies `find` to the text of a JSON document with the escapes of its strings resolved. The findings' ranges are
/// bytes of the original text.
pub fn without_escapes(text: &str, find: impl Fn(&str) -> Vec<Found>) -> Vec<Found> {
    if !text.contains('\\') {
        return find(text);
    }
    let mut plain = Plain::default();
    let mut at = 0;
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if let Some((meant, length)) = escape(text, at) {
            plain.replace(meant, at, length);
            at += length;
        } else {
            plain.keep(char, at);
            at += char.len_utf8();
        }
    }
    plain.place_in_original(find(&plain.text))
}

/// The byte at which the last `count` characters of a text begin. Invisible ones do not count, and an escape of JSON
/// counts as one.
pub fn last_shown(text: &str, is_json: bool, count: usize) -> usize {
    let has_escapes = is_json && text.contains('\\');
    if is_plain(text) && !has_escapes {
        return text.len().saturating_sub(count);
    }
    let shown = || read(text, has_escapes).filter(|(_, char)| !matches!(looks_like(*char), Looks::Invisible));
    let before = shown().count().saturating_sub(count);
    if before == 0 { 0 } else { shown().nth(before).map_or(text.len(), |(at, _)| at) }
}

/// The last visible character of a text; in JSON, an escape is resolved. `None` if nothing is visible.
pub fn last_char(text: &str, is_json: bool) -> Option<char> {
    let is_shown = |char: &char| !matches!(looks_like(*char), Looks::Invisible);
    if is_json && text.contains('\\') {
        return read(text, true).map(|(_, char)| char).filter(is_shown).last();
    }
    text.chars().rev().find(is_shown)
}

/// The byte at which the word begins that ends at `at`; `at` itself if no word ends there. [`is_of_word`] defines the
/// characters of words.
pub fn start_of_word(text: &str, is_json: bool, at: usize) -> usize {
    let Some(before) = text.get(..at) else { return at };
    if !(is_json && before.contains('\\')) {
        return before.trim_end_matches(is_of_word).len();
    }
    let mut start = None;
    for (place, char) in read(before, true) {
        start = if is_of_word(char) { start.or(Some(place)) } else { None };
    }
    start.unwrap_or(at)
}

/// Whether a character is part of a word: it is, or looks like, a letter or digit of ASCII or a sign that tokens and
/// mail addresses have (`- _ . % + @`), or it is invisible.
pub fn is_of_word(char: char) -> bool {
    let plain = match looks_like(char) {
        Looks::Itself => char,
        Looks::Like(other) => other,
        Looks::Invisible => return true,
    };
    plain.is_ascii_alphanumeric() || matches!(plain, '-' | '_' | '.' | '%' | '+' | '@')
}

/// The characters of a text with the bytes at which they begin. With `has_escapes`, the escapes of JSON are resolved.
fn read(text: &str, has_escapes: bool) -> impl Iterator<Item = (usize, char)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at;
        let meant = if has_escapes { escape(text, begin) } else { None };
        let (char, length) = match meant {
            Some(meant) => meant,
            None => text.get(begin..)?.chars().next().map(|char| (char, char.len_utf8()))?,
        };
        at += length;
        Some((begin, char))
    })
}

/// The plain spelling of a text, with the places of its pieces in the original.
#[derive(Debug, Default)]
struct Plain {
    text: String,
    pieces: Vec<Piece>,
}

/// A piece of a plain text that comes from one place of the original.
#[derive(Debug)]
struct Piece {
    /// Where it begins in the plain text, in bytes.
    plain: usize,
    /// Where it begins in the original, in bytes.
    original: usize,
    /// The bytes of the original that one character replaces; `None` for a run of unchanged characters.
    replaces: Option<usize>,
}

impl Plain {
    fn keep(&mut self, char: char, at: usize) {
        let goes_on = self
            .pieces
            .last()
            .is_some_and(|last| last.replaces.is_none() && last.original + (self.text.len() - last.plain) == at);
        if !goes_on {
            self.pieces.push(Piece { plain: self.text.len(), original: at, replaces: None });
        }
        self.text.push(char);
    }

    fn replace(&mut self, char: char, at: usize, length: usize) {
        self.pieces.push(Piece { plain: self.text.len(), original: at, replaces: Some(length) });
        self.text.push(char);
    }

    /// Moves findings in the plain text to their places in the original.
    fn place_in_original(&self, mut found: Vec<Found>) -> Vec<Found> {
        for one in &mut found {
            let (first, last) = (one.range.start, one.range.end.saturating_sub(1));
            let start = self.piece(first).map(|piece| match piece.replaces {
                Some(_) => piece.original,
                None => piece.original + (first - piece.plain),
            });
            let end = self.piece(last).map(|piece| match piece.replaces {
                Some(length) => piece.original + length,
                None => piece.original + (last - piece.plain) + 1,
            });
            if let (Some(start), Some(end)) = (start, end) {
                one.range = start..end;
            }
        }
        found
    }

    /// The piece that has the byte `at` of the plain text.
    fn piece(&self, at: usize) -> Option<&Piece> {
        let behind = self.pieces.partition_point(|piece| piece.plain <= at);
        self.pieces.get(behind.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds each `AKIA1`.
    fn find(text: &str) -> Vec<Found> {
        text.match_indices("AKIA1").map(|(at, one)| Found { range: at..at + one.len(), label: "key".into() }).collect()
    }

    fn places(found: Vec<Found>, text: &str) -> Vec<&str> {
        found.into_iter().map(|one| &text[one.range]).collect()
    }

    #[test]
    fn what_looks_the_same_is_found_in_its_own_place() {
        let hidden = [
            "A\u{200b}KI\u{ad}A\u{2060}1",
            "A\u{34f}K\u{3164}I\u{e0041}A\u{fe0f}1",
            "A\0K\u{1}I\u{8}A\u{1b}1",
            "A\u{7}K\u{b}I\u{c}A\u{7f}1",
            "A\u{80}K\u{9f}I\u{fff9}A\u{fffb}1",
        ];
        for spelled in ["AKIA1", "АKІА1", "ＡＫＩＡ１", "𝐀𝑲𝙸A𝟏", "AKIA\u{661}"].into_iter().chain(hidden)
        {
            for text in [spelled.to_owned(), format!("é\u{200b}{spelled}\u{200b}é {spelled}ü")] {
                let count = text.matches(spelled).count();
                assert_eq!(places(as_it_looks(&text, find), &text), vec![spelled; count], "{text}");
            }
        }
        for text in ["AKIÄ1 ключ", "AKI\tA1", "AKI\nA1", "AKI\rA1\0"] {
            assert_eq!(as_it_looks(text, find), [], "{text}");
        }
    }

    #[test]
    fn escapes_are_read_and_keep_their_places() {
        for spelled in ["AKIA1", r"\u0041KIA1", r"A\u004bI\u00411", r"\u0041\u004B\u0049\u0041\u0031"] {
            let text = format!("{{\"q\":\"\\\\\\n{spelled}\\\"\"}}");
            assert_eq!(places(without_escapes(&text, find), &text), [spelled], "{text}");
        }
        assert_eq!(without_escapes(r"AKI\\u00411 \u00 \x", find), [], "no escape of the letter");
        let both = |text: &str| places(without_escapes(text, |text| as_it_looks(text, find)), text).concat();
        for spelled in [r"A\bK\fI\u0000A1", r"A\u200bKIA1", r"A\udb40\udc41KIA1", r"\ud835\udc00KIA1"] {
            assert_eq!(both(&format!("é{spelled}é")), spelled);
        }
        assert_eq!(both(r"A\udb40KIA1 A\udc41\udb40KIA1"), "", "halves are shown as something");
    }

    #[test]
    fn the_last_characters_are_counted_as_a_reader_does() {
        for (text, is_json, begin) in [
            ("abcdef", false, 3),
            ("ab\0\0cd\u{7f}", false, 1),
            ("ab", false, 0),
            (r"ab\u0041\n", false, 7),
            (r"ab\u0041\n", true, 1),
            ("abé\u{200b}\u{ad}d\u{200b}", false, 1),
            ("a\u{200b}b\u{200b}c", false, 0),
            (r"abcd\u200b\udb40\udc41", true, 1),
            ("abc\u{200b}", false, 0),
        ] {
            assert_eq!(last_shown(text, is_json, 3), begin, "{text}");
        }
    }

    #[test]
    fn words_begin_where_a_reader_sees_them_begin() {
        for (text, is_json, begin, last) in [
            ("say a-b_c.d%+@1", false, "a-b_c.d%+@1", '1'),
            ("say", false, "say", 'y'),
            ("say ", false, "", ' '),
            ("", false, "", '\0'),
            ("é\u{200b}ab\u{200b}", false, "\u{200b}ab\u{200b}", 'b'),
            ("語ａＢ", false, "ａＢ", 'Ｂ'),
            (r#"{"k":"\nab\u0041c"#, true, r"ab\u0041c", 'c'),
            (r"a\\", true, "", '\\'),
            (r"a\u0020b\u200b", true, r"b\u200b", 'b'),
            (r"a\u0020b", false, r"u0020b", 'b'),
        ] {
            assert_eq!(&text[start_of_word(text, is_json, text.len())..], begin, "{text}");
            assert_eq!(last_char(text, is_json).unwrap_or_default(), last, "{text}");
        }
    }
}
