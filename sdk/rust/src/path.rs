//! Names in paths: percent-encoding and decoding.

/// Percent-encodes a text, except letters, digits, `-._~` and the `kept` characters.
///
/// Formats differ: if a colon ends a name (`models/NAME:METHOD`), a colon within it must be encoded; if slashes
/// separate its parts, they are kept.
pub fn encoded(text: &str, kept: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (byte.is_ascii() && kept.contains(&byte)) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out
}

/// Decodes percent-encoding; invalid sequences are kept as they are.
pub fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|hex| byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let value = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(value.unwrap_or(byte));
        rest = if value.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_come_back_as_they_went() {
        for name in ["claude-3-7-sonnet@20250219", "vendor/model one", "llama3:8b", "ü%2F", "100%", "%+1"] {
            for kept in [&b""[..], b"/@", b":@"] {
                assert_eq!(decoded(&encoded(name, kept)), name);
            }
        }
        assert_eq!(encoded("a/b:c@1", b"/@"), "a/b%3Ac@1");
        assert_eq!(encoded("a/b:c@1", b""), "a%2Fb%3Ac%401");
    }

    #[test]
    fn what_is_no_encoding_stands_for_itself() {
        for text in ["%", "%4", "%+4", "%zz", "a%"] {
            assert_eq!(decoded(text), text);
        }
    }
}
