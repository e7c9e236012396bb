//! Characters that look like those of ASCII, and invisible ones.

use std::ops::RangeInclusive;

/// Whether each character of a text looks like itself.
pub(super) fn is_plain(text: &str) -> bool {
    text.is_ascii() && text.bytes().all(is_plain_byte)
}

/// Whether a byte is a character of ASCII that looks like itself.
fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// What a character looks like.
pub(super) enum Looks {
    Itself,
    Like(char),
    Invisible,
}

/// Pairs: a letter of another script, then the one of ASCII that it looks like.
const LETTERS: &str = "АAВBЕEЅSІIЈJКKМMНHОOРPСCТTХXаaсcеeоoрpхxуyѕsіiјjһhԁdԛqԝwΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoνv";
/// Characters that are not shown, so that a reader sees the text around them as one word: Unicode's
/// `Default_Ignorable_Code_Point`, and characters that control devices or mark annotations. Those of general
/// punctuation are in [`looks_like`].
const INVISIBLE: [RangeInclusive<u32>; 18] = [
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
/// How many letters each style of mathematical letters has, capital ones first.
const ALPHABET: u32 = 52;

/// What a character looks like to a reader.
pub(super) fn looks_like(char: char) -> Looks {
    let code = u32::from(char);
    let nth = |first: u8, number: u32| Looks::Like(char::from(first + u8::try_from(number).unwrap_or_default()));
    match code {
        _ if u8::try_from(code).is_ok_and(is_plain_byte) => Looks::Itself,
        // Without the line and the paragraph separator (0x2028 and 0x2029), which break the line.
        0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f => Looks::Invisible,
        _ if INVISIBLE.iter().any(|range| range.contains(&code)) => Looks::Invisible,
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
