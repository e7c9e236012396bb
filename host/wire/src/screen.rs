//! What a guard looks for (`weir:hook/screen`), searched in the bytes of JSON: where none of it is, nothing has to be
//! read for the guard.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{AhoCorasick, Anchored};
use memchr::{memchr, memchr2};
use serde::de::IgnoredAny;

/// The most words, and their bytes together.
const MAX_WORDS: usize = 1024;
const MAX_BYTES: usize = 64 << 10;
/// Begins a character that is written by its number, in a string of JSON or in JSON within one. What it says is not
/// looked for.
const NUMBERED: &str = "\\u";
/// How else characters may be written that are shown as nothing, so that they may stand within a word, besides by
/// number: the escapes of backspace and form feed, and delete, which needs none.
const UNSEEN: [&str; 3] = ["\\b", "\\f", "\u{7f}"];
/// The most beginnings of words that are followed for one name.
const MAX_BEGUN: usize = 256;
/// How many bytes of base64 are read to tell whether it is a text, and how many it has to have.
const MAX_HEAD: usize = 48;
const MIN_DOCUMENT: usize = 6;
/// The most names of members whose values are read as if they were one text.
const MAX_NAMES: usize = 64;

/// What a guard looks for.
#[derive(Debug)]
pub struct Screen {
    /// Its words, [`NUMBERED`], and [`UNSEEN`] if they count.
    words: AhoCorasick,
    /// Its words once more, to be found where strings meet.
    glued: DFA,
    /// Where a text begins in `glued`.
    start: StateID,
    /// How many bytes of a word may stand in one string, at most, while others of it stand in another.
    beyond: usize,
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
        let glued = DFA::new(&all).ok()?;
        let start = glued.start_state(Anchored::No).ok()?;
        let beyond = all.iter().map(|word| word.len()).max().unwrap_or_default().saturating_sub(1);
        all.push(NUMBERED);
        if look_alikes {
            all.extend(UNSEEN);
        }
        Some(Self { words: AhoCorasick::new(&all).ok()?, glued, start, beyond, look_alikes })
    }

    /// Whether the guard may find something in JSON: a word of its is in there, or something that may stand for one.
    pub fn may_find(&self, json: &[u8]) -> bool {
        let is_beyond = self.look_alikes && !json.is_ascii();
        is_beyond || self.words.is_match(json) || self.is_glued(json) || has_document(json)
    }

    /// Whether a word comes about where strings are put together that members of the same name have, as formats do with
    /// texts that follow each other. Others may stand between them: what is said in another role, or thought.
    fn is_glued(&self, json: &[u8]) -> bool {
        let mut texts: Vec<(&[u8], Vec<StateID>)> = Vec::new();
        let (mut name, mut alone): (&[u8], _) = (b"", Vec::new());
        for (string, is_name) in strings(json) {
            if is_name {
                // A message has its text in the one, or in parts in the other.
                name = if string == b"content" { b"text" } else { string };
                continue;
            }
            let at = texts.iter().position(|(known, _)| *known == name).unwrap_or(texts.len());
            if at == texts.len() {
                texts.push((name, Vec::new()));
            }
            let Some((_, begun)) = texts.get_mut(at).filter(|_| at < MAX_NAMES) else { return true };
            if self.goes_on(begun, string, &mut alone) || begun.len() > MAX_BEGUN {
                return true;
            }
        }
        false
    }

    /// Whether a word ends in a string that began in others, which left these states. The string's own one is added. A
    /// word that is within the string as a whole was looked for before, so that the midst of a long one need not be
    /// read.
    fn goes_on(&self, begun: &mut Vec<StateID>, string: &[u8], alone: &mut Vec<StateID>) -> bool {
        let next = |state: StateID, byte: &u8| self.glued.next_state(Anchored::No, state, *byte);
        let head = string.get(..self.beyond).unwrap_or(string);
        alone.clear();
        let mut own = self.start;
        alone.extend(head.iter().map(|byte| {
            own = next(own, byte);
            own
        }));
        for nth in 0..begun.len() {
            let Some(mut state) = begun.get(nth).copied() else { break };
            let mut is_over = head.len() < string.len();
            for (byte, alone) in head.iter().zip(&*alone) {
                state = next(state, byte);
                if self.glued.is_match(state) {
                    return true;
                }
                // Nothing is left of what began before.
                if state == *alone {
                    is_over = true;
                    break;
                }
            }
            if !is_over && !begun.contains(&state) {
                begun.push(state);
            }
        }
        let tail = string.get(string.len().saturating_sub(self.beyond)..).unwrap_or_default();
        let end = if head.len() == string.len() { own } else { tail.iter().fold(self.start, next) };
        if end != self.start && !begun.contains(&end) {
            begun.push(end);
        }
        false
    }
}

/// Whether bytes are one document of JSON in UTF-8, so that [`Screen::may_find`] tells what all readers find in them.
pub fn is_document(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Whether a string of JSON is a text document in base64 or in percent-encoding, in which words are not spelled as they
/// are looked for.
fn has_document(json: &[u8]) -> bool {
    strings(json).any(|(string, is_name)| !is_name && is_document_text(string))
}

/// Whether a string says that a text document is somewhere, or is one itself, by what it begins with.
fn is_document_text(string: &[u8]) -> bool {
    let begins = |with: &[u8]| string.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    if begins(b"text/") || begins(b"text\\/") {
        return true;
    }
    if !begins(b"data:") {
        return is_text_in_base64(string);
    }
    let Some(comma) = memchr(b',', string) else { return false };
    let (head, data) = string.split_at(comma);
    let is_base64 = head.to_ascii_lowercase().ends_with(b";base64");
    !is_base64 || head.get(5..).is_some_and(is_document_text) || is_text_in_base64(data.get(1..).unwrap_or_default())
}

/// Whether base64 begins as that of a text in UTF-8 does. A few characters may be an ordinary word, which no text is
/// likely to be in base64: then its bytes have to be those that texts are written with.
fn is_text_in_base64(data: &[u8]) -> bool {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(MAX_HEAD), 0_u32, 0_u32);
    let mut rest = data.iter().take_while(|byte| **byte != b'=').peekable();
    while let Some(byte) = rest.next() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            // An escape, which ends a line or is of the digit that follows.
            b'\\' => {
                rest.next_if(|byte| matches!(**byte, b'n' | b'r' | b't'));
                continue;
            }
            b'%' => continue,
            _ => return false,
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
        }
        if bytes.len() == MAX_HEAD {
            break;
        }
    }
    let is_utf8 = match std::str::from_utf8(&bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    let is_written = || bytes.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    bytes.len() >= MIN_DOCUMENT && is_utf8 && (bytes.len() >= MAX_HEAD / 2 || is_written())
}

/// The strings of JSON as they are written, without their quotes, each with whether it is the name of a member.
fn strings(json: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let begun = rest.get(memchr(b'"', rest)? + 1..)?;
        let end = end_of_string(begun);
        let (string, after) = begun.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        Some((string, next == Some(&b':')))
    })
}

/// Where a string ends whose opening quote is before these bytes.
fn end_of_string(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if bytes.get(at + found) == Some(&b'"') {
            return at + found;
        }
        at += found + 2;
    }
    bytes.len()
}

/// The longest piece of a word that JSON can only spell in one way, besides the form that [`NUMBERED`] begins. None if
/// there is no such piece.
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
        screen.may_find(text.as_bytes())
    }

    #[test]
    fn words_are_found_and_what_may_stand_for_one() {
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
    fn look_alikes_have_a_guard_judge_what_may_be_shown_as_nothing() {
        let (alike, plain) = (screen(&["AKIA"], true).unwrap(), screen(&["AKIA"], false).unwrap());
        for text in ["AK\\bIA", "AK\\fIA", "AK\u{7f}IA", "AK\\u0000IA"] {
            assert!(finds(&alike, text), "{text}");
            assert_eq!(finds(&plain, text), text.contains("\\u"), "{text}");
        }
    }

    #[test]
    fn text_documents_have_a_guard_judge_and_other_media_do_not() {
        let screen = screen(&["AKIA"], false).unwrap();
        for (value, expected) in [
            ("QUtJQUlPU0ZPRE5ON0VYQU1QTEU=", true),
            ("data:text/plain;base64,QUtJQUlPU0ZPRE5ON0VYQU1QTEU=", true),
            ("data:;base64,YUBiLmNv", true),
            ("data:text\\/x;base64,/////////w==", true),
            ("data:,%41KIA", true),
            ("QUtJ\\nQUlPU0ZP", true),
            ("text/plain", true),
            ("w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8", true),
            ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", false),
            ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", false),
            ("/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw", false),
            ("assistant", false),
            ("function", false),
            ("input_text", false),
            ("sage-large-4-5", false),
            ("an ordinary text", false),
            ("user", false),
        ] {
            assert_eq!(finds(&screen, &format!("{{\"data\":\"{value}\"}}")), expected, "{value}");
        }
        assert!(!finds(&screen, "{\"QUtJQUlPU0ZPRE5ON0VYQU1QTEU\":1}"), "a name");
    }

    #[test]
    fn only_what_json_spells_in_one_way_is_looked_for() {
        for (word, piece) in [("a/bcd", Some("bcd")), ("key:\n\"x", Some("key:")), ("\"\\/\n", None), ("", None)] {
            assert_eq!(verbatim(word), piece, "{word}");
        }
        assert!(screen(&["ok", "\n"], false).is_none(), "a word that cannot be looked for");
        assert!(screen(&vec!["w"; MAX_WORDS + 1], false).is_none());
        assert!(!screen(&[], false).unwrap().may_find(b"{}"), "nothing is ever found");
    }

    #[test]
    fn words_are_found_where_strings_of_the_same_name_meet() {
        let screen = screen(&["project-", "ab"], false).unwrap();
        let text = |text: &str| format!("{{\"text\": \"{text}\"}}");
        for (texts, expected) in [
            (&["see pro", "ject-12"][..], true),
            (&["see p", "r", "oject", "-12"], true),
            (&["see pro", "", "ject-12"], true),
            (&["see pro", "and", "ject-12"], true),
            (&["p", "no", "ro", "so", "ject-"], true),
            (&["see pro ", "ject-12"], false),
            (&["\\\"a", "b"], true),
            (&["a\\\\", "b"], false),
            (&["ject-", "pro"], false),
            (&["a long text without a word, and a pro", "ject-12"], true),
            (&["pro", "ject- and a long text without a word"], true),
            (&["a long text, p", "rojectile of a long text, pro", "ject-"], true),
            (&["pro", "a long text without a word, ject-"], false),
        ] {
            let parts = texts.iter().map(|one| text(one)).collect::<Vec<_>>().join(",\n");
            assert_eq!(finds(&screen, &format!("[{parts}]")), expected, "{texts:?}");
        }
        assert!(finds(&screen, "{\"input\":[\"see pro\",\"ject-12\"]}"), "of one list");
        assert!(finds(&screen, "{\"content\":\"see pro\",\"role\":\"user\",\"text\":\"ject-12\"}"), "of a message");
        assert!(!finds(&screen, "{\"x\":\"see pro\",\"y\":\"ject-12\"}"), "of two names");
        assert!(finds(&screen, "{\"x\":\"pro\",\"y\":\"1\",\"z\":{\"x\" : \"ject-\"}}"), "with others between");
        let many: Vec<_> = (0..=MAX_NAMES).map(|number| format!("\"n{number}\":\"\"")).collect();
        assert!(finds(&screen, &format!("{{{}}}", many.join(","))), "more names than are told apart");
        for cut in ["\"", "{\"x\":\"\\", "\\", "{\"x\""] {
            assert!(!finds(&screen, cut), "{cut}");
        }
    }
}
