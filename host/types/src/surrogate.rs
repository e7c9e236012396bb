//! Replaces lone surrogate escapes in JSON text before the text enters a component.
//!
//! `"\ud83d"` results when a sender that escapes cuts an emoji in two. JSON permits it, Unicode text does not: some
//! languages trap on it, and some parsers refuse it. Each becomes `\ufffd`.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Where an escape of a code unit begins. Made once: most texts are shorter than making it takes.
static ESCAPE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\\u"));

/// Replaces every escape of a lone surrogate. A text without any costs one search and is borrowed.
pub fn mend(text: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let (mut from, mut at) = (0, 0);
    while let Some(found) = ESCAPE.find(&text.as_bytes()[at..]) {
        let start = at + found;
        let Some(unit) = unit(text, start).filter(|_| !is_escaped(text, start)) else {
            at = start + 2;
            continue;
        };
        let paired = is_high(unit) && self::unit(text, start + 6).is_some_and(is_low);
        at = start + if paired { 12 } else { 6 };
        if paired || !(is_high(unit) || is_low(unit)) {
            continue;
        }
        let mended = out.get_or_insert_with(String::new);
        mended.push_str(&text[from..start]);
        mended.push_str("\\ufffd");
        from = start + 6;
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut mended) => {
            mended.push_str(&text[from..]);
            Cow::Owned(mended)
        }
    }
}

/// The code unit of the escape `\uXXXX` at `start`.
fn unit(text: &str, start: usize) -> Option<u16> {
    let digits = text.get(start..start + 6)?.strip_prefix("\\u")?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Whether the backslash at `start` is itself escaped: an odd number of backslashes precedes it.
fn is_escaped(text: &str, start: usize) -> bool {
    text.as_bytes()[..start].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn is_high(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

fn is_low(unit: u16) -> bool {
    (0xdc00..0xe000).contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_become_the_replacement_character() {
        assert_eq!(mend(r#""a\ud83d""#), r#""a\ufffd""#);
        assert_eq!(mend(r#""\ude00 \uD83D\n""#), r#""\ufffd \ufffd\n""#);
        assert_eq!(mend(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
    }

    #[test]
    fn pairs_other_escapes_and_escaped_backslashes_stay() {
        for text in [r#""\ud83d\ude00""#, r#""\u00e9""#, r#""\\ud83d""#, r#""\u12""#, "plain"] {
            assert!(matches!(mend(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn a_mended_text_can_be_read() {
        for text in [r#""x\ud800y""#, r#""\\\udfff""#, r#""\udc00\ud800""#] {
            assert!(serde_json::from_str::<String>(text).is_err());
            assert!(serde_json::from_str::<String>(&mend(text)).is_ok());
        }
    }
}
