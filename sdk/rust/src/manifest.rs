//! The manifest's types, as `wit/about.wit` describes them.

pub use crate::bindings::about::exports::weir::adapter::about::*;
