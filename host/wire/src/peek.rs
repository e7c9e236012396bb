//! Sees a few members of a JSON body without parsing it, and splices them.
//!
//! [`Pointers`] say what is wanted, a [`Peek`] scans the body as it comes, chunk by chunk, and [`Found`] says where the
//! wanted values stand and what they are. [`splice`] then replaces some without copying the rest.
//!
//! The scan reads strictly only on the way to what is wanted. What it skips, it skips by strings and brackets alone, so
//! it may accept a body that is not JSON there; the body's reader will refuse it. But where a full parser succeeds, the
//! scan finds what that parser finds:
//!
//! - Of members with the same name the last one counts, as with most parsers. The others are still reported, marked
//!   [`Hit::superseded`], so that all can be spliced, or a body that says two things can be refused.
//! - Names and texts are compared decoded: `"mod\u0065l"` is `model`. Lone surrogates become U+FFFD.
//! - A byte order mark at the start is skipped, as it is by many parsers.
//!
//! | file | does |
//! |---|---|
//! | `pointer` | JSON pointers, compiled into one tree |
//! | `scan` | the scan |
//! | `text` | JSON strings decoded; UTF-8 checked in pieces |
//! | `found` | what came out of it |
//! | `splice` | values replaced and members set |
//! | `test` | the manifest's tests on values |

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

/// How much a scan may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep the body may be nested.
    pub depth: usize,
    /// How many values of one pointer may be found.
    pub hits: usize,
    /// Whether more values than that are passed over in silence, instead of being an error.
    pub drop_excess: bool,
    /// Bytes up to which a wanted string or number is read; a longer one is [`Scalar::Long`].
    pub text_bytes: usize,
    /// Whether the whole body is checked to be UTF-8, not just what is read of it.
    pub utf8: bool,
    /// Whether members of the body are looked for that are named like a wanted one but for upper and lower case.
    pub variants: bool,
}

impl Default for Limits {
    /// 256 levels, 16384 values a pointer and not one more, texts of 1 KiB, UTF-8 checked.
    fn default() -> Self {
        Self { depth: 256, hits: 16 << 10, drop_excess: false, text_bytes: 1 << 10, utf8: true, variants: false }
    }
}

/// Why a body cannot be scanned. Offsets count the body's bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// This byte cannot stand here.
    #[error("the body is not JSON at byte {offset}")]
    Malformed {
        /// Where.
        offset: usize,
    },
    /// The body ends before its value does.
    #[error("the body ends within its JSON value, after {offset} bytes")]
    Truncated {
        /// The body's length.
        offset: usize,
    },
    /// Something follows the value.
    #[error("the body goes on behind its JSON value at byte {offset}")]
    Trailing {
        /// Where.
        offset: usize,
    },
    /// These bytes are not UTF-8.
    #[error("the body is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where.
        offset: usize,
    },
    /// Nested more deeply than the limit.
    #[error("the body is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// More values of one pointer were found than the limit.
    #[error("the body has more than {limit} values of one kind")]
    TooManyHits {
        /// The limit.
        limit: usize,
    },
}
