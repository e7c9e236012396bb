//! The manifest's types, as `wit/about.wit` describes them, and short constructors for them.

mod short;

/// Version of the contract that this SDK is made for: what a manifest says in `contract`.
pub const CONTRACT: &str = "0.2.0";

pub use crate::bindings::about::exports::weir::adapter::about::*;
pub use short::{features, strings};
