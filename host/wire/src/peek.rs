//! Finds a few members of a JSON body without parsing it, and splices them.
//!
//! [`Pointers`] select values, a [`Peek`] scans the body chunk by chunk, and [`Found`] holds the positions and values
//! that it found. [`splice`] then replaces some without copying the rest.
//!
//! The scan is strict only on the path to selected values. Elsewhere it skips by strings and brackets alone, so it may
//! accept a body that is not JSON there; the body's reader will refuse it. But where a full parser succeeds, the scan
//! finds the same values:
//!
//! - Of members with the same name the last one counts, as in most parsers. The others are still reported, marked
//!   [`Hit::superseded`], so that all can be spliced, or an ambiguous body can be refused.
//! - Names and texts are compared decoded: `"mod\u0065l"` is `model`. Lone surrogates become U+FFFD.
//! - A byte order mark at the start is skipped, as many parsers do.
//!
//! | file | does |
//! |---|---|
//! | `pointer` | compiles JSON pointers into one tree |
//! | `scan` | scans a body |
//! | `text` | decodes JSON strings; checks UTF-8 in pieces |
//! | `found` | holds the results |
//! | `splice` | replaces values and sets members |
//! | `test` | evaluates the manifest's tests on values |

mod found;
mod pointer;
#[cfg(test)]
mod properties;
mod scan;
mod splice;
mod test;
#[cfg(test)]
mod tests;
mod text;

pub use found::{Found, Hit, Object, Scalar};
pub use pointer::{PointerError, Pointers, Wanted};
pub use scan::Peek;
pub use splice::{Edit, SpliceError, prefixes, set_member, splice};
pub use test::{Test, TestError};

/// Limits of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum nesting depth of the body.
    pub depth: usize,
    /// Maximum number of values of one pointer.
    pub hits: usize,
    /// Whether excess values are dropped silently instead of causing an error.
    pub drop_excess: bool,
    /// Maximum length of a wanted string or number, in bytes; a longer one is [`Scalar::Long`].
    pub text_bytes: usize,
    /// Whether the whole body must be UTF-8, and not only the parts that are read.
    pub utf8: bool,
    /// Whether to report members of the body whose names differ from wanted ones only in case.
    pub variants: bool,
}

impl Default for Limits {
    /// 256 levels, at most 16384 values of a pointer, texts of 1 KiB, UTF-8 checked.
    fn default() -> Self {
        Self { depth: 256, hits: 16 << 10, drop_excess: false, text_bytes: 1 << 10, utf8: true, variants: false }
    }
}

/// Why a body cannot be scanned. Offsets are in bytes from the start of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// A byte is not allowed at this place.
    #[error("the body is not JSON at byte {offset}")]
    Malformed {
        /// Offset of the byte.
        offset: usize,
    },
    /// The body ends before its value does.
    #[error("{}", match offset {
        0 => "the body is empty".to_owned(),
        _ => format!("the body ends within its JSON value, after {offset} bytes"),
    })]
    Truncated {
        /// The body's length.
        offset: usize,
    },
    /// The body continues after its value.
    #[error("the body goes on behind its JSON value at byte {offset}")]
    Trailing {
        /// Offset of the first byte after the value.
        offset: usize,
    },
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the first invalid byte.
        offset: usize,
    },
    /// The body is nested more deeply than the limit.
    #[error("the body is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// One pointer has more values than the limit.
    #[error("the body has more than {limit} values of one kind")]
    TooManyHits {
        /// The most values of one pointer.
        limit: usize,
    },
}
