//! Recorded answers, read by the adapters as plain Rust and priced by the bundled file.
//!
//! The recordings are outside the repository (`../shared/fixtures`); without them there is nothing to check.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test: what does not hold fails it"
)]

pub mod page;
pub mod read;
pub mod recording;
pub mod source;
