//! What a guard looks for (`weir:hook/screen`), searched in the bytes of JSON: where none of it is, nothing has to be read for
//! the guard.

use aho_corasick::AhoCorasick;
use bytes::Bytes;

/// The most words, and their bytes together.
const MAX_WORDS: usize = 1024;
const MAX_BYTES: usize = 64 << 10;
/// Begins a character that is written by its number, in a string of JSON or in JSON within one. What it says is not looked for.
const NUMBERED: &str = "\\u";

/// What a guard looks for.
#[derive(Debug)]
pub struct Screen {
    /// Its words and [`NUMBERED`].
    words: AhoCorasick,
    /// The length of the longest of them.
    longest: usize,
    /// Whether characters beyond ASCII may stand for those of a word.
    look_alikes: bool,
}

impl Screen {
    /// The screen of these words; `None` if they are too many, or one of them may stand in JSON in spellings that have
    /// nothing in common.
    pub fn of(words: &[String], look_alikes: bool) -> Option<Self> {
        let bytes: usize = words.iter().map(String::len).sum();
        if words.len() > MAX_WORDS || bytes > MAX_BYTES {
            return None;
        }
        let mut all = words.iter().map(|word| verbatim(word)).collect::<Option<Vec<_>>>()?;
        all.push(NUMBERED);
        let longest = all.iter().map(|word| word.len()).max().unwrap_or_default();
        Some(Self { words: AhoCorasick::new(&all).ok()?, longest, look_alikes })
    }

    /// Whether the guard may find something in JSON that arrived in these pieces.
    pub fn may_find(&self, pieces: &[Bytes]) -> bool {
        if let [whole] = pieces {
            return self.may_find_in(whole);
        }
        // What is split over pieces is looked for in the end of those before, together with the beginning of the next one.
        let mut end = Vec::new();
        pieces.iter().any(|piece| {
            let beyond = self.longest.saturating_sub(1);
            end.extend_from_slice(piece.get(..beyond).unwrap_or(piece));
            let found = self.may_find_in(&end) || self.may_find_in(piece);
            if piece.len() > beyond {
                end.clear();
                end.extend_from_slice(piece.get(piece.len() - beyond..).unwrap_or_default());
            } else {
                end.drain(..end.len().saturating_sub(beyond));
            }
            found
        })
    }

    /// Whether the guard may find something in one piece.
    pub fn may_find_in(&self, bytes: &[u8]) -> bool {
        self.look_alikes && !bytes.is_ascii() || self.words.is_match(bytes)
    }
}

/// The longest piece of a word that JSON can only spell in one way, besides the form that [`NUMBERED`] begins. None if there is
/// no such piece.
fn verbatim(word: &str) -> Option<&str> {
    let is_spelled = |char: char| matches!(char, '"' | '\\' | '/') || char.is_control();
    word.split(is_spelled).max_by_key(|piece| piece.len()).filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(words: &[&str], look_alikes: bool) -> Option<Screen> {
        Screen::of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), look_alikes)
    }

    fn finds(screen: &Screen, text: &str) -> bool {
        let found = screen.may_find_in(text.as_bytes());
        for size in 1..=text.len() {
            let pieces: Vec<Bytes> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(screen.may_find(&pieces), found, "{text} in pieces of {size}");
        }
        found
    }

    #[test]
    fn words_are_found_wherever_a_body_is_split() {
        let plain = screen(&["project-", "größe", "~"], false).unwrap();
        for (text, expected) in [
            ("{\"text\":\"see project-12\"}", true),
            ("{\"text\":\"see projects\"}", false),
            ("{\"text\":\"Größe\"}", false),
            ("{\"text\":\"die größe\"}", true),
            ("{\"a\":\"b\",\"c\":\"\\u0041\"}", true),
            ("{\"a\":\"e\\u0301\"}", true),
            ("", false),
        ] {
            assert_eq!(finds(&plain, text), expected, "{text}");
        }
    }

    #[test]
    fn look_alikes_have_a_guard_judge_whatever_is_beyond_ascii() {
        let alike = screen(&["AKIA"], true).unwrap();
        assert!(finds(&alike, "ＡKIA") && finds(&alike, "é") && finds(&alike, "AKIA") && !finds(&alike, "AKI"));
    }

    #[test]
    fn only_what_json_spells_in_one_way_is_looked_for() {
        for (word, piece) in [("a/bcd", Some("bcd")), ("key:\n\"x", Some("key:")), ("\"\\/\n", None), ("", None)] {
            assert_eq!(verbatim(word), piece, "{word}");
        }
        assert!(screen(&["ok", "\n"], false).is_none(), "a word that cannot be looked for");
        assert!(screen(&vec!["w"; MAX_WORDS + 1], false).is_none());
        assert!(!screen(&[], false).unwrap().may_find(&[Bytes::from_static(b"{}")]), "nothing is ever found");
    }
}
