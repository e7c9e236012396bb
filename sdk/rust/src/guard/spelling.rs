//! Other spellings of a text: characters that look like those of ASCII, and the escapes of JSON. What is found in the
//! plain spelling is named by its place in the text as it came.

use std::ops::RangeInclusive;

use super::Found;

/// Finds in a text as a reader sees it: characters that look like letters, digits, spaces or hyphens of ASCII count as
/// those, and invisible ones do not count.
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
    plain.places(find(&plain.text))
}

/// Finds in the text of JSON as its reader sees it, without the escapes of strings.
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
    plain.places(find(&plain.text))
}

/// The last place up to `at` that is not within an escape of JSON. The text begins outside of one.
pub fn outside_escape(text: &str, at: usize) -> usize {
    let mut from = 0;
    while let Some(found) = text.get(from..at).and_then(|rest| rest.find('\\')) {
        let begin = from + found;
        let length = match (escape(text, begin), text.as_bytes().get(begin + 1)) {
            (Some((_, length)), _) => length,
            (None, Some(b'u')) => 6,
            (None, _) => 2,
        };
        if begin + length > at {
            return begin;
        }
        from = text.ceil_char_boundary(begin + length);
    }
    at
}

/// Where the last `count` characters of a text begin, as its reader counts them: invisible ones do not count, and an
/// escape of JSON is one.
pub fn last_shown(text: &str, is_json: bool, count: usize) -> usize {
    let has_escapes = is_json && text.contains('\\');
    if is_plain(text) && !has_escapes {
        return text.len().saturating_sub(count);
    }
    let shown = || read(text, has_escapes).filter(|(_, char)| !matches!(looks_like(*char), Looks::Invisible));
    let before = shown().count().saturating_sub(count);
    if before == 0 { 0 } else { shown().nth(before).map_or(text.len(), |(at, _)| at) }
}

/// The last character of a text that its reader sees; in JSON, the one that an escape means.
pub fn last_char(text: &str, is_json: bool) -> Option<char> {
    let is_shown = |char: &char| !matches!(looks_like(*char), Looks::Invisible);
    if is_json && text.contains('\\') {
        return read(text, true).map(|(_, char)| char).filter(is_shown).last();
    }
    text.chars().rev().find(is_shown)
}

/// Where the word begins that goes up to a place; the place itself if none does. Words are of what looks like letters,
/// digits and those signs of ASCII that tokens and mail addresses have.
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

/// Whether words have this character, or what it looks like.
pub fn is_of_word(char: char) -> bool {
    let plain = match looks_like(char) {
        Looks::Itself => char,
        Looks::Like(other) => other,
        Looks::Invisible => return true,
    };
    plain.is_ascii_alphanumeric() || matches!(plain, '-' | '_' | '.' | '%' | '+' | '@')
}

/// The characters of a text, each with its place; those that escapes of JSON mean, if these are read.
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

/// A plain text, with the places of its pieces in the text that it was made of.
#[derive(Debug, Default)]
struct Plain {
    text: String,
    pieces: Vec<Piece>,
}

/// A piece of a plain text.
#[derive(Debug)]
struct Piece {
    /// Where it begins in the plain text, in bytes.
    plain: usize,
    /// Where it begins in the other text.
    from: usize,
    /// The bytes of the other text that it stands for; `None` if they are the same ones.
    stands_for: Option<usize>,
}

impl Plain {
    fn keep(&mut self, char: char, at: usize) {
        let goes_on = self
            .pieces
            .last()
            .is_some_and(|last| last.stands_for.is_none() && last.from + (self.text.len() - last.plain) == at);
        if !goes_on {
            self.pieces.push(Piece { plain: self.text.len(), from: at, stands_for: None });
        }
        self.text.push(char);
    }

    fn replace(&mut self, char: char, at: usize, length: usize) {
        self.pieces.push(Piece { plain: self.text.len(), from: at, stands_for: Some(length) });
        self.text.push(char);
    }

    /// Findings in the plain text, with their places in the other.
    fn places(&self, mut found: Vec<Found>) -> Vec<Found> {
        for one in &mut found {
            let (first, last) = (one.range.start, one.range.end.saturating_sub(1));
            let start = self.piece(first).map(|piece| match piece.stands_for {
                Some(_) => piece.from,
                None => piece.from + (first - piece.plain),
            });
            let end = self.piece(last).map(|piece| match piece.stands_for {
                Some(length) => piece.from + length,
                None => piece.from + (last - piece.plain) + 1,
            });
            if let (Some(start), Some(end)) = (start, end) {
                one.range = start..end;
            }
        }
        found
    }

    fn piece(&self, at: usize) -> Option<&Piece> {
        let behind = self.pieces.partition_point(|piece| piece.plain <= at);
        self.pieces.get(behind.checked_sub(1)?)
    }
}

/// What a string of JSON means, which is given with its quotes. Half of a character is shown as the replacement for
/// one.
pub(super) fn of_json(token: &str) -> String {
    if let Ok(text) = serde_json::from_str(token) {
        return text;
    }
    let inside = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    let (mut text, mut at) = (String::with_capacity(inside.len()), 0);
    while let Some(char) = inside.get(at..).and_then(|rest| rest.chars().next()) {
        let (meant, length) = escape(inside, at).unwrap_or((char, char.len_utf8()));
        text.push(meant);
        at += length;
    }
    text
}

/// The character that the escape at this place means, and its length.
fn escape(text: &str, at: usize) -> Option<(char, usize)> {
    let rest = text.get(at..)?.strip_prefix('\\')?;
    let meant = match rest.as_bytes().first()? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'u' => {
            let first = unit(rest)?;
            let second = rest.get(5..).and_then(|rest| unit(rest.strip_prefix('\\')?));
            if let Some(pair) = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok())
                && pair.len_utf16() == 2
            {
                return Some((pair, 12));
            }
            return Some((char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
        }
        _ => return None,
    };
    Some((meant, 2))
}

/// The unit of UTF-16 that is written as `u0041`.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok()
}

/// Whether each character of a text looks like itself.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && text.bytes().all(is_plain_byte)
}

/// Whether a byte is a character of ASCII that looks like itself.
fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// What a character looks like.
enum Looks {
    Itself,
    Like(char),
    Invisible,
}

/// Letters of other scripts, each before the one of ASCII that it looks like.
const LETTERS: &str = "АAВBЕEЅSІIЈJКKМMНHОOРPСCТTХXаaсcеeоoрpхxуyѕsіiјjһhԁdԛqԝwΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoνv";
/// Characters that are shown as nothing, beside those of general punctuation (Unicode's
/// `Default_Ignorable_Code_Point`), and those that control devices or mark annotations: whoever reads over them sees
/// what stands around them as one word.
const IGNORED: [RangeInclusive<u32>; 18] = [
    0x0..=0x8,
    0xb..=0xc,
    0xe..=0x1f,
    0x7f..=0x9f,
    0xad..=0xad,
    0x34f..=0x34f,
    0x61c..=0x61c,
    0x115f..=0x1160,
    0x17b4..=0x17b5,
    0x180b..=0x180f,
    0x3164..=0x3164,
    0xfe00..=0xfe0f,
    0xfeff..=0xfeff,
    0xffa0..=0xffa0,
    0xfff0..=0xfffb,
    0x1bca0..=0x1bca3,
    0x1d173..=0x1d17a,
    0xe0000..=0xe0fff,
];
/// The letters of one alphabet of mathematical letters, capital ones first.
const ALPHABET: u32 = 52;

fn looks_like(char: char) -> Looks {
    let code = u32::from(char);
    let nth = |first: u8, number: u32| Looks::Like(char::from(first + u8::try_from(number).unwrap_or_default()));
    match code {
        _ if u8::try_from(code).is_ok_and(is_plain_byte) => Looks::Itself,
        // The line and the paragraph separator are not, since they break the line.
        0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f => Looks::Invisible,
        _ if IGNORED.iter().any(|range| range.contains(&code)) => Looks::Invisible,
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Looks::Like(' '),
        0x2010..=0x2015 | 0x2212 | 0xfe58 | 0xfe63 => Looks::Like('-'),
        0x2024 => Looks::Like('.'),
        0xfe6b => Looks::Like('@'),
        0xff01..=0xff5e => nth(b'!', code - 0xff01),
        0x660..=0x669 => nth(b'0', code - 0x660),
        0x6f0..=0x6f9 => nth(b'0', code - 0x6f0),
        0x1d7ce..=0x1d7ff => nth(b'0', (code - 0x1d7ce) % 10),
        0x1d400..=0x1d6a3 => match (code - 0x1d400) % ALPHABET {
            number @ 0..26 => nth(b'A', number),
            number => nth(b'a', number - 26),
        },
        0x370..=0x52f => {
            let mut letters = LETTERS.chars();
            while let (Some(other), Some(own)) = (letters.next(), letters.next()) {
                if other == char {
                    return Looks::Like(own);
                }
            }
            Looks::Itself
        }
        _ => Looks::Itself,
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

    #[test]
    fn a_text_is_not_cut_within_an_escape() {
        let text = r"ab\\\u0041é\n";
        assert_eq!([4, 9, 13, 14].map(|at| outside_escape(r"ab\ud835\udc00", at)), [2, 2, 2, 14], "a pair is one");
        let cuts: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        for at in cuts {
            let cut = outside_escape(text, at);
            let within = (3..4).contains(&at) || (5..10).contains(&at) || at == 13;
            assert_eq!(cut == at, !within, "{at}: {cut}");
        }
    }
}
