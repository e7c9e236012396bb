//! Bounds that several documents share. Each is far above what is sensible; together they bound a document's size.

use super::Metadata;

/// The most bytes of a document's metadata as JSON.
const METADATA: usize = 16 * 1024;

/// A value outside of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct Invalid {
    /// Where the value stands in the document.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Invalid {
    pub(crate) fn new(field: &str, problem: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into() }
    }
}

/// Checks the length of a text, and that it has no control characters.
pub(crate) fn text(field: &str, text: &str, least: usize, most: usize) -> Result<(), Invalid> {
    if text.len() < least || text.len() > most {
        return Err(Invalid::new(field, format!("has {} bytes instead of {least} to {most}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "has a control character"));
    }
    Ok(())
}

pub(crate) fn count(field: &str, count: usize, most: usize) -> Result<(), Invalid> {
    if count > most { Err(Invalid::new(field, format!("has {count} entries; at most {most}"))) } else { Ok(()) }
}

pub(crate) fn metadata(metadata: &Metadata) -> Result<(), Invalid> {
    let length = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    if length > METADATA { Err(Invalid::new("metadata", format!("is longer than {METADATA} bytes"))) } else { Ok(()) }
}

/// Whether a text is a plain decimal number without sign and exponent.
pub(crate) fn is_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 32 && digits(whole) && digits(part)
}
