//! Encodes paths and queries, and refuses those that could lead out of a base url.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Characters to encode in a segment or query: all but those that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters to encode in a path. `%` stays, because paths arrive encoded.
const NOT_IN_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|').add(b'^');

/// How many layers of percent-encoding are checked: servers in a chain may decode more than once.
const DECODE_ROUNDS: usize = 3;

/// Why a path cannot be joined to a url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It would replace the url's own path.
    #[error("it is absolute")]
    Absolute,
    /// Two slashes in a row.
    #[error("it holds an empty segment, or is a whole url")]
    EmptySegment,
    /// A query belongs into the request's own.
    #[error("it holds a query or a fragment")]
    Query,
    /// What is before an `@` could be taken for a user's name.
    #[error("its first segment holds an @")]
    UserName,
    /// Servers differ in how they read these characters.
    #[error("it holds a control character or a backslash")]
    Character,
    /// It leads out of the url, now or after a server decodes it.
    #[error("it holds a dot segment")]
    DotSegment,
    /// It makes no valid url.
    #[error("it is not valid")]
    Invalid,
    /// The query that it is sent with makes no valid url.
    #[error("its query is not valid")]
    InvalidQuery,
}

/// Percent-encodes one value as a segment of a path, for instance a model's name. No value can leave its segment; `.`
/// and `..` are refused when the path is joined.
pub fn encode_segment(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, RESERVED).into()
}

/// Path and query for finding a recording: checked like any other, without a prefix.
pub(super) fn relative<'q>(
    path: &str,
    query: impl IntoIterator<Item = (&'q str, &'q str)>,
) -> Result<String, PathError> {
    let mut text = String::with_capacity(path.len());
    push_path(&mut text, path)?;
    push_query(&mut text, query);
    Ok(text)
}

pub(super) fn push_path(text: &mut String, path: &str) -> Result<(), PathError> {
    if is_plain(path) {
        text.push_str(path);
        return Ok(());
    }
    check(path)?;
    text.extend(utf8_percent_encode(path, NOT_IN_PATH));
    Ok(())
}

pub(super) fn push_query<'q>(text: &mut String, query: impl IntoIterator<Item = (&'q str, &'q str)>) {
    let mut separator = if text.contains('?') { '&' } else { '?' };
    for (name, value) in query {
        text.push(separator);
        text.extend(utf8_percent_encode(name, RESERVED));
        text.push('=');
        text.extend(utf8_percent_encode(value, RESERVED));
        separator = '&';
    }
}

/// Whether a path holds only characters that need no further check. The fast path of most requests.
fn is_plain(path: &str) -> bool {
    let mut is_start = true;
    path.bytes().all(|byte| {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b':');
        let is_inner = !is_start && matches!(byte, b'/' | b'.');
        is_start = byte == b'/';
        is_plain || is_inner
    })
}

/// Refuses a path that could leave the base, now or after another server decodes it again.
pub(super) fn check(path: &str) -> Result<(), PathError> {
    if path.starts_with('/') {
        return Err(PathError::Absolute);
    }
    if path.contains("//") {
        return Err(PathError::EmptySegment);
    }
    if path.contains(['?', '#']) {
        return Err(PathError::Query);
    }
    // In later segments an `@` cannot be taken for the end of a user name, and some model names contain one.
    if path.split('/').next().is_some_and(|first| first.contains('@')) {
        return Err(PathError::UserName);
    }
    check_segments(path)?;
    let mut decoded = Cow::Borrowed(path);
    for _ in 0..DECODE_ROUNDS {
        if !decoded.contains('%') {
            break;
        }
        decoded = percent_decode_str(&decoded).decode_utf8_lossy().into_owned().into();
        check_segments(&decoded)?;
    }
    Ok(())
}

fn check_segments(path: &str) -> Result<(), PathError> {
    if path.contains(|character: char| character.is_control() || character == '\\') {
        return Err(PathError::Character);
    }
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(PathError::DotSegment);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_check_admits_nothing_that_the_full_check_refuses(path in "[a-c./:%@\\\\]{0,12}") {
            if is_plain(&path) {
                prop_assert_eq!(check(&path), Ok(()));
                prop_assert_eq!(utf8_percent_encode(&path, NOT_IN_PATH).to_string(), path);
            }
        }
    }
}
