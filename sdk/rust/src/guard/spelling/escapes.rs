//! The escapes in strings of JSON, such as `\n` and `\u0041`.

/// The last place up to `at` that is not within an escape, in bytes. The text itself begins outside of one.
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

/// The value of a JSON string that is given with its quotes. Half of a surrogate pair becomes the replacement
/// character.
pub(in super::super) fn of_json(token: &str) -> String {
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

/// The character that the escape at this place means, and the escape's length in bytes; `None` if no escape begins
/// there.
pub(super) fn escape(text: &str, at: usize) -> Option<(char, usize)> {
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

/// The unit of UTF-16 after a backslash, as in `u0041`.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
