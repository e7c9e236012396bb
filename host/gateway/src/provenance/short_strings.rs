//! Finds the short strings of JSON without parsing the text between them: most of a long body is prose.

use bytes::Bytes;

/// The most bytes of a string, as it is written: of the longest id with a path before it.
const LONGEST: usize = 4 << 10;

/// Calls `each` with the text between every two quotes, as it is written, if it is no longer than [`LONGEST`]. A quote
/// may open or close a string, or be inside one.
pub(crate) fn short_strings(body: &[Bytes], each: &mut dyn FnMut(&[u8])) {
    let mut strings = ShortStrings::default();
    for chunk in body {
        strings.push(chunk, each);
    }
}

/// The short strings of a text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct ShortStrings {
    /// What earlier pieces have of a string; none of it if it is too long.
    begun: Vec<u8>,
    is_long: bool,
}

impl ShortStrings {
    /// Gives `each` the strings that end in the next piece.
    pub(super) fn push(&mut self, piece: &[u8], each: &mut dyn FnMut(&[u8])) {
        let Self { begun, is_long } = self;
        let mut rest = piece;
        while let Some(at) = memchr::memchr(b'"', rest) {
            let (string, behind) = rest.split_at(at);
            if !*is_long && begun.len() + string.len() <= LONGEST {
                if begun.is_empty() {
                    each(string);
                } else {
                    begun.extend_from_slice(string);
                    each(begun);
                }
            }
            (*is_long, rest) = (false, behind.split_at(1).1);
            begun.clear();
        }
        *is_long |= begun.len() + rest.len() > LONGEST;
        if !*is_long {
            begun.extend_from_slice(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(body: &[Bytes]) -> Vec<String> {
        let mut found = Vec::new();
        short_strings(body, &mut |string| found.push(String::from_utf8_lossy(string).into_owned()));
        found
    }

    #[test]
    fn strings_are_the_same_however_the_body_is_cut() {
        let (just, long) = ("a".repeat(LONGEST), "b".repeat(LONGEST + 1));
        let json = format!(r#"{{"name":"{just}","text":"{long}","end":"c"}}"#);
        let whole = strings(&[Bytes::from(json.clone())]);
        assert_eq!(whole, ["{", "name", ":", &just, ",", "text", ":", ",", "end", ":", "c"]);
        for size in [1, 7, 4_000, 5_000] {
            let cut: Vec<Bytes> = json.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(strings(&cut), whole, "{size}");
        }
    }
}
