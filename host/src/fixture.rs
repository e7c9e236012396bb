//! Recordings as files of people's: made, cleaned, checked.
//!
//! | file | does |
//! |---|---|
//! | `rules` | what may stand in a recording and what may not: `data/scrub.toml` and what users add |
//! | `scrub` | takes secrets, ids and personal data out of one exchange |
//! | `mask` | what stands in their place |
//! | `json` | rewrites strings within JSON text and leaves all else as it stands |
//! | `exchange` | one exchange as bytes, and the file that it becomes |
//! | `folder` | files with numbered names |
//! | `import` | exchanges from what other tools recorded |
//! | `check` | finds what was left in |
//!
//! The format itself is [`crate::upstream::replay::format`], which the replaying upstream reads.

pub mod check;
pub mod exchange;
pub mod folder;
pub mod import;
mod json;
mod mask;
pub mod rules;
pub mod scrub;

pub use check::{Finding, check};
pub use exchange::{Exchange, Piece, Refused};
pub use folder::Folder;
pub use rules::{Rules, RulesError};
pub use scrub::Scrub;
