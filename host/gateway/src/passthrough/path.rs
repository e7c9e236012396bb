//! Checks the paths of requests that are passed through: a path that two servers could read differently is refused.

use weir_types::fault::Fault;

/// The beginning of all paths that are passed through.
pub(crate) const PREFIX: &str = "/passthrough/";

/// Why two servers could read a path differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum PathError {
    /// Some servers take two slashes for one.
    #[error("it has an empty segment")]
    EmptySegment,
    /// Some servers take it for a slash.
    #[error("it has a backslash")]
    Backslash,
    /// What no path may have unencoded.
    #[error("it has characters that must be percent-encoded")]
    Unencoded,
    /// The decoded bytes are no text.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// Some servers resolve it.
    #[error("it has a dot segment")]
    DotSegment,
    /// No two hexadecimal digits behind a `%`.
    #[error("it has a broken percent-encoding")]
    Encoding,
    /// Some servers decode it before they split the path.
    #[error("it has an encoded slash or backslash")]
    EncodedSlash,
    /// Some servers decode it before they resolve segments.
    #[error("it has an encoded dot")]
    EncodedDot,
    /// Some servers decode it once more.
    #[error("it is encoded twice")]
    EncodedTwice,
    /// Some servers end the path there.
    #[error("it has an encoded control character")]
    EncodedControl,
}

/// Splits a path into the provider's name and the path at the provider; `None` for any other path.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(PREFIX)?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// The decoded path at a provider, without a slash in front, for rules to compare.
///
/// # Errors
///
/// The path may mean another one to a server that decodes it again, resolves its segments, or takes other characters
/// for slashes.
pub(crate) fn decoded(path: &str) -> Result<String, Fault> {
    checked(path).map_err(|reason| {
        let message = format!("this path cannot be passed through: {reason}");
        Fault::invalid(message).with_status(400).with_code("passthrough_path")
    })
}

/// A decoded path with a slash in front, as servers read it that ignore parameters of segments, and spaces and slashes
/// at the end.
pub(crate) fn plainest(path: &str) -> String {
    let bare = |segment: &str| format!("/{}", segment.split(';').next().unwrap_or_default().trim_end());
    let mut plain: String = path.split('/').map(bare).collect();
    plain.truncate(plain.trim_end_matches('/').len());
    plain
}

/// What may be a name at the beginning of a path: up to each slash and colon, behind which something else may stand.
pub(crate) fn beginnings(path: &str) -> Vec<&str> {
    let ends = path.match_indices(['/', ':']).map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).filter(|name| !name.is_empty()).collect()
}

fn checked(path: &str) -> Result<String, PathError> {
    if path.starts_with('/') || path.contains("//") {
        return Err(PathError::EmptySegment);
    }
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => text.push(escaped(bytes.next(), bytes.next())?),
            b'\\' => return Err(PathError::Backslash),
            byte if !byte.is_ascii_graphic() => return Err(PathError::Unencoded),
            byte => text.push(byte),
        }
    }
    let text = String::from_utf8(text).map_err(|_| PathError::NotUtf8)?;
    // Some servers take what follows a semicolon for parameters of the segment.
    let names = text.split('/').filter_map(|segment| segment.split(';').next());
    for name in names {
        if matches!(name, "." | "..") {
            return Err(PathError::DotSegment);
        }
    }
    Ok(text)
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Result<u8, PathError> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(PathError::Encoding) };
    match (high * 16 + low) as u8 {
        b'/' | b'\\' => Err(PathError::EncodedSlash),
        b'.' => Err(PathError::EncodedDot),
        b'%' => Err(PathError::EncodedTwice),
        byte if byte.is_ascii_control() => Err(PathError::EncodedControl),
        byte => Ok(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_the_provider() {
        assert_eq!(split("/passthrough/p/files/a"), Some(("p", "files/a")));
        assert_eq!(split("/passthrough/p"), Some(("p", "")));
        assert_eq!(split("/passthrough/p/"), Some(("p", "")));
        assert_eq!(split("/passthrough//files"), Some(("", "files")));
        assert_eq!(split("/passthroughs/p/x"), None);
    }

    #[test]
    fn plain_paths_pass_and_are_decoded() {
        for (path, expected) in [
            ("", ""),
            ("files/a-b_c.jsonl", "files/a-b_c.jsonl"),
            ("models/m%3Alatest:run", "models/m:latest:run"),
            ("files/a%20b/", "files/a b/"),
            ("files/%C3%A4", "files/\u{e4}"),
            ("a..b/...", "a..b/..."),
        ] {
            assert_eq!(checked(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn parameters_and_what_ends_a_path_are_left_out() {
        for path in [
            "chat/completions",
            "chat/completions/",
            "chat;a=1/completions;b",
            "chat/completions ",
            "chat/completions; /",
        ] {
            assert_eq!(plainest(path), "/chat/completions", "{path}");
        }
        assert_eq!(plainest("models/a b:run"), "/models/a b:run");
        assert_eq!(plainest(""), "");
    }

    #[test]
    fn a_name_ends_at_a_slash_or_a_colon() {
        assert_eq!(beginnings("a:run"), ["a", "a:run"]);
        assert_eq!(beginnings("a/b:0/run"), ["a", "a/b", "a/b:0", "a/b:0/run"]);
        assert!(beginnings("").is_empty());
    }

    #[test]
    fn what_two_servers_may_read_differently_is_refused() {
        for path in [
            "..",
            ".",
            "a/../b",
            "a/./b",
            "a/..",
            "../a",
            "..;/a",
            "a/.;x=1/b",
            "/a",
            "//evil.example/a",
            "a//b",
            "a%2fb",
            "a%2Fb",
            "%2e%2e/a",
            "a/%2E%2e/b",
            "a/.%2e/b",
            "a%252e%252e",
            "a%5cb",
            "a\\b",
            "a%00b",
            "a%0d%0ab",
            "a%7fb",
            "a%",
            "a%2",
            "a%zz",
            "a%ff",
            "a\u{e4}",
            "a b",
        ] {
            assert!(checked(path).is_err(), "{path}");
        }
    }
}
