//! Masks literal secrets in a configuration's text before any of it is shown.
//!
//! It works on the text instead of the tree, because messages about broken TOML show lines as well.

use super::keys;

/// Replaces the values of sensitive keys with stars, byte for byte, so that spans stay valid. `env:` and `file:`
/// references stay, because they are not secrets.
pub(super) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(equals) = bytes.get(at..).and_then(|rest| memchr::memchr(b'=', rest)).map(|found| at + found) {
        at = equals + 1;
        let key = key_before(&text[..equals]);
        if is_sensitive(key) && !is_count(key, &text[at..]) {
            at = mask_value(bytes, at, &mut out);
        }
    }
    mask_user_info(bytes, &mut out);
    // Only ASCII stars were written, over whole strings or to a line's end.
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Masks `user:password@` in urls, which are refused but shown in the message.
fn mask_user_info(bytes: &[u8], out: &mut [u8]) {
    for scheme in memchr::memmem::find_iter(bytes, b"://") {
        let start = scheme + 3;
        let ends = |byte: &u8| matches!(byte, b'/' | b'"' | b'\'' | b'\n' | b' ');
        let end = bytes[start..].iter().position(ends).map_or(bytes.len(), |found| start + found);
        if let Some(at) = memchr::memrchr(b'@', &bytes[start..end]) {
            star(bytes, start, start + at, out);
        }
    }
}

/// The last segment of the key in front of an equals sign.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t', '"', '\'']);
    let start = text
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .map_or(0, |found| found + text[found..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

/// Options of adapters whose names look like a credential's but are not.
const SHOWN: [&str; 2] = ["token_url", "max_tokens"];

/// Whether a key, perhaps mistyped, names a credential. The list decides for the configuration's own keys; others are
/// masked in case of doubt.
fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    let mut known = keys::ALL.iter().flat_map(|table| table.list).filter(|known| known.name == key).peekable();
    if known.peek().is_some() {
        // What is written in place of a number of tokens may be a token.
        let may_be_mistaken = |known: &super::key::Key| known.takes == "integer" && known.name.contains("token");
        return known.any(|known| known.takes.contains("secret") || may_be_mistaken(known));
    }
    if SHOWN.contains(&key.as_str()) {
        return false;
    }
    let words = ["key", "token", "secret", "hash", "password", "passwd", "credential", "bearer", "authorization"];
    words.iter().any(|word| key.contains(word))
        || ["api_key", "api_keys"].iter().any(|known| strsim::damerau_levenshtein(known, &key) <= 2)
        || strsim::damerau_levenshtein("token", &key) <= 1
        || key == "headers"
}

/// Whether a value is a number of tokens.
fn is_count(key: &str, value: &str) -> bool {
    let value = value.trim_start_matches([' ', '\t']);
    let end = value.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(value.len());
    let ends = value[end..].starts_with([' ', '\t', '\r', '\n', ',', '}', ']', '#']) || value.len() == end;
    key.to_lowercase().contains("tokens") && end > 0 && ends
}

/// Masks the value or the list of values from `at`, and returns its end.
fn mask_value(bytes: &[u8], mut at: usize, out: &mut [u8]) -> usize {
    let mut depth = 0usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' => at += 1,
            b'[' | b'{' => {
                depth += 1;
                at += 1;
            }
            b']' | b'}' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b'\r' | b'\n' | b',' if depth > 0 => at += 1,
            b'#' if depth > 0 => at = line_end(bytes, at),
            b'\r' | b'\n' | b',' | b']' | b'}' => return at,
            b'"' | b'\'' => at = mask_string(bytes, at, out),
            _ => at = mask_bare(bytes, at, out),
        }
    }
    at
}

/// Masks the text between quotes; an unclosed string up to the end of the line.
fn mask_string(bytes: &[u8], at: usize, out: &mut [u8]) -> usize {
    let quote = bytes[at];
    let triple = [quote; 3];
    let long = bytes.get(at..at + 3) == Some(&triple);
    let start = if long { at + 3 } else { at + 1 };
    let mut end = start;
    let closed = loop {
        match bytes.get(end) {
            None => break false,
            Some(b'\n') if !long => break false,
            Some(b'\\') if quote == b'"' => end += 2,
            Some(byte) if *byte == quote && (!long || bytes.get(end..end + 3) == Some(&triple)) => break true,
            Some(_) => end += 1,
        }
    };
    let end = end.min(bytes.len());
    star(bytes, start, end, out);
    if closed { end + if long { 3 } else { 1 } } else { end }
}

/// Masks a value without quotes: broken TOML, but perhaps a pasted key.
fn mask_bare(bytes: &[u8], at: usize, out: &mut [u8]) -> usize {
    let line = line_end(bytes, at);
    let end =
        bytes[at..line].iter().position(|byte| matches!(byte, b',' | b'}' | b']')).map_or(line, |found| at + found);
    star(bytes, at, end, out);
    end
}

fn star(bytes: &[u8], start: usize, end: usize, out: &mut [u8]) {
    let value = &bytes[start..end];
    if value.starts_with(b"env:") || value.starts_with(b"file:") {
        return;
    }
    for byte in &mut out[start..end] {
        if *byte != b'\n' && *byte != b'\r' {
            *byte = b'*';
        }
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literal_secrets_are_masked_and_references_stay() {
        let cases = [
            (r#"api_key = "sk-1""#, r#"api_key = "****""#),
            (r#"api_key = "env:A""#, r#"api_key = "env:A""#),
            (
                r#"target = { url = "u", api_key = 'sk', model = "m" }"#,
                r#"target = { url = "u", api_key = '**', model = "m" }"#,
            ),
            (
                "api_keys = [\n  \"aa\", # one\n  \"file:/x\",\n]\nport = 1",
                "api_keys = [\n  \"**\", # one\n  \"file:/x\",\n]\nport = 1",
            ),
            ("token = \"ab\\\"c", "token = \"*****"),
            ("api_kye = \"x\"", "api_kye = \"*\""),
            ("\"api-key\" = \"x\"", "\"api-key\" = \"*\""),
            ("api_key = sk-abc\nb = 1", "api_key = ******\nb = 1"),
            ("api_key = \"\"\"a\nb\"\"\"", "api_key = \"\"\"*\n*\"\"\""),
            ("options = { secret_access_key = \"é\" }", "options = { secret_access_key = \"**\" }"),
            ("url = 'http://me:pw@a/b@c'", "url = 'http://*****@a/b@c'"),
            ("alias = \"text\"", "alias = \"text\""),
            ("limits = { tokens_per_minute = 400_000 }", "limits = { tokens_per_minute = 400_000 }"),
            ("key_headers = [\"x-key\"]\ntokens = 5", "key_headers = [\"x-key\"]\ntokens = 5"),
            ("trusted_keys = [\"ed25519:a\"]", "trusted_keys = [\"ed25519:a\"]"),
            ("tokens = \"abc\"\nmax_tokens_each = 5x", "tokens = \"***\"\nmax_tokens_each = **"),
            (
                "[admin]\ntoken = \"abc\"\n[[clients]]\nkey = \"abc\"",
                "[admin]\ntoken = \"***\"\n[[clients]]\nkey = \"***\"",
            ),
            ("hashes = [\n  \"sha256:ab\",\n]\nhash = \"ab\"", "hashes = [\n  \"*********\",\n]\nhash = \"**\""),
        ];
        for (text, expected) in cases {
            assert_eq!(mask(text), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_length_and_lines(text in "(api_key|token|a|=|\"|'|\\[|\\]|\\{|,|#|\\\\| |\n|é|sk|://|@|/)*") {
            let masked = mask(&text);
            prop_assert_eq!(masked.len(), text.len());
            prop_assert_eq!(masked.matches('\n').count(), text.matches('\n').count());
        }
    }
}
