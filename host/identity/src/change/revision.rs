//! Revisions of documents, and conditions on them (RFC 9110, section 13).

use std::fmt;

use super::ChangeError;

/// The revision of a document: the number of the change that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// As in the header `etag`: `"17"`.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// What a change requires of the stored revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// The document exists (`If-Match: *`).
    Exists,
    /// The document does not exist (`If-None-Match: *`).
    Absent,
    /// The document has one of these revisions (`If-Match: "17"`).
    OneOf(Vec<Revision>),
}

/// A header `if-match` or `if-none-match` that is malformed or not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the condition is not supported: `if-match` has an ETag or `*`, `if-none-match` has `*`, and not both are set")]
pub struct BadPrecondition;

impl Precondition {
    /// Parses the headers `if-match` and `if-none-match`. A weak or foreign ETag matches no revision, but is no error.
    ///
    /// # Errors
    ///
    /// A header is malformed, or both are set.
    pub fn parse(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Self, BadPrecondition> {
        match (if_match.map(str::trim), if_none_match.map(str::trim)) {
            (None, None) => Ok(Self::None),
            (Some("*"), None) => Ok(Self::Exists),
            (None, Some("*")) => Ok(Self::Absent),
            (Some(list), None) => {
                let tags = list.split(',').map(str::trim).map(revision).collect::<Result<Vec<_>, _>>()?;
                Ok(Self::OneOf(tags.into_iter().flatten().collect()))
            }
            _ => Err(BadPrecondition),
        }
    }

    /// Whether the condition holds for what is stored.
    ///
    /// # Errors
    ///
    /// The condition does not hold.
    pub fn check(&self, stored: Option<Revision>) -> Result<(), ChangeError> {
        let holds = match self {
            Self::None => true,
            Self::Exists => stored.is_some(),
            Self::Absent => stored.is_none(),
            Self::OneOf(revisions) => stored.is_some_and(|stored| revisions.contains(&stored)),
        };
        if holds { Ok(()) } else { Err(ChangeError::VersionConflict { stored }) }
    }
}

/// The revision of an ETag; `None` if it is weak or not one of ours.
fn revision(tag: &str) -> Result<Option<Revision>, BadPrecondition> {
    let strong = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(BadPrecondition)?;
    if inner.contains('"') {
        return Err(BadPrecondition);
    }
    let number = inner.parse().ok().filter(|number: &u64| number.to_string() == inner);
    Ok(number.filter(|_| strong == tag).map(Revision))
}
